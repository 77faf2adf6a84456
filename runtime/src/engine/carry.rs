//! State carried from one image to the next, when a running policy is replaced.
//!
//! Sections match by name and shape. Flow entries name backends by id, and ids follow the order of a policy's lines, so
//! entries are translated by the backends' names; those of backends that are gone are left out. Counters match by kind
//! and name. Backends, rings and interfaces are not carried: they are published anew.

use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Section, counter};
use lvsc_abi::manifest::{Manifest, Pool};

/// What was carried over and what begins anew, by the names of sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Carried over.
    pub kept: Vec<String>,
    /// Without a match before.
    pub fresh: Vec<String>,
    /// Flow entries carried over.
    pub flows: u64,
}

/// Fills the new image with what the old one knows.
pub fn carry(
    (old_manifest, old): (&Manifest, &dyn Image),
    (new_manifest, new): (&Manifest, &mut dyn Image),
) -> Carried {
    let sections: Vec<Section> = new.layout().sections().map(|(_, s)| s.clone()).collect();
    let mut carried = Carried::default();
    for section in sections {
        let before = old
            .layout()
            .named(&section.name)
            .map(|(_, before)| before.clone());
        let before = before.filter(|before| before.element == section.element);
        match (section.element, before) {
            (Element::Clock, Some(before)) => copy(old, &before, new, &section, 2),
            (Element::Counter, Some(before)) => {
                counters((old_manifest, old, &before), (new_manifest, new, &section));
            }
            (Element::Flow | Element::Cursor, Some(before)) if before.length == section.length => {
                if section.element == Element::Cursor {
                    copy(old, &before, new, &section, section.size() / 8);
                } else {
                    let pools = pools(old_manifest, new_manifest, &section);
                    carried.flows += flows((old, &before), (new, &section), pools);
                }
            }
            (Element::Header | Element::Interface | Element::Backend | Element::Slot, _) => {
                continue;
            }
            (Element::Clock | Element::Counter | Element::Flow | Element::Cursor, _) => {
                carried.fresh.push(section.name);
                continue;
            }
        }
        carried.kept.push(section.name);
    }
    carried
}

/// Copies the first `words` words of a section.
fn copy(old: &dyn Image, from: &Section, new: &mut dyn Image, to: &Section, words: u64) {
    for word in 0..words {
        let value = old.load(from.offset + word * 8, Width::B8);
        new.store(to.offset + word * 8, Width::B8, value);
    }
}

fn counters(
    (old_manifest, old, from): (&Manifest, &dyn Image, &Section),
    (new_manifest, new, to): (&Manifest, &mut dyn Image, &Section),
) {
    for (index, known) in new_manifest.counters.iter().enumerate() {
        let Some(before) = old_manifest.counter(known.kind, &known.name) else {
            continue;
        };
        for field in [counter::PACKETS, counter::BYTES] {
            let value = old.load(from.at(u64::from(before), field), Width::B8);
            new.store(to.at(index as u64, field), Width::B8, value);
        }
    }
}

/// The pool that a `flows.<pool>` section belongs to, before and now.
fn pools<'a>(
    old: &'a Manifest,
    new: &'a Manifest,
    section: &Section,
) -> Option<(&'a Pool, &'a Pool)> {
    let name = section.name.strip_prefix("flows.")?;
    Some((old.pool(name)?, new.pool(name)?))
}

fn flows(
    (old, from): (&dyn Image, &Section),
    (new, to): (&mut dyn Image, &Section),
    pools: Option<(&Pool, &Pool)>,
) -> u64 {
    let Some((before, now)) = pools else { return 0 };
    let translated: Vec<Option<u16>> = before
        .backends
        .iter()
        .map(|known| {
            now.backends
                .iter()
                .find(|b| b.name == known.name)
                .map(|b| b.id)
        })
        .collect();
    let mut count = 0;
    for index in 0..u64::from(from.length) {
        let Some(entry) = Entry::from_bits(old.load(from.at(index, 0), Width::B8)) else {
            continue;
        };
        let id = translated
            .get(usize::from(entry.backend))
            .copied()
            .flatten();
        if let Some(backend) = id {
            let entry = Entry { backend, ..entry };
            new.store(to.at(index, 0), Width::B8, entry.to_bits());
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use lvsc_abi::image::{Bytes, count};
    use lvsc_abi::layout::Layout;
    use lvsc_abi::manifest::{Backend, Counter, CounterKind, Flows};
    use lvsc_abi::scheduler::Scheduler;

    fn manifest(names: &[&str]) -> Manifest {
        let backend = |(id, name): (usize, &&str)| Backend {
            id: id as u16,
            name: (*name).to_owned(),
            address: [192, 0, 2, 1].into(),
            port: None,
            weight: 1,
            mac: None,
            interface: 0,
        };
        let counter = |name: &&str| Counter {
            name: (*name).to_owned(),
            kind: CounterKind::Backend,
        };
        Manifest {
            pools: vec![Pool {
                name: "web".to_owned(),
                scheduler: Scheduler::Wrr,
                backends: names.iter().enumerate().map(backend).collect(),
                flows: Some(Flows {
                    entries: 8,
                    idle: 10,
                }),
                counters: 0,
            }],
            counters: names.iter().map(counter).collect(),
            ..Manifest::default()
        }
    }

    fn image() -> Bytes {
        let mut layout = Layout::new();
        layout.add("clock", Element::Clock, 1);
        layout.add("flows.web", Element::Flow, 8);
        layout.add("counters", Element::Counter, 4);
        Bytes::new(layout)
    }

    #[test]
    fn flows_and_counters_follow_names_not_the_order_of_lines() {
        let (old, new) = (manifest(&["a", "b", "c"]), manifest(&["c", "a"]));
        let (mut before, mut now) = (image(), image());
        let at = |image: &Bytes, index| image.layout().named("flows.web").unwrap().1.at(index, 0);
        for backend in 0..3 {
            let entry = Entry {
                tag: 7,
                backend,
                seconds: 5,
            };
            let place = at(&before, u64::from(backend));
            before.store(place, Width::B8, entry.to_bits());
        }
        let counters = before.layout().named("counters").unwrap().1.clone();
        before.store(counters.at(2, counter::PACKETS), Width::B8, 42);

        let carried = carry((&old, &before), (&new, &mut now));
        assert_eq!(carried.flows, 2, "the flow of `b` is left out");
        let id = |index| Entry::from_bits(now.load(at(&now, index), Width::B8)).map(|e| e.backend);
        assert_eq!([id(0), id(1), id(2)], [Some(1), None, Some(0)]);
        assert_eq!(count(&now, 0).packets, 42, "`c` is first now");
    }
}
