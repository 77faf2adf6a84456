//! Choosing a backend with a table of the flows whose slots have changed. The crate's documentation tells the steps; the
//! numbers here are the numbers there.

use lvsc_abi::flows::{CLOSING, FLOW_MASK, MARK_FROM, MARK_SHIFT, OPENING, SECONDS_SHIFT};
use lvsc_abi::layout::{change, slot};
use lvsc_abi::manifest::Flows;
use lvsc_abi::slots::LEARN;
use lvsc_ir::program::{Binary, BlockId, Class, Compare, Op, SectionAccess, Value};

mod entry;

use super::flows::{Lookup, pop_place, push_place};
use super::select::{pop_candidate, put_candidate};
use super::state::{Path, Split};
use super::{Lowering, element};
use crate::pipeline::{PoolId, Signs};

/// Paths behind the question whether a packet's slot has changed.
#[derive(Default)]
pub(super) struct Changed {
    /// It has not. On the stack: the backend's id.
    steady: Vec<Path>,
    /// It has. On the stack: the slot's word, what the packet tells of its flow, and the state of its key.
    active: Vec<Path>,
    /// It has, and the packet only tells of the flow. On the stack: the slot's word and the state of its key.
    passive: Vec<Path>,
}

impl Changed {
    pub(super) fn extend(&mut self, other: Changed) {
        self.steady.extend(other.steady);
        self.active.extend(other.active);
        self.passive.extend(other.passive);
    }
}

/// What is asked of the table. All of its values are made before the first branch.
#[derive(Clone, Copy)]
struct Asked {
    flows: Flows,
    lookup: Lookup,
    /// The slot's index.
    index: Value,
    /// The backend that the slot names.
    backend: Value,
    /// The one before.
    previous: Value,
    /// Whether that one is kept.
    kept: Value,
}

/// What a packet tells of its flow. All of its values are made before the first branch.
#[derive(Clone, Copy)]
struct Told {
    /// It opens the flow.
    opens: Value,
    /// [`OPENING`], where that leaves a mark; [`CLOSING`].
    flag: Value,
    /// Of its sequence number; 0 where there is none.
    mark: Value,
}

