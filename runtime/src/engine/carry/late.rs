//! What flows have left in the old image since it was carried over: entries, and the times of slots.

use std::collections::BTreeMap;

use lvsc_abi::flows::Entry;
use lvsc_abi::hash;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Section, change, clock};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::slots::Slot;

use super::sizes::{Lives, goes_on, is_later, place};
use super::{aged, exchange, hosts, pools, slots};

/// Who writes flows into the new image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Nobody yet: what the old one says holds.
    Nobody,
    /// Packets: what they have noted later holds.
    Packets,
}

/// Flow entries of the old image as they were when they were last looked at, by sections: only what has changed since costs
/// time, and between two images time is what flows may begin in.
#[derive(Default)]
pub struct Seen {
    words: BTreeMap<String, Vec<u64>>,
    /// The times that slots are to have again, in the old image and in the new one.
    old: Vec<Held>,
    new: Vec<Held>,
}

/// A time that is another one for a while.
struct Held {
    /// Where it is (bytes from the image's begin).
    at: u64,
    before: u64,
    meanwhile: u64,
}

/// So few entries that have changed are as many as change in any case while packets flow.
const FEW: usize = 8;
/// The most looks at the old image before packets go by the new one.
const LOOKS: usize = 4;

/// Carries what packets leave in the old image while it is still in force, until there is hardly anything new. Both images are
/// filled.
///
/// A flow that opens between the last look and the exchange is unknown to the new image until it is carried, too. So until
/// then the slots that are in MOVE learn again, in both: openings are the previous backend's, and so is a flow that is not
/// noted. Such a flow goes where it went, whether it is known or not.
pub fn approach(
    (old_manifest, old): (&Manifest, &mut dyn Image),
    (new_manifest, new): (&Manifest, &mut dyn Image),
) -> Seen {
    let mut seen = Seen {
        words: BTreeMap::new(),
        old: learn_again(old_manifest, old),
        new: learn_again(new_manifest, new),
    };
    for _ in 0..LOOKS {
        let old = (old_manifest, &*old);
        let changed = seen.entries(old, (new_manifest, new), Writers::Nobody);
        if changed <= FEW {
            break;
        }
    }
    seen
}

/// Has the time of all slots that are in LEARN or MOVE begin anew.
fn learn_again(manifest: &Manifest, image: &mut dyn Image) -> Vec<Held> {
    let mut held = Vec::new();
    let Some((_, clock)) = image.layout().named("clock") else {
        return held;
    };
    let meanwhile = image.load(clock.at(0, clock::SECONDS), Width::B8) & change::MASK;
    for pool in manifest.pools.iter().filter(|p| p.changed().is_some()) {
        let own = |kind| image.layout().of_pool(kind, &pool.name).cloned();
        let (Some(ring), Some(changes)) = (own("ring"), own("changes")) else {
            continue;
        };
        for index in 0..u64::from(ring.length) {
            if Slot::load(image, (&ring, &changes), index).is_moving() {
                let at = changes.at(index, change::SINCE);
                let before = image.load(at, Width::B4);
                image.store(at, Width::B4, meanwhile);
                held.push(Held {
                    at,
                    before,
                    meanwhile,
                });
            }
        }
    }
    held
}

/// Gives slots the times that they had, but those that have got another one meanwhile.
fn release(held: &mut Vec<Held>, image: &mut dyn Image) {
    for one in held.drain(..) {
        if image.load(one.at, Width::B4) == one.meanwhile {
            image.store(one.at, Width::B4, one.before);
        }
    }
}

impl Seen {
    /// Carries what is left when no packet goes by the old image any more.
    pub fn flows(
        &mut self,
        old: (&Manifest, &dyn Image),
        (new_manifest, new): (&Manifest, &mut dyn Image),
        writers: Writers,
    ) {
        // First what a packet asks for: until then a flow that was just noted is unknown.
        self.entries(old, (new_manifest, new), writers);
        times_of_all(old, (new_manifest, new));
        release(&mut self.new, new);
    }

    /// The old image stays in force.
    pub fn give_up(mut self, old: &mut dyn Image) {
        release(&mut self.old, old);
    }

