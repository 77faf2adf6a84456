//! What the frame still holds is read again where it is needed far behind its first reading, for to read it costs less than to
//! keep it: registers are few on the ways in between, and what would be carried from one loop of a batch to the next
//! ([`crate::stage`]) need not be.

use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{BlockId, FrameAccess, Inst, Op, Order, Program, Value};

/// So many blocks further on in their order it is far.
const FAR: usize = 8;

pub(crate) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let changed = changed(&program, &graph);
    let mut readings: Arena<Value, Option<Reading>> = (0..program.values).map(|_| None).collect();
    for (position, id) in graph.order().iter().enumerate() {
        if !changed[*id] {
            let found = again(&mut program, *id, position, &readings);
            program.blocks[*id].insts.splice(0..0, found);
        }
        for inst in &program.blocks[*id].insts {
            if let (Some(result), Op::LoadFrame(access)) = (inst.result, &inst.op)
                && is_word(*access)
                && let Some(reading) = readings.get_mut(result)
            {
                *reading = Some(Reading {
                    access: *access,
                    position,
                });
            }
        }
    }
    program
}

/// What is read, and the place of the block in the order.
#[derive(Clone, Copy)]
struct Reading {
    access: FrameAccess,
    position: usize,
}

/// For each block, whether the frame may have been changed before it begins.
fn changed(program: &Program, graph: &Graph) -> Arena<BlockId, bool> {
    let mut changed: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    for id in graph.order() {
        let block = &program.blocks[*id];
        let stores = |inst: &Inst| matches!(inst.op, Op::StoreFrame(..));
        if changed[*id] || block.insts.iter().any(stores) {
            block.end.jumps().for_each(|jump| changed[jump.to] = true);
        }
    }
    changed
}

/// Whether it is one load and nothing more, of a whole word: of less, tests that were passed may have told something that the
/// kernel's verifier would have to find out again, way by way.
fn is_word(access: FrameAccess) -> bool {
    access.base.is_none() && access.order == Order::Little && access.bytes == 8
}

/// Reads in the block what was read far before it: the new loads.
fn again(
    program: &mut Program,
    id: BlockId,
    position: usize,
    readings: &Arena<Value, Option<Reading>>,
) -> Vec<Inst> {
    let block = &program.blocks[id];
    let place = block.insts.first().map_or(block.place, |inst| inst.place);
    let operands = block.insts.iter().flat_map(|inst| inst.op.operands());
    let far = operands.chain(block.end.operands()).filter_map(|value| {
        let reading = readings.get(value).copied().flatten()?;
        (reading.position + FAR < position).then_some((value, reading.access))
    });
    let far: BTreeMap<Value, FrameAccess> = far.collect();
    let mut anew = BTreeMap::new();
    let mut loads = Vec::with_capacity(far.len());
    for (value, access) in far {
        let result = program.fresh();
        anew.insert(value, result);
        loads.push(Inst {
            result: Some(result),
            op: Op::LoadFrame(access),
            place,
        });
    }
    let block = &mut program.blocks[id];
    let replace = |value: &mut Value| *value = anew.get(value).copied().unwrap_or(*value);
    for inst in &mut block.insts {
        inst.op.for_each_operand(replace);
    }
    block.end.for_each_operand(replace);
    loads
}
