//! Counting in the cell of a key, as [`lvsc_abi::cells`] tells it.

use lvsc_abi::cells::FOREVER;
use lvsc_abi::flows::{TAG_SHIFT, VALID};
use lvsc_abi::hash;
use lvsc_abi::layout::clock;
use lvsc_abi::manifest::KeyTable;
use lvsc_ir::program::{Binary, Class, Compare, Op, Value};

use super::conditions::taken;
use super::likely::Guess;
use super::state::{Path, Split};
use super::{Lowering, element};
use crate::layout::KeyedSections;
use crate::pipeline::{ChoiceId, KeyedId};

/// A packet's way into a table of cells. All of its values are made before the first branch.
struct Key {
    sections: KeyedSections,
    /// The number of the last cell.
    last: u64,
    /// The key's words.
    words: Vec<Value>,
    /// Picks the bucket.
    table_hash: Value,
    /// Whose the cell is.
    identity: Value,
}

impl Lowering<'_> {
    /// Counts in the cell of the packet's key.
    pub(super) fn count_key(
        &mut self,
        keyed: KeyedId,
        key: ChoiceId,
        paths: Vec<Path>,
    ) -> Vec<Path> {
        let pipeline = self.pipeline;
        let table = pipeline.keyed(keyed).table.as_ref();
        let words = table.map_or(0, KeyTable::words) as usize;
        let mut made = Vec::new();
        for path in paths {
            for path in self.choose(key, path) {
                let alternative = taken(&path, key);
                let alternative =
                    alternative.and_then(|index| pipeline.choice(key).alternatives.get(index));
                let parts = alternative.map_or(&[][..], |alternative| &alternative.key);
                made.extend(self.key_words(parts, path));
            }
        }
        self.needs = self.behind.clone();
        for path in &mut made {
            path.state.guess = Guess::General;
            while path.state.stack.len() < words {
                let none = self.code.constant(path.block, 0);
                path.push(none);
            }
        }
        let mut counted = Vec::new();
        for path in self.join(made) {
            counted.extend(self.count_in_table(keyed, path));
        }
        self.join(counted)
    }

    /// Counts the packet whose key's words are on the stack.
    fn count_in_table(&mut self, keyed: KeyedId, mut path: Path) -> Vec<Path> {
        let key = self.whose(keyed, &mut path);
        let tag = (self.code).with(path.block, Binary::Shr, key.table_hash, TAG_SHIFT.into());
        let find = Op::Find(key.sections.cells, key.table_hash, tag);
        let Split { yes: found, no } = self.in_bucket(key.table_hash, find, path);
        let mut split = Split::default();
        for path in found {
            split.extend(self.own(&key, path));
        }
        for path in no {
            let (never, forever) = (
                self.code.constant(path.block, 0),
                self.code.constant(path.block, FOREVER),
            );
            let place = Op::Place(key.sections.cells, key.table_hash, tag, never, forever);
            let Split { yes: free, no } = self.in_bucket(key.table_hash, place, path);
            split.no.extend(no);
            for path in free {
                split.extend(self.take(&key, path));
            }
        }
        let Split { mut yes, no } = self.join_split(split);
        for path in &mut yes {
            let cell = path.pop().low;
            let count = Op::Count(key.sections.counts, cell);
            self.code.effect(path.block, count);
        }
        for path in &no {
            let others = u64::from(key.sections.others);
            let others = self.code.constant(path.block, others);
            let count = Op::Count(self.sections.counters, others);
            self.code.effect(path.block, count);
        }
        yes.into_iter().chain(no).collect()
    }

    fn whose(&mut self, keyed: KeyedId, path: &mut Path) -> Key {
        let block = path.block;
        let words = std::mem::take(&mut path.state.stack);
        let words: Vec<Value> = words.into_iter().map(|word| word.low).collect();
        let mut state = self.code.constant(block, hash::RING_SEED);
        for word in &words {
            state = self.absorb(block, state, *word);
        }
        let zero = self.code.constant(block, 0);
        let seed = element(self.sections.clock, zero, clock::SEED, 8);
        let seed = self.code.load(block, Class::Config, seed);
        let table_hash = self.table_hash(block, state, seed);
        Key {
            sections: self.sections.keyed(keyed),
            last: u64::from(self.pipeline.keyed(keyed).cells()).saturating_sub(1),
            words,
            table_hash,
            identity: self.code.with(block, Binary::Or, table_hash, VALID),
        }
    }

    /// Splits by whether the cell on the stack, whose tag is the key's, is the key's own. If so, it is still there.
    fn own(&mut self, key: &Key, mut path: Path) -> Split {
        let cell = path.pop().low;
        let from = element(key.sections.cells, cell, 0, 8);
        let whose = self.code.load(path.block, Class::Shared, from);
        let own = (self.code).compare(path.block, Compare::Eq, whose, key.identity);
        let mut split = self.test(own, path);
        for path in &mut split.yes {
            path.push(cell);
        }
        split
    }

    /// Splits by whether the key gets the cell on the stack, which was free, from this worker or another one. If so, it
    /// is still there.
    fn take(&mut self, key: &Key, mut path: Path) -> Split {
        let cell = path.pop().low;
        let free = self.code.constant(path.block, 0);
        let to = element(key.sections.cells, cell, 0, 8);
        let exchange = Op::Exchange(to, key.identity, free);
        let before = self.code.value(path.block, exchange);
        let Split {
            yes: beaten,
            no: mut got,
        } = self.test(before, path);
        for path in &got {
            let count = key.words.len() as u64;
            let cell = (self.code).with(path.block, Binary::And, cell, key.last);
            let first = (self.code).with(path.block, Binary::Mul, cell, count);
            for (word, number) in key.words.iter().zip(0..) {
                let at = self.code.with(path.block, Binary::Add, first, number);
                let store = Op::Store(element(key.sections.keys, at, 0, 8), *word);
                self.code.effect(path.block, store);
            }
        }
        let mut split = Split::default();
        for path in beaten {
            let same = (self.code).compare(path.block, Compare::Eq, before, key.identity);
            let Split { yes, no } = self.test(same, path);
            got.extend(yes);
            split.no.extend(no);
        }
        for path in &mut got {
            path.push(cell);
        }
        split.yes = got;
        split
    }
}
