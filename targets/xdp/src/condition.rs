//! Conditions of branches and picks: comparisons, and bits of a mask.

use lvsc_ir::program::{Binary, Compare, Op, Value};

use crate::insn::{Alu, Test, Width};
use crate::machine::{Condition, Operand};
use crate::select::Select;

impl Select<'_> {
    /// The condition that a value is not 0.
    pub(crate) fn condition(&mut self, value: Value) -> Condition {
        match self.makers[value] {
            Some(Op::Compare(op, a, b)) if self.fused[value] => self.compare(op, a, b),
            Some(Op::Binary(Binary::And, a, mask))
                if self.fused[value]
                    && let Some(mask) = self.known_constant(mask) =>
            {
                self.any_bit(a, mask)
            }
            Some(_) | None => Condition {
                test: Test::Ne,
                width: Width::Full,
                left: self.register(value),
                right: Operand::Immediate(0),
            },
        }
    }

    /// The condition that some bit of a mask is set.
    fn any_bit(&mut self, value: Value, mask: u64) -> Condition {
        /// The sign.
        const HIGHEST: u64 = 1 << 63;
        let left = self.register(value);
        let zero = Operand::Immediate(0);
        let half = u32::try_from(self.ranges[value].most).is_ok();
        let (test, width, left, right) = match (mask, i32::try_from(mask)) {
            (HIGHEST, _) => (Test::Below, Width::Full, left, zero),
            (_, Ok(mask)) => (Test::Set, Width::Full, left, Operand::Immediate(mask)),
            _ if half => (
                Test::Set,
                Width::Half,
                left,
                Operand::Immediate(mask as i32),
            ),
            _ if mask & mask.wrapping_add(1) == 0 => {
                let left = self.with(Alu::Shl, left, mask.leading_zeros() as i32);
                (Test::Ne, Width::Full, left, zero)
            }
            _ => {
                let mask = Operand::Register(self.constant(mask));
                (Test::Set, Width::Full, left, mask)
            }
        };
        Condition {
            test,
            width,
            left,
            right,
        }
    }

    pub(crate) fn compare(&mut self, op: Compare, a: Value, b: Value) -> Condition {
        let test = match op {
            Compare::Eq => Test::Eq,
            Compare::Ne => Test::Ne,
            Compare::Lt => Test::Lt,
            Compare::Le => Test::Le,
        };
        let (test, a, b) = match (self.known_constant(a), self.known_constant(b)) {
            (Some(_), None) => (test.turned(), b, a),
            _ => (test, a, b),
        };
        let small = |value: Value| u32::try_from(self.ranges[value].most).is_ok();
        let width = if small(a) && small(b) {
            Width::Half
        } else {
            Width::Full
        };
        Condition {
            test,
            width,
            left: self.register(a),
            right: self.operand(b, width),
        }
    }
}

/// A constant as an immediate: extended with its sign for the full width.
pub(crate) fn immediate(constant: u64, width: Width) -> Option<i32> {
    match width {
        Width::Half => u32::try_from(constant).ok().map(|word| word as i32),
        Width::Full => i32::try_from(constant as i64).ok(),
    }
}
