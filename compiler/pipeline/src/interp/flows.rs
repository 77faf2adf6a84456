//! Choosing a backend with a table of every flow.

use lvsc_abi::flows::{self, CLOSING, Entry, NEW};
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{Section, SectionId, clock, slot};
use lvsc_abi::loads::{self, Load, Measure};
use lvsc_abi::manifest::{FlowKind, Flows};
use lvsc_abi::scheduler::Pick;

use super::packet::Running;
use super::told::Told;
use super::{Selected, Table};
use crate::pipeline::{Client, PoolId};

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
    pub(super) fn tracked(
        &mut self,
        (flows, client): (Flows, Option<Client>),
        state: u64,
        selected: &mut Selected,
    ) -> u16 {
        let pool = selected.pool;
        let told = self.told(selected);
        let kind = self.taken(selected).map(|taken| taken.kind);
        let life = flows.lives.by(kind.unwrap_or(FlowKind::Other));
        let bucket = self.bucket(pool, state);
        let oldest = u64::from(flows.oldest());
        // 1.
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found);
        let live = known.filter(|known| known.is_live(bucket.now, oldest));
        if let Some(known) = live.filter(|known| self.is_usable(pool, known.backend)) {
            selected.table = Table::Hit;
            selected.entry = Some(bucket.first + found);
            if !told.passive {
                let entry = seen(known, bucket.now, told, (flows, life));
                self.write(pool, bucket.at(found), entry);
            }
            return known.backend;
        }
        // 2.
        if told.passive {
            selected.table = Table::Passive;
            return self.kept_or_slot(client, selected);
        }
        // 3.
        let place = bucket.place(oldest);
        if place == flows::ABSENT {
            selected.table = Table::Full;
            self.count(u64::from(self.sections.pool(pool).refused));
            return self.kept_or_slot(client, selected);
        }
        selected.table = if live.is_some() {
            Table::Moved
        } else {
            Table::New
        };
        let id = self.kept_or(client, selected, Self::pick);
        if self.is_usable(pool, id) {
            let entry = Entry {
                tag: bucket.tag as u32,
                backend: id,
                seconds: 0,
                flags: NEW,
            };
            let entry = seen(entry, bucket.now, told, (flows, life));
            self.write(pool, bucket.at(place), entry);
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

    /// Writes an entry, and counts whose flows there are.
    fn write(&mut self, pool: PoolId, at: u64, entry: Entry) {
        let before = Entry::from_bits(self.image.load(at, Width::B8));
        self.image.store(at, Width::B8, entry.to_bits());
        // Only a pool that counts flows has this section.
        let loads = self.image.layout().get(self.sections.pool(pool).loads);
        if let Some(loads) = loads.cloned() {
            loads::replace(self.image, &loads, before, Some(entry));
        }
    }

    /// Writes an entry that says no more than a backend, seen now.
    pub(super) fn keep(&mut self, bucket: &Bucket, place: u64, backend: u16) {
        let entry = Entry {
            tag: bucket.tag as u32,
            backend,
            seconds: bucket.now as u16,
            flags: 0,
        };
        self.image
            .store(bucket.at(place), Width::B8, entry.to_bits());
    }

    /// The backend that the scheduler has for a new flow.
    fn pick(&mut self, selected: &mut Selected) -> u16 {
        let (pool, hash) = (selected.pool, selected.hash);
        let id = match self.pipeline.pool(pool).scheduler.pick() {
            Pick::Hash => self.hashed(hash, selected),
            Pick::Cursor => {
                let turn = self.turn(pool);
                self.slot(turn, selected)
            }
            Pick::Least(measure) => return self.least(pool, measure),
            Pick::Two => self.lesser(selected),
            Pick::Home => {
                let home = self.hashed(hash, selected);
                return self.at_home(home, selected);
            }
            Pick::Homes => {
                let home = self.lesser(selected);
                return self.at_home(home, selected);
            }
        };
        if self.pipeline.pool(pool).has_limits() && self.load(pool, id).is_full() {
            return self.another(selected);
        }
        id
    }

    /// Of the backends in the slots of the hash's halves the one that has less to do.
    fn lesser(&self, selected: &mut Selected) -> u16 {
        let (pool, hash) = (selected.pool, selected.hash);
        let [first, second] = [hash, hash << 32];
        let [one, other] = [first, second].map(|half| {
            let id = self.hashed(half, selected);
            self.load(pool, id)
        });
        let lesser = if loads::second_has_less(one, other) {
            second
        } else {
            first
        };
        self.hashed(lesser, selected)
    }

    /// The home, or who takes its place.
    fn at_home(&self, home: u16, selected: &mut Selected) -> u16 {
        let pool = selected.pool;
        if loads::stays(self.load(pool, home), self.loads(pool)) {
            return home;
        }
        self.another(selected)
    }

    /// Who takes the place of the one in the slot.
    fn another(&self, selected: &mut Selected) -> u16 {
        selected.slot = None;
        self.least(selected.pool, Measure::Connections)
    }

    fn least(&self, pool: PoolId, measure: Measure) -> u16 {
        loads::least(measure, self.loads(pool)).map_or(slot::NONE, |id| id as u16)
    }

    /// Of each id of a pool.
    fn loads(&self, pool: PoolId) -> impl Iterator<Item = Load> {
        let ids = 0..self.pipeline.pool(pool).ids() as u16;
        ids.map(move |id| self.load(pool, id))
    }

    pub(super) fn load(&self, pool: PoolId, id: u16) -> Load {
        let loads = self.section(self.sections.pool(pool).loads);
        Load::read(self.image, &loads, id.into())
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

    /// Where the entry of this tag is, else where there is a place for one; [`flows::ABSENT`] where there is none.
    pub(super) fn place(&self, idle: u64) -> u64 {
        match flows::find(&self.words, self.tag) {
            flows::ABSENT => flows::place(&self.words, self.tag, self.now, idle),
            found => found,
        }
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
        seconds: now.wrapping_sub(flows.rest(life).into()) as u16,
        flags: flag,
        ..entry
    }
}
