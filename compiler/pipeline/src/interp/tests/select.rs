//! Choosing a backend: every step of the crate's documentation.

use lvsc_abi::flows::{CLOSING, Entry, IDLE_MAX, NEW, tag};
use lvsc_abi::hash;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{clock, slot};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use crate::interp::{Event, Observer, Selected, Table};
use crate::pipeline::{BackendField, Compare, Expr, InterfaceRef, Outcome, PoolId};
use crate::sample::*;

fn world(pool: PoolId) -> World {
    let variable = RS[usize::from(pool.0)];
    World::new(policy(&[
        Stmt::Select(pool, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]),
        Stmt::End(Outcome::Send(InterfaceRef::OfBackend(variable))),
    ]))
}

#[derive(Default)]
struct Seen(Option<Selected>);

impl Observer for Seen {
    fn see(&mut self, _: Place, event: Event<'_>) {
        if let Event::Selected(selected) = event {
            self.0 = Some(selected);
        }
    }
}

fn ask(world: &mut World, frame: &[u8]) -> Selected {
    let mut seen = Seen::default();
    let (verdict, _) = world.observe(&mut frame.to_vec(), &mut seen);
    let selected = seen.0.unwrap();
    assert_eq!(verdict == Verdict::Send, selected.backend.is_some());
    selected
}

fn flow(port: u16) -> Vec<u8> {
    ethernet(0x0800, &ip4(6, &tcp(port, 80)))
}

/// An ICMP error about what the VIP sent to the client of `flow(port)`.
fn error(port: u16) -> Vec<u8> {
    let mut quoted = ip4(6, &tcp(80, port)[..8]);
    quoted[12..20].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 7]);
    ethernet(0x0800, &ip4(1, &icmp_error(&quoted)))
}

fn key(port: u16) -> Vec<u8> {
    let mut key = vec![198, 51, 100, 7, 192, 0, 2, 1, 6];
    key.extend([port.to_be_bytes(), 80_u16.to_be_bytes()].concat());
    key
}

fn table(world: &World, name: &str) -> Vec<Option<Entry>> {
    let section = world.section(name);
    let words = (0..8).map(|index| world.image.load(section.at(index, 0), Width::B8));
    words.map(Entry::from_bits).collect()
}

fn expected_tag(port: u16) -> u32 {
    tag(hash::table(hash::state(&key(port)), 7)) as u32
}

#[test]
fn a_stateless_pool_gives_what_the_ring_says() {
    let mut world = world(PLAIN);
    for port in 1..50 {
        let selected = ask(&mut world, &flow(port));
        let ring_hash = hash::ring(hash::state(&key(port)));
        assert_eq!(selected.hash, ring_hash);
        let index = hash::slot(ring_hash, world.section("ring.plain").length);
        assert_eq!(selected.slot, Some(index as u32));
        assert_eq!(selected.backend, Some((index % u64::from(BACKENDS)) as u16));
        assert_eq!(selected.table, Table::None);
    }
    let given: u64 = (0..BACKENDS)
        .map(|id| world.counted(&format!("plain.rs{id}")))
        .sum();
    assert_eq!(given, 49);
    assert!((0..BACKENDS).all(|id| world.counted(&format!("plain.rs{id}")) > 5));
}

#[test]
fn the_packet_leaves_by_the_backends_interface() {
    let mut world = world(PLAIN);
    for port in 1..20 {
        let id = ask(&mut world, &flow(port)).backend.unwrap();
        assert_eq!(world.run(&mut flow(port)), (Verdict::Send, (id % 2) as u8));
    }
}

#[test]
fn a_backend_that_is_not_usable_is_none_and_not_counted() {
    for pool in [PLAIN, KEPT, TURNS] {
        let mut world = world(pool);
        (0..BACKENDS).for_each(|id| world.set_usable(pool, id, false));
        let before = world.image.clone();
        let selected = ask(&mut world, &flow(1));
        assert_eq!(selected.backend, None);
        assert_eq!(world.counted("no_backend"), 1);
        let name = &world.pipeline.pool(pool).name.clone();
        for id in 0..BACKENDS {
            assert_eq!(world.counted(&format!("{name}.rs{id}")), 0);
        }
        if pool == KEPT {
            assert_eq!(table(&world, "flows.kept"), [None; 8]);
            assert_eq!(selected.entry, None);
        }
        if pool == PLAIN {
            let counters = world.section("counters").offset as usize;
            assert_eq!(
                world.image.as_bytes()[..counters],
                before.as_bytes()[..counters]
            );
        }
    }
}

#[test]
fn an_empty_ring_gives_none() {
    let mut world = world(PLAIN);
    let ring = world.section("ring.plain");
    for index in 0..u64::from(ring.length) {
        world
            .image
            .store(ring.at(index, 0), Width::B4, u64::from(slot::EMPTY));
    }
    let selected = ask(&mut world, &flow(1));
    assert_eq!((selected.picked, selected.backend), (slot::NONE, None));
}

