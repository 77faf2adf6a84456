//! Packets: of tests, changed ones, random ones that are packets nevertheless.

use lvsc_abi::notation::{Defaults, build};
use lvsc_front::policy::TestKind;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::judge::{Bench, Came};

/// The packets that a policy's tests send.
pub fn of_tests(bench: &Bench) -> Vec<Came> {
    let steps = bench.policy.tests.iter().flat_map(|test| &test.steps);
    let sent = steps.filter_map(|step| {
        let TestKind::Send { layers, interface } = &step.kind else {
            return None;
        };
        let ingress = interface.0 as u8;
        let own = bench.world.interfaces[usize::from(ingress)].mac;
        let defaults = Defaults {
            src_mac: [2, 0, 0, 0xff, 0, 1],
            dst_mac: own.expect("tests know it").0,
        };
        let frame = build(layers, &defaults).expect("a packet of a test is one");
        Some((frame, ingress))
    });
    sent.collect()
}

/// One of these packets, with a few of its bytes changed, cut or with something behind.
pub fn changed(packets: Vec<Came>) -> impl Strategy<Value = Came> {
    let change = (
        any::<Index>(),
        prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(4), Just(6)],
    );
    let changes = prop::collection::vec(change, 0..4);
    let tail = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 1..64),
    ];
    let cut = prop::option::weighted(0.3, any::<Index>());
    let case = (prop::sample::select(packets), changes, tail, cut);
    case.prop_map(|((mut frame, ingress), changes, tail, cut)| {
        for (place, byte) in changes {
            if !frame.is_empty() {
                let at = place.index(frame.len());
                frame[at] = byte;
            }
        }
        frame.extend(tail);
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len() + 1));
        }
        (frame, ingress)
    })
}

/// A packet whose headers follow each other as they do in the world, with values that policies ask for.
pub fn random() -> impl Strategy<Value = Came> {
    let whole = (ethernet(), prop::collection::vec(tag(), 0..3), network()).prop_map(
        |(mut frame, tags, (kind, network))| {
            for tag in tags {
                frame.extend([0x81, 0x00]);
                frame.extend(tag);
            }
            frame.extend(kind.to_be_bytes());
            frame.extend(network);
            frame
        },
    );
    let whole = (whole, 0_u8..2).prop_map(|(frame, ingress)| vec![(frame, ingress)]);
    whole.prop_flat_map(changed)
}

fn ethernet() -> impl Strategy<Value = Vec<u8>> {
    let dst = prop_oneof![
        8 => Just([2, 0, 0, 0, 0, 1]),
        1 => Just([0xff; 6]),
        1 => Just([2, 0, 0, 0, 0, 0x77]),
        1 => Just([0; 6]),
    ];
    let src = prop_oneof![
        4 => Just([2, 0, 0, 0xff, 0, 1]),
        1 => Just([2, 0, 0, 0, 0, 2]),
        1 => Just([2, 0, 0, 0, 0, 3]),
        1 => Just([0; 6]),
    ];
    (dst, src).prop_map(|(dst, src)| [dst, src].concat())
}

fn tag() -> impl Strategy<Value = [u8; 2]> {
    prop::sample::select(vec![[0x00, 0x0a], [0x00, 0x14], [0xe0, 0x0a], [0x0f, 0xff]])
}

fn network() -> impl Strategy<Value = (u16, Vec<u8>)> {
    prop_oneof![
        6 => (ip4(), transport(4)).prop_map(|(header, (protocol, body))| {
            (0x0800, four(header, protocol, &body))
        }),
        3 => (ip6(), transport(6)).prop_map(|(header, (protocol, body))| {
            (0x86dd, six(header, protocol, &body))
        }),
        1 => (any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)),
    ]
}

/// Last byte of source and destination, time to live, fragment word, words of options.
type Ip4 = (u8, u8, u8, u16, usize);

fn ip4() -> impl Strategy<Value = Ip4> {
    let fragment = prop::sample::select(vec![0, 0, 0, 0, 0x4000, 0x2000, 0x0003, 0x2003]);
    let ttl = prop::sample::select(vec![0, 1, 64]);
    (
        last(),
        last(),
        ttl,
        fragment,
        prop_oneof![9 => Just(0), 1 => 1_usize..4],
    )
}

fn last() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![1, 2, 7, 9, 200, 201])
}

fn four((src, dst, ttl, fragment, options): Ip4, protocol: u8, body: &[u8]) -> Vec<u8> {
    let words = 5 + options;
    let mut header = vec![0x40 | words as u8, 0];
    header.extend(((words * 4 + body.len()) as u16).to_be_bytes());
    header.extend([0, 9]);
    header.extend(fragment.to_be_bytes());
    header.extend([ttl, protocol, 0, 0, 192, 0, 2, src, 192, 0, 2, dst]);
    header.extend(vec![1; options * 4]);
    let sum = lvsc_abi::notation::checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(body);
    header
}

