//! Connection tables kept clean, and ring slots let go on with time.
//!
//! An entry tells its age modulo 65,536 seconds, so one that has expired is emptied before it looks young again; one that an
//! opening made modulo 64, and nobody else empties it. How many flows a backend has goes by it, too: until it is emptied, an
//! expired one counts, and whoever empties it takes it from the count. Nothing is counted anew: see [`loads::recount`]. Otherwise
//! nothing depends on it: to a packet an expired entry is as good as none.

mod gone;

use std::collections::BTreeMap;
use std::ops::Range;

use lvsc_abi::flows::{Entry, OPENING_LIFE, OPENING_MASK, SECONDS_MASK, empty};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::Section;
use lvsc_abi::loads;
use lvsc_abi::manifest::{Flows, Manifest, Pool};
use lvsc_abi::slots::Slot;

use self::gone::Gone;

/// Each table is swept once in so many seconds, a part of it each second, so that no batch waits for a whole one.
const ROUND: u64 = 15;
/// So many entries are looked at at once.
const LOOK: usize = 512;
/// After a longer leap of the clock (seconds) an entry that an opening made may look young again.
const OPENING_LEAP: u64 = OPENING_MASK - OPENING_LIFE - ROUND;

/// Sweeps tables as the clock goes on.
#[derive(Clone, Debug, Default)]
pub struct Sweeper {
    /// The part that was swept last, below [`ROUND`].
    part: u64,
    gone: Gone,
}

impl Sweeper {
    /// The clock goes on from `before` to `now` (seconds). To be called before the image says `now`.
    pub fn advance(
        &mut self,
        manifest: &Manifest,
        (before, now): (u64, u64),
        image: &mut dyn Image,
    ) {
        self.gone.tick(manifest, image);
        let passed = now.saturating_sub(before);
        for _ in 0..passed.min(ROUND) {
            self.part = (self.part + 1) % ROUND;
            for pool in &manifest.pools {
                for kind in ["flows", "fragments", "persist"] {
                    let oldest = pool.oldest(kind);
                    if let (Some(idle), Some(table)) = (oldest, section(pool, kind, image)) {
                        let part = (&table, self.part_of(&table));
                        let loads = section(pool, "loads", image).filter(|_| kind == "flows");
                        sweep((idle.into(), loads), part, (passed, now), image);
                    }
                }
                loads::open_and_close(pool, image);
                if let Some(flows) = pool.changed() {
                    self.go_on(pool, flows, before, image);
                }
            }
        }
    }

    fn part_of(&self, section: &Section) -> Range<u64> {
        let border = |part| u64::from(section.length) * part / ROUND;
        border(self.part)..border(self.part + 1)
    }

    /// Has a part of a pool's slots be what they are at `now`, which packets still take for the time: whom a slot has just
    /// let go has not been silent too short. Once all are steady, nothing that is noted has a meaning.
    fn go_on(&self, pool: &Pool, flows: Flows, now: u64, image: &mut dyn Image) {
        let own = |kind, image: &dyn Image| section(pool, kind, image);
        let (Some(ring), Some(changes)) = (own("ring", image), own("changes", image)) else {
            return;
        };
        let at = (&ring, &changes);
        let mut settled = false;
        for index in self.part_of(&ring) {
            let before = Slot::load(image, at, index);
            let after = before.at(now, flows.idle.into());
            after.store(before, image, at, index);
            settled |= after.is_steady() && !before.is_steady();
        }
        let mut all = 0..u64::from(ring.length);
        if settled
            && all.all(|index| Slot::load(image, at, index).is_steady())
            && let Some(table) = own("flows", image)
        {
            for index in 0..u64::from(table.length) {
                empty(image, table.at(index, 0), |_| true);
            }
        }
    }
}

/// Empties what has expired in a part of a table, where entries live `idle` seconds; backends whose loads are counted have so
/// many flows less. `passed` seconds have gone since the clock said the time before.
fn sweep(
    (idle, loads): (u64, Option<Section>),
    (table, part): (&Section, Range<u64>),
    (passed, now): (u64, u64),
    image: &mut dyn Image,
) {
    // No entry is younger than that, and none may be older than what it can tell: what has just expired is left for a round.
    let leaps = |entry: Entry| {
        let most = if entry.is_opening() {
            OPENING_LEAP
        } else {
            SECONDS_MASK - ROUND - idle
        };
        passed > most
    };
    let expired = |entry: Entry| leaps(entry) || !entry.is_live(now, idle);
    let mut words = [0; LOOK];
    let end = part.end;
    for first in part.step_by(LOOK) {
        let count = usize::try_from(end - first).unwrap_or(LOOK).min(LOOK);
        let Some(words) = words.get_mut(..count) else {
            return;
        };
        image.words(table.at(first, 0), words);
        for (index, word) in (first..).zip(&*words) {
            let Some(entry) = Entry::from_bits(*word).filter(|entry| expired(*entry)) else {
                continue;
            };
            // A packet may have made it another since it was read: that is left for a round.
            let gone = image.exchange(table.at(index, 0), *word, 0);
            if let Some(loads) = loads.as_ref().filter(|_| gone) {
                loads::forget(image, loads, entry);
            }
        }
    }
}

