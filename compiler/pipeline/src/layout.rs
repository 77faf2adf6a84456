//! The state image of a pipeline: which sections it has, and their ids by what they are for.

use lvsc_abi::flows::BUCKET;
use lvsc_abi::layout::{Element, Layout, SectionId, WORKERS};
use lvsc_abi::manifest::CounterKind;
use lvsc_abi::scheduler::Pick;

use crate::members::Method;
use crate::pipeline::{KeyedId, Pipeline, PoolId};

/// The id of a section that a pool does not have. No layout has it: `ir::verify` refuses its use.
const NONE: SectionId = SectionId(u16::MAX);

/// The image's sections: header, clock, interfaces, then those of each pool, those of sets, the cells of counters with a key,
/// last all that counts.
///
/// A pool's `backends` section has at least one element more than ids, so that the masked id "none" names a record
/// that is never usable.
pub fn layout(pipeline: &Pipeline) -> Layout {
    let manifest = &pipeline.manifest;
    let mut layout = Layout::new();
    layout.add("header", Element::Header, 1);
    layout.add("clock", Element::Clock, 1);
    layout.add(
        "interfaces",
        Element::Interface,
        manifest.interfaces.len() as u32,
    );
    for pool in &manifest.pools {
        let named = |kind: &str| format!("{kind}.{}", pool.name);
        layout.add(&named("backends"), Element::Backend, pool.records());
        layout.add(&named("ring"), Element::Slot, pool.slots());
        if let Some(flows) = pool.flows {
            let element = flows.tracking.element();
            layout.add(&named("flows"), element, flows.entries.max(BUCKET));
        }
        if let Some(fragments) = pool.fragments {
            let entries = fragments.entries.max(BUCKET);
            layout.add(&named("fragments"), Element::Datagram, entries);
        }
        if let Some(persist) = pool.persist {
            let entries = persist.entries.max(BUCKET);
            layout.add(&named("persist"), Element::Client, entries);
        }
        if pool.changed().is_some() {
            layout.add(&named("changes"), Element::Change, pool.slots());
        }
        if pool.scheduler.pick() == Pick::Cursor {
            layout.add(&named("cursor"), Element::Cursor, WORKERS);
        }
        if pool.counts_flows() {
            // As with `backends`: "none" has a weight of 0.
            layout.add(&named("loads"), Element::Load, pool.records());
        }
    }
    for fixed in &manifest.fixed {
        layout.add(&fixed.section, Element::Word, fixed.words.len() as u32);
    }
    for keyed in &manifest.keyed {
        if let Some(table) = &keyed.table {
            layout.add(&keyed.section("cells"), Element::Cell, table.capacity);
            let words = table.capacity * table.words();
            layout.add(&keyed.section("keys"), Element::Key, words);
        }
    }
    // Last, side by side: what each worker has for itself.
    layout.add("counters", Element::Counter, manifest.counters.len() as u32);
    for keyed in &manifest.keyed {
        layout.add(&keyed.section("counts"), Element::Counter, keyed.cells());
    }
    layout
}

/// The ids of a layout's sections.
#[derive(Clone, Debug)]
pub struct Sections {
    /// `clock`
    pub clock: SectionId,
    /// `interfaces`
    pub interfaces: SectionId,
    /// `counters`
    pub counters: SectionId,
    pools: Vec<PoolSections>,
    keyed: Vec<KeyedSections>,
}

/// The sections of a set, and the method that looks into them.
#[derive(Clone, Debug)]
pub struct SetSections {
    /// `set.<digest>` or `bounds.<digest>`
    pub members: SectionId,
    /// `displacements.<digest>` or `index.<digest>`
    pub index: SectionId,
    /// What they hold.
    pub method: Method,
}

impl SetSections {
    /// The sections of each set of this pipeline that has a table; finding the tables takes a while.
    pub fn all(pipeline: &Pipeline, layout: &Layout) -> Vec<Option<SetSections>> {
        let each = pipeline.sets.iter().map(|set| {
            let method = Method::of(set)?;
            let [members, index] = method.sections().map(|(name, _)| layout.named(&name));
            Some(SetSections {
                members: members?.0,
                index: index?.0,
                method,
            })
        });
        each.collect()
    }
}

/// The sections of one pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolSections {
    /// `backends.<pool>`
    pub backends: SectionId,
    /// `ring.<pool>`
    pub ring: SectionId,
    /// `flows.<pool>`; an id of no section where the pool has no connection table.
    pub flows: SectionId,
    /// `fragments.<pool>`; an id of no section where the fragments of a datagram do not follow its first one.
    pub fragments: SectionId,
    /// `persist.<pool>`; an id of no section where the pool does not keep clients at their backends.
    pub persist: SectionId,
    /// `changes.<pool>`; an id of no section where the pool does not note flows whose slots have changed.
    pub changes: SectionId,
    /// `cursor.<pool>`; an id of no section where the scheduler does not pick in turn.
    pub cursor: SectionId,
    /// `loads.<pool>`; an id of no section where nobody asks how many flows backends have.
    pub loads: SectionId,
    /// The counter of flows that found no place in the table; 0 where there is no table.
    pub refused: u32,
}

