//! Choosing a backend with a table of every flow. The crate's documentation tells the steps; the numbers here are the
//! numbers there.

use lvsc_abi::flows::{
    ABSENT, BACKEND_SHIFT, BUCKET, SECONDS_MASK, SECONDS_SHIFT, TAG_SHIFT, VALID,
};
use lvsc_abi::layout::{SectionId, clock, slot};
use lvsc_abi::manifest::Flows;
use lvsc_abi::scheduler::Pick;
use lvsc_ir::program::{Binary, BlockId, Class, Compare, Op, Value};

use super::select::{Part, pop_candidate};
use super::state::{Path, Split};
use super::{Lowering, element};
use crate::pipeline::PoolId;

/// A packet's way into the connection table. All of its values are made before the first branch.
#[derive(Clone, Copy)]
pub(super) struct Lookup {
    pub(super) pool: PoolId,
    pub(super) section: SectionId,
    /// The key was absorbed into it.
    pub(super) state: Value,
    /// Picks the bucket.
    pub(super) table_hash: Value,
    /// The flow's tag.
    pub(super) tag: Value,
    /// The clock's seconds as an entry has them.
    pub(super) seconds: Value,
    /// The clock's seconds.
    pub(super) now: Value,
    /// Seconds after which an entry is as good as none.
    pub(super) idle: Value,
}

/// A place in the table and the word found there.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Index of the entry in the section.
    pub(super) at: Value,
    pub(super) word: Value,
}

/// What came of an exchange.
pub(super) struct Exchanged {
    /// The word that was there.
    pub(super) before: Value,
    /// Whether another worker was faster, and nothing was exchanged.
    pub(super) beaten: Value,
    /// Whether what was there is an entry of the same flow.
    pub(super) same: Value,
}

