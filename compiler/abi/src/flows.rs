//! The connection table: buckets of one cache line, entries of one word.
//!
//! ```text
//! entry, 64 bits:  tag 28 | backend 16 | seconds 16 | flags 4
//! ```
//!
//! A bucket is eight entries. With eight entries compared, a new flow takes another one's entry for its own with
//! probability 8 / 2^28 = 3e-8, given that the bucket is full. An entry that is older than its pool's idle time is as
//! good as none. Seconds are the low 16 bits of the coarse clock, so an age is known modulo 18 hours: the one who feeds
//! the image empties what has expired before that, and every entry when the clock leaps.

/// Entries in a bucket; eight of eight bytes are one cache line.
pub const BUCKET: u32 = 8;
/// What a search answers when no entry of the bucket fits.
pub const ABSENT: u64 = BUCKET as u64;
/// Flag of an entry in use. An entry without it is empty, whatever its other bits.
pub const VALID: u64 = 1;
/// Bits to the right of the tag.
pub const TAG_SHIFT: u32 = 36;
/// Bits to the right of the backend id.
pub const BACKEND_SHIFT: u32 = 20;
/// Bits to the right of the seconds.
pub const SECONDS_SHIFT: u32 = 4;
/// Mask of the seconds, shifted to the right.
pub const SECONDS_MASK: u64 = 0xffff;
/// The longest idle time (seconds): half of what 16 bits can tell apart.
pub const IDLE_MAX: u32 = 32_767;

/// An entry of the connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 28 bits of the flow's table hash.
    pub tag: u32,
    /// The backend that the flow has.
    pub backend: u16,
    /// Low 16 bits of the clock when the flow was last seen (seconds).
    pub seconds: u16,
}

impl Entry {
    /// The word of a valid entry.
    pub fn to_bits(self) -> u64 {
        u64::from(self.tag) << TAG_SHIFT
            | u64::from(self.backend) << BACKEND_SHIFT
            | u64::from(self.seconds) << SECONDS_SHIFT
            | VALID
    }

    /// The entry in a word; `None` where the word is empty.
    #[inline]
    pub fn from_bits(bits: u64) -> Option<Entry> {
        (bits & VALID == VALID).then_some(Entry {
            tag: (bits >> TAG_SHIFT) as u32,
            backend: (bits >> BACKEND_SHIFT) as u16,
            seconds: (bits >> SECONDS_SHIFT) as u16,
        })
    }

    /// Seconds since the flow was last seen.
    #[inline]
    pub fn age(self, now: u64) -> u64 {
        now.wrapping_sub(u64::from(self.seconds)) & SECONDS_MASK
    }
}

/// The tag of a table hash.
pub const fn tag(table_hash: u64) -> u64 {
    table_hash >> TAG_SHIFT
}

/// Position in the bucket of the entry with this tag, or [`ABSENT`].
#[inline]
pub fn find(bucket: &[u64], tag: u64) -> u64 {
    position(bucket, |word| {
        word & VALID == VALID && word >> TAG_SHIFT == tag
    })
}

/// Position of the first entry that is empty or older than `idle` seconds, or [`ABSENT`].
#[inline]
pub fn vacant(bucket: &[u64], now: u64, idle: u64) -> u64 {
    position(bucket, |word| {
        Entry::from_bits(word).is_none_or(|entry| entry.age(now) > idle)
    })
}

#[inline]
fn position(bucket: &[u64], fits: impl Fn(u64) -> bool) -> u64 {
    bucket
        .iter()
        .position(|word| fits(*word))
        .map_or(ABSENT, |at| at as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_comes_back_from_its_word() {
        let entry = Entry {
            tag: 0x0fff_ffff,
            backend: 0xfffe,
            seconds: 0x8001,
        };
        assert_eq!(Entry::from_bits(entry.to_bits()), Some(entry));
        assert_eq!(Entry::from_bits(0), None);
    }

    #[test]
    fn age_survives_the_wrap_of_the_clock() {
        let entry = Entry {
            tag: 1,
            backend: 0,
            seconds: 0xfffe,
        };
        assert_eq!(entry.age(0x1_0001), 3);
    }

    #[test]
    fn a_search_finds_the_tag_and_the_first_free_place() {
        let entry = |tag, seconds| {
            Entry {
                tag,
                backend: 7,
                seconds,
            }
            .to_bits()
        };
        let bucket = [entry(5, 100), entry(6, 10), 0, entry(7, 100), 0, 0, 0, 0];
        assert_eq!(find(&bucket, 7), 3);
        assert_eq!(find(&bucket, 0), ABSENT);
        assert_eq!(vacant(&bucket, 100, 90), 2);
        assert_eq!(vacant(&bucket, 101, 90), 1);
        assert_eq!(vacant(&[entry(1, 100); 8], 100, 90), ABSENT);
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        /// A packet of the flow with this tag.
        Packet(u64),
        /// The clock goes on by so many seconds.
        Wait(u64),
    }

    const IDLE: u64 = 20;

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => (0_u64..12).prop_map(Act::Packet),
            1 => (1_u64..30).prop_map(Act::Wait),
        ];
        prop::collection::vec(act, 1..200)
    }

    /// What a select does with a bucket; gives the backend of the flow, `None` where there is no place.
    fn packet(bucket: &mut [u64], tag: u64, now: u64, backend: u16) -> Option<u16> {
        let found = find(bucket, tag);
        let known = bucket
            .get(found as usize)
            .copied()
            .and_then(Entry::from_bits);
        let live = known.filter(|entry| entry.age(now) <= IDLE);
        let place = match known {
            Some(_) => found,
            None => vacant(bucket, now, IDLE),
        };
        let entry = Entry {
            tag: tag as u32,
            backend: live.map_or(backend, |entry| entry.backend),
            seconds: now as u16,
        };
        *bucket.get_mut(place as usize)? = entry.to_bits();
        Some(entry.backend)
    }

    proptest! {
        #[test]
        fn a_bucket_does_what_a_map_of_eight_flows_does(acts in acts(), begin in any::<u16>()) {
            let mut bucket = [0; BUCKET as usize];
            // Tag to backend and time of the last packet.
            let mut model: BTreeMap<u64, (u16, u64)> = BTreeMap::new();
            let mut now = u64::from(begin);
            for (act, number) in acts.into_iter().zip(0..) {
                match act {
                    Act::Wait(seconds) => {
                        now += seconds;
                        model.retain(|_, (_, seen)| now - *seen <= IDLE);
                    }
                    Act::Packet(tag) => {
                        let full = model.len() == BUCKET as usize && !model.contains_key(&tag);
                        let expected = (!full).then(|| {
                            let entry = model.entry(tag).or_insert((number, now));
                            entry.1 = now;
                            entry.0
                        });
                        prop_assert_eq!(packet(&mut bucket, tag, now, number), expected);
                    }
                }
            }
        }
    }
}
