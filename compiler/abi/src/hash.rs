//! The two hashes of a flow.
//!
//! The *ring hash* of a key picks the ring slot. Its seed is fixed by the policy, so that every director, and the
//! same one after a restart, picks the same slot. The *table hash* is that of the key with one word more, a seed drawn at
//! start; bucket and tag come from it, so that nobody can aim at a bucket. Neither waits for the other.
//!
//! A key is a list of values, each written in network byte order at its width, one after the other; the bytes are
//! read as little-endian 64-bit words, the last one padded with zeros. The key of an IPv4 flow is the 13 bytes
//! source, destination, protocol, source port, destination port.

/// First multiplier: 2^64 divided by the golden ratio, odd (Knuth, TAOCP 3, 6.4).
pub const MULTIPLY: u64 = 0x9e37_79b9_7f4a_7c15;
/// Second multiplier: the first finaliser constant of `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
pub const FINISH: u64 = 0xbf58_476d_1ce4_e5b9;
/// By how much [`finish`] shifts to the right: so many of the highest bits it leaves as the multiplication made them.
pub const FINISH_SHIFT: u32 = 29;
/// Seed of the ring hash where a policy gives none.
pub const RING_SEED: u64 = 0;

/// A number that tells bytes apart which nobody chose for it: FNV-1a, 64 bits (draft-eastlake-fnv, 2).
pub fn digest(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Takes one 64-bit word of the key into the state (the seed, at first).
pub const fn absorb(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(MULTIPLY);
    mixed ^ mixed >> 32
}

/// The hash of a key whose words were absorbed into `state`.
pub const fn finish(state: u64) -> u64 {
    let mixed = state.wrapping_mul(FINISH);
    mixed ^ mixed >> FINISH_SHIFT
}

/// The ring hash of a key whose words were absorbed into `state`.
pub const fn ring(state: u64) -> u64 {
    finish(state)
}

/// The slot that a ring hash picks in a ring of `length` slots, a power of two: the hash's highest bits, into which every
/// bit of the key has been multiplied (Knuth, TAOCP 3, 6.4).
pub const fn slot(hash: u64, length: u32) -> u64 {
    match hash.checked_shr(u64::BITS - length.trailing_zeros()) {
        Some(slot) => slot,
        None => 0,
    }
}

/// The slot of a ring of `other` slots in which the flows of slot `slot` are, if there are `length` here; both powers of two,
/// neither 0. In a longer ring they are in several, of which it is the first.
pub const fn slot_in(slot: u64, length: u32, other: u32) -> u64 {
    slot * other as u64 / length as u64
}

/// The table hash of a key whose words were absorbed into `state`, with the seed of this start.
pub const fn table(state: u64, seed: u64) -> u64 {
    finish(absorb(state, seed))
}

/// The state that has absorbed a whole key in its byte form.
pub fn state(key: &[u8]) -> u64 {
    let words = key.chunks(8).map(|chunk| {
        chunk
            .iter()
            .rev()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    });
    words.fold(RING_SEED, absorb)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flow's key as the head of this file tells it.
    const KEY: [u8; 13] = [192, 0, 2, 1, 198, 51, 100, 7, 6, 0x9c, 0x40, 0x00, 0x50];

    #[test]
    fn the_hashes_are_those_of_another_implementation() {
        assert_eq!(ring(state(&KEY)), 0xc2c5_c873_88cf_1f54);
        assert_eq!(table(state(&KEY), 0x6c76_7363), 0x0c71_3e77_d875_4f15);
    }

    #[test]
    fn a_slot_is_the_highest_bits() {
        let hash = 0xc2c5_c873_88cf_1f54;
        assert_eq!(
            [1, 2, 16, 65_536].map(|length| slot(hash, length)),
            [0, 1, 0xc, 0xc2c5]
        );
    }

    #[test]
    fn in_a_ring_of_another_length_a_flow_is_found_by_its_slot() {
        for hash in (0..1000).map(|n| table(n, 7)) {
            for (length, other) in [(8, 8), (16_384, 4), (16_384, 1)] {
                assert_eq!(
                    slot_in(slot(hash, length), length, other),
                    slot(hash, other)
                );
            }
            let first = slot_in(slot(hash, 4), 4, 32);
            assert!((first..first + 8).contains(&slot(hash, 32)));
        }
    }

    #[test]
    fn a_key_is_read_as_little_endian_words_padded_with_zeros() {
        let words = [0x0764_33c6_0102_00c0, 0x50_0040_9c06];
        assert_eq!(state(&KEY), words.into_iter().fold(RING_SEED, absorb));
        assert_eq!(state(&[]), 0);
        assert_ne!(state(&[1]), state(&[1, 0, 0, 0, 0, 0, 0, 0, 0]));
    }
}
