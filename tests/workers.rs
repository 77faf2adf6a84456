//! Several engines over one image, as threads have them: they decide as one does, their counters add up, and what they note
//! at the same time is there once.

#![cfg(any(
    all(feature = "wasm", unix),
    all(feature = "native", target_os = "linux")
))]
#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/engines.rs"]
mod engines;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/failure.rs"]
mod failure;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/remedy.rs"]
mod remedy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use engines::Kind;
use lvsc_abi::engine::{BATCH, Packet, Room};
use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Image, Width, count};
use lvsc_abi::layout::Element;
use lvsc_abi::loads::{self, Load};
use lvsc_abi::manifest::{CounterKind, Manifest};
use lvsc_abi::publish::publish_cursors;
use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::director::AnyEngine;
use lvsc_runtime::publish::publish;
use lvsc_runtime::sweep::Sweeper;
use lvsc_runtime::world::World;

/// Length of a frame (bytes).
const LENGTH: u16 = 60;
type Frame = [u8; LENGTH as usize];

fn policy(scheduler: &str) -> Pipeline {
    policy_with(scheduler, "")
}

fn policy_with(scheduler: &str, line: &str) -> Pipeline {
    let text = format!(
        "counter seen\ncounter clients by ip.src capacity 1K\n\
         pool web {{ scheduler {scheduler}\n backend rs1 192.0.2.130\n backend rs2 192.0.2.134\n flows 64K idle 15m\n{line} }}\n\
         match ip.dst == 192.0.2.200 {{ count seen\n count clients\n select rs from web\n dr(rs) }}\n"
    );
    let compiled = lvsc_front::compile("web.lvs", &text);
    compiled.pipeline.expect("it is right")
}

/// The first packet of a flow, whose client is one of a hundred.
fn frame(flow: u32) -> Frame {
    from(flow % 100, (10_000 + flow / 100) as u16)
}

/// A packet of a client, by this port.
fn from(client: u32, port: u16) -> Frame {
    let mut frame = [0; LENGTH as usize];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0xff, 0, 1, 8, 0]);
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
    let [.., high, low] = client.to_be_bytes();
    frame[26..34].copy_from_slice(&[198, 51, 100 + high, low, 192, 0, 2, 200]);
    frame[34..36].copy_from_slice(&port.to_be_bytes());
    frame[36..40].copy_from_slice(&[0, 53, 0, 26]);
    frame
}

/// Engines that decide handed packets and run in several threads.
fn kinds() -> impl Iterator<Item = &'static Kind> {
    let handed = |kind: &&Kind| kind.takes == engines::Takes::Handed;
    engines::ENGINES.iter().skip(1).filter(handed)
}

fn engine(kind: &Kind, pipeline: &Pipeline) -> AnyEngine {
    let made = kind.make(pipeline);
    let mut engine = made.unwrap_or_else(|failure| panic!("{failure}"));
    let world = World::for_tests(&pipeline.manifest);
    publish(&pipeline.manifest, &world, engine.image_mut());
    engine
}

/// Engines over one image, the first one's.
fn workers(kind: &Kind, pipeline: &Pipeline, number: usize) -> Vec<AnyEngine> {
    let mut first = engine(kind, pipeline);
    let others = (1..number).map(|_| first.another());
    let others: Result<Vec<AnyEngine>, _> = others.collect();
    let others = others.unwrap_or_else(|error| panic!("{error}"));
    publish_cursors(number as u32, first.image_mut());
    std::iter::once(first).chain(others).collect()
}

/// What becomes of these flows' packets: the frames that are sent.
fn decide(engine: &mut AnyEngine, flows: &[u32]) -> Vec<Vec<u8>> {
    let frames: Vec<Frame> = flows.iter().map(|flow| frame(*flow)).collect();
    sent(engine, &frames)
}

/// The same of these frames.
fn sent(engine: &mut AnyEngine, frames: &[Frame]) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for frames in frames.chunks(BATCH) {
        let mut packets = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let packet = Packet::arrived(Room::slot(index), LENGTH, 0);
            engine.slot(index)[packet.range()].copy_from_slice(frame);
            packets.push(packet);
        }
        let decided = engine.process(&mut packets);
        decided.unwrap_or_else(|error| panic!("{error}"));
        for packet in packets {
            assert_eq!(packet.verdict, Verdict::Send);
            sent.push(engine.room(packet.room)[packet.range()].to_vec());
        }
    }
    sent
}

