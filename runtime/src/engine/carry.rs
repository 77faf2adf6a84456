//! State carried from one policy to the next, when a running one is replaced.
//!
//! Sections match by name and shape, tables by name and what their entries are. Flow entries name backends by id, and ids
//! follow the order of a policy's lines, so entries are translated by the backends' names; those of backends that are gone are
//! left out. Counters match by kind and name, those with keys where the whole declaration is the same. Backends, interfaces and most rings are not carried:
//! they are published anew, and datagrams are forgotten: their fragments come within moments. A ring that remembers whom its
//! slots named before is, so that publishing changes it; and so is who is full until he has fewer flows.

use std::collections::BTreeMap;
use std::time::Duration;

use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Section, counter};
use lvsc_abi::loads;
use lvsc_abi::manifest::{Backend, Counter, Manifest, Pool};

mod keyed;
pub mod late;
mod limits;
mod moved;
mod sizes;
mod slots;
mod times;

use self::late::{Seen, Writers};
use self::limits::Limits;
pub use self::moved::{Moved, Rings, side_by_side};
use self::sizes::Lives;
use self::times::{aged, ages_alike};

/// The section of single counters.
const COUNTERS: &str = "counters";

/// What was carried over and what begins anew, by the names of sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Carried over.
    pub kept: Vec<String>,
    /// Without a match before.
    pub fresh: Vec<String>,
    /// Flow entries left out, because their backends are gone, or a smaller table has no place.
    pub lost: u64,
    /// The image goes on; else there is a new one.
    pub same_image: bool,
    /// What the rings of pools that hash name otherwise than before.
    pub moved: Vec<Moved>,
    /// From the moment at which the director takes up the new engine until it forwards with it.
    pub took: Duration,
}

/// What the counters of an image were at one time: packets and bytes, by the names of sections.
pub type Counted = BTreeMap<String, Vec<[u64; 2]>>;

/// What the counters of an image are.
pub fn counted(image: &dyn Image) -> Counted {
    let sections = image.layout().sections().map(|(_, section)| section);
    let counters = sections.filter(|section| section.element == Element::Counter);
    counters
        .map(|section| (section.name.clone(), counted_in(image, section)))
        .collect()
}

/// Carries what has come since the old image was carried over, when its counters were `then`: packets went on to be counted
/// and flows to be noted there until the new one took over. What was `seen` of the flows has been carried since.
pub fn catch_up(
    (old_manifest, old, then): (&Manifest, &dyn Image, &Counted),
    (new_manifest, new): (&Manifest, &mut dyn Image),
    seen: &mut Seen,
) {
    seen.flows((old_manifest, old), (new_manifest, new), Writers::Packets);
    keyed::catch_up((old_manifest, old, then), (new_manifest, new));
    if let Some((_, section)) = new.layout().named(COUNTERS) {
        let (section, now) = (section.clone(), counted_of(old, COUNTERS));
        for (index, before) in same_counters(old_manifest, new_manifest) {
            let then = then.get(COUNTERS).and_then(|then| then.get(before));
            if let (Some(now), Some(then)) = (now.get(before), then) {
                more(new, &section, index, (now, then));
            }
        }
    }
}

