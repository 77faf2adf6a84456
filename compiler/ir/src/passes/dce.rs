//! What no effect and no end needs is left out, parameters too.

use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{BlockId, Program, Value};

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let needed = needed(&program, &graph);
    let kept: Arena<BlockId, Vec<bool>> = program
        .blocks
        .values()
        .map(|block| block.params.iter().map(|param| needed[*param]).collect())
        .collect();
    for (id, block) in program.blocks.ids().zip(program.blocks.values_mut()) {
        block
            .insts
            .retain(|inst| inst.op.has_effect() || inst.result.is_none_or(|result| needed[result]));
        keep(&mut block.params, &kept[id]);
        block
            .end
            .jumps_mut()
            .for_each(|jump| keep(&mut jump.args, &kept[jump.to]));
    }
    program
}

fn keep(values: &mut Vec<Value>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().copied().unwrap_or(true));
}

/// Whether each value is needed, by demand.
fn needed(program: &Program, graph: &Graph) -> Arena<Value, bool> {
    let mut needed: Arena<Value, bool> = (0..program.values).map(|_| false).collect();
    // Against the order: whoever reads a value comes after the one that makes it.
    for id in graph.order().iter().rev() {
        let block = &program.blocks[*id];
        block
            .end
            .operand()
            .into_iter()
            .for_each(|value| needed[value] = true);
        for jump in block.end.jumps() {
            for (param, arg) in program.blocks[jump.to].params.iter().zip(&jump.args) {
                needed[*arg] |= needed[*param];
            }
        }
        for inst in block.insts.iter().rev() {
            if inst.op.has_effect() || inst.result.is_none_or(|result| needed[result]) {
                inst.op.operands().for_each(|value| needed[value] = true);
            }
        }
    }
    needed
}
