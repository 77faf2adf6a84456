//! Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4) over a power-of-two ring: the skip is odd, so it visits
//! every slot without a prime table size. Weights as in section 3.4: a backend takes its turn more often; everyone takes
//! one in the first round, so that no weight is too small for a slot.
//!
//! A ring costs as many looks at a slot as there are slots, times their logarithm, for any number of backends.

use super::Candidate;
use crate::hash;

/// Where a backend wants to be: its offset, then ever `skip` further.
struct Walk {
    id: u16,
    at: u32,
    skip: u32,
}

impl Walk {
    fn of(candidate: &Candidate, size: u32) -> Walk {
        let mixed = hash::ring(hash::state(candidate.name.as_bytes()));
        let skip = (hash::table(mixed, 1) as u32 % size) | 1;
        Walk {
            id: candidate.id,
            at: mixed as u32 % size,
            skip,
        }
    }
}

/// `candidates` is not empty and sorted; `size` is a power of two.
pub(super) fn fill(candidates: &[&Candidate], size: u32) -> Vec<u16> {
    let mut walks: Vec<Walk> = candidates.iter().map(|c| Walk::of(c, size)).collect();
    let mut ring = vec![0; size as usize];
    // A bit a slot: they stay in the nearest cache.
    let mut taken = vec![0_u64; size.div_ceil(64) as usize];
    for turn in turns(candidates, size) {
        if let Some(walk) = walks.get_mut(turn) {
            let at = take(&mut taken, walk, size);
            if let Some(slot) = ring.get_mut(at as usize) {
                *slot = walk.id;
            }
        }
    }
    ring
}

/// The first free slot of a walk, which is taken from now on; there is one.
fn take(taken: &mut [u64], walk: &mut Walk, size: u32) -> u32 {
    loop {
        let at = walk.at;
        walk.at = (walk.at + walk.skip) & (size - 1);
        let bit = 1 << (at % 64);
        if let Some(word) = taken.get_mut(at as usize / 64)
            && *word & bit == 0
        {
            *word |= bit;
            return at;
        }
    }
}

/// Whose turn it is, for each of `size` slots, as an index of `candidates`: by rounds, in a round in their order.
fn turns(candidates: &[&Candidate], size: u32) -> impl Iterator<Item = usize> {
    let weights = candidates.iter().map(|c| u64::from(c.weight));
    let (top, total) = (weights.clone().max().unwrap_or(1), weights.sum::<u64>());
    // The heaviest takes one in each round, all together at least `total / top`.
    let enough = (u64::from(size) * top)
        .div_ceil(total.max(1))
        .min(size.into()) as usize;
    let all = || {
        let each = candidates.iter().enumerate();
        each.flat_map(move |(index, c)| {
            let rounds = rounds(c.weight.into(), top);
            let rounds = rounds.take_while(move |round| *round <= enough as u64);
            rounds.map(move |round| (round as usize, index))
        })
    };
    // Sorted by counting: the places of a round begin where those of the rounds before end.
    let mut places = vec![0; enough + 2];
    for (round, _) in all() {
        if let Some(count) = places.get_mut(round + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for place in &mut places {
        sum += *place;
        *place = sum;
    }
    let mut order = vec![0; sum];
    for (round, index) in all() {
        if let Some(place) = places.get_mut(round) {
            if let Some(turn) = order.get_mut(*place) {
                *turn = index;
            }
            *place += 1;
        }
    }
    order.into_iter().take(size as usize)
}

/// The rounds, from 0, in which a backend has a turn: for turn `n` the first with `round * weight >= n * top`.
fn rounds(weight: u64, top: u64) -> impl Iterator<Item = u64> {
    let least = top / weight.max(1);
    // Beside the round, what its turns before have left over.
    let begin = (0, 0);
    let rounds = std::iter::successors(Some(begin), move |(round, left)| {
        let reached = left + least * weight;
        Some(if reached >= top {
            (round + least, reached - top)
        } else {
            (round + least + 1, reached + weight - top)
        })
    });
    rounds.map(|(round, _)| round)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::super::tests::{candidates, mixtures};
    use super::*;

    /// The paper's way: round after round everybody is asked.
    fn asked(candidates: &[&Candidate], size: u32) -> Vec<u16> {
        let top = u64::from(candidates.iter().map(|c| c.weight).max().unwrap_or(1));
        let mut turns: Vec<_> = candidates
            .iter()
            .map(|c| (*c, Walk::of(c, size), top - u64::from(c.weight)))
            .collect();
        let mut ring: Vec<Option<u16>> = vec![None; size as usize];
        let mut free = size;
        while free > 0 {
            for (candidate, walk, credit) in &mut turns {
                *credit += u64::from(candidate.weight);
                if *credit < top || free == 0 {
                    continue;
                }
                *credit -= top;
                while ring[walk.at as usize].is_some() {
                    walk.at = (walk.at + walk.skip) & (size - 1);
                }
                ring[walk.at as usize] = Some(candidate.id);
                free -= 1;
            }
        }
        ring.into_iter().flatten().collect()
    }

    #[test]
    fn the_ring_is_that_of_the_papers_way() {
        for weights in mixtures() {
            let all = candidates(&weights);
            let all: Vec<&Candidate> = all.iter().collect();
            for size in [1, 2, 64, 1024, 16_384] {
                assert!(fill(&all, size) == asked(&all, size), "{size} {weights:?}");
            }
        }
    }
}
