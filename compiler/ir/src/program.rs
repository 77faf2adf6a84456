//! Program, block, instruction. Their meaning is told in the crate's documentation.

use lvsc_abi::layout::SectionId;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use crate::arena::{Arena, Id};

/// A value: the parameter of a block, or what an instruction makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u32);

/// A block of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

impl Id for Value {
    fn at(index: usize) -> Value {
        Value(index as u32)
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Id for BlockId {
    fn at(index: usize) -> BlockId {
        BlockId(index as u32)
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What decides one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The blocks; the first one is the entry and has no parameters. Their order has no meaning.
    pub blocks: Arena<BlockId, Block>,
    /// Values are numbered from 0 up to this.
    pub values: u32,
}

/// Instructions in order, then where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Values that a jump hands over.
    pub params: Vec<Value>,
    /// What is done, in order.
    pub insts: Vec<Inst>,
    /// Where to go.
    pub end: Terminator,
    /// The construct of the policy that the end comes from.
    pub place: Place,
}

/// An instruction with its result and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inst {
    /// The value that it makes; `None` exactly for those whose [`Op::has_result`] is false.
    pub result: Option<Value>,
    /// What it does.
    pub op: Op,
    /// The construct of the policy.
    pub place: Place,
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `const 42`
    Const(u64),
    /// `frame.length`: length of the frame on arrival (bytes).
    FrameLength,
    /// `ingress`: index of the interface by which the packet came.
    Ingress,
    /// `worker`: number of the worker or CPU that runs this.
    Worker,
    /// `add a, b` and the like.
    Binary(Binary, Value, Value),
    /// `eq a, b` and the like: 1 or 0.
    Compare(Compare, Value, Value),
    /// `select c, a, b`: a where c is not 0, else b.
    Select(Value, Value, Value),
    /// `swap.n a`: the low n bytes of a in reverse order; the higher bytes become 0. n from 1 to 8.
    Swap(u8, Value),
    /// `frame.be4 v1+12`: reads from the frame.
    LoadFrame(FrameAccess),
    /// `frame.be4 v1+12 = v2`: writes the low bytes of the value to the frame.
    StoreFrame(FrameAccess, Value),
    /// `load.config8 backends.web[v1]+0`: reads from a section, little endian.
    Load(Class, SectionAccess),
    /// `store8 cursor.web[v1]+0 = v2`: writes to a section; always of class shared.
    Store(SectionAccess, Value),
    /// `exchange flows.web[v1] = v2 if v3`: atomically stores v2 where the eight-byte element equals v3; gives the
    /// element as it was before.
    Exchange(SectionAccess, Value, Value),
    /// `raise loads.web[v1]+0 by v2`: atomically adds v2 to eight bytes of a section; wraps.
    Raise(SectionAccess, Value),
    /// `find flows.web[v1], v2`: position (0 to 7) in bucket v1 of the valid entry with tag v2, else 8; see
    /// [`lvsc_abi::flows::find`]. A shared read of the bucket.
    Find(SectionId, Value, Value),
    /// `place flows.web[v1], v2, v3, v4`: position in bucket v1 of the first entry that has tag v2, is empty, or is older than
    /// v4 seconds at time v3, else 8; see [`lvsc_abi::flows::place`]. A shared read of the bucket.
    Place(SectionId, Value, Value, Value, Value),
    /// `count counters[v1]`: one packet more, and the frame's length on arrival more bytes.
    Count(SectionId, Value),
}

/// Arithmetic on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product, low 64 bits.
    Mul,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift to the left by the second value modulo 64.
    Shl,
    /// Shift to the right by the second value modulo 64, zeros come in.
    Shr,
    /// Quotient, unsigned; the divisor is a `const` other than 0.
    Div,
    /// Remainder, unsigned; the divisor is a `const` other than 0.
    Rem,
}

/// Unsigned comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

/// How the bytes of a frame access are read as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// First byte highest: wire order.
    Big,
    /// First byte lowest.
    Little,
}

/// What may be done with a load of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Written by the control plane only: equal loads in one program may be merged.
    Config,
    /// Written while packets flow: done exactly once, where it stands.
    Shared,
}

/// Which bytes of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameAccess {
    /// Offset in the frame to start from (bytes); `None` is the frame's first byte.
    pub base: Option<Value>,
    /// Further bytes.
    pub offset: u16,
    /// Number of bytes, 1 to 8.
    pub bytes: u8,
    /// How they are read.
    pub order: Order,
}

impl FrameAccess {
    /// Accesses of 1, 2, 4 or 8 bytes of which this one can be made: {offset in it, size (bytes)}, the lowest first. Those of
    /// which one of 7 bytes is made overlap.
    pub fn parts(&self) -> &'static [(u16, u8)] {
        match self.bytes {
            1 => &[(0, 1)],
            2 => &[(0, 2)],
            3 => &[(0, 2), (2, 1)],
            4 => &[(0, 4)],
            5 => &[(0, 4), (4, 1)],
            6 => &[(0, 4), (4, 2)],
            7 => &[(0, 4), (3, 4)],
            _ => &[(0, 8)],
        }
    }
}

