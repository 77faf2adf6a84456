//! Schedulers: a fill of the ring by the control plane, and one of the picks that the datapath knows.

mod fo;
mod maglev;
mod rendezvous;
mod weighted;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::loads::Measure;

/// The largest ring.
pub const RING_MAX: u32 = 65_536;
/// The smallest ring: with fewer slots a removal among few backends may move more than 2 % of the others' (2.8 % was seen
/// with 3 backends and 4096 slots, 0.6 % with these).
pub const RING_MIN: u32 = 16_384;
/// Slots for each backend that a pool can hold: enough for shares within 1 % of the weights, and for a removal to move
/// at most 2 % of the other backends' slots.
pub const SLOTS_EACH: u32 = 1024;

/// How a pool chooses a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Round robin: every usable backend in turn, weights other than 0 ignored. At the ring's end the turn begins anew,
    /// also in mid-round: of three backends, flow 16,383 (from 0) and flow 16,384 have the same.
    Rr,
    /// Weighted round robin, interleaved: 2:1 is ABA, never AAB with the same share. At the ring's end as [`Scheduler::Rr`].
    Wrr,
    /// Consistent hashing by Maglev's permutations; the same flow finds the same slot on every director.
    Maglev,
    /// By the client's address alone: all its flows have the same backend (`ip_vs_sh` in the kernel's IPVS). The ring is
    /// Maglev's, so that every backend gets its share.
    Sh,
    /// By the service's address alone, for caches (`ip_vs_dh`). The ring is Maglev's.
    Dh,
    /// Rendezvous hashing, highest random weight: a change of the backends moves only what it must. Shares are the weights
    /// but for chance.
    Rendezvous,
    /// Weighted failover: the heaviest backend has all flows (`ip_vs_fo`).
    Fo,
    /// Least connections: of 256 for each active flow and 1 for each that is being closed; weights other than 0 ignored.
    Lc,
    /// Weighted least connections: the same over the weight.
    Wlc,
    /// Shortest expected delay: active flows and one more, over the weight.
    Sed,
    /// Never queue: the first that has no active flow, else as [`Scheduler::Sed`].
    Nq,
    /// Weighted overflow: the heaviest backend with no more active flows than its weight.
    Ovf,
    /// Of two backends drawn by weight the one that [`Scheduler::Wlc`] would take.
    Twos,
    /// Each destination has a home, which others relieve: those that [`Scheduler::Wlc`] would take. IPVS (`ip_vs_lblc`)
    /// remembers who has a destination; here it is a slot of Maglev's ring, so that every director knows the same and nothing
    /// expires: consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018).
    Lblc,
    /// The same with two homes, of which the one that [`Scheduler::Wlc`] would take has the flow (`ip_vs_lblcr`).
    Lblcr,
}

/// What generated code does at a `select`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The slot of the key's hash ([`crate::hash::slot`]): needs no state.
    Hash,
    /// `ring[cursor++ & mask]`: needs a connection table, for each packet would go elsewhere.
    Cursor,
    /// The backend that has least to do ([`crate::loads::least`]).
    Least(Measure),
    /// Of the slots of both halves of the key's hash the one that has less to do.
    Two,
    /// The slot of the home's hash where that [`crate::loads::stays`], else the one that has least to do.
    Home,
    /// The same of the one that has less to do of the slots of both halves of the home's hash.
    Homes,
}

impl Pick {
    /// Whether it needs to know how many flows each backend has.
    pub const fn counts(self) -> bool {
        !matches!(self, Pick::Hash | Pick::Cursor)
    }

    /// Whether it may look at every backend for a flow.
    pub const fn compares(self) -> bool {
        matches!(self, Pick::Least(_) | Pick::Home | Pick::Homes)
    }

    /// Whether the ring is asked by another hash than that of the flow.
    pub const fn has_home(self) -> bool {
        matches!(self, Pick::Home | Pick::Homes)
    }

    /// Whether it needs a table of every flow.
    pub const fn needs_every(self) -> bool {
        !matches!(self, Pick::Hash)
    }
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
    pub const ALL: [Scheduler; 15] = [
        Scheduler::Rr,
        Scheduler::Wrr,
        Scheduler::Maglev,
        Scheduler::Sh,
        Scheduler::Dh,
        Scheduler::Rendezvous,
        Scheduler::Fo,
        Scheduler::Lc,
        Scheduler::Wlc,
        Scheduler::Sed,
        Scheduler::Nq,
        Scheduler::Ovf,
        Scheduler::Twos,
        Scheduler::Lblc,
        Scheduler::Lblcr,
    ];

