//! The world into an image. Plain stores, each aligned and never torn; only what changed is written.
//!
//! Order: backends first, then the rings that name them, so that a reader never finds a slot whose backend has no
//! record. A backend that is no longer usable loses its record first: its flows go elsewhere at once, and what is noted of
//! them ([`crate::slots`]) is forgotten before the ring changes, so that nobody finds it when the backend comes back. Whoever
//! has read the record just before may note a flow after that: it is to be forgotten ([`forget`]) once more a little later.

use std::collections::BTreeSet;

use crate::flows::{self, Entry};
use crate::image::{Bytes, Image, Width};
use crate::layout::{Element, Layout, Section, backend, clock, interface, load, slot};
use crate::loads::UNLIMITED;
use crate::mac::Mac;
use crate::manifest::{Manifest, Pool};
use crate::ramp;
use crate::scheduler::Candidate;
use crate::slots::Slot;

use crate::world::{BackendState, World};

/// Makes the image say what the world is. The image is of the manifest's own layout.
pub fn publish(manifest: &Manifest, world: &World, image: &mut dyn Image) {
    publish_time(world, image);
    publish_fixed(manifest, image);
    publish_interfaces(world, image);
    for (pool, backends) in manifest.pools.iter().zip(&world.pools) {
        publish_backends(pool, backends, image);
        publish_ring(pool, backends, world.seconds, image);
    }
}

/// The image as the policy itself says it: with the MACs in it, a program forwards as soon as it runs. `layout` is the
/// manifest's own.
pub fn initial(manifest: &Manifest, layout: &Layout) -> Bytes {
    let mut image = Bytes::new(layout.clone());
    publish(manifest, &World::of(manifest), &mut image);
    image
}

/// Clock and seed alone, as each second wants it.
pub fn publish_time(world: &World, image: &mut dyn Image) {
    let Some(section) = section(image, "clock") else {
        return;
    };
    write(
        image,
        section.at(0, clock::SECONDS),
        Width::B8,
        world.seconds,
    );
    write(image, section.at(0, clock::SEED), Width::B8, world.seed);
}

/// Where the cursors of so many workers begin that have none yet: one behind the other, for neighbours in a ring are mostly
/// different backends. All at one place would give the same backend as many flows in a row.
pub fn publish_cursors(workers: u32, image: &mut dyn Image) {
    let sections = image.layout().sections().map(|(_, section)| section);
    let cursors = sections.filter(|section| section.element == Element::Cursor);
    for section in cursors.cloned().collect::<Vec<_>>() {
        for worker in 0..u64::from(workers.min(section.length)) {
            let at = section.at(worker, 0);
            if image.load(at, Width::B8) == 0 {
                write(image, at, Width::B8, worker);
            }
        }
    }
}

fn publish_fixed(manifest: &Manifest, image: &mut dyn Image) {
    for fixed in &manifest.fixed {
        let Some(section) = section(image, &fixed.section) else {
            continue;
        };
        for (index, word) in (0..).zip(&fixed.words) {
            write(image, section.at(index, 0), Width::B8, *word);
        }
    }
}

fn publish_interfaces(world: &World, image: &mut dyn Image) {
    let Some(section) = section(image, "interfaces") else {
        return;
    };
    for (index, state) in world.interfaces.iter().enumerate() {
        let known = state.mac.map_or(0, |mac| {
            mac.to_record() | interface::KNOWN << interface::FLAGS_SHIFT
        });
        let at = |field| section.at(index as u64, field);
        write(
            image,
            at(interface::INDEX),
            Width::B4,
            u64::from(state.index),
        );
        write(image, at(interface::RECORD), Width::B8, known);
    }
}

fn publish_backends(pool: &Pool, states: &[BackendState], image: &mut dyn Image) {
    let Some(section) = own(pool, "backends", image) else {
        return;
    };
    // An id that is nobody's any more gets nothing, whoever still has it.
    let mut records = vec![0; section.length as usize];
    for (known, state) in pool.backends.iter().zip(states) {
        let record = match state.mac {
            Some(mac) if state.up => {
                mac.to_record()
                    | u64::from(known.interface) << backend::INTERFACE_SHIFT
                    | backend::USABLE << backend::FLAGS_SHIFT
            }
            Some(_) | None => 0,
        };
        if let Some(place) = records.get_mut(usize::from(known.id)) {
            *place = record;
        }
    }
    let mut gone = BTreeSet::new();
    for (id, record) in (0..).zip(records) {
        let at = section.at(id, 0);
        if is_usable(image.load(at, Width::B8)) && !is_usable(record) {
            gone.insert(id as u16);
        }
        write(image, at, Width::B8, record);
    }
    if pool.changed().is_some() && !gone.is_empty() {
        forget(pool, &gone, image);
    }
}

/// Whether a backend's record says that packets may be sent to it.
pub fn is_usable(record: u64) -> bool {
    record >> backend::FLAGS_SHIFT & backend::USABLE != 0
}

