//! Instruction selection: a region of blocks, one after the other. Values are i64, conditions i32.

use lvsc_abi::layout::Layout;
use lvsc_abi::module::{END, Map};
use lvsc_abi::verdict::Verdict;
use lvsc_ir::arena::Arena;
use lvsc_ir::graph::Graph;
use lvsc_ir::program::{Binary, BlockId, Compare, Inst, Jump, Op, Program, Terminator, Value};
use lvsc_ir::proven::{self, Proven};
use lvsc_ir::range::{self, Range};
use lvsc_ir::stage;
use wasm_encoder::MemArg;

use crate::code::{Code, Label, local, memory};
use crate::nest::nest;
use crate::search;
use crate::tree::{self, Home};

/// Offsets in a descriptor (bytes).
mod descriptor {
    pub(super) const VERDICT: u64 = 6;
    pub(super) const INTERFACE: u64 = 7;
}

/// Writes the code of a program's blocks.
pub(crate) struct Select<'a> {
    pub(crate) code: Code,
    pub(crate) layout: &'a Layout,
    pub(crate) map: &'a Map,
    pub(crate) ranges: Arena<Value, Range>,
    /// Number of locals.
    pub(crate) locals: u32,
    /// The local that tells a loop's rounds from each other.
    pub(crate) round: u32,
    /// What is known of the frame's length at the begin of each block.
    pub(crate) proven: Arena<BlockId, Proven>,
    /// The block that is written.
    pub(crate) current: BlockId,
    program: &'a Program,
    homes: Arena<Value, Home>,
    makers: Arena<Value, Option<&'a Inst>>,
}

/// Whether a condition is wanted as it is, or its opposite.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    AsIs,
    Opposite,
}

impl<'a> Select<'a> {
    pub(crate) fn new(program: &'a Program, layout: &'a Layout, map: &'a Map) -> Select<'a> {
        let (homes, values) = tree::homes(program);
        let graph = Graph::of(program);
        let vectors = search::vectors(program, layout);
        Select {
            code: Code::new(values, vectors),
            layout,
            map,
            ranges: range::of(program, &graph),
            proven: proven::at_begin(program, &graph),
            current: Program::ENTRY,
            locals: local::VALUES + values + vectors,
            round: local::DESCRIPTOR,
            program,
            homes,
            makers: stage::makers(program),
        }
    }

    /// Writes `blocks`, each of whose jumps goes to a later one; `body` writes one, the next one being given.
    /// `entries` are jumped to by what `dispatch` writes before the first one.
    pub(crate) fn region(
        &mut self,
        blocks: &[BlockId],
        entries: &[BlockId],
        dispatch: impl FnOnce(&mut Self),
        mut body: impl FnMut(&mut Self, BlockId, Option<BlockId>),
    ) {
        let opened = self.nesting(blocks, entries);
        let mut opened = opened.into_iter();
        let at = |position: usize| position.checked_sub(1).and_then(|index| blocks.get(index));
        let mut open = |this: &mut Self| {
            for target in opened.next().unwrap_or_default() {
                let block = at(target).copied().expect("a target has a position");
                this.code.open(Label::Block(block));
            }
        };
        open(self);
        dispatch(self);
        let next = blocks.iter().copied().skip(1).map(Some).chain([None]);
        for (block, next) in blocks.iter().zip(next) {
            self.code.close_if(Label::Block(*block));
            open(self);
            body(self, *block, next);
        }
    }

    /// Where WebAssembly blocks begin: before the dispatch, then before each of `blocks`.
    fn nesting(&self, blocks: &[BlockId], entries: &[BlockId]) -> Vec<Vec<usize>> {
        let mut positions: Arena<BlockId, Option<usize>> =
            self.program.blocks.ids().map(|_| None).collect();
        for (index, block) in blocks.iter().enumerate() {
            positions[*block] = Some(index + 1);
        }
        let mut jumps: Vec<(usize, usize)> = entries
            .iter()
            .filter_map(|entry| Some((0, positions[*entry]?)))
            .collect();
        for (index, block) in blocks.iter().enumerate() {
            for jump in self.program.blocks[*block].end.jumps() {
                // A jump out of the region leaves a block that is not written here.
                let Some(to) = positions[jump.to] else {
                    continue;
                };
                if to > index + 2 || self.needs_label(*block, jump) {
                    jumps.push((index + 1, to));
                }
            }
        }
        nest(blocks.len() + 1, &jumps)
    }

    /// Whether a jump to the next block cannot fall through: it is one of two to the same block.
    fn needs_label(&self, from: BlockId, jump: &Jump) -> bool {
        let jumps = self.program.blocks[from].end.jumps();
        jumps.filter(|other| other.to == jump.to).count() > 1
    }

    /// Writes a block of the program.
    pub(crate) fn block(&mut self, id: BlockId, next: Option<BlockId>) {
        let program = self.program;
        let block = &program.blocks[id];
        self.current = id;
        for inst in &block.insts {
            self.inst(inst);
        }
        self.code.mark(block.place);
        match &block.end {
            Terminator::Jump(jump) => self.go(jump, next),
            Terminator::If {
                condition,
                then,
                otherwise,
            } => {
                let test = |this: &mut Self, sense| this.condition(*condition, sense);
                self.fork(test, then, otherwise, next);
            }
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            } => {
                let test = |this: &mut Self, sense| this.bounds(*base, *length, sense);
                self.fork(test, then, otherwise, next);
            }
            Terminator::Return { verdict, interface } => self.decide(*verdict, *interface),
        }
    }

