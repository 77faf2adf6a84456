//! Equal instructions are done once: what is pure where the first one dominates, and loads of the frame where every
//! way between has left those bytes alone. Shared loads are never merged.

use std::collections::{BTreeMap, HashMap};

use super::Same;
use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{BlockId, FrameAccess, Inst, Op, Program, Value};

/// Loads of the frame that need not be repeated, in the order of their text for equal results every time.
type Loaded = BTreeMap<Key, Value>;
/// A frame access that can be ordered.
type Key = (Option<Value>, u16, u8, bool);

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let mut same = Same::of(&program);
    let mut pure: HashMap<Op, Vec<(BlockId, Value)>> = HashMap::new();
    let mut loaded: Arena<BlockId, Loaded> = program.blocks.ids().map(|_| Loaded::new()).collect();
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
            match known(&inst, *id, &graph, &mut pure, &mut here) {
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
    graph: &Graph,
    pure: &mut HashMap<Op, Vec<(BlockId, Value)>>,
    loaded: &mut Loaded,
) -> Option<(Value, Value)> {
    if let Op::StoreFrame(access, _) = inst.op {
        loaded.retain(|key, _| is_apart(*key, access));
    }
    let result = inst.result?;
    if inst.op.has_effect() {
        return None;
    }
    if let Op::LoadFrame(access) = inst.op {
        let found = loaded.get(&key(access)).copied();
        loaded.entry(key(access)).or_insert(result);
        return found.map(|value| (result, value));
    }
    let equal = pure.entry(inst.op.clone()).or_default();
    let found = equal
        .iter()
        .find(|(from, _)| graph.dominates(*from, id))
        .map(|(_, value)| *value);
    if found.is_none() {
        equal.push((id, result));
    }
    found.map(|value| (result, value))
}

fn key(access: FrameAccess) -> Key {
    let big = matches!(access.order, crate::program::Order::Big);
    (access.base, access.offset, access.bytes, big)
}

/// Whether a store leaves these bytes alone: as far as constants tell.
fn is_apart((base, offset, bytes, _): Key, store: FrameAccess) -> bool {
    let end = |offset: u16, bytes: u8| u32::from(offset) + u32::from(bytes);
    base == store.base
        && (end(offset, bytes) <= u32::from(store.offset)
            || end(store.offset, store.bytes) <= u32::from(offset))
}

fn meet(mut a: Loaded, b: &Loaded) -> Loaded {
    a.retain(|key, value| b.get(key) == Some(value));
    a
}
