//! Writing fields, and what becomes of checksums.

use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use proptest::prelude::*;

use crate::interp::{Event, Observer, Rewritten};
use crate::pipeline::{After, Checksum, Expr, FieldId, InterfaceField, InterfaceRef, Outcome};
use crate::sample::*;

const FIELDS: [(&str, u16); 12] = [
    ("ip4.version", 4),
    ("ip4.ihl", 4),
    ("ip4.dscp", 6),
    ("ip4.ecn", 2),
    ("ip4.length", 16),
    ("ip4.id", 16),
    ("ip4.df", 1),
    ("ip4.offset", 13),
    ("ip4.ttl", 8),
    ("ip4.protocol", 8),
    ("ip4.src", 32),
    ("ip4.dst", 32),
];

fn source(world: &mut World, frame: &[u8]) -> [u8; 6] {
    let mut frame = frame.to_vec();
    world.run(&mut frame);
    frame[6..12].try_into().unwrap()
}

fn write(name: &'static str, value: u128, width: u16, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    World::new(policy(&[Stmt::Set(name, number(value, width))])).run(&mut frame);
    frame
}

#[test]
fn a_field_is_written_and_nothing_beside_it() {
    let frame = tagged(&[[0x81, 0, 0xff, 0xff]], 0x0800, &ip4(6, &tcp(1, 2)));
    let written = write("vlan.vid", 0x123, 12, &frame);
    assert_eq!(written[14..16], [0xf1, 0x23]);
    assert_eq!(written[..14], frame[..14]);
    assert_eq!(written[16..], frame[16..]);
    let written = write("vlan.dei", 0, 1, &frame);
    assert_eq!(written[14..16], [0xef, 0xff]);
}

#[test]
fn a_rewrite_of_an_absent_header_does_nothing() {
    let frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    assert_eq!(write("udp.dst", 7, 16, &frame), frame);
    assert_eq!(write("ip6.ttl", 7, 8, &frame), frame);
}

#[test]
fn an_absent_value_is_written_as_zero() {
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    World::new(policy(&[Stmt::Set("tcp.dst", field("udp.dst"))])).run(&mut frame);
    assert_eq!(frame[36..38], [0, 0]);
}

#[test]
fn a_header_stays_where_it_was_although_a_rewrite_would_move_it() {
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    let body = [
        Stmt::Set("ip4.ihl", number(6, 4)),
        Stmt::Set("eth.type", number(0, 16)),
        Stmt::Set("tcp.src", Expr::Resize(16, Box::new(field("ip4.ihl")))),
    ];
    World::new(policy(&body)).run(&mut frame);
    assert_eq!(
        frame[34..36],
        [0, 6],
        "the place is the old one, the value the new one"
    );
}

#[test]
fn the_checksum_itself_may_be_written() {
    let frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    let written = write("ip4.checksum", 0xbeef, 16, &frame);
    assert_eq!(written[24..26], [0xbe, 0xef]);
    assert_eq!(written[26..], frame[26..]);
}

#[test]
fn an_odd_header_at_the_frames_end_is_summed_with_a_zero_behind_it() {
    let mut pipeline = policy(&[Stmt::Set("quoted_ports.src", number(0, 16))]);
    // The last byte of five is written; the checksum stands before it.
    let ports = &mut pipeline.headers[9];
    ports.after = vec![After {
        header: header("eth"),
        when: Expr::TRUE,
    }];
    ports.fields.swap(0, 1);
    ports.fields[0].offset = 32;
    ports.fields[0].width = 8;
    ports.fields[1].offset = 16;
    ports.fields[1].name = "checksum".to_owned();
    ports.fixed = 5;
    ports.checksum = Some(Checksum {
        field: FieldId(1),
        alone: false,
    });
    let mut frame = ethernet(0, &[0x12, 0x34, 0, 0, 0x56]);
    let right = sum(&frame[14..]);
    frame[16..18].copy_from_slice(&right.to_be_bytes());
    World::new(pipeline).run(&mut frame);
    assert_eq!(frame[18], 0);
    assert_eq!(sum(&frame[14..]), 0);
}