/// Which bytes of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionAccess {
    /// The section.
    pub section: SectionId,
    /// The element; taken modulo the section's length.
    pub index: Value,
    /// Offset in the element (bytes).
    pub offset: u16,
    /// Number of bytes: 1, 2, 4 or 8; the access is aligned.
    pub bytes: u8,
}

/// Where to go at the end of a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Terminator {
    /// `jump b1(v1, v2)`
    Jump(Jump),
    /// `if v1 b1() else b2()`: to the first where the value is not 0.
    If {
        /// The condition.
        condition: Value,
        /// Where it is not 0.
        then: Jump,
        /// Where it is 0.
        otherwise: Jump,
    },
    /// `bounds v1+20 b1() else b2()`: to the first when `length` bytes from `base` on lie inside the frame.
    Bounds {
        /// Offset in the frame (bytes), below 2^16; `None` is the frame's first byte.
        base: Option<Value>,
        /// Bytes that must be there.
        length: u16,
        /// Where they are.
        then: Jump,
        /// Where they are not.
        otherwise: Jump,
    },
    /// `return send v1`
    Return {
        /// What becomes of the packet.
        verdict: Verdict,
        /// Index of the interface; given exactly with `Send`.
        interface: Option<Value>,
    },
}

/// A block to go to, and the values for its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jump {
    /// The block.
    pub to: BlockId,
    /// One value for each of its parameters.
    pub args: Vec<Value>,
}

impl Jump {
    /// A jump to a block without parameters.
    pub fn to(to: BlockId) -> Jump {
        Jump {
            to,
            args: Vec::new(),
        }
    }
}

impl Op {
    /// Whether the instruction makes a value.
    pub fn has_result(&self) -> bool {
        match self {
            Op::StoreFrame(..) | Op::Store(..) | Op::Raise(..) | Op::Count(..) => false,
            Op::Const(_)
            | Op::FrameLength
            | Op::Ingress
            | Op::Worker
            | Op::Binary(..)
            | Op::Compare(..)
            | Op::Select(..)
            | Op::Swap(..)
            | Op::LoadFrame(_)
            | Op::Load(..)
            | Op::Exchange(..)
            | Op::Find(..)
            | Op::Place(..) => true,
        }
    }

    /// Whether it must stay where it is: it changes something, or reads what others change.
    pub fn has_effect(&self) -> bool {
        match self {
            Op::StoreFrame(..)
            | Op::Store(..)
            | Op::Raise(..)
            | Op::Exchange(..)
            | Op::Find(..)
            | Op::Place(..)
            | Op::Count(..)
            | Op::Load(Class::Shared, _) => true,
            Op::Const(_)
            | Op::FrameLength
            | Op::Ingress
            | Op::Worker
            | Op::Binary(..)
            | Op::Compare(..)
            | Op::Select(..)
            | Op::Swap(..)
            | Op::LoadFrame(_)
            | Op::Load(Class::Config, _) => false,
        }
    }

    /// The values that it reads, in the order in which they are written.
    pub fn operands(&self) -> impl Iterator<Item = Value> + use<> {
        let found = match *self {
            Op::Const(_) | Op::FrameLength | Op::Ingress | Op::Worker => [None; 4],
            Op::Swap(_, a) | Op::Count(_, a) => [Some(a), None, None, None],
            Op::Binary(_, a, b) | Op::Compare(_, a, b) | Op::Find(_, a, b) => {
                [Some(a), Some(b), None, None]
            }
            Op::Select(a, b, c) => [Some(a), Some(b), Some(c), None],
            Op::Place(_, a, b, c, d) => [Some(a), Some(b), Some(c), Some(d)],
            Op::LoadFrame(access) => [access.base, None, None, None],
            Op::StoreFrame(access, value) => [access.base, Some(value), None, None],
            Op::Load(_, access) => [Some(access.index), None, None, None],
            Op::Store(access, value) | Op::Raise(access, value) => {
                [Some(access.index), Some(value), None, None]
            }
            Op::Exchange(access, new, expected) => {
                [Some(access.index), Some(new), Some(expected), None]
            }
        };
        found.into_iter().flatten()
    }