/// The words of the image that are not 0, without those of cursors.
fn words(image: &dyn Image) -> BTreeMap<(String, u64), u64> {
    let sections = image.layout().sections().map(|(_, section)| section);
    let sections = sections.filter(|section| section.element != Element::Cursor);
    let words = sections.flat_map(|section| {
        let words = (0..section.size()).step_by(8);
        words.map(|at| {
            let word = image.load(section.offset + at, Width::B8);
            ((section.name.clone(), at), word)
        })
    });
    words.filter(|(_, word)| *word != 0).collect()
}

fn counted(manifest: &Manifest, image: &dyn Image, kind: CounterKind, name: &str) -> u64 {
    let counter = manifest.counter(kind, name);
    count(image, counter.expect("the policy has it")).packets
}

#[test]
fn several_engines_over_one_image_decide_as_one_does() {
    const FLOWS: u32 = 1000;
    let pipeline = policy("maglev");
    let flows: Vec<u32> = (0..FLOWS).chain(0..FLOWS).chain(0..7).collect();
    for kind in kinds() {
        let mut one = engine(kind, &pipeline);
        let wanted = decide(&mut one, &flows);
        let mut several = workers(kind, &pipeline, 3);
        let mut made = Vec::new();
        // In turns, so that a flow's second packet comes to another one than its first.
        for (turn, part) in flows.chunks(150).enumerate() {
            made.extend(decide(&mut several[turn % 3], part));
        }
        assert_eq!(made, wanted, "{}", kind.name);
        let (one, several) = (one.image(), several[0].image());
        assert_eq!(words(several), words(one), "{}", kind.name);
        let seen = counted(&pipeline.manifest, several, CounterKind::Policy, "seen");
        assert_eq!(seen, flows.len() as u64);
    }
}

#[test]
fn each_engine_counts_for_itself_and_the_first_one_tells_the_sum() {
    let pipeline = policy("maglev");
    for kind in kinds() {
        let mut several = workers(kind, &pipeline, 3);
        let seen = |engine: &AnyEngine| {
            counted(
                &pipeline.manifest,
                engine.image(),
                CounterKind::Policy,
                "seen",
            )
        };
        for (worker, packets) in several.iter_mut().zip([5_u32, 70, 600]) {
            decide(worker, &(0..packets).collect::<Vec<u32>>());
        }
        let each: Vec<u64> = several.iter().map(seen).collect();
        assert_eq!(each, [675, 70, 600], "{}", kind.name);
        // What is set is set once.
        let image = several[0].image_mut();
        let at = image.layout().named("counters").expect("counters").1.offset;
        for index in 0..pipeline.manifest.counters.len() as u64 {
            image.store(at + index * 16, Width::B8, 4);
        }
        let each: Vec<u64> = several.iter().map(seen).collect();
        assert_eq!(each, [4, 0, 0], "{}", kind.name);
    }
}

#[test]
fn a_counting_scheduler_begins_elsewhere_for_each_engine() {
    let pipeline = policy("rr");
    for kind in kinds() {
        let mut several = workers(kind, &pipeline, 2);
        let mut first =
            |worker: usize, flow| decide(&mut several[worker], &[flow])[0][..6].to_vec();
        let macs: BTreeSet<Vec<u8>> = [first(0, 1), first(1, 2)].into();
        assert_eq!(macs.len(), 2, "{}: not the same backend twice", kind.name);
        assert_eq!(
            first(1, 1),
            first(0, 1),
            "a flow has its backend everywhere"
        );
    }
}

