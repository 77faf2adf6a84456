//! The reference interpreter: what a pipeline means, written for clarity. Every engine must agree with it, byte for byte
//! of frame and of state. Shares no code with the lowering or the targets.
//!
//! Where the crate's documentation leaves something open, this is the answer:
//! - A value that speaks of an absent header is absent, and so is a choice of which no alternative is taken. Where an
//!   absent value is bound, written or hashed, it is 0; where it is a condition, it does not hold.
//! - Sizes, extents and offsets do not wrap: what is larger than any frame lies outside of it.
//! - A key's value takes as many whole bytes as its width needs. Where no alternative of the key is taken, the key is
//!   empty and the packet is not passive.
//! - A rewrite mends the header's checksum by RFC 1624, equation 3, over the 16-bit words (from the header's begin) that
//!   hold the field, whether or not they change: `HC' = ~(~HC + ~m + m')`, added up in full, then folded. So a wrong
//!   checksum stays exactly as wrong as it was, and a right one becomes what RFC 1071 would compute anew. Of a checksum that
//!   may be over zeros alone this is so but for the form of zero: it is 0xffff then, which every receiver takes.
//!   A rewrite of an absent header does nothing.
//! - The interpreter is worker 0.

mod bits;
mod cells;
mod changed;
mod flows;
mod fragments;
mod named;
mod packet;
mod persist;
mod select;
mod told;
mod values;
mod why;

#[cfg(test)]
mod tests;

use lvsc_abi::engine::{BATCH, Engine, EngineError, FRAMES, Packet, Room};
use lvsc_abi::image::{Bytes, Image};
use lvsc_abi::layout::Layout;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use self::packet::Running;
pub(crate) use self::values::{arithmetic, compare, low};
use crate::layout::{Sections, layout};
use crate::pipeline::{
    ChoiceId, CounterId, Edge, Expr, FieldId, HeaderId, KeyedId, Outcome, Pipeline, PoolId, Set,
    Step, VariableId,
};

/// Something that happened to a packet, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A header is present, its first byte at this offset (bytes).
    Found(HeaderId, usize),
    /// A condition was decided, because of these facts.
    Decided(&'a Expr, bool, Vec<Fact>),
    /// A value was bound.
    Bound(VariableId, u128),
    /// A packet was asked which backend it names.
    Named(Named),
    /// A pool was asked.
    Selected(Selected),
    /// A datagram's backend was known from its first fragment.
    Followed(Remembered),
    /// A datagram's backend is known from here on.
    Remembered(Remembered),
    /// A field was written.
    Rewritten(Rewritten),
    /// A counter counted.
    Counted(CounterId),
    /// It was counted in the cell with this number.
    CountedCell(KeyedId, u32),
    /// It was counted in the cell of a key.
    CountedKey(CountedKey),
    /// The packet ended; the interface by which it leaves, else by which it came.
    Ended(Outcome, u8),
}

/// What a condition was decided by. A conjunction that does not hold has only the facts of the part that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Whether a header is present.
    Header(HeaderId, bool),
    /// Which alternative of a choice was taken.
    Alternative(ChoiceId, Option<usize>),
    /// What a field, a variable or a property was.
    Value(Expr, u128),
}

/// A field that was written, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The header.
    pub header: HeaderId,
    /// The field.
    pub field: FieldId,
    /// What it was.
    pub before: u128,
    /// What it is.
    pub after: u128,
    /// The header's checksum before and after, where it was mended.
    pub checksum: Option<(u16, u16)>,
}

/// What a packet said when it was asked which backend it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The pool.
    pub pool: PoolId,
    /// The value; `None` where it is absent.
    pub id: Option<u128>,
    /// The backend of this id; `None` where there is none that is usable.
    pub backend: Option<u16>,
}

/// How a pool was asked and what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The pool.
    pub pool: PoolId,
    /// The key.
    pub key: ChoiceId,
    /// The alternative of the key that was taken.
    pub alternative: Option<usize>,
    /// The ring hash of the key, or of what the home goes by.
    pub hash: u64,
    /// What the connection table had to say.
    pub table: Table,
    /// What the table of clients had to say.
    pub known: Known,
    /// Index of the flow's entry in section `flows.<pool>`, found or made.
    pub entry: Option<u64>,
    /// The ring's slot that was read last, unless it was left for the backend that has least to do.
    pub slot: Option<u32>,
    /// The id that entry or slot named, be it usable or not.
    pub picked: u16,
    /// The backend's id; `None` without a usable one.
    pub backend: Option<u16>,
}

