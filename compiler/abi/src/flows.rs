//! The connection table: buckets of one cache line, entries of one word.
//!
//! ```text
//! entry, 64 bits:  tag 28 | backend 16 | seconds 16 | flags 4
//! of an opening:   tag 28 | backend 16 | mark 10 | seconds 6 | flags 4
//! ```
//!
//! A bucket is eight entries. With eight entries compared, a new flow takes another one's entry for its own with
//! probability 8 / 2^28 = 3e-8, given that the bucket is full. An entry that is older than its table's oldest is as
//! good as none ([`crate::manifest::Flows::oldest`]). Seconds are the low 16 bits of the coarse clock, so an age is known modulo 18 hours: the one who feeds
//! the image empties what has expired before that, and every entry when the clock leaps. An entry that is to live
//! shorter than the oldest is entered as if it were older: so it expires in time, whoever looks.
//!
//! An entry that an opening made, a TCP SYN, lives [`OPENING_LIFE`] seconds until a later packet of the flow confirms it.
//! In a table of every flow it is [`NEW`], and entered as older. In one of flows whose slots have changed it is
//! [`OPENING`]: it keeps the highest bits of the opening's sequence number, its *mark*, by which that packet is told from
//! one of an older connection between the same ends: see [`fits`]. Its seconds are known modulo 64.

use crate::image::{Image, Width};

/// Entries in a bucket; eight of eight bytes are one cache line.
pub const BUCKET: u32 = 8;
/// What a search answers when no entry of the bucket fits.
pub const ABSENT: u64 = BUCKET as u64;
/// Flag of an entry in use. An entry without it is empty, whatever its other bits.
pub const VALID: u64 = 1;
/// Flag of an entry that an opening made and no later packet has confirmed: its seconds are a mark and fewer seconds.
pub const OPENING: u64 = 2;
/// Flag of an entry whose flow is being closed.
pub const CLOSING: u64 = 4;
/// Flag of an entry in a table of every flow that an opening made and no later packet has confirmed.
pub const NEW: u64 = 8;
/// Bits to the right of the tag.
pub const TAG_SHIFT: u32 = 36;
/// Bits to the right of the backend id.
pub const BACKEND_SHIFT: u32 = 20;
/// Bits to the right of the seconds.
pub const SECONDS_SHIFT: u32 = 4;
/// Mask of the seconds, shifted to the right.
pub const SECONDS_MASK: u64 = 0xffff;
/// The longest idle time, and the age of the oldest in a table of every flow (seconds): half of what 16 bits can tell apart.
pub const IDLE_MAX: u32 = 32_767;
/// Bits of a sequence number to the right of its mark.
pub const MARK_FROM: u32 = 22;
/// Mask of a mark, shifted to the right.
pub const MARK_MASK: u64 = 0x3ff;
/// Bits to the right of the mark in the seconds of an entry that an opening made.
pub const MARK_SHIFT: u32 = 6;
/// Mask of the seconds of an entry that an opening made.
pub const OPENING_MASK: u64 = 0x3f;
/// Seconds that an entry lives which an opening made.
pub const OPENING_LIFE: u64 = 10;
/// Seconds that an entry lives at most once its flow is being closed: those of IPVS for FIN (`ip_vs_proto_tcp.c`).
pub const CLOSING_LIFE: u32 = 120;

/// Flags of TCP that tell how old a connection is (RFC 9293, section 3.1).
pub mod tcp {
    /// FIN.
    pub const FIN: u64 = 0x01;
    /// SYN.
    pub const SYN: u64 = 0x02;
    /// RST.
    pub const RST: u64 = 0x04;
    /// ACK.
    pub const ACK: u64 = 0x10;
    /// A segment without any of these neither opens nor closes.
    pub const TELLING: u64 = FIN | SYN | RST;

    /// Whether a segment with these flags closes its connection.
    pub const fn closes(flags: u64) -> bool {
        flags & (FIN | RST) != 0
    }

    /// Whether it opens it.
    pub const fn opens(flags: u64) -> bool {
        flags & (SYN | ACK | FIN | RST) == SYN
    }
}

/// An entry of the connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 28 bits of the flow's table hash.
    pub tag: u32,
    /// The backend that the flow has.
    pub backend: u16,
    /// Low 16 bits of the clock when the flow was last seen (seconds); of an opening the mark, and six bits.
    pub seconds: u16,
    /// [`OPENING`], [`CLOSING`], [`NEW`].
    pub flags: u64,
}

impl Entry {
    /// The word of a valid entry.
    pub fn to_bits(self) -> u64 {
        u64::from(self.tag) << TAG_SHIFT
            | u64::from(self.backend) << BACKEND_SHIFT
            | u64::from(self.seconds) << SECONDS_SHIFT
            | self.flags
            | VALID
    }

    /// The entry in a word; `None` where the word is empty.
    #[inline]
    pub fn from_bits(bits: u64) -> Option<Entry> {
        (bits & VALID == VALID).then_some(Entry {
            tag: (bits >> TAG_SHIFT) as u32,
            backend: (bits >> BACKEND_SHIFT) as u16,
            seconds: (bits >> SECONDS_SHIFT) as u16,
            flags: bits & (OPENING | CLOSING | NEW),
        })
    }

    /// Whether an opening made it, and nothing has confirmed it.
    #[inline]
    pub fn is_opening(self) -> bool {
        self.flags & OPENING != 0
    }

