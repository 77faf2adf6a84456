//! The machine's program before it has registers: blocks of instructions on virtual ones, each made once.

use lvsc_abi::layout::SectionId;
use lvsc_abi::place::Place;
use lvsc_ir::arena::{Arena, Id};

use crate::insn::{Alu, Source, Test, Width};

/// A virtual register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Virtual(pub(crate) u32);

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label(pub(crate) u32);

impl Id for Label {
    fn at(index: usize) -> Label {
        Label(index as u32)
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// An operand of an instruction.
pub(crate) type Operand = Source<Virtual>;

/// What the loader gives an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Symbol {
    /// A section of the image.
    Section(SectionId),
    /// For each CPU the interface by which the last packet was redirected.
    Egress,
    /// The map of devices.
    Devices,
    /// The map of sockets.
    Sockets,
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inst {
    /// The program's argument.
    Context(Virtual),
    Constant(Virtual, u64),
    /// An address, and bytes behind it.
    Address(Virtual, Symbol, u32),
    Alu(Alu, Width, Virtual, Virtual, Operand),
    /// The low bits reversed byte by byte: 16, 32 or 64 of them.
    Swap(i32, Virtual, Virtual),
    Load(u8, Virtual, Virtual, i16),
    Store(u8, Virtual, i16, Operand),
    /// The old value; where the eight bytes equal the last one they become the one before it.
    Exchange(Virtual, Virtual, i16, Virtual, Virtual),
    /// Adds the last one to eight bytes, whoever else does so at the same time.
    AddTo(Virtual, i16, Virtual),
    /// The number of the CPU.
    Cpu(Virtual),
    /// `bpf_redirect_map(map, key, flags)`: the verdict.
    Redirect(Virtual, [Virtual; 3]),
    /// The third where the condition holds, else the fourth.
    Pick(Condition, Virtual, Virtual, Operand),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) test: Test,
    pub(crate) width: Width,
    pub(crate) left: Virtual,
    pub(crate) right: Operand,
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Jump(Label, Vec<Virtual>),
    /// Without values: whoever wants them goes over a block of its own.
    If(Condition, Label, Label),
    /// With this verdict.
    Exit(i32),
    /// With a verdict that a call gave.
    ExitWith(Virtual),
}

/// A block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) params: Vec<Virtual>,
    pub(crate) insts: Vec<(Inst, Place)>,
    pub(crate) end: Option<(End, Place)>,
}

/// A program; the first block is its entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) blocks: Arena<Label, Block>,
    pub(crate) virtuals: u32,
    /// Those that nearly all of the program needs: registers that calls leave alone are best for them.
    pub(crate) lasting: Vec<Virtual>,
}

impl Machine {
    pub(crate) fn fresh(&mut self) -> Virtual {
        self.virtuals += 1;
        Virtual(self.virtuals - 1)
    }

    pub(crate) fn open(&mut self) -> Label {
        self.blocks.push(Block::default())
    }

    /// Without instructions that only make what nobody reads.
    pub(crate) fn without_dead(mut self) -> Machine {
        while self.drop_dead() {}
        self
    }

    /// Tells whether there were any.
    fn drop_dead(&mut self) -> bool {
        let mut read = vec![false; self.virtuals as usize];
        let mut reads = |operand: Virtual| read[operand.0 as usize] = true;
        for block in self.blocks.values() {
            for (inst, _) in &block.insts {
                inst.operands().for_each(&mut reads);
            }
            if let Some((end, _)) = &block.end {
                end.operands().into_iter().for_each(&mut reads);
            }
        }
        let mut dropped = false;
        for block in self.blocks.values_mut() {
            let before = block.insts.len();
            block.insts.retain(|(inst, _)| {
                let made = inst.only_makes();
                made.is_none_or(|made| read[made.0 as usize])
            });
            dropped |= block.insts.len() < before;
        }
        dropped
    }
}

impl Condition {
    fn operands(self) -> impl Iterator<Item = Virtual> {
        [Some(self.left), register(self.right)]
            .into_iter()
            .flatten()
    }
}

fn register(operand: Operand) -> Option<Virtual> {
    match operand {
        Source::Register(register) => Some(register),
        Source::Immediate(_) => None,
    }
}

impl Inst {
    /// What it makes, where it does nothing else.
    fn only_makes(&self) -> Option<Virtual> {
        match *self {
            Inst::Constant(made, _)
            | Inst::Address(made, ..)
            | Inst::Alu(_, _, made, ..)
            | Inst::Swap(_, made, _)
            | Inst::Load(_, made, ..)
            | Inst::Pick(_, made, ..) => Some(made),
            Inst::Context(_)
            | Inst::Store(..)
            | Inst::Exchange(..)
            | Inst::AddTo(..)
            | Inst::Cpu(_)
            | Inst::Redirect(..) => None,
        }
    }

    /// The registers that it reads.
    fn operands(&self) -> impl Iterator<Item = Virtual> {
        let (plain, sources, condition) = match *self {
            Inst::Context(_) | Inst::Constant(..) | Inst::Address(..) | Inst::Cpu(_) => {
                ([None; 3], [None; 2], None)
            }
            Inst::Alu(.., a, b) => ([Some(a), None, None], [Some(b), None], None),
            Inst::Swap(_, _, a) | Inst::Load(_, _, a, _) => {
                ([Some(a), None, None], [None; 2], None)
            }
            Inst::Store(_, base, _, value) => ([Some(base), None, None], [Some(value), None], None),
            Inst::Exchange(_, base, _, new, expected) => {
                ([Some(base), Some(new), Some(expected)], [None; 2], None)
            }
            Inst::AddTo(base, _, value) => ([Some(base), Some(value), None], [None; 2], None),
            Inst::Redirect(_, arguments) => (arguments.map(Some), [None; 2], None),
            Inst::Pick(condition, _, yes, no) => {
                ([Some(yes), None, None], [Some(no), None], Some(condition))
            }
        };
        let sources = sources.into_iter().flatten().filter_map(register);
        let asked = condition.into_iter().flat_map(Condition::operands);
        plain.into_iter().flatten().chain(sources).chain(asked)
    }
}

impl End {
    fn operands(&self) -> Vec<Virtual> {
        match self {
            End::Jump(_, arguments) => arguments.clone(),
            End::If(condition, ..) => condition.operands().collect(),
            End::ExitWith(value) => vec![*value],
            End::Exit(_) => Vec::new(),
        }
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = Label> {
        let found = match self {
            End::Jump(to, _) => [Some(*to), None],
            End::If(_, yes, no) => [Some(*yes), Some(*no)],
            End::Exit(_) | End::ExitWith(_) => [None, None],
        };
        found.into_iter().flatten()
    }

    pub(crate) fn targets_mut(&mut self) -> impl Iterator<Item = &mut Label> {
        let found = match self {
            End::Jump(to, _) => [Some(to), None],
            End::If(_, yes, no) => [Some(yes), Some(no)],
            End::Exit(_) | End::ExitWith(_) => [None, None],
        };
        found.into_iter().flatten()
    }
}
