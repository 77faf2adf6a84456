//! The reference interpreter: what a pipeline means, written for clarity. Every engine must agree with it, byte for byte
//! of frame and of state. Shares no code with the lowering or the targets.

mod bits;
mod packet;
mod select;

use lvsc_abi::engine::{BATCH, Engine, EngineError, Packet, SLOT};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::counter;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use self::packet::Running;
use crate::layout::{Sections, layout};
use crate::pipeline::{
    CounterId, Edge, Expr, FieldId, HeaderId, Outcome, Pipeline, PoolId, Step, VariableId,
};

/// Something that happened to a packet, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A header is present, its first byte at this offset (bytes).
    Found(HeaderId, usize),
    /// A condition was decided.
    Decided(&'a Expr, bool),
    /// A value was bound.
    Bound(VariableId, u128),
    /// A pool was asked.
    Selected(Selected),
    /// A field was written: before, after.
    Rewritten(HeaderId, FieldId, u128, u128),
    /// A counter counted.
    Counted(CounterId),
    /// The packet ended.
    Ended(Outcome, u8),
}

/// How a pool was asked and what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The pool.
    pub pool: PoolId,
    /// Name of the alternative of the key that was taken.
    pub key: String,
    /// The ring hash of the key.
    pub hash: u64,
    /// The ring's slot that was read, if it was.
    pub slot: Option<u32>,
    /// What the connection table had to say.
    pub table: Table,
    /// The backend's id; `None` without a usable one.
    pub backend: Option<u16>,
}

/// What the connection table had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The pool has none.
    None,
    /// The flow has an entry and keeps its backend.
    Hit,
    /// The flow got an entry.
    New,
    /// The flow's backend is not usable any more: the entry was written anew.
    Moved,
    /// The bucket is full: no entry.
    Full,
    /// The packet only tells of the flow, which has no entry.
    Passive,
}

/// Sees what happens to a packet.
pub trait Observer {
    /// Takes one event; `place` is the construct of the policy.
    fn see(&mut self, place: Place, event: Event<'_>);
}

/// Sees nothing.
pub struct Blind;

impl Observer for Blind {
    fn see(&mut self, _: Place, _: Event<'_>) {}
}

/// Decides one packet: its verdict, and the interface by which it leaves. `ingress` is the interface by which it came.
pub fn run(
    pipeline: &Pipeline,
    sections: &Sections,
    image: &mut dyn Image,
    frame: &mut [u8],
    ingress: u8,
    observer: &mut dyn Observer,
) -> (Verdict, u8) {
    let mut running = Running::new(pipeline, sections, image, frame, ingress);
    let mut at = pipeline.entry;
    loop {
        let node = pipeline.step(at);
        let mut see = |event| observer.see(node.place, event);
        let edge = match &node.step {
            Step::Parse(headers) => {
                for header in headers {
                    if let Some(offset) = running.offset(*header) {
                        see(Event::Found(*header, offset));
                    }
                }
                Edge::Next
            }
            Step::Match(condition) => {
                let holds = running.holds(condition);
                see(Event::Decided(condition, holds));
                if holds { Edge::Yes } else { Edge::No }
            }
            Step::Let(variable, value) => {
                let value = running.value(value).unwrap_or(0);
                running.bind(*variable, value);
                see(Event::Bound(*variable, value));
                Edge::Next
            }
            Step::Select {
                pool,
                variable,
                key,
            } => {
                let selected = running.select(*pool, *key);
                let backend = selected.backend;
                see(Event::Selected(selected));
                match backend {
                    Some(id) => {
                        running.bind(*variable, u128::from(id));
                        Edge::Yes
                    }
                    None => Edge::No,
                }
            }
            Step::Rewrite(header, field, value) => {
                let value = running.value(value).unwrap_or(0);
                if let Some((before, after)) = running.rewrite(*header, *field, value) {
                    see(Event::Rewritten(*header, *field, before, after));
                }
                Edge::Next
            }
            Step::Count(counter) => {
                running.count(u64::from(counter.0));
                see(Event::Counted(*counter));
                Edge::Next
            }
            Step::Verdict(outcome) => {
                let (verdict, interface) = running.end(*outcome);
                see(Event::Ended(*outcome, interface));
                return (verdict, interface);
            }
        };
        at = pipeline.follow(at, edge);
    }
}

/// The value of an expression over a frame alone: no state, no variables. `None` where a header is absent.
pub fn evaluate(pipeline: &Pipeline, frame: &[u8], expr: &Expr) -> Option<u128> {
    let layout = layout(pipeline);
    let sections = Sections::of(pipeline, &layout);
    let mut image = Bytes::new(layout);
    let mut frame = frame.to_vec();
    Running::new(pipeline, &sections, &mut image, &mut frame, 0).value(expr)
}

/// The offset (bytes) of a header in a frame; `None` where it is absent.
pub fn offset(pipeline: &Pipeline, frame: &[u8], header: HeaderId) -> Option<usize> {
    let layout = layout(pipeline);
    let sections = Sections::of(pipeline, &layout);
    let mut image = Bytes::new(layout);
    let mut frame = frame.to_vec();
    Running::new(pipeline, &sections, &mut image, &mut frame, 0).offset(header)
}

/// One packet more, and `length` bytes more, on a counter.
fn count(image: &mut dyn Image, sections: &Sections, index: u64, length: usize) {
    let Some(section) = image.layout().get(sections.counters).cloned() else {
        return;
    };
    for (field, more) in [(counter::PACKETS, 1), (counter::BYTES, length as u64)] {
        let at = section.at(index, field);
        let before = image.load(at, Width::B8);
        image.store(at, Width::B8, before.wrapping_add(more));
    }
}

/// The interpreter as an engine.
pub struct Interpreter {
    pipeline: Pipeline,
    sections: Sections,
    image: Bytes,
    slots: Vec<Vec<u8>>,
}

impl Interpreter {
    /// An interpreter with an empty image.
    pub fn new(pipeline: Pipeline) -> Interpreter {
        let layout = layout(&pipeline);
        let sections = Sections::of(&pipeline, &layout);
        Interpreter {
            sections,
            image: Bytes::new(layout),
            slots: vec![vec![0; SLOT as usize]; BATCH],
            pipeline,
        }
    }

    /// The pipeline that it runs.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The image's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.image.as_bytes()
    }

    /// Decides one packet and shows what happens.
    pub fn observe(
        &mut self,
        frame: &mut [u8],
        ingress: u8,
        observer: &mut dyn Observer,
    ) -> (Verdict, u8) {
        run(
            &self.pipeline,
            &self.sections,
            &mut self.image,
            frame,
            ingress,
            observer,
        )
    }
}

impl Engine for Interpreter {
    fn name(&self) -> &'static str {
        "interp"
    }

    fn slot(&mut self, index: usize) -> &mut [u8] {
        self.slots
            .get_mut(index)
            .map_or(&mut [], |slot| slot.as_mut_slice())
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        for (index, packet) in packets.iter_mut().enumerate() {
            let slot = self.slots.get_mut(index);
            let frame = slot.and_then(|slot| slot.get_mut(packet.range()));
            let frame = frame.ok_or(EngineError::Slot { packet: index })?;
            let ingress = packet.interface;
            (packet.verdict, packet.interface) = run(
                &self.pipeline,
                &self.sections,
                &mut self.image,
                frame,
                ingress,
                &mut Blind,
            );
        }
        Ok(())
    }

    fn image(&self) -> &dyn Image {
        &self.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.image
    }
}
