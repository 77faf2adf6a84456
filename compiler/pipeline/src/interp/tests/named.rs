//! The backend that a packet names.

use lvsc_abi::image::{Image, Width};
use lvsc_abi::verdict::Verdict;

use crate::pipeline::{BackendField, Binary, Expr, InterfaceRef, Outcome, PoolId};
use crate::sample::*;

/// A pool that is asked for the backend whose id this is; the answer is the egress's MAC.
fn world(pool: PoolId, id: Expr) -> World {
    let variable = RS[usize::from(pool.0)];
    World::new(policy(&[
        Stmt::Named(pool, id, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]),
        Stmt::Set("eth.dst", Expr::Backend(variable, BackendField::Mac)),
        Stmt::End(Outcome::Send(InterfaceRef::OfBackend(variable))),
    ]))
}

fn frame(destination: u16) -> Vec<u8> {
    ethernet(0x0800, &ip4(17, &udp(7, destination, &[])))
}

/// The backend that the frame was given.
fn given(world: &mut World, frame: &[u8]) -> u8 {
    let mut frame = frame.to_vec();
    assert_eq!(world.run(&mut frame).0, Verdict::Send);
    frame[5]
}

fn is_empty(world: &World, table: &str) -> bool {
    let section = world.section(table);
    (0..8).all(|index| world.image.load(section.at(index, 0), Width::B8) == 0)
}

#[test]
fn what_a_packet_names_is_not_noted() {
    for (pool, name) in [(PLAIN, "plain"), (KEPT, "kept"), (TURNS, "turns")] {
        let mut world = world(pool, field("udp.dst"));
        for id in 0..BACKENDS {
            assert_eq!(u16::from(given(&mut world, &frame(id))), id);
            assert_eq!(world.counted(&format!("{name}.rs{id}")), 1);
        }
        if pool != PLAIN {
            assert!(is_empty(&world, &format!("flows.{name}")));
        }
        if pool == TURNS {
            let cursor = world.section("cursor.turns").at(0, 0);
            assert_eq!(world.image.load(cursor, Width::B8), 0);
        }
    }
}

#[test]
fn what_names_none_is_chosen_as_ever() {
    // Larger ids are not taken modulo the section's length, and none of their bits is lost.
    for id in [u64::from(BACKENDS), 4, 5, 0x1_0001, 1 << 63 | 1] {
        let id = Expr::Binary(
            Binary::Or,
            Box::new(number(id.into(), 64)),
            Box::new(Expr::Resize(64, Box::new(field("ip4.df")))),
        );
        let mut world = world(TURNS, id);
        let turns: Vec<u8> = (1..4).map(|port| given(&mut world, &flow(port))).collect();
        assert_eq!(turns, [0, 1, 2]);
        assert!(!is_empty(&world, "flows.turns"));
    }
}

#[test]
fn a_value_that_is_absent_names_none() {
    let mut world = world(TURNS, field("udp.dst"));
    assert_eq!(given(&mut world, &frame(2)), 2);
    assert_eq!(given(&mut world, &flow(1)), 0);
    assert_eq!(given(&mut world, &flow(2)), 1);
}

#[test]
fn a_backend_that_is_not_usable_is_not_named() {
    let mut world = world(TURNS, field("udp.dst"));
    world.set_usable(TURNS, 2, false);
    assert_eq!(given(&mut world, &frame(2)), 0);
    assert_eq!(world.counted("turns.rs2"), 0);
    // It is noted now, and comes back to the one that it names.
    assert_eq!(given(&mut world, &frame(2)), 0);
    world.set_usable(TURNS, 2, true);
    assert_eq!(given(&mut world, &frame(2)), 2);
    for id in 0..BACKENDS {
        world.set_usable(TURNS, id, false);
    }
    assert_eq!(world.run(&mut frame(2)).0, Verdict::Drop);
    assert_eq!(world.counted("no_backend"), 1);
}

fn flow(port: u16) -> Vec<u8> {
    ethernet(0x0800, &ip4(6, &tcp(port, 80)))
}
