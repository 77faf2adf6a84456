//! Membership in a constant set: the set's table where it has one, else compares with a few ranges, and a search by halves
//! before it where there are many.

use lvsc_ir::program::{Binary, BlockId, Class, Compare, Value};

use super::state::{Number, Path, Split};
use super::{Lowering, element};
use crate::members::COMPARED;
use crate::pipeline::SetId;

/// Bytes of a member in a table.
const WORD: u8 = 8;

impl Lowering<'_> {
    /// Splits by whether the operand on top of the stack is a member of the set.
    pub(super) fn member(&mut self, id: SetId, mut path: Path) -> Split {
        let number = path.pop();
        if matches!(self.sets.get(usize::from(id.0)), Some(Some(_))) {
            return self.member_of_table(number, id, path);
        }
        let set = self.pipeline.set(id);
        self.member_of_ranges(number, &set.ranges, path)
    }

    fn member_of_ranges(&mut self, number: Number, ranges: &[(u128, u128)], path: Path) -> Split {
        let mut split = Split::default();
        let mut open = vec![(ranges, path)];
        while let Some((ranges, path)) = open.pop() {
            if ranges.len() <= COMPARED {
                split.extend(self.member_of_few(number, ranges, path));
                continue;
            }
            let (lower, upper) = ranges.split_at(ranges.len() / 2);
            let bound = lower.last().map_or(0, |(_, last)| *last);
            let bound = self.number(path.block, bound, number.high.is_some());
            let below = self.compare(path.block, Compare::Le, number, bound);
            let blocks = self.code.decide(path.block, below);
            let (below, above) = path.fork(blocks);
            open.push((upper, above));
            open.push((lower, below));
        }
        split
    }

    /// See [`crate::members`].
    fn member_of_table(&mut self, number: Number, id: SetId, path: Path) -> Split {
        let value = number.low;
        let (block, code) = (path.block, &mut self.code);
        let set = self.sets.get(usize::from(id.0)).and_then(Option::as_ref);
        let set = set.expect("the set has a table");
        let bits = |bits: u32| u64::from(bits);
        let product = code.with(block, Binary::Mul, value, set.table.multiplier);
        let bucket = code.with(block, Binary::Shr, product, bits(set.table.bucket_shift()));
        let from = element(set.displacements, bucket, 0, WORD);
        let displacement = code.load(block, Class::Config, from);
        let begin = code.with(block, Binary::Shr, product, bits(set.table.slot_shift()));
        let slot = code.binary(block, Binary::Xor, begin, displacement);
        let from = element(set.slots, slot, 0, WORD);
        let member = code.load(block, Class::Config, from);
        let is_member = code.compare(block, Compare::Eq, member, value);
        let rest = set.table.rest.clone();
        let Split { mut yes, no } = self.test(is_member, path);
        let mut split = Split::default();
        for path in no {
            split.extend(self.member_of_ranges(number, &rest, path));
        }
        yes.extend(split.yes);
        Split { yes, no: split.no }
    }

    fn member_of_few(&mut self, number: Number, ranges: &[(u128, u128)], path: Path) -> Split {
        let mut any = None;
        for range in ranges {
            let inside = self.in_range(path.block, number, *range);
            any = Some(match any {
                Some(any) => self.code.binary(path.block, Binary::Or, any, inside),
                None => inside,
            });
        }
        match any {
            Some(any) => self.test(any, path),
            None => Split::no(path),
        }
    }

    fn in_range(&mut self, block: BlockId, number: Number, (first, last): (u128, u128)) -> Value {
        let wide = number.high.is_some();
        let begin = self.number(block, first, wide);
        if first == last {
            return self.compare(block, Compare::Eq, number, begin);
        }
        if wide {
            let end = self.number(block, last, wide);
            let from = self.compare(block, Compare::Le, begin, number);
            let to = self.compare(block, Compare::Le, number, end);
            return self.code.binary(block, Binary::And, from, to);
        }
        // What is below the range wraps to more than its length.
        let distance = self.code.with(block, Binary::Sub, number.low, first as u64);
        let length = self.code.constant(block, (last - first) as u64);
        self.code.compare(block, Compare::Le, distance, length)
    }
}
