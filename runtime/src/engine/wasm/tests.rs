#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::engine::{BATCH, HEADROOM, Room, SLOT};
use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Width, count, is_stamped};
use lvsc_abi::layout::ABI_VERSION;
use lvsc_abi::layout::{Element, Layout, counter, slot};
use lvsc_abi::manifest::{self, Backend, Counter, CounterKind, Flows, Interface, Pool};
use lvsc_abi::module::Map;
use lvsc_abi::place::Place;
use lvsc_abi::scheduler::Scheduler;
use lvsc_abi::verdict::Verdict;

use super::super::carry::{carry, counted, turn};
use super::*;
use crate::director::Director;
use crate::world::World;

mod hostile;

const PLACE: Place = Place {
    file: 0,
    line: 7,
    column: 3,
};

fn manifest(names: &[&str]) -> Manifest {
    let backend = |(id, name): (usize, &&str)| Backend::new(id as u16, *name, [192, 0, 2, 1]);
    let pool = Pool {
        backends: names.iter().enumerate().map(backend).collect(),
        flows: Some(Flows::new(lvsc_abi::manifest::Tracking::Every, 8, 10)),
        counters: 1,
        ..Pool::new("web", Scheduler::Wrr)
    };
    let counter = |name: &str, kind| Counter {
        name: name.to_owned(),
        kind,
    };
    let mut counters = vec![counter("all", CounterKind::Policy)];
    counters.extend(names.iter().map(|name| counter(name, CounterKind::Backend)));
    Manifest {
        version: manifest::VERSION,
        interfaces: vec![Interface::default()],
        pools: vec![pool],
        counters,
        ..Manifest::default()
    }
}

fn layout(flows: u32) -> Layout {
    let mut layout = Layout::new();
    layout.add("header", Element::Header, 1);
    layout.add("clock", Element::Clock, 1);
    layout.add("interfaces", Element::Interface, 1);
    layout.add("backends.web", Element::Backend, 4);
    layout.add("ring.web", Element::Slot, 64);
    layout.add("flows.web", Element::Flow, flows);
    layout.add("counters", Element::Counter, 4);
    layout
}

/// What a module of these tests is made of. Its program: a packet's first byte is its verdict; each packet is counted; 9
/// traps after that, 10 reads behind the memory, 11 moves the frame out of its slot.
struct Recipe {
    layout: Layout,
    manifest: Manifest,
    version: i32,
    pages: u32,
    /// More fields of the module.
    fields: &'static str,
    /// A loop over the batch that runs first.
    early: &'static str,
}

impl Recipe {
    fn new() -> Recipe {
        let layout = layout(8);
        let pages = Map::of(&layout).unwrap().pages;
        let (manifest, version) = (manifest(&["a", "b"]), ABI_VERSION.cast_signed());
        Recipe {
            layout,
            manifest,
            version,
            pages,
            fields: "",
            early: "",
        }
    }