    /// How many have changed.
    fn entries(
        &mut self,
        (old_manifest, old): (&Manifest, &dyn Image),
        (new_manifest, new): (&Manifest, &mut dyn Image),
        writers: Writers,
    ) -> usize {
        let sections: Vec<Section> = new.layout().sections().map(|(_, s)| s.clone()).collect();
        let mut changed = 0;
        for section in sections.iter().filter(|s| s.element.is_flow()) {
            let before = old.layout().named(&section.name);
            let before = before.map(|(_, before)| before.clone());
            let before =
                before.filter(|before| goes_on((old.layout(), before), (new.layout(), section)));
            let both = pools(old_manifest, new_manifest, section);
            let (Some(before), Some((was, pool))) = (before, both) else {
                continue;
            };
            let ids = hosts(was, pool);
            let shrinks = section.length < before.length;
            let lives = Lives::of(new_manifest, section, old);
            let mut words = vec![0; before.length as usize];
            old.words(before.offset, &mut words);
            let seen = self.words.entry(section.name.clone()).or_default();
            seen.resize(words.len(), 0);
            let news = (0..).zip(words.iter().zip(&*seen));
            for (index, (word, _)) in news.filter(|(_, (word, seen))| word != seen) {
                changed += 1;
                let Some(entry) = Entry::from_bits(*word) else {
                    continue;
                };
                let Some(backend) = ids.get(&entry.backend).copied().flatten() else {
                    continue;
                };
                let entry = aged(was, pool, Entry { backend, ..entry });
                // A table that has grown has several buckets for one.
                for index in (index..u64::from(section.length.max(before.length)))
                    .step_by(before.length.max(1) as usize)
                {
                    carry_one(entry, index, (new, section), (lives, shrinks), writers);
                }
            }
            *seen = words;
        }
        changed
    }
}

/// Carries an entry that lies at `index` of the old table.
fn carry_one(
    entry: Entry,
    index: u64,
    (new, section): (&mut dyn Image, &Section),
    (lives, shrinks): (Lives, bool),
    writers: Writers,
) {
    let Some((at, there)) = place((new, section, lives), index, entry.tag) else {
        return; // the bucket is full
    };
    let backend = entry.backend;
    let carried = match lives.entry(there) {
        None => entry,
        // Of a bucket that was several for a while each had a copy, and a flow went on with its own.
        Some(noted) if writers == Writers::Nobody => {
            if shrinks && is_later(noted, entry) {
                return;
            }
            entry
        }
        // It may have been noted again: its first backend has its connection.
        Some(noted) if noted.backend != backend => Entry { backend, ..noted },
        Some(noted) if is_later(entry, noted) => entry,
        Some(_) => return,
    };
    exchange(new, (section, at), there, Some(carried));
}

fn times_of_all(
    (old_manifest, old): (&Manifest, &dyn Image),
    (new_manifest, new): (&Manifest, &mut dyn Image),
) {
    let sections: Vec<Section> = new.layout().sections().map(|(_, s)| s.clone()).collect();
    for section in sections.iter().filter(|s| s.element == Element::Change) {
        if let Some((_, before)) = old.layout().named(&section.name)
            && before.element == section.element
            && slots::go_on(old.layout(), new.layout(), section)
            && slots::pools(old_manifest, new_manifest, section).is_some()
        {
            times((old, before), (new, section));
        }
    }
}

