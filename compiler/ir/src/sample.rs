//! Programs for tests: any bytes are choices that make a valid program, an image and frames. Shorter bytes with
//! smaller numbers make simpler ones, so that a failing case shrinks.
//!
//! Every instruction and every end occurs. Passes and targets are judged on these against [`eval`](crate::eval).

mod director;
mod run;
mod search;

use lvsc_abi::flows;
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use crate::arena::{Arena, Id};
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::program::{
    Binary, Block, BlockId, Class, Compare, FrameAccess, Inst, Jump, Op, Order, Program,
    SectionAccess, Terminator, Value,
};
use crate::proven;

pub use self::director::director;
pub use self::run::Decided;
pub use self::search::search;

/// Something to run.
#[derive(Clone, Debug)]
pub struct Case {
    /// A program that the verifier accepts.
    pub program: Program,
    /// Its layout.
    pub layout: Layout,
    /// The state before the first frame.
    pub image: Bytes,
    /// Frames, of 0 to 79 bytes, each with the index of the interface by which it comes.
    pub frames: Vec<(Vec<u8>, u8)>,
}

/// What the choices make.
pub fn case(choices: &[u8]) -> Case {
    let mut tape = Tape(choices);
    let layout = layout(&mut tape);
    let frames = (0..=tape.below(6)).map(|_| frame(&mut tape)).collect();
    let mut maker = Maker::new(&layout, &mut tape);
    for id in maker.graph.order().to_vec() {
        maker.fill(id);
    }
    let program = maker.program;
    let image = image(&layout, &mut tape);
    Case {
        program,
        layout,
        image,
        frames,
    }
}

/// The choices; 0 for ever when they are used up.
struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }
}

fn layout(tape: &mut Tape<'_>) -> Layout {
    let mut layout = Layout::new();
    layout.add("ring.web", Element::Slot, 16);
    layout.add("backends.web", Element::Backend, 4);
    // Large tables are searched by other code, and those of slots that have changed by few packets.
    let (element, entries) = match tape.below(8) {
        7 => (Element::Flow, 1 << 16),
        5 | 6 => (Element::Noted, 32),
        _ => (Element::Flow, 32),
    };
    layout.add("flows.web", element, entries);
    layout.add("counters", Element::Counter, 8);
    layout.add("cursor.web", Element::Cursor, 2);
    layout.add("clock", Element::Clock, 1);
    layout
}

fn image(layout: &Layout, tape: &mut Tape<'_>) -> Bytes {
    let mut image = Bytes::new(layout.clone());
    for (_, section) in layout.sections() {
        for index in 0..u64::from(section.length.min(32)) {
            let word = if section.element.is_flow() {
                entry(tape)
            } else {
                tape.word()
            };
            let bytes = word.to_le_bytes();
            for (offset, byte) in (0..section.element.stride().min(8) as u16).zip(bytes) {
                image.store(section.at(index, offset), Width::B1, u64::from(byte));
            }
        }
    }
    image
}

/// A word of a connection table: few tags, so that searches find them.
fn entry(tape: &mut Tape<'_>) -> u64 {
    let (tag, seconds) = (u32::from(tape.byte()) % 4, u16::from(tape.byte()));
    let flags = [0, 0, flows::OPENING, flows::CLOSING][usize::from(tape.byte() % 4)];
    let word = flows::Entry {
        tag,
        backend: u16::from_le_bytes([tape.byte(), tape.byte()]),
        seconds,
        flags,
    }
    .to_bits();
    if tape.below(3) == 0 {
        word & !flows::VALID
    } else {
        word
    }
}

fn frame(tape: &mut Tape<'_>) -> (Vec<u8>, u8) {
    let length = tape.below(80);
    let ingress = tape.byte() % 4;
    ((0..length).map(|_| tape.byte()).collect(), ingress)
}

struct Maker<'a, 'b> {
    tape: &'a mut Tape<'b>,
    layout: &'a Layout,
    program: Program,
    graph: Graph,
    tree: Dominators,
    /// Values that may be used in the block that is filled.
    usable: Vec<Value>,
    /// Where each value is made.
    made: Arena<Value, BlockId>,
}

impl<'a, 'b> Maker<'a, 'b> {
    /// Chooses blocks and where they go; values come later.
    fn new(layout: &'a Layout, tape: &'a mut Tape<'b>) -> Maker<'a, 'b> {
        let mut program = Program::new();
        let mut made = Arena::new();
        let count = 1 + tape.below(10);
        for index in 0..count {
            let params = if index == 0 { 0 } else { tape.below(3) };
            let params: Vec<Value> = (0..params).map(|_| program.fresh()).collect();
            for _ in &params {
                made.push(BlockId(index as u32));
            }
            let end = skeleton(tape, index, count);
            program.blocks.push(Block {
                params,
                insts: Vec::new(),
                end,
                place: Place::default(),
            });
        }
        let graph = Graph::of(&program);
        for (id, block) in program.blocks.ids().zip(program.blocks.values_mut()) {
            if graph.position(id).is_none() {
                block.end = nothing();
            }
        }
        Maker {
            tape,
            layout,
            program,
            tree: Dominators::of(&graph),
            graph,
            usable: Vec::new(),
            made,
        }
    }

