//! Wide compares: tests of bytes of the frame that stand close together, and that lead to the same place where they fail,
//! become one masked compare.
//!
//! `frame.be1 +14 and 0xf0` equal to 0x40, and behind it `frame.be1 +14 and 15` equal to 5, are `eq frame.le1 +14, 0x45`. Only bytes
//! are read that are known to be there, and only before anything is written.

use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{
    Binary, BlockId, Compare, FrameAccess, Inst, Jump, Op, Order, Program, Terminator, Value,
};
use crate::proven::{self, Proven};
use crate::range::bytes_mask;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let proven = proven::at_begin(&program, &graph);
    let written = written(&program, &graph);
    let mut gone: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    let makers = program.makers();
    for id in graph.order() {
        if gone[*id] || written[*id] {
            continue;
        }
        let mut tests = tests(&program, *id, &makers);
        while let Some(joined) = tests
            .iter()
            .find_map(|test| join(&program, test, &proven[*id], &graph, &makers))
        {
            gone[joined.next] = true;
            append(&mut program, *id, &joined);
            tests = vec![joined.test];
        }
    }
    program.pruned()
}

/// Whether the frame may have been written before a block's end.
fn written(program: &Program, graph: &Graph) -> Arena<BlockId, bool> {
    let mut written: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    for id in graph.order() {
        let mut before = graph.predecessors(*id).iter();
        let before = before.any(|(from, _)| written[*from]);
        let mut insts = program.blocks[*id].insts.iter();
        written[*id] = before || insts.any(|inst| matches!(inst.op, Op::StoreFrame(..)));
    }
    written
}

/// What bytes must be: for each offset from the base a mask, and the bits under it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    base: Option<Value>,
    bytes: BTreeMap<u32, (u8, u8)>,
}

/// The end of a block that asks whether bytes are as wanted.
#[derive(Clone, Debug)]
struct Test {
    wanted: Wanted,
    pass: Jump,
    fail: Jump,
}

/// One load, a mask, and what must come of it.
struct Wide {
    access: FrameAccess,
    mask: u64,
    value: u64,
}

impl Wanted {
    /// Both at once; `None` where they contradict each other.
    fn and(&self, other: &Wanted) -> Option<Wanted> {
        if self.base != other.base {
            return None;
        }
        let mut both = self.clone();
        for (offset, (mask, bits)) in &other.bytes {
            let (known, mine) = both.bytes.entry(*offset).or_default();
            if (*mine ^ bits) & *known & mask != 0 {
                return None;
            }
            *known |= mask;
            *mine |= bits;
        }
        Some(both)
    }

    /// As one access to bytes that are there.
    fn wide(&self, proven: &Proven) -> Option<Wide> {
        let (first, _) = self.bytes.first_key_value()?;
        let (last, _) = self.bytes.last_key_value()?;
        let least = last - first + 1;
        let size = [1, 2, 4, 8].into_iter().find(|size| *size >= least)?;
        let starts = [Some(*first), (last + 1).checked_sub(size)];
        let start = starts.into_iter().flatten().find(|start| {
            let fits = *start <= *first && start + size > *last;
            fits && proven.covers(self.base, start + size)
        })?;
        let access = FrameAccess {
            base: self.base,
            offset: u16::try_from(start).ok()?,
            bytes: size as u8,
            order: Order::Little,
        };
        let (mut mask, mut value) = (0, 0);
        for (offset, (bits, wanted)) in &self.bytes {
            let shift = (offset - start) * 8;
            mask |= u64::from(*bits) << shift;
            value |= u64::from(*wanted) << shift;
        }
        Some(Wide {
            access,
            mask,
            value,
        })
    }
}

impl Wide {
    /// What it costs: a load, perhaps a mask, a compare; constants of more than 32 bits are instructions of their own.
    fn cost(&self) -> u32 {
        let masks = u32::from(self.mask != bytes_mask(self.access.bytes));
        let large = u32::from(self.access.bytes == 8);
        (1 + large) * (1 + masks) + 1
    }
}

