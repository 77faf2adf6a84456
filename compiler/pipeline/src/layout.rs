//! The state image of a pipeline: which sections it has, and their ids by what they are for.

use lvsc_abi::flows::BUCKET;
use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_abi::manifest::{CounterKind, Pool};
use lvsc_abi::scheduler::{Pick, ring_size};

use crate::pipeline::{Pipeline, PoolId};

/// Workers that may have a cursor of their own in a pool's ring.
pub const WORKERS: u32 = 64;

/// The id of a section that a pool does not have. No layout has it: `ir::verify` refuses its use.
const NONE: SectionId = SectionId(u16::MAX);

/// The image's sections: header, clock, interfaces, then those of each pool, last the counters.
///
/// A pool's `backends` section has at least one element more than backends, so that the masked id "none" names a record
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
        let count = pool.backends.len();
        let named = |kind: &str| format!("{kind}.{}", pool.name);
        layout.add(&named("backends"), Element::Backend, count as u32 + 1);
        layout.add(&named("ring"), Element::Slot, ring_size(count));
        if let Some(flows) = pool.flows {
            layout.add(&named("flows"), Element::Flow, flows.entries.max(BUCKET));
        }
        if counts(pool) {
            layout.add(&named("cursor"), Element::Cursor, WORKERS);
        }
    }
    layout.add("counters", Element::Counter, manifest.counters.len() as u32);
    layout
}

fn counts(pool: &Pool) -> bool {
    pool.scheduler.pick() == Pick::Cursor
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
    /// `cursor.<pool>`; an id of no section where the scheduler picks by hash.
    pub cursor: SectionId,
    /// The counter of flows that found no place in the table; 0 where there is no table.
    pub refused: u32,
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
                cursor: own("cursor"),
                refused: refused.unwrap_or(0),
            }
        });
        Sections {
            clock: id("clock"),
            interfaces: id("interfaces"),
            counters: id("counters"),
            pools: pools.collect(),
        }
    }

    /// The sections of a pool of the same pipeline.
    pub fn pool(&self, id: PoolId) -> PoolSections {
        let found = self.pools.get(usize::from(id.0));
        *found.expect("a pool id belongs to its pipeline")
    }
}
