//! The interpreter and the other engines side by side.

use lvsc_abi::cells::identity;
use lvsc_abi::engine::{BATCH, Packet, Room};
use lvsc_abi::flows::{CLOSING, Entry, IDLE_MAX, NEW, OPENING};
use lvsc_abi::hash;
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{Element, Section, slot};
use lvsc_abi::loads;
use lvsc_abi::notation::describe;
use lvsc_abi::slots::Slot;
use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::Policy;
use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::layout::layout;
use lvsc_pipeline::lower::lower;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_pipeline::simplify::simplify;
use lvsc_pipeline::trace::Trace;
use lvsc_runtime::director::AnyEngine;
use lvsc_runtime::publish::publish;
use lvsc_runtime::sweep::Sweeper;
use lvsc_runtime::world::World;
use lvsc_target_xdp::Xdp;

use crate::engines::{self, Kind, Runs, Takes};
use crate::library::Disk;
use crate::machine::engine::Machine;

/// Packets in a batch, in turn.
const SIZES: [usize; 4] = [BATCH, 5, 60, 1];

/// A frame and the interface by which it comes.
pub type Came = (Vec<u8>, u8);

/// A policy on all engines; the first one is the reference.
pub struct Bench {
    name: String,
    text: String,
    /// The checked policy.
    pub policy: Policy,
    pipeline: Pipeline,
    /// What is true.
    pub world: World,
    /// Whether the policy may be one of more ways than the kernel's verifier follows.
    pub may_be_too_large: bool,
}

/// What the kernel's verifier says of a program that it does not follow to its end.
const TOO_LARGE: &str = "BPF program is too large";

/// The machine of the tests, which runs what the engine `xdp` gives to the kernel.
const MACHINE: Kind = Kind {
    name: "machine",
    present: || Ok(()),
    takes: Takes::Devices,
    runs: Runs::Graphs(|pipeline| {
        let compiled = crate::compile::program(pipeline).unwrap_or_else(|error| panic!("{error}"));
        let object = compiled
            .emit(&Xdp::NEW)
            .unwrap_or_else(|error| panic!("{error}"));
        Box::new(Machine::load(&object.code))
    }),
};

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Became {
    verdict: Verdict,
    interface: Option<u8>,
    frame: Vec<u8>,
}

impl Bench {
    /// A policy on all engines. Panics with its findings where it is wrong.
    pub fn new(name: &str, text: &str) -> Bench {
        let compiled = lvsc_front::compile_with(name, text, &Disk);
        let (Some(policy), Some(mut pipeline)) = (compiled.policy, compiled.pipeline) else {
            let found: Vec<String> = compiled
                .diagnostics
                .iter()
                .map(|one| format!("{}: {}", one.code, one.message))
                .collect();
            panic!("{}\n{text}", found.join("\n"));
        };
        // Small tables are full sooner, and whole images are compared.
        let changed = pipeline.manifest.pools.iter_mut();
        for pool in changed.filter(|pool| pool.changed().is_some()) {
            pool.flows.iter_mut().for_each(|flows| flows.entries = 64);
        }
        Bench {
            name: name.to_owned(),
            text: text.to_owned(),
            world: World::for_tests(&pipeline.manifest),
            may_be_too_large: false,
            policy,
            pipeline,
        }
    }

    /// Blocks of the program as it is lowered; `None` for more than a program may have.
    pub fn blocks(&self) -> Option<usize> {
        let pipeline = simplify(self.pipeline.clone());
        let lowered = lower(&pipeline, &layout(&pipeline));
        lowered.ok().map(|program| program.blocks.len())
    }

    /// All engines decide the packets, in batches; all must end alike. An engine that does not take frames of every
    /// length decides those that it takes, beside the interpreter alone.
    pub fn agree(&mut self, packets: &[Came]) {
        let (all, some): (Vec<&Kind>, Vec<&Kind>) = engines::present()
            .chain([&MACHINE])
            .partition(|kind| kind.takes == Takes::Handed);
        let begin = self.world.clone();
        self.agree_on(&all, packets);
        for kind in some {
            self.world = begin.clone();
            let lengths = match kind.make(&self.pipeline) {
                Ok(engine) => engine.lengths(),
                Err(failure)
                    if self.may_be_too_large && failure.to_string().contains(TOO_LARGE) =>
                {
                    continue;
                }
                Err(failure) => panic!("{}: {failure}\n{}", self.name, self.text),
            };
            let taken = packets
                .iter()
                .filter(|(frame, _)| lengths.contains(&(frame.len() as u16)));
            let taken: Vec<Came> = taken.cloned().collect();
            self.agree_on(&[all[0], kind], &taken);
        }
    }

