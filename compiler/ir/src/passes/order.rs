//! Byte order: where everything that is done with a value can be done with its bytes reversed, nothing is reversed.
//!
//! `eq frame.be2 +12, 0x0800` becomes `eq frame.le2 +12, 8`, a field that is only copied is copied as it lies, and
//! `frame.be6 +0 = swap.6 v1` becomes `frame.le6 +0 = v1`. Masks, `or`, `xor`, `select` and comparisons for equality
//! work on reversed bytes as well.

use super::Same;
use crate::arena::Arena;
use crate::eval;
use crate::graph::Graph;
use crate::program::{
    Binary, BlockId, Compare, FrameAccess, Inst, Op, Order, Program, Terminator, Value,
};
use crate::range::{self, Range, bytes_mask};

pub(super) fn run(mut program: Program) -> Program {
    let reversed = Reversed::of(&program);
    if reversed.widths.values().all(Option::is_none) {
        return program;
    }
    let ranges = range::of(&program, &Graph::of(&program));
    let mut same = Same::of(&program);
    let mut values = program.values;
    for block in program.blocks.values_mut() {
        let insts = std::mem::take(&mut block.insts);
        let mut rewrite = Rewrite {
            reversed: &reversed,
            ranges: &ranges,
            values,
            insts: Vec::with_capacity(insts.len()),
        };
        for inst in insts {
            rewrite.inst(inst, &mut same);
        }
        values = rewrite.values;
        block.insts = rewrite.insts;
    }
    program.values = values;
    same.apply(&mut program);
    program
}

/// The values that are kept with their bytes reversed.
struct Reversed {
    makers: Arena<Value, Option<Op>>,
    /// How many bytes are reversed; the higher ones are 0.
    widths: Arena<Value, Option<u8>>,
}

impl Reversed {
    /// The largest set of values whose every maker and every use goes along.
    fn of(program: &Program) -> Reversed {
        let makers = program.makers();
        let widths = makers.values().map(|_| None).collect();
        let mut reversed = Reversed { makers, widths };
        let order = program.reverse_postorder();
        for id in &order {
            for inst in &program.blocks[*id].insts {
                if let Some(result) = inst.result {
                    reversed.widths[result] = reversed.made(&inst.op);
                }
            }
        }
        while reversed.shrink(program, &order) {}
        reversed
    }

    fn constant(&self, value: Value) -> Option<u64> {
        match self.makers[value] {
            Some(Op::Const(constant)) => Some(constant),
            Some(_) | None => None,
        }
    }

    /// Whether an operand is reversed, or a constant that can be.
    fn fits(&self, value: Value, width: u8) -> bool {
        let constant = self
            .constant(value)
            .is_some_and(|known| known <= bytes_mask(width));
        constant || self.widths[value] == Some(width)
    }

