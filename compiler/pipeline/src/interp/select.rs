//! Choosing a backend: the steps of the crate's documentation, one by one. The numbers here are the numbers there.

use lvsc_abi::flows::{self, Entry};
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{Section, SectionId, backend, clock, slot};
use lvsc_abi::manifest::Flows;
use lvsc_abi::scheduler::Pick;

use super::packet::Running;
use super::{Selected, Table};
use crate::pipeline::{ChoiceId, PoolId};

/// The bucket of a flow, and what the clock says.
struct Bucket {
    /// Section `flows.<pool>`.
    table: Section,
    /// Index of the bucket's first entry.
    first: u64,
    /// Its words.
    words: Vec<u64>,
    /// The flow's tag.
    tag: u64,
    /// Seconds of the clock.
    now: u64,
}

impl Running<'_> {
    pub(super) fn select(&mut self, pool: PoolId, key: ChoiceId) -> Selected {
        let alternative = self.alternative(key);
        let state = hash::state(&self.key(key, alternative));
        let mut selected = Selected {
            pool,
            key,
            alternative,
            hash: hash::ring(state),
            table: Table::None,
            entry: None,
            slot: None,
            picked: slot::NONE,
            backend: None,
        };
        selected.picked = match self.pipeline.pool(pool).flows {
            None => self.slot(selected.hash, &mut selected),
            Some(flows) => self.tracked(flows, state, &mut selected),
        };
        if self.is_usable(pool, selected.picked) {
            let first = u64::from(self.pipeline.pool(pool).counters);
            self.count(first + u64::from(selected.picked));
            selected.backend = Some(selected.picked);
        }
        selected
    }

    /// The key's values in network byte order, one after the other, each in as many bytes as its width needs.
    pub(super) fn key(&self, key: ChoiceId, alternative: Option<usize>) -> Vec<u8> {
        let alternatives = &self.pipeline.choice(key).alternatives;
        let taken = alternative.and_then(|taken| alternatives.get(taken));
        let values = taken.into_iter().flat_map(|taken| &taken.key);
        let bytes = values.flat_map(|value| {
            let needed = usize::from(self.pipeline.width(value).div_ceil(8));
            self.value_or_zero(value)
                .to_be_bytes()
                .into_iter()
                .skip(16 - needed)
        });
        bytes.collect()
    }

    /// The backend in a ring slot.
    fn slot(&self, index: u64, selected: &mut Selected) -> u16 {
        let ring = self.section(self.sections.pool(selected.pool).ring);
        selected.slot = Some((index & u64::from(ring.length - 1)) as u32);
        (self.image.load(ring.at(index, 0), Width::B4) & slot::BACKEND) as u16
    }

    fn is_usable(&self, pool: PoolId, id: u16) -> bool {
        self.backend(pool, u64::from(id)) >> backend::FLAGS_SHIFT & backend::USABLE != 0
    }

    /// The backend with a connection table; the key was absorbed into `state`.
    fn tracked(&mut self, flows: Flows, state: u64, selected: &mut Selected) -> u16 {
        let (pool, hash) = (selected.pool, selected.hash);
        let alternatives = &self.pipeline.choice(selected.key).alternatives;
        let taken = selected
            .alternative
            .and_then(|taken| alternatives.get(taken));
        let is_passive = taken.is_some_and(|taken| taken.passive);
        let bucket = self.bucket(pool, state);
        let idle = u64::from(flows.idle);
        // 1.
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found);
        let live = known.filter(|known| known.age(bucket.now) <= idle);
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
            };
            self.image
                .store(bucket.at(place), Width::B8, entry.to_bits());
            selected.entry = Some(bucket.first + place);
        }
        id
    }

    fn bucket(&self, pool: PoolId, state: u64) -> Bucket {
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

    pub(super) fn section(&self, id: SectionId) -> Section {
        let found = self.image.layout().get(id).cloned();
        found.expect("a pipeline's sections are in its layout")
    }
}

impl Bucket {
    /// Where in the image the entry lies.
    fn at(&self, position: u64) -> u64 {
        self.table.at(self.first + position, 0)
    }

    fn entry(&self, position: u64) -> Option<Entry> {
        self.words
            .get(position as usize)
            .copied()
            .and_then(Entry::from_bits)
    }
}