impl Lowering<'_> {
    /// Splits by whether the flow, whose key was absorbed into what is on the stack, has or gets a usable backend.
    pub(super) fn by_flow(
        &mut self,
        pool: PoolId,
        flows: Flows,
        part: Part,
        mut path: Path,
    ) -> Split {
        let lookup = self.lookup(pool, flows, &mut path);
        let find = Op::Find(lookup.section, lookup.table_hash, lookup.tag);
        let Split {
            yes: hit,
            no: missed,
        } = self.seek(&lookup, find, path);
        let (mut split, mut stale) = (Split::default(), Vec::new());
        for path in hit {
            let known = self.known(&lookup, part, path);
            split.yes.extend(known.yes);
            stale.extend(known.no);
        }
        match part {
            Part::Passive => {
                for path in &mut stale {
                    pop_place(path);
                }
                stale.extend(missed);
                for mut path in self.join(stale) {
                    self.push_ring_slot(pool, lookup.state, &mut path);
                    split.extend(self.usable(path));
                }
            }
            Part::Active | Part::Told(_) => {
                for path in missed {
                    let vacant =
                        Op::Vacant(lookup.section, lookup.table_hash, lookup.now, lookup.idle);
                    let Split {
                        yes: room,
                        no: full,
                    } = self.seek(&lookup, vacant, path);
                    stale.extend(room);
                    for path in full {
                        split.extend(self.refused(&lookup, path));
                    }
                }
                for path in self.join(stale) {
                    split.extend(self.enter(&lookup, path));
                }
            }
        }
        split
    }

    /// With the key's state on the stack.
    pub(super) fn lookup(&mut self, pool: PoolId, flows: Flows, path: &mut Path) -> Lookup {
        let section = self.sections.pool(pool).flows;
        self.lookup_in(pool, (section, flows.idle), path)
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

    /// 1. Splits by whether the flow's entry is not too old and its backend is usable. If so, the backend is on the stack
    ///    and the entry is refreshed; else the place still is.
    fn known(&mut self, lookup: &Lookup, part: Part, mut path: Path) -> Split {
        let place = pop_place(&mut path);
        push_place(&mut path, place);
        let age = self.age(lookup, path.block, place.word);
        let lives = (self.code).compare(path.block, Compare::Le, age, lookup.idle);
        let Split { yes: live, no } = self.test(lives, path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in live {
            let id = self.entry_backend(path.block, place.word);
            self.push_candidate(lookup.pool, id, &mut path);
            let Split { yes, no } = self.usable(path);
            split.no.extend(no);
            for mut path in yes {
                let (id, record) = pop_candidate(&mut path);
                pop_place(&mut path);
                path.push(id);
                path.push(record);
                match part {
                    Part::Passive => split.yes.push(path),
                    Part::Active | Part::Told(_) => {
                        split.yes.extend(self.refresh(lookup, place, age, path));
                    }
                }
            }
        }
        Split {
            yes: self.join(split.yes),
            no: split.no,
        }
    }

    /// Seconds since the flow of an entry was last seen.
    pub(super) fn age(&mut self, lookup: &Lookup, block: BlockId, word: Value) -> Value {
        let seen = (self.code).with(block, Binary::Shr, word, u64::from(SECONDS_SHIFT));
        let age = (self.code).binary(block, Binary::Sub, lookup.now, seen);
        self.code.with(block, Binary::And, age, SECONDS_MASK)
    }

    /// Makes the entry's seconds those of now; writes only where that changes it, so that a flow costs one write a
    /// second and not one a packet.
    fn refresh(&mut self, lookup: &Lookup, place: Place, age: Value, path: Path) -> Vec<Path> {
        let split = self.test(age, path);
        for path in &split.yes {
            let block = path.block;
            let kept = !(SECONDS_MASK << SECONDS_SHIFT);
            let kept = self.code.with(block, Binary::And, place.word, kept);
            let new = self.code.binary(block, Binary::Or, kept, lookup.seconds);
            let to = element(lookup.section, place.at, 0, 8);
            self.code.value(block, Op::Exchange(to, new, place.word));
        }
        split.all()
    }

    /// 3. No place: the flow is counted as refused and goes where the ring says.
    fn refused(&mut self, lookup: &Lookup, mut path: Path) -> Split {
        self.count_refused(lookup.pool, path.block);
        self.push_ring_slot(lookup.pool, lookup.state, &mut path);
        self.usable(path)
    }

    pub(super) fn count_refused(&mut self, pool: PoolId, block: BlockId) {
        let counter = u64::from(self.sections.pool(pool).refused);
        let counter = self.code.constant(block, counter);
        self.code
            .effect(block, Op::Count(self.sections.counters, counter));
    }

    /// 3. With a place on the stack: a new entry, where the scheduler finds a usable backend.
    fn enter(&mut self, lookup: &Lookup, mut path: Path) -> Split {
        let place = pop_place(&mut path);
        let index = self.pick(lookup, path.block);
        self.push_slot(lookup.pool, index, &mut path);
        let Split { yes, no } = self.usable(path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in yes {
            let (id, record) = pop_candidate(&mut path);
            let new = self.entry(lookup, id, path.block);
            path.push(id);
            path.push(record);
            split.extend(self.exchange(lookup, place, new, path));
        }
        split
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

    /// Where in the ring a new flow's backend stands.
    fn pick(&mut self, lookup: &Lookup, block: BlockId) -> Value {
        match self.pipeline.pool(lookup.pool).scheduler.pick() {
            Pick::Hash => self.ring_hash(block, lookup.state),
            Pick::Cursor => {
                let worker = self.code.value(block, Op::Worker);
                let cursor = element(self.sections.pool(lookup.pool).cursor, worker, 0, 8);
                let now = self.code.load(block, Class::Shared, cursor);
                let next = self.code.with(block, Binary::Add, now, 1);
                self.code.effect(block, Op::Store(cursor, next));
                now
            }
        }
    }

    /// Exchanges the new entry for what was found, with its candidate on the stack; another worker's entry for the same flow
    /// wins.
    pub(super) fn exchange(
        &mut self,
        lookup: &Lookup,
        place: Place,
        new: Value,
        mut path: Path,
    ) -> Split {
        let (id, record) = pop_candidate(&mut path);
        let block = path.block;
        let Exchanged {
            before,
            beaten,
            same,
        } = self.try_exchange(lookup, place, new, block);
        let beaten = self.code.binary(block, Binary::And, beaten, same);
        let Split {
            yes: beaten,
            no: mut settled,
        } = self.test(beaten, path);
        for path in &mut settled {
            path.push(id);
            path.push(record);
        }
        let mut split = Split {
            yes: settled,
            no: Vec::new(),
        };
        for path in beaten {
            split.extend(self.theirs(lookup, before, path));
        }
        split
    }

    /// Exchanges the new entry for what was found.
    pub(super) fn try_exchange(
        &mut self,
        lookup: &Lookup,
        place: Place,
        new: Value,
        block: BlockId,
    ) -> Exchanged {
        let flow = self.flow_of(lookup, block);
        let to = element(lookup.section, place.at, 0, 8);
        let before = self.code.value(block, Op::Exchange(to, new, place.word));
        let beaten = self.code.compare(block, Compare::Ne, before, place.word);
        let theirs = self
            .code
            .with(block, Binary::And, before, u64::MAX << TAG_SHIFT | VALID);
        Exchanged {
            before,
            beaten,
            same: self.code.compare(block, Compare::Eq, theirs, flow),
        }
    }

    /// The backend of the entry that another worker made of the same flow.
    pub(super) fn theirs(&mut self, lookup: &Lookup, before: Value, mut path: Path) -> Split {
        let id = self.entry_backend(path.block, before);
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
