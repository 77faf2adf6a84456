//! Ring slots that name another backend than before, where a slot says whose a flow is.

use lvsc_abi::hash;
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::slot;
use lvsc_abi::manifest::{Manifest, Pool};
use lvsc_abi::scheduler::Pick;

use super::ids;

/// How much of a pool's ring names another backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The pool's name.
    pub pool: String,
    /// Slots that do.
    pub slots: usize,
    /// Slots of the longer one of both rings.
    pub all: usize,
}

/// What the rings of an image name: backend ids, by pools.
pub struct Rings(Vec<(String, Vec<u16>)>);

impl Rings {
    /// Those of the pools that hash.
    pub fn of(manifest: &Manifest, image: &dyn Image) -> Rings {
        let hashed = manifest.pools.iter();
        let hashed = hashed.filter(|pool| pool.scheduler.pick() == Pick::Hash);
        Rings(
            hashed
                .map(|pool| (pool.name.clone(), ring(pool, image)))
                .collect(),
        )
    }

    /// The pools that both policies have, in the order of the new one, by what their rings name now.
    pub fn moved(&self, old: &Manifest, (new, image): (&Manifest, &dyn Image)) -> Vec<Moved> {
        let Rings(now) = Rings::of(new, image);
        let pools = now.iter().filter_map(|(name, after)| {
            let (_, before) = self.0.iter().find(|(pool, _)| pool == name)?;
            let ids = ids(old.pool(name)?, new.pool(name)?);
            let length = before.len().max(after.len());
            let pairs = side_by_side(before, after);
            let stays = |was: u16, is: u16| ids.get(&was).map_or(was == is, |id| *id == Some(is));
            Some(Moved {
                pool: name.clone(),
                slots: pairs.filter(|(was, is)| !stays(**was, **is)).count(),
                all: length,
            })
        });
        pools.collect()
    }
}

/// Each slot of the longer one of two rings, in both: where the flows are that it has.
pub fn side_by_side<'a, Slot>(
    before: &'a [Slot],
    after: &'a [Slot],
) -> impl Iterator<Item = (&'a Slot, &'a Slot)> {
    let length = before.len().max(after.len()) as u32;
    (0..length.into()).filter_map(move |index| {
        let of = |ring: &'a [Slot]| {
            let slot = hash::slot_in(index, length, ring.len() as u32);
            ring.get(slot as usize)
        };
        of(before).zip(of(after))
    })
}

fn ring(pool: &Pool, image: &dyn Image) -> Vec<u16> {
    let Some(section) = image.layout().of_pool("ring", &pool.name) else {
        return Vec::new();
    };
    let each = 0..u64::from(section.length);
    each.map(|index| (image.load(section.at(index, 0), Width::B4) & slot::BACKEND) as u16)
        .collect()
}

#[cfg(test)]
mod tests {
    use lvsc_abi::image::Bytes;
    use lvsc_abi::layout::{Element, Layout};
    use lvsc_abi::manifest::Backend;
    use lvsc_abi::scheduler::Scheduler;

    use super::*;

    fn pool(names: &[&str]) -> Manifest {
        let backend = |(id, name): (u16, &&str)| Backend::new(id, *name, [192, 0, 2, 1]);
        Manifest {
            pools: vec![Pool {
                backends: (0..).zip(names).map(backend).collect(),
                ..Pool::new("web", Scheduler::Maglev)
            }],
            ..Manifest::default()
        }
    }

    fn ring(ids: &[u16]) -> Bytes {
        let mut layout = Layout::new();
        layout.add("ring.web", Element::Slot, ids.len() as u32);
        let mut image = Bytes::new(layout);
        for (index, id) in (0..).zip(ids) {
            let section = image
                .layout()
                .named("ring.web")
                .map(|(_, ring)| ring.clone());
            let at = section.map(|ring| ring.at(index, 0));
            let word = u64::from(slot::word(*id, slot::NONE));
            image.store(at.unwrap_or_default(), Width::B4, word);
        }
        image
    }

    #[test]
    fn a_slot_moves_where_its_backend_has_another_name_and_not_where_it_has_another_id() {
        let (old, new) = (pool(&["a", "b"]), pool(&["b", "a", "c"]));
        let before = Rings::of(&old, &ring(&[0, 1, 0, slot::NONE]));
        let moved = |ids: &[u16]| {
            let moved = before.moved(&old, (&new, &ring(ids)));
            moved
                .iter()
                .map(|one| (one.slots, one.all))
                .collect::<Vec<_>>()
        };
        assert_eq!(moved(&[1, 0, 1, slot::NONE]), [(0, 4)]);
        assert_eq!(moved(&[1, 0, 2, 2]), [(2, 4)]);
        let none = slot::NONE;
        assert_eq!(moved(&[1, 1, 0, 0, 1, 1, none, none]), [(0, 8)]);
        assert_eq!(moved(&[1, 0, 0, 0, 1, 1, none, 0]), [(2, 8)]);
        assert_eq!(moved(&[1, 1]), [(2, 4)]);
    }
}