/// A pool's flows that have not expired, by backend id; `None` where it keeps no table.
pub fn live(pool: &Pool, seconds: u64, image: &dyn Image) -> Option<BTreeMap<u16, u64>> {
    let flows = pool.flows?;
    let table = section(pool, "flows", image)?;
    let mut live = BTreeMap::new();
    for index in 0..u64::from(table.length) {
        let entry = Entry::from_bits(image.load(table.at(index, 0), Width::B8));
        let known = entry.filter(|entry| entry.is_live(seconds, flows.oldest().into()));
        if let Some(entry) = known {
            *live.entry(entry.backend).or_default() += 1;
        }
    }
    Some(live)
}

/// How many slots of a pool's ring are not steady.
pub fn changing(pool: &Pool, image: &dyn Image) -> u64 {
    let own = |kind| section(pool, kind, image);
    let (Some(ring), Some(changes)) = (own("ring"), own("changes")) else {
        return 0;
    };
    let slots = 0..u64::from(ring.length);
    let slots = slots.filter(|index| !Slot::load(image, (&ring, &changes), *index).is_steady());
    slots.count() as u64
}

/// The pool's section of this kind.
fn section(pool: &Pool, kind: &str, image: &dyn Image) -> Option<Section> {
    image.layout().of_pool(kind, &pool.name).cloned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use lvsc_abi::flows::OPENING;
    use lvsc_abi::image::Bytes;
    use lvsc_abi::layout::{Element, Layout, change, slot};
    use lvsc_abi::manifest::{Fragments, Persist, Tracking};
    use lvsc_abi::scheduler::Scheduler;

    const LENGTH: u64 = 64;

    fn manifest() -> Manifest {
        let flows = Flows::new(Tracking::Every, LENGTH as u32, 10);
        Manifest {
            pools: vec![Pool {
                flows: Some(flows),
                ..Pool::new("web", Scheduler::Wrr)
            }],
            ..Manifest::default()
        }
    }

    /// An image whose entry `n` was seen at `seen(n)`, by backend `n` modulo 2.
    fn image(seen: impl Fn(u64) -> u64) -> Bytes {
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Flow, LENGTH as u32);
        let mut image = Bytes::new(layout);
        for index in 0..LENGTH {
            let rest = manifest().pools[0].flows.unwrap().rest(10);
            let entry = Entry {
                tag: 1,
                backend: (index % 2) as u16,
                seconds: seen(index).wrapping_sub(rest.into()) as u16,
                flags: 0,
            };
            let table = section(&manifest().pools[0], "flows", &image).unwrap();
            let at = table.at(index, 0);
            image.store(at, Width::B8, entry.to_bits());
        }
        image
    }

    fn left(image: &Bytes) -> usize {
        let words = image.as_bytes().chunks(8);
        words.filter(|word| word.iter().any(|b| *b != 0)).count()
    }

    #[test]
    fn a_round_empties_what_has_expired_and_a_second_only_a_part_of_it() {
        let mut image = image(|index| if index < 40 { 89 } else { 90 });
        let mut sweeper = Sweeper::default();
        sweeper.advance(&manifest(), (99, 100), &mut image);
        let first = LENGTH as usize - left(&image);
        assert!((3..=5).contains(&first), "{first} in the first second");
        for _ in 1..ROUND {
            sweeper.advance(&manifest(), (99, 100), &mut image);
        }
        assert_eq!(left(&image), 24, "exactly idle is not older");
    }

    #[test]
    fn after_a_leap_of_the_clock_no_entry_looks_young() {
        // 65,540 seconds later the age of all entries reads as 4.
        for (leap, kept) in [(5, 64), (15, 0), (65_540, 0)] {
            let mut image = image(|_| 1000);
            Sweeper::default().advance(&manifest(), (1000, 1000 + leap), &mut image);
            assert_eq!(left(&image), kept, "{leap} s");
        }
    }

    #[test]
    fn what_has_expired_and_is_not_yet_swept_looks_no_younger_after_a_leap() {
        let mut image = image(|_| 1000);
        let before = 1020;
        Sweeper::default().advance(&manifest(), (before, before + 32_760), &mut image);
        assert_eq!(left(&image), 0, "65,537 seconds read as 1");
    }

    #[test]
    fn datagrams_and_clients_are_forgotten_when_their_time_is_over() {
        let mut manifest = manifest();
        manifest.pools[0].persist = Some(Persist {
            entries: LENGTH as u32,
            life: 4,
            mask: 32,
            mask6: 128,
        });
        manifest.pools[0].fragments = Some(Fragments {
            entries: LENGTH as u32,
            life: 3,
        });
        let tables = [
            ("fragments", Element::Datagram, 97),
            ("persist", Element::Client, 96),
        ];
        for (kind, element, oldest) in tables {
            let mut layout = Layout::new();
            layout.add(&format!("{kind}.web"), element, LENGTH as u32);
            let mut image = Bytes::new(layout);
            for index in 0..LENGTH {
                let entry = Entry {
                    tag: 1,
                    backend: 0,
                    seconds: if index < 40 { oldest - 1 } else { oldest },
                    flags: 0,
                };
                let table = section(&manifest.pools[0], kind, &image).unwrap();
                image.store(table.at(index, 0), Width::B8, entry.to_bits());
            }
            Sweeper::default().advance(&manifest, (85, 100), &mut image);
            assert_eq!(left(&image), 24, "what is as old as its life is known");
        }
    }

    #[test]
    fn flows_that_live_are_counted_by_backend() {
        let image = image(|index| if index < 4 { 80 } else { 95 });
        let live = live(&manifest().pools[0], 100, &image).unwrap();
        assert_eq!(live, [(0, 30), (1, 30)].into());
    }

    #[test]
    fn openings_that_nothing_has_confirmed_go_after_ten_seconds_and_after_a_leap() {
        // Four of five are left for themselves; a leap of 64 seconds would make them look as young as before.
        for (leap, kept) in [(9, 64), (11, 0), (39, 0), (64, 0), (70, 0)] {
            let mut image = image(|_| 1000);
            let table = section(&manifest().pools[0], "flows", &image).unwrap();
            for index in 0..LENGTH {
                let at = table.at(index, 0);
                let entry = Entry::from_bits(image.load(at, Width::B8)).unwrap();
                let entry = Entry {
                    seconds: 1000 % 64,
                    flags: OPENING,
                    ..entry
                };
                image.store(at, Width::B8, entry.to_bits());
            }
            let mut sweeper = Sweeper::default();
            sweeper.advance(&manifest(), (1000, 1000 + leap), &mut image);
            for second in 0..ROUND {
                let before = 1000 + leap + second;
                let now = if leap > 10 { before + 1 } else { before };
                sweeper.advance(&manifest(), (before, now), &mut image);
            }
            assert_eq!(left(&image), kept, "{leap} s");
        }
    }

    #[test]
    fn slots_get_steady_with_time_and_then_nothing_is_noted_any_more() {
        let mut manifest = manifest();
        let flows = manifest.pools[0].flows.as_mut().unwrap();
        (flows.tracking, flows.idle) = (Tracking::Changed, 10);
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Noted, LENGTH as u32);
        layout.add("ring.web", Element::Slot, LENGTH as u32);
        layout.add("changes.web", Element::Change, LENGTH as u32);
        let mut image = Bytes::new(layout);
        let sections = ["flows", "ring", "changes"];
        let [table, ring, changes] =
            sections.map(|kind| section(&manifest.pools[0], kind, &image).unwrap());
        let moving = 1 | 2 << slot::PREVIOUS_SHIFT;
        let first = [(0, 0, 100, 100), (7, 7, 100, 105)];
        for (index, entry, since, elsewhere) in first {
            image.store(ring.at(index, 0), Width::B4, moving);
            image.store(changes.at(index, change::SINCE), Width::B4, since);
            image.store(changes.at(index, change::ELSEWHERE), Width::B4, elsewhere);
            // It stays alive.
            let entry = Entry {
                tag: entry,
                backend: 1,
                seconds: 110,
                flags: 0,
            };
            image.store(table.at(index, 0), Width::B8, entry.to_bits());
        }
        let mut sweeper = Sweeper::default();
        let mut until = |end: u64, image: &mut Bytes| {
            for _ in 0..ROUND {
                sweeper.advance(&manifest, (end, end + 1), image);
            }
            (changing(&manifest.pools[0], image), left_in(&table, image))
        };
        assert_eq!(until(113, &mut image), (2, 2));
        assert_eq!(
            until(114, &mut image),
            (1, 2),
            "the first one's time is over"
        );
        assert_eq!(until(115, &mut image), (1, 2));
        assert_eq!(until(116, &mut image), (0, 0));
    }

    fn left_in(table: &Section, image: &Bytes) -> usize {
        let words = (0..LENGTH).map(|index| image.load(table.at(index, 0), Width::B8));
        words.filter(|word| *word != 0).count()
    }
}
