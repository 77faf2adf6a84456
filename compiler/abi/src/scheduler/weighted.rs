//! An interleaved weighted sequence: in each slot stands the candidate that is furthest behind its share, the first of equals.
//!
//! Differs from IPVS `wrr` (`net/netfilter/ipvs/ip_vs_wrr.c`), which gives 5:1 as AAAAAB; shares are the same.
//!
//! Candidates of the same weight come one after the other, so that a slot costs a look at weights, not at candidates; and
//! of different weights that fit into a ring of 65,536 slots there are 361 at most. Of these a slot asks few: similar weights
//! stand in a block, of which is known how urgent none of them can be, and only where that is most is each looked at.

use std::collections::BTreeMap;

use super::Candidate;

/// Candidates of one weight.
struct Class {
    /// Their indices, rising.
    members: Vec<i64>,
    /// Whose turn is next, of `members`.
    next: usize,
    /// How urgent that one would have been before the first slot, had it had all of its turns by then: how far it is behind,
    /// times the number of candidates, plus how many stand behind it. The greatest is the one, and no two are equal.
    begin: i64,
    /// How much more urgent it gets from slot to slot.
    gain: i64,
}

/// Classes of similar weights.
struct Block {
    classes: Vec<Class>,
    /// None of them is more urgent now.
    bound: i64,
    /// The greatest gain of them.
    gain: i64,
}

/// `candidates` is not empty and sorted.
pub(super) fn fill(
    candidates: &[&Candidate],
    size: u32,
    weight: impl Fn(&Candidate) -> u32,
) -> Vec<u16> {
    let weights: Vec<i64> = candidates.iter().map(|c| weight(c).into()).collect();
    let weights = fitted(&weights, size.into());
    let total: i64 = weights.iter().sum();
    // Then everyone has had what it should, and all begins anew.
    let round = total / weights.iter().copied().fold(0, divisor).max(1);
    let order: Vec<u16> = sequence(&weights, total)
        .take(size.min(u32::try_from(round).unwrap_or(u32::MAX)) as usize)
        .filter_map(|index| candidates.get(index).map(|c| c.id))
        .collect();
    order.iter().copied().cycle().take(size as usize).collect()
}

/// The endless sequence, as indices of `weights`.
fn sequence(weights: &[i64], total: i64) -> impl Iterator<Item = usize> {
    let count = i64::try_from(weights.len()).unwrap_or(i64::MAX);
    let mut blocks = blocks(weights, count);
    (1..).map_while(move |slot| {
        for block in &mut blocks {
            block.bound += block.gain;
        }
        let class = most_urgent(&mut blocks, slot)?;
        let chosen = *class.members.get(class.next)?;
        class.next = (class.next + 1) % class.members.len();
        class.begin += chosen - *class.members.get(class.next)?;
        // The next one has had its turn as often as the chosen one now; before, once less.
        if class.next == 0 {
            class.begin -= total * count;
        }
        usize::try_from(chosen).ok()
    })
}

/// The weights of `count` candidates, in as many blocks as each has classes.
fn blocks(weights: &[i64], count: i64) -> Vec<Block> {
    let mut by_weight: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (index, weight) in (0..).zip(weights) {
        by_weight.entry(*weight).or_default().push(index);
    }
    let each = by_weight.len().isqrt();
    let classes = by_weight.into_iter().map(|(weight, members)| Class {
        begin: members.first().map_or(0, |first| count - 1 - first),
        members,
        next: 0,
        gain: weight * count,
    });
    let mut classes = classes.peekable();
    let next = || {
        classes.peek()?;
        let classes: Vec<Class> = classes.by_ref().take(each).collect();
        let (begins, gains) = (
            classes.iter().map(|c| c.begin),
            classes.iter().map(|c| c.gain),
        );
        Some(Block {
            bound: greatest(begins).0,
            gain: greatest(gains).0,
            classes,
        })
    };
    std::iter::from_fn(next).collect()
}

/// The class whose next member is the most urgent one for this slot, from 1.
fn most_urgent(blocks: &mut [Block], slot: i64) -> Option<&mut Class> {
    let mut found = (i64::MIN, 0, 0);
    loop {
        let (bound, index) = greatest(blocks.iter().map(|block| block.bound));
        if bound == found.0 {
            let (_, block, class) = found;
            return blocks.get_mut(block)?.classes.get_mut(class);
        }
        let block = blocks.get_mut(index)?;
        let urgencies = block.classes.iter();
        let (most, class) = greatest(urgencies.map(|class| class.begin + class.gain * slot));
        block.bound = most;
        found = found.max((most, index, class));
    }
}

/// The greatest of some numbers, and the place of the first one that is so great.
fn greatest(numbers: impl Iterator<Item = i64>) -> (i64, usize) {
    let mut found = (i64::MIN, 0);
    for (index, number) in numbers.enumerate() {
        if number > found.0 {
            found = (number, index);
        }
    }
    found
}

/// The greatest common one (Euclid).
fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// The weights, smaller where one round of them would not end inside the ring: in a whole round everyone has a place.
fn fitted(weights: &[i64], size: i64) -> Vec<i64> {
    let total: i64 = weights.iter().sum();
    if total <= size {
        return weights.to_vec();
    }
    // One slot is kept for each, for those that are rounded up.
    let room = size.saturating_sub_unsigned(weights.len() as u64).max(0);
    let fitted = weights.iter().map(|weight| weight * room / total);
    fitted.map(|weight| weight.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{candidates, mixtures};
    use super::*;

    /// What it means: everyone gains its weight, and who is furthest behind pays for its turn.
    fn asked(candidates: &[&Candidate], size: u32) -> Vec<u16> {
        let weights: Vec<i64> = candidates.iter().map(|c| c.weight.into()).collect();
        let ids = candidates.iter().map(|c| c.id);
        let mut lag: Vec<(u16, i64, i64)> = ids
            .zip(fitted(&weights, size.into()))
            .map(|(id, weight)| (id, weight, 0))
            .collect();
        let total: i64 = lag.iter().map(|(_, weight, _)| weight).sum();
        let next = |_| {
            for (_, weight, behind) in &mut lag {
                *behind += *weight;
            }
            // The first of equals wins: `max_by_key` would take the last.
            let chosen = lag.iter_mut().rev().max_by_key(|(_, _, behind)| *behind);
            chosen.map(|(id, _, behind)| {
                *behind -= total;
                *id
            })
        };
        (0..size).filter_map(next).collect()
    }

    #[test]
    fn the_ring_is_that_of_asking_everyone_for_each_slot() {
        for weights in mixtures() {
            let all = candidates(&weights);
            let all: Vec<&Candidate> = all.iter().collect();
            for size in [1, 2, 64, 1024, 16_384] {
                let filled = fill(&all, size, |candidate| candidate.weight);
                assert!(filled == asked(&all, size), "{size} {weights:?}");
            }
        }
    }
}