/// The seconds of an entry that was seen at `now` and lives `IDLE`.
fn seconds(now: u16) -> u16 {
    now.wrapping_sub((IDLE_MAX - IDLE) as u16)
}

#[test]
fn a_new_flow_gets_an_entry_and_keeps_its_backend_when_the_ring_changes() {
    let mut world = world(KEPT);
    let first = ask(&mut world, &flow(1));
    assert_eq!(first.table, Table::New);
    let id = first.backend.unwrap();
    let entry = Entry {
        tag: expected_tag(1),
        backend: id,
        seconds: seconds(1000),
        flags: 0,
    };
    assert_eq!(table(&world, "flows.kept")[0], Some(entry));
    assert_eq!(first.entry, Some(0));
    let ring = world.section("ring.kept");
    for index in 0..u64::from(ring.length) {
        world
            .image
            .store(ring.at(index, 0), Width::B4, u64::from((id + 1) % BACKENDS));
    }
    world.set_seconds(1001);
    let again = ask(&mut world, &flow(1));
    assert_eq!(
        (again.table, again.backend, again.slot),
        (Table::Hit, Some(id), None)
    );
    assert_eq!(
        table(&world, "flows.kept")[0],
        Some(Entry {
            seconds: seconds(1001),
            ..entry
        })
    );
    assert_eq!(ask(&mut world, &flow(2)).backend, Some((id + 1) % BACKENDS));
    assert_eq!(world.counted(&format!("kept.rs{id}")), 2);
}

#[test]
fn an_entry_older_than_idle_is_as_good_as_none() {
    let mut world = world(TURNS);
    ask(&mut world, &flow(1));
    let first = ask(&mut world, &flow(2));
    world.set_seconds(1000 + u64::from(IDLE));
    let told = ask(&mut world, &error(2));
    assert_eq!((told.table, told.backend), (Table::Hit, first.backend));
    world.set_seconds(1000 + u64::from(IDLE) + 1);
    assert_eq!(ask(&mut world, &error(2)).table, Table::Passive);
    let again = ask(&mut world, &flow(2));
    assert_eq!((again.table, again.entry), (Table::New, Some(1)));
    assert_eq!((first.backend, again.backend), (Some(1), Some(2)));
}

#[test]
fn a_full_bucket_refuses_until_an_entry_is_older_than_idle() {
    let mut world = world(KEPT);
    for port in 1..=8 {
        assert_eq!(ask(&mut world, &flow(port)).table, Table::New);
    }
    let full = table(&world, "flows.kept");
    let refused = ask(&mut world, &flow(9));
    assert_eq!((refused.table, refused.entry), (Table::Full, None));
    assert_eq!(
        refused.backend,
        Some((u64::from(refused.slot.unwrap()) % 3) as u16)
    );
    assert_eq!(world.counted("kept"), 1);
    assert_eq!(table(&world, "flows.kept"), full);

    world.set_seconds(1000 + u64::from(IDLE));
    assert_eq!(
        ask(&mut world, &flow(9)).table,
        Table::Full,
        "exactly idle is not older"
    );
    ask(&mut world, &flow(1));
    world.set_seconds(1000 + u64::from(IDLE) + 1);
    let taken = ask(&mut world, &flow(9));
    assert_eq!(
        (taken.table, taken.entry),
        (Table::New, Some(1)),
        "the first place is fresh again"
    );
    assert_eq!(table(&world, "flows.kept")[1].unwrap().tag, expected_tag(9));
    assert_eq!(world.counted("kept"), 2);
}

#[test]
fn a_flow_whose_backend_is_gone_gets_another_in_its_own_place() {
    for (pool, name) in [(KEPT, "flows.kept"), (TURNS, "flows.turns")] {
        let mut world = world(pool);
        ask(&mut world, &flow(1));
        let id = ask(&mut world, &flow(2)).backend.unwrap();
        world.set_usable(pool, id, false);
        if pool == KEPT {
            let selected = ask(&mut world, &flow(2));
            assert_eq!((selected.table, selected.backend), (Table::Moved, None));
            assert_eq!(
                table(&world, name)[1].unwrap().backend,
                id,
                "the entry waits for the backend"
            );
            let ring = world.section("ring.kept");
            for index in 0..u64::from(ring.length) {
                world
                    .image
                    .store(ring.at(index, 0), Width::B4, u64::from((id + 1) % BACKENDS));
            }
        }
        world.set_seconds(1005);
        let selected = ask(&mut world, &flow(2));
        assert_eq!((selected.table, selected.entry), (Table::Moved, Some(1)));
        let moved = table(&world, name)[1].unwrap();
        assert_eq!(Some(moved.backend), selected.backend);
        assert_ne!(moved.backend, id);
        assert_eq!(moved.seconds, seconds(1005));
        assert_eq!(table(&world, name)[2], None);
    }
}