/// Fills the new image, which is fresh, with what the old one knows, and with what its counters were `then`.
pub fn carry(
    (old_manifest, old, then): (&Manifest, &dyn Image, &Counted),
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
            (Element::Clock, Some(before)) => copy(old, &before, new, &section),
            (Element::Counter, Some(before)) if before.name == COUNTERS => {
                let then = then.get(COUNTERS).map_or(&[][..], Vec::as_slice);
                counters((old_manifest, then), (new_manifest, new, &section));
            }
            (Element::Counter | Element::Cell | Element::Key, Some(before))
                if keyed::of(old_manifest, new_manifest, &section).is_some() =>
            {
                match then.get(&before.name) {
                    Some(then) => keyed::counts(then, new, &section),
                    None => copy(old, &before, new, &section),
                }
            }
            (Element::Cursor, Some(before)) if before.length == section.length => {
                copy(old, &before, new, &section);
            }
            (Element::Flow | Element::Noted | Element::Client, Some(before))
                if sizes::goes_on((old.layout(), &before), (new.layout(), &section)) =>
            {
                let full = if before.length == section.length {
                    copy(old, &before, new, &section);
                    0
                } else {
                    let lives = Lives::of(old_manifest, &before, old);
                    sizes::spread((old, &before), (new, &section), lives)
                };
                carried.lost += renumber(old_manifest, new_manifest, new, &section);
                carried.lost += if section.element == Element::Client {
                    0
                } else {
                    full
                };
            }
            (Element::Slot | Element::Change, Some(before))
                if slots::pools(old_manifest, new_manifest, &section).is_some()
                    && slots::go_on(old.layout(), new.layout(), &section) =>
            {
                slots::copy(old, &before, new, &section);
                carried.lost += renumber(old_manifest, new_manifest, new, &section);
            }
            (Element::Slot, _) if slots::pools(new_manifest, new_manifest, &section).is_none() => {
                continue;
            }
            (
                Element::Header
                | Element::Interface
                | Element::Backend
                | Element::Load
                | Element::Word
                | Element::Datagram,
                _,
            ) => {
                continue;
            }
            (
                Element::Clock
                | Element::Counter
                | Element::Slot
                | Element::Change
                | Element::Flow
                | Element::Noted
                | Element::Client
                | Element::Cursor
                | Element::Cell
                | Element::Key,
                _,
            ) => {
                carried.fresh.push(section.name);
                continue;
            }
        }
        carried.kept.push(section.name);
    }
    recount(new_manifest, new);
    Limits::of((old_manifest, old), new_manifest).hold(new);
    carried
}

/// Whether both policies mean the same by every id and every time that lies in an image of theirs, which have the same layout:
/// it can go on as it is, while packets flow. A backend more or less changes no other's id.
pub fn agree(old: &Manifest, new: &Manifest) -> bool {
    let interfaces = |manifest: &Manifest| -> Vec<String> {
        let names = manifest.interfaces.iter();
        names.map(|interface| interface.name.clone()).collect()
    };
    let backends = new.pools.iter().all(|now| {
        let before = old.pool(&now.name);
        let mut before = before.iter().flat_map(|pool| &pool.backends);
        before.all(|known| {
            let same = |other: &&Backend| other.id == known.id || other.name == known.name;
            let mut others = now.backends.iter().filter(same);
            others.all(|other| (other.id, &other.name) == (known.id, &known.name))
        })
    });
    let mut named = (0..)
        .zip(&new.counters)
        .filter(|(_, known)| !known.is_of_nobody());
    let counters = named.all(|(index, known): (u32, &Counter)| {
        match old.counter(known.kind, &known.name) {
            Some(before) => before == index,
            // What was nobody's has counted nothing.
            None => (old.counters.get(index as usize)).is_none_or(Counter::is_of_nobody),
        }
    });
    let times = new.pools.iter().all(|now| {
        let before = old.pool(&now.name);
        before.is_none_or(|before| ages_alike(before, now))
    });
    interfaces(old) == interfaces(new) && backends && counters && times && old.keyed == new.keyed
}

/// Makes the image of the old policy that of the new one, where both have the same layout; `publish` has it say what the
/// world is. Costs nothing for flows whose backends have the ids that they had.
pub fn turn(
    old: &Manifest,
    new: &Manifest,
    image: &mut dyn Image,
    publish: impl FnOnce(&mut dyn Image),
) -> Carried {
    Limits::of((old, image), new).hold(image);
    // Where ids go on, others may be at work: whoever is gone is published as gone before he is forgotten. Where they do
    // not, nobody is: the image speaks of the new ids first.
    if agree(old, new) {
        publish(image);
        return give(old, new, image, true);
    }
    let carried = give(old, new, image, false);
    publish(image);
    carried
}

/// Gives what an image holds to the new policy; `goes_on` says whether ids mean the same to both.
fn give(old: &Manifest, new: &Manifest, image: &mut dyn Image, goes_on: bool) -> Carried {
    let sections: Vec<Section> = image.layout().sections().map(|(_, s)| s.clone()).collect();
    let mut carried = Carried {
        same_image: true,
        ..Carried::default()
    };
    for section in sections {
        match section.element {
            // The kernel goes on counting: what need not move is not touched.
            Element::Counter if section.name == COUNTERS => {
                if !goes_on {
                    let counted = counted_in(image, &section);
                    counters((old, &counted), (new, image, &section));
                }
                forget_counters(new, image, &section);
            }
            Element::Counter | Element::Cell | Element::Key => {
                if keyed::of(old, new, &section).is_none() {
                    empty(image, &section);
                    carried.fresh.push(section.name);
                    continue;
                }
            }
            Element::Slot if slots::pools(old, new, &section).is_none() => continue,
            Element::Flow | Element::Noted | Element::Client | Element::Slot => {
                carried.lost += renumber(old, new, image, &section);
            }
            Element::Clock | Element::Cursor | Element::Change => {}
            Element::Datagram => {
                empty(image, &section);
                continue;
            }
            Element::Header
            | Element::Interface
            | Element::Backend
            | Element::Load
            | Element::Word => continue,
        }
        carried.kept.push(section.name);
    }
    // What was exchanged while others are at work has been counted.
    if !goes_on {
        recount(new, image);
    }
    carried
}

