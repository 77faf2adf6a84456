//! What is known of a value: the numbers that it may be. Knows no policy.

use std::rc::Rc;

/// An inclusive range of numbers.
pub(super) type Range = (u128, u128);

/// The numbers that a value may be. Ranges are sorted and do not overlap; they may touch, for a set of single addresses
/// stays one of single addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// One of these.
    Only(Rc<[Range]>),
    /// Any other than these.
    Except(Rc<[Range]>),
}

/// So many excluded ranges are remembered; beyond them less is known. It bounds the work on a `switch` of any length.
const EXCEPT_MAX: usize = 256;

impl Known {
    /// Nothing is known.
    pub(super) fn any() -> Known {
        Known::Except(Rc::new([]))
    }

    /// It cannot be.
    pub(super) fn none() -> Known {
        Known::Only(Rc::new([]))
    }

    /// One of the numbers in these ranges, in any order.
    pub(super) fn only(mut ranges: Vec<Range>) -> Known {
        ranges.sort_unstable();
        Known::Only(united(ranges).into())
    }

    /// Any other number than `Known::only` of it.
    pub(super) fn not(self) -> Known {
        match self {
            Known::Only(ranges) if ranges.len() > EXCEPT_MAX => Known::any(),
            Known::Only(ranges) => Known::Except(ranges),
            Known::Except(ranges) => Known::Only(ranges),
        }
    }

    /// The ranges, where it is one of them.
    pub(super) fn ranges(&self) -> Option<&[Range]> {
        match self {
            Known::Only(ranges) => Some(ranges),
            Known::Except(_) => None,
        }
    }

    /// No number of `width` bits is left.
    pub(super) fn is_none(&self, width: u16) -> bool {
        match self {
            Known::Only(ranges) => ranges.is_empty(),
            Known::Except(ranges) => {
                let last = u128::MAX.checked_shr(128 - u32::from(width)).unwrap_or(0);
                outside(&[(0, last)], ranges).is_empty()
            }
        }
    }

    /// The numbers, where they are so few.
    pub(super) fn numbers(&self, most: usize) -> Option<Vec<u128>> {
        let mut numbers = Vec::new();
        for (low, high) in self.ranges()? {
            if high - low >= (most - numbers.len()) as u128 {
                return None;
            }
            numbers.extend(*low..=*high);
        }
        Some(numbers)
    }

    /// Whether it may be what is under the mask `own`, where the same value is `number` under `mask`.
    pub(super) fn may_be(&self, number: u128, mask: u128, own: u128) -> bool {
        let common = mask & own;
        match self {
            _ if common == own => {
                let number = Known::Only(Rc::new([(number & own, number & own)]));
                !matches!(self.and(&number), Known::Only(left) if left.is_empty())
            }
            Known::Only(ranges) => {
                let single = |(low, high): &Range| low == high;
                let differs = |(one, _): &Range| (one ^ number) & common != 0;
                !(ranges.iter().all(single) && ranges.iter().all(differs))
            }
            Known::Except(_) => true,
        }
    }

    /// Both are known.
    pub(super) fn and(&self, other: &Known) -> Known {
        match (self, other) {
            (Known::Except(a), known) | (known, Known::Except(a)) if a.is_empty() => known.clone(),
            (Known::Only(a), Known::Only(b)) => Known::Only(common(a, b).into()),
            (Known::Only(a), Known::Except(b)) | (Known::Except(b), Known::Only(a)) => {
                Known::Only(outside(a, b).into())
            }
            (Known::Except(a), Known::Except(b)) => Known::only([&**a, b].concat()).not(),
        }
    }

    /// One of them is known.
    pub(super) fn or(&self, other: &Known) -> Known {
        match (self, other) {
            (Known::Only(a), Known::Only(b)) => Known::only([&**a, b].concat()),
            (Known::Only(a), Known::Except(b)) | (Known::Except(b), Known::Only(a)) => {
                Known::Except(outside(b, a).into())
            }
            (Known::Except(a), Known::Except(b)) => Known::Except(common(a, b).into()),
        }
    }
}

