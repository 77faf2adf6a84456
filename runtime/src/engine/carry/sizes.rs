//! Tables of entries that go on in one of another size. An entry has only the highest bits of the hash by whose lowest ones its
//! bucket was picked. Where the table shrinks, these tell which bucket the flow has then: several become one. Where it grows they
//! do not: a bucket becomes several that are alike, of which each flow finds its own, and what nobody finds expires. So a table by
//! which flows are counted does not grow: each would count several times. What has expired takes nobody's place.

use lvsc_abi::flows::{BUCKET, Entry, OPENING_MASK};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Layout, Section, clock};
use lvsc_abi::manifest::Manifest;

use super::slots;

/// Which entries of a table live.
#[derive(Clone, Copy)]
pub(super) struct Lives {
    /// Seconds of the clock, and the greatest age; where one is not known, all live.
    at: Option<(u64, u64)>,
}

impl Lives {
    /// Those of a section under a policy, when it is what an image says that it is.
    pub(super) fn of(policy: &Manifest, section: &Section, image: &dyn Image) -> Lives {
        let clock = image.layout().named("clock");
        let now = clock.map(|(_, clock)| image.load(clock.at(0, clock::SECONDS), Width::B8));
        let own = section.name.split_once('.');
        let oldest = own.and_then(|(kind, pool)| policy.pool(pool)?.oldest(kind));
        Lives {
            at: now.zip(oldest.map(u64::from)),
        }
    }

    /// The entry in a word, if it lives.
    pub(super) fn entry(self, word: u64) -> Option<Entry> {
        let lives = |entry: &Entry| {
            self.at
                .is_none_or(|(now, oldest)| entry.is_live(now, oldest))
        };
        Entry::from_bits(word).filter(lives)
    }
}

/// Whether the entries of a section go on in another one with its name.
pub(super) fn goes_on(
    (old, before): (&Layout, &Section),
    (new, section): (&Layout, &Section),
) -> bool {
    let pool = section.name.split_once('.').map_or("", |(_, pool)| pool);
    let counts = section.element == Element::Flow && new.of_pool("loads", pool).is_some();
    let fits = if section.element == Element::Noted {
        slots::go_on(old, new, section)
    } else {
        section.length <= before.length || !counts
    };
    before.element == section.element && fits
}

/// Copies entries that live into a table of another size, which is empty; gives the number of those that found no place. A flow that
/// had several of them is what it was last.
pub(super) fn spread(
    (old, from): (&dyn Image, &Section),
    (new, to): (&mut dyn Image, &Section),
    lives: Lives,
) -> u64 {
    let mut lost = 0;
    for index in 0..u64::from(from.length.max(to.length)) {
        let word = old.load(from.at(index, 0), Width::B8);
        let Some(entry) = lives.entry(word) else {
            continue;
        };
        let Some((at, there)) = place((new, to, lives), index, entry.tag) else {
            lost += 1;
            continue;
        };
        if Entry::from_bits(there).is_none_or(|noted| is_later(entry, noted)) {
            new.store(at, Width::B8, word);
        }
    }
    lost
}

/// Where a flow that lies at `index` of the old table is in the new one, or may be, and the word there.
pub(super) fn place(
    (image, section, lives): (&dyn Image, &Section, Lives),
    index: u64,
    tag: u32,
) -> Option<(u64, u64)> {
    let found = |index: u64| {
        let at = section.at(index, 0);
        (at, image.load(at, Width::B8))
    };
    let is_own = |word: u64| Entry::from_bits(word).is_some_and(|entry| entry.tag == tag);
    let first = found(index);
    // Nearly all are where they were.
    if is_own(first.1) {
        return Some(first);
    }
    let bucket = index - index % u64::from(BUCKET);
    let all = (index..bucket + u64::from(BUCKET)).chain(bucket..index);
    let all: Vec<(u64, u64)> = all.map(found).collect();
    let own = all.iter().find(|(_, word)| is_own(*word));
    let free = || all.iter().find(|(_, word)| lives.entry(*word).is_none());
    own.or_else(free).copied()
}

/// Whether an entry of a flow was seen later than another one of it.
pub(super) fn is_later(entry: Entry, other: Entry) -> bool {
    match (entry.is_opening(), other.is_opening()) {
        // A later packet has confirmed it.
        (false, true) => true,
        (false, false) => entry.seconds.wrapping_sub(other.seconds).cast_signed() > 0,
        (true, true) => {
            let passed = u64::from(entry.seconds.wrapping_sub(other.seconds)) & OPENING_MASK;
            (1..=OPENING_MASK / 2).contains(&passed)
        }
        (true, false) => false,
    }
}