/// Empties what the policy names no more, flow entries by their backends and counters: what has their ids one day is
/// somebody else. The image has been published.
pub fn forget_strays(manifest: &Manifest, image: &mut dyn Image) {
    let sections: Vec<Section> = image.layout().sections().map(|(_, s)| s.clone()).collect();
    for section in sections {
        if section.name == COUNTERS {
            forget_counters(manifest, image, &section);
        }
        if let Some((pool, _)) = pools(manifest, manifest, &section) {
            let ids = pool.backends.iter().map(|known| (known.id, Some(known.id)));
            give_ids(image, &section, &ids.collect(), |entry| entry);
        }
    }
    recount(manifest, image);
}

/// Counts anew whose flows there are.
fn recount(manifest: &Manifest, image: &mut dyn Image) {
    for pool in &manifest.pools {
        loads::recount(pool, image);
    }
}

/// Has the counters that the policy does not have begin anew.
fn forget_counters(manifest: &Manifest, image: &mut dyn Image, section: &Section) {
    let nobodys = (0..).zip(&manifest.counters);
    let nobodys = nobodys.filter(|(_, known)| known.is_of_nobody());
    let nobodys = nobodys.map(|(index, _)| index);
    for index in nobodys.chain(manifest.counters.len() as u64..u64::from(section.length)) {
        for at in [counter::PACKETS, counter::BYTES].map(|field| section.at(index, field)) {
            if image.load(at, Width::B8) != 0 {
                image.store(at, Width::B8, 0);
            }
        }
    }
}

/// Copies a section whose strides are whole words.
fn copy(old: &dyn Image, from: &Section, new: &mut dyn Image, to: &Section) {
    for word in 0..to.size() / 8 {
        let value = old.load(from.offset + word * 8, Width::B8);
        if value != 0 {
            new.store(to.offset + word * 8, Width::B8, value);
        }
    }
}

/// Makes every word of a section 0.
fn empty(image: &mut dyn Image, section: &Section) {
    for at in (section.offset..section.offset + section.size()).step_by(8) {
        if image.load(at, Width::B8) != 0 {
            image.store(at, Width::B8, 0);
        }
    }
}

/// Adds to a counter what has come since it was `then`.
fn more(image: &mut dyn Image, section: &Section, index: u64, (now, then): (&[u64; 2], &[u64; 2])) {
    let fields = [counter::PACKETS, counter::BYTES].into_iter();
    for (field, (now, then)) in fields.zip(now.iter().zip(then)) {
        if now != then {
            image.add(section.at(index, field), now.wrapping_sub(*then));
        }
    }
}

/// Packets and bytes of the counters of the section with this name.
fn counted_of(image: &dyn Image, name: &str) -> Vec<[u64; 2]> {
    let section = image.layout().named(name);
    section.map_or_else(Vec::new, |(_, section)| counted_in(image, section))
}

/// Packets and bytes of every counter.
fn counted_in(image: &dyn Image, section: &Section) -> Vec<[u64; 2]> {
    let fields = [counter::PACKETS, counter::BYTES];
    let each = 0..u64::from(section.length);
    each.map(|index| fields.map(|field| image.load(section.at(index, field), Width::B8)))
        .collect()
}

fn counters(
    (old, counted): (&Manifest, &[[u64; 2]]),
    (new, image, section): (&Manifest, &mut dyn Image, &Section),
) {
    let before: BTreeMap<u64, usize> = same_counters(old, new).collect();
    for index in 0..new.counters.len() as u64 {
        let before = before.get(&index).and_then(|before| counted.get(*before));
        for (field, value) in [counter::PACKETS, counter::BYTES]
            .into_iter()
            .zip(before.copied().unwrap_or_default())
        {
            image.store(section.at(index, field), Width::B8, value);
        }
    }
}

