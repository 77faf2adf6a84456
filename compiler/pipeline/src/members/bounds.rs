//! The bounds of ranges in a row, and an index by a value's high bits that says where to begin: a value is in one of the
//! ranges where an odd number of bounds is not above it.
//!
//! The index names the bounds below its part of the values, and a search by halves, without a branch, counts those in it. How
//! many steps that takes is fixed by the part with most bounds.

use crate::pipeline::Set;

/// With fewer ranges, comparing is cheaper.
const MANY: usize = 32;
/// The index has at most so many elements.
const INDEX_MAX: u128 = 1 << 20;
/// It may have twice as many elements as there are bounds, and so often the double if that saves steps.
const DOUBLED: u32 = 3;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A value of up to 64 bits, or the lower half of a wider one whose upper half is this.
    Low {
        /// The upper half; none where values have no upper one.
        high: Option<u64>,
    },
    /// Both halves; the index is by the upper one.
    Both,
}

/// The bounds of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What is compared.
    pub part: Part,
    /// The least value that is in the index, and how far the greatest is from it. Where both halves are compared: their upper
    /// halves.
    pub first: u64,
    /// See `first`.
    pub span: u64,
    /// Bits to the right of the element's number in a value's distance from the first.
    pub shift: u32,
    /// For each part how many bounds lie below it; a power of two of them.
    pub index: Vec<u64>,
    /// The begins of the ranges and what is behind their ends, by size, and words of ones behind the last, a power of two of
    /// them. Where both halves are compared: the upper one, then the lower one.
    pub bounds: Vec<u64>,
    /// Steps of the search: in no part are there more than `2^steps - 1` bounds.
    pub steps: u32,
}

impl Bounds {
    /// The bounds of a set of many ranges; none where the index would end with the greatest number: what is behind the last
    /// bound, and behind all that the search may look at, has to be outside of it.
    pub(super) fn of(set: &Set) -> Option<Bounds> {
        let (first, last) = (set.ranges.first()?.0, set.ranges.last()?.1);
        let high = (first >> 64) as u64;
        let part = if set.width <= 64 {
            Part::Low { high: None }
        } else if high == (last >> 64) as u64 {
            Part::Low { high: Some(high) }
        } else {
            Part::Both
        };
        let end = match part {
            Part::Low { .. } => u128::from(u64::MAX),
            Part::Both => u128::MAX,
        };
        let within = |value: u128| match part {
            Part::Low { .. } => value & u128::from(u64::MAX),
            Part::Both => value,
        };
        let by = |value: u128| match part {
            Part::Low { .. } => value as u64,
            Part::Both => (value >> 64) as u64,
        };
        if set.ranges.len() < MANY || by(within(last)) == u64::MAX {
            return None;
        }
        let bounds: Vec<u128> = (set.ranges.iter())
            .flat_map(|(from, to)| [within(*from), within(*to) + 1])
            .collect();
        let (first, span) = (by(within(first)), by(within(last)) - by(within(first)));
        let distances: Vec<u64> = bounds.iter().map(|bound| by(*bound) - first).collect();
        let (shift, index, steps) = index(&distances, span);
        // No step leaves the words, of which there are a power of two.
        let padded = (bounds.len() + (1 << steps)).next_power_of_two();
        let words = bounds
            .into_iter()
            .chain(std::iter::repeat(end))
            .take(padded);
        let words = words.flat_map(|bound| match part {
            Part::Low { .. } => vec![bound as u64],
            Part::Both => vec![(bound >> 64) as u64, bound as u64],
        });
        Some(Bounds {
            part,
            first,
            span,
            shift,
            index,
            bounds: words.collect(),
            steps,
        })
    }
}

/// The smallest index with the least steps: `(shift, index, steps)`.
fn index(distances: &[u64], span: u64) -> (u32, Vec<u64>, u32) {
    let least = (distances.len() as u128).next_power_of_two();
    let mut best = with_length(distances, span, least);
    for double in 1..=DOUBLED {
        let other = with_length(distances, span, least << double);
        if other.2 < best.2 {
            best = other;
        }
    }
    best
}