/// Empties the entries of a pool's table that name these backends, by their ids.
pub fn forget(pool: &Pool, gone: &BTreeSet<u16>, image: &mut dyn Image) {
    let Some(table) = own(pool, "flows", image) else {
        return;
    };
    for index in 0..u64::from(table.length) {
        let is_gone = |entry: Entry| gone.contains(&entry.backend);
        flows::empty(image, table.at(index, 0), is_gone);
    }
}

/// The ring holds backends that are up, have a next hop, and a weight; those for need only where there is no other. Where
/// the pool notes flows whose slots have changed, one whose next hop is still awaited has its place, too.
fn publish_ring(pool: &Pool, states: &[BackendState], now: u64, image: &mut dyn Image) {
    let Some(section) = own(pool, "ring", image) else {
        return;
    };
    let reached =
        |state: &BackendState| state.mac.is_some() || state.awaited && pool.changed().is_some();
    let usable = (pool.backends.iter().zip(states))
        .filter(|(_, state)| state.up && reached(state) && state.weight > 0);
    let (backups, first): (Vec<_>, Vec<_>) = usable.partition(|(backend, _)| backend.backup);
    let chosen = if first.is_empty() { backups } else { first };
    let weights = ramp::weights(pool, chosen.iter().map(|(_, state)| *state), now);
    let candidates: Vec<Candidate> = (chosen.iter().zip(weights))
        .map(|((backend, state), weight)| Candidate {
            id: backend.id,
            name: backend.name.clone(),
            weight: pool.scheduler.heeded(state.weight, weight),
        })
        .collect();
    publish_loads(pool, &candidates, image);
    let ring = pool.scheduler.fill(&candidates, section.length);
    if pool.changed().is_some() {
        return change_ring(pool, &ring, now, image);
    }
    for index in 0..section.length {
        let backend = ring.get(index as usize).copied().unwrap_or(slot::NONE);
        let word = slot::word(backend, slot::NONE);
        write(
            image,
            section.at(u64::from(index), 0),
            Width::B4,
            u64::from(word),
        );
    }
}

/// Who may be given new flows, as the schedulers that count flows see it, and how many. Whose flows they are is left alone.
fn publish_loads(pool: &Pool, candidates: &[Candidate], image: &mut dyn Image) {
    let Some(section) = own(pool, "loads", image) else {
        return;
    };
    let mut weights = vec![0; section.length as usize];
    for candidate in candidates {
        if let Some(weight) = weights.get_mut(usize::from(candidate.id)) {
            *weight = candidate.weight;
        }
    }
    for (id, weight) in (0..).zip(weights) {
        let limit = pool.backend(id as u16).and_then(|backend| backend.limit);
        let limits = limit.map_or([UNLIMITED; 2], |limit| [limit.flows, limit.reopen]);
        // Which of them holds depends on how many flows it has, and has had.
        let known = image.load(section.at(id, load::LIMIT), Width::B4) as u32;
        let limit = limits.into_iter().find(|limit| *limit == known);
        let limit = limit.unwrap_or(limits[0]);
        for (field, value) in [
            (load::ID, id as u32),
            (load::LIMIT, limit),
            (load::WEIGHT, weight),
        ] {
            write(image, section.at(id, field), Width::B4, value.into());
        }
    }
}

/// Gives the slots of a ring to these backends, to none where there are none.
fn change_ring(pool: &Pool, backends: &[u16], now: u64, image: &mut dyn Image) {
    let own = |kind| own(pool, kind, image);
    let (Some(ring), Some(changes), Some(records)) = (own("ring"), own("changes"), own("backends"))
    else {
        return;
    };
    let records: Vec<bool> = (0..u64::from(records.length))
        .map(|id| is_usable(image.load(records.at(id, 0), Width::B8)))
        .collect();
    let serves = |id: u16| records.get(usize::from(id)).copied().unwrap_or(false);
    for index in 0..u64::from(ring.length) {
        let backend = backends.get(index as usize).copied().unwrap_or(slot::NONE);
        let before = Slot::load(image, (&ring, &changes), index);
        let after = before.change(backend, now, serves);
        after.store(before, image, (&ring, &changes), index);
    }
}

/// The world as far as the image says it, with the policy's weights; `None` where nothing was published yet. A backend
/// without a record may be down or not yet known: it counts as up, and is asked for.
pub fn recall(manifest: &Manifest, image: &dyn Image) -> Option<World> {
    let clock = section(image, "clock")?;
    let time = |field| image.load(clock.at(0, field), Width::B8);
    let mut world = World {
        seconds: time(clock::SECONDS),
        seed: time(clock::SEED),
        ..World::of(manifest)
    };
    if world.seconds == 0 {
        return None;
    }
    if let Some(section) = section(image, "interfaces") {
        for (index, state) in (0..).zip(&mut world.interfaces) {
            let record = image.load(section.at(index, interface::RECORD), Width::B8);
            let known = record >> interface::FLAGS_SHIFT & interface::KNOWN != 0;
            state.mac = known.then(|| Mac::from_record(record));
            state.index = image.load(section.at(index, interface::INDEX), Width::B4) as u32;
        }
    }
    for (pool, states) in manifest.pools.iter().zip(&mut world.pools) {
        let Some(section) = own(pool, "backends", image) else {
            continue;
        };
        for (known, state) in pool.backends.iter().zip(states) {
            let record = image.load(section.at(u64::from(known.id), 0), Width::B8);
            state.mac = is_usable(record)
                .then(|| Mac::from_record(record))
                .or(state.mac);
        }
    }
    Some(world)
}

