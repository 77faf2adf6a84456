//! Slow start: a backend that comes, or comes back, begins with a tenth of its weight and gets the others one after the
//! other, until after a pool's time it has all of it. Caches are cold then, and connections few.

use crate::manifest::Pool;
use crate::world::BackendState;

/// A whole weight, in its steps.
pub const STEPS: u32 = 10;

/// What a backend that came at second `since` has of its weight at `now`, in parts of [`STEPS`], where it has all of it
/// after `time` seconds.
pub fn steps(since: u64, now: u64, time: u32) -> u32 {
    let (passed, time) = (now.saturating_sub(since), u64::from(time));
    if passed >= time {
        return STEPS;
    }
    1 + (passed * u64::from(STEPS - 1) / time) as u32
}

/// The weights that a pool's backends have at `now`, in the order of `states`. Where one of them has not all of it, all are
/// [`STEPS`] times as large, so that the smallest weight has parts.
pub fn weights<'a>(
    pool: &Pool,
    states: impl Iterator<Item = &'a BackendState> + Clone,
    now: u64,
) -> impl Iterator<Item = u32> {
    let time = pool.slow_start.unwrap_or(0);
    let part =
        move |state: &BackendState| state.since.map_or(STEPS, |since| steps(since, now, time));
    let whole = states.clone().all(|state| part(state) == STEPS);
    states.map(move |state| match part(state) {
        _ if whole => state.weight,
        part => state.weight.saturating_mul(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_grows_from_a_tenth_to_all_in_ten_steps() {
        let reached = |passed: u64| steps(100, 100 + passed, 60);
        assert_eq!(
            [0, 6, 7, 13, 14, 53, 54, 59].map(reached),
            [1, 1, 2, 2, 3, 8, 9, 9]
        );
        assert_eq!([60, 61, 1 << 40].map(reached), [10; 3]);
        let all: std::collections::BTreeSet<u32> = (0..=60).map(reached).collect();
        assert!(all.into_iter().eq(1..=STEPS));
        assert_eq!(steps(100, 99, 60), 1, "a clock that goes back");
        assert_eq!(
            (steps(7, 7, 1), steps(7, 8, 1), steps(7, 7, 0)),
            (1, 10, 10)
        );
    }
}