    fn fill(&mut self, id: BlockId) {
        let params = &self.program.blocks[id].params;
        let above = self.made.iter().filter(|(value, from)| {
            let here = params.contains(value);
            here || **from != id && self.tree.dominates(**from, id)
        });
        self.usable = above.map(|(value, _)| value).collect();
        let mut known: Vec<(Option<Value>, u16)> = proven::at_begin(&self.program, &self.graph)[id]
            .iter()
            .collect();
        known.retain(|(_, length)| *length > 0);
        for _ in 0..self.tape.below(9) {
            let op = self.op(id, &known);
            self.push(id, op);
        }
        self.end(id);
    }

    fn push(&mut self, id: BlockId, op: Op) -> Option<Value> {
        let result = op.has_result().then(|| self.program.fresh());
        if let Some(result) = result {
            debug_assert_eq!(self.made.len(), result.index());
            self.made.push(id);
            self.usable.push(result);
        }
        let place = Place {
            file: 0,
            line: id.0 + 1,
            column: self.program.values + 1,
        };
        self.program.blocks[id]
            .insts
            .push(Inst { result, op, place });
        result
    }

    /// A value: one that is there, more often a late one, or a constant.
    fn value(&mut self, id: BlockId) -> Value {
        let back = self.tape.below(12);
        let found = self.usable.iter().rev().nth(back).copied();
        found.unwrap_or_else(|| {
            let constant = self.constant();
            self.push(id, Op::Const(constant))
                .expect("a constant makes a value")
        })
    }

    fn constant(&mut self) -> u64 {
        let word = self.tape.byte();
        match word % 16 {
            0 => 0,
            1 => u64::MAX,
            2 => 0xffff,
            3 => 0x0800,
            4 => 1 << 32,
            5 => 0xff00,
            6 => self.tape.word(),
            7 => u64::from(self.tape.byte()) << 8 | 0x45,
            _ => u64::from(word / 16),
        }
    }