#[test]
fn round_robin_gives_new_flows_in_turn_and_known_ones_what_they_have() {
    let mut world = world(TURNS);
    let given: Vec<_> = (1..=5)
        .map(|port| ask(&mut world, &flow(port)).backend.unwrap())
        .collect();
    assert_eq!(given, [0, 1, 2, 0, 1]);
    assert_eq!(ask(&mut world, &flow(3)).backend, Some(2));
    assert_eq!(ask(&mut world, &flow(6)).backend, Some(2));
    let cursor = world.section("cursor.turns");
    assert_eq!(world.image.load(cursor.at(0, 0), Width::B8), 6);
}

#[test]
fn a_full_table_of_a_counting_scheduler_falls_back_to_the_hash() {
    let mut world = world(TURNS);
    for port in 1..=8 {
        ask(&mut world, &flow(port));
    }
    let refused = ask(&mut world, &flow(9));
    assert_eq!(refused.table, Table::Full);
    let index = hash::slot(
        hash::ring(hash::state(&key(9))),
        world.section("ring.turns").length,
    );
    assert_eq!(refused.slot, Some(index as u32));
    let cursor = world.section("cursor.turns");
    assert_eq!(
        world.image.load(cursor.at(0, 0), Width::B8),
        8,
        "it had no turn"
    );
}

#[test]
fn a_passive_packet_finds_its_flow_and_writes_nothing() {
    let mut world = world(TURNS);
    let unknown = ask(&mut world, &error(1));
    assert_eq!(unknown.table, Table::Passive);
    assert_eq!(
        unknown.hash,
        hash::ring(hash::state(&key(1))),
        "the quoted packet's flow, reversed"
    );
    assert_eq!(table(&world, "flows.turns"), [None; 8]);
    let id = ask(&mut world, &flow(1)).backend;
    let before = table(&world, "flows.turns");
    world.set_seconds(1010);
    let known = ask(&mut world, &error(1));
    assert_eq!((known.table, known.backend), (Table::Hit, id));
    assert_eq!(
        table(&world, "flows.turns"),
        before,
        "the entry is as old as it was"
    );
    world.set_usable(TURNS, id.unwrap(), false);
    let gone = ask(&mut world, &error(1));
    assert_eq!((gone.table, gone.entry), (Table::Passive, None));
    assert_eq!(table(&world, "flows.turns"), before);
}

#[test]
fn the_seed_moves_buckets_and_not_slots() {
    let (mut one, mut other) = (world(KEPT), world(KEPT));
    let seed = other.section("clock").at(0, clock::SEED);
    other.image.store(seed, Width::B8, 8);
    let (a, b) = (ask(&mut one, &flow(1)), ask(&mut other, &flow(1)));
    assert_eq!((a.slot, a.backend), (b.slot, b.backend));
    assert_ne!(table(&one, "flows.kept")[0], table(&other, "flows.kept")[0]);
}

#[test]
fn a_packet_confirms_a_flow_and_does_not_open_again_one_that_is_being_closed() {
    let mut world = world(KEPT);
    ask(&mut world, &flow(1));
    let at = world.section("flows.kept").at(0, 0);
    let word = world.image.load(at, Width::B8);
    for (before, after) in [(NEW, 0), (CLOSING, CLOSING)] {
        world.image.store(at, Width::B8, word | before);
        world.set_seconds(1001);
        ask(&mut world, &flow(1));
        assert_eq!(world.image.load(at, Width::B8), (word + 0x10) | after);
    }
}

#[test]
fn a_packet_without_a_flow_has_the_empty_key() {
    let mut world = world(KEPT);
    let selected = ask(&mut world, &ethernet(0x0806, &[0; 28]));
    assert_eq!(
        (selected.alternative, selected.hash),
        (None, hash::ring(hash::state(&[])))
    );
    assert_eq!(selected.table, Table::New);
}

#[test]
fn a_value_of_a_key_takes_whole_bytes() {
    let mut world = world(PLAIN);
    let key = vec![field("ip4.ihl"), number(0x123, 9), field("ip4.ttl")];
    world.pipeline.choices[usize::from(FLOW.0)].alternatives[1].key = key;
    let selected = ask(&mut world, &flow(1));
    assert_eq!(selected.hash, hash::ring(hash::state(&[5, 0x01, 0x23, 64])));
}

#[test]
fn what_is_selected_can_be_asked_for() {
    let is_first = compare(Compare::Eq, Expr::Variable(RS[2]), number(0, 16));
    let id = Expr::Backend(RS[2], BackendField::Id);
    let mut world = World::new(policy(&[
        Stmt::Select(TURNS, vec![]),
        Stmt::When(is_first, vec![Stmt::Set("tcp.src", id.clone())], vec![]),
        Stmt::Set("eth.dst", Expr::Backend(RS[2], BackendField::Mac)),
        Stmt::Bind(PORT, id),
        Stmt::Set("tcp.dst", Expr::Variable(PORT)),
    ]));
    for turn in 0..3_u16 {
        let mut frame = flow(700 + turn);
        world.run(&mut frame);
        assert_eq!(frame[..6], mac(TURNS, turn).0);
        assert_eq!(frame[36..38], turn.to_be_bytes());
        let expected = if turn == 0 { 0 } else { 700 + turn };
        assert_eq!(frame[34..36], expected.to_be_bytes());
    }
}
