//! The interpreter and the other engines side by side.

use lvsc_abi::engine::{BATCH, Packet};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::notation::describe;
use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::Policy;
use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_pipeline::trace::Trace;
use lvsc_runtime::director::AnyEngine;
use lvsc_runtime::publish::publish;
use lvsc_runtime::world::World;

use crate::engines::ENGINES;

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
}

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
        let compiled = lvsc_front::compile(name, text);
        let (Some(policy), Some(pipeline)) = (compiled.policy, compiled.pipeline) else {
            let found: Vec<String> = compiled
                .diagnostics
                .iter()
                .map(|one| format!("{}: {}", one.code, one.message))
                .collect();
            panic!("{}\n{text}", found.join("\n"));
        };
        Bench {
            name: name.to_owned(),
            text: text.to_owned(),
            world: World::for_tests(&pipeline.manifest),
            policy,
            pipeline,
        }
    }

    /// All engines decide the packets, in batches; all must end alike.
    pub fn agree(&mut self, packets: &[Came]) {
        let mut engines = self.engines();
        for batch in packets.chunks(BATCH) {
            let mut outcomes = engines.iter_mut().map(|engine| decide(engine, batch));
            let reference = outcomes.next().expect("there is the interpreter");
            let others: Vec<Vec<Became>> = outcomes.collect();
            let images: Vec<Vec<u64>> = engines.iter().map(words).collect();
            let same = others.iter().all(|other| *other == reference);
            let state = images.iter().all(|image| Some(image) == images.first());
            if !(same && state) {
                self.explain(packets);
            }
            self.world.seconds += 7;
            for engine in &mut engines {
                publish(&self.pipeline.manifest, &self.world, engine.image_mut());
            }
        }
    }

    fn engines(&self) -> Vec<AnyEngine> {
        let make = |make: fn(&Pipeline) -> _| -> AnyEngine {
            let mut engine: AnyEngine = match make(&self.pipeline) {
                Ok(engine) => engine,
                Err(failure) => {
                    let failure: crate::failure::Failure = failure;
                    panic!("{}: {failure}\n{}", self.name, self.text)
                }
            };
            publish(&self.pipeline.manifest, &self.world, engine.image_mut());
            engine
        };
        ENGINES.iter().map(|kind| make(kind.make)).collect()
    }

    /// Finds the first packet on which the engines differ, deciding one at a time, and panics with all that is needed
    /// to see it again. Where they differ in batches only, says that.
    fn explain(&self, packets: &[Came]) -> ! {
        let mut engines = self.engines();
        let mut world = World::for_tests(&self.pipeline.manifest);
        for (index, packet) in packets.iter().enumerate() {
            let one = std::slice::from_ref(packet);
            let outcomes: Vec<_> = engines
                .iter_mut()
                .map(|engine| decide(engine, one))
                .collect();
            let images: Vec<Vec<u64>> = engines.iter().map(words).collect();
            let pairs = outcomes.iter().zip(&images).zip(ENGINES).skip(1);
            for ((outcome, image), kind) in pairs {
                if *outcome != outcomes[0] || *image != images[0] {
                    let what = differences(&outcomes[0], outcome, &images[0], image);
                    panic!("{}", self.report(index, packet, kind.name, &what));
                }
            }
            if (index + 1) % BATCH == 0 {
                world.seconds += 7;
                for engine in &mut engines {
                    publish(&self.pipeline.manifest, &world, engine.image_mut());
                }
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

fn decide(engine: &mut AnyEngine, batch: &[Came]) -> Vec<Became> {
    let mut packets = Vec::new();
    for (index, (frame, ingress)) in batch.iter().enumerate() {
        let packet = Packet::arrived(frame.len() as u16, *ingress);
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
