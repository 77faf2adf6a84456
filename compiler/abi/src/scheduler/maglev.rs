//! Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4) over a power-of-two ring: the skip is odd, so it visits
//! every slot without a prime table size. Weights as in section 3.4: a backend takes its turn more often; everyone takes
//! one in the first round, so that no weight is too small for a slot.

use super::Candidate;
use crate::hash;

/// Where a backend wants to be: its offset, then ever `skip` further.
struct Walk {
    at: u32,
    skip: u32,
}

impl Walk {
    fn of(name: &str, size: u32) -> Walk {
        let mixed = hash::ring(hash::state(name.as_bytes()));
        let skip = (hash::table(mixed, 1) as u32 % size) | 1;
        Walk {
            at: mixed as u32 % size,
            skip,
        }
    }
}

/// `candidates` is not empty and sorted; `size` is a power of two.
pub(super) fn fill(candidates: &[&Candidate], size: u32) -> Vec<u16> {
    let top = u64::from(candidates.iter().map(|c| c.weight).max().unwrap_or(1));
    let mut turns: Vec<(&Candidate, Walk, u64)> = candidates
        .iter()
        .map(|c| (*c, Walk::of(&c.name, size), top - u64::from(c.weight)))
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
            take(&mut ring, walk, size, candidate.id);
            free -= 1;
        }
    }
    ring.into_iter().flatten().collect()
}

/// Puts `id` into the first free slot of its walk; there is one.
fn take(ring: &mut [Option<u16>], walk: &mut Walk, size: u32, id: u16) {
    loop {
        let at = walk.at;
        walk.at = (walk.at + walk.skip) & (size - 1);
        if let Some(slot @ None) = ring.get_mut(at as usize) {
            *slot = Some(id);
            return;
        }
    }
}
