//! Schedulers: a fill of the ring by the control plane, and one of the picks that the datapath knows.

mod maglev;
mod weighted;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest ring.
pub const RING_MAX: u32 = 65_536;
/// Slots for each backend that a pool can hold: enough for shares within 1 % of the weights, and for a removal to move
/// at most 2 % of the other backends' slots.
pub const SLOTS_EACH: u32 = 256;

/// How a pool chooses a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Round robin: every usable backend in turn, weights other than 0 ignored.
    Rr,
    /// Weighted round robin, interleaved: 2:1 is ABA, never AAB with the same share.
    Wrr,
    /// Consistent hashing by Maglev's permutations; the same flow finds the same slot on every director.
    Maglev,
}

/// What generated code does at a `select`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// `ring[hash(key) & mask]`: needs no state.
    Hash,
    /// `ring[cursor++ & mask]`: needs a connection table, for each packet would go elsewhere.
    Cursor,
}

/// A backend that may be given flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id in the pool.
    pub id: u16,
    /// What it is called: equal on every director, independent of the order of lines.
    pub name: String,
    /// Its weight, at least 1.
    pub weight: u32,
}

impl Scheduler {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Scheduler; 3] = [Scheduler::Rr, Scheduler::Wrr, Scheduler::Maglev];

    /// The word in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Scheduler::Rr => "rr",
            Scheduler::Wrr => "wrr",
            Scheduler::Maglev => "maglev",
        }
    }

    /// The scheduler of this word.
    pub fn named(name: &str) -> Option<Scheduler> {
        Scheduler::ALL
            .into_iter()
            .find(|scheduler| scheduler.name() == name)
    }

    /// What generated code does at a `select`.
    pub const fn pick(self) -> Pick {
        match self {
            Scheduler::Rr | Scheduler::Wrr => Pick::Cursor,
            Scheduler::Maglev => Pick::Hash,
        }
    }

    /// Fills a ring of `size` slots (a power of two) with backend ids; empty when there is no candidate.
    ///
    /// Shares are within 1 % of the weights when there are [`SLOTS_EACH`] slots for each candidate. The order of
    /// the candidates does not matter.
    pub fn fill(self, candidates: &[Candidate], size: u32) -> Vec<u16> {
        let mut sorted: Vec<&Candidate> = candidates.iter().filter(|c| c.weight > 0).collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        if sorted.is_empty() {
            return Vec::new();
        }
        match self {
            Scheduler::Rr => weighted::fill(&sorted, size, |_| 1),
            Scheduler::Wrr => weighted::fill(&sorted, size, |candidate| candidate.weight),
            Scheduler::Maglev => maglev::fill(&sorted, size),
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Slots of the ring of a pool that can hold `capacity` backends.
pub fn ring_size(capacity: usize) -> u32 {
    let wanted = u32::try_from(capacity)
        .unwrap_or(RING_MAX)
        .saturating_mul(SLOTS_EACH);
    wanted.clamp(SLOTS_EACH, RING_MAX).next_power_of_two()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::cast_precision_loss,
        reason = "tests"
    )]
    use std::collections::BTreeMap;

    use super::*;

    fn candidates(weights: &[u32]) -> Vec<Candidate> {
        let each = weights.iter().enumerate();
        each.map(|(id, weight)| Candidate {
            id: id as u16,
            name: format!("192.0.2.{id}"),
            weight: *weight,
        })
        .collect()
    }

    fn shares(ring: &[u16]) -> BTreeMap<u16, f64> {
        let mut shares = BTreeMap::new();
        for id in ring {
            *shares.entry(*id).or_insert(0.0) += 1.0 / ring.len() as f64;
        }
        shares
    }

    #[test]
    fn shares_follow_the_weights_within_one_percent() {
        for scheduler in [Scheduler::Wrr, Scheduler::Maglev] {
            for weights in [
                &[1, 1][..],
                &[2, 1],
                &[5, 1, 1, 3],
                &[100, 1, 50, 7, 3, 3, 3, 9],
            ] {
                let size = ring_size(weights.len());
                let ring = scheduler.fill(&candidates(weights), size);
                assert_eq!(ring.len(), size as usize);
                let total: u32 = weights.iter().sum();
                for (id, weight) in weights.iter().enumerate() {
                    let share = shares(&ring).get(&(id as u16)).copied().unwrap_or(0.0);
                    let wanted = f64::from(*weight) / f64::from(total);
                    assert!(
                        (share - wanted).abs() < 0.01,
                        "{scheduler} {weights:?} {id}: {share}"
                    );
                }
            }
        }
    }

    #[test]
    fn round_robin_ignores_weights_and_alternates() {
        let ring = Scheduler::Rr.fill(&candidates(&[9, 1]), 64);
        assert!(ring.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn weighted_round_robin_interleaves() {
        let ring = Scheduler::Wrr.fill(&candidates(&[5, 1]), 64);
        let longest = ring
            .chunk_by(|a, b| a == b)
            .map(<[u16]>::len)
            .max()
            .unwrap();
        assert!(
            longest <= 6,
            "a 5:1 ring never gives more than six in a row: {longest}"
        );
    }

    #[test]
    fn removing_a_backend_moves_its_slots_and_few_others() {
        let all = candidates(&[1; 20]);
        let size = ring_size(all.len());
        let before = Scheduler::Maglev.fill(&all, size);
        let after = Scheduler::Maglev.fill(&all[1..], size);
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(b, a)| **b != 0 && a != b)
            .count();
        let kept = before.iter().filter(|b| **b != 0).count();
        assert!(
            moved * 100 <= kept * 2,
            "{moved} of {kept} slots moved without need"
        );
    }

    #[test]
    fn the_order_of_lines_does_not_matter() {
        let all = candidates(&[3, 1, 2]);
        let turned: Vec<_> = all.iter().rev().cloned().collect();
        for scheduler in Scheduler::ALL {
            assert_eq!(scheduler.fill(&all, 256), scheduler.fill(&turned, 256));
        }
    }

    #[test]
    fn no_candidate_gives_no_ring_and_weight_zero_gets_nothing() {
        assert!(Scheduler::Maglev.fill(&[], 64).is_empty());
        assert!(Scheduler::Wrr.fill(&candidates(&[0]), 64).is_empty());
        for scheduler in Scheduler::ALL {
            assert!(
                scheduler
                    .fill(&candidates(&[0, 4]), 64)
                    .iter()
                    .all(|id| *id == 1)
            );
        }
    }

    #[test]
    fn ring_sizes_are_powers_of_two_in_their_bounds() {
        assert_eq!(
            [0, 1, 2, 3, 5000].map(ring_size),
            [256, 256, 512, 1024, 65_536]
        );
    }
}
