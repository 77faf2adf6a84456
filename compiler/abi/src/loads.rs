//! What backends have to do: how many flows each has, and which of them has least.
//!
//! The table of every flow tells it: whoever writes an entry there, and with success, adds to the counts of the backend
//! that has the flow or has it no more. A backend's flows are one word:
//!
//! ```text
//! counts, 64 bits:  inactive 32 | active 32
//! ```
//!
//! A flow that is being closed is inactive, any other one active, its opening, too, as in the kernel's IPVS
//! (`net/netfilter/ipvs/ip_vs_proto_tcp.c`, `tcp_state_active_table`).
//!
//! [`least`] is one rule for several schedulers. Each asks of a backend a pair, cost and weight, and the first of those with
//! the smallest quotient has the next flow; who has weight 0 has none. Quotients are compared by cross multiplication, as
//! the kernel does it.

use crate::flows::{CLOSING, Entry};
use crate::image::{Image, Width};
use crate::layout::{Section, load};
use crate::manifest::Pool;

/// One active flow in a backend's counts.
pub const ACTIVE: u64 = 1;
/// One inactive flow in a backend's counts.
pub const INACTIVE: u64 = 1 << 32;
/// Mask of the active flows.
pub const ACTIVE_MASK: u64 = 0xffff_ffff;
/// Bits to the right of the inactive flows.
pub const INACTIVE_SHIFT: u32 = 32;
/// The limit of a backend that has none.
pub const UNLIMITED: u32 = u32::MAX;
/// An active flow costs so many inactive ones (`ip_vs_dest_conn_overhead` in `include/net/ip_vs.h`).
pub const ACTIVE_COST: u64 = 256;
/// Most backends of a pool in which each is looked at for a flow.
pub const BACKENDS_MAX: u32 = 256;

/// How the work of a backend is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// 256 for an active flow and 1 for an inactive one, over the weight (`ip_vs_lc.c`, `ip_vs_wlc.c`).
    Connections,
    /// How long the next flow would wait: one more than active flows, over the weight (`ip_vs_sed.c`).
    Delay,
    /// The same, but whoever has no active flow comes first (`ip_vs_nq.c`).
    Idle,
    /// The greatest weight of those with no more active flows than that (`ip_vs_ovf.c`).
    Overflow,
}

/// A backend as an image has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Flows that are not being closed.
    pub active: u32,
    /// Flows that are.
    pub inactive: u32,
    /// Share of new flows; 0 takes none.
    pub weight: u32,
    /// Takes none from so many flows on, of both kinds.
    pub limit: u32,
}

impl Load {
    /// The element `index` of a section `loads.<pool>`.
    pub fn read(image: &dyn Image, section: &Section, index: u64) -> Load {
        let counts = image.load(section.at(index, load::COUNTS), Width::B8);
        let field = |field| image.load(section.at(index, field), Width::B4) as u32;
        Load {
            active: (counts & ACTIVE_MASK) as u32,
            inactive: (counts >> INACTIVE_SHIFT) as u32,
            weight: field(load::WEIGHT),
            limit: field(load::LIMIT),
        }
    }

    /// All flows.
    pub fn total(self) -> u64 {
        u64::from(self.active) + u64::from(self.inactive)
    }

    /// Whether it takes no more flows.
    pub fn is_full(self) -> bool {
        self.total() >= u64::from(self.limit)
    }

    /// Its weight while it takes flows, else 0.
    pub fn room(self) -> u64 {
        if self.is_full() {
            0
        } else {
            self.weight.into()
        }
    }

    /// Cost and weight.
    pub fn measured(self, measure: Measure) -> (u64, u64) {
        let (active, weight) = (u64::from(self.active), self.room());
        match measure {
            Measure::Connections => (ACTIVE_COST * active + u64::from(self.inactive), weight),
            Measure::Idle if active == 0 => (0, weight),
            Measure::Delay | Measure::Idle => (active + 1, weight),
            Measure::Overflow if active > weight => (1, 0),
            Measure::Overflow => (1, weight),
        }
    }
}

/// The index of the one that has the next flow; `None` where none takes any.
pub fn least(measure: Measure, loads: impl IntoIterator<Item = Load>) -> Option<usize> {
    let mut least = None;
    let (mut cost, mut weight) = (1, 0);
    for (index, load) in loads.into_iter().enumerate() {
        let (other, share) = load.measured(measure);
        if other * weight < cost * share {
            (least, cost, weight) = (Some(index), other, share);
        }
    }
    least
}