/// The backend of a datagram that is in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The pool.
    pub pool: PoolId,
    /// Index of its entry in section `fragments.<pool>`.
    pub entry: u64,
    /// The backend's id.
    pub backend: u16,
}

/// How a counter with a table counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedKey {
    /// The counter.
    pub keyed: KeyedId,
    /// The key's words, as they lie in the image.
    pub key: Vec<u64>,
    /// The cell's number; `None` where the key has none.
    pub cell: Option<u64>,
    /// Whether the key has just got it.
    pub new: bool,
}

/// What the connection table had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The pool has none.
    None,
    /// It is not asked: the slot has not changed.
    Steady,
    /// The flow is not in it, and nobody is kept for its slot any more.
    Tail,
    /// The flow is not in it: it stays where it was before its slot changed, and is noted.
    Kept,
    /// The flow has an entry and keeps its backend.
    Hit,
    /// The flow has no entry, and there is a place for one.
    New,
    /// The flow's backend is not usable any more: another one is sought.
    Moved,
    /// The bucket is full: no entry.
    Full,
    /// The packet only tells of the flow, which has no entry with a usable backend.
    Passive,
}

/// What the table of clients had to say, each time with the index of the client's entry in section `persist.<pool>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was not asked, or the packet has no client.
    Unasked,
    /// The client keeps its backend.
    Kept(u64),
    /// The client has this backend from here on.
    New(u64),
    /// The client is not in it, and nothing is written.
    Not,
}

