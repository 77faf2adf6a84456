//! An interleaved weighted sequence: in each slot stands the candidate that is furthest behind its share.
//!
//! Differs from IPVS `wrr` (`net/netfilter/ipvs/ip_vs_wrr.c`), which gives 5:1 as AAAAAB; shares are the same.

use super::Candidate;

/// `candidates` is not empty and sorted.
pub(super) fn fill(
    candidates: &[&Candidate],
    size: u32,
    weight: impl Fn(&Candidate) -> u32,
) -> Vec<u16> {
    let weights: Vec<i64> = candidates.iter().map(|c| weight(c).into()).collect();
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