    fn inst(&mut self, inst: &'a Inst) {
        let home = inst
            .result
            .map_or(Home::Nowhere, |result| self.homes[result]);
        match home {
            Home::Local(index) => {
                self.code.mark(inst.place);
                self.op(&inst.op);
                self.code.sink().local_set(index);
            }
            Home::Nowhere if inst.op.has_effect() => {
                self.code.mark(inst.place);
                self.op(&inst.op);
                if inst.result.is_some() {
                    self.code.sink().drop();
                }
            }
            Home::Anew | Home::Inline | Home::Nowhere => {}
        }
    }

    /// Goes to one of two blocks, by what `test` leaves.
    fn fork(
        &mut self,
        test: impl FnOnce(&mut Self, Sense),
        then: &Jump,
        otherwise: &Jump,
        next: Option<BlockId>,
    ) {
        // What can fall through comes last.
        let (first, sense, last) = if Some(then.to) == next {
            (otherwise, Sense::Opposite, then)
        } else {
            (then, Sense::AsIs, otherwise)
        };
        test(self, sense);
        if first.args.is_empty() {
            self.code.branch_if(Label::Block(first.to));
        } else {
            self.code.open_if();
            self.go(first, None);
            self.code.close();
        }
        self.go(last, next);
    }

    fn go(&mut self, jump: &Jump, next: Option<BlockId>) {
        let params = &self.program.blocks[jump.to].params;
        let mut targets = Vec::new();
        for (param, arg) in params.iter().zip(&jump.args) {
            if let Home::Local(index) = self.homes[*param] {
                self.value(*arg);
                targets.push(index);
            }
        }
        for index in targets.into_iter().rev() {
            self.code.sink().local_set(index);
        }
        if Some(jump.to) != next {
            self.code.branch(Label::Block(jump.to));
        }
    }

    /// Where a field of the descriptor lies from [`local::DESCRIPTOR`] on.
    pub(crate) fn descriptor(&self, field: u64, align: u32) -> MemArg {
        memory(u64::from(self.map.descriptors.offset) + field, align)
    }

    fn decide(&mut self, verdict: Verdict, interface: Option<Value>) {
        self.code.sink().local_get(local::DESCRIPTOR);
        if let Some(interface) = interface {
            self.value(interface);
            self.code.sink().i32_wrap_i64().i32_const(8).i32_shl();
            let at = self.descriptor(descriptor::VERDICT, 1);
            self.code
                .sink()
                .i32_const(i32::from(verdict as u8))
                .i32_or();
            self.code.sink().i32_store16(at);
            // Most packets end here: without a jump to where the others meet.
            self.next_packet();
            self.code.branch(Label::Done);
        } else {
            let at = self.descriptor(descriptor::VERDICT, 0);
            self.code.sink().i32_const(i32::from(verdict as u8));
            self.code.sink().i32_store8(at);
            self.code.branch(Label::Packet);
        }
    }