#[test]
fn flows_that_begin_at_several_engines_at_once_are_noted_and_have_one_backend() {
    const THREADS: usize = 4;
    const FLOWS: u32 = 6000;
    const ROUNDS: usize = 20;
    let pipeline = policy("rr");
    for kind in kinds() {
        for _ in 0..ROUNDS {
            let mut several = workers(kind, &pipeline, THREADS);
            let begin = Barrier::new(THREADS);
            let flows: Vec<u32> = (0..FLOWS).collect();
            // All begin the same flows, in the same order: as close together as can be.
            let run = |worker: &mut AnyEngine| {
                begin.wait();
                [(); 2].map(|()| decide(worker, &flows))
            };
            let sent: BTreeSet<Vec<Vec<u8>>> = std::thread::scope(|scope| {
                let workers = several.iter_mut();
                let threads: Vec<_> = workers.map(|worker| scope.spawn(|| run(worker))).collect();
                let threads = threads.into_iter();
                threads
                    .flat_map(|thread| thread.join().expect("it ends"))
                    .collect()
            });
            assert_eq!(sent.len(), 1, "{}: a flow has one backend", kind.name);
            let image = several[0].image();
            let refused = CounterKind::Refused;
            assert_eq!(counted(&pipeline.manifest, image, refused, "web"), 0);
            let (_, table) = image.layout().named("flows.web").expect("a table");
            let entries = (0..u64::from(table.length)).filter_map(|index| {
                let entry = Entry::from_bits(image.load(table.at(index, 0), Width::B8))?;
                Some((index / 8, entry.tag))
            });
            let entries: Vec<(u64, u32)> = entries.collect();
            let known: BTreeSet<&(u64, u32)> = entries.iter().collect();
            assert_eq!(known.len(), FLOWS as usize, "{}: none is lost", kind.name);
            assert_eq!(entries.len(), known.len(), "{}: none is twice", kind.name);
            let seen = counted(&pipeline.manifest, image, CounterKind::Policy, "seen");
            assert_eq!(seen, THREADS as u64 * 2 * u64::from(FLOWS));
        }
    }
}

/// A segment of a TCP connection.
fn segment(flow: u32, flags: u8) -> Frame {
    let mut frame = frame(flow);
    frame[23] = 6;
    frame[36..38].copy_from_slice(&80_u16.to_be_bytes());
    frame[46..48].copy_from_slice(&[0x50, flags]);
    frame
}

/// The table is small for so many flows, and they live short: each place is another flow's soon.
#[test]
fn flows_are_counted_right_while_they_open_and_close_and_parts_of_the_table_are_swept() {
    const THREADS: u32 = 3;
    const FLOWS: u32 = 3000;
    const SECONDS: u64 = 120;
    let (opens, goes_on, closes) = (0x02, 0x10, 0x11);
    let text = "pool web { scheduler wlc\n backend rs1 192.0.2.130 limit 400 reopen 300\n backend rs2 192.0.2.134\n \
                flows 1K\n timeout tcp 12s closing 3s }\n\
                match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";
    let pipeline = lvsc_front::compile("web.lvs", text).pipeline;
    let pipeline = pipeline.expect("it is right");
    let pool = &pipeline.manifest.pools[0];
    for kind in kinds() {
        let mut several = workers(kind, &pipeline, THREADS as usize);
        let (own, others) = several.split_first_mut().expect("the first one");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (worker, begin) in others.iter_mut().zip(0..) {
                let done = &done;
                scope.spawn(move || {
                    let mut flow = begin * 7_u32;
                    while !done.load(Ordering::Relaxed) {
                        flow += 1;
                        let frames = [opens, goes_on, closes, opens].map(|flags| {
                            flow += 3;
                            segment(flow % FLOWS, flags)
                        });
                        sent(worker, &frames);
                    }
                });
            }
            let mut world = World::for_tests(&pipeline.manifest);
            let mut sweeper = Sweeper::default();
            for _ in 0..SECONDS {
                let before = world.seconds;
                world.seconds += 1;
                for flow in 0..20 {
                    let flow = (before as u32 * 31 + flow) % FLOWS;
                    sent(own, &[segment(flow, opens), segment(flow, closes)]);
                }
                let time = (before, world.seconds);
                sweeper.advance(&pipeline.manifest, time, own.image_mut());
                publish(&pipeline.manifest, &world, own.image_mut());
            }
            done.store(true, Ordering::Relaxed);
        });
        let image = own.image_mut();
        let (_, section) = image.layout().named("loads.web").expect("loads");
        let section = section.clone();
        let counts = |image: &dyn Image| {
            [0, 1].map(|id| {
                let load = Load::read(image, &section, id);
                (load.active, load.inactive)
            })
        };
        let told = counts(image);
        assert!(told[1].0 > 0 && told[1].1 > 0, "{}: {told:?}", kind.name);
        loads::recount(pool, image);
        assert_eq!(told, counts(image), "{}", kind.name);
    }
}

