//! Connection tables kept clean. An entry tells its age modulo 65,536 seconds, so one that has expired is emptied before
//! it looks young again. Nothing else depends on it: to a packet an expired entry is as good as none.

use std::collections::BTreeMap;

use lvsc_abi::flows::{Entry, IDLE_MAX};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::Section;
use lvsc_abi::manifest::{Flows, Manifest, Pool};

/// Each table is swept once in so many seconds, a part of it each second, so that no batch waits for a whole one.
const ROUND: u64 = 15;

/// Sweeps tables as the clock goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweeper {
    /// The part that was swept last, below [`ROUND`].
    part: u64,
}

impl Sweeper {
    /// The clock goes on from `before` to `now` (seconds). To be called before the image says `now`.
    pub fn advance(
        &mut self,
        manifest: &Manifest,
        (before, now): (u64, u64),
        image: &mut dyn Image,
    ) {
        let passed = now.saturating_sub(before);
        // No entry is younger than that, and none may be older than `IDLE_MAX`.
        let leap = passed > u64::from(IDLE_MAX);
        for _ in 0..passed.min(ROUND) {
            self.part = (self.part + 1) % ROUND;
            for (table, flows) in tables(manifest, image) {
                let border = |part| u64::from(table.length) * part / ROUND;
                for index in border(self.part)..border(self.part + 1) {
                    let at = table.at(index, 0);
                    let word = image.load(at, Width::B8);
                    let expired = |entry: Entry| leap || entry.age(now) > u64::from(flows.idle);
                    if Entry::from_bits(word).is_some_and(expired) {
                        // Unless a packet has just come that makes it a living one.
                        image.exchange(at, word, 0);
                    }
                }
            }
        }
    }
}

/// A pool's flows that have not expired, by backend id; `None` where it keeps no table.
pub fn live(pool: &Pool, seconds: u64, image: &dyn Image) -> Option<BTreeMap<u16, u64>> {
    let flows = pool.flows?;
    let table = table(pool, image)?;
    let mut live = BTreeMap::new();
    for index in 0..u64::from(table.length) {
        let entry = Entry::from_bits(image.load(table.at(index, 0), Width::B8));
        let known = entry.filter(|entry| entry.age(seconds) <= u64::from(flows.idle));
        if let Some(entry) = known {
            *live.entry(entry.backend).or_default() += 1;
        }
    }
    Some(live)
}

fn tables(manifest: &Manifest, image: &dyn Image) -> Vec<(Section, Flows)> {
    let pools = manifest.pools.iter();
    pools
        .filter_map(|pool| Some((table(pool, image)?, pool.flows?)))
        .collect()
}

fn table(pool: &Pool, image: &dyn Image) -> Option<Section> {
    let found = image.layout().named(&format!("flows.{}", pool.name));
    found.map(|(_, section)| section.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use lvsc_abi::image::Bytes;
    use lvsc_abi::layout::{Element, Layout};
    use lvsc_abi::scheduler::Scheduler;

    const LENGTH: u64 = 64;

    fn manifest() -> Manifest {
        let flows = Flows {
            entries: LENGTH as u32,
            idle: 10,
        };
        Manifest {
            pools: vec![Pool {
                name: "web".to_owned(),
                scheduler: Scheduler::Wrr,
                backends: Vec::new(),
                flows: Some(flows),
                counters: 0,
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
            let entry = Entry {
                tag: 1,
                backend: (index % 2) as u16,
                seconds: seen(index) as u16,
            };
            let at = table(&manifest().pools[0], &image).unwrap().at(index, 0);
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
    fn flows_that_live_are_counted_by_backend() {
        let image = image(|index| if index < 4 { 80 } else { 95 });
        let live = live(&manifest().pools[0], 100, &image).unwrap();
        assert_eq!(live, [(0, 30), (1, 30)].into());
    }
}
