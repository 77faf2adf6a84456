//! A train of packets: one frame again and again, each time as that of another flow. What is measured is measured with
//! one, so every engine gets the same packets in the same order.
//!
//! Packet `n` is of flow `n * 0x9e3779b1 mod flows`: an odd factor visits all flows before one comes again, in an order
//! that no prefetcher knows.

use crate::notation::{Header, decode};

/// The factor: 2^32 divided by the golden ratio, odd (Knuth, TAOCP 3, 6.4).
pub const FACTOR: u32 = 0x9e37_79b1;
/// Most flows of a train.
pub const FLOWS_MAX: u32 = 1 << 24;
/// The shortest frame on a wire, without its check sequence (bytes; IEEE 802.3, 3.2.7 and 3.2.8).
pub const SHORTEST: usize = 60;

/// A field in which flows differ: its value is the frame's, its low bits exchanged by those of the flow's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What people call it: `ip4.src`.
    pub field: &'static str,
    /// Its first byte in the frame.
    pub offset: u16,
    /// Its bytes, 2 or 4, the highest first.
    pub bytes: u8,
    /// Low bits of the flow's number that are left out.
    pub shift: u8,
}

/// A train.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Train {
    /// The frame of flow 0.
    pub frame: Vec<u8>,
    /// In what the others differ.
    pub marks: Vec<Mark>,
    /// Number of flows: a power of two, at most [`FLOWS_MAX`].
    pub flows: u32,
}

impl Train {
    /// The ways in which a frame can become those of many flows, the best first: address and port of the sender both
    /// say the flow; the address only what the port has no room for; one of them alone. Without an IP header there is none.
    pub fn ways(frame: &[u8], flows: u32) -> Vec<Train> {
        let headers = decode(frame);
        let find = |(name, field, at, bytes): (&str, &'static str, usize, u8)| {
            let header = headers.iter().find(|header| header.name == name)?;
            Some(mark(header, field, at, bytes))
        };
        // Where the source stands in each header: the low 32 bits of an address of IPv6.
        let address = [("ip4", "ip4.src", 12, 4), ("ip6", "ip6.src", 20, 4)];
        let ports = [
            ("tcp", "tcp.src", 0, 2),
            ("udp", "udp.src", 0, 2),
            ("sctp", "sctp.src", 0, 2),
        ];
        let first = |known: &[(&str, &'static str, usize, u8)]| {
            let found = known.iter().filter_map(|one| find(*one));
            found.min_by_key(|mark| mark.offset)
        };
        let (Some(address), port) = (first(&address), first(&ports)) else {
            return Vec::new();
        };
        let mut ways = Vec::new();
        if let Some(port) = port {
            let above = Mark {
                shift: 16,
                ..address
            };
            ways.extend([vec![address, port], vec![above, port]]);
        }
        ways.push(vec![address]);
        ways.extend(port.filter(|_| flows <= 1 << 16).map(|port| vec![port]));
        let train = |marks| Train {
            frame: frame.to_vec(),
            marks,
            flows,
        };
        ways.into_iter().map(train).collect()
    }

    /// The flow of a packet; the number wraps.
    pub fn flow(&self, number: u32) -> u32 {
        number.wrapping_mul(FACTOR) & (self.flows - 1)
    }

    /// Writes the frame of a packet to the begin of a slot that is long enough; else nothing is written.
    pub fn write(&self, number: u32, slot: &mut [u8]) {
        let Some(place) = slot.get_mut(..self.frame.len()) else {
            return;
        };
        place.copy_from_slice(&self.frame);
        let flow = self.flow(number);
        for mark in &self.marks {
            let bits = (flow >> mark.shift).to_be_bytes();
            let bits = bits.iter().skip(4 - usize::from(mark.bytes));
            let field = place.iter_mut().skip(usize::from(mark.offset));
            for (byte, bits) in field.zip(bits) {
                *byte ^= bits;
            }
        }
    }
}

fn mark(header: &Header, field: &'static str, at: usize, bytes: u8) -> Mark {
    Mark {
        field,
        offset: (header.offset + at) as u16,
        bytes,
        shift: 0,
    }
}

/// An eBPF program that gives another one the packets of a train, and where addresses are filled in: instructions that
/// set all 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feeder {
    /// Instructions of eight bytes.
    pub code: Vec<u64>,
    /// Index of the one that takes the address of the next packet's number, u32.
    pub number: usize,
    /// Index of the one that takes the map of programs, of which it calls the first.
    pub programs: usize,
}

/// An eBPF program that counts the packets of a train and drops all packets, and where an address is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Instructions of eight bytes.
    pub code: Vec<u64>,
    /// Index of the one that takes the address of the number of packets, u64.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::notation::{Defaults, Layer, Value, build};

    fn frame() -> Vec<u8> {
        let named = |name: &str, src, dst| Layer {
            name: name.to_owned(),
            src,
            dst,
            ..Layer::default()
        };
        let ip = |last| Some(Value::Ip4([192, 0, 2, last].into()));
        let layers = [
            named("eth", None, None),
            named("ip", ip(1), ip(2)),
            named("tcp", Some(Value::Int(40000)), Some(Value::Int(80))),
        ];
        let defaults = Defaults {
            src_mac: [2, 0, 0, 0, 0, 1],
            dst_mac: [2, 0, 0, 0, 0, 2],
        };
        build(&layers, &defaults).unwrap()
    }

    fn frames(train: &Train) -> BTreeSet<Vec<u8>> {
        let frame = |number| {
            let mut frame = vec![0; train.frame.len()];
            train.write(number, &mut frame);
            frame
        };
        (0..train.flows).map(frame).collect()
    }

    #[test]
    fn every_flow_comes_once_before_one_comes_again() {
        for train in Train::ways(&frame(), 1 << 10) {
            assert_eq!(frames(&train).len(), 1 << 10, "{:?}", train.marks);
            assert!(frames(&train).contains(&train.frame));
            assert_eq!(train.flow(1 << 10), train.flow(0));
        }
    }

    #[test]
    fn only_the_sender_differs() {
        let ways = Train::ways(&frame(), 1 << 20);
        let fields: Vec<Vec<&str>> = ways
            .iter()
            .map(|train| train.marks.iter().map(|mark| mark.field).collect())
            .collect();
        let both = vec!["ip4.src", "tcp.src"];
        assert_eq!(fields, [both.clone(), both, vec!["ip4.src"]]);
        let mut last = vec![0; 54];
        ways[1].write(1, &mut last);
        let flow = ways[1].flow(1);
        let mut expected = frame();
        expected[29] ^= (flow >> 16) as u8;
        expected[34] ^= (flow >> 8) as u8;
        expected[35] ^= flow as u8;
        assert_eq!(last, expected);
    }

    #[test]
    fn without_ip_there_are_no_flows() {
        assert_eq!(Train::ways(&[0; 60], 1), []);
        assert_eq!(Train::ways(&[], 1), []);
    }
}
