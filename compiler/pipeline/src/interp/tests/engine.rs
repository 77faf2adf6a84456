//! Ways through the graph, and the interpreter as an engine.

use lvsc_abi::engine::{BATCH, Engine, EngineError, Packet, Room, SLOT};
use lvsc_abi::image::{Count, Image, Width, count, is_stamped};
use lvsc_abi::layout::counter;
use lvsc_abi::verdict::Verdict;

use crate::interp::Interpreter;
use crate::pipeline::{Expr, InterfaceId, InterfaceRef, Outcome};
use crate::sample::*;

fn by_port() -> Vec<Stmt> {
    vec![
        Stmt::Count(SEEN),
        Stmt::When(eq("tcp.dst", 80), vec![Stmt::End(Outcome::Pass)], vec![]),
        Stmt::When(
            or(eq("tcp.dst", 80), eq("tcp.dst", 22)),
            vec![Stmt::End(Outcome::Drop(CLOSED))],
            vec![Stmt::When(
                Expr::Present(header("udp")),
                vec![Stmt::End(Outcome::Send(InterfaceRef::Named(InterfaceId(
                    0,
                ))))],
                vec![Stmt::End(Outcome::Send(InterfaceRef::Ingress))],
            )],
        ),
    ]
}

fn frames() -> [(Vec<u8>, Verdict, u8); 4] {
    [
        (ethernet(0x0800, &ip4(6, &tcp(1, 80))), Verdict::Pass, 1),
        (ethernet(0x0800, &ip4(6, &tcp(1, 22))), Verdict::Drop, 1),
        (
            ethernet(0x0800, &ip4(17, &udp(1, 80, &[]))),
            Verdict::Send,
            0,
        ),
        (ethernet(0x0806, &[]), Verdict::Send, 1),
    ]
}

#[test]
fn the_first_match_that_holds_ends_the_packet() {
    let mut world = World::new(policy(&by_port()));
    for (mut frame, verdict, interface) in frames() {
        assert_eq!(world.run(&mut frame), (verdict, interface));
    }
    assert_eq!((world.counted("seen"), world.counted("closed")), (4, 1));
}

#[test]
fn a_counter_counts_packets_and_the_bytes_that_arrived_and_wraps() {
    let rewritten = Stmt::Set("ip4.ttl", number(1, 8));
    let counted = [Stmt::Count(SEEN), rewritten, Stmt::Count(SEEN)];
    let mut world = World::new(policy(&counted));
    let at = world
        .section("counters")
        .at(u64::from(SEEN.0), counter::PACKETS);
    world.image.store(at, Width::B8, u64::MAX);
    let mut frame = ethernet(0x0800, &ip4(6, &tcp(1, 80)));
    let length = frame.len() as u64;
    world.run(&mut frame);
    let (packets, bytes) = (1, 2 * length);
    assert_eq!(count(&world.image, SEEN.0.into()), Count { packets, bytes });
}

#[test]
fn a_batch_is_decided_packet_by_packet() {
    let mut engine = Interpreter::new(policy(&by_port()));
    assert_eq!(engine.name(), "interp");
    assert!(is_stamped(engine.image()));
    let mut packets = Vec::new();
    for (index, (frame, ..)) in frames().iter().enumerate() {
        let packet = Packet::arrived(Room::slot(index), frame.len() as u16, 1);
        engine.slot(index)[packet.range()].copy_from_slice(frame);
        packets.push(packet);
    }
    engine.process(&mut packets).unwrap();
    for (packet, (_, verdict, interface)) in packets.iter().zip(frames()) {
        assert_eq!((packet.verdict, packet.interface), (verdict, interface));
    }
    let bytes = frames().iter().map(|(frame, ..)| frame.len() as u64).sum();
    assert_eq!(
        count(engine.image(), u32::from(SEEN.0)),
        Count { packets: 4, bytes }
    );
}

#[test]
fn a_packet_outside_its_slot_is_dropped_and_the_others_are_decided() {
    let mut engine = Interpreter::new(policy(&[]));
    let mut packets = vec![Packet::arrived(Room::slot(0), 60, 0); 3];
    packets[1].start = SLOT - 59;
    packets[1].verdict = Verdict::Send;
    assert_eq!(
        engine.process(&mut packets),
        Err(EngineError::Room { packet: 1 })
    );
    let verdicts = packets
        .iter()
        .map(|packet| packet.verdict)
        .collect::<Vec<_>>();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Drop, Verdict::Pass]);
    let mut many = vec![Packet::arrived(Room::slot(0), 0, 0); BATCH + 1];
    assert_eq!(
        engine.process(&mut many),
        Err(EngineError::Room { packet: BATCH })
    );
}
