//! Instructions in their final order: registers filled in, blocks that fall through, jumps that know how far.

use lvsc_abi::place::Place;
use regalloc2::{Allocation, Block, Edit, InstOrEdit, Output, SpillSlot};

use crate::insn::{Alu, FRAME, Insn, R0, Reg, Source, Test, Width};
use crate::jumps::{Jumps, TooFar};
use crate::machine::{Condition, End, Inst, Operand, Symbol};
use crate::regalloc::{Flat, Item, reg};

/// `bpf_get_smp_processor_id`
pub(crate) const HELPER_CPU: i32 = 8;
/// `bpf_redirect_map`
pub(crate) const HELPER_REDIRECT_MAP: i32 = 51;

/// Code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Code {
    /// An instruction that sets all 64 bits takes two places.
    pub(crate) insns: Vec<Insn>,
    /// Where an address is filled in, and whose; the instruction's immediate is what is added to it.
    pub(crate) relocations: Vec<(usize, Symbol)>,
    /// Which construct begins at an instruction, by rising instruction.
    pub(crate) places: Vec<(usize, Place)>,
    /// Bytes of the stack that are used.
    pub(crate) stack: u64,
}

/// Writes the code, whose jumps go at most `reach` far (instructions).
pub(crate) fn assemble(flat: &Flat, output: &Output, reach: u16) -> Result<Code, TooFar> {
    let count = flat.successors.len();
    let mut onward: Vec<Option<Block>> = Vec::with_capacity(count);
    for index in 0..count {
        onward.push(flat.only_jumps(output, Block::new(index)));
    }
    let placed = placed(flat, &onward);
    let mut writer = Writer {
        flat,
        onward,
        code: Code {
            stack: output.num_spillslots as u64 * 8,
            ..Code::default()
        },
        jumps: Jumps::of(count, reach),
        next: None,
        falls: false,
    };
    for (index, block) in placed.iter().enumerate() {
        writer.begin(output, *block);
        writer.next = placed.get(index + 1).copied();
        writer.block(output, *block);
    }
    writer.jumps.check()?;
    Ok(writer.code)
}

/// The blocks that are reached where each jump goes on past those that only jump, in their order.
fn placed(flat: &Flat, onward: &[Option<Block>]) -> Vec<Block> {
    let mut reached = vec![false; onward.len()];
    reached[target(onward, Block::new(0)).index()] = true;
    let mut placed = Vec::new();
    for index in 0..onward.len() {
        if reached[index] {
            placed.push(Block::new(index));
            for to in &flat.successors[index] {
                reached[target(onward, *to).index()] = true;
            }
        }
    }
    placed
}

fn target(onward: &[Option<Block>], mut block: Block) -> Block {
    while let Some(further) = onward[block.index()] {
        block = further;
    }
    block
}

struct Writer<'a> {
    flat: &'a Flat,
    onward: Vec<Option<Block>>,
    code: Code,
    jumps: Jumps,
    /// The block that is written next.
    next: Option<Block>,
    /// Whether what is written so far goes on into it.
    falls: bool,
}

/// An instruction of the machine and an edit are at most so many.
const LARGEST: usize = 3;

