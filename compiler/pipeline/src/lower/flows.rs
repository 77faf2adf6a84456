//! Connection tables: the way into one, and what is done with a place there.

use lvsc_abi::flows::tcp::{ACK, FIN, RST, SYN};
use lvsc_abi::flows::{
    ABSENT, BACKEND_SHIFT, BUCKET, FLOW_MASK, SECONDS_MASK, SECONDS_SHIFT, TAG_SHIFT, VALID,
};
use lvsc_abi::layout::{SectionId, clock, slot};
use lvsc_abi::manifest::Flows;
use lvsc_ir::program::{Binary, BlockId, Class, Compare, Op, Value};

use super::state::{Path, Split};
use super::{Lowering, element};
use crate::pipeline::PoolId;

/// A packet's way into the connection table. All of its values are made before the first branch.
#[derive(Clone, Copy)]
pub(super) struct Lookup {
    pub(super) pool: PoolId,
    pub(super) section: SectionId,
    /// The key was absorbed into it by which the ring is asked: the flow's, or that of its home.
    pub(super) state: Value,
    /// Picks the bucket.
    pub(super) table_hash: Value,
    /// The flow's tag.
    pub(super) tag: Value,
    /// The clock's seconds as an entry has them.
    pub(super) seconds: Value,
    /// The clock's seconds.
    pub(super) now: Value,
    /// The greatest age of an entry that is not as good as none (seconds).
    pub(super) idle: Value,
}

/// A place in the table and the word found there.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Index of the entry in the section.
    pub(super) at: Value,
    pub(super) word: Value,
}

/// What came of a new entry.
#[derive(Default)]
pub(super) struct Made {
    /// It is in its place. On the stack: the word that was there.
    pub(super) own: Vec<Path>,
    /// Another worker has entered the same flow. On the stack: its word.
    pub(super) theirs: Vec<Path>,
    /// There is no place.
    pub(super) nobody: Vec<Path>,
}

/// What a segment of TCP does to its connection: not 0 where it does.
#[derive(Clone, Copy)]
pub(super) struct Does {
    pub(super) opens: Value,
    pub(super) closes: Value,
}