/// Gives slots the later times. Those of a steady slot mean nothing.
fn times((old, before): (&dyn Image, &Section), (new, section): (&mut dyn Image, &Section)) {
    let Some((_, pool)) = section.name.split_once('.') else {
        return;
    };
    let ring = |image: &dyn Image| image.layout().of_pool("ring", pool).cloned();
    let (Some(old_ring), Some(new_ring)) = (ring(old), ring(new)) else {
        return;
    };
    let is_steady = |image: &dyn Image, slots, index| Slot::load(image, slots, index).is_steady();
    for index in 0..u64::from(section.length) {
        let earlier = hash::slot_in(index, section.length, before.length);
        if is_steady(old, (&old_ring, before), earlier)
            || is_steady(new, (&new_ring, section), index)
        {
            continue;
        }
        for field in [change::SINCE, change::ELSEWHERE] {
            let at = section.at(index, field);
            let then = new.load(at, Width::B4) as u32;
            let now = old.load(before.at(earlier, field), Width::B4) as u32;
            // A packet that writes at the same time writes a time of this second or the next: nothing is lost by it.
            if now.wrapping_sub(then).cast_signed() > 0 {
                new.store(at, Width::B4, u64::from(now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use lvsc_abi::flows::OPENING;
    use lvsc_abi::image::Bytes;
    use lvsc_abi::layout::{Layout, slot};
    use lvsc_abi::manifest::{Backend, Flows, Pool, Tracking};
    use lvsc_abi::scheduler::Scheduler;

    use super::super::carry;
    use super::*;

    const SLOTS: u32 = 4;

    /// Backends `a` and `b` with these ids.
    fn policy(ids: [u16; 2]) -> Manifest {
        let backend = |(name, id): (&str, u16)| Backend::new(id, name, [192, 0, 2, 1]);
        Manifest {
            pools: vec![Pool {
                backends: ["a", "b"].into_iter().zip(ids).map(backend).collect(),
                flows: Some(Flows::new(Tracking::Changed, 8, 100)),
                ..Pool::new("web", Scheduler::Maglev)
            }],
            ..Manifest::default()
        }
    }

    /// Second 9.
    fn image(entries: u32) -> Bytes {
        let mut layout = Layout::new();
        layout.add("clock", Element::Clock, 1);
        layout.add("flows.web", Element::Noted, entries);
        layout.add("ring.web", Element::Slot, SLOTS);
        layout.add("changes.web", Element::Change, SLOTS);
        let mut image = Bytes::new(layout);
        tell(&mut image, 9);
        image
    }

    fn tell(image: &mut Bytes, seconds: u64) {
        let (_, time) = image.layout().named("clock").unwrap();
        let at = time.at(0, clock::SECONDS);
        image.store(at, Width::B8, seconds);
    }

    fn at(image: &Bytes, kind: &str, index: u64, field: u16) -> u64 {
        let (_, section) = image.layout().named(&format!("{kind}.web")).unwrap();
        section.at(index, field)
    }

    fn note(image: &mut Bytes, index: u64, entry: Entry) {
        image.store(at(image, "flows", index, 0), Width::B8, entry.to_bits());
    }

    fn noted(image: &Bytes, tag: u32) -> Vec<Entry> {
        let (_, section) = image.layout().named("flows.web").unwrap();
        let words = (0..u64::from(section.length)).map(|n| image.load(section.at(n, 0), Width::B8));
        words
            .filter_map(Entry::from_bits)
            .filter(|entry| entry.tag == tag)
            .collect()
    }

    fn entry(tag: u32, backend: u16, seconds: u16) -> Entry {
        Entry {
            tag,
            backend,
            seconds,
            flags: 0,
        }
    }

    /// Who writes, an entry of the old image and of the new one, and what stands there then.
    #[test]
    fn an_entry_is_what_was_noted_last_and_its_backend_the_first_ones() {
        let opening = Entry {
            flags: OPENING,
            ..entry(7, 0, 3)
        };
        let (seen, early, other) = (entry(7, 0, 9), entry(7, 0, 5), entry(7, 1, 9));
        let cases = [
            (Writers::Nobody, opening, None, opening),
            (Writers::Packets, seen, Some(opening), seen),
            (Writers::Packets, opening, Some(seen), seen),
            (Writers::Packets, seen, Some(early), seen),
            (Writers::Packets, early, Some(seen), seen),
            (Writers::Packets, early, Some(other), seen),
            (Writers::Nobody, other, Some(seen), other),
            (
                Writers::Packets,
                entry(7, 0, 2),
                Some(entry(7, 0, 0xffff)),
                entry(7, 0, 2),
            ),
        ];
        for (number, (writers, old, new, wanted)) in cases.into_iter().enumerate() {
            let (mut before, mut now) = (image(8), image(8));
            note(&mut before, 3, old);
            if let Some(new) = new {
                note(&mut now, 3, new);
            }
            let policy = policy([0, 1]);
            let mut seen = Seen::default();
            seen.flows((&policy, &before), (&policy, &mut now), writers);
            assert_eq!(noted(&now, 7), [wanted], "{number}");
        }
    }

    #[test]
    fn a_flow_finds_a_place_in_its_bucket_and_has_one_alone() {
        let policy = policy([0, 1]);
        for (entries, others, copies) in [(8, 8, 1), (16, 8, 1), (8, 16, 2)] {
            let (mut before, mut now) = (image(entries), image(others));
            // Somebody else is where it was; it may be elsewhere in its bucket by now.
            note(&mut before, 2, entry(7, 0, 5));
            for index in (2..u64::from(others)).step_by(8) {
                note(&mut now, index, entry(8, 0, 5));
            }
            for _ in 0..2 {
                let mut seen = Seen::default();
                seen.flows((&policy, &before), (&policy, &mut now), Writers::Packets);
                assert_eq!(noted(&now, 7).len(), copies, "{entries} to {others}");
            }
            assert_eq!(noted(&now, 8).len(), copies);
        }
    }

    /// A table that grows has a copy of each bucket, and the flows of each go on in one of them.
    #[test]
    fn of_two_copies_the_one_goes_on_that_was_seen_last() {
        let policy = policy([0, 1]);
        for used in [3, 11] {
            let [mut small, mut large, mut again] = [8, 16, 8].map(image);
            let then = BTreeMap::new();
            note(&mut small, 3, entry(7, 0, 5));
            carry((&policy, &small, &then), (&policy, &mut large));
            assert_eq!(noted(&large, 7).len(), 2);
            note(&mut large, used, entry(7, 0, 60));
            tell(&mut large, 60);
            carry((&policy, &large, &then), (&policy, &mut again));
            assert_eq!(noted(&again, 7), [entry(7, 0, 60)], "{used}");
            approach((&policy, &mut large), (&policy, &mut again));
            assert_eq!(noted(&again, 7), [entry(7, 0, 60)], "{used}");
        }
    }

    #[test]
    fn slots_have_their_times_again_where_the_old_image_stays() {
        let policy = policy([0, 1]);
        let [mut before, mut after] = [8, 8].map(image);
        let since = at(&before, "changes", 1, change::SINCE);
        before.store(since, Width::B4, 20);
        before.store(
            at(&before, "ring", 1, 0),
            Width::B4,
            slot::word(0, 1).into(),
        );
        tell(&mut before, 90);
        let seen = approach((&policy, &mut before), (&policy, &mut after));
        assert_eq!(before.load(since, Width::B4), 90);
        seen.give_up(&mut before);
        assert_eq!(before.load(since, Width::B4), 20);
    }

    #[test]
    fn slots_that_change_keep_the_later_time() {
        let moving = slot::word(0, 1);
        let steady = slot::word(0, slot::NONE);
        // The words of both, the times of both, and what stands in the new one then.
        let cases = [
            (moving, moving, 20, 10, 20),
            (moving, moving, 10, 20, 20),
            (moving, moving, 4, 0xffff_fff0, 4),
            (steady, moving, 20, 10, 10),
            (moving, steady, 20, 10, 10),
        ];
        for (old, new, then, now, wanted) in cases {
            let (mut before, mut after) = (image(8), image(8));
            for (image, word, time) in [(&mut before, old, then), (&mut after, new, now)] {
                image.store(at(image, "ring", 1, 0), Width::B4, u64::from(word));
                for field in [change::SINCE, change::ELSEWHERE] {
                    image.store(at(image, "changes", 1, field), Width::B4, time);
                }
            }
            let policy = policy([0, 1]);
            let mut seen = Seen::default();
            seen.flows((&policy, &before), (&policy, &mut after), Writers::Packets);
            for field in [change::SINCE, change::ELSEWHERE] {
                let time = after.load(at(&after, "changes", 1, field), Width::B4);
                assert_eq!(time, wanted, "{old:x} {new:x}");
            }
        }
    }
}
