//! What a trace says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::Trace;
use crate::pipeline::{BackendField, Expr, InterfaceField, InterfaceRef, Outcome};
use crate::sample::*;

fn lines(world: &mut World, frame: &[u8]) -> Vec<String> {
    let pipeline = world.pipeline.clone();
    let mut trace = Trace::new(&pipeline);
    world.observe(&mut frame.to_vec(), &mut trace);
    trace.lines()
}

fn direct_routing() -> World {
    let lan = InterfaceRef::OfBackend(RS[1]);
    let vip = Expr::Chosen(IP, vec![eq("ip4.dst", 0xc000_0201), Expr::FALSE]);
    World::new(policy(&[
        Stmt::When(
            and(vip, eq("tcp.dst", 80)),
            vec![
                Stmt::Count(SEEN),
                Stmt::Select(KEPT, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]),
                Stmt::Set("ip4.ttl", number(63, 8)),
                Stmt::Set("eth.src", Expr::Interface(lan, InterfaceField::Mac)),
                Stmt::Set("eth.dst", Expr::Backend(RS[1], BackendField::Mac)),
                Stmt::End(Outcome::Send(lan)),
            ],
            vec![],
        ),
        Stmt::Bind(PORT, field("tcp.dst")),
    ]))
}

#[test]
fn a_trace_tells_the_way_of_a_packet() {
    let mut world = direct_routing();
    let frame = ethernet(0x0800, &ip4(6, &tcp(40000, 80)));
    let expected = [
        "            header   eth at byte 0",
        "            header   ip4 at byte 14",
        "            header   tcp at byte 34",
        "test.lvs:1  match    yes: ip4.dst is 192.0.2.1, tcp.dst is 80",
        "test.lvs:3  count    seen",
        "test.lvs:4  select   rs1 (192.0.2.11) from kept: a new flow, slot 10315 of ring.kept, \
         entry 0 of flows.kept; key ip4 tcp, hash 0xa12fa86d25102d7b",
        "test.lvs:5  rewrite  ip4.ttl: 64 -> 63, ip4.checksum: 0x3c60 -> 0x3d60",
        "test.lvs:6  rewrite  eth.src: 02:00:00:00:00:99 -> 02:00:00:00:00:01",
        "test.lvs:7  rewrite  eth.dst: 02:00:00:00:00:01 -> 02:00:00:01:01:01",
        "test.lvs:8  verdict  send by wan",
    ];
    assert_eq!(lines(&mut world, &frame), expected);
}

#[test]
fn a_condition_that_does_not_hold_names_the_part_that_decided() {
    let mut world = direct_routing();
    let decided = |world: &mut World, frame: &[u8]| {
        let lines = lines(world, frame);
        let found = lines.iter().find_map(|line| line.split_once("match    "));
        found.unwrap().1.to_owned()
    };
    let udp = ethernet(0x0800, &ip4(17, &udp(1, 80, &[])));
    assert_eq!(decided(&mut world, &udp), "no: tcp is absent");
    let other = ethernet(0x0800, &ip4(6, &tcp(1, 22)));
    assert_eq!(decided(&mut world, &other), "no: tcp.dst is 22");
    assert_eq!(
        decided(&mut world, &ethernet(0x0806, &[])),
        "no: ip is absent"
    );
    let end = lines(&mut world, &other);
    let expected = [
        "test.lvs:2  let      port is 22",
        "            verdict  pass: to the kernel",
    ];
    assert_eq!(end[end.len() - 2..], expected);
}

#[test]
fn a_select_says_which_backend_a_packet_names() {
    let mut world = World::new(policy(&[Stmt::Named(PLAIN, field("udp.dst"), vec![])]));
    let said = |world: &mut World, frame: &[u8]| {
        let lines = lines(world, frame);
        let found = lines.iter().find_map(|line| line.split_once("select   "));
        found.unwrap().1.to_owned()
    };
    let to = |id| ethernet(0x0800, &ip4(17, &udp(7, id, &[])));
    assert_eq!(
        said(&mut world, &to(2)),
        "rs2 (192.0.2.12) from plain: the packet names backend 2"
    );
    assert_eq!(
        said(&mut world, &to(443)),
        "the packet names backend 443, which plain does not have"
    );
    let other = ethernet(0x0800, &ip4(6, &tcp(40000, 80)));
    assert_eq!(
        said(&mut world, &other),
        "the packet names no backend of plain"
    );
    world.set_usable(PLAIN, 2, false);
    assert_eq!(
        said(&mut world, &to(2)),
        "the packet names backend 2 of plain, rs2 (192.0.2.12), which is not usable"
    );
}

#[test]
fn a_select_says_why_it_has_this_backend_or_none() {
    let mut world = direct_routing();
    let frame = ethernet(0x0800, &ip4(6, &tcp(40000, 80)));
    let said = |world: &mut World| {
        let lines = lines(world, &frame);
        let found = lines.iter().find_map(|line| line.split_once("select   "));
        found.unwrap().1.split(';').next().unwrap().to_owned()
    };
    said(&mut world);
    assert_eq!(
        said(&mut world),
        "rs1 (192.0.2.11) from kept: a known flow, entry 0 of flows.kept"
    );
    world.set_usable(KEPT, 1, false);
    assert_eq!(
        said(&mut world),
        "no backend from kept: a known flow whose backend is not usable any more, \
         slot 10315 of ring.kept, which names rs1 (192.0.2.11), and that is not usable"
    );
}