impl Lowering<'_> {
    /// What a segment with these flags does; without flags nothing.
    pub(super) fn segment(&mut self, flags: Value, block: BlockId) -> Does {
        let code = &mut self.code;
        let asked = code.with(block, Binary::And, flags, SYN | ACK | FIN | RST);
        let opening = code.constant(block, SYN);
        Does {
            opens: code.compare(block, Compare::Eq, asked, opening),
            closes: code.with(block, Binary::And, flags, FIN | RST),
        }
    }

    /// With the key's state on the stack.
    pub(super) fn lookup(&mut self, pool: PoolId, flows: Flows, path: &mut Path) -> Lookup {
        let section = self.sections.pool(pool).flows;
        self.lookup_in(pool, (section, flows.oldest()), path)
    }

    /// The same in a table of this pool, whose entries live so long (seconds).
    pub(super) fn lookup_in(
        &mut self,
        pool: PoolId,
        (section, idle): (SectionId, u32),
        path: &mut Path,
    ) -> Lookup {
        let state = path.pop().low;
        let block = path.block;
        let zero = self.code.constant(block, 0);
        let seed = element(self.sections.clock, zero, clock::SEED, 8);
        let seed = self.code.load(block, Class::Config, seed);
        let now = element(self.sections.clock, zero, clock::SECONDS, 8);
        let now = self.code.load(block, Class::Config, now);
        let table_hash = self.table_hash(block, state, seed);
        let tag = self
            .code
            .with(block, Binary::Shr, table_hash, u64::from(TAG_SHIFT));
        let seconds = self.code.with(block, Binary::And, now, SECONDS_MASK);
        let seconds = self
            .code
            .with(block, Binary::Shl, seconds, u64::from(SECONDS_SHIFT));
        let idle = self.code.constant(block, u64::from(idle));
        Lookup {
            pool,
            section,
            state,
            table_hash,
            tag,
            seconds,
            now,
            idle,
        }
    }

    /// Splits by whether a search of the bucket finds something; if so, the place is on the stack.
    pub(super) fn seek(&mut self, lookup: &Lookup, search: Op, path: Path) -> Split {
        let mut split = self.in_bucket(lookup.table_hash, search, path);
        for path in &mut split.yes {
            let at = path.pop().low;
            let from = element(lookup.section, at, 0, 8);
            let word = self.code.load(path.block, Class::Shared, from);
            push_place(path, Place { at, word });
        }
        split
    }

    /// Splits by whether there is a place for the entry that was not found; if so, it is on the stack. What another worker has
    /// entered since, for the same flow or for another one, is not to be exchanged: where that lives, nothing is said to be there.
    pub(super) fn seek_place(
        &mut self,
        lookup: &Lookup,
        lives: impl Fn(&mut Self, &Lookup, Value, BlockId) -> Value,
        path: Path,
    ) -> Split {
        let &Lookup {
            section,
            table_hash,
            tag,
            now,
            idle,
            ..
        } = lookup;
        let place = Op::Place(section, table_hash, tag, now, idle);
        let mut split = self.seek(lookup, place, path);
        for path in &mut split.yes {
            let Place { at, word } = pop_place(path);
            let taken = lives(self, lookup, word, path.block);
            let nothing = self.code.constant(path.block, 0);
            let word = Op::Select(taken, nothing, word);
            let word = self.code.value(path.block, word);
            push_place(path, Place { at, word });
        }
        split
    }

    /// Splits by whether there is an entry that lives; if so, its place is on the stack.
    pub(super) fn living(&mut self, lookup: &Lookup, path: Path) -> Split {
        let find = Op::Find(lookup.section, lookup.table_hash, lookup.tag);
        let Split { yes: found, no } = self.seek(lookup, find, path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in found {
            let place = pop_place(&mut path);
            let lives = self.lives(lookup, place.word, path.block);
            let Split { mut yes, no } = self.test(lives, path);
            for path in &mut yes {
                push_place(path, place);
            }
            split.yes.extend(yes);
            split.no.extend(no);
        }
        split
    }

    /// Splits by whether there is a place for an entry, that which it has or another one; if so, the place is on the stack.
    pub(super) fn place_of(&mut self, lookup: &Lookup, path: Path) -> Split {
        let find = Op::Find(lookup.section, lookup.table_hash, lookup.tag);
        let Split {
            yes: mut places,
            no: missed,
        } = self.seek(lookup, find, path);
        let mut full = Vec::new();
        for path in missed {
            let Split { yes, no } = self.seek_place(lookup, Self::lives, path);
            places.extend(yes);
            full.extend(no);
        }
        Split {
            yes: self.join(places),
            no: full,
        }
    }

    /// Splits by whether a search of the bucket that this hash picks finds something; if so, the index is on the stack.
    pub(super) fn in_bucket(&mut self, table_hash: Value, search: Op, path: Path) -> Split {
        let position = self.code.value(path.block, search);
        let absent = self.code.constant(path.block, ABSENT);
        let found = self.code.compare(path.block, Compare::Lt, position, absent);
        let mut split = self.test(found, path);
        for path in &mut split.yes {
            let block = path.block;
            let first = (self.code).with(block, Binary::Mul, table_hash, u64::from(BUCKET));
            let at = self.code.binary(block, Binary::Add, first, position);
            path.push(at);
        }
        split
    }

    /// Whether what a word says is not too old.
    pub(super) fn young(&mut self, lookup: &Lookup, word: Value, block: BlockId) -> Value {
        let seen = (self.code).with(block, Binary::Shr, word, u64::from(SECONDS_SHIFT));
        let age = (self.code).binary(block, Binary::Sub, lookup.now, seen);
        let age = self.code.with(block, Binary::And, age, SECONDS_MASK);
        self.code.compare(block, Compare::Le, age, lookup.idle)
    }

    /// Whether there is an entry still, which the sweep may have emptied since it was found, and it is not too old.
    pub(super) fn lives(&mut self, lookup: &Lookup, word: Value, block: BlockId) -> Value {
        let young = self.young(lookup, word, block);
        let used = self.code.with(block, Binary::And, word, VALID);
        self.code.binary(block, Binary::And, young, used)
    }

    pub(super) fn count_refused(&mut self, pool: PoolId, block: BlockId) {
        let counter = u64::from(self.sections.pool(pool).refused);
        let counter = self.code.constant(block, counter);
        self.code
            .effect(block, Op::Count(self.sections.counters, counter));
    }

    /// The word of a new entry, seen now.
    pub(super) fn entry(&mut self, lookup: &Lookup, id: Value, block: BlockId) -> Value {
        let flow = self.flow_of(lookup, block);
        let backend = self
            .code
            .with(block, Binary::Shl, id, u64::from(BACKEND_SHIFT));
        let rest = self.code.binary(block, Binary::Or, backend, lookup.seconds);
        self.code.binary(block, Binary::Or, flow, rest)
    }

    /// What tells in an entry that it is in use, by this flow.
    pub(super) fn flow_of(&mut self, lookup: &Lookup, block: BlockId) -> Value {
        let tag = self
            .code
            .with(block, Binary::Shl, lookup.tag, u64::from(TAG_SHIFT));
        self.code.with(block, Binary::Or, tag, VALID)
    }

    /// Exchanges a new entry for what was found in a place. Where that has become another flow's, it gets the
    /// next one of the bucket, if that is empty.
    pub(super) fn make_entry(
        &mut self,
        lookup: &Lookup,
        place: Place,
        new: Value,
        path: Path,
    ) -> Made {
        let mut made = self.take_place(lookup, place, new, path);
        for path in std::mem::take(&mut made.nobody) {
            let block = path.block;
            let last = u64::from(BUCKET) - 1;
            let bucket = self.code.with(block, Binary::And, place.at, !last);
            let next = self.code.with(block, Binary::Add, place.at, 1);
            let next = self.code.with(block, Binary::And, next, last);
            let at = self.code.binary(block, Binary::Or, bucket, next);
            let word = self.code.constant(block, 0);
            let again = self.take_place(lookup, Place { at, word }, new, path);
            made.own.extend(again.own);
            made.theirs.extend(again.theirs);
            made.nobody.extend(again.nobody);
        }
        Made {
            own: self.join(made.own),
            theirs: self.join(made.theirs),
            nobody: self.join(made.nobody),
        }
    }

    /// The same, without another place.
    pub(super) fn take_place(
        &mut self,
        lookup: &Lookup,
        Place { at, word }: Place,
        new: Value,
        mut path: Path,
    ) -> Made {
        let to = element(lookup.section, at, 0, 8);
        let exchange = Op::Exchange(to, new, word);
        let before = self.code.value(path.block, exchange);
        let beaten = (self.code).compare(path.block, Compare::Ne, before, word);
        path.push(before);
        let Split { yes, no: own } = self.test(beaten, path);
        let mut made = Made {
            own,
            ..Made::default()
        };
        for path in yes {
            let flow = self.flow_of(lookup, path.block);
            let theirs = (self.code).with(path.block, Binary::And, before, FLOW_MASK);
            let same = (self.code).compare(path.block, Compare::Eq, theirs, flow);
            let Split { yes, mut no } = self.test(same, path);
            for path in &mut no {
                path.pop();
            }
            made.theirs.extend(yes);
            made.nobody.extend(no);
        }
        made
    }

    /// With the word on the stack of the entry that another worker made of the same flow: its backend.
    pub(super) fn theirs(&mut self, lookup: &Lookup, mut path: Path) -> Split {
        let word = path.pop().low;
        let id = self.entry_backend(path.block, word);
        self.push_candidate(lookup.pool, id, &mut path);
        self.usable(path)
    }

    /// The backend in an entry's word.
    pub(super) fn entry_backend(&mut self, block: BlockId, word: Value) -> Value {
        let id = self
            .code
            .with(block, Binary::Shr, word, u64::from(BACKEND_SHIFT));
        self.code.with(block, Binary::And, id, slot::BACKEND)
    }
}

pub(super) fn push_place(path: &mut Path, Place { at, word }: Place) {
    path.push(at);
    path.push(word);
}

pub(super) fn pop_place(path: &mut Path) -> Place {
    let word = path.pop().low;
    Place {
        at: path.pop().low,
        word,
    }
}
