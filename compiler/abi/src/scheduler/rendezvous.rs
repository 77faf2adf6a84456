//! Rendezvous hashing, highest random weight (Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998): for
//! each slot everyone draws a number, the best one has it. With weights the best is the least `-ln(h) / weight`, of `h`
//! between 0 and 1: a backend's chance is its weight's part, and its draws are its own, so that who comes, goes or changes
//! its weight moves no slot between two others.
//!
//! A draw for each slot and backend would be 655 millions of them for 10,000 backends. Here a backend draws its slots in the
//! order of their numbers, the best first, for numbers of this kind are the moments at which events of a steady rate
//! come (Ertl, `ProbMinHash`, IEEE TKDE 34(7), 2022): the next is `-ln(h) / weight` behind the one before, for a slot that is as
//! likely as any other. All draw until each slot has been drawn, which needs as many draws as slots, times their logarithm, for any
//! number of backends. All is integers: a ring is the same on every machine.

use super::Candidate;
use crate::hash;

/// Bits of a fraction, of logarithms and of moments.
const FRACTION: u32 = 32;
/// Pieces of the logarithm between a power of two and the next, each a straight line: it is off by three millionths at most.
const PIECES: u32 = 256;
/// A weight is at least the 2^25th part of the heaviest, or counts as that: then no wait exceeds 64 bits.
const PACES: u64 = 1 << (FRACTION + 25);
/// Begin and rise of each piece of `log2(1 + x)`.
static LOGARITHM: [(u64, u64); PIECES as usize] = pieces();

const fn pieces() -> [(u64, u64); PIECES as usize] {
    let mut pieces = [(0, 0); PIECES as usize];
    let mut rest: &mut [(u64, u64)] = &mut pieces;
    let mut number = 0;
    while let Some((piece, behind)) = rest.split_first_mut() {
        let begin = logarithm(number);
        *piece = (begin, logarithm(number + 1) - begin);
        number += 1;
        rest = behind;
    }
    pieces
}

/// `log2(1 + number / PIECES)`, bit by bit: the square of a number has twice its logarithm.
const fn logarithm(number: u32) -> u64 {
    if number == PIECES {
        return 1 << FRACTION;
    }
    // From 1 to 2, with 63 bits behind the point.
    let mut value = ((PIECES + number) as u128) << (63 - PIECES.ilog2());
    let (mut log, mut bits) = (0, 0);
    while bits < FRACTION {
        value = (value * value) >> 63;
        let bit = (value >> 64) as u64;
        value >>= bit;
        log = log << 1 | bit;
        bits += 1;
    }
    log
}

/// `-log2(h)` for `h` = `drawn` / 2^64: of logarithms to any base the order is the same.
fn wait(drawn: u64) -> u64 {
    let zeros = (drawn | 1).leading_zeros();
    let mantissa = drawn << zeros << 1;
    let piece = mantissa >> (64 - PIECES.ilog2());
    let within = mantissa << PIECES.ilog2() >> (64 - FRACTION);
    let (begin, rise) = LOGARITHM.get(piece as usize).copied().unwrap_or_default();
    (u64::from(zeros + 1) << FRACTION) - begin - ((rise * within) >> FRACTION)
}

/// What a backend draws.
#[derive(Clone, Copy)]
struct Draws {
    seed: u64,
    count: u64,
    /// How much longer than the heaviest it waits, less than [`PACES`].
    pace: u64,
    /// The moment and the slot of the next draw.
    at: u64,
    slot: u32,
}

impl Draws {
    fn of(candidate: &Candidate, top: u32, size: u32) -> Draws {
        let mut draws = Draws {
            seed: hash::ring(hash::state(candidate.name.as_bytes())),
            count: 0,
            pace: ((u64::from(top) << FRACTION) / u64::from(candidate.weight.max(1)))
                .min(PACES - 1),
            at: 0,
            slot: 0,
        };
        draws.advance(size);
        draws
    }

    fn advance(&mut self, size: u32) {
        let drawn = hash::table(self.seed, self.count);
        // Their product without its fraction, as the upper half of one of 128 bits.
        let (wait, pace) = (wait(drawn) << (FRACTION - 7), self.pace << 7);
        let wait = (u128::from(wait) * u128::from(pace)) >> 64;
        self.count += 1;
        self.at = self.at.saturating_add(wait as u64);
        self.slot = drawn as u32 & (size - 1);
    }
}

/// `candidates` is not empty and sorted; `size` is a power of two.
pub(super) fn fill(candidates: &[&Candidate], size: u32) -> Vec<u16> {
    let top = candidates.iter().map(|c| c.weight).max().unwrap_or(1);
    let begin: Vec<Draws> = (candidates.iter())
        .map(|c| Draws::of(c, top, size))
        .collect();
    let total: u64 = candidates.iter().map(|c| u64::from(c.weight)).sum();
    let owners = race(begin.clone(), u128::from(top), total.into(), size);
    let owners = seated(begin, owners, size);
    let ids = owners.iter().filter_map(|owner| candidates.get(*owner));
    ids.map(|c| c.id).collect()
}

