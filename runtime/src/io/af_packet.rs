//! Frames of an interface by way of `AF_PACKET`: the compatible way, which needs no more than a raw socket.
//!
//! The socket is a tap: the kernel sees every frame, too, so a frame with verdict pass needs nothing more. Only frames for
//! this host are taken, never those that it sends. A frame of an offload (up to 64 KiB, its checksum not yet made) travels
//! with its virtio-net header and is sent with it; the kernel splits and sums where the wire needs it. A VLAN tag that the
//! kernel took out is put back. What was cut is counted and never sent.

use std::io::Result;
use std::time::Duration;

use lvsc_abi::engine::Packet;

use crate::io::tap::{TAG, Tap, retag};
use crate::io::{Inbox, Loss, Received, Sent, Sink, Source};
use crate::sys::ring::{Frame, PACKET_HOST, VNET, is_passing};

/// `virtio_net_hdr.flags`: the checksum is still to be made.
const NEEDS_CHECKSUM: u8 = 1;
/// `virtio_net_hdr.gso_type`: nothing to split.
const GSO_NONE: u8 = 0;

/// What travels beside a frame: `struct virtio_net_hdr` (`linux/virtio_net.h`), as the frame lies in the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload([u8; VNET]);

/// The sockets of a director, one an interface, in the manifest's order.
pub struct Interfaces {
    taps: Vec<Tap>,
    next: usize,
    dropped: u64,
}

impl Interfaces {
    /// Opens a socket on each interface (kernel indices) of the calling thread's namespace.
    pub fn open(indices: &[u32]) -> Result<Interfaces> {
        let open = |index: &u32| Tap::open(*index, true);
        let taps = indices.iter().map(open).collect::<Result<Vec<_>>>()?;
        Ok(Interfaces {
            taps,
            next: 0,
            dropped: 0,
        })
    }

    /// Frames that the kernel dropped because the ring was full.
    pub fn dropped(&mut self) -> u64 {
        self.dropped += self.taps.iter().map(Tap::dropped).sum::<u64>();
        self.dropped
    }

    fn drain(&mut self, inbox: &mut Inbox<'_, Offload>) {
        let count = self.taps.len();
        for step in 0..count {
            let interface = (self.next + step) % count;
            let Some(tap) = self.taps.get_mut(interface) else {
                continue;
            };
            while !inbox.is_full() {
                if tap
                    .take(|frame| take(&frame, interface as u8, inbox))
                    .is_none()
                {
                    break;
                }
            }
        }
        self.next = (self.next + 1) % count.max(1);
    }
}

/// One frame into the engine's next slot.
fn take(frame: &Frame<'_>, interface: u8, inbox: &mut Inbox<'_, Offload>) {
    if frame.kind != PACKET_HOST {
        return;
    }
    if (frame.bytes.len() as u32) < frame.length {
        return inbox.lose(Loss::Truncated);
    }
    let tag = frame.tag.filter(|_| frame.bytes.len() >= 14);
    let length = frame.bytes.len() + if tag.is_some() { TAG } else { 0 };
    let Ok(short) = u16::try_from(length) else {
        return inbox.lose(Loss::Oversize);
    };
    let Some(room) = inbox.room().and_then(|room| room.get_mut(..length)) else {
        return;
    };
    match tag {
        None => room.copy_from_slice(frame.bytes),
        Some(tag) => retag(room, frame.bytes, tag),
    }
    let meta = offload(frame.vnet, room, tag.is_some());
    inbox.commit(short, interface, meta);
}

/// The virtio-net header for sending: what was said on arrival, moved by a tag that was put back, with the true length of
/// the headers (on arrival it is what the sender's first buffer happened to hold).
fn offload(vnet: &[u8], frame: &[u8], tagged: bool) -> Offload {
    let Some(
        [
            flags,
            gso,
            _,
            _,
            size_low,
            size_high,
            start_low,
            start_high,
            offset @ ..,
        ],
    ) = vnet.first_chunk::<VNET>()
    else {
        return Offload::default();
    };
    let moved = if tagged { TAG as u16 } else { 0 };
    let flags = flags & NEEDS_CHECKSUM;
    let start = u16::from_ne_bytes([*start_low, *start_high]);
    let start = if flags == 0 { 0 } else { start + moved };
    let header = if *gso == GSO_NONE {
        0
    } else {
        headers(frame, usize::from(start))
    };
    let [header_low, header_high] = header.to_ne_bytes();
    let [start_low, start_high] = start.to_ne_bytes();
    let offset = if flags == 0 { [0, 0] } else { *offset };
    let [offset_low, offset_high] = offset;
    Offload([
        flags,
        *gso,
        header_low,
        header_high,
        *size_low,
        *size_high,
        start_low,
        start_high,
        offset_low,
        offset_high,
    ])
}

/// Length of the headers (bytes) of a frame whose transport header begins at `start`: TCP's has a length of its own
/// (RFC 9293, section 3.1), UDP's is 8. Which it is stands in the IP header's protocol.
fn headers(frame: &[u8], start: usize) -> u16 {
    const UDP: u8 = 17;
    let mut at = 12;
    while matches!(frame.get(at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8])) {
        at += TAG;
    }
    let protocol = match frame.get(at..at + 2) {
        Some([0x08, 0x00]) => frame.get(at + 2 + 9),
        Some([0x86, 0xdd]) => frame.get(at + 2 + 6),
        Some(_) | None => None,
    };
    let length = match protocol {
        Some(&UDP) => 8,
        Some(_) | None => frame
            .get(start + 12)
            .map_or(20, |byte| usize::from(byte >> 4) * 4),
    };
    (start + length) as u16
}

impl Source for Interfaces {
    type Meta = Offload;

    fn receive(&mut self, wait: Duration, inbox: &mut Inbox<'_, Offload>) -> Result<Received> {
        self.drain(inbox);
        if inbox.is_empty() {
            Tap::wait(&self.taps, wait)?;
            self.drain(inbox);
        }
        Ok(Received::More)
    }
}

impl Sink<Offload> for Interfaces {
    fn send(&mut self, packet: &Packet, meta: &Offload, frame: &[u8]) -> Result<Sent> {
        let Some(tap) = self.taps.get(usize::from(packet.interface)) else {
            return Ok(Sent::Lost);
        };
        match tap.send(&meta.0, frame) {
            Ok(()) => Ok(Sent::Gone),
            Err(error) if is_passing(&error) => Ok(Sent::Lost),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn frame() -> Vec<u8> {
        let mut frame = vec![0_u8; 66];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame[14] = 0x45;
        frame[23] = 6;
        frame[46] = 0x80;
        frame
    }

    #[test]
    fn an_offloaded_frame_says_how_long_its_headers_are() {
        let vnet = [1 | 2, 1, 0, 0, 0xb4, 5, 34, 0, 16, 0];
        assert_eq!(
            offload(&vnet, &frame(), false).0,
            [1, 1, 66, 0, 0xb4, 5, 34, 0, 16, 0]
        );
    }

    #[test]
    fn a_tag_that_was_put_back_moves_the_checksum() {
        let vnet = [1, 0, 0, 0, 0, 0, 34, 0, 16, 0];
        assert_eq!(
            offload(&vnet, &frame(), true).0,
            [1, 0, 0, 0, 0, 0, 38, 0, 16, 0]
        );
    }

    #[test]
    fn a_frame_without_offloads_has_an_empty_header() {
        assert_eq!(
            offload(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0], &frame(), false),
            Offload::default()
        );
    }
}
