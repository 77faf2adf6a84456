//! What is noted of backends that are not usable any more, forgotten once more.
//!
//! Publishing forgets it when a backend goes. But a worker that has read the backend's record just before, or a CPU in the
//! kernel, may note a flow for it after that; nobody waits for them. When the backend comes back while that entry lives, a
//! flow would be found there that has gone on elsewhere. So what is seen not to be usable at one tick of the clock is
//! forgotten at the next one, if it is not usable still: by then more than a second has passed, and who has read the record
//! before decided its packet long ago.

use std::collections::{BTreeMap, BTreeSet};

use lvsc_abi::image::{Image, Width};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::publish::{forget, is_usable};

use super::section;

/// The backends that are not usable, by pools, as they were at the last tick.
#[derive(Clone, Debug, Default)]
pub(super) struct Gone(BTreeMap<String, Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    unusable: BTreeSet<u16>,
    /// Those that have not been at the tick before.
    new: BTreeSet<u16>,
}

impl Gone {
    /// The clock goes on.
    pub(super) fn tick(&mut self, manifest: &Manifest, image: &mut dyn Image) {
        let tracked = manifest
            .pools
            .iter()
            .filter(|pool| pool.changed().is_some());
        let mut next = BTreeMap::new();
        for pool in tracked {
            let Some(records) = section(pool, "backends", image) else {
                continue;
            };
            let before = self.0.remove(&pool.name).unwrap_or_default();
            let ids = (0..records.length).map(|id| id as u16);
            let unusable: BTreeSet<u16> = ids
                .filter(|id| !is_usable(image.load(records.at(u64::from(*id), 0), Width::B8)))
                .collect();
            let due: BTreeSet<u16> = before.new.intersection(&unusable).copied().collect();
            if !due.is_empty() {
                forget(pool, &due, image);
            }
            let new = unusable.difference(&before.unusable).copied().collect();
            next.insert(pool.name.clone(), Known { unusable, new });
        }
        self.0 = next;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use lvsc_abi::flows::Entry;
    use lvsc_abi::image::Bytes;
    use lvsc_abi::layout::{Element, Layout};
    use lvsc_abi::manifest::{Backend, Flows, Pool, Tracking};
    use lvsc_abi::publish::publish;
    use lvsc_abi::scheduler::Scheduler;
    use lvsc_abi::world::World;

    use super::super::Sweeper;
    use super::*;

    /// Backends 0 and 1 of a pool that notes flows whose slots have changed, or all.
    fn policy(tracking: Tracking) -> Manifest {
        let backend = |id: u16| Backend::new(id, format!("rs{id}"), [192, 0, 2, 1]);
        Manifest {
            pools: vec![Pool {
                backends: vec![backend(0), backend(1)],
                flows: Some(Flows::new(tracking, 8, 60)),
                ..Pool::new("web", Scheduler::Maglev)
            }],
            ..Manifest::default()
        }
    }

    fn image(tracking: Tracking) -> Bytes {
        let mut layout = Layout::new();
        layout.add("clock", Element::Clock, 1);
        layout.add("backends.web", Element::Backend, 4);
        layout.add("ring.web", Element::Slot, 64);
        layout.add("changes.web", Element::Change, 64);
        layout.add("flows.web", tracking.element(), 8);
        Bytes::new(layout)
    }

    fn note(image: &mut Bytes, backend: u16) {
        let (_, table) = image.layout().named("flows.web").unwrap();
        let at = table.at(u64::from(backend), 0);
        let entry = Entry {
            tag: 7,
            backend,
            seconds: 100,
            flags: 0,
        };
        image.store(at, Width::B8, entry.to_bits());
    }

    fn noted(image: &Bytes) -> Vec<u16> {
        let (_, table) = image.layout().named("flows.web").unwrap();
        let words = (0..8).map(|index| image.load(table.at(index, 0), Width::B8));
        let entries = words.filter_map(Entry::from_bits);
        entries.map(|entry| entry.backend).collect()
    }

    /// Backend 1 goes at second 100, a packet that was decided before is noted for it then, and it comes back at that second.
    fn left(tracking: Tracking, back: u64) -> Vec<u16> {
        let (policy, mut image) = (policy(tracking), image(tracking));
        let mut world = World::for_tests(&policy);
        world.seconds = 98;
        let mut sweeper = Sweeper::default();
        publish(&policy, &world, &mut image);
        for now in 99..104 {
            sweeper.advance(&policy, (now - 1, now), &mut image);
            world.seconds = now;
            if now == 100 || now == back {
                world.pools[0][1].up = now == back;
                publish(&policy, &world, &mut image);
            }
            if now == 100 {
                note(&mut image, 0);
                note(&mut image, 1);
            }
        }
        noted(&image)
    }

    #[test]
    fn what_was_noted_after_its_backend_went_is_forgotten_before_it_comes_back() {
        assert_eq!(left(Tracking::Changed, 103), [0]);
        assert_eq!(left(Tracking::Changed, 200), [0]);
        assert_eq!(left(Tracking::Changed, 101), [0, 1], "it is usable again");
        // A table of all flows keeps them where they were.
        assert_eq!(left(Tracking::Every, 103), [0, 1]);
    }
}