#[test]
fn who_receives_zeros_adds_up_to_the_complement_of_zero() {
    for (alone, id, is) in [
        (true, 0, 0xffff),
        (true, 0xffff, 0xffff),
        (false, 0xffff, 0),
        (true, 7, 0xfff8),
        (false, 7, 0xfff8),
    ] {
        let mut pipeline = policy(&[Stmt::Set("icmp.type", number(0, 8))]);
        pipeline.headers[usize::from(header("icmp").0)].checksum = Some(Checksum {
            field: FieldId(2),
            alone,
        });
        let [high, low] = u16::to_be_bytes(id);
        let mut message = [8, 0, 0, 0, high, low, 0, 0];
        let right = sum(&message);
        message[2..4].copy_from_slice(&right.to_be_bytes());
        let mut frame = ethernet(0x0800, &ip4(1, &message));
        World::new(pipeline).run(&mut frame);
        assert_eq!(
            (frame[34], &frame[36..38]),
            (0, &u16::to_be_bytes(is)[..]),
            "{id}"
        );
        assert_eq!(sum(&frame[34..]), 0, "{id}");
    }
}

#[test]
fn the_change_and_the_checksum_are_shown() {
    struct Seen(Vec<Rewritten>);
    impl Observer for Seen {
        fn see(&mut self, _: Place, event: Event<'_>) {
            if let Event::Rewritten(rewritten) = event {
                self.0.push(rewritten);
            }
        }
    }
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    let body = [
        Stmt::Set("ip4.ttl", number(63, 8)),
        Stmt::Set("tcp.dst", number(81, 16)),
    ];
    let mut seen = Seen(Vec::new());
    let before = u16::from_be_bytes([frame[24], frame[25]]);
    World::new(policy(&body)).observe(&mut frame, &mut seen);
    let [ttl, port] = seen.0.as_slice() else {
        panic!("{:?}", seen.0)
    };
    assert_eq!(
        (ttl.before, ttl.after, ttl.checksum),
        (64, 63, Some((before, before + 0x100)))
    );
    assert_eq!((port.before, port.after, port.checksum), (2, 81, None));
}

#[test]
fn an_unknown_interface_has_the_frames_own_destination_as_it_arrived() {
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
    let ingress = InterfaceRef::Ingress;
    let mac = Expr::Interface(ingress, InterfaceField::Mac);
    let body = [
        Stmt::Set("eth.dst", number(0x0200_0000_0077, 48)),
        Stmt::Set("eth.src", mac),
        Stmt::End(Outcome::Send(ingress)),
    ];
    let mut world = World::new(policy(&body));
    frame[5] = 0x42;
    assert_eq!(
        source(&mut world, &frame),
        [2, 0, 0, 0, 0, 1],
        "the interface's own"
    );
    world.forget_interfaces();
    assert_eq!(source(&mut world, &frame), [2, 0, 0, 0, 0, 0x42]);
    frame.truncate(5);
    assert_eq!(world.run(&mut frame), (Verdict::Send, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_right_checksum_becomes_what_is_computed_anew(
        bytes in any::<[u8; 18]>(),
        which in 0..FIELDS.len(),
        value in any::<u128>(),
    ) {
        let mut packet = ip4(6, &tcp(1, 2));
        packet[1..10].copy_from_slice(&bytes[..9]);
        packet[12..20].copy_from_slice(&bytes[9..17]);
        packet[6..8].copy_from_slice(&[0x40, 0]);
        packet[10..12].fill(0);
        let right = sum(&packet[..20]);
        packet[10..12].copy_from_slice(&right.to_be_bytes());
        let (name, width) = FIELDS[which];
        let value = value & ((1 << width) - 1);
        let mut written = write(name, value, width, &ethernet(0x0800, &packet));
        let is = u16::from_be_bytes([written[24], written[25]]);
        written[24..26].fill(0);
        prop_assert_eq!(is, sum(&written[14..34]));
    }

    #[test]
    fn a_wrong_checksum_stays_as_wrong_as_it_was(wrong in any::<u16>(), ttl in any::<u8>(), dst in any::<u32>()) {
        let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 2)));
        frame[24..26].copy_from_slice(&wrong.to_be_bytes());
        let before = sum(&frame[14..34]);
        let frame = write("ip4.ttl", u128::from(ttl), 8, &frame);
        let frame = write("ip4.dst", u128::from(dst), 32, &frame);
        let after = sum(&frame[14..34]);
        // 0 and 0xffff are both zero in one's complement.
        prop_assert_eq!(u32::from(after) % 0xffff, u32::from(before) % 0xffff);
    }
}