    fn build(&self) -> Vec<u8> {
        let map = Map::of(&self.layout).unwrap();
        let counters = self.layout.named("counters").unwrap().1;
        let each = |body: &str| {
            format!(
                "(local.set $i (local.get $from))
                 (block (loop
                   (br_if 1 (i32.ge_u (local.get $i) (local.get $to)))
                   (local.set $d (i32.add (i32.const {descriptors})
                                          (i32.mul (local.get $i) (i32.const 8))))
                   (local.set $f (i32.load (local.get $d)))
                   (local.set $b (i32.load8_u (local.get $f)))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   {body}
                   (br 0)))",
                descriptors = map.descriptors.offset
            )
        };
        let early = if self.early.is_empty() {
            String::new()
        } else {
            each(self.early)
        };
        let program = each(
            "(i64.store (local.get $c) (i64.add (i64.load (local.get $c)) (i64.const 1)))
             (if (i32.eq (local.get $b) (i32.const 9)) (then unreachable))
             (if (i32.eq (local.get $b) (i32.const 10)) (then (drop (i32.load (i32.const -16)))))
             (if (i32.eq (local.get $b) (i32.const 11))
               (then (i32.store (local.get $d) (i32.const 70000))))
             (i32.store8 offset=1 (local.get $f) (i32.const 0xee))
             (i32.store8 offset=6 (local.get $d) (local.get $b))",
        );
        let text = format!(
            "(module {fields}
               (memory (export \"memory\") {pages} {pages})
               (func (export \"version\") (result i32) (i32.const {version}))
               (func (export \"batch\") (param $from i32) (param $to i32)
                 (local $i i32) (local $d i32) (local $f i32) (local $b i32) (local $c i32)
                 (local.set $c (i32.const {counter}))
                 {early} {program}))",
            fields = self.fields,
            pages = self.pages,
            version = self.version,
            counter = u64::from(map.image.offset) + counters.offset,
        );
        let contents = Contents {
            map,
            layout: self.layout.clone(),
            manifest: self.manifest.clone(),
            places: vec![(0, PLACE)],
            steering: None,
        };
        let mut module = wat::parse_str(text).unwrap();
        for (name, data) in module::write(&contents) {
            module.push(0);
            let length = 1 + name.len() + data.len();
            module.extend(
                [0, 7, 14].map(|shift| {
                    (length >> shift & 0x7f) as u8 | if shift < 14 { 0x80 } else { 0 }
                }),
            );
            module.push(name.len() as u8);
            module.extend(name.as_bytes());
            module.extend(data);
        }
        module
    }
}

fn engine() -> WasmEngine {
    WasmEngine::load(&Recipe::new().build()).unwrap()
}

/// Gives the engine frames of two bytes with these first bytes; their verdicts.
fn decide(engine: &mut WasmEngine, first: &[u8]) -> (Vec<Verdict>, Result<(), EngineError>) {
    let mut packets = Vec::new();
    for (index, byte) in first.iter().enumerate() {
        packets.push(Packet::arrived(Room::slot(index), 2, 0));
        engine.slot(index)[packets[index].range()].copy_from_slice(&[*byte, 0]);
    }
    let result = engine.process(&mut packets);
    (
        packets.iter().map(|packet| packet.verdict).collect(),
        result,
    )
}

#[test]
fn each_packet_gets_its_verdict_and_its_frame_back() {
    use Verdict::{Drop, Pass, Send};
    let mut engine = engine();
    assert!(is_stamped(engine.image()));
    let (verdicts, result) = decide(&mut engine, &[1, 0, 2, 1]);
    assert_eq!(result, Ok(()));
    assert_eq!(verdicts, [Send, Drop, Pass, Send]);
    for index in 0..4 {
        assert_eq!(
            engine.slot(index)[HEADROOM as usize + 1],
            0xee,
            "frame {index}"
        );
    }
    assert_eq!(count(engine.image(), 0).packets, 4);
    assert!(engine.inside() > Some(Duration::ZERO));
}

#[test]
fn a_fresh_image_has_empty_rings_and_takes_words() {
    let mut engine = engine();
    let at = engine
        .image()
        .layout()
        .named("ring.web")
        .unwrap()
        .1
        .at(5, 0);
    assert_eq!(engine.image().load(at, Width::B4), u64::from(slot::EMPTY));
    engine.image_mut().store(at, Width::B4, 0x1234_5678);
    assert_eq!(engine.image().load(at, Width::B2), 0x5678);
    let end = engine.image().layout().size();
    engine.image_mut().store(end, Width::B8, 7);
    assert_eq!(engine.image().load(end, Width::B8), 0, "beyond the end");
    assert_eq!(
        engine.image().load(u64::MAX, Width::B8),
        0,
        "far beyond the end"
    );
}

#[test]
fn a_trap_in_the_middle_of_a_batch_loses_one_packet_and_names_the_policys_line() {
    use Verdict::{Drop, Pass, Send};
    let mut engine = engine();
    for byte in [9, 10] {
        let (verdicts, result) = decide(&mut engine, &[1, 2, byte, 2, 1]);
        assert_eq!(verdicts, [Send, Pass, Drop, Pass, Send]);
        let Err(EngineError::Trap { packet, place, .. }) = result else {
            panic!("{result:?}");
        };
        assert_eq!((packet, place), (2, Some(PLACE)));
    }
    assert_eq!(
        decide(&mut engine, &[1]),
        (vec![Send], Ok(())),
        "the engine goes on"
    );
}

#[test]
fn a_trap_before_any_verdict_loses_one_packet_too() {
    use Verdict::{Drop, Pass, Send};
    let early = "(if (i32.eq (local.get $b) (i32.const 8)) (then unreachable))";
    let mut engine = WasmEngine::load(
        &Recipe {
            early,
            ..Recipe::new()
        }
        .build(),
    )
    .unwrap();
    let (verdicts, result) = decide(&mut engine, &[1, 2, 8, 8, 1]);
    assert_eq!(verdicts, [Send, Pass, Drop, Drop, Send]);
    assert!(
        matches!(result, Err(EngineError::Trap { packet: 2, .. })),
        "{result:?}"
    );
    assert_eq!(count(engine.image(), 0).packets, 3, "each decided once");
}

#[test]
fn a_frame_moved_out_of_its_slot_is_dropped_and_told() {
    let mut engine = engine();
    let (verdicts, result) = decide(&mut engine, &[1, 11]);
    assert_eq!(verdicts, [Verdict::Send, Verdict::Drop]);
    assert_eq!(result, Err(EngineError::Room { packet: 1 }));
}

#[test]
fn packets_outside_their_slots_are_refused() {
    let mut engine = engine();
    let mut outside = [Packet {
        start: SLOT - 1,
        ..Packet::arrived(Room::slot(0), 2, 0)
    }];
    assert_eq!(
        engine.process(&mut outside),
        Err(EngineError::Room { packet: 0 })
    );
    let mut many = [Packet::arrived(Room::slot(0), 2, 0); BATCH + 1];
    assert_eq!(
        engine.process(&mut many),
        Err(EngineError::Room { packet: BATCH })
    );
    assert!(engine.slot(BATCH).is_empty());
}

#[test]
fn a_hot_swap_keeps_counters_and_flows() {
    let mut engine = engine();
    assert_eq!(decide(&mut engine, &[1, 1, 1]).1, Ok(()));
    let at = |engine: &WasmEngine, section: &str, index, field| {
        engine
            .image()
            .layout()
            .named(section)
            .unwrap()
            .1
            .at(index, field)
    };
    let flow = at(&engine, "flows.web", 2, 0);
    let entry = Entry {
        tag: 77,
        backend: 1,
        seconds: 3,
        flags: 0,
    };
    engine.image_mut().store(flow, Width::B8, entry.to_bits());
    let counted = at(&engine, "counters", 2, counter::PACKETS);
    engine.image_mut().store(counted, Width::B8, 42);

    let next = Recipe {
        manifest: manifest(&["b", "c"]),
        ..Recipe::new()
    };
    let slots = engine.slot(0).as_ptr();
    let mut engine = over(&engine, &next).unwrap();
    assert_eq!(engine.slot(0).as_ptr(), slots, "the same memory");
    assert_eq!(engine.manifest(), &next.manifest);
    let carried = turn(
        &manifest(&["a", "b"]),
        &next.manifest,
        engine.image_mut(),
        |_| {},
    );
    assert_eq!(carried.lost, 0);
    let flow = engine
        .image()
        .load(at(&engine, "flows.web", 2, 0), Width::B8);
    assert_eq!(
        Entry::from_bits(flow),
        Some(Entry {
            backend: 0,
            ..entry
        }),
        "`b` is first now"
    );
    assert_eq!(count(engine.image(), 0).packets, 3);
    assert_eq!(count(engine.image(), 1).packets, 42);
    assert_eq!(decide(&mut engine, &[1]).0, [Verdict::Send]);
    assert_eq!(count(engine.image(), 0).packets, 4);
}

#[test]
fn a_director_exchanges_policies_over_one_memory() {
    let mut engine = engine();
    let flow = |image: &dyn Image| image.layout().named("flows.web").unwrap().1.at(2, 0);
    let entry = Entry {
        tag: 77,
        backend: 1,
        seconds: 0,
        flags: 0,
    };
    let at = flow(engine.image());
    engine.image_mut().store(at, Width::B8, entry.to_bits());
    assert_eq!(decide(&mut engine, &[1, 1, 1]).1, Ok(()));
    let old = engine.manifest().clone();
    let world = World::of(&old);
    let mut director: Director<()> = Director::new(Box::new(engine), old, world);
    let next = Recipe {
        manifest: manifest(&["b", "c"]),
        ..Recipe::new()
    };
    let world = director.world().follow(director.manifest(), &next.manifest);
    let taken = director.succeed(loaded(&next), next.manifest, world);
    assert!(taken.is_ok());
    let flows: Vec<_> = (director.summary().backends.into_iter())
        .map(|backend| (backend.name, backend.flows))
        .collect();
    let expected = [("b", Some(1)), ("c", Some(0))];
    assert_eq!(
        flows,
        expected.map(|(name, flows)| (name.to_owned(), flows))
    );
    assert_eq!(director.summary().counters[0].1.packets, 3);
}

fn loaded(recipe: &Recipe) -> Box<WasmEngine> {
    Box::new(WasmEngine::load(&recipe.build()).unwrap())
}

fn over(before: &WasmEngine, recipe: &Recipe) -> Option<Box<WasmEngine>> {
    let over: Box<dyn Any> = loaded(recipe).over(before).unwrap()?;
    Some(over.downcast().unwrap())
}

#[test]
fn a_layout_of_its_own_keeps_its_memory_and_goes_on_in_another_one() {
    let mut engine = engine();
    assert_eq!(decide(&mut engine, &[1]).1, Ok(()));
    let layout = layout(1 << 16);
    let pages = Map::of(&layout).unwrap().pages;
    let next = Recipe {
        layout,
        pages,
        ..Recipe::new()
    };
    assert!(over(&engine, &next).is_none(), "the layouts differ");
    let mut next = loaded(&next);
    let manifest = engine.manifest();
    let then = counted(engine.image());
    let carried = carry(
        (manifest, engine.image(), &then),
        (manifest, next.image_mut()),
    );
    assert_eq!(carried.fresh, [""; 0]);
    assert!(carried.kept.contains(&"flows.web".to_owned()));
    assert_eq!(count(next.image(), 0).packets, 1);
    assert_eq!(
        decide(&mut engine, &[1]).0,
        [Verdict::Send],
        "the old one goes on"
    );
}

#[test]
fn an_image_that_is_not_its_layouts_is_not_taken_over() {
    let mut engine = engine();
    let magic = engine.image().layout().named("header").unwrap().1.at(0, 0);
    engine.image_mut().store(magic, Width::B8, 0);
    assert!(over(&engine, &Recipe::new()).is_none());
    assert_eq!(decide(&mut engine, &[1]), (vec![Verdict::Send], Ok(())));
}
