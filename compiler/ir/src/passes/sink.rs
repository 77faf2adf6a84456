//! What only some ways need is done there: in the first block that all of them pass. Other ways do without it, and where a
//! batch is cut into loops ([`crate::stage`]) less is carried from one to the next.
//!
//! Only what has at most one operand that must be kept for it moves, so that no more values are kept than before. Loads
//! of the frame stay, for stores may lie between, and so does the number of a bucket, which is best known early.

use crate::arena::Arena;
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::program::{BlockId, Inst, Op, Program, Value};
use crate::stage::is_cheap;

pub(crate) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let tree = Dominators::of(&graph);
    let mut kept: Arena<Value, bool> = (0..program.values).map(|_| true).collect();
    let mut stays: Arena<Value, bool> = (0..program.values).map(|_| false).collect();
    for inst in program.blocks.values().flat_map(|block| &block.insts) {
        if let Some(result) = inst.result {
            kept[result] = !is_cheap(&inst.op);
        }
        if let Op::Find(_, bucket, _) = inst.op {
            stays[bucket] = true;
        }
    }
    let mut readers = Readers {
        tree: &tree,
        first: (0..program.values).map(|_| None).collect(),
    };
    let mut moved: Arena<BlockId, Vec<Inst>> = program.blocks.ids().map(|_| Vec::new()).collect();
    // Against the order: whoever reads a value has its place before the value is looked at.
    for id in graph.order().iter().rev() {
        let block = &mut program.blocks[*id];
        (block.end.operands()).for_each(|value| readers.add(value, *id));
        let mut left = Vec::with_capacity(block.insts.len());
        for inst in std::mem::take(&mut block.insts).into_iter().rev() {
            let moves = |value: &Value| may_move(&inst.op, &kept) && !stays[*value];
            let to = (inst.result.filter(moves))
                .and_then(|result| readers.first[result])
                .unwrap_or(*id);
            inst.op.operands().for_each(|value| readers.add(value, to));
            if to == *id {
                left.push(inst);
            } else {
                moved[to].push(inst);
            }
        }
        left.reverse();
        block.insts = left;
    }
    for (block, insts) in program.blocks.values_mut().zip(moved.into_values()) {
        // What is read was found behind its reader.
        block.insts.splice(0..0, insts.into_iter().rev());
    }
    program
}

/// The first block that all readers of a value pass, as far as they are known.
struct Readers<'a> {
    tree: &'a Dominators,
    first: Arena<Value, Option<BlockId>>,
}

impl Readers<'_> {
    fn add(&mut self, value: Value, reader: BlockId) {
        let first = &mut self.first[value];
        *first = Some(first.map_or(reader, |first| self.tree.common(first, reader)));
    }
}

fn may_move(op: &Op, kept: &Arena<Value, bool>) -> bool {
    let is_pure = !op.has_effect() && !matches!(op, Op::LoadFrame(_));
    let held = op.operands().filter(|operand| kept[*operand]);
    is_pure && !is_cheap(op) && held.count() <= 1
}
