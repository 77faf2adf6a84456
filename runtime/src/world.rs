//! What is true now, as far as it comes from this machine.

use std::hash::{BuildHasher, RandomState};

pub use lvsc_abi::world::{BackendState, InterfaceState, World};

/// A seed for the table hash that nobody outside can guess.
pub fn draw_seed() -> u64 {
    // The standard library seeds each process's hashers from the system's random numbers.
    RandomState::new().hash_one(0_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_differ() {
        assert_ne!(draw_seed(), draw_seed());
    }
}