    /// Where it is kept with which round a loop ends: it is asked for once a packet, which is no use for a register.
    pub(crate) fn end(&self) -> MemArg {
        let saved = self.map.saved;
        memory(u64::from(saved.offset + saved.size - END), 2)
    }

    /// Begins the next round of the loop, if there is one.
    pub(crate) fn next_packet(&mut self) {
        let end = self.end();
        let mut sink = self.code.sink();
        sink.local_get(self.round);
        sink.i32_const(0).i32_load(end).i32_lt_u();
        self.code.branch_if(Label::Loop);
    }

    /// Leaves the value.
    pub(crate) fn value(&mut self, value: Value) {
        match self.homes[value] {
            Home::Local(index) => {
                self.code.sink().local_get(index);
            }
            Home::Anew | Home::Inline | Home::Nowhere => {
                let inst = self.makers[value].expect("a parameter that is used has a local");
                self.code.mark(inst.place);
                self.op(&inst.op);
            }
        }
    }

    /// Leaves an i32 that is 0 or not, as the value is, or the opposite.
    pub(crate) fn condition(&mut self, value: Value, sense: Sense) {
        let maker = match self.homes[value] {
            Home::Inline => self.makers[value],
            Home::Anew | Home::Local(_) | Home::Nowhere => None,
        };
        match (maker.map(|inst| &inst.op), sense) {
            (Some(Op::Compare(op, a, b)), _) => self.compare(*op, *a, *b, sense),
            (Some(Op::Binary(op @ (Binary::And | Binary::Or), a, b)), _)
                if self.is_bit(*a) && self.is_bit(*b) =>
            {
                self.condition(*a, Sense::AsIs);
                self.condition(*b, Sense::AsIs);
                let mut sink = self.code.sink();
                if *op == Binary::And {
                    sink.i32_and()
                } else {
                    sink.i32_or()
                };
                if sense == Sense::Opposite {
                    sink.i32_eqz();
                }
            }
            (Some(Op::Binary(Binary::And, a, mask)), _)
                if let Some((read, other)) = self.low_bits_differ(*a, *mask) =>
            {
                self.value(read);
                self.value(other);
                self.code.sink().i64_sub();
                self.value(*mask);
                let mut sink = self.code.sink();
                sink.i64_and().i64_const(0);
                match sense {
                    Sense::AsIs => sink.i64_ne(),
                    Sense::Opposite => sink.i64_eq(),
                };
            }
            (_, Sense::Opposite) => {
                self.value(value);
                self.code.sink().i64_eqz();
            }
            (_, Sense::AsIs) if u32::try_from(self.ranges[value].most).is_ok() => {
                self.value(value);
                self.code.sink().i32_wrap_i64();
            }
            (_, Sense::AsIs) => {
                self.value(value);
                self.code.sink().i64_const(0).i64_ne();
            }
        }
    }

    /// What is read from the frame and what it is xored with, where low bits of that are asked for: those of the difference
    /// tell the same. Cranelift makes the load a part of the xor, and for that an address of its own; of what something is
    /// taken from it makes a plain load.
    fn low_bits_differ(&self, value: Value, mask: Value) -> Option<(Value, Value)> {
        let mask = self.ranges[mask].constant()?;
        let maker = |value: Value| match self.homes[value] {
            Home::Inline => self.makers[value].map(|inst| &inst.op),
            Home::Anew | Home::Local(_) | Home::Nowhere => None,
        };
        let Op::Binary(Binary::Xor, a, b) = maker(value)? else {
            return None;
        };
        let is_read = |value| matches!(maker(value), Some(Op::LoadFrame(_)));
        let (read, other) = if is_read(*a) { (*a, *b) } else { (*b, *a) };
        (mask & mask.wrapping_add(1) == 0 && is_read(read)).then_some((read, other))
    }

    fn is_bit(&self, value: Value) -> bool {
        self.ranges[value].most <= 1
    }

