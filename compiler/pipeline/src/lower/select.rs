//! Choosing a backend by the ring. A candidate is two operands: its id, and on top its record.

use std::collections::BTreeMap;

use lvsc_abi::layout::{backend, slot};
use lvsc_abi::manifest::{FlowKind, Tracking};
use lvsc_ir::program::{Binary, BlockId, Class, Op, Value};

use super::Lowering;
use super::changed::Changed;
use super::conditions::taken;
use super::every::Every;
use super::likely::Guess;
use super::state::{Binding, Path, Split};
use crate::pipeline::{Alternative, ChoiceId, Client, Pipeline, PoolId, Signs, VariableId};

/// How a packet belongs to its flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// It makes and refreshes the flow's entry, which lives so many seconds; 0 where nobody asks.
    Active(u32),
    /// It does, and its signs tell how old the flow is; those of the key's alternative with this index.
    Told(usize),
    /// It only looks up.
    Passive,
}

impl Lowering<'_> {
    /// Splits by whether a backend was chosen; on the yes side the packet is counted and the variable bound.
    pub(super) fn select(
        &mut self,
        (pool, variable): (PoolId, VariableId),
        key: ChoiceId,
        (home, client): (Option<VariableId>, Option<Client>),
        paths: Vec<Path>,
    ) -> Split {
        let keyed = self.keyed(pool, key, paths);
        let flows = self.pipeline.pool(pool).flows;
        let mut split = Split::default();
        let mut changed = Changed::default();
        let mut every = Every::default();
        for (part, mut paths) in keyed {
            let signs = signs_of(self.pipeline, key, part);
            self.ask_for(home, client);
            for expr in signs.into_iter().flat_map(Signs::exprs) {
                self.needs.also(self.pipeline, expr);
            }
            for path in &mut paths {
                path.state.guess = Guess::General;
            }
            let mut hashed = self.join(paths);
            for path in &mut hashed {
                let state = self.absorbed(path);
                path.push(state);
            }
            for path in self.join(hashed) {
                match flows.map(|flows| (flows.tracking, flows)) {
                    None => split.extend(self.by_ring((pool, client), path)),
                    Some((Tracking::Every, flows)) => every.extend(match part {
                        Part::Active(life) => self.tell_every(flows, life, None, path),
                        Part::Told(_) => self.tell_every(flows, flows.lives.tcp, signs, path),
                        Part::Passive => Every::passive(path),
                    }),
                    Some((Tracking::Changed, _)) => {
                        let is_passive = part == Part::Passive;
                        changed.extend(self.by_slot(pool, is_passive, signs, path));
                    }
                }
            }
        }
        self.ask_for(home, client);
        if let Some(flows) = flows {
            split.extend(self.by_every((pool, home, client), flows, every));
            split.extend(self.by_change(pool, flows, changed));
        }
        self.needs = self.behind.clone();
        let Split { mut yes, no } = self.join_split(split);
        for path in &mut yes {
            self.give(pool, variable, path);
        }
        Split { yes, no }
    }

    /// Pops the candidate, counts the packet for it and binds the variable.
    pub(super) fn give(&mut self, pool: PoolId, variable: VariableId, path: &mut Path) {
        let (id, record) = pop_candidate(path);
        let first = u64::from(self.pipeline.pool(pool).counters);
        let counter = self.code.with(path.block, Binary::Add, id, first);
        self.code
            .effect(path.block, Op::Count(self.sections.counters, counter));
        path.state
            .variables
            .insert(variable, Binding::Backend { id, record });
    }

    /// Pushes the key's words; the paths by how the packet belongs to its flow. Without a connection table there is
    /// no difference.
    fn keyed(
        &mut self,
        pool: PoolId,
        key: ChoiceId,
        paths: Vec<Path>,
    ) -> BTreeMap<Part, Vec<Path>> {
        let alternatives = &self.pipeline.choice(key).alternatives;
        let flows = self.pipeline.pool(pool).flows;
        let every = flows.filter(|flows| flows.tracking == Tracking::Every);
        let life = |alternative: Option<&Alternative>| {
            let kind = alternative.map_or(FlowKind::Other, |found| found.kind);
            every.map_or(0, |flows| flows.lives.by(kind))
        };
        let signed: Vec<usize> = (self.pipeline.signs(pool, key))
            .map(|(index, _)| index)
            .collect();
        let mut found: BTreeMap<Part, Vec<Path>> = BTreeMap::new();
        for path in paths {
            for path in self.choose(key, path) {
                let alternative = taken(&path, key).and_then(|index| alternatives.get(index));
                let parts = alternative.map_or(&[][..], |alternative| &alternative.key);
                let passive = flows.is_some() && alternative.is_some_and(|found| found.passive);
                let told = taken(&path, key).filter(|index| signed.contains(index));
                let part = match told {
                    _ if passive => Part::Passive,
                    Some(index) => Part::Told(index),
                    None => Part::Active(life(alternative)),
                };
                found
                    .entry(part)
                    .or_default()
                    .extend(self.key_words(parts, path));
            }
        }
        found
    }

    /// Without a connection table the backend is the client's, else `slot(h)`.
    fn by_ring(&mut self, pool: (PoolId, Option<Client>), mut path: Path) -> Split {
        let state = path.pop().low;
        self.kept_or_slot(pool, state, path)
    }

    /// Pushes the candidate `slot(h)` of a key that was absorbed into `state`.
    pub(super) fn push_ring_slot(&mut self, pool: PoolId, state: Value, path: &mut Path) {
        let slot = self.ring_slot(path.block, pool, state);
        let id = self.slot_id(pool, slot, path.block);
        self.push_candidate(pool, id, path);
    }

    /// The id in `slot(index)`.
    pub(super) fn slot_id(&mut self, pool: PoolId, index: Value, block: BlockId) -> Value {
        let from = super::element(self.sections.pool(pool).ring, index, 0, 4);
        let slot = self.code.load(block, Class::Config, from);
        self.code.with(block, Binary::And, slot, slot::BACKEND)
    }

    /// Pushes the candidate of this id.
    pub(super) fn push_candidate(&mut self, pool: PoolId, id: Value, path: &mut Path) {
        let from = super::element(self.sections.pool(pool).backends, id, 0, 8);
        let record = self.code.load(path.block, Class::Config, from);
        put_candidate(path, (id, record));
    }

    /// Not 0 where a backend's record is that of a usable one.
    pub(super) fn usable_flag(&mut self, block: BlockId, record: Value) -> Value {
        let flags = u64::from(backend::FLAGS_SHIFT);
        let flags = self.code.with(block, Binary::Shr, record, flags);
        self.code.with(block, Binary::And, flags, backend::USABLE)
    }

    /// Splits by whether the candidate is usable; on the no side it is popped.
    pub(super) fn usable(&mut self, mut path: Path) -> Split {
        let (id, record) = pop_candidate(&mut path);
        let usable = self.usable_flag(path.block, record);
        let mut split = self.test(usable, path);
        for path in &mut split.yes {
            put_candidate(path, (id, record));
        }
        split
    }
}

/// What tells how old the flow is of a packet that belongs to it in this way.
fn signs_of(pipeline: &Pipeline, key: ChoiceId, part: Part) -> Option<&Signs> {
    match part {
        Part::Told(index) => pipeline.choice(key).alternatives[index].signs.as_ref(),
        Part::Active(_) | Part::Passive => None,
    }
}

/// Pushes a candidate: its id and its record.
pub(super) fn put_candidate(path: &mut Path, (id, record): (Value, Value)) {
    path.push(id);
    path.push(record);
}

/// Pops a candidate: its id and its record.
pub(super) fn pop_candidate(path: &mut Path) -> (Value, Value) {
    let record = path.pop().low;
    (path.pop().low, record)
}
