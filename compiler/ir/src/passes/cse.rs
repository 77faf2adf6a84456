//! Equal instructions are done once: what is pure where the first one dominates, and loads of the frame where every
//! way between has left those bytes alone. Shared loads are never merged.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::Same;
use crate::arena::Arena;
use crate::assoc::Assoc;
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::program::{BlockId, FrameAccess, Inst, Op, Program, Value};

/// Where pure instructions are done already. Only looked into, never gone through.
type Done = HashMap<Op, Places, BuildHasherDefault<Quick>>;

/// Where one instruction is done, by the begin of the block's span in the dominator tree: the span's end, and what is
/// made there. The spans are apart, for what stands below another place is never noted.
enum Places {
    /// Nearly always.
    One(usize, Place),
    Many(BTreeMap<usize, Place>),
}

type Place = (usize, Value);

impl Places {
    /// What is made in a block above the one whose span begins at `at`.
    fn above(&self, at: usize) -> Option<Value> {
        let last = match self {
            Places::One(begin, place) => Some(place).filter(|_| *begin <= at),
            Places::Many(places) => places.range(..=at).next_back().map(|(_, place)| place),
        };
        last.filter(|(end, _)| at < *end).map(|(_, value)| *value)
    }

    fn note(&mut self, at: usize, place: Place) {
        if let Places::One(begin, first) = self {
            *self = Places::Many(BTreeMap::from([(*begin, *first)]));
        }
        if let Places::Many(places) = self {
            places.insert(at, place);
        }
    }
}

/// A hash for instructions, which nobody chooses to make it slow.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = lvsc_abi::hash::absorb(self.0, word);
    }
}

/// Loads of the frame that need not be repeated.
type Loaded = Assoc<FrameAccess, Value>;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let tree = Dominators::of(&graph);
    let mut same = Same::of(&program);
    let mut pure = Done::default();
    let nothing = Loaded::default();
    let mut loaded: Arena<BlockId, Loaded> =
        program.blocks.ids().map(|_| nothing.clone()).collect();
    for id in graph.order() {
        let before = graph
            .predecessors(*id)
            .iter()
            .map(|(from, _)| loaded[*from].clone());
        let mut here = before.reduce(|a, b| meet(a, &b)).unwrap_or_default();
        let block = &mut program.blocks[*id];
        let mut kept = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.op.for_each_operand(|value| *value = same.find(*value));
            match known(&inst, *id, &tree, &mut pure, &mut here) {
                Some((result, value)) => same.set(result, value),
                None => kept.push(inst),
            }
        }
        block.insts = kept;
        loaded[*id] = here;
    }
    same.apply(&mut program);
    program
}

/// The result and the value that it equals; else the instruction is noted.
fn known(
    inst: &Inst,
    id: BlockId,
    tree: &Dominators,
    pure: &mut Done,
    loaded: &mut Loaded,
) -> Option<(Value, Value)> {
    if let Op::StoreFrame(access, _) = inst.op {
        loaded.retain(|known, _| is_apart(*known, access));
    }
    let result = inst.result?;
    if inst.op.has_effect() {
        return None;
    }
    if let Op::LoadFrame(access) = inst.op {
        let found = loaded.get(&access).copied();
        loaded.learn(access, result, |first, _| *first);
        return found.map(|value| (result, value));
    }
    let span = tree.span(id);
    match pure.entry(inst.op) {
        Entry::Vacant(entry) => {
            entry.insert(Places::One(span.start, (span.end, result)));
            None
        }
        Entry::Occupied(mut entry) => {
            let found = entry.get().above(span.start);
            if found.is_none() {
                entry.get_mut().note(span.start, (span.end, result));
            }
            found.map(|value| (result, value))
        }
    }
}

/// Whether a store leaves these bytes alone: as far as constants tell.
fn is_apart(known: FrameAccess, store: FrameAccess) -> bool {
    let end = |access: FrameAccess| u32::from(access.offset) + u32::from(access.bytes);
    let apart = end(known) <= u32::from(store.offset) || end(store) <= u32::from(known.offset);
    known.base == store.base && apart
}

fn meet(mut a: Loaded, b: &Loaded) -> Loaded {
    a.meet(b, |x, y| (x == y).then_some(*x));
    a
}