/// The ways to read the end of a block as a test.
fn tests(program: &Program, id: BlockId, makers: &Arena<Value, Option<Op>>) -> Vec<Test> {
    let Terminator::If {
        condition,
        then,
        otherwise,
    } = &program.blocks[id].end
    else {
        return Vec::new();
    };
    let test = |wanted, is_then| {
        let (pass, fail) = if is_then {
            (then.clone(), otherwise.clone())
        } else {
            (otherwise.clone(), then.clone())
        };
        Test { wanted, pass, fail }
    };
    let constant = |value: Value| match makers[value] {
        Some(Op::Const(constant)) => Some(constant),
        Some(_) | None => None,
    };
    let mut found = Vec::new();
    if let Some(Op::Compare(op @ (Compare::Eq | Compare::Ne), a, b)) = makers[*condition] {
        let read = Bits::of(a, makers, 0).zip(constant(b));
        let wanted = read.and_then(|(bits, known)| bits.equal(known));
        found.extend(wanted.map(|wanted| test(wanted, op == Compare::Eq)));
    } else if let Some(bits) = Bits::of(*condition, makers, 0) {
        found.extend(bits.equal(0).map(|wanted| test(wanted, false)));
        // One bit that is not 0 is 1.
        let mut each = bits.from.iter().enumerate();
        let mut live = each.by_ref().filter(|(_, from)| from.is_some());
        if let (Some((index, _)), None) = (live.next(), live.next()) {
            found.extend(bits.equal(1 << index).map(|wanted| test(wanted, true)));
        }
    }
    found
}

/// Two tests as one.
struct Joined {
    test: Test,
    wide: Wide,
    /// The block of the second one.
    next: BlockId,
}

/// The test, and behind it that of the block where it passes, as one, where that costs less.
fn join(
    program: &Program,
    test: &Test,
    proven: &Proven,
    graph: &Graph,
    makers: &Arena<Value, Option<Op>>,
) -> Option<Joined> {
    let next = test.pass.to;
    let block = &program.blocks[next];
    let movable = block.insts.iter().all(|inst| {
        let beyond = matches!(inst.op, Op::LoadFrame(access) if !proven.allows(access));
        !beyond && !inst.op.has_effect()
    });
    if graph.predecessors(next).len() != 1 || !block.params.is_empty() || !movable {
        return None;
    }
    let first = test.wanted.wide(proven)?;
    let mut others = tests(program, next, makers).into_iter();
    others.find_map(|other| {
        let wanted = test.wanted.and(&other.wanted)?;
        let apart = first.cost() + other.wanted.wide(proven)?.cost();
        let wide = wanted.wide(proven)?;
        let pays = other.fail == test.fail && wide.cost() < apart;
        let test = Test { wanted, ..other };
        pays.then_some(Joined { test, wide, next })
    })
}

/// Puts the second block behind `id`, and both tests at its end.
fn append(program: &mut Program, id: BlockId, joined: &Joined) {
    let second = &mut program.blocks[joined.next];
    let (mut insts, place) = (std::mem::take(&mut second.insts), second.place);
    let mut make = |op| {
        let result = program.fresh();
        insts.push(Inst {
            result: Some(result),
            op,
            place,
        });
        result
    };
    let Wide {
        access,
        mask,
        value,
    } = joined.wide;
    let mut masked = make(Op::LoadFrame(access));
    if mask != bytes_mask(access.bytes) {
        let mask = make(Op::Const(mask));
        masked = make(Op::Binary(Binary::And, masked, mask));
    }
    let (pass, fail) = (joined.test.pass.clone(), joined.test.fail.clone());
    let (condition, then, otherwise) = if value == 0 {
        (masked, fail, pass)
    } else {
        let value = make(Op::Const(value));
        (make(Op::Compare(Compare::Eq, masked, value)), pass, fail)
    };
    let block = &mut program.blocks[id];
    block.insts.extend(insts);
    block.place = place;
    block.end = Terminator::If {
        condition,
        then,
        otherwise,
    };
}