/// The best drawer of each slot, as an index of `draws`; of equals the first.
fn race(mut draws: Vec<Draws>, top: u128, total: u128, size: u32) -> Vec<usize> {
    // A moment, and behind it 16 bits of who drew: the least of these is the best.
    let mut best = vec![u64::MAX; size as usize];
    // A bit for each slot that nobody had drawn when the lap began: few draws of a late lap are of one, and all others are
    // done with a look at the nearest cache.
    let mut open = vec![u64::MAX; size.div_ceil(64) as usize];
    let mut free = size;
    // Of all slots 2^-bits are still free then: in most rings none.
    let mut bits = 2;
    while free > 0 {
        let until = ((u128::from(size * bits) * top) << FRACTION) / total;
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        for (index, draws) in (0..).zip(&mut draws) {
            let mut own = *draws;
            while own.at < until {
                let slot = own.slot as usize;
                let word = open.get(slot / 64).copied().unwrap_or_default();
                if word >> (slot % 64) & 1 == 1
                    && let Some(best) = best.get_mut(slot)
                {
                    *best = (*best).min(own.at >> 8 << 16 | index);
                }
                own.advance(size);
            }
            *draws = own;
        }
        free = 0;
        for (word, slots) in open.iter_mut().zip(best.chunks(64)) {
            *word = (0..).zip(slots).fold(0, |word, (bit, slot)| {
                word | u64::from(*slot == u64::MAX) << bit
            });
            free += word.count_ones();
        }
        bits += 2;
    }
    best.into_iter()
        .map(|draw| (draw & 0xffff) as usize)
        .collect()
}

/// Gives those who have no slot the first of their draws that another can spare: no weight is too small for a slot, where
/// there are as many slots as candidates.
fn seated(draws: Vec<Draws>, mut owners: Vec<usize>, size: u32) -> Vec<usize> {
    let mut counts = vec![0_u32; draws.len()];
    for owner in &owners {
        if let Some(count) = counts.get_mut(*owner) {
            *count += 1;
        }
    }
    if draws.len() > owners.len() {
        return owners;
    }
    for (index, mut draws) in draws.into_iter().enumerate() {
        while counts.get(index) == Some(&0) {
            if let Some(owner) = owners.get_mut(draws.slot as usize)
                && let Some(spare) = counts.get_mut(*owner).filter(|count| **count > 1)
            {
                *spare -= 1;
                *owner = index;
                if let Some(count) = counts.get_mut(index) {
                    *count = 1;
                }
            }
            draws.advance(size);
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::cast_precision_loss,
        reason = "tests"
    )]
    use super::super::tests::{candidates, owners_of_flows};
    use super::*;

    fn ring(candidates: &[Candidate], size: u32) -> Vec<u16> {
        fill(&candidates.iter().collect::<Vec<_>>(), size)
    }

    #[test]
    fn logarithms_are_those_of_the_mathematicians() {
        for drawn in [
            1,
            2,
            3,
            0x1234_5678,
            1 << 40,
            u64::MAX / 3,
            1 << 63,
            u64::MAX,
        ] {
            let wanted = 64.0 - (drawn as f64).log2();
            let found = wait(drawn) as f64 / (1_u64 << FRACTION) as f64;
            assert!(
                (wanted - found).abs() < 3e-6,
                "{drawn}: {found}, not {wanted}"
            );
        }
        assert_eq!(wait(1 << 63), 1 << FRACTION);
        assert_eq!(wait(1 << 62), 2 << FRACTION);
        assert!(wait(0) >= wait(1), "a draw of nothing is the worst");
    }

    #[test]
    fn the_ring_is_that_of_a_draw_for_each_slot_and_backend() {
        let all = candidates(&[3, 1, 2, 100, 7]);
        let mut best = vec![(f64::MAX, 0); 1024];
        for candidate in &all {
            let mut draws = Draws::of(candidate, 100, 1024);
            let mut own = vec![f64::MAX; 1024];
            while own.contains(&f64::MAX) {
                let slot = &mut own[draws.slot as usize];
                *slot = slot.min(draws.at as f64);
                draws.advance(1024);
            }
            for (best, own) in best.iter_mut().zip(own) {
                if own < best.0 {
                    *best = (own, candidate.id);
                }
            }
        }
        let best: Vec<u16> = best.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ring(&all, 1024), best);
    }

    #[test]
    fn flows_follow_the_weights_within_one_percent() {
        for weights in [
            &[1, 1][..],
            &[2, 1],
            &[5, 1, 1, 3],
            &[100, 1, 50, 7, 3, 3, 3, 9],
        ] {
            let ring = ring(&candidates(weights), 65_536);
            let owners = owners_of_flows(&ring);
            let total: u32 = weights.iter().sum();
            for (id, weight) in weights.iter().enumerate() {
                let count = owners.iter().filter(|owner| **owner == id as u16).count();
                let share = count as f64 / owners.len() as f64;
                let wanted = f64::from(*weight) / f64::from(total);
                assert!((share - wanted).abs() < 0.01, "{weights:?} {id}: {share}");
            }
        }
    }

    #[test]
    fn whoever_goes_or_gets_lighter_gives_away_only_its_own_slots() {
        for count in [2, 3, 10, 64] {
            let all = candidates(&vec![10; count]);
            let before = ring(&all, 65_536);
            for id in 0..count {
                let mut less = all.clone();
                less[id].weight = 3;
                let lighter = ring(&less, 65_536);
                less.remove(id);
                let gone = ring(&less, 65_536);
                let id = id as u16;
                let mut lost = 0;
                for ((before, lighter), gone) in before.iter().zip(&lighter).zip(&gone) {
                    lost += usize::from(lighter != before);
                    assert!(*before == id || (lighter, gone) == (before, before));
                    assert!(*lighter != id || *before == id, "it takes none");
                }
                assert!(lost > 0, "{id} of {count}");
            }
        }
    }

    #[test]
    fn who_has_drawn_nothing_takes_a_slot_that_another_can_spare() {
        let few = ring(&candidates(&[7; 64]), 64);
        let distinct: std::collections::BTreeSet<u16> = few.into_iter().collect();
        assert_eq!(distinct.len(), 64);
        let many = ring(&candidates(&[7; 100]), 64);
        assert_eq!(many.len(), 64);
        let heavy = ring(&candidates(&[u32::MAX, 1]), 64);
        assert_eq!(heavy.iter().filter(|id| **id == 1).count(), 1);
    }
}
