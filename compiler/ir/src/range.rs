//! Between which numbers each value lies. Knows instructions one by one, no way through the program.

use lvsc_abi::flows::ABSENT;

use crate::arena::Arena;
use crate::graph::{self, Graph};
use crate::program::{Binary, Op, Program, Value};

/// A value lies between these two, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The smallest that it can be.
    pub least: u64,
    /// The largest that it can be.
    pub most: u64,
}

impl Range {
    /// Nothing is known.
    pub const ALL: Range = Range {
        least: 0,
        most: u64::MAX,
    };

    /// From 0 up to `most`.
    pub fn up_to(most: u64) -> Range {
        Range { least: 0, most }
    }

    /// Exactly this.
    pub fn exactly(value: u64) -> Range {
        Range {
            least: value,
            most: value,
        }
    }

    /// The number, where there is only one.
    pub fn constant(self) -> Option<u64> {
        (self.least == self.most).then_some(self.most)
    }

    /// Every bit that may be set.
    pub fn bits(self) -> u64 {
        self.constant().unwrap_or(ones(self.most))
    }

    /// Either of both.
    #[must_use]
    pub fn join(self, other: Range) -> Range {
        Range {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }
}

/// The range of each value.
pub fn of(program: &Program, graph: &Graph) -> Arena<Value, Range> {
    let mut found: Arena<Value, Range> = (0..program.values).map(|_| Range::ALL).collect();
    for id in graph.order() {
        let block = &program.blocks[*id];
        for (index, param) in block.params.iter().enumerate() {
            let args = graph.predecessors(*id).iter().map(|edge| {
                let arg = graph::jump(program, *edge).args.get(index);
                arg.map_or(Range::ALL, |arg| found[*arg])
            });
            found[*param] = args.reduce(Range::join).unwrap_or(Range::ALL);
        }
        for inst in &block.insts {
            if let Some(result) = inst.result {
                found[result] = of_op(&inst.op, |value| found[value]);
            }
        }
    }
    found
}

/// The range of what `op` makes, `known` telling that of the operands.
pub fn of_op(op: &Op, known: impl Fn(Value) -> Range) -> Range {
    match op {
        Op::Const(value) => Range::exactly(*value),
        Op::FrameLength => Range::up_to(u64::from(u16::MAX)),
        Op::Ingress => Range::up_to(u64::from(u8::MAX)),
        Op::Worker => Range::up_to(u64::from(u32::MAX)),
        Op::Binary(op, a, b) => of_binary(*op, known(*a), known(*b)),
        Op::Compare(..) => Range::up_to(1),
        Op::Select(_, a, b) => known(*a).join(known(*b)),
        Op::Swap(bytes, _) => Range::up_to(bytes_mask(*bytes)),
        Op::LoadFrame(access) => Range::up_to(bytes_mask(access.bytes)),
        Op::Load(_, access) => Range::up_to(bytes_mask(access.bytes)),
        Op::Find(..) | Op::Place(..) => Range::up_to(ABSENT),
        Op::Exchange(..) | Op::StoreFrame(..) | Op::Store(..) | Op::Raise(..) | Op::Count(..) => {
            Range::ALL
        }
    }
}

fn of_binary(op: Binary, a: Range, b: Range) -> Range {
    let between = |least: Option<u64>, most: Option<u64>| match (least, most) {
        (Some(least), Some(most)) => Range { least, most },
        _ => Range::ALL,
    };
    match op {
        Binary::Add => between(a.least.checked_add(b.least), a.most.checked_add(b.most)),
        Binary::Sub => between(a.least.checked_sub(b.most), a.most.checked_sub(b.least)),
        Binary::Mul => between(a.least.checked_mul(b.least), a.most.checked_mul(b.most)),
        Binary::And => Range::up_to(a.most.min(b.most)),
        Binary::Or => Range {
            least: a.least.max(b.least),
            most: ones(a.most | b.most),
        },
        Binary::Xor => Range::up_to(ones(a.most | b.most)),
        Binary::Shl if b.most <= u64::from(a.most.leading_zeros()) && b.most < 64 => Range {
            least: a.least << b.least,
            most: a.most << b.most,
        },
        Binary::Shl => Range::ALL,
        Binary::Shr if b.most < 64 => Range {
            least: a.least >> b.most,
            most: a.most >> b.least,
        },
        Binary::Shr => Range::up_to(a.most),
        Binary::Div => Range {
            least: a.least / b.most.max(1),
            most: a.most / b.least.max(1),
        },
        Binary::Rem => Range::up_to(a.most.min(b.most.saturating_sub(1))),
    }
}

/// The low `bytes` bytes, all ones; `bytes` from 1 to 8.
pub fn bytes_mask(bytes: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(bytes.clamp(1, 8)))
}

/// The smallest number of the form 2^n - 1 that is not below `value`.
fn ones(value: u64) -> u64 {
    u64::MAX.checked_shr(value.leading_zeros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn values_stay_between_what_is_known_of_them() {
        let source = "b0:\n  v0 = frame.length\n  v1 = const 12\n  v2 = shr v0, v1\n  \
            v3 = add v2, v1\n  v4 = or v3, v1\n  v5 = sub v0, v1\n  v6 = rem v5, v1\n  \
            v7 = shl v1, v1\n  v8 = swap.6 v5\n  if v5 b1(v7) else b1(v3)\n\
            b1(v9):\n  return drop\n";
        let program = text::parse(source).expect("it parses").program;
        let found = of(&program, &Graph::of(&program));
        let shown: Vec<(u64, u64)> = found.values().map(|r| (r.least, r.most)).collect();
        let expected = [
            (0, 65_535),
            (12, 12),
            (0, 15),
            (12, 27),
            (12, 31),
            (0, u64::MAX),
            (0, 11),
            (12 << 12, 12 << 12),
            (0, 0xffff_ffff_ffff),
            (12, 12 << 12),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn bits_cover_every_bit_up_to_the_highest() {
        let bits = |most| Range::up_to(most).bits();
        assert_eq!([0, 1, 5, 256, u64::MAX].map(bits), [0, 1, 7, 511, u64::MAX]);
        assert_eq!(Range::exactly(6).bits(), 6);
    }
}