/// The pool's section of this kind.
fn own(pool: &Pool, kind: &str, image: &dyn Image) -> Option<Section> {
    image.layout().of_pool(kind, &pool.name).cloned()
}

fn section(image: &dyn Image, name: &str) -> Option<Section> {
    image
        .layout()
        .named(name)
        .map(|(_, section)| section.clone())
}

fn write(image: &mut dyn Image, at: u64, width: Width, value: u64) {
    if image.load(at, width) != value {
        image.store(at, width, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::image::Bytes;
    use crate::layout::Layout;
    use crate::manifest::{Backend, Flows, Interface, Tracking};
    use crate::scheduler::Scheduler;

    fn manifest() -> Manifest {
        let backend = |id: u16, weight| Backend {
            weight,
            ..Backend::new(id, format!("192.0.2.{id}"), [192, 0, 2, id as u8])
        };
        let pool = Pool {
            backends: vec![backend(0, 3), backend(1, 1), backend(2, 0)],
            flows: Some(Flows::new(Tracking::Every, 8, 10)),
            ..Pool::new("web", Scheduler::Wrr)
        };
        Manifest {
            interfaces: vec![Interface::default()],
            pools: vec![pool],
            ..Manifest::default()
        }
    }

    fn image() -> Bytes {
        let mut layout = Layout::new();
        layout.add("header", Element::Header, 1);
        layout.add("clock", Element::Clock, 1);
        layout.add("interfaces", Element::Interface, 1);
        layout.add("backends.web", Element::Backend, 4);
        layout.add("ring.web", Element::Slot, 64);
        layout.add("flows.web", Element::Flow, 8);
        Bytes::new(layout)
    }

    fn ring(image: &Bytes) -> Vec<u16> {
        let section = section(image, "ring.web").unwrap();
        (0..64)
            .map(|index| image.load(section.at(index, 0), Width::B4) as u16)
            .collect()
    }

    #[test]
    fn a_ring_holds_usable_backends_by_weight() {
        let (manifest, mut image) = (manifest(), image());
        let mut world = World::for_tests(&manifest);
        publish(&manifest, &world, &mut image);
        let count = |ring: &[u16], id| ring.iter().filter(|slot| **slot == id).count();
        assert_eq!([0, 1, 2].map(|id| count(&ring(&image), id)), [48, 16, 0]);

        world.pools[0][0].up = false;
        publish(&manifest, &world, &mut image);
        assert_eq!(count(&ring(&image), 1), 64);
        let records = section(&image, "backends.web").unwrap();
        assert_eq!(
            image.load(records.at(0, 0), Width::B8),
            0,
            "a backend that is down has no record"
        );

        world.pools[0][1].mac = None;
        publish(&manifest, &world, &mut image);
        assert_eq!(count(&ring(&image), slot::NONE), 64, "no backend is usable");
    }

    #[test]
    fn workers_begin_one_behind_the_other_and_go_on_from_where_they_are() {
        let mut layout = Layout::new();
        layout.add("cursor.web", Element::Cursor, 4);
        let mut image = Bytes::new(layout);
        let cursors = section(&image, "cursor.web").unwrap();
        let at = |worker| cursors.at(worker, 0);
        image.store(at(1), Width::B8, 77);
        publish_cursors(3, &mut image);
        assert_eq!(
            [0, 1, 2, 3].map(|w| image.load(at(w), Width::B8)),
            [0, 77, 2, 0]
        );
        publish_cursors(9, &mut image);
        assert_eq!(
            [0, 1, 2, 3].map(|w| image.load(at(w), Width::B8)),
            [0, 77, 2, 3]
        );
    }

    #[test]
    fn what_was_published_is_recalled() {
        let (manifest, mut image) = (manifest(), image());
        assert_eq!(recall(&manifest, &image), None, "nobody has said anything");
        let mut world = World::for_tests(&manifest);
        world.interfaces[0].index = 7;
        world.pools[0][1].mac = None;
        publish(&manifest, &world, &mut image);
        assert_eq!(recall(&manifest, &image), Some(world));
    }

    #[test]
    fn the_worlds_of_tests_have_macs_in_the_order_of_the_file() {
        let world = World::for_tests(&manifest());
        assert_eq!(
            world.interfaces[0].mac.unwrap().to_string(),
            "02:00:00:00:00:01"
        );
        assert_eq!(
            world.pools[0][2].mac.unwrap().to_string(),
            "02:00:00:00:00:04"
        );
    }
}