/// Sorted ranges without overlap.
fn united(sorted: Vec<Range>) -> Vec<Range> {
    let mut found: Vec<Range> = Vec::with_capacity(sorted.len());
    for (low, high) in sorted {
        match found.last_mut() {
            Some((_, last)) if low <= *last => *last = (*last).max(high),
            Some(_) | None => found.push((low, high)),
        }
    }
    found
}

/// What is in both.
fn common(a: &[Range], b: &[Range]) -> Vec<Range> {
    let mut found = Vec::new();
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(&&(a, a_end)), Some(&&(b, b_end))) = (left.peek(), right.peek()) {
        let (low, high) = (a.max(b), a_end.min(b_end));
        if low <= high {
            found.push((low, high));
        }
        if a_end <= b_end {
            left.next();
        } else {
            right.next();
        }
    }
    found
}

/// What is in `a` and not in `b`.
fn outside(a: &[Range], b: &[Range]) -> Vec<Range> {
    let mut found = Vec::new();
    let mut cuts = b.iter().peekable();
    for &(low, high) in a {
        while cuts.next_if(|(_, end)| *end < low).is_some() {}
        let mut rest = Some((low, high));
        for &(cut, cut_end) in cuts.clone().take_while(|(cut, _)| *cut <= high) {
            let Some((low, high)) = rest else { break };
            if cut > low {
                found.push((low, cut - 1));
            }
            rest = (cut_end < high).then(|| (cut_end + 1, high));
        }
        found.extend(rest);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Small ranges, so that many touch, overlap and cover all.
    fn known() -> impl Strategy<Value = Known> {
        let range = (0_u128..16, 0_u128..16).prop_map(|(a, b)| (a.min(b), a.max(b)));
        let ranges = proptest::collection::vec(range, 0..4).prop_map(Known::only);
        (ranges, any::<bool>()).prop_map(|(known, turn)| if turn { known.not() } else { known })
    }

    fn has(known: &Known, number: u128) -> bool {
        let inside = |ranges: &[Range]| ranges.iter().any(|r| (r.0..=r.1).contains(&number));
        match known {
            Known::Only(ranges) => inside(ranges),
            Known::Except(ranges) => !inside(ranges),
        }
    }

    proptest! {
        #[test]
        fn each_operation_is_what_it_is_on_single_numbers(a in known(), b in known(), n in 0_u128..20) {
            prop_assert_eq!(has(&a.and(&b), n), has(&a, n) && has(&b, n));
            prop_assert_eq!(has(&a.or(&b), n), has(&a, n) || has(&b, n));
            prop_assert_eq!(has(&a.clone().not(), n), !has(&a, n));
        }

        #[test]
        fn what_is_denied_under_masks_is_no_number(a in known(), x in 0_u128..16, mask in 0_u128..16, own in 0_u128..16) {
            let number = x & mask;
            let mut same = (0..16_u128).filter(|n| n & mask == number);
            let possible = same.any(|n| has(&a, n & own));
            prop_assert!(a.may_be(number, mask, own) || !possible);
            if own & !mask == 0 {
                prop_assert_eq!(a.may_be(number, mask, own), possible);
            }
        }

        #[test]
        fn few_numbers_are_all_of_them(a in known(), most in 0_usize..20) {
            if let Some(numbers) = a.numbers(most) {
                prop_assert!(numbers.len() <= most);
                prop_assert!((0..20).all(|n| numbers.contains(&n) == has(&a, n)));
            }
        }

        #[test]
        fn none_is_left_exactly_if_no_number_of_the_width_is(a in known()) {
            prop_assert_eq!(a.is_none(4), (0..16).all(|n| !has(&a, n)));
        }
    }

    #[test]
    fn single_numbers_that_touch_stay_single() {
        let known = Known::only(vec![(11, 11), (10, 10)]);
        assert_eq!(known.ranges(), Some([(10, 10), (11, 11)].as_slice()));
        let inside = known.and(&Known::only(vec![(0, 255)]));
        assert_eq!(inside.ranges(), known.ranges());
    }
}