impl Lowering<'_> {
    /// 1. Splits by whether the slot has changed of the key that was absorbed into what is on the stack.
    pub(super) fn by_slot(
        &mut self,
        pool: PoolId,
        is_passive: bool,
        signs: Option<&Signs>,
        mut path: Path,
    ) -> Changed {
        let state = path.pop().low;
        let index = self.ring_slot(path.block, pool, state);
        let from = element(self.sections.pool(pool).ring, index, 0, 4);
        let word = self.code.load(path.block, Class::Config, from);
        let block = path.block;
        let shift = u64::from(slot::PREVIOUS_SHIFT);
        let previous = self.code.with(block, Binary::Shr, word, shift);
        let none = self.code.constant(block, u64::from(slot::NONE));
        let changed = self.code.compare(block, Compare::Ne, previous, none);
        let Split { yes, no } = self.test(changed, path);
        let mut found = Changed::default();
        for mut path in no {
            let id = self.code.with(path.block, Binary::And, word, slot::BACKEND);
            path.push(id);
            found.steady.push(path);
        }
        for mut path in yes {
            path.push(word);
            if is_passive {
                path.push(state);
                found.passive.push(path);
                continue;
            }
            for mut path in self.told(signs, path) {
                path.push(state);
                found.active.push(path);
            }
        }
        found
    }

    /// Pushes what a packet tells of its flow: whether it opens it and has no flags that say so, the flags of a segment, the
    /// mark; 0 where there is none.
    fn told(&mut self, signs: Option<&Signs>, path: Path) -> Vec<Path> {
        match signs {
            None => vec![self.push_all([0, 0, 0], path)],
            Some(Signs::Opening(condition)) => {
                let Split { yes, no } = self.branch(condition, path);
                let opened = yes.into_iter().map(|path| (1, path));
                let told = opened.chain(no.into_iter().map(|path| (0, path)));
                told.map(|(opens, path)| self.push_all([opens, 0, 0], path))
                    .collect()
            }
            Some(Signs::Segment { flags, sequence }) => {
                let path = self.push_all([0], path);
                let paths = self.value_or_zero(flags, vec![path]);
                let mut paths = self.value_or_zero(sequence, paths);
                for path in &mut paths {
                    let sequence = path.pop().low;
                    let from = u64::from(MARK_FROM);
                    let mark = self.code.with(path.block, Binary::Shr, sequence, from);
                    path.push(mark);
                }
                paths
            }
        }
    }

    fn push_all<const N: usize>(&mut self, values: [u64; N], mut path: Path) -> Path {
        for value in values {
            let value = self.code.constant(path.block, value);
            path.push(value);
        }
        path
    }

    /// With whether it opens its flow, the flags and the mark on the stack.
    fn tells(&mut self, path: &mut Path) -> Told {
        let [mark, flags, opens] = [(); 3].map(|()| path.pop().low);
        let block = path.block;
        let told = self.segment(flags, block);
        let [zero, opening, closing] = [0, OPENING, CLOSING].map(|n| self.code.constant(block, n));
        let flag = self
            .code
            .value(block, Op::Select(told.closes, closing, zero));
        let flag = self
            .code
            .value(block, Op::Select(told.opens, opening, flag));
        Told {
            opens: self.code.binary(block, Binary::Or, opens, told.opens),
            flag,
            mark,
        }
    }

    /// Splits by whether there is a usable backend, whether the slot has changed or not.
    pub(super) fn by_change(&mut self, pool: PoolId, flows: Flows, changed: Changed) -> Split {
        let mut split = Split::default();
        for mut path in self.join(changed.steady) {
            let id = path.pop().low;
            self.push_candidate(pool, id, &mut path);
            split.extend(self.usable(path));
        }
        for mut path in self.join(changed.passive) {
            let lookup = self.lookup(pool, flows, &mut path);
            let asked = self.asked(flows, lookup, &mut path);
            split.extend(self.told_of(&asked, path));
        }
        for mut path in self.join(changed.active) {
            let lookup = self.lookup(pool, flows, &mut path);
            let told = self.tells(&mut path);
            let asked = self.asked(flows, lookup, &mut path);
            split.extend(self.part_of(&asked, &told, path));
        }
        split
    }

    /// With the slot's word on the stack.
    fn asked(&mut self, flows: Flows, lookup: Lookup, path: &mut Path) -> Asked {
        let (word, block) = (path.pop().low, path.block);
        let shift = u64::from(slot::PREVIOUS_SHIFT);
        let previous = self.code.with(block, Binary::Shr, word, shift);
        let tail = self.code.constant(block, u64::from(slot::TAIL));
        let some = self.code.compare(block, Compare::Ne, previous, tail);
        let from = element(self.sections.pool(lookup.pool).backends, previous, 0, 8);
        let record = self.code.load(block, Class::Config, from);
        let flag = self.usable_flag(block, record);
        let zero = self.code.constant(block, 0);
        let usable = self.code.compare(block, Compare::Ne, flag, zero);
        Asked {
            flows,
            lookup,
            index: self.ring_slot(block, lookup.pool, lookup.state),
            backend: self.code.with(block, Binary::And, word, slot::BACKEND),
            previous,
            kept: self.code.binary(block, Binary::And, some, usable),
        }
    }

    /// A passive packet.
    fn told_of(&mut self, asked: &Asked, path: Path) -> Split {
        let mut split = Split::default();
        let mut unknown = Vec::new();
        let Split { yes: found, no } = self.entry_of(asked, path);
        unknown.extend(no);
        for mut path in found {
            let place = pop_place(&mut path);
            let live = self.is_live(&asked.lookup, place.word, path.block);
            let Split { yes, no } = self.test(live, path);
            unknown.extend(no);
            for mut path in yes {
                let id = self.entry_backend(path.block, place.word);
                self.push_candidate(asked.lookup.pool, id, &mut path);
                let Split { yes, no } = self.usable(path);
                split.yes.extend(yes);
                unknown.extend(no);
            }
        }
        // 3.
        for mut path in self.join(unknown) {
            let (kept, backend) = (asked.kept, asked.backend);
            let id = Op::Select(kept, asked.previous, backend);
            let id = self.code.value(path.block, id);
            self.push_candidate(asked.lookup.pool, id, &mut path);
            split.extend(self.usable(path));
        }
        split
    }

    /// A packet of the flow.
    fn part_of(&mut self, asked: &Asked, told: &Told, path: Path) -> Split {
        let pool = asked.lookup.pool;
        let mut split = Split::default();
        let mut stale = Vec::new();
        let Split { yes, no: missed } = self.entry_of(asked, path);
        for path in yes {
            let known = self.noted(asked, told, path);
            split.yes.extend(known.yes);
            stale.extend(known.no);
        }
        // 3.
        let mut nobody = Vec::new();
        let mut room = Vec::new();
        for path in self.join(stale) {
            let Split { yes, mut no } = self.test(asked.kept, path);
            for path in &mut no {
                pop_place(path);
            }
            room.extend(yes);
            nobody.extend(no);
        }
        let mut full = Vec::new();
        for path in missed {
            let Split { yes, no } = self.test(asked.kept, path);
            nobody.extend(no);
            for path in yes {
                let found = self.seek_place(&asked.lookup, Self::is_live, path);
                room.extend(found.yes);
                full.extend(found.no);
            }
        }
        for mut path in self.join(nobody) {
            self.push_candidate(pool, asked.backend, &mut path);
            split.extend(self.usable(path));
        }
        for path in self.join(room) {
            split.extend(self.note(asked, told, &mut full, path));
        }
        for path in self.join(full) {
            split.extend(self.without_place(asked, path));
        }
        split
    }

    /// Splits by whether the flow has an entry; if so, its place is on the stack.
    fn entry_of(&mut self, asked: &Asked, path: Path) -> Split {
        let Lookup {
            section,
            table_hash,
            tag,
            ..
        } = asked.lookup;
        self.seek(&asked.lookup, Op::Find(section, table_hash, tag), path)
    }

    /// 2. Splits by whether the entry lives and its backend is usable. If so, the candidate is on the stack and the entry is
    ///    refreshed; else its place still is.
    fn noted(&mut self, asked: &Asked, told: &Told, mut path: Path) -> Split {
        let place = pop_place(&mut path);
        push_place(&mut path, place);
        let live = self.is_live(&asked.lookup, place.word, path.block);
        let Split { yes, no } = self.test(live, path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in yes {
            let id = self.owner(asked, told, place.word, path.block);
            self.push_candidate(asked.lookup.pool, id, &mut path);
            let Split { yes, no } = self.usable(path);
            split.no.extend(no);
            for mut path in yes {
                let (id, record) = pop_candidate(&mut path);
                pop_place(&mut path);
                let flow = (self.code).with(path.block, Binary::And, place.word, FLOW_MASK);
                let new = self.word(asked, told, (flow, id, place.word), path.block);
                let differs = (self.code).compare(path.block, Compare::Ne, new, place.word);
                let Split { yes, no } = self.test(differs, path);
                let mut written = no;
                for path in yes {
                    let to = element(asked.lookup.section, place.at, 0, 8);
                    self.code
                        .value(path.block, Op::Exchange(to, new, place.word));
                    written.push(path);
                }
                for path in self.join(written) {
                    for mut path in self.seen_at(asked, id, path) {
                        put_candidate(&mut path, (id, record));
                        split.yes.push(path);
                    }
                }
            }
        }
        split
    }

    /// 4. No place: the flow is counted as refused and stays with the previous backend, and the slot's time is prolonged.
    fn without_place(&mut self, asked: &Asked, path: Path) -> Split {
        self.count_refused(asked.lookup.pool, path.block);
        let passed = self.passed(asked, path.block);
        let learn = self.code.constant(path.block, LEARN);
        let behind = (self.code).compare(path.block, Compare::Lt, learn, passed);
        let Split { yes, no: mut paths } = self.test(behind, path);
        for path in yes {
            let begun = (self.code).binary(path.block, Binary::Sub, asked.lookup.now, learn);
            let to = self.times(asked, change::SINCE);
            self.code.effect(path.block, Op::Store(to, begun));
            paths.push(path);
        }
        let mut split = Split::default();
        for mut path in self.join(paths) {
            self.push_candidate(asked.lookup.pool, asked.previous, &mut path);
            split.extend(self.usable(path));
        }
        split
    }

    /// Seconds since the slot's time began.
    fn passed(&mut self, asked: &Asked, block: BlockId) -> Value {
        let from = self.times(asked, change::SINCE);
        let since = self.code.load(block, Class::Shared, from);
        let passed = (self.code).binary(block, Binary::Sub, asked.lookup.now, since);
        self.code.with(block, Binary::And, passed, change::MASK)
    }

    fn times(&self, asked: &Asked, field: u16) -> SectionAccess {
        let changes = self.sections.pool(asked.lookup.pool).changes;
        element(changes, asked.index, field, 4)
    }

    /// 4. With a place on the stack: a new entry, where its backend is usable. To `full` where another worker was faster with
    ///    the place.
    fn note(&mut self, asked: &Asked, told: &Told, full: &mut Vec<Path>, mut path: Path) -> Split {
        let place = pop_place(&mut path);
        let passed = self.passed(asked, path.block);
        let learn = self.code.constant(path.block, LEARN);
        let learnt = (self.code).compare(path.block, Compare::Le, learn, passed);
        let opens = (self.code).binary(path.block, Binary::And, learnt, told.opens);
        let id = Op::Select(opens, asked.backend, asked.previous);
        let id = self.code.value(path.block, id);
        self.push_candidate(asked.lookup.pool, id, &mut path);
        let Split { yes, no } = self.usable(path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in yes {
            let (id, record) = pop_candidate(&mut path);
            for path in self.seen_at(asked, id, path) {
                let block = path.block;
                let flow = self.flow_of(&asked.lookup, block);
                let mark = u64::from(SECONDS_SHIFT + MARK_SHIFT);
                let mark = self.code.with(block, Binary::Shl, told.mark, mark);
                let opening = self.code.with(block, Binary::And, told.flag, OPENING);
                let before = self.code.binary(block, Binary::Or, mark, opening);
                let new = self.word(asked, told, (flow, id, before), block);
                let made = self.take_place(&asked.lookup, place, new, path);
                for mut path in made.own {
                    path.pop();
                    put_candidate(&mut path, (id, record));
                    split.yes.push(path);
                }
                for path in made.theirs {
                    split.extend(self.theirs(&asked.lookup, path));
                }
                full.extend(made.nobody);
            }
        }
        split
    }

    /// 5. A flow was seen that is noted for this backend.
    fn seen_at(&mut self, asked: &Asked, id: Value, path: Path) -> Vec<Path> {
        let elsewhere = (self.code).compare(path.block, Compare::Ne, id, asked.backend);
        let Split { yes, no: mut paths } = self.test(elsewhere, path);
        for path in yes {
            let at = self.times(asked, change::ELSEWHERE);
            let before = self.code.load(path.block, Class::Shared, at);
            let now = (self.code).with(path.block, Binary::And, asked.lookup.now, change::MASK);
            let differs = (self.code).compare(path.block, Compare::Ne, before, now);
            let Split { yes, no } = self.test(differs, path);
            for path in &yes {
                self.code.effect(path.block, Op::Store(at, now));
            }
            paths.extend(yes.into_iter().chain(no));
        }
        self.join(paths)
    }
}