    fn op(&mut self, id: BlockId, known: &[(Option<Value>, u16)]) -> Op {
        match self.tape.below(26) {
            0 => Op::FrameLength,
            1 => Op::Ingress,
            2 => Op::Worker,
            3..=8 => self.arithmetic(id),
            9 | 10 => {
                let op = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le];
                let op = self.tape.one(&op).unwrap_or(Compare::Eq);
                Op::Compare(op, self.value(id), self.value(id))
            }
            11 => Op::Select(self.value(id), self.value(id), self.value(id)),
            12 | 13 => Op::Swap(self.tape.below(8) as u8 + 1, self.value(id)),
            14..=17 => self.access(known).map_or(Op::FrameLength, Op::LoadFrame),
            18 | 19 => match self.access(known) {
                Some(access) => Op::StoreFrame(access, self.value(id)),
                None => Op::Ingress,
            },
            _ => self.state(id),
        }
    }

    fn arithmetic(&mut self, id: BlockId) -> Op {
        use Binary::{Add, And, Div, Mul, Or, Rem, Shl, Shr, Sub, Xor};
        let op = self
            .tape
            .one(&[And, Add, Or, Xor, Shr, Shl, Sub, Mul, Div, Rem])
            .unwrap_or(And);
        let a = self.value(id);
        let b = match op {
            Div | Rem => {
                let divisor = self.constant().max(1);
                self.push(id, Op::Const(divisor))
                    .expect("a constant makes a value")
            }
            Add | And | Mul | Or | Shl | Shr | Sub | Xor => self.value(id),
        };
        Op::Binary(op, a, b)
    }

    /// Bytes of the frame that are known to be there.
    fn access(&mut self, known: &[(Option<Value>, u16)]) -> Option<FrameAccess> {
        let (base, length) = self.tape.one(known)?;
        let bytes = (self.tape.below(8) as u16 + 1).min(length);
        let offset = self.tape.below(usize::from(length - bytes) + 1) as u16;
        let order = self.tape.one(&[Order::Big, Order::Little])?;
        Some(FrameAccess {
            base,
            offset,
            bytes: bytes as u8,
            order,
        })
    }

    fn state(&mut self, id: BlockId) -> Op {
        let [ring, backends, flows, counters, cursor, clock] = [0, 1, 2, 3, 4, 5].map(SectionId);
        let index = self.value(id);
        let sections = [ring, backends, clock, flows, cursor];
        match self.tape.below(9) {
            0 => Op::Count(counters, index),
            1 => Op::Find(flows, index, self.value(id)),
            2 => Op::Place(flows, index, self.value(id), self.value(id), self.value(id)),
            3 => {
                let section = self.tape.one(&[flows, backends]).unwrap_or(flows);
                let access = SectionAccess {
                    section,
                    index,
                    offset: 0,
                    bytes: 8,
                };
                Op::Exchange(access, self.value(id), self.value(id))
            }
            4 => {
                let section = self.tape.one(&[cursor, flows]).unwrap_or(cursor);
                let access = self.section_access(section, index);
                Op::Store(access, self.value(id))
            }
            6 => {
                let (section, bytes) = (self.tape.one(&[cursor, flows]).unwrap_or(cursor), 8);
                let access = SectionAccess {
                    section,
                    index,
                    offset: 0,
                    bytes,
                };
                Op::Raise(access, self.value(id))
            }
            5 => {
                let section = self.tape.one(&sections).unwrap_or(ring);
                Op::Load(Class::Shared, self.section_access(section, index))
            }
            // Nobody writes these while packets flow.
            _ => {
                let section = self.tape.one(&[ring, clock]).unwrap_or(ring);
                Op::Load(Class::Config, self.section_access(section, index))
            }
        }
    }

    fn section_access(&mut self, section: SectionId, index: Value) -> SectionAccess {
        let stride = self
            .layout
            .get(section)
            .map_or(4, |section| section.element.stride());
        let bytes = self
            .tape
            .one(&[1_u8, 2, 4, 8])
            .unwrap_or(4)
            .min(stride as u8);
        let places = stride.min(64) / u32::from(bytes);
        let offset = self.tape.below(places as usize) as u16 * u16::from(bytes);
        SectionAccess {
            section,
            index,
            offset,
            bytes,
        }
    }

    /// Gives the end its values.
    fn end(&mut self, id: BlockId) {
        let mut end = self.program.blocks[id].end.clone();
        for jump in end.jumps_mut() {
            let params = self.program.blocks[jump.to].params.len();
            jump.args = (0..params).map(|_| self.value(id)).collect();
        }
        match &mut end {
            Terminator::If { condition, .. } => *condition = self.value(id),
            Terminator::Bounds { base, .. } => {
                *base = (self.tape.below(3) == 2).then(|| self.value(id));
            }
            Terminator::Return {
                verdict: Verdict::Send,
                interface,
            } => {
                *interface = Some(self.value(id));
            }
            Terminator::Return { .. } | Terminator::Jump(_) => {}
        }
        self.program.blocks[id].end = end;
    }
}

/// Where block `index` of `count` goes; to later ones only.
fn skeleton(tape: &mut Tape<'_>, index: usize, count: usize) -> Terminator {
    let left = count - index - 1;
    let choice = if left == 0 { 0 } else { tape.below(12) };
    let mut target = || Jump::to(BlockId((index + 1 + tape.below(left)) as u32));
    match choice {
        0 => {
            let verdicts = [Verdict::Drop, Verdict::Send, Verdict::Pass];
            let verdict = tape.one(&verdicts).unwrap_or(Verdict::Drop);
            Terminator::Return {
                verdict,
                interface: None,
            }
        }
        1 | 2 => Terminator::Jump(target()),
        3..=6 => {
            let (then, otherwise) = (target(), target());
            Terminator::If {
                condition: Value(0),
                then,
                otherwise,
            }
        }
        _ => {
            let (then, otherwise) = (target(), target());
            Terminator::Bounds {
                base: None,
                length: tape.below(40) as u16,
                then,
                otherwise,
            }
        }
    }
}

fn nothing() -> Terminator {
    Terminator::Return {
        verdict: Verdict::Drop,
        interface: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection;
    use proptest::prelude::*;

    use super::*;
    use crate::text;
    use crate::verify::verify;

    proptest! {
        #[test]
        fn any_bytes_make_a_program_that_is_accepted(choices in collection::vec(any::<u8>(), 0..800)) {
            let case = case(&choices);
            let text = text::print(&case.program, &case.layout);
            prop_assert!(verify(case.program, &case.layout).is_ok(), "{}", text);
        }

        #[test]
        fn its_text_is_read_back(choices in collection::vec(any::<u8>(), 0..800)) {
            let Case { program, layout, .. } = case(&choices);
            let text = text::print_with_places(&program, &layout);
            let read = text::parse(&text).map(|source| (source.program, source.layout));
            // A value may be numbered and never made: where it was to be jumped to, nobody jumps.
            let read = read.map(|(read, layout)| (Program { values: program.values, ..read }, layout));
            prop_assert_eq!(read, Ok((program, layout)));
        }
    }
}
