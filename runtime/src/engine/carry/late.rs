//! What flows have left in the old image since it was carried over: entries, and the times of slots.

use std::collections::BTreeMap;

use lvsc_abi::flows::{BUCKET, Entry};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Section, change, slot};
use lvsc_abi::manifest::Manifest;

use super::{hosts, pools, slots};

/// Who writes flows into the new image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Nobody yet: what the old one says holds.
    Nobody,
    /// Packets: what they have noted later holds.
    Packets,
}

/// Carries it. To be done before packets go by the new image, and once more when none go by the old one any more: what comes
/// between the two is little.
pub fn flows(
    (old_manifest, old): (&Manifest, &dyn Image),
    (new_manifest, new): (&Manifest, &mut dyn Image),
    writers: Writers,
) {
    let sections: Vec<Section> = new.layout().sections().map(|(_, s)| s.clone()).collect();
    for section in sections {
        let before = old.layout().named(&section.name);
        let before = before.map(|(_, before)| before.clone());
        let Some(before) = before.filter(|before| before.element == section.element) else {
            continue;
        };
        let goes_on = || slots::go_on(old.layout(), new.layout(), &section);
        let fits = match section.element {
            Element::Flow => before.length == section.length,
            Element::Noted | Element::Change => goes_on(),
            Element::Header
            | Element::Clock
            | Element::Interface
            | Element::Backend
            | Element::Slot
            | Element::Cursor
            | Element::Counter
            | Element::Cell
            | Element::Key
            | Element::Word => false,
        };
        if !fits {
            continue;
        }
        if section.element == Element::Change {
            if slots::pools(old_manifest, new_manifest, &section).is_some() {
                times((old, &before), (new, &section));
            }
        } else if let Some((was, pool)) = pools(old_manifest, new_manifest, &section) {
            let ids = hosts(was, pool);
            entries((old, &before), (new, &section), &ids, writers);
        }
    }
}

fn entries(
    (old, before): (&dyn Image, &Section),
    (new, section): (&mut dyn Image, &Section),
    ids: &BTreeMap<u16, Option<u16>>,
    writers: Writers,
) {
    for index in 0..u64::from(section.length.max(before.length)) {
        let word = old.load(before.at(index, 0), Width::B8);
        let Some(entry) = Entry::from_bits(word) else {
            continue;
        };
        let Some(backend) = ids.get(&entry.backend).copied().flatten() else {
            continue;
        };
        let entry = Entry { backend, ..entry };
        let Some((at, there)) = place(new, section, index, entry.tag) else {
            continue; // the bucket is full
        };
        let carried = match Entry::from_bits(there) {
            None => entry,
            Some(_) if writers == Writers::Nobody => entry,
            // It may have been noted again: its first backend has its connection.
            Some(noted) if noted.backend != backend => Entry { backend, ..noted },
            Some(noted) if is_later(entry, noted) => entry,
            Some(_) => continue,
        };
        if carried.to_bits() != there {
            new.exchange(at, there, carried.to_bits());
        }
    }
}

/// Where a flow that lies at `index` of the old table is in the new one, or may be, and the word there.
fn place(image: &dyn Image, section: &Section, index: u64, tag: u32) -> Option<(u64, u64)> {
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
    let free = || {
        all.iter()
            .find(|(_, word)| Entry::from_bits(*word).is_none())
    };
    own.or_else(free).copied()
}

/// Whether an entry of a flow was seen later than another one of it.
fn is_later(entry: Entry, other: Entry) -> bool {
    match (entry.is_opening(), other.is_opening()) {
        // A later packet has confirmed it.
        (false, true) => true,
        (false, false) => entry.seconds.wrapping_sub(other.seconds).cast_signed() > 0,
        (true, true | false) => false,
    }
}

/// Gives slots the later times. Those of a steady slot mean nothing.
fn times((old, before): (&dyn Image, &Section), (new, section): (&mut dyn Image, &Section)) {
    let Some((_, pool)) = section.name.split_once('.') else {
        return;
    };
    let ring = |image: &dyn Image| {
        let found = image.layout().named(&format!("ring.{pool}"));
        found.map(|(_, ring)| ring.clone())
    };
    let (Some(old_ring), Some(new_ring)) = (ring(old), ring(new)) else {
        return;
    };
    let is_steady = |image: &dyn Image, ring: &Section, index| {
        let word = image.load(ring.at(index, 0), Width::B4);
        word >> slot::PREVIOUS_SHIFT == u64::from(slot::NONE)
    };
    for index in 0..u64::from(section.length) {
        if is_steady(old, &old_ring, index) || is_steady(new, &new_ring, index) {
            continue;
        }
        for field in [change::SINCE, change::ELSEWHERE] {
            let at = section.at(index, field);
            let then = new.load(at, Width::B4) as u32;
            let now = old.load(before.at(index, field), Width::B4) as u32;
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
    use lvsc_abi::layout::Layout;
    use lvsc_abi::manifest::{Backend, Flows, Pool, Tracking};
    use lvsc_abi::scheduler::Scheduler;

    use super::*;

    const SLOTS: u32 = 4;

    /// Backends `a` and `b` with these ids.
    fn policy(ids: [u16; 2]) -> Manifest {
        let backend = |(name, id): (&str, u16)| Backend::new(id, name, [192, 0, 2, 1]);
        Manifest {
            pools: vec![Pool {
                name: "web".to_owned(),
                scheduler: Scheduler::Maglev,
                backends: ["a", "b"].into_iter().zip(ids).map(backend).collect(),
                flows: Some(Flows {
                    entries: 8,
                    idle: 10,
                    tracking: Tracking::Changed,
                }),
                slow_start: None,
                counters: 0,
                capacity: None,
            }],
            ..Manifest::default()
        }
    }

    fn image(entries: u32) -> Bytes {
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Noted, entries);
        layout.add("ring.web", Element::Slot, SLOTS);
        layout.add("changes.web", Element::Change, SLOTS);
        Bytes::new(layout)
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
            flows((&policy, &before), (&policy, &mut now), writers);
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
                flows((&policy, &before), (&policy, &mut now), Writers::Packets);
                assert_eq!(noted(&now, 7).len(), copies, "{entries} to {others}");
            }
            assert_eq!(noted(&now, 8).len(), copies);
        }
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
            flows((&policy, &before), (&policy, &mut after), Writers::Packets);
            for field in [change::SINCE, change::ELSEWHERE] {
                let time = after.load(at(&after, "changes", 1, field), Width::B4);
                assert_eq!(time, wanted, "{old:x} {new:x}");
            }
        }
    }
}