/// What each of two workers sends of its own frames, which it is handed as the other one is.
fn both(several: &mut [AnyEngine], frames: [&[Frame]; 2]) -> [Vec<Vec<u8>>; 2] {
    let begin = Barrier::new(2);
    let [one, other] = several else {
        panic!("two workers");
    };
    std::thread::scope(|scope| {
        let run = |engine: &mut AnyEngine, frames: &[Frame]| {
            begin.wait();
            sent(engine, frames)
        };
        let other = scope.spawn(|| {
            begin.wait();
            sent(other, frames[1])
        });
        let one = run(one, frames[0]);
        [one, other.join().expect("it ends")]
    })
}

/// A browser opens several connections at once, and a device spreads them over its queues.
#[test]
fn a_client_whose_flows_begin_at_two_engines_at_once_has_one_backend() {
    const CLIENTS: u32 = 4000;
    const ROUNDS: usize = 10;
    let flows = |port| (0..CLIENTS).map(|client| from(client, port)).collect();
    let [first, second]: [Vec<Frame>; 2] = [flows(10_000), flows(10_001)];
    for (scheduler, pool) in [("rr", "persist 5m"), ("wlc", "persist 5m")] {
        let pipeline = policy_with(scheduler, pool);
        for kind in kinds() {
            for _ in 0..ROUNDS {
                let mut several = workers(kind, &pipeline, 2);
                let [one, other] = both(&mut several, [&first, &second]);
                let backends: BTreeSet<&[u8]> = one.iter().map(|frame| &frame[..6]).collect();
                assert_eq!(backends.len(), 2, "there is a choice");
                for (client, (one, other)) in one.iter().zip(&other).enumerate() {
                    let same = one[..6] == other[..6];
                    assert!(same, "{}, {scheduler}: client {client}", kind.name);
                }
            }
        }
    }
}

/// A part of a datagram of a client: the first one, with its ports, or the one behind it.
fn fragment(client: u32, number: u16, first: bool) -> Frame {
    let mut frame = from(client, 10_000 + number);
    frame[18..20].copy_from_slice(&number.to_be_bytes());
    let place: u16 = if first { 1 << 13 } else { 8 };
    frame[20..22].copy_from_slice(&place.to_be_bytes());
    if !first {
        frame[34..38].copy_from_slice(&[1, 2, 3, 4]); // no ports
    }
    frame
}

/// A device knows a flow by its ports and a fragment by its addresses: these come to another worker than the flow's other packets.
#[test]
fn the_fragments_of_a_datagram_follow_at_one_engine_what_another_one_gave_its_flow() {
    const CLIENTS: u32 = 2000;
    const ROUNDS: u16 = 6;
    let parts = |number, first| (0..CLIENTS).map(move |client| fragment(client, number, first));
    for scheduler in ["rr", "wlc"] {
        let pipeline = policy_with(scheduler, "fragments follow 64K");
        for kind in kinds() {
            let mut several = workers(kind, &pipeline, 2);
            // The flows begin at the one, and its first fragments are then spread over both; the later ones go crosswise.
            for number in 0..ROUNDS {
                let flows: Vec<Frame> = (0..CLIENTS)
                    .map(|client| from(client, 10_000 + number))
                    .collect();
                let wanted = sent(&mut several[0], &flows);
                let half = |frames: Vec<Frame>| -> [Vec<Frame>; 2] {
                    let (even, odd): (Vec<_>, Vec<_>) =
                        (0..).zip(frames).partition(|(index, _)| index % 2 == 0);
                    [even, odd].map(|half| half.into_iter().map(|(_, frame)| frame).collect())
                };
                let [even, odd] = half(parts(number, true).collect());
                let firsts = both(&mut several, [&even, &odd]);
                let [even, odd] = half(parts(number, false).collect());
                let [later_odd, later_even] = both(&mut several, [&odd, &even]);
                let backend = |frame: &Vec<u8>| frame[..6].to_vec();
                let split = |parity| {
                    let wanted = wanted.iter().skip(parity).step_by(2);
                    wanted.map(backend).collect::<Vec<_>>()
                };
                let wanted = [split(0), split(1)];
                let backends = |sent: [&Vec<Vec<u8>>; 2]| {
                    sent.map(|sent| sent.iter().map(backend).collect::<Vec<_>>())
                };
                let [even, odd] = &firsts;
                assert!(backends([even, odd]) == wanted, "{}: first", kind.name);
                let later = backends([&later_even, &later_odd]);
                assert!(later == wanted, "{}: later", kind.name);
            }
        }
    }
}
