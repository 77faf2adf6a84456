//! Choosing by how many flows each backend has, and counting them: see [`lvsc_abi::loads`].

use lvsc_abi::flows::{CLOSING, VALID};
use lvsc_abi::layout::{load, slot};
use lvsc_abi::loads::{ACTIVE, ACTIVE_COST, ACTIVE_MASK, INACTIVE, INACTIVE_SHIFT, Measure};
use lvsc_ir::program::{Binary, BlockId, Class, Compare, Op, Value};

use super::state::{Path, Split};
use super::{Lowering, element};
use crate::pipeline::PoolId;

/// A backend that may be given a flow.
#[derive(Clone, Copy)]
struct Candidate {
    id: Value,
    cost: Value,
    weight: Value,
}

impl Candidate {
    fn push(self, path: &mut Path) {
        let Candidate { id, cost, weight } = self;
        for value in [id, cost, weight] {
            path.push(value);
        }
    }

    fn pop(path: &mut Path) -> Candidate {
        let [weight, cost, id] = [(); 3].map(|()| path.pop().low);
        Candidate { id, cost, weight }
    }
}

impl Lowering<'_> {
    /// Pushes the id of the backend that has least to do, of the first of equals; that of nobody where none takes flows.
    pub(super) fn least(&mut self, pool: PoolId, measure: Measure, mut path: Path) -> Vec<Path> {
        for value in [u64::from(slot::NONE), 1, 0] {
            let value = self.code.constant(path.block, value);
            path.push(value);
        }
        let mut paths = vec![path];
        for id in 0..self.pipeline.pool(pool).ids() {
            for mut path in std::mem::take(&mut paths) {
                let least = Candidate::pop(&mut path);
                let id = self.code.constant(path.block, id.into());
                let next = self.measured(pool, measure, id, path.block);
                let less = self.has_less(next, least, path.block);
                // One branch for all three: the kernel's verifier follows both sides of each.
                let mut split = self.test(less, path);
                split.yes.iter_mut().for_each(|path| next.push(path));
                split.no.iter_mut().for_each(|path| least.push(path));
                paths.extend(split.all());
            }
            paths = self.join(paths);
        }
        for path in &mut paths {
            let least = Candidate::pop(path);
            path.push(least.id);
        }
        paths
    }

    /// The one of two backends that has less to do, the first of equals.
    pub(super) fn lesser(&mut self, pool: PoolId, ids: [Value; 2], block: BlockId) -> Value {
        let [first, second] = ids.map(|id| self.measured(pool, Measure::Connections, id, block));
        let less = self.has_less(second, first, block);
        self.code
            .value(block, Op::Select(less, second.id, first.id))
    }

    /// A value where a flag is 1, else 0.
    fn only_if(&mut self, flag: Value, value: Value, block: BlockId) -> Value {
        let zero = self.code.constant(block, 0);
        let mask = self.code.binary(block, Binary::Sub, zero, flag);
        self.code.binary(block, Binary::And, value, mask)
    }

    fn has_less(&mut self, one: Candidate, than: Candidate, block: BlockId) -> Value {
        let mut product = |a, b| self.code.binary(block, Binary::Mul, a, b);
        let (own, other) = (
            product(one.cost, than.weight),
            product(than.cost, one.weight),
        );
        self.code.compare(block, Compare::Lt, own, other)
    }

    fn measured(
        &mut self,
        pool: PoolId,
        measure: Measure,
        index: Value,
        block: BlockId,
    ) -> Candidate {
        let id = self.load_field(pool, (index, load::ID, 4), block);
        let counts = self.load_field(pool, (index, load::COUNTS, 8), block);
        let mut weight = self.room(pool, (index, counts), block);
        let active = self.code.with(block, Binary::And, counts, ACTIVE_MASK);
        let cost = match measure {
            Measure::Connections => {
                let shift = u64::from(INACTIVE_SHIFT);
                let inactive = self.code.with(block, Binary::Shr, counts, shift);
                let active = (self.code).with(block, Binary::Mul, active, ACTIVE_COST);
                self.code.binary(block, Binary::Add, active, inactive)
            }
            Measure::Delay => self.code.with(block, Binary::Add, active, 1),
            Measure::Idle => {
                let next = self.code.with(block, Binary::Add, active, 1);
                let zero = self.code.constant(block, 0);
                let busy = self.code.compare(block, Compare::Lt, zero, active);
                self.only_if(busy, next, block)
            }
            Measure::Overflow => {
                let within = self.code.compare(block, Compare::Le, active, weight);
                weight = self.only_if(within, weight, block);
                self.code.constant(block, 1)
            }
        };
        Candidate { id, cost, weight }
    }

    /// A backend's active flows, and its weight while it takes flows, else 0.
    fn active_and_room(&mut self, pool: PoolId, index: Value, block: BlockId) -> (Value, Value) {
        let counts = self.load_field(pool, (index, load::COUNTS, 8), block);
        let room = self.room(pool, (index, counts), block);
        let active = self.code.with(block, Binary::And, counts, ACTIVE_MASK);
        (active, room)
    }

    fn room(&mut self, pool: PoolId, (index, counts): (Value, Value), block: BlockId) -> Value {
        let weight = self.load_field(pool, (index, load::WEIGHT, 4), block);
        if !self.pipeline.pool(pool).has_limits() {
            return weight;
        }
        let one = self.code.constant(block, 1);
        let full = self.full(pool, (index, counts), block);
        let open = self.code.binary(block, Binary::Xor, full, one);
        self.only_if(open, weight, block)
    }

    /// Whether a backend has as many flows as it takes.
    pub(super) fn is_full(&mut self, pool: PoolId, id: Value, block: BlockId) -> Value {
        let counts = self.load_field(pool, (id, load::COUNTS, 8), block);
        self.full(pool, (id, counts), block)
    }

    /// The same of one with these counts.
    fn full(&mut self, pool: PoolId, (index, counts): (Value, Value), block: BlockId) -> Value {
        let limit = self.load_field(pool, (index, load::LIMIT, 4), block);
        let active = self.code.with(block, Binary::And, counts, ACTIVE_MASK);
        let shift = u64::from(INACTIVE_SHIFT);
        let inactive = self.code.with(block, Binary::Shr, counts, shift);
        let total = self.code.binary(block, Binary::Add, active, inactive);
        self.code.compare(block, Compare::Le, limit, total)
    }

    fn load_field(
        &mut self,
        pool: PoolId,
        (index, field, bytes): (Value, u16, u8),
        block: BlockId,
    ) -> Value {
        let from = element(self.sections.pool(pool).loads, index, field, bytes);
        self.code.load(block, Class::Shared, from)
    }

    /// Pushes the id of a flow's home, or that of the one that has least to do in its place: see [`lvsc_abi::loads::stays`].
    pub(super) fn at_home(&mut self, pool: PoolId, home: Value, path: Path) -> Vec<Path> {
        let block = path.block;
        let (active, room) = self.active_and_room(pool, home, block);
        let zero = self.code.constant(block, 0);
        let within = self.code.compare(block, Compare::Le, active, room);
        let takes = self.code.compare(block, Compare::Lt, zero, room);
        let calm = self.code.binary(block, Binary::And, within, takes);
        let Split { yes: mut stay, no } = self.test(calm, path);
        let mut leave = Vec::new();
        for path in no {
            let away = self.relieved(pool, room, path.block);
            let Split { yes, no } = self.test(away, path);
            leave.extend(yes);
            stay.extend(no);
        }
        for path in &mut stay {
            path.push(home);
        }
        for path in leave {
            stay.extend(self.least(pool, Measure::Connections, path));
        }
        self.join(stay)
    }

    /// Not 0 where there is no room at home, or a backend has less than half of the active flows that it has room for. All
    /// are looked at without a branch.
    fn relieved(&mut self, pool: PoolId, room: Value, block: BlockId) -> Value {
        let zero = self.code.constant(block, 0);
        let mut away = self.code.compare(block, Compare::Eq, room, zero);
        for id in 0..self.pipeline.pool(pool).ids() {
            let id = self.code.constant(block, id.into());
            let (active, room) = self.active_and_room(pool, id, block);
            let twice = self.code.with(block, Binary::Mul, active, 2);
            let relieves = self.code.compare(block, Compare::Lt, twice, room);
            away = self.code.binary(block, Binary::Or, away, relieves);
        }
        away
    }

    /// With a backend's id on the stack: where it is full, that of the one that has least to do takes its place.
    pub(super) fn within_limits(&mut self, pool: PoolId, mut path: Path) -> Vec<Path> {
        if !self.pipeline.pool(pool).has_limits() {
            return vec![path];
        }
        let id = path.pop().low;
        let full = self.is_full(pool, id, path.block);
        let Split { yes, no: mut paths } = self.test(full, path);
        for path in &mut paths {
            path.push(id);
        }
        for path in yes {
            paths.extend(self.least(pool, Measure::Connections, path));
        }
        self.join(paths)
    }

    /// Counts a flow whose first entry was exchanged for the word on the stack; who had that has a flow less.
    pub(super) fn count_first(
        &mut self,
        pool: PoolId,
        (id, new): (Value, Value),
        mut path: Path,
    ) -> Vec<Path> {
        let old = path.pop().low;
        if !self.pipeline.pool(pool).counts_flows() {
            return vec![path];
        }
        let one = self.unit(new, path.block);
        self.raise(pool, id, one, path.block);
        let used = self.code.with(path.block, Binary::And, old, VALID);
        let Split { yes, no } = self.test(used, path);
        for path in &yes {
            let block = path.block;
            let id = self.entry_backend(block, old);
            let one = self.unit(old, block);
            let zero = self.code.constant(block, 0);
            let less = self.code.binary(block, Binary::Sub, zero, one);
            self.raise(pool, id, less, block);
        }
        self.join(yes.into_iter().chain(no).collect())
    }

    /// Counts a flow otherwise whose entry was exchanged for another one of its backend, where it is one of the other kind now.
    pub(super) fn count_again(
        &mut self,
        pool: PoolId,
        before: Value,
        (id, new, old): (Value, Value, Value),
        path: Path,
    ) -> Vec<Path> {
        if !self.pipeline.pool(pool).counts_flows() {
            return vec![path];
        }
        let block = path.block;
        let done = self.code.compare(block, Compare::Eq, before, old);
        let turned = self.code.binary(block, Binary::Xor, new, old);
        let turned = self.code.with(block, Binary::And, turned, CLOSING);
        let zero = self.code.constant(block, 0);
        let turned = self.code.value(block, Op::Select(done, turned, zero));
        let Split { yes, no } = self.test(turned, path);
        for path in &yes {
            let [now, then] = [new, old].map(|word| self.unit(word, path.block));
            let more = self.code.binary(path.block, Binary::Sub, now, then);
            self.raise(pool, id, more, path.block);
        }
        self.join(yes.into_iter().chain(no).collect())
    }

    /// What an entry counts.
    fn unit(&mut self, word: Value, block: BlockId) -> Value {
        let closing = self.code.with(block, Binary::And, word, CLOSING);
        let [inactive, active] = [INACTIVE, ACTIVE].map(|unit| self.code.constant(block, unit));
        self.code
            .value(block, Op::Select(closing, inactive, active))
    }

    fn raise(&mut self, pool: PoolId, id: Value, by: Value, block: BlockId) {
        let to = element(self.sections.pool(pool).loads, id, load::COUNTS, 8);
        self.code.effect(block, Op::Raise(to, by));
    }
}