    fn compare(&mut self, op: Compare, a: Value, b: Value, sense: Sense) {
        let zero = self.ranges[b].constant() == Some(0);
        self.value(a);
        match (op, sense) {
            (Compare::Eq, Sense::AsIs) | (Compare::Ne, Sense::Opposite) if zero => {
                self.code.sink().i64_eqz();
                return;
            }
            (Compare::Eq | Compare::Ne | Compare::Lt | Compare::Le, _) => {}
        }
        self.value(b);
        let mut sink = self.code.sink();
        match (op, sense) {
            (Compare::Eq, Sense::AsIs) | (Compare::Ne, Sense::Opposite) => sink.i64_eq(),
            (Compare::Ne, Sense::AsIs) | (Compare::Eq, Sense::Opposite) => sink.i64_ne(),
            (Compare::Lt, Sense::AsIs) => sink.i64_lt_u(),
            (Compare::Lt, Sense::Opposite) => sink.i64_ge_u(),
            (Compare::Le, Sense::AsIs) => sink.i64_le_u(),
            (Compare::Le, Sense::Opposite) => sink.i64_gt_u(),
        };
    }

    /// Leaves what the instruction makes.
    fn op(&mut self, op: &Op) {
        match op {
            Op::Const(value) => self.code.i64(*value),
            Op::FrameLength => self.frame_length(),
            Op::Ingress => {
                let at = self.descriptor(descriptor::INTERFACE, 0);
                self.code
                    .sink()
                    .local_get(local::DESCRIPTOR)
                    .i64_load8_u(at);
            }
            Op::Worker => {
                self.code.i32(self.map.worker.offset);
                self.code.sink().i64_load32_u(memory(0, 2));
            }
            Op::Binary(op, a, b) => self.binary(*op, *a, *b),
            Op::Compare(op, a, b) => {
                self.compare(*op, *a, *b, Sense::AsIs);
                self.code.sink().i64_extend_i32_u();
            }
            Op::Select(c, a, b) => {
                self.value(*a);
                self.value(*b);
                self.condition(*c, Sense::AsIs);
                self.code.sink().select();
            }
            Op::Swap(bytes, a) => {
                self.value(*a);
                self.swap(*bytes);
            }
            Op::LoadFrame(access) => self.load_frame(*access),
            Op::StoreFrame(access, value) => self.store_frame(*access, *value),
            Op::Load(_, access) => self.load(*access),
            Op::Store(access, value) => self.store(*access, *value),
            Op::Raise(access, value) => self.raise(*access, *value),
            Op::Exchange(access, new, expected) => self.exchange(*access, *new, *expected),
            Op::Find(section, index, tag) => self.find(*section, *index, *tag),
            Op::Place(section, index, tag, now, idle) => {
                self.place(*section, *index, *tag, (*now, *idle));
            }
            Op::Count(section, index) => self.count(*section, *index),
        }
    }

    fn binary(&mut self, op: Binary, a: Value, b: Value) {
        self.value(a);
        self.value(b);
        let mut sink = self.code.sink();
        match op {
            Binary::Add => sink.i64_add(),
            Binary::Sub => sink.i64_sub(),
            Binary::Mul => sink.i64_mul(),
            Binary::And => sink.i64_and(),
            Binary::Or => sink.i64_or(),
            Binary::Xor => sink.i64_xor(),
            Binary::Shl => sink.i64_shl(),
            Binary::Shr => sink.i64_shr_u(),
            Binary::Div => sink.i64_div_u(),
            Binary::Rem => sink.i64_rem_u(),
        };
    }

    /// The local of a value that is kept between two blocks; none for one that is made anew.
    pub(crate) fn local_of(&self, value: Value) -> Option<u32> {
        match self.homes.get(value) {
            Some(Home::Local(index)) => Some(*index),
            Some(Home::Anew | Home::Inline | Home::Nowhere) | None => None,
        }
    }

    /// The locals of vectors.
    pub(crate) fn vectors(&self) -> [u32; search::VECTORS as usize] {
        let mut behind = self.locals;
        [(); search::VECTORS as usize].map(|()| {
            behind -= 1;
            behind
        })
    }
}
