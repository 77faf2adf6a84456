//! Membership in a constant set: the set's table where it has one ([`crate::members`]), else compares with a few ranges, and a
//! search by halves before it where there are many.

use std::rc::Rc;

use lvsc_ir::program::{Binary, BlockId, Class, Compare, Value};

use super::state::{Number, Path, Split};
use super::{Lowering, element};
use crate::layout::SetSections;
use crate::members::{Bounds, COMPARED, Method, Part, Table};
use crate::pipeline::SetId;

/// Bytes of a member in a table.
const WORD: u8 = 8;

impl Lowering<'_> {
    /// Splits by whether the operand on top of the stack is a member of the set.
    pub(super) fn member(&mut self, id: SetId, mut path: Path) -> Split {
        let number = path.pop();
        let tables = Rc::clone(&self.sets);
        match tables.get(usize::from(id.0)).and_then(Option::as_ref) {
            None => self.member_of_ranges(number, &self.pipeline.set(id).ranges, path),
            Some(table) => match &table.method {
                Method::Hash(hash) => self.member_of_hash(number, hash, table, path),
                Method::Bounds(bounds) => self.member_of_bounds(number, bounds, table, path),
            },
        }
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

    fn member_of_hash(
        &mut self,
        number: Number,
        hash: &Table,
        sections: &SetSections,
        path: Path,
    ) -> Split {
        let value = number.low;
        let (block, code) = (path.block, &mut self.code);
        let bits = |bits: u32| u64::from(bits);
        let product = code.with(block, Binary::Mul, value, hash.multiplier);
        let bucket = code.with(block, Binary::Shr, product, bits(hash.bucket_shift()));
        let displacement = code.load(
            block,
            Class::Config,
            element(sections.index, bucket, 0, WORD),
        );
        let begin = code.with(block, Binary::Shr, product, bits(hash.slot_shift()));
        let slot = code.binary(block, Binary::Xor, begin, displacement);
        let member = code.load(
            block,
            Class::Config,
            element(sections.members, slot, 0, WORD),
        );
        let is_member = code.compare(block, Compare::Eq, member, value);
        let Split { mut yes, no } = self.test(is_member, path);
        let mut split = Split::default();
        for path in no {
            split.extend(self.member_of_ranges(number, &hash.rest, path));
        }
        yes.extend(split.yes);
        Split { yes, no: split.no }
    }

    fn member_of_bounds(
        &mut self,
        number: Number,
        bounds: &Bounds,
        sections: &SetSections,
        path: Path,
    ) -> Split {
        let mut split = Split::default();
        let (by, paths) = match (bounds.part, number.high) {
            (Part::Both, Some(high)) => (high, vec![path]),
            (Part::Low { high: Some(only) }, Some(high)) => {
                let only = self.code.constant(path.block, only);
                let same = self.code.compare(path.block, Compare::Eq, high, only);
                let Split { yes, no } = self.test(same, path);
                split.no.extend(no);
                (number.low, yes)
            }
            _ => (number.low, vec![path]),
        };
        for path in paths {
            let block = path.block;
            let distance = self.code.with(block, Binary::Sub, by, bounds.first);
            let span = self.code.constant(block, bounds.span);
            let near = self.code.compare(block, Compare::Le, distance, span);
            let Split { yes, no } = self.test(near, path);
            split.no.extend(no);
            for path in yes {
                let odd = self.odd(path.block, number, distance, bounds, sections);
                split.extend(self.test(odd, path));
            }
        }
        split
    }

    /// 1 where an odd number of bounds is not above the value, else 0.
    fn odd(
        &mut self,
        block: BlockId,
        number: Number,
        distance: Value,
        bounds: &Bounds,
        sections: &SetSections,
    ) -> Value {
        let code = &mut self.code;
        let part = code.with(block, Binary::Shr, distance, bounds.shift.into());
        let begin = element(sections.index, part, 0, WORD);
        let mut position = code.load(block, Class::Config, begin);
        for step in (0..bounds.steps).rev() {
            let at = self
                .code
                .with(block, Binary::Add, position, (1 << step) - 1);
            let bound = self.bound(block, at, bounds.part, sections);
            let reached = self.compare(block, Compare::Le, bound, number);
            let further = self.code.with(block, Binary::Shl, reached, step.into());
            position = self.code.binary(block, Binary::Add, position, further);
        }
        self.code.with(block, Binary::And, position, 1)
    }

    fn bound(&mut self, block: BlockId, at: Value, part: Part, sections: &SetSections) -> Number {
        let code = &mut self.code;
        let (high, low) = match part {
            Part::Low { .. } => (None, at),
            Part::Both => {
                let high = code.with(block, Binary::Shl, at, 1);
                (Some(high), code.with(block, Binary::Or, high, 1))
            }
        };
        let mut word = |at| code.load(block, Class::Config, element(sections.members, at, 0, WORD));
        Number {
            high: high.map(&mut word),
            low: word(low),
        }
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
