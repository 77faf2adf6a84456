//! Weighted failover (`net/netfilter/ipvs/ip_vs_fo.c`): all new flows go to the heaviest backend that is usable, the others
//! wait for it to go. Of equals the one with the lowest id, which is the first line where a policy gives no ids.

use std::cmp::Reverse;

use super::Candidate;

/// One candidate, `size` times.
pub(super) fn fill(candidates: &[&Candidate], size: u32) -> Vec<u16> {
    let heaviest = candidates.iter().max_by_key(|c| (c.weight, Reverse(c.id)));
    heaviest.map_or_else(Vec::new, |chosen| vec![chosen.id; size as usize])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::super::Scheduler;
    use super::super::tests::candidates;
    use super::*;

    #[test]
    fn the_heaviest_has_all_and_the_first_of_equals() {
        for (weights, chosen) in [
            (&[1, 3, 2][..], 1),
            (&[2, 3, 3], 1),
            (&[0, 1], 1),
            (&[1; 12], 0),
        ] {
            let ring = Scheduler::Fo.fill(&candidates(weights), 64);
            assert_eq!(ring, [chosen; 64], "{weights:?}");
        }
        assert!(Scheduler::Fo.fill(&candidates(&[0, 0]), 64).is_empty());
    }

    #[test]
    fn the_next_one_takes_over_and_the_first_one_takes_back() {
        let all = candidates(&[5, 9, 7]);
        let without = [all[0].clone(), all[2].clone()];
        let first = |candidates: &[Candidate]| Scheduler::Fo.fill(candidates, 64)[0];
        assert_eq!([first(&all), first(&without), first(&all)], [1, 2, 1]);
    }
}