/// Whether the second of two backends has less to do than the first one.
pub fn second_has_less(first: Load, second: Load) -> bool {
    let (a, b) = (
        first.measured(Measure::Connections),
        second.measured(Measure::Connections),
    );
    b.0 * a.1 < a.0 * b.1
}

/// Whether a destination's home has its next flow: it takes flows, and has no more active ones than its weight, or nobody of
/// `all` has less than half of that (`is_overloaded` in `ip_vs_lblc.c` and `ip_vs_lblcr.c`).
pub fn stays(home: Load, all: impl IntoIterator<Item = Load>) -> bool {
    let relieves = |other: Load| 2 * u64::from(other.active) < other.room();
    let busy = u64::from(home.active) > home.room();
    home.room() > 0 && !(busy && all.into_iter().any(relieves))
}

/// What an entry counts.
pub const fn unit(entry: Entry) -> u64 {
    if entry.flags & CLOSING == 0 {
        ACTIVE
    } else {
        INACTIVE
    }
}

/// A flow of a backend is known no more.
pub fn forget(image: &mut dyn Image, loads: &Section, entry: Entry) {
    replace(image, loads, Some(entry), None);
}

/// An entry has taken the place of another one, or is the first there, or the last.
pub fn replace(
    image: &mut dyn Image,
    loads: &Section,
    before: Option<Entry>,
    after: Option<Entry>,
) {
    let at = |entry: Entry| loads.at(entry.backend.into(), load::COUNTS);
    if let Some(entry) = before {
        image.add(at(entry), unit(entry).wrapping_neg());
    }
    if let Some(entry) = after {
        image.add(at(entry), unit(entry));
    }
}

/// Counts anew whose flows a pool's table has: in an image that is being filled, and in one whose director has ended between an
/// exchange and its count. Where packets come meanwhile, a backend whose count they change keeps it; where as many flows of a backend
/// begin as end, that is not seen, and its count may be wrong by them. So it is not done where the counts are right.
///
/// While a director is at work nobody needs it. A word of the table has one successor, of whoever exchanges it, and that one
/// adds what both differ in, once: so the counts are the sum over the table but for what is under way, in whatever order the
/// additions come, and no loss adds up. Nor could it be done part by part: between two parts a flow may open in one that was
/// read and end in one that was not, and the count does not tell of which part it speaks. What was read then differs from a
/// count that is right, and what is mended by that is wrong. So the whole table is read at once, when a director takes up an image.
pub fn recount(pool: &Pool, image: &mut dyn Image) {
    let section = |kind| image.layout().of_pool(kind, &pool.name).cloned();
    let (Some(loads), Some(table)) = (section("loads"), section("flows")) else {
        return;
    };
    let ids = 0..u64::from(loads.length);
    let at = |id| loads.at(id, load::COUNTS);
    let before: Vec<u64> = ids
        .clone()
        .map(|id| image.load(at(id), Width::B8))
        .collect();
    let mut counted = vec![0_u64; before.len()];
    for index in 0..u64::from(table.length) {
        let entry = Entry::from_bits(image.load(table.at(index, 0), Width::B8));
        if let Some(entry) = entry
            && let Some(count) = counted.get_mut(usize::from(entry.backend))
        {
            *count = count.wrapping_add(unit(entry));
        }
    }
    for ((id, before), counted) in ids.zip(before).zip(counted) {
        if before != counted {
            image.exchange(at(id), before, counted);
        }
    }
}