/// The counters of section `counters` that both policies have: where they are now, and where they were.
fn same_counters(old: &Manifest, new: &Manifest) -> impl Iterator<Item = (u64, usize)> {
    (0..).zip(&new.counters).filter_map(|(index, known)| {
        let before = old.counter(known.kind, &known.name)?;
        Some((index, before as usize))
    })
}

/// Makes the ids of the old policy in a section `flows.<pool>` or `persist.<pool>`, or in slots that remember, those of the new one; gives the
/// number of entries whose backends are gone, which are emptied. Other sections have no ids.
fn renumber(old: &Manifest, new: &Manifest, image: &mut dyn Image, section: &Section) -> u64 {
    let same = |ids: &BTreeMap<u16, Option<u16>>| ids.iter().all(|(old, new)| *new == Some(*old));
    if let Some((before, now)) = pools(old, new, section) {
        let ids = hosts(before, now);
        if same(&ids) && ages_alike(before, now) {
            return 0;
        }
        let lost = give_ids(image, section, &ids, |entry| aged(before, now, entry));
        // No flow is lost where its client goes elsewhere with the next one.
        return if section.element == Element::Client {
            0
        } else {
            lost
        };
    }
    if section.element == Element::Slot
        && let Some((before, now)) = slots::pools(old, new, section)
    {
        let ids = ids(before, now);
        if !same(&ids) {
            slots::give_ids(image, section, &ids);
        }
    }
    0
}

/// Gives the entries of a section the ids that belong to theirs, and the times that `aged` says, and empties those that none
/// does: so many.
fn give_ids(
    image: &mut dyn Image,
    section: &Section,
    ids: &BTreeMap<u16, Option<u16>>,
    aged: impl Fn(Entry) -> Entry,
) -> u64 {
    let mut lost = 0;
    for index in 0..u64::from(section.length) {
        let at = section.at(index, 0);
        let before = image.load(at, Width::B8);
        let Some(entry) = Entry::from_bits(before) else {
            continue;
        };
        let id = ids.get(&entry.backend).copied().flatten();
        lost += u64::from(id.is_none());
        let after = id.map(|backend| aged(Entry { backend, ..entry }));
        // The kernel goes on: a packet may just have made it that of another backend, or of another flow.
        exchange(image, (section, at), before, after);
    }
    lost
}

/// Writes an entry of a section at `at`, or none, unless what is there is another word than `before`. While packets change how
/// many flows a backend has, counting anew would not do: what is exchanged is counted.
fn exchange(
    image: &mut dyn Image,
    (section, at): (&Section, u64),
    before: u64,
    after: Option<Entry>,
) {
    let word = after.map_or(0, Entry::to_bits);
    if word == before || !image.exchange(at, before, word) {
        return;
    }
    let pool = section.name.strip_prefix("flows.");
    let loads = pool.and_then(|pool| image.layout().of_pool("loads", pool));
    if let Some(loads) = loads.cloned() {
        loads::replace(image, &loads, Entry::from_bits(before), after);
    }
}

/// The pool whose flows or clients lie in a section, in both policies.
fn pools<'a>(
    old: &'a Manifest,
    new: &'a Manifest,
    section: &Section,
) -> Option<(&'a Pool, &'a Pool)> {
    let (kind, name) = section.name.split_once('.')?;
    if !matches!(kind, "flows" | "persist") {
        return None;
    }
    Some((old.pool(name)?, new.pool(name)?))
}

/// The new id of each backend; `None` where it is gone.
fn ids(before: &Pool, now: &Pool) -> BTreeMap<u16, Option<u16>> {
    ids_of(before, now, |known, other| known.name == other.name)
}

/// As [`ids`], of those who have the connections of flows: at another address there is another host.
fn hosts(before: &Pool, now: &Pool) -> BTreeMap<u16, Option<u16>> {
    let who = |backend: &Backend| (backend.name.clone(), backend.address);
    ids_of(before, now, |known, other| who(known) == who(other))
}

fn ids_of(
    before: &Pool,
    now: &Pool,
    same: impl Fn(&Backend, &Backend) -> bool,
) -> BTreeMap<u16, Option<u16>> {
    let new = |known| now.backends.iter().find(|other| same(known, other));
    let each = before.backends.iter();
    each.map(|known| (known.id, new(known).map(|backend| backend.id)))
        .collect()
}

#[cfg(test)]
mod tests;
