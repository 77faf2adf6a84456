//! An interleaved weighted sequence: in each slot stands the candidate that is furthest behind its share, the first of equals.
//!
//! Differs from IPVS `wrr` (`net/netfilter/ipvs/ip_vs_wrr.c`), which gives 5:1 as AAAAAB; shares are the same.
//!
//! Candidates of the same weight come one after the other, so that a slot costs a look at each weight, not at each
//! candidate; and of different weights that fit into a ring of 65,536 slots there are 361 at most.

use std::collections::BTreeMap;

use super::Candidate;

/// Candidates of one weight.
struct Class {
    /// Their indices, rising.
    members: Vec<i64>,
    /// Whose turn is next, of `members`.
    next: usize,
}

/// How urgent the next member of a class is: how far it is behind, times the number of candidates, plus how many stand
/// behind it. The greatest is the one, and no two are equal.
struct Urgency {
    now: i64,
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
    let mut by_weight: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (index, weight) in (0..).zip(weights) {
        by_weight.entry(*weight).or_default().push(index);
    }
    let count = i64::try_from(weights.len()).unwrap_or(i64::MAX);
    let urgencies = by_weight.iter().map(|(weight, members)| Urgency {
        now: members.first().map_or(0, |first| count - 1 - first),
        gain: weight * count,
    });
    let mut urgencies: Vec<Urgency> = urgencies.collect();
    let classes = by_weight.into_values();
    let mut classes: Vec<Class> = classes.map(|members| Class { members, next: 0 }).collect();
    std::iter::from_fn(move || {
        let (mut first, mut most) = (0, i64::MIN);
        for (index, urgency) in urgencies.iter_mut().enumerate() {
            urgency.now += urgency.gain;
            if urgency.now > most {
                (first, most) = (index, urgency.now);
            }
        }
        let class = classes.get_mut(first)?;
        let chosen = *class.members.get(class.next)?;
        class.next = (class.next + 1) % class.members.len();
        let next = *class.members.get(class.next)?;
        let urgency = urgencies.get_mut(first)?;
        urgency.now += chosen - next;
        // The next one has had its turn as often as the chosen one now; before, once less.
        if class.next == 0 {
            urgency.now -= total * count;
        }
        usize::try_from(chosen).ok()
    })
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