/// A backend that has got as many flows as it takes takes none until it has fewer than where it opens again.
pub fn open_and_close(pool: &Pool, image: &mut dyn Image) {
    let Some(section) = image.layout().of_pool("loads", &pool.name).cloned() else {
        return;
    };
    for backend in &pool.backends {
        let (Some(limit), id) = (backend.limit, u64::from(backend.id)) else {
            continue;
        };
        let load = Load::read(image, &section, id);
        let wanted = if !load.is_full() {
            limit.flows
        } else if load.total() < u64::from(limit.flows) {
            // It has closed, and is not yet open.
            load.limit
        } else {
            limit.reopen
        };
        if wanted != load.limit {
            image.store(section.at(id, load::LIMIT), Width::B4, wanted.into());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::hash;
    use crate::image::Bytes;
    use crate::layout::{Element, Layout};
    use crate::manifest::{Backend, Flows, Limit, Tracking};
    use crate::scheduler::{Candidate, Scheduler};

    fn load(active: u32, inactive: u32, weight: u32) -> Load {
        Load {
            active,
            inactive,
            weight,
            limit: UNLIMITED,
        }
    }

    #[test]
    fn who_has_least_is_the_one_that_the_kernel_would_take() {
        use Measure::{Connections, Delay, Idle, Overflow};
        let cases: [(Measure, &[Load], Option<usize>); 18] = [
            (Connections, &[load(2, 0, 1), load(1, 255, 1)], Some(1)),
            (Connections, &[load(2, 0, 1), load(1, 256, 1)], Some(0)),
            (Connections, &[load(4, 0, 2), load(3, 0, 1)], Some(0)),
            (Connections, &[load(6, 0, 2), load(3, 0, 1)], Some(0)),
            (Connections, &[load(0, 0, 0), load(9, 0, 1)], Some(1)),
            (Connections, &[load(0, 0, 1), load(0, 0, 9)], Some(0)),
            (Connections, &[load(0, 0, 0), load(0, 0, 0)], None),
            (Connections, &[], None),
            (Delay, &[load(0, 0, 1), load(0, 0, 2)], Some(1)),
            (Delay, &[load(1, 0, 2), load(0, 9, 1)], Some(0)),
            (
                Idle,
                &[load(1, 0, 9), load(0, 9, 1), load(0, 0, 5)],
                Some(1),
            ),
            (Idle, &[load(1, 0, 1), load(2, 0, 2)], Some(1)),
            (Overflow, &[load(0, 0, 2), load(3, 9, 3)], Some(1)),
            (Overflow, &[load(0, 0, 2), load(4, 0, 3)], Some(0)),
            // Of equals the first one.
            (Overflow, &[load(3, 0, 3), load(0, 0, 3)], Some(0)),
            (Delay, &[load(1, 0, 1), load(3, 0, 2)], Some(0)),
            (Overflow, &[load(0, 0, 0), load(0, 0, 0)], None),
            (Overflow, &[load(3, 0, 2), load(4, 0, 3)], None),
        ];
        for (measure, loads, expected) in cases {
            let found = least(measure, loads.iter().copied());
            assert_eq!(found, expected, "{measure:?} {loads:?}");
        }
    }

    #[test]
    fn who_is_full_takes_none() {
        let full = Load {
            limit: 3,
            ..load(1, 2, 9)
        };
        assert_eq!(least(Measure::Connections, [full]), None);
        let open = Load { limit: 4, ..full };
        assert_eq!(least(Measure::Connections, [full, open]), Some(1));
        assert!(second_has_less(full, open) && !second_has_less(open, full));
    }

    #[test]
    fn of_two_the_first_one_wins_a_tie() {
        assert!(!second_has_less(load(1, 0, 1), load(1, 0, 1)));
        assert!(second_has_less(load(1, 0, 1), load(1, 0, 2)));
        assert!(!second_has_less(load(1, 0, 2), load(1, 0, 1)));
    }

    #[test]
    fn a_home_is_left_when_it_has_more_than_its_weight_and_another_one_less_than_half() {
        let full = Load {
            limit: 3,
            ..load(1, 2, 9)
        };
        let cases: [(Load, &[Load], bool); 12] = [
            (load(0, 0, 1), &[load(0, 0, 1)], true),
            (load(4, 0, 4), &[load(0, 0, 9)], true),
            (load(5, 0, 4), &[load(0, 0, 9)], false),
            // Only active flows count.
            (load(4, 99, 4), &[load(0, 0, 9)], true),
            (load(5, 0, 4), &[load(1, 99, 3)], false),
            // Half is not less than half.
            (load(5, 0, 4), &[load(2, 0, 4), load(5, 0, 9)], true),
            (load(5, 0, 4), &[load(2, 0, 4), load(4, 0, 9)], false),
            // Who takes none relieves nobody.
            (load(5, 0, 4), &[full, load(0, 0, 0)], true),
            (load(9, 0, 4), &[], true),
            // Such a home has none, whether another one would do or not.
            (full, &[], false),
            (load(0, 0, 0), &[load(9, 0, 1)], false),
            (load(3, 0, 0), &[load(0, 0, 1)], false),
        ];
        for (home, others, expected) in cases {
            let all = others.iter().copied().chain([home]);
            assert_eq!(stays(home, all), expected, "{home:?} {others:?}");
        }
    }

    /// The flows that each has when so many have come and none has gone.
    fn shares(weights: &[u32], mut next: impl FnMut(&[Load], u64) -> Option<usize>) -> Vec<u32> {
        let mut loads: Vec<Load> = weights.iter().map(|weight| load(0, 0, *weight)).collect();
        for flow in 0..100_000 {
            let chosen = next(&loads, flow).unwrap();
            loads[chosen].active += 1;
        }
        loads.iter().map(|load| load.active).collect()
    }

    #[test]
    fn flows_are_shared_as_the_weights_say() {
        for measure in [Measure::Connections, Measure::Delay, Measure::Idle] {
            for weights in [&[1, 1][..], &[5, 1, 1, 3], &[100, 1, 50, 7, 0, 3, 3, 9]] {
                let total: u32 = weights.iter().sum();
                let shares = shares(weights, |loads, _| least(measure, loads.iter().copied()));
                for (share, weight) in shares.iter().zip(weights) {
                    let wanted = 100_000 / total * weight;
                    assert!(
                        share.abs_diff(wanted) < 1000,
                        "{measure:?} {weights:?} {shares:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn of_two_drawn_by_weight_the_lesser_one_evens_out_what_the_hash_does_not() {
        let weights = [5, 1, 1, 3];
        let all = (0..).zip(weights).map(|(id, weight)| Candidate {
            id,
            name: id.to_string(),
            weight,
        });
        let ring = Scheduler::Twos.fill(&all.collect::<Vec<_>>(), 16_384);
        let shares = shares(&weights, |loads, flow| {
            let hash = hash::ring(hash::state(&flow.to_be_bytes()));
            let at = |hash| usize::from(ring[hash::slot(hash, 16_384) as usize]);
            let (first, second) = (at(hash), at(hash << 32));
            Some(if second_has_less(loads[first], loads[second]) {
                second
            } else {
                first
            })
        });
        for (share, weight) in shares.iter().zip(weights) {
            assert!(share.abs_diff(10_000 * weight) < 100, "{shares:?}");
        }
    }

    fn pool() -> (Pool, Bytes) {
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Flow, 16);
        layout.add("loads.web", Element::Load, 4);
        let limit = Some(Limit {
            flows: 4,
            reopen: 2,
        });
        let backend = |id| Backend {
            limit,
            ..Backend::new(id, format!("rs{id}"), [192, 0, 2, 1])
        };
        let pool = Pool {
            backends: vec![backend(0), backend(1)],
            flows: Some(Flows::new(Tracking::Every, 16, 60)),
            ..Pool::new("web", Scheduler::Wlc)
        };
        (pool, Bytes::new(layout))
    }

    fn enter(image: &mut Bytes, index: u64, backend: u16, flags: u64) -> Entry {
        let entry = Entry {
            tag: index as u32,
            backend,
            seconds: 5,
            flags,
        };
        let at = image.layout().named("flows.web").unwrap().1.at(index, 0);
        image.store(at, Width::B8, entry.to_bits());
        entry
    }

    #[test]
    fn what_the_table_has_is_counted() {
        let (pool, mut image) = pool();
        let loads = image.layout().named("loads.web").unwrap().1.clone();
        for (index, (backend, flags)) in (0..).zip([(0, 0), (1, CLOSING), (1, 0), (1, 8), (0, 0)]) {
            enter(&mut image, index, backend, flags);
        }
        // What was wrong is mended.
        image.store(loads.at(2, load::COUNTS), Width::B8, 77);
        recount(&pool, &mut image);
        let counts = |image: &Bytes| {
            [0, 1, 2].map(|id| {
                let load = Load::read(image, &loads, id);
                (load.active, load.inactive)
            })
        };
        assert_eq!(counts(&image), [(2, 0), (2, 1), (0, 0)]);
        let gone = enter(&mut image, 1, 1, CLOSING);
        forget(&mut image, &loads, gone);
        assert_eq!(counts(&image), [(2, 0), (2, 0), (0, 0)]);
    }

    #[test]
    fn who_was_full_takes_flows_again_where_the_policy_says() {
        let (pool, mut image) = pool();
        let loads = image.layout().named("loads.web").unwrap().1.clone();
        let mut limits = Vec::new();
        for flows in [3, 4, 5, 4, 3, 2, 1, 2, 3, 4] {
            image.store(loads.at(0, load::COUNTS), Width::B8, flows);
            if limits.is_empty() {
                image.store(loads.at(0, load::LIMIT), Width::B4, 4);
            }
            open_and_close(&pool, &mut image);
            limits.push(Load::read(&image, &loads, 0).limit);
        }
        assert_eq!(limits, [4, 2, 2, 2, 2, 2, 4, 4, 4, 2]);
    }
}