    /// The word in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Scheduler::Rr => "rr",
            Scheduler::Wrr => "wrr",
            Scheduler::Maglev => "maglev",
            Scheduler::Sh => "sh",
            Scheduler::Dh => "dh",
            Scheduler::Rendezvous => "rendezvous",
            Scheduler::Fo => "fo",
            Scheduler::Lc => "lc",
            Scheduler::Wlc => "wlc",
            Scheduler::Sed => "sed",
            Scheduler::Nq => "nq",
            Scheduler::Ovf => "ovf",
            Scheduler::Twos => "twos",
            Scheduler::Lblc => "lblc",
            Scheduler::Lblcr => "lblcr",
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
            Scheduler::Maglev
            | Scheduler::Sh
            | Scheduler::Dh
            | Scheduler::Rendezvous
            | Scheduler::Fo => Pick::Hash,
            Scheduler::Lc | Scheduler::Wlc => Pick::Least(Measure::Connections),
            Scheduler::Sed => Pick::Least(Measure::Delay),
            Scheduler::Nq => Pick::Least(Measure::Idle),
            Scheduler::Ovf => Pick::Least(Measure::Overflow),
            Scheduler::Twos => Pick::Two,
            Scheduler::Lblc => Pick::Home,
            Scheduler::Lblcr => Pick::Homes,
        }
    }

    /// What it makes of a backend's weight, of which slow start has now left so much.
    pub const fn heeded(self, weight: u32, ramped: u32) -> u32 {
        match self {
            // It asks whether a weight is 0 and no more.
            Scheduler::Lc => (weight > 0) as u32,
            // To them a weight is a number of flows.
            Scheduler::Ovf | Scheduler::Lblc | Scheduler::Lblcr => weight,
            Scheduler::Rr
            | Scheduler::Wrr
            | Scheduler::Maglev
            | Scheduler::Sh
            | Scheduler::Dh
            | Scheduler::Rendezvous
            | Scheduler::Fo
            | Scheduler::Wlc
            | Scheduler::Sed
            | Scheduler::Nq
            | Scheduler::Twos => ramped,
        }
    }

    /// Slots of the ring of a pool that can hold `capacity` backends, a power of two.
    pub fn ring_size(self, capacity: usize) -> u32 {
        if self == Scheduler::Rendezvous {
            // Chance is the smaller the more slots there are: with two backends 0.2 % of them are a standard deviation.
            return RING_MAX;
        }
        let wanted = u32::try_from(capacity)
            .unwrap_or(RING_MAX)
            .saturating_mul(SLOTS_EACH);
        wanted.clamp(RING_MIN, RING_MAX).next_power_of_two()
    }

    /// Fills a ring of `size` slots (a power of two) with backend ids; empty when there is no candidate.
    ///
    /// Where the weights are shares, these are within 1 % of all slots when the ring is as large as
    /// [`Scheduler::ring_size`] says, and each candidate has one slot at least. The order of the candidates does not matter.
    /// A ring of 65,536 slots takes some milliseconds, whether of ten candidates or of ten thousand.
    pub fn fill(self, candidates: &[Candidate], size: u32) -> Vec<u16> {
        let mut sorted: Vec<&Candidate> = candidates.iter().filter(|c| c.weight > 0).collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        if sorted.is_empty() {
            return Vec::new();
        }
        match self {
            Scheduler::Rr => weighted::fill(&sorted, size, |_| 1),
            Scheduler::Wrr => weighted::fill(&sorted, size, |candidate| candidate.weight),
            Scheduler::Maglev
            | Scheduler::Sh
            | Scheduler::Dh
            | Scheduler::Lc
            | Scheduler::Wlc
            | Scheduler::Sed
            | Scheduler::Nq
            | Scheduler::Ovf
            | Scheduler::Twos
            | Scheduler::Lblc
            | Scheduler::Lblcr => maglev::fill(&sorted, size),
            Scheduler::Rendezvous => rendezvous::fill(&sorted, size),
            Scheduler::Fo => fo::fill(&sorted, size),
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
    use crate::hash;

    pub(super) fn candidates(weights: &[u32]) -> Vec<Candidate> {
        let each = weights.iter().enumerate();
        each.map(|(id, weight)| Candidate {
            id: id as u16,
            name: format!("192.0.2.{id}"),
            weight: *weight,
        })
        .collect()
    }

    /// Weights of all sorts: equal, of one heavy one among light ones, drawn from few and from many.
    pub(super) fn mixtures() -> Vec<Vec<u32>> {
        let mut mixtures = vec![
            vec![1],
            vec![65_535],
            vec![3; 70],
            vec![65_535, 1, 65_535, 1, 1],
            (1..=40).collect(),
        ];
        let mut drawn = (0..).map(|number| hash::table(number, 7));
        for (most, count) in [
            (3, 5),
            (10, 40),
            (100, 3),
            (100, 200),
            (65_535, 9),
            (65_535, 100),
        ] {
            let weights = drawn.by_ref().take(count);
            mixtures.push(weights.map(|drawn| 1 + (drawn % most) as u32).collect());
        }
        let mut heavy = vec![1; 300];
        heavy[123] = 60_000;
        mixtures.push(heavy);
        mixtures
    }

    /// Who has each of 100,000 flows of an IPv4 service.
    pub(super) fn owners_of_flows(ring: &[u16]) -> Vec<u16> {
        let owner = |flow: u32| {
            let client = ((10 << 24) | (flow / 4)).to_be_bytes();
            let mut key = [0, 0, 0, 0, 192, 0, 2, 10, 6, 0x9c, 0, 0, 80];
            key[..4].copy_from_slice(&client);
            key[10] = flow as u8 % 4;
            ring[hash::slot(hash::ring(hash::state(&key)), ring.len() as u32) as usize]
        };
        (0..100_000).map(owner).collect()
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
        for scheduler in [Scheduler::Wrr, Scheduler::Maglev, Scheduler::Rendezvous] {
            for weights in [
                &[1, 1][..],
                &[2, 1],
                &[5, 1, 1, 3],
                &[100, 1, 50, 7, 3, 3, 3, 9],
            ] {
                let size = scheduler.ring_size(weights.len());
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
    fn flows_follow_the_weights_within_one_percent_of_all() {
        for weights in [&[1, 1][..], &[5, 1, 1, 3], &[100, 1, 50, 7, 3, 3, 3, 9]] {
            let size = Scheduler::Maglev.ring_size(weights.len());
            let owners = owners_of_flows(&Scheduler::Maglev.fill(&candidates(weights), size));
            let total: u32 = weights.iter().sum();
            for (id, weight) in weights.iter().enumerate() {
                let has = owners.iter().filter(|owner| usize::from(**owner) == id);
                let (has, wanted) = (has.count(), 100_000 * weight / total);
                assert!(
                    has.abs_diff(wanted as usize) < 1000,
                    "{weights:?} {id}: {has} of {wanted}"
                );
            }
        }
    }

    #[test]
    fn no_weight_is_too_small_for_a_slot() {
        let sharing = |scheduler: &Scheduler| *scheduler != Scheduler::Fo;
        for scheduler in Scheduler::ALL.into_iter().filter(sharing) {
            for weights in [&[1000, 1][..], &[1, 65_535], &[65_535, 1, 65_535, 1, 1]] {
                let size = scheduler.ring_size(weights.len());
                let ring = scheduler.fill(&candidates(weights), size);
                assert_eq!(ring.len(), size as usize);
                assert_eq!(
                    shares(&ring).len(),
                    weights.len(),
                    "{scheduler} {weights:?}"
                );
            }
            let many = scheduler.fill(&candidates(&[7; 60]), 64);
            assert_eq!(shares(&many).len(), 60, "{scheduler}");
        }
    }

    #[test]
    fn round_robin_ignores_weights_and_goes_round_until_the_rings_end() {
        let ring = Scheduler::Rr.fill(&candidates(&[9, 1, 1]), 64);
        let expected: Vec<u16> = (0..64).map(|turn| turn % 3).collect();
        assert_eq!(ring, expected);
    }

    #[test]
    fn weighted_round_robin_interleaves() {
        for (weights, round) in [
            ([3, 2], &[0, 1, 0, 1, 0][..]),
            ([5, 3], &[0, 1, 0, 0, 1, 0, 1, 0]),
            ([5, 1], &[0, 0, 0, 1, 0, 0]),
        ] {
            let ring = Scheduler::Wrr.fill(&candidates(&weights), 64);
            let expected: Vec<u16> = round.iter().copied().cycle().take(64).collect();
            assert_eq!(ring, expected, "{weights:?}");
        }
    }

    #[test]
    fn removing_a_backend_moves_its_slots_and_few_others() {
        for count in (2..=16).chain([24, 32, 64]) {
            let all = candidates(&vec![1; count]);
            let size = Scheduler::Maglev.ring_size(count);
            let before = Scheduler::Maglev.fill(&all, size);
            for gone in 0..count as u16 {
                let left: Vec<_> = all.iter().filter(|c| c.id != gone).cloned().collect();
                let after = Scheduler::Maglev.fill(&left, size);
                let kept = before.iter().zip(&after).filter(|(b, _)| **b != gone);
                let moved = kept.clone().filter(|(b, a)| a != b).count();
                let kept = kept.count();
                assert!(
                    moved * 100 <= kept * 2,
                    "{gone} of {count}: {moved} of {kept} slots moved without need"
                );
            }
        }
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
            [0, 1, 16, 17, 5000].map(|count| Scheduler::Rr.ring_size(count)),
            [16_384, 16_384, 16_384, 32_768, 65_536]
        );
    }
}
