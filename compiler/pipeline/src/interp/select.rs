//! Choosing a backend: the steps of the crate's documentation, one by one.

use lvsc_abi::flows::{self, Entry};
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{Section, SectionId, backend, clock, slot};
use lvsc_abi::manifest::Flows;
use lvsc_abi::scheduler::Pick;

use super::packet::Running;
use super::{Selected, Table};
use crate::pipeline::{ChoiceId, PoolId};

/// What is being chosen for.
struct Flow {
    hash: u64,
    /// The packet only tells of the flow.
    passive: bool,
}

impl Running<'_> {
    pub(super) fn select(&mut self, pool: PoolId, key: ChoiceId) -> Selected {
        let taken = self.alternative(key);
        let alternatives = &self.pipeline.choice(key).alternatives;
        let way = taken.and_then(|taken| alternatives.get(taken));
        let flow = Flow {
            hash: hash::ring(&self.key(key, taken)),
            passive: way.is_some_and(|way| way.passive),
        };
        let mut selected = Selected {
            pool,
            key: way.map_or_else(String::new, |way| way.name.clone()),
            hash: flow.hash,
            slot: None,
            table: Table::None,
            backend: None,
        };
        let id = match self.pipeline.pool(pool).flows {
            None => self.slot(pool, flow.hash, &mut selected),
            Some(flows) => self.tracked(pool, flows, &flow, &mut selected),
        };
        if self.usable(pool, id) {
            let first = self.pipeline.pool(pool).counters;
            self.count(u64::from(first) + u64::from(id));
            selected.backend = Some(id);
        }
        selected
    }

    /// The key's values, each at its width, one after the other, as bytes; the last one padded with zero bits.
    fn key(&self, key: ChoiceId, taken: Option<usize>) -> Vec<u8> {
        let alternatives = &self.pipeline.choice(key).alternatives;
        let values = taken
            .and_then(|taken| alternatives.get(taken))
            .map(|way| &way.key);
        let mut bits = Vec::new();
        for value in values.into_iter().flatten() {
            let number = self.value(value).unwrap_or(0);
            let width = self.pipeline.width(value);
            bits.extend((0..width).rev().map(|bit| number >> bit & 1 == 1));
        }
        let byte = |bits: &[bool]| {
            let value = bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
            value << (8 - bits.len())
        };
        bits.chunks(8).map(byte).collect()
    }

    fn section(&self, id: SectionId) -> Section {
        let found = self.image.layout().get(id).cloned();
        found.expect("a pool's sections are in its pipeline's layout")
    }

    /// The backend in a ring slot.
    fn slot(&self, pool: PoolId, index: u64, selected: &mut Selected) -> u16 {
        let ring = self.section(self.sections.pool(pool).ring);
        selected.slot = Some((index & u64::from(ring.length - 1)) as u32);
        (self.image.load(ring.at(index, 0), Width::B4) & slot::BACKEND) as u16
    }

    /// The record of a backend; of "none" it is never usable.
    pub(super) fn backend(&self, pool: PoolId, id: u64) -> u64 {
        let backends = self.section(self.sections.pool(pool).backends);
        self.image.load(backends.at(id, 0), Width::B8)
    }

    fn usable(&self, pool: PoolId, id: u16) -> bool {
        self.backend(pool, u64::from(id)) >> backend::FLAGS_SHIFT & backend::USABLE != 0
    }

    /// With a connection table: the steps 1 to 3 of the crate's documentation.
    fn tracked(&mut self, pool: PoolId, flows: Flows, flow: &Flow, selected: &mut Selected) -> u16 {
        let clock = self.section(self.sections.clock);
        let seed = self.image.load(clock.at(0, clock::SEED), Width::B8);
        let now = self.image.load(clock.at(0, clock::SECONDS), Width::B8);
        let table = self.section(self.sections.pool(pool).flows);
        let hash = hash::table(flow.hash, seed);
        let tag = flows::tag(hash);
        let first = hash % u64::from(table.length / flows::BUCKET) * u64::from(flows::BUCKET);
        let load =
            |running: &Self, position| running.image.load(table.at(first + position, 0), Width::B8);
        let bucket: Vec<u64> = (0..u64::from(flows::BUCKET))
            .map(|at| load(self, at))
            .collect();
        let entry = |backend| Entry {
            tag: tag as u32,
            backend,
            seconds: now as u16,
        };

        let found = flows::find(&bucket, tag);
        if found != flows::ABSENT {
            let known =
                Entry::from_bits(load(self, found)).map_or(slot::NONE, |entry| entry.backend);
            if self.usable(pool, known) {
                selected.table = Table::Hit;
                if !flow.passive {
                    self.image.store(
                        table.at(first + found, 0),
                        Width::B8,
                        entry(known).to_bits(),
                    );
                }
                return known;
            }
        }
        if flow.passive {
            selected.table = Table::Passive;
            return self.slot(pool, flow.hash, selected);
        }
        let place = if found == flows::ABSENT {
            flows::vacant(&bucket, now, u64::from(flows.idle))
        } else {
            found
        };
        if place == flows::ABSENT {
            selected.table = Table::Full;
            self.count(u64::from(self.sections.pool(pool).refused));
            return self.slot(pool, flow.hash, selected);
        }
        selected.table = if found == flows::ABSENT {
            Table::New
        } else {
            Table::Moved
        };
        let id = match self.pipeline.pool(pool).scheduler.pick() {
            Pick::Hash => self.slot(pool, flow.hash, selected),
            Pick::Cursor => {
                let cursor = self.section(self.sections.pool(pool).cursor).at(0, 0);
                let turn = self.image.load(cursor, Width::B8);
                self.image.store(cursor, Width::B8, turn.wrapping_add(1));
                self.slot(pool, turn, selected)
            }
        };
        if self.usable(pool, id) {
            self.image
                .store(table.at(first + place, 0), Width::B8, entry(id).to_bits());
        }
        id
    }
}
