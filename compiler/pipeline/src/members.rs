//! Sets with many members as tables in the image.

mod bounds;
mod hash;

use std::collections::BTreeMap;

use lvsc_abi::hash::{absorb, finish};
use lvsc_abi::manifest::Fixed;

pub use self::bounds::{Bounds, Part};
pub use self::hash::Table;
use crate::pipeline::{Pipeline, Set};

/// So many ranges are compared one after the other without a branch.
pub(crate) const COMPARED: usize = 4;

/// How it is found out whether a value is in a set that has more members than are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// A perfect hash, and a few longer ranges.
    Hash(Table),
    /// A search among the bounds of the ranges.
    Bounds(Bounds),
}

impl Method {
    /// The method for a set; none where its ranges are compared.
    pub fn of(set: &Set) -> Option<Method> {
        let hash = Table::of(set).map(Method::Hash);
        hash.or_else(|| Bounds::of(set).map(Method::Bounds))
    }

    /// The two sections that it looks into, with their words. A section's name and shape are its identity: so that no image is
    /// taken for another, they tell what is in it and nothing else.
    pub(crate) fn sections(&self) -> [(String, &[u64]); 2] {
        let (own, other, words, seed): (_, _, [&[u64]; 2], _) = match self {
            Method::Hash(table) => {
                let words = [&table.slots[..], &table.displacements];
                ("set", "displacements", words, table.multiplier)
            }
            Method::Bounds(bounds) => {
                let words = [&bounds.bounds[..], &bounds.index];
                ("bounds", "index", words, bounds.first)
            }
        };
        let digest = words.iter().copied().flatten();
        let digest = finish(digest.fold(seed, |digest, word| absorb(digest, *word)));
        let [first, second] = words;
        [(own, first), (other, second)]
            .map(|(kind, words)| (format!("{kind}.{digest:016x}"), words))
    }
}

/// Whether the set's ranges are more than are compared one by one.
pub fn is_large(set: &Set) -> bool {
    set.ranges.len() > COMPARED
}

/// How it is found out whether a value is in a set, for people.
pub fn method(set: &Set) -> String {
    match Method::of(set) {
        Some(Method::Hash(_)) => "a perfect hash".to_owned(),
        Some(Method::Bounds(bounds)) => {
            format!("a table of bounds, searched in {} steps", bounds.steps)
        }
        None if is_large(set) => "compared by halves".to_owned(),
        None => "compared one by one".to_owned(),
    }
}

/// Puts the tables of the sets that are worth one into the manifest.
pub fn place(pipeline: &mut Pipeline) {
    let methods: Vec<Method> = pipeline.sets.iter().filter_map(Method::of).collect();
    // Sets that differ in their long ranges alone share a table.
    let fixed: BTreeMap<String, Vec<u64>> = methods
        .iter()
        .flat_map(Method::sections)
        .map(|(section, words)| (section, words.to_vec()))
        .collect();
    let fixed = fixed.into_iter();
    pipeline.manifest.fixed = fixed
        .map(|(section, words)| Fixed { section, words })
        .collect();
}
