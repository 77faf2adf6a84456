//! Choosing a backend with a table of every flow.

use lvsc_abi::flows::{self, Entry};
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{Section, SectionId, clock};
use lvsc_abi::manifest::Flows;
use lvsc_abi::scheduler::Pick;

use super::packet::Running;
use super::{Selected, Table};
use crate::pipeline::PoolId;

/// The bucket of a flow, and what the clock says.
pub(super) struct Bucket {
    /// Where it lies: section `flows.<pool>`, or another one with such entries.
    pub(super) table: Section,
    /// Index of the bucket's first entry.
    pub(super) first: u64,
    /// Its words.
    pub(super) words: Vec<u64>,
    /// The flow's tag.
    pub(super) tag: u64,
    /// Seconds of the clock.
    pub(super) now: u64,
}

impl Running<'_> {
    /// The backend with a table of every flow; the key was absorbed into `state`.
    pub(super) fn tracked(&mut self, flows: Flows, state: u64, selected: &mut Selected) -> u16 {
        let (pool, hash) = (selected.pool, selected.hash);
        let is_passive = self.taken(selected).is_some_and(|taken| taken.passive);
        let bucket = self.bucket(pool, state);
        let idle = u64::from(flows.idle);
        // 1.
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found);
        let live = known.filter(|known| known.is_live(bucket.now, idle));
        if let Some(known) = live.filter(|known| self.is_usable(pool, known.backend)) {
            selected.table = Table::Hit;
            selected.entry = Some(bucket.first + found);
            if !is_passive {
                self.refresh(&bucket, found);
            }
            return known.backend;
        }
        // 2.
        if is_passive {
            selected.table = Table::Passive;
            return self.slot(hash, selected);
        }
        // 3.
        let place = match known {
            Some(_) => found,
            None => flows::vacant(&bucket.words, bucket.now, idle),
        };
        if place == flows::ABSENT {
            selected.table = Table::Full;
            self.count(u64::from(self.sections.pool(pool).refused));
            return self.slot(hash, selected);
        }
        selected.table = if live.is_some() {
            Table::Moved
        } else {
            Table::New
        };
        let index = match self.pipeline.pool(pool).scheduler.pick() {
            Pick::Hash => hash,
            Pick::Cursor => self.turn(pool),
        };
        let id = self.slot(index, selected);
        if self.is_usable(pool, id) {
            let seconds = bucket.now as u16;
            let entry = Entry {
                tag: bucket.tag as u32,
                backend: id,
                seconds,
                flags: 0,
            };
            self.image
                .store(bucket.at(place), Width::B8, entry.to_bits());
            selected.entry = Some(bucket.first + place);
        }
        id
    }

    pub(super) fn bucket(&self, pool: PoolId, state: u64) -> Bucket {
        self.bucket_of(self.sections.pool(pool).flows, state)
    }

    /// The same in any table.
    pub(super) fn bucket_of(&self, table: SectionId, state: u64) -> Bucket {
        let clock = self.section(self.sections.clock);
        let seed = self.image.load(clock.at(0, clock::SEED), Width::B8);
        let now = self.image.load(clock.at(0, clock::SECONDS), Width::B8);
        let table = self.section(table);
        let size = u64::from(flows::BUCKET);
        let hash = hash::table(state, seed);
        let first = hash % (u64::from(table.length) / size) * size;
        let words = (first..first + size).map(|at| self.image.load(table.at(at, 0), Width::B8));
        Bucket {
            first,
            words: words.collect(),
            tag: flows::tag(hash),
            now,
            table,
        }
    }

    /// The entry's seconds become now.
    fn refresh(&mut self, bucket: &Bucket, position: u64) {
        let at = bucket.at(position);
        let kept = self.image.load(at, Width::B8) & !(flows::SECONDS_MASK << flows::SECONDS_SHIFT);
        let seconds = (bucket.now & flows::SECONDS_MASK) << flows::SECONDS_SHIFT;
        self.image.store(at, Width::B8, kept | seconds);
    }

    /// The worker's element of the cursor, which then is one more.
    fn turn(&mut self, pool: PoolId) -> u64 {
        let cursor = self.section(self.sections.pool(pool).cursor).at(0, 0);
        let turn = self.image.load(cursor, Width::B8);
        self.image.store(cursor, Width::B8, turn.wrapping_add(1));
        turn
    }
}

impl Bucket {
    /// Where in the image the entry lies.
    pub(super) fn at(&self, position: u64) -> u64 {
        self.table.at(self.first + position, 0)
    }

    pub(super) fn entry(&self, position: u64) -> Option<Entry> {
        self.words
            .get(position as usize)
            .copied()
            .and_then(Entry::from_bits)
    }
}
