//! A perfect hash: each question is two loads and one compare, whatever the number of members.
//!
//! Hash and displace (Pagh 1999, "Hash and Displace: Efficient Evaluation of Minimal Perfect Hash Functions"): the high
//! bits of a product name a bucket, whose displacement says in which slot the member lies. All slots hold members, so
//! an empty one holds one that is looked for elsewhere.

use lvsc_abi::hash;

use crate::pipeline::Set;

/// With up to so many ranges, comparing is cheaper.
const FEW: usize = 8;
/// A range of fewer values is so many members, a longer one is compared.
const SHORT: u128 = 16;
/// A table has at most so many members.
const MEMBERS_MAX: usize = 1 << 20;
/// Products in which two members of a bucket fall together cannot be told apart: others are tried.
const TRIES: u64 = 1000;

/// The table of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What a value is multiplied with; odd.
    pub multiplier: u64,
    /// For each bucket what is added (bitwise, exclusive) to the number of a slot. A power of two of them, at least two.
    pub displacements: Vec<u64>,
    /// A power of two of members, at least two.
    pub slots: Vec<u64>,
    /// Longer ranges, which are compared.
    pub rest: Vec<(u128, u128)>,
}

impl Table {
    /// The table of a set that is worth one: of many values of up to 64 bits, by themselves or in short ranges, and few long
    /// ones.
    pub(super) fn of(set: &Set) -> Option<Table> {
        let short = |(first, last): &&(u128, u128)| last - first < SHORT;
        let (short, rest): (Vec<_>, Vec<_>) = set.ranges.iter().partition(|range| short(range));
        if short.len() <= FEW || rest.len() > FEW || set.width > 64 {
            return None;
        }
        let members: Vec<u64> = short
            .into_iter()
            .flat_map(|(first, last)| first..=last)
            .map(|member| member as u64)
            .take(MEMBERS_MAX + 1)
            .collect();
        if members.len() > MEMBERS_MAX {
            return None;
        }
        let multipliers = (1..=TRIES).map(|n| hash::table(n, 0) | 1);
        multipliers
            .into_iter()
            .find_map(|multiplier| Table::with(multiplier, &members))
            .map(|table| Table { rest, ..table })
    }

    /// Bits to the right of the bucket's number in the product.
    pub fn bucket_shift(&self) -> u32 {
        64 - self.displacements.len().trailing_zeros()
    }

    /// Bits to the right of the slot's number, before the displacement.
    pub fn slot_shift(&self) -> u32 {
        self.bucket_shift() - self.slots.len().trailing_zeros()
    }

    /// The bucket and the slot before its displacement.
    fn places(&self, member: u64) -> (usize, u64) {
        let product = member.wrapping_mul(self.multiplier);
        let bucket = (product >> self.bucket_shift()) as usize;
        (
            bucket,
            product >> self.slot_shift() & (self.slots.len() as u64 - 1),
        )
    }

    fn with(multiplier: u64, members: &[u64]) -> Option<Table> {
        let slots = (members.len() * 2).next_power_of_two();
        let first = *members.first()?;
        let mut table = Table {
            multiplier,
            displacements: vec![0; slots / 4],
            slots: vec![first; slots],
            rest: Vec::new(),
        };
        let mut buckets: Vec<Vec<u64>> = vec![Vec::new(); slots / 4];
        for member in members {
            buckets.get_mut(table.places(*member).0)?.push(*member);
        }
        let mut order: Vec<usize> = (0..buckets.len()).collect();
        order.sort_by_key(|bucket| std::cmp::Reverse(buckets.get(*bucket).map_or(0, Vec::len)));
        let mut taken = vec![false; slots];
        for bucket in order {
            let own = buckets.get(bucket)?;
            let begins: Vec<u64> = own.iter().map(|member| table.places(*member).1).collect();
            let found = (0..slots as u64).find(|by| fits(&begins, *by, &taken))?;
            *table.displacements.get_mut(bucket)? = found;
            for (begin, member) in begins.iter().zip(own) {
                let slot = (begin ^ found) as usize;
                *taken.get_mut(slot)? = true;
                *table.slots.get_mut(slot)? = *member;
            }
        }
        Some(table)
    }
}

/// Whether all of a bucket find free slots, each its own.
fn fits(begins: &[u64], by: u64, taken: &[bool]) -> bool {
    let free = |begin: &u64| taken.get((begin ^ by) as usize) == Some(&false);
    let apart = |(index, begin)| !begins.iter().take(index).any(|other| other == begin);
    begins.iter().all(free) && begins.iter().enumerate().all(apart)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::pipeline::Kind;

    fn set(members: impl IntoIterator<Item = u64>) -> Set {
        let members: BTreeSet<u64> = members.into_iter().collect();
        let ranges = members.into_iter().map(u128::from);
        Set {
            name: "S".to_owned(),
            width: 64,
            kind: Kind::Number,
            ranges: ranges.map(|member| (member, member)).collect(),
        }
    }

    fn contains(table: &Table, value: u64) -> bool {
        let (bucket, slot) = table.places(value);
        table.slots[(slot ^ table.displacements[bucket]) as usize] == value
    }

    #[test]
    fn members_are_found_and_others_are_not() {
        let mut touching = set((0..50).map(|n| n * 10));
        touching.ranges[7].1 += 3;
        let scattered = (0..300).map(|n| hash::table(n, 7));
        let sets = [
            set(0x0a00_0001..0x0a00_000b),
            set((0..4096).map(|n| 0xc0a8_0000 + n)),
            set((0..257).map(|n| n << 24)),
            touching,
            set(scattered),
        ];
        for set in sets {
            let table = Table::of(&set).unwrap();
            for (member, last) in &set.ranges {
                let (member, last) = (*member as u64, *last as u64);
                assert!(
                    contains(&table, member) && contains(&table, last),
                    "{member}"
                );
                let others = [member ^ 1, member ^ 0x8000_0000, !member, 0, u64::MAX];
                for other in others {
                    let other_wide = u128::from(other);
                    let mut ranges = set.ranges.iter();
                    let is = ranges.any(|(from, to)| (*from..=*to).contains(&other_wide));
                    assert_eq!(contains(&table, other), is, "{other}");
                }
            }
        }
    }

    #[test]
    fn long_ranges_are_compared_beside_the_table() {
        let mut mixed = set((0..100).map(|n| n * 100));
        mixed.ranges[50].1 += 80;
        let table = Table::of(&mixed).unwrap();
        assert_eq!(table.rest, [(5000, 5080)]);
        assert!(contains(&table, 4900) && !contains(&table, 5000));
    }

    #[test]
    fn few_members_and_wide_values_have_no_table() {
        assert_eq!(Table::of(&set(0..FEW as u64)), None);
        let mut with_range = set(0..100);
        with_range.ranges.truncate(FEW + 1);
        with_range.ranges[FEW].1 += SHORT;
        assert_eq!(Table::of(&with_range), None);
        let mut long = set((0..100).map(|n| n * 100));
        for range in long.ranges.iter_mut().take(FEW + 1) {
            range.1 += SHORT;
        }
        assert_eq!(Table::of(&long), None);
        let mut wide = set(0..100);
        wide.width = 128;
        assert_eq!(Table::of(&wide), None);
    }
}