/// The sections of one counter with a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyedSections {
    /// `counts.<counter>`
    pub counts: SectionId,
    /// `cells.<counter>`; an id of no section where each value has its cell.
    pub cells: SectionId,
    /// `keys.<counter>`; an id of no section where each value has its cell.
    pub keys: SectionId,
    /// The counter of packets that found no cell; 0 where each value has its cell.
    pub others: u32,
}

impl Sections {
    /// The ids of the sections of this pipeline's layout.
    pub fn of(pipeline: &Pipeline, layout: &Layout) -> Sections {
        let id = |name: &str| layout.named(name).map_or(NONE, |(id, _)| id);
        let pools = pipeline.manifest.pools.iter().map(|pool| {
            let own = |kind: &str| id(&format!("{kind}.{}", pool.name));
            let refused = pipeline.manifest.counter(CounterKind::Refused, &pool.name);
            PoolSections {
                backends: own("backends"),
                ring: own("ring"),
                flows: own("flows"),
                fragments: own("fragments"),
                persist: own("persist"),
                changes: own("changes"),
                cursor: own("cursor"),
                loads: own("loads"),
                refused: refused.unwrap_or(0),
            }
        });
        let keyed = pipeline.manifest.keyed.iter().map(|keyed| {
            let others = pipeline.manifest.counter(CounterKind::Others, &keyed.name);
            KeyedSections {
                counts: id(&keyed.section("counts")),
                cells: id(&keyed.section("cells")),
                keys: id(&keyed.section("keys")),
                others: others.unwrap_or(0),
            }
        });
        Sections {
            clock: id("clock"),
            interfaces: id("interfaces"),
            counters: id("counters"),
            pools: pools.collect(),
            keyed: keyed.collect(),
        }
    }

    /// The sections of a pool of the same pipeline.
    pub fn pool(&self, id: PoolId) -> PoolSections {
        let found = self.pools.get(usize::from(id.0));
        *found.expect("a pool id belongs to its pipeline")
    }

    /// The sections of a counter with a key, of the same pipeline.
    pub fn keyed(&self, id: KeyedId) -> KeyedSections {
        let found = self.keyed.get(usize::from(id.0));
        *found.expect("a counter's id belongs to its pipeline")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::sample::{KEPT, PLAIN, TURNS, policy};

    #[test]
    fn sections_stand_in_their_order_with_their_lengths() {
        let layout = layout(&policy(&[]));
        let found: Vec<(&str, u32)> = layout
            .sections()
            .map(|(_, section)| (section.name.as_str(), section.length))
            .collect();
        let expected = [
            ("header", 1),
            ("clock", 1),
            ("interfaces", 2),
            ("backends.plain", 4),
            ("ring.plain", 16_384),
            ("backends.kept", 4),
            ("ring.kept", 16_384),
            ("flows.kept", 8),
            ("backends.turns", 4),
            ("ring.turns", 16_384),
            ("flows.turns", 8),
            ("cursor.turns", WORKERS),
            ("counters", 16),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn ids_lead_to_the_sections_of_their_names() {
        let pipeline = policy(&[]);
        let layout = layout(&pipeline);
        let sections = Sections::of(&pipeline, &layout);
        let name = |id| layout.get(id).map(|section| section.name.as_str());
        assert_eq!(name(sections.clock), Some("clock"));
        assert_eq!(name(sections.interfaces), Some("interfaces"));
        assert_eq!(name(sections.counters), Some("counters"));
        let [plain, kept, turns] = [PLAIN, KEPT, TURNS].map(|pool| sections.pool(pool));
        assert_eq!(name(plain.ring), Some("ring.plain"));
        assert_eq!([plain.flows, plain.cursor].map(name), [None, None]);
        assert_eq!(
            [kept.flows, kept.cursor].map(name),
            [Some("flows.kept"), None]
        );
        assert_eq!(name(turns.backends), Some("backends.turns"));
        assert_eq!(name(turns.cursor), Some("cursor.turns"));
        assert_eq!([kept.refused, turns.refused], [9, 13]);
    }

    #[test]
    fn a_full_pool_still_has_a_record_for_none() {
        let mut pipeline = policy(&[]);
        let backends = &mut pipeline.manifest.pools[0].backends;
        let mut one = backends[0].clone();
        one.id = backends.len() as u16;
        backends.push(one);
        let layout = layout(&pipeline);
        assert_eq!(layout.named("backends.plain").unwrap().1.length, 8);
    }
}