    fn agree_on(&mut self, kinds: &[&Kind], packets: &[Came]) {
        let begin = self.world.clone();
        let mut engines = self.engines(kinds);
        for (turn, batch) in batches(packets).into_iter().enumerate() {
            let mut outcomes = engines.iter_mut().map(|engine| decide(engine, batch));
            let reference = outcomes.next().expect("there is the interpreter");
            let others: Vec<Vec<Became>> = outcomes.collect();
            let images: Vec<Vec<u64>> = engines.iter().map(words).collect();
            self.counts(&engines[0]);
            let same = others.iter().all(|other| *other == reference);
            let state = images.iter().all(|image| Some(image) == images.first());
            if !(same && state) {
                self.world = begin;
                self.explain(kinds, packets);
            }
            self.between(turn, &mut engines, Sweep::All);
        }
    }

    /// What counts the flows of backends is never wrong: counting anew changes nothing.
    fn counts(&self, engine: &AnyEngine) {
        let mut counted = Bytes::new(engine.image().layout().clone());
        for (at, word) in (0..).step_by(8).zip(words(engine)) {
            counted.store(at, Width::B8, word);
        }
        let before = counted.clone();
        for pool in &self.pipeline.manifest.pools {
            loads::recount(pool, &mut counted);
        }
        assert!(
            counted == before,
            "{}: miscounted\n{}",
            self.name,
            self.text
        );
    }

    /// Whether tables of every flow are swept or not makes no difference to a packet.
    pub fn indifferent(&mut self, packets: &[Came]) {
        let begin = self.world.clone();
        let mut decide_all = |sweep| {
            self.world = begin.clone();
            let kinds: Vec<&Kind> = engines::present().take(1).collect();
            let mut engines = self.engines(&kinds);
            let mut became = Vec::new();
            for (turn, batch) in batches(packets).into_iter().enumerate() {
                became.extend(decide(&mut engines[0], batch));
                self.between(turn, &mut engines, sweep);
            }
            became
        };
        let (swept, unswept) = (decide_all(Sweep::All), decide_all(Sweep::Changed));
        self.world = begin;
        for (index, (swept, unswept)) in swept.iter().zip(&unswept).enumerate() {
            assert_eq!(swept, unswept, "packet {index}\n{}", self.text);
        }
    }

    /// Judges the program that steers, where the policy has one: it leaves to the kernel exactly what the interpreter passes,
    /// whatever the state. How many it left, and how many it took.
    pub fn steered(&mut self, packets: &[Came]) -> Option<[usize; 2]> {
        let compiled = crate::compile::program(&self.pipeline).unwrap_or_else(|e| panic!("{e}"));
        let made = compiled.steering().unwrap_or_else(|e| panic!("{e}"))?;
        let mut steering: AnyEngine = Box::new(Machine::load(&made.code));
        let begin = self.world.clone();
        let mut engines = self.engines(&[&engines::ENGINES[0]]);
        let mut counts = [0, 0];
        for (turn, batch) in batches(packets).into_iter().enumerate() {
            publish(&made.manifest, &self.world, steering.image_mut());
            let passes = |engine| {
                let became = decide(engine, batch).into_iter();
                became.map(|one| one.verdict == Verdict::Pass).collect()
            };
            let [meant, left]: [Vec<bool>; 2] = [&mut engines[0], &mut steering].map(passes);
            for ((meant, left), packet) in meant.iter().zip(&left).zip(batch) {
                if meant != left {
                    let what = format!("passed {meant}, left to the kernel {left}");
                    panic!("{}", self.report(turn, packet, "the steering", &what));
                }
                counts[usize::from(!left)] += 1;
            }
            self.between(turn, &mut engines, Sweep::All);
        }
        self.world = begin;
        Some(counts)
    }

    /// Shows what each engine's image is when it has decided these packets, in one batch after the other.
    pub fn look(&self, packets: &[Came], mut look: impl FnMut(&Kind, &dyn Image)) {
        for kind in engines::present().chain([&MACHINE]) {
            let made = kind.make(&self.pipeline);
            let mut engine = made.unwrap_or_else(|failure| panic!("{}: {failure}", self.name));
            publish(&self.pipeline.manifest, &self.world, engine.image_mut());
            for batch in batches(packets) {
                decide(&mut engine, batch);
            }
            look(kind, engine.image());
        }
    }