/// Last byte of source and destination, hop limit, extension headers.
type Ip6 = (u8, u8, u8, Vec<Extension>);

/// The next header that announces it, and either units of eight bytes behind the first or a fragment's word.
type Extension = (u8, u16);

fn ip6() -> impl Strategy<Value = Ip6> {
    let options = (prop::sample::select(vec![0, 43, 60]), 0_u16..3);
    let fragment = prop::sample::select(vec![0, 1, 9, 0x0b50]).prop_map(|word| (44, word));
    let one = prop_oneof![3 => options, 2 => fragment];
    let hops = prop::sample::select(vec![0, 1, 64]);
    let some = prop::collection::vec(one, 1..6);
    let extensions = prop_oneof![3 => Just(Vec::new()), 2 => some];
    (last(), last(), hops, extensions)
}

fn six((src, dst, ttl, extensions): Ip6, protocol: u8, body: &[u8]) -> Vec<u8> {
    let (mut next, mut body) = (protocol, body.to_vec());
    for (kind, word) in extensions.into_iter().rev() {
        let mut extension = vec![next, 0, 0, 0, 0, 0, 0, 9];
        if kind == 44 {
            extension[2..4].copy_from_slice(&word.to_be_bytes());
        } else {
            extension[1] = word as u8;
            extension.extend(vec![0; usize::from(word) * 8]);
        }
        body = [extension, body].concat();
        next = kind;
    }
    let mut header = vec![0x60, 0, 0, 0];
    header.extend((body.len() as u16).to_be_bytes());
    header.extend([next, ttl]);
    for address in [src, dst] {
        header.extend([
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address,
        ]);
    }
    header.extend(body);
    header
}

fn ports() -> impl Strategy<Value = Vec<u8>> {
    let port = || prop::sample::select(vec![1_u16, 22, 53, 80, 443, 8080, 40000]);
    (port(), port()).prop_map(|(src, dst)| [src.to_be_bytes(), dst.to_be_bytes()].concat())
}

fn segment() -> impl Strategy<Value = Vec<u8>> {
    let offset = prop_oneof![8 => Just(0x50), 1 => Just(0x40), 1 => Just(0x60), 1 => Just(0xf0)];
    let flags = prop::sample::select(vec![0x02, 0x10, 0x11, 0x04, 0x12, 0]);
    (ports(), any::<[u8; 8]>(), offset, flags, 0_usize..24).prop_map(
        |(mut bytes, numbers, offset, flags, data)| {
            bytes.extend(numbers);
            bytes.extend([offset, flags, 0xff, 0xff, 0, 0, 0, 0]);
            bytes.extend(vec![7; data]);
            bytes
        },
    )
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..24);
    // Initials of QUIC, of two versions.
    let begin = prop::sample::select(vec![
        vec![0xc0, 0, 0, 0, 1],
        vec![0xd3, 0x6b, 0x33, 0x43, 0xcf],
        vec![0xd0, 0, 0, 0, 1],
    ]);
    let initial = (begin, noise.clone()).prop_map(|(begin, rest)| [begin, rest].concat());
    let data = prop_oneof![3 => noise, 2 => initial];
    (ports(), data).prop_map(|(mut bytes, data)| {
        bytes.extend(((8 + data.len()) as u16).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(data);
        bytes
    })
}

/// Protocol and bytes of what an IP packet of this version carries.
fn transport(version: u8) -> impl Strategy<Value = (u8, Vec<u8>)> {
    let inner = prop_oneof![
        segment().prop_map(|bytes| (6, bytes)),
        datagram().prop_map(|bytes| (17, bytes)),
    ];
    let quoted = match version {
        4 => (ip4(), inner)
            .prop_map(|(header, (protocol, body))| four(header, protocol, &body))
            .boxed(),
        _ => (ip6(), inner)
            .prop_map(|(header, (protocol, body))| six(header, protocol, &body))
            .boxed(),
    };
    let (icmp, errors) = match version {
        4 => (1, vec![3, 11, 12, 5, 8, 0]),
        _ => (58, vec![1, 2, 3, 4, 128, 135]),
    };
    let message = (prop::sample::select(errors), any::<u8>(), quoted).prop_map(
        move |(kind, code, quoted): (u8, u8, Vec<u8>)| {
            let mut bytes = vec![kind, code % 6, 0, 0, 0, 0, 0, 0];
            bytes.extend(quoted);
            (icmp, bytes)
        },
    );
    prop_oneof![
        4 => segment().prop_map(|bytes| (6, bytes)),
        3 => datagram().prop_map(|bytes| (17, bytes)),
        3 => message,
        1 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..30)),
    ]
}