/// Sees what happens to a packet.
pub trait Observer {
    /// Takes one event; `place` is the construct of the policy.
    fn see(&mut self, place: Place, event: Event<'_>);

    /// Whether it looks at all: if not, no reasons are sought.
    fn looks(&self) -> bool {
        true
    }
}

/// Sees nothing.
pub struct Blind;

impl Observer for Blind {
    fn see(&mut self, _: Place, _: Event<'_>) {}

    fn looks(&self) -> bool {
        false
    }
}

/// Decides one packet: its verdict, and the interface by which it leaves. `ingress` is the interface by which it came;
/// it is also the answer for a packet that does not leave. `sections` are those of the image's layout.
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
        let looks = observer.looks();
        let mut see = |event| observer.see(node.place, event);
        let edge = match &node.step {
            Step::Parse(headers) => {
                let found = headers
                    .iter()
                    .filter_map(|id| Some((*id, running.offset(*id)?)));
                found.for_each(|(header, offset)| see(Event::Found(header, offset)));
                Edge::Next
            }
            Step::Match(condition) => {
                let holds = running.holds(condition);
                let facts = if looks {
                    running.facts(condition)
                } else {
                    Vec::new()
                };
                see(Event::Decided(condition, holds, facts));
                if holds { Edge::Yes } else { Edge::No }
            }
            Step::Let(variable, value) => {
                let value = running.value_or_zero(value);
                running.bind(*variable, value);
                see(Event::Bound(*variable, value));
                Edge::Next
            }
            Step::Named { pool, variable, id } => {
                let named = running.named(*pool, id);
                let backend = named.backend;
                see(Event::Named(named));
                running.chosen(*variable, backend)
            }
            Step::Select {
                pool,
                variable,
                key,
                home,
                client,
            } => {
                let selected = running.select(*pool, *key, (*home, *client));
                let backend = selected.backend;
                see(Event::Selected(selected));
                running.chosen(*variable, backend)
            }
            Step::Hash(variable, key) => {
                let state = running.hash(*key);
                running.bind(*variable, state.into());
                Edge::Next
            }
            Step::Follow {
                pool,
                variable,
                datagram,
            } => match running.follow(*pool, *datagram) {
                Some(followed) => {
                    running.bind(*variable, followed.backend.into());
                    see(Event::Followed(followed));
                    Edge::Yes
                }
                None => Edge::No,
            },
            Step::Remember {
                pool,
                variable,
                datagram,
            } => {
                if let Some(remembered) = running.remember(*pool, *variable, *datagram) {
                    see(Event::Remembered(remembered));
                }
                Edge::Next
            }
            Step::Rewrite(header, field, value) => {
                let value = running.value_or_zero(value);
                if let Some(rewritten) = running.rewrite(*header, *field, value) {
                    see(Event::Rewritten(rewritten));
                }
                Edge::Next
            }
            Step::Count(counter) => {
                running.count(u64::from(counter.0));
                see(Event::Counted(*counter));
                Edge::Next
            }
            Step::CountCell(keyed, cell) => {
                let cell = running.value_or_zero(&Expr::Variable(*cell)) as u32;
                running.count_in(running.sections.keyed(*keyed).counts, cell.into());
                see(Event::CountedCell(*keyed, cell));
                Edge::Next
            }
            Step::CountKey(keyed, key) => {
                let counted = running.count_key(*keyed, *key);
                see(Event::CountedKey(counted));
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

/// The value of an expression over a frame alone: every variable and all state is 0. `None` where a header is absent.
pub fn evaluate(pipeline: &Pipeline, frame: &[u8], expr: &Expr) -> Option<u128> {
    look(pipeline, frame, |running| running.value(expr))
}

/// The value of an expression of constants alone, and its width (bits); `None` where it is more. Its sets are among these.
pub fn constant(sets: &[Set], expr: &Expr) -> Option<(u128, u16)> {
    known(sets, expr, &|_, _| None)
}

/// As [`constant`], of an expression over fields that have these values, and widths.
pub fn known(
    sets: &[Set],
    expr: &Expr,
    field: &dyn Fn(HeaderId, FieldId) -> Option<(u128, u16)>,
) -> Option<(u128, u16)> {
    let of = |expr: &Expr| known(sets, expr, field);
    let truth = |holds: bool| Some((u128::from(holds), 1));
    match expr {
        Expr::Constant { value, width } => Some((*value, *width)),
        Expr::Binary(op, a, b) => {
            let ((a, width), (b, _)) = (of(a)?, of(b)?);
            Some((low(arithmetic(*op, a, b), width), width))
        }
        Expr::Resize(width, a) => Some((low(of(a)?.0, *width), *width)),
        Expr::Compare(op, a, b) => truth(compare(*op, of(a)?.0, of(b)?.0)),
        Expr::In(a, set) => {
            let set = sets.get(usize::from(set.0))?;
            truth(set.contains(of(a)?.0))
        }
        Expr::And(a, b) => truth(of(a)?.0 != 0 && of(b)?.0 != 0),
        Expr::Or(a, b) => truth(of(a)?.0 != 0 || of(b)?.0 != 0),
        Expr::Not(a) => truth(of(a)?.0 == 0),
        Expr::Field(header, id) => field(*header, *id),
        Expr::Variable(_)
        | Expr::Present(_)
        | Expr::Chosen(..)
        | Expr::Interface(..)
        | Expr::Backend(..) => None,
    }
}

/// The offset (bytes) of a header in a frame; `None` where it is absent.
pub fn offset(pipeline: &Pipeline, frame: &[u8], header: HeaderId) -> Option<usize> {
    look(pipeline, frame, |running| running.offset(header))
}

fn look<T>(pipeline: &Pipeline, frame: &[u8], at: impl FnOnce(&Running<'_>) -> T) -> T {
    let layout = Layout::new();
    let sections = Sections::of(pipeline, &layout);
    let mut image = Bytes::new(layout);
    let mut frame = frame.to_vec();
    at(&Running::new(
        pipeline, &sections, &mut image, &mut frame, 0,
    ))
}

/// The interpreter as an engine, with an image and slots of its own.
pub struct Interpreter {
    pipeline: Pipeline,
    sections: Sections,
    image: Bytes,
    frames: Vec<u8>,
}

impl Interpreter {
    /// An interpreter with a fresh image: no backend is usable, no interface is known.
    pub fn new(pipeline: Pipeline) -> Interpreter {
        let layout = layout(&pipeline);
        Interpreter {
            sections: Sections::of(&pipeline, &layout),
            image: Bytes::new(layout),
            frames: vec![0; FRAMES as usize],
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

    fn room(&mut self, room: Room) -> &mut [u8] {
        let range = room.range().unwrap_or_default();
        self.frames.get_mut(range).unwrap_or_default()
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        let mut outcome = Ok(());
        for (index, packet) in packets.iter_mut().enumerate() {
            let room = packet.room.range().filter(|_| index < BATCH);
            let room = room.and_then(|room| self.frames.get_mut(room));
            let Some(frame) = room.and_then(|room| room.get_mut(packet.range())) else {
                packet.verdict = Verdict::Drop;
                outcome = outcome.and(Err(EngineError::Room { packet: index }));
                continue;
            };
            let Interpreter {
                pipeline,
                sections,
                image,
                ..
            } = self;
            let ingress = packet.interface;
            (packet.verdict, packet.interface) =
                run(pipeline, sections, image, frame, ingress, &mut Blind);
        }
        outcome
    }

    fn image(&self) -> &dyn Image {
        &self.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.image
    }
}
