//! Counters with keys: their cells, whose these are, and what they counted.

use lvsc_abi::cells;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Section, counter};
use lvsc_abi::manifest::{CounterKind, Keyed, Manifest};

use super::{COUNTERS, Counted, counted_of, more};

/// The counter to which a section belongs, where both policies declare it alike: then its cells are the same.
pub(super) fn of<'a>(old: &Manifest, new: &'a Manifest, section: &Section) -> Option<&'a Keyed> {
    let (_, name) = section.name.split_once('.')?;
    let known = new.keyed.iter().find(|keyed| keyed.name == name)?;
    old.keyed.contains(known).then_some(known)
}

/// Fills the cells' counters of an image that is fresh.
pub(super) fn counts(counted: &[[u64; 2]], image: &mut dyn Image, section: &Section) {
    for (index, count) in (0..).zip(counted) {
        for (field, value) in [counter::PACKETS, counter::BYTES].into_iter().zip(count) {
            if *value != 0 {
                image.store(section.at(index, field), Width::B8, *value);
            }
        }
    }
}

/// Adds to each cell's counter what has come since it was `then`. A key that has got a cell meanwhile gets one in the new
/// image, where one is free; else it is one of the others.
pub(super) fn catch_up(
    (old_manifest, old, then): (&Manifest, &dyn Image, &Counted),
    (new_manifest, new): (&Manifest, &mut dyn Image),
) {
    let sections = new.layout().sections().map(|(_, section)| section.clone());
    let counters = sections.filter(|section| section.element == Element::Counter);
    for section in counters.collect::<Vec<_>>() {
        let keyed = of(old_manifest, new_manifest, &section);
        let (Some(keyed), Some(then)) = (keyed, then.get(&section.name)) else {
            continue;
        };
        let now = counted_of(old, &section.name);
        let counted = |index: u64| Some((now.get(index as usize)?, then.get(index as usize)?));
        let come = |index: &u64| counted(*index).filter(|(now, then)| now != then);
        let Some(table) = &keyed.table else {
            for index in 0..u64::from(section.length) {
                if let Some(come) = come(&index) {
                    more(new, &section, index, come);
                }
            }
            continue;
        };
        let others = new_manifest.counter(CounterKind::Others, &keyed.name);
        for cell in cells::taken(old, keyed, table) {
            let Some(come) = come(&cell.index) else {
                continue;
            };
            let single = new
                .layout()
                .named(COUNTERS)
                .map(|(_, single)| single.clone());
            match (cells::give(new, keyed, &cell), single.zip(others)) {
                (Some(index), _) => more(new, &section, index, come),
                (None, Some((single, others))) => more(new, &single, others.into(), come),
                (None, None) => {}
            }
        }
    }
}
