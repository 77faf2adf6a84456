//! Backends that have got as many flows as they take, and take none until they have fewer than where they open again.

use std::collections::BTreeSet;

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::load;
use lvsc_abi::loads::Load;
use lvsc_abi::manifest::{Manifest, Pool};

use super::hosts;

/// From how many flows on the backends of the new policy take none.
pub(super) struct Limits(Vec<(String, u16, u32)>);

impl Limits {
    /// As the image of the old policy knows it: who is closed there stays so, by the new policy's limits.
    pub(super) fn of((old, image): (&Manifest, &dyn Image), new: &Manifest) -> Limits {
        let mut limits = Vec::new();
        for pool in &new.pools {
            let before = old.pool(&pool.name);
            let closed = before.map_or_else(BTreeSet::new, |before| {
                let ids = hosts(before, pool).into_iter();
                let closed = ids.filter(|(id, _)| is_closed(before, *id, image));
                closed.filter_map(|(_, id)| id).collect()
            });
            for backend in &pool.backends {
                if let Some(limit) = backend.limit {
                    let is_closed = closed.contains(&backend.id);
                    let holds = if is_closed { limit.reopen } else { limit.flows };
                    limits.push((pool.name.clone(), backend.id, holds));
                }
            }
        }
        Limits(limits)
    }

    /// Has them be what an image says. Publishing leaves them as they are.
    pub(super) fn hold(self, image: &mut dyn Image) {
        for (pool, id, limit) in self.0 {
            let loads = image.layout().of_pool("loads", &pool);
            if let Some(at) = loads.map(|loads| loads.at(id.into(), load::LIMIT)) {
                image.store(at, Width::B4, limit.into());
            }
        }
    }
}

/// Whether a backend is full until it has fewer flows than where it opens again.
fn is_closed(pool: &Pool, id: u16, image: &dyn Image) -> bool {
    let loads = image.layout().of_pool("loads", &pool.name);
    let limit = pool.backend(id).and_then(|backend| backend.limit);
    limit.zip(loads).is_some_and(|(limit, loads)| {
        let holds = Load::read(image, loads, id.into()).limit;
        holds == limit.reopen && holds != limit.flows
    })
}