impl Writer<'_> {
    /// Jumps to the block come here.
    fn begin(&mut self, output: &Output, block: Block) {
        let size = self.flat.filled(output, block).count() * LARGEST;
        let insns = &mut self.code.insns;
        self.jumps.relay(insns, block, size, self.falls);
        self.jumps.land(insns, block);
    }

    fn block(&mut self, output: &Output, block: Block) {
        let flat = self.flat;
        for one in flat.filled(output, block) {
            match one {
                InstOrEdit::Edit(Edit::Move { from, to }) => self.shift(*from, *to),
                InstOrEdit::Inst(index) => {
                    let (item, place) = &flat.items[index.index()];
                    let before = self.code.insns.len();
                    let registers = Registers(output.inst_allocs(index));
                    match item {
                        Item::Inst(inst) => self.inst(inst, registers),
                        Item::End(end) => self.end(end, registers, block),
                    }
                    if self.code.insns.len() > before {
                        self.note(before, *place);
                    }
                }
            }
        }
    }

    /// The instruction at `index` comes from here.
    fn note(&mut self, index: usize, place: Place) {
        let last = self.code.places.last();
        if place.line > 0 && last.is_none_or(|(_, last)| *last != place) {
            self.code.places.push((index, place));
        }
    }

    fn push(&mut self, insn: Insn) {
        self.code.insns.push(insn);
    }

    fn wide(&mut self, to: Reg, value: u64) {
        self.code.insns.extend(Insn::wide(to, value));
    }

    /// What regalloc2 wants moved: between registers, or a register and the stack.
    fn shift(&mut self, from: Allocation, to: Allocation) {
        if from == to {
            return;
        }
        let slot = |allocation: Allocation| {
            let slot = allocation.as_stack().map_or(0, SpillSlot::index);
            -8 * (slot as i16 + 1)
        };
        match (reg(from), reg(to)) {
            (Some(from), Some(to)) => self.push(Insn::copy(to, from)),
            (Some(from), None) => {
                self.push(Insn::store(8, FRAME, slot(to), Source::Register(from)));
            }
            (None, Some(to)) => self.push(Insn::load(8, to, FRAME, slot(from))),
            (None, None) => unreachable!("regalloc2 moves through a register"),
        }
    }

    fn inst(&mut self, inst: &Inst, at: Registers<'_>) {
        match inst {
            Inst::Context(_) => {}
            Inst::Constant(_, value) => self.constant(at.of(0), *value),
            Inst::Address(_, symbol, offset) => {
                let index = self.code.insns.len();
                self.code.relocations.push((index, *symbol));
                self.wide(at.of(0), u64::from(*offset));
            }
            Inst::Alu(op, width, _, _, source) => {
                let source = at.source(*source, 2);
                if !is_nothing(*op, *width, source) {
                    self.push(Insn::alu(*op, *width, at.of(0), source));
                }
            }
            Inst::Swap(bits, ..) => self.push(Insn::swap(at.of(0), *bits)),
            Inst::Load(bytes, _, _, offset) => {
                self.push(Insn::load(*bytes, at.of(0), at.of(1), *offset));
            }
            Inst::Store(bytes, _, offset, value) => {
                let value = at.source(*value, 1);
                self.push(Insn::store(*bytes, at.of(0), *offset, value));
            }
            Inst::Exchange(_, _, offset, ..) => {
                self.push(Insn::exchange(at.of(1), *offset, at.of(2)));
            }
            Inst::AddTo(_, offset, _) => self.push(Insn::add_to(at.of(0), *offset, at.of(1))),
            Inst::Cpu(_) => self.push(Insn::call(HELPER_CPU)),
            Inst::Redirect(..) => self.push(Insn::call(HELPER_REDIRECT_MAP)),
            Inst::Pick(condition, _, _, no) => {
                let right = at.source(condition.right, 3);
                let behind = match condition.right {
                    Source::Register(_) => 4,
                    Source::Immediate(_) => 3,
                };
                self.push(Insn::branch(
                    condition.test,
                    condition.width,
                    at.of(2),
                    right,
                    1,
                ));
                self.push(match at.source(*no, behind) {
                    Source::Register(no) => Insn::copy(at.of(0), no),
                    Source::Immediate(no) => Insn::set(Width::Full, at.of(0), no),
                });
            }
        }
    }

    fn constant(&mut self, to: Reg, value: u64) {
        if let Ok(word) = u32::try_from(value) {
            self.push(Insn::set(Width::Half, to, word as i32));
        } else if let Ok(small) = i32::try_from(value as i64) {
            self.push(Insn::set(Width::Full, to, small));
        } else {
            self.wide(to, value);
        }
    }

    fn end(&mut self, end: &End, at: Registers<'_>, block: Block) {
        let successors = &self.flat.successors[block.index()];
        let to = |index: usize| target(&self.onward, successors[index]);
        self.falls = false;
        match end {
            End::Jump(..) => self.jump(to(0)),
            End::If(condition, ..) => self.branch(condition, at, to(0), to(1)),
            End::Exit(verdict) => {
                self.push(Insn::set(Width::Half, R0, *verdict));
                self.push(Insn::exit());
            }
            End::ExitWith(_) => self.push(Insn::exit()),
        }
    }

    fn jump(&mut self, to: Block) {
        self.falls = self.next == Some(to);
        if !self.falls {
            self.jumps.wait(self.code.insns.len(), to);
            self.push(Insn::jump());
        }
    }

    fn branch(&mut self, condition: &Condition, at: Registers<'_>, yes: Block, no: Block) {
        if yes == no {
            return self.jump(yes);
        }
        let (test, yes, no) = if self.next == Some(yes) {
            (condition.test.opposite(), no, yes)
        } else {
            (condition.test, yes, no)
        };
        let (test, yes, no) = if test == Test::Clear {
            (Test::Set, no, yes)
        } else {
            (test, yes, no)
        };
        self.jumps.wait(self.code.insns.len(), yes);
        let right = at.source(condition.right, 1);
        self.push(Insn::branch(test, condition.width, at.of(0), right, 0));
        self.jump(no);
    }
}

/// The registers of an instruction, in the order of its operands.
#[derive(Clone, Copy)]
struct Registers<'a>(&'a [Allocation]);

impl Registers<'_> {
    fn of(self, index: usize) -> Reg {
        let allocation = self.0.get(index).copied();
        allocation
            .and_then(reg)
            .expect("every operand is in a register")
    }

    fn source(self, source: Operand, index: usize) -> Source<Reg> {
        match source {
            Source::Register(_) => Source::Register(self.of(index)),
            Source::Immediate(value) => Source::Immediate(value),
        }
    }
}

/// Whether the operation leaves its operand as it is.
fn is_nothing(op: Alu, width: Width, source: Source<Reg>) -> bool {
    let zero = source == Source::Immediate(0) && width == Width::Full;
    zero && matches!(
        op,
        Alu::Add | Alu::Sub | Alu::Or | Alu::Xor | Alu::Shl | Alu::Shr
    )
}