    /// What happens between two batches: time passes, backends come, go and change their weight.
    fn between(&mut self, turn: usize, engines: &mut [AnyEngine], sweep: Sweep) {
        for pool in &mut self.world.pools {
            let count = pool.len();
            pool[turn % count].up = turn.is_multiple_of(3);
            pool[turn * 7 % count].weight = turn as u32 % 4;
        }
        self.world.seconds += [4, 0, 21, 1][turn % 4];
        // A whole round.
        let time = (self.world.seconds.saturating_sub(60), self.world.seconds);
        for engine in engines {
            let (manifest, image) = (&self.pipeline.manifest, engine.image_mut());
            let mut swept = manifest.clone();
            if let Sweep::Changed = sweep {
                for pool in &mut swept.pools {
                    // Flows that have expired and are not swept still count.
                    if !pool.counts_flows() {
                        pool.flows = pool.changed();
                    }
                }
            }
            Sweeper::default().advance(&swept, time, image);
            publish(manifest, &self.world, image);
        }
    }

    fn engines(&self, kinds: &[&Kind]) -> Vec<AnyEngine> {
        kinds.iter().map(|kind| self.engine(kind)).collect()
    }

    fn engine(&self, kind: &Kind) -> AnyEngine {
        let mut engine = kind
            .make(&self.pipeline)
            .unwrap_or_else(|failure| panic!("{}: {failure}\n{}", self.name, self.text));
        publish(&self.pipeline.manifest, &self.world, engine.image_mut());
        clutter(self.world.seconds, engine.image_mut());
        for pool in &self.pipeline.manifest.pools {
            loads::recount(pool, engine.image_mut());
        }
        engine
    }

    /// Finds the first packet on which the engines differ, deciding one at a time, and panics with all that is needed
    /// to see it again. Where they differ in batches only, says that.
    fn explain(&mut self, kinds: &[&Kind], packets: &[Came]) -> ! {
        let mut engines = self.engines(kinds);
        let ends: Vec<usize> = (batches(packets).iter())
            .scan(0, |end, batch| {
                *end += batch.len();
                Some(*end)
            })
            .collect();
        for (index, packet) in packets.iter().enumerate() {
            let one = std::slice::from_ref(packet);
            let outcomes: Vec<_> = engines
                .iter_mut()
                .map(|engine| decide(engine, one))
                .collect();
            let images: Vec<Vec<u64>> = engines.iter().map(words).collect();
            let pairs = outcomes.iter().zip(&images).zip(kinds).skip(1);
            for ((outcome, image), kind) in pairs {
                if *outcome != outcomes[0] || *image != images[0] {
                    let what = differences(&outcomes[0], outcome, &images[0], image);
                    panic!("{}", self.report(index, packet, kind.name, &what));
                }
            }
            if let Some(turn) = ends.iter().position(|end| *end == index + 1) {
                self.between(turn, &mut engines, Sweep::All);
            }
        }
        panic!(
            "{}: the engines differ, but only in batches\n{}",
            self.name, self.text
        );
    }

    fn report(&self, index: usize, (frame, ingress): &Came, engine: &str, what: &str) -> String {
        let hex: Vec<String> = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        let mut trace = Trace::new(&self.pipeline);
        let mut interpreter = Interpreter::new(self.pipeline.clone());
        {
            use lvsc_abi::engine::Engine;
            publish(
                &self.pipeline.manifest,
                &self.world,
                interpreter.image_mut(),
            );
        }
        interpreter.observe(&mut frame.clone(), *ingress, &mut trace);
        let steps = trace
            .steps
            .iter()
            .map(|step| format!("  {}: {}", step.place.line, step.text));
        format!(
            "{}: {engine} differs from the interpreter on packet {index} by interface {ingress}\n\
             {}\nhex {hex}\n{what}\nthe interpreter's way (from an empty state):\n{}\n{}",
            self.name,
            describe(frame),
            steps.collect::<Vec<_>>().join("\n"),
            self.text,
        )
    }
}

/// Which connection tables are swept.
#[derive(Clone, Copy)]
enum Sweep {
    All,
    /// Those of flows whose slots have changed.
    Changed,
}

/// The packets in batches of [`SIZES`].
fn batches(mut packets: &[Came]) -> Vec<&[Came]> {
    let mut batches = Vec::new();
    for size in SIZES.into_iter().cycle() {
        if packets.is_empty() {
            break;
        }
        let (batch, rest) = packets.split_at(size.min(packets.len()));
        batches.push(batch);
        packets = rest;
    }
    batches
}

