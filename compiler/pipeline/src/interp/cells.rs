//! Counting in the cell of a key, as [`lvsc_abi::cells`] tells it.

use lvsc_abi::cells::{self, Place};
use lvsc_abi::flows::BUCKET;
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::clock;
use lvsc_abi::manifest::KeyTable;

use super::CountedKey;
use super::packet::Running;
use crate::pipeline::{ChoiceId, KeyedId};

impl Running<'_> {
    pub(super) fn count_key(&mut self, keyed: KeyedId, key: ChoiceId) -> CountedKey {
        let sections = self.sections.keyed(keyed);
        let words = self.pipeline.keyed(keyed).table.as_ref();
        let words = words.map_or(0, KeyTable::words) as usize;
        let mut bytes = self.key(key, self.alternative(key));
        bytes.resize(words * 8, 0);
        let clock = self.section(self.sections.clock);
        let seed = self.image.load(clock.at(0, clock::SEED), Width::B8);
        let hash = hash::table(hash::state(&bytes), seed);
        let (table, size) = (self.section(sections.cells), u64::from(BUCKET));
        let first = hash % (u64::from(table.length) / size) * size;
        let bucket = (first..first + size).map(|at| self.image.load(table.at(at, 0), Width::B8));
        let bucket: Vec<u64> = bucket.collect();
        let place = cells::place(&bucket, cells::identity(hash));
        let each = bytes.as_chunks().0.iter();
        let key: Vec<u64> = each.map(|word| u64::from_le_bytes(*word)).collect();
        let cell = match place {
            Place::Own(at) | Place::Free(at) => Some(first + at),
            Place::Nowhere => None,
        };
        let new = matches!(place, Place::Free(_));
        if let Some(cell) = cell.filter(|_| new) {
            let at = table.at(cell, 0);
            self.image.store(at, Width::B8, cells::identity(hash));
            let keys = self.section(sections.keys);
            for (word, value) in (cell * words as u64..).zip(&key) {
                self.image.store(keys.at(word, 0), Width::B8, *value);
            }
        }
        match cell {
            Some(cell) => self.count_in(sections.counts, cell),
            None => self.count(u64::from(sections.others)),
        }
        CountedKey {
            keyed,
            key,
            cell,
            new,
        }
    }
}