/// The index of up to `length` elements.
fn with_length(distances: &[u64], span: u64, length: u128) -> (u32, Vec<u64>, u32) {
    let length = length.min(INDEX_MAX);
    let fits = |shift: &u32| u128::from(span >> shift) < length;
    let shift = (0..64).find(fits).unwrap_or(63);
    let (mut index, mut below) = (Vec::new(), 0);
    let mut most = 0;
    for part in 0..=span >> shift {
        index.push(below as u64);
        let rest = distances.get(below..).unwrap_or_default();
        let own = rest
            .iter()
            .take_while(|distance| **distance >> shift == part);
        let own = own.count();
        below += own;
        most = most.max(own);
    }
    index.resize(index.len().next_power_of_two(), below as u64);
    let steps = usize::BITS - most.leading_zeros();
    (shift, index, steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use lvsc_abi::hash;
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::Kind;

    fn set(width: u16, ranges: Vec<(u128, u128)>) -> Set {
        Set {
            name: "S".to_owned(),
            width,
            kind: Kind::Number,
            ranges,
        }
    }

    /// What the search finds.
    fn contains(bounds: &Bounds, value: u128) -> bool {
        let (high, low) = ((value >> 64) as u64, value as u64);
        let by = match bounds.part {
            Part::Low { high: Some(other) } if other != high => return false,
            Part::Low { .. } => low,
            Part::Both => high,
        };
        let distance = by.wrapping_sub(bounds.first);
        if distance > bounds.span {
            return false;
        }
        let mut position = bounds.index[(distance >> bounds.shift) as usize];
        for step in (0..bounds.steps).rev() {
            let at = (position + (1 << step) - 1) as usize;
            let above = match bounds.part {
                Part::Low { .. } => bounds.bounds[at] > low,
                Part::Both => (bounds.bounds[2 * at], bounds.bounds[2 * at + 1]) > (high, low),
            };
            position += u64::from(!above) << step;
        }
        position % 2 == 1
    }

    /// Ranges with gaps between them, of these lengths in turn.
    fn ranges(begin: u128, lengths: &[u64]) -> Vec<(u128, u128)> {
        let mut at = begin;
        let mut found = Vec::new();
        for pair in lengths.chunks_exact(2) {
            let first = at + u128::from(pair[0]) + 1;
            let last = first + u128::from(pair[1]);
            found.push((first, last));
            at = last + 1;
        }
        found
    }

    proptest! {
        #[test]
        fn values_near_every_bound_are_judged_as_the_set_does(
            lengths in prop::collection::vec(prop_oneof![0_u64..4, 0_u64..1 << 20, 0_u64..1 << 40], 64..300),
            begin in prop_oneof![Just(0_u128), Just(1 << 70), Just((7 << 64) - 5)],
        ) {
            let width = if begin == 0 { 64 } else { 128 };
            let set = set(width, ranges(begin, &lengths));
            let bounds = Bounds::of(&set).unwrap();
            for (first, last) in &set.ranges {
                for value in [first - 1, *first, *last, last + 1, first ^ 1 << 63] {
                    prop_assert_eq!(contains(&bounds, value), set.contains(value), "{}", value);
                }
            }
            for value in [0, u128::from(u64::MAX), 1 << 64, u128::MAX] {
                let value = if width == 64 { value & u128::from(u64::MAX) } else { value };
                prop_assert_eq!(contains(&bounds, value), set.contains(value), "{}", value);
            }
        }
    }

    #[test]
    fn scattered_ranges_take_few_steps() {
        let mut firsts: Vec<u128> = (0..100_000)
            .map(|n| u128::from(hash::table(n, 1) >> 32 & !0xff))
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        let each = firsts.into_iter().filter(|first| *first < 0xffff_ff00);
        let bounds = Bounds::of(&set(32, each.map(|first| (first, first + 200)).collect()));
        let bounds = bounds.unwrap();
        assert!(bounds.steps <= 4, "{}", bounds.steps);
    }

    #[test]
    fn few_ranges_and_the_greatest_value_have_no_bounds() {
        let many = ranges(0, &vec![3; 2 * MANY]);
        assert_eq!(Bounds::of(&set(32, many[1..].to_vec())), None);
        let mut whole = many.clone();
        whole.last_mut().unwrap().1 = u64::MAX.into();
        assert_eq!(Bounds::of(&set(64, whole)), None);
        let mut wide = many;
        wide.push((u128::MAX - 7, u128::MAX - 5));
        assert_eq!(Bounds::of(&set(128, wide)), None);
    }
}
