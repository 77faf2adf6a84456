//! Choosing a backend with a table of every flow.

use lvsc_abi::flows::{self, CLOSING, Entry, NEW};
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{Section, clock};
use lvsc_abi::manifest::{FlowKind, Flows};
use lvsc_abi::scheduler::Pick;

use super::changed::Told;
use super::packet::Running;
use super::{Selected, Table};
use crate::pipeline::PoolId;

/// The bucket of a flow, and what the clock says.
pub(super) struct Bucket {
    /// Section `flows.<pool>`.
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
        let told = self.told(selected);
        let kind = self.taken(selected).map(|taken| taken.kind);
        let life = flows.lives.by(kind.unwrap_or(FlowKind::Other));
        let bucket = self.bucket(pool, state);
        let idle = u64::from(flows.idle);
        // 1.
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found);
        let live = known.filter(|known| known.is_live(bucket.now, idle));
        if let Some(known) = live.filter(|known| self.is_usable(pool, known.backend)) {
            selected.table = Table::Hit;
            selected.entry = Some(bucket.first + found);
            if !told.passive {
                let entry = seen(known, bucket.now, told, (flows, life));
                self.image
                    .store(bucket.at(found), Width::B8, entry.to_bits());
            }
            return known.backend;
        }
        // 2.
        if told.passive {
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
            let entry = Entry {
                tag: bucket.tag as u32,
                backend: id,
                seconds: 0,
                flags: NEW,
            };
            let entry = seen(entry, bucket.now, told, (flows, life));
            self.image
                .store(bucket.at(place), Width::B8, entry.to_bits());
            selected.entry = Some(bucket.first + place);
        }
        id
    }

    pub(super) fn bucket(&self, pool: PoolId, state: u64) -> Bucket {
        let clock = self.section(self.sections.clock);
        let seed = self.image.load(clock.at(0, clock::SEED), Width::B8);
        let now = self.image.load(clock.at(0, clock::SECONDS), Width::B8);
        let table = self.section(self.sections.pool(pool).flows);
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

/// The entry behind a packet of its flow, which lives `life` seconds while it is neither new nor being closed.
fn seen(entry: Entry, now: u64, told: Told, (flows, life): (Flows, u32)) -> Entry {
    let flag = if told.closing {
        CLOSING
    } else if told.opening && entry.flags != 0 {
        NEW
    } else if told.opening {
        0
    } else {
        entry.flags & CLOSING
    };
    let life = match flag {
        CLOSING => flows.lives.closing,
        NEW => flows.opening(),
        _ => life,
    };
    Entry {
        seconds: now.wrapping_sub(u64::from(flows.idle - life)) as u16,
        flags: flag,
        ..entry
    }
}
