//! The clock of a director whose packets have no times of their own.

use std::time::Instant;

/// The most that it goes on at once (seconds).
const STRIDE: u64 = 2;

/// Counts seconds, and stands still while nobody reads it: packets that the kernel forwards while the director is stopped are
/// noted with the time at which he last told it, and must not look silent since.
pub(super) struct Clock {
    from: Instant,
    /// Its time then.
    seconds: u64,
}

impl Clock {
    /// It is so late (seconds).
    pub(super) fn at(seconds: u64) -> Clock {
        Clock {
            from: Instant::now(),
            seconds,
        }
    }

    /// How late it is (seconds), when it was last told to be `before`.
    pub(super) fn on(&mut self, before: u64) -> u64 {
        let now = self.seconds + self.from.elapsed().as_secs();
        let most = before + STRIDE;
        if now > most {
            *self = Clock::at(most);
        }
        now.min(most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_stands_still_while_nobody_reads_it() {
        let mut clock = Clock::at(1000);
        assert_eq!(clock.on(1000), 1000);
        clock.from -= Duration::from_secs(1);
        assert_eq!(clock.on(1000), 1001);
        clock.from -= Duration::from_secs(100);
        assert_eq!(clock.on(1001), 1001 + STRIDE);
        assert_eq!(
            clock.on(1001 + STRIDE),
            1001 + STRIDE,
            "it does not make up for it"
        );
    }
}