    /// The width in which what `op` makes could be reversed.
    fn made(&self, op: &Op) -> Option<u8> {
        match op {
            Op::LoadFrame(FrameAccess {
                order: Order::Big,
                bytes,
                ..
            })
            | Op::Swap(bytes, _)
                if *bytes > 1 =>
            {
                Some(*bytes)
            }
            Op::Binary(Binary::And | Binary::Or | Binary::Xor, a, b) | Op::Select(_, a, b) => {
                let width = self.widths[*a].or(self.widths[*b])?;
                (self.fits(*a, width) && self.fits(*b, width)).then_some(width)
            }
            Op::Const(_)
            | Op::FrameLength
            | Op::Ingress
            | Op::Worker
            | Op::Binary(..)
            | Op::Compare(..)
            | Op::Swap(..)
            | Op::LoadFrame(_)
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

    /// Takes out what one of its uses cannot go along with; tells whether there was something.
    fn shrink(&mut self, program: &Program, order: &[BlockId]) -> bool {
        let mut shrunk = false;
        for id in order.iter().rev() {
            let block = &program.blocks[*id];
            // A condition is 0 in either order.
            let handed = block.end.jumps().flat_map(|jump| jump.args.iter().copied());
            let read = match &block.end {
                Terminator::If { .. } | Terminator::Jump(_) => None,
                Terminator::Bounds { .. } | Terminator::Return { .. } => block.end.operand(),
            };
            for value in handed.chain(read) {
                shrunk |= self.take_out(value);
            }
            for inst in block.insts.iter().rev() {
                shrunk |= self.shrink_at(inst);
            }
        }
        shrunk
    }

    fn shrink_at(&mut self, inst: &Inst) -> bool {
        let mut shrunk = false;
        if let Some(result) = inst.result
            && self.widths[result].is_some()
            && self.made(&inst.op) != self.widths[result]
        {
            shrunk |= self.take_out(result);
        }
        for value in inst.op.operands() {
            if let Some(width) = self.widths[value]
                && !self.goes_along(inst, value, width)
            {
                shrunk |= self.take_out(value);
            }
        }
        shrunk
    }

    /// Whether an instruction can use `value` with its bytes reversed.
    fn goes_along(&self, inst: &Inst, value: Value, width: u8) -> bool {
        match &inst.op {
            Op::Compare(Compare::Eq | Compare::Ne, a, b) => {
                self.fits(*a, width) && self.fits(*b, width)
            }
            Op::StoreFrame(
                FrameAccess {
                    order: Order::Big,
                    bytes,
                    base,
                    ..
                },
                _,
            ) => *bytes == width && *base != Some(value),
            Op::Swap(bytes, _) => *bytes == width && inst.result.is_none_or(|r| !self.is_in(r)),
            Op::Binary(Binary::And | Binary::Or | Binary::Xor, ..) => self.stays(inst, width),
            Op::Select(_, a, b) => ![*a, *b].contains(&value) || self.stays(inst, width),
            Op::Const(_)
            | Op::FrameLength
            | Op::Ingress
            | Op::Worker
            | Op::Binary(..)
            | Op::Compare(..)
            | Op::LoadFrame(_)
            | Op::StoreFrame(..)
            | Op::Load(..)
            | Op::Store(..)
            | Op::Exchange(..)
            | Op::Raise(..)
            | Op::Find(..)
            | Op::Place(..)
            | Op::Count(..) => false,
        }
    }

    fn is_in(&self, value: Value) -> bool {
        self.widths[value].is_some()
    }

    fn stays(&self, inst: &Inst, width: u8) -> bool {
        inst.result
            .is_some_and(|result| self.widths[result] == Some(width))
    }

    fn take_out(&mut self, value: Value) -> bool {
        self.widths[value].take().is_some()
    }
}

struct Rewrite<'a> {
    reversed: &'a Reversed,
    ranges: &'a Arena<Value, Range>,
    values: u32,
    insts: Vec<Inst>,
}

impl Rewrite<'_> {
    fn inst(&mut self, mut inst: Inst, same: &mut Same) {
        let width = inst.result.and_then(|result| self.reversed.widths[result]);
        let operand = inst
            .op
            .operands()
            .into_iter()
            .find_map(|v| self.reversed.widths[v]);
        match (&mut inst.op, width) {
            (Op::LoadFrame(access), Some(_)) => access.order = Order::Little,
            (Op::StoreFrame(access, _), _) if operand.is_some() => access.order = Order::Little,
            (Op::Swap(bytes, value), Some(_)) => {
                let (mask, value) = (bytes_mask(*bytes), *value);
                if self.ranges[value].most <= mask {
                    inst.result
                        .iter()
                        .for_each(|result| same.set(*result, value));
                    return;
                }
                let mask = self.constant(mask, &inst);
                inst.op = Op::Binary(Binary::And, value, mask);
            }
            (Op::Swap(_, value), None) if operand.is_some() => {
                let value = *value;
                inst.result
                    .iter()
                    .for_each(|result| same.set(*result, value));
                return;
            }
            (Op::Compare(..), _) => {
                if let Some(width) = operand {
                    self.constants(&mut inst, width);
                }
            }
            (_, Some(width)) => self.constants(&mut inst, width),
            (_, None) => {}
        }
        self.insts.push(inst);
    }

    /// Reverses the constants that an instruction works on.
    fn constants(&mut self, inst: &mut Inst, width: u8) {
        let mut op = inst.op;
        let mut reverse = |value: &mut Value| {
            if let Some(known) = self.reversed.constant(*value) {
                *value = self.constant(eval::swap(width, known), inst);
            }
        };
        if let Op::Select(_, a, b) = &mut op {
            reverse(a);
            reverse(b);
        } else {
            op.for_each_operand(reverse);
        }
        inst.op = op;
    }

    fn constant(&mut self, value: u64, like: &Inst) -> Value {
        let result = Value(self.values);
        self.values += 1;
        self.insts.push(Inst {
            result: Some(result),
            op: Op::Const(value),
            place: like.place,
        });
        result
    }
}
