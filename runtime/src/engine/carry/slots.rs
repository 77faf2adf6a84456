//! Ring slots that remember whom they named before, and what is noted of their flows, from one policy to the next: a change of
//! the backends is one all the same.

use std::collections::BTreeMap;

use lvsc_abi::hash;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Layout, Section, slot};
use lvsc_abi::manifest::{Manifest, Pool};

/// The pool to which a section of slots, or of their times, belongs in both policies, where both remember.
pub(super) fn pools<'a>(
    old: &'a Manifest,
    new: &'a Manifest,
    section: &Section,
) -> Option<(&'a Pool, &'a Pool)> {
    let (kind, name) = section.name.split_once('.')?;
    let both = (old.pool(name)?, new.pool(name)?);
    let remember = both.0.changed().is_some() && both.1.changed().is_some();
    (remember && matches!(kind, "ring" | "changes")).then_some(both)
}

/// Whether the slots go on of the pool that has this section. Those of a ring that has got shorter begin anew, and what is noted
/// of their flows is not where these go from then on.
pub(super) fn go_on(old: &Layout, new: &Layout, section: &Section) -> bool {
    let pool = section.name.split_once('.').map(|(_, pool)| pool);
    let ring = |layout: &Layout| layout.of_pool("ring", pool?).map(|ring| ring.length);
    ring(old) <= ring(new)
}

/// Copies slots or their times. A ring may have grown: a slot's flows are then spread over several.
pub(super) fn copy(old: &dyn Image, from: &Section, new: &mut dyn Image, to: &Section) {
    let bytes = if to.element == Element::Slot {
        Width::B4
    } else {
        Width::B8
    };
    for index in 0..u64::from(to.length) {
        let before = hash::slot_in(index, to.length, from.length);
        let value = old.load(from.at(before, 0), bytes);
        new.store(to.at(index, 0), bytes, value);
    }
}

/// Gives slots the ids that belong to theirs. Who is gone has named nobody.
pub(super) fn give_ids(image: &mut dyn Image, section: &Section, ids: &BTreeMap<u16, Option<u16>>) {
    let id = |old: u16, none: u16| match old {
        slot::NONE | slot::TAIL => old,
        old => ids.get(&old).copied().flatten().unwrap_or(none),
    };
    for at in (0..u64::from(section.length)).map(|index| section.at(index, 0)) {
        let before = image.load(at, Width::B4);
        let backend = id(before as u16, slot::NONE);
        let previous = id((before >> slot::PREVIOUS_SHIFT) as u16, slot::TAIL);
        let after = u64::from(slot::word(backend, previous));
        if after != before {
            image.store(at, Width::B4, after);
        }
    }
}