/// Where the bits of a value come from: each is one of the frame, numbered by byte and from its lowest bit, or 0.
struct Bits {
    base: Option<Value>,
    from: [Option<u32>; 64],
}

/// A value that is made in more steps is not looked at.
const DEPTH_MAX: u32 = 8;

impl Bits {
    fn of(value: Value, makers: &Arena<Value, Option<Op>>, depth: u32) -> Option<Bits> {
        if depth > DEPTH_MAX {
            return None;
        }
        let of = |value| Bits::of(value, makers, depth + 1);
        match makers[value]? {
            Op::LoadFrame(access) => Some(Bits::loaded(access)),
            Op::Swap(bytes, a) => {
                let before = of(a)?;
                let size = usize::from(bytes) * 8;
                let reversed = move |bit: usize| size - 8 - bit / 8 * 8 + bit % 8;
                Some(before.moved(|bit| (bit < size).then(|| reversed(bit))))
            }
            Op::Binary(op, a, b) => {
                let Some(Op::Const(constant)) = makers[b] else {
                    return None;
                };
                let shift = (constant & 63) as usize;
                let place = |bit: usize| match op {
                    Binary::And => (constant >> bit & 1 == 1).then_some(bit),
                    Binary::Shl => bit.checked_sub(shift),
                    Binary::Shr => Some(bit + shift),
                    Binary::Add
                    | Binary::Sub
                    | Binary::Mul
                    | Binary::Or
                    | Binary::Xor
                    | Binary::Div
                    | Binary::Rem => None,
                };
                let moves = matches!(op, Binary::And | Binary::Shl | Binary::Shr);
                moves.then(|| of(a)).flatten().map(|bits| bits.moved(place))
            }
            Op::Const(_)
            | Op::FrameLength
            | Op::Ingress
            | Op::Worker
            | Op::Compare(..)
            | Op::Select(..)
            | Op::StoreFrame(..)
            | Op::Load(..)
            | Op::Store(..)
            | Op::Exchange(..)
            | Op::Raise(..)
            | Op::Find(..)
            | Op::Place(..)
            | Op::Count(..) => None,
        }
    }

    fn loaded(access: FrameAccess) -> Bits {
        let size = u32::from(access.bytes);
        let mut from = [None; 64];
        for (bit, place) in (0..size * 8).zip(&mut from) {
            let byte = match access.order {
                Order::Little => bit / 8,
                Order::Big => size - 1 - bit / 8,
            };
            *place = Some((u32::from(access.offset) + byte) * 8 + bit % 8);
        }
        Bits {
            base: access.base,
            from,
        }
    }

    /// Each bit is the one before that `place` names.
    fn moved(&self, place: impl Fn(usize) -> Option<usize>) -> Bits {
        let bit = |bit| self.from.get(place(bit)?).copied().flatten();
        Bits {
            base: self.base,
            from: std::array::from_fn(bit),
        }
    }

    /// What the bytes must be for the value to be this; `None` where it never is.
    fn equal(&self, value: u64) -> Option<Wanted> {
        let mut bytes: BTreeMap<u32, (u8, u8)> = BTreeMap::new();
        for (bit, from) in self.from.iter().enumerate() {
            let wanted = (value >> bit & 1) as u8;
            match from {
                Some(from) => {
                    let (mask, bits) = bytes.entry(from / 8).or_default();
                    *mask |= 1 << (from % 8);
                    *bits |= wanted << (from % 8);
                }
                None if wanted == 1 => return None,
                None => {}
            }
        }
        Some(Wanted {
            base: self.base,
            bytes,
        })
    }
}