    /// The mark of an opening.
    pub fn mark(self) -> u64 {
        u64::from(self.seconds) >> MARK_SHIFT
    }

    /// Seconds since the flow was last seen, modulo what the entry can tell.
    #[inline]
    pub fn age(self, now: u64) -> u64 {
        let mask = if self.is_opening() {
            OPENING_MASK
        } else {
            SECONDS_MASK
        };
        now.wrapping_sub(u64::from(self.seconds)) & mask
    }

    /// Whether it is not too old, where the oldest are `idle` seconds old.
    #[inline]
    pub fn is_live(self, now: u64, idle: u64) -> bool {
        let life = if self.is_opening() {
            OPENING_LIFE
        } else {
            idle
        };
        self.age(now) <= life
    }
}

/// Empties the entry at `at` (bytes from the image's begin) where it is one of these, unless a packet has just made it another;
/// gives the one that was there.
pub fn empty(image: &mut dyn Image, at: u64, is: impl Fn(Entry) -> bool) -> Option<Entry> {
    let word = image.load(at, Width::B8);
    let entry = Entry::from_bits(word).filter(|entry| is(*entry))?;
    image.exchange(at, word, 0).then_some(entry)
}

/// The mark of a sequence number.
pub const fn mark(sequence: u64) -> u64 {
    sequence >> MARK_FROM & MARK_MASK
}

/// Whether a packet goes on from an opening: its sequence number is that of the opening, or up to 4 MiB further, which is
/// more than any first window. One of another connection fits once in 512 times.
pub const fn fits(opening: u64, packet: u64) -> bool {
    packet.wrapping_sub(opening) & MARK_MASK <= 1
}

/// The bits of an entry that tell whose it is: its tag, and that it is in use.
pub const FLOW_MASK: u64 = u64::MAX << TAG_SHIFT | VALID;
/// The largest tag that an entry keeps.
pub const TAG_MAX: u64 = u64::MAX >> TAG_SHIFT;
/// What those bits are of no entry: what is looked for by a tag that has more bits than an entry keeps.
pub const NOBODY: u64 = 1 << 1;

/// The tag of a table hash.
pub const fn tag(table_hash: u64) -> u64 {
    table_hash >> TAG_SHIFT
}

/// Position in the bucket of the entry with this tag, or [`ABSENT`].
#[inline]
pub fn find(bucket: &[u64], tag: u64) -> u64 {
    position(bucket, |word| is_of(word, tag))
}

/// Position of the first entry that has this tag, is empty, or is older than `idle` seconds, or [`ABSENT`]. One that an opening
/// made is left to those who sweep. Asked for a flow that had no entry, the tag is that of an entry which another worker has made
/// meanwhile: the place is told by one look at each word, so whoever exchanges it learns if it is not what it was.
#[inline]
pub fn place(bucket: &[u64], tag: u64, now: u64, idle: u64) -> u64 {
    position(bucket, |word| {
        let is_old = |entry: Entry| !entry.is_opening() && entry.age(now) > idle;
        is_of(word, tag) || Entry::from_bits(word).is_none_or(is_old)
    })
}

fn is_of(word: u64, tag: u64) -> bool {
    word & VALID == VALID && word >> TAG_SHIFT == tag
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
            flags: CLOSING,
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
            flags: 0,
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
                flags: 0,
            }
            .to_bits()
        };
        let bucket = [entry(5, 100), entry(6, 10), 0, entry(7, 100), 0, 0, 0, 0];
        assert_eq!(find(&bucket, 7), 3);
        assert_eq!(find(&bucket, 0), ABSENT);
        assert_eq!(place(&bucket, 9, 100, 90), 2);
        assert_eq!(place(&bucket, 9, 101, 90), 1);
        assert_eq!(place(&bucket, 5, 101, 90), 0);
        assert_eq!(place(&[entry(1, 100); 8], 9, 100, 90), ABSENT);
        assert_eq!(place(&[entry(1, 100); 8], 0, 100, 90), ABSENT);
    }

    #[test]
    fn an_opening_is_kept_for_ten_seconds_with_its_mark() {
        let opening = Entry {
            tag: 5,
            backend: 7,
            seconds: (mark(0xfec0_0000) << MARK_SHIFT | 0x3e8 & OPENING_MASK) as u16,
            flags: OPENING,
        };
        assert_eq!((opening.mark(), opening.age(1003)), (0x3fb, 3));
        assert!(opening.is_live(1010, 900) && !opening.is_live(1011, 900));
        let bucket = [opening.to_bits(); 8];
        assert_eq!(
            place(&bucket, 6, 2000, 900),
            ABSENT,
            "whoever sweeps empties it"
        );
    }

    #[test]
    fn a_packet_fits_its_opening_and_hardly_another_one() {
        let opening = 0xffff_fff0_u64;
        for on in [0, 1, 15, 16, 14_600, 1 << 22] {
            let packet = (opening + on) & 0xffff_ffff;
            assert!(fits(mark(opening), mark(packet)), "{on} bytes further");
        }
        let fitting = (0..=MARK_MASK).filter(|packet| fits(mark(opening), *packet));
        assert_eq!(fitting.count(), 2);
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
            None => place(bucket, tag, now, IDLE),
        };
        let entry = Entry {
            tag: tag as u32,
            backend: live.map_or(backend, |entry| entry.backend),
            seconds: now as u16,
            flags: 0,
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
