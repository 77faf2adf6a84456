//! Numbers that look random and are not: `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
//! OOPSLA 2014). Equal seeds make equal choices.

use std::ops::Range;

/// A row of choices.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// A number below the limit; 0 below 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() % limit.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// One of several.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A piece of what has this length: mostly a short one.
    pub fn piece(&mut self, length: usize) -> Range<usize> {
        let start = self.below(length + 1);
        let longest = if self.one_in(4) { length } else { 12 };
        start..length.min(start + self.below(longest + 1))
    }

    /// Some bytes, fewer than the limit.
    pub fn bytes(&mut self, limit: usize) -> Vec<u8> {
        (0..self.below(limit)).map(|_| self.word() as u8).collect()
    }
}