/// Entries of other flows in every bucket, some of them old, so that a flow's place is anywhere in its bucket; slots that
/// have changed, if they remember; and counters' cells that are taken.
fn clutter(seconds: u64, image: &mut dyn Image) {
    let tables: Vec<Section> = (image.layout().sections())
        .filter(|(_, section)| section.element.is_flow())
        .map(|(_, section)| section.clone())
        .collect();
    for table in tables {
        let is_noted = table.element == Element::Noted;
        let opening = if is_noted { OPENING } else { NEW };
        // Whoever has a flow that is counted is one who is counted.
        let pool = table.name.split_once('.').map_or("", |(_, pool)| pool);
        let loads = image.layout().of_pool("loads", pool);
        // Some of them have expired, whatever the policy calls old.
        let is_every = table.element == Element::Flow;
        let oldest = if is_every { IDLE_MAX - 10 } else { 0 };
        let last = loads.map_or(u16::MAX, |loads| (loads.length - 1) as u16);
        for index in (0..u64::from(table.length)).filter(|index| index * 5 / 8 % 3 != 0) {
            let entry = Entry {
                tag: index as u32,
                backend: (index % 3) as u16 & last,
                seconds: seconds.wrapping_sub(u64::from(oldest) + index % 13) as u16,
                flags: [0, opening, 0, CLOSING, 0][(index % 5) as usize],
            };
            image.store(table.at(index, 0), Width::B8, entry.to_bits());
        }
    }
    let sections = image.layout().sections();
    let changes = sections.filter(|(_, section)| section.element == Element::Change);
    let changes: Vec<Section> = changes.map(|(_, section)| section.clone()).collect();
    for changes in changes {
        let pool = changes.name.trim_start_matches("changes.");
        let ring = image.layout().named(&format!("ring.{pool}"));
        let ring = ring.expect("its ring").1.clone();
        for index in (0..u64::from(ring.length)).filter(|index| index % 3 != 0) {
            let at = (&ring, &changes);
            let before = Slot::load(image, at, index);
            let after = Slot {
                previous: [0, 1, 2, slot::TAIL][(index % 4) as usize],
                since: seconds.wrapping_sub(index % 11) as u32,
                elsewhere: seconds.wrapping_sub(index % 7) as u32,
                ..before
            };
            after.store(before, image, at, index);
        }
    }
    let tables: Vec<Section> = (image.layout().sections())
        .filter(|(_, section)| section.element == Element::Cell)
        .map(|(_, section)| section.clone())
        .collect();
    for table in tables {
        for index in (0..u64::from(table.length)).filter(|index| index % 8 < 1 + index / 8 * 3) {
            let whose = identity((index + 1).wrapping_mul(hash::MULTIPLY));
            image.store(table.at(index, 0), Width::B8, whose);
        }
    }
}

fn decide(engine: &mut AnyEngine, batch: &[Came]) -> Vec<Became> {
    let mut packets = Vec::new();
    for (index, (frame, ingress)) in batch.iter().enumerate() {
        let packet = Packet::arrived(Room::slot(index), frame.len() as u16, *ingress);
        engine.slot(index)[packet.range()].copy_from_slice(frame);
        packets.push(packet);
    }
    engine.process(&mut packets).expect("no packet traps");
    let became = packets.iter().enumerate().map(|(index, packet)| Became {
        verdict: packet.verdict,
        interface: (packet.verdict == Verdict::Send).then_some(packet.interface),
        frame: engine.slot(index)[packet.range()].to_vec(),
    });
    became.collect()
}

fn words(engine: &AnyEngine) -> Vec<u64> {
    let image: &dyn Image = engine.image();
    (0..image.layout().size())
        .step_by(8)
        .map(|at| image.load(at, Width::B8))
        .collect()
}

fn differences(left: &[Became], right: &[Became], before: &[u64], after: &[u64]) -> String {
    let mut lines = Vec::new();
    if left != right {
        lines.push(format!("interpreter {left:?}\nengine      {right:?}"));
    }
    for (index, (left, right)) in before.iter().zip(after).enumerate() {
        if left != right {
            lines.push(format!(
                "image at {}: {left:#018x}, engine {right:#018x}",
                index * 8
            ));
        }
    }
    lines.truncate(10);
    lines.join("\n")
}