    /// Calls `visit` with each value that it reads.
    pub fn for_each_operand(&mut self, mut visit: impl FnMut(&mut Value)) {
        match self {
            Op::Const(_) | Op::FrameLength | Op::Ingress | Op::Worker => {}
            Op::Swap(_, a) | Op::Count(_, a) => visit(a),
            Op::Binary(_, a, b) | Op::Compare(_, a, b) | Op::Find(_, a, b) => {
                visit(a);
                visit(b);
            }
            Op::Select(a, b, c) => [a, b, c].into_iter().for_each(visit),
            Op::Place(_, a, b, c, d) => [a, b, c, d].into_iter().for_each(visit),
            Op::LoadFrame(access) => access.base.iter_mut().for_each(visit),
            Op::StoreFrame(access, value) => {
                access.base.iter_mut().for_each(&mut visit);
                visit(value);
            }
            Op::Load(_, access) => visit(&mut access.index),
            Op::Store(access, value) | Op::Raise(access, value) => {
                visit(&mut access.index);
                visit(value);
            }
            Op::Exchange(access, new, expected) => {
                visit(&mut access.index);
                visit(new);
                visit(expected);
            }
        }
    }
}

impl Terminator {
    /// The values that it reads, jump arguments included.
    pub fn operands(&self) -> impl Iterator<Item = Value> {
        let args = self.jumps().flat_map(|jump| jump.args.iter().copied());
        self.operand().into_iter().chain(args)
    }

    /// The value that it reads itself: a condition, a base, an interface.
    pub fn operand(&self) -> Option<Value> {
        match self {
            Terminator::Jump(_) => None,
            Terminator::If { condition, .. } => Some(*condition),
            Terminator::Bounds { base, .. } => *base,
            Terminator::Return { interface, .. } => *interface,
        }
    }

    /// Calls `visit` with each value that it reads, jump arguments included.
    pub fn for_each_operand(&mut self, mut visit: impl FnMut(&mut Value)) {
        match self {
            Terminator::Jump(jump) => jump.args.iter_mut().for_each(visit),
            Terminator::If {
                condition,
                then,
                otherwise,
            } => {
                visit(condition);
                then.args
                    .iter_mut()
                    .chain(&mut otherwise.args)
                    .for_each(visit);
            }
            Terminator::Bounds {
                base,
                then,
                otherwise,
                ..
            } => {
                base.iter_mut().for_each(&mut visit);
                then.args
                    .iter_mut()
                    .chain(&mut otherwise.args)
                    .for_each(visit);
            }
            Terminator::Return { interface, .. } => interface.iter_mut().for_each(visit),
        }
    }

    /// Where it may go, in the order in which it is written.
    pub fn jumps(&self) -> impl DoubleEndedIterator<Item = &Jump> {
        match self {
            Terminator::Jump(jump) => Upto2(Some(jump), None),
            Terminator::If {
                then, otherwise, ..
            }
            | Terminator::Bounds {
                then, otherwise, ..
            } => Upto2(Some(then), Some(otherwise)),
            Terminator::Return { .. } => Upto2(None, None),
        }
    }

    /// Where it may go, to be changed.
    pub fn jumps_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Jump> {
        match self {
            Terminator::Jump(jump) => Upto2(Some(jump), None),
            Terminator::If {
                then, otherwise, ..
            }
            | Terminator::Bounds {
                then, otherwise, ..
            } => Upto2(Some(then), Some(otherwise)),
            Terminator::Return { .. } => Upto2(None, None),
        }
    }
}

/// Up to two, the second only behind a first; quick, for every walk over a program goes through it.
struct Upto2<T>(Option<T>, Option<T>);

impl<T> Iterator for Upto2<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        std::mem::replace(&mut self.0, self.1.take())
    }
}

impl<T> DoubleEndedIterator for Upto2<T> {
    fn next_back(&mut self) -> Option<T> {
        self.1.take().or_else(|| self.0.take())
    }
}

impl Program {
    /// The entry.
    pub const ENTRY: BlockId = BlockId(0);

    /// A program without blocks.
    pub fn new() -> Program {
        Program {
            blocks: Arena::new(),
            values: 0,
        }
    }

    /// What makes each value; none for parameters.
    pub fn makers(&self) -> Arena<Value, Option<Op>> {
        let mut makers: Arena<Value, Option<Op>> = (0..self.values).map(|_| None).collect();
        for inst in self.blocks.values().flat_map(|block| &block.insts) {
            if let Some(result) = inst.result {
                makers[result] = Some(inst.op);
            }
        }
        makers
    }

    /// The number that each value is, where it is a constant.
    pub fn constants(&self) -> Arena<Value, Option<u64>> {
        let mut constants: Arena<Value, Option<u64>> = (0..self.values).map(|_| None).collect();
        for inst in self.blocks.values().flat_map(|block| &block.insts) {
            if let (Some(result), Op::Const(value)) = (inst.result, inst.op) {
                constants[result] = Some(value);
            }
        }
        constants
    }

    /// A value that nothing makes yet.
    pub fn fresh(&mut self) -> Value {
        self.values += 1;
        Value(self.values - 1)
    }
}

impl Default for Program {
    fn default() -> Program {
        Program::new()
    }
}
