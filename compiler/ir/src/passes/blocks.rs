//! Blocks: those that nothing reaches are left out, a jump to an empty one goes where that goes, and one that only
//! one jump reaches becomes the end of the block that jumps.

use std::mem::take;

use super::{Same, uses};
use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{BlockId, Jump, Program, Terminator, Value};

pub(super) fn run(program: Program) -> Program {
    merge(thread(program)).pruned()
}

/// Jumps past blocks that only jump on, and whose parameters nobody else reads.
fn thread(mut program: Program) -> Program {
    let uses = uses(&program);
    let mut past: Arena<BlockId, Option<Jump>> = program.blocks.ids().map(|_| None).collect();
    for id in program.reverse_postorder().into_iter().rev() {
        let block = &program.blocks[id];
        let handed_on = block.params.iter().all(|param| {
            let operands = block.end.operands();
            uses[*param] as usize == operands.filter(|value| value == param).count()
        });
        let mut end = block.end.clone();
        for jump in end.jumps_mut() {
            if let Some(on) = &past[jump.to] {
                *jump = behind(jump, &program.blocks[jump.to].params, on);
            }
        }
        end = decided(end);
        if let (true, true, Terminator::Jump(jump)) = (handed_on, block.insts.is_empty(), &end) {
            past[id] = Some(jump.clone());
        }
        program.blocks[id].end = end;
    }
    program
}

/// A branch both of whose ways are the same is a jump.
pub(super) fn decided(end: Terminator) -> Terminator {
    match end {
        Terminator::If {
            then, otherwise, ..
        }
        | Terminator::Bounds {
            then, otherwise, ..
        } if then == otherwise => Terminator::Jump(then),
        Terminator::If { .. }
        | Terminator::Bounds { .. }
        | Terminator::Jump(_)
        | Terminator::Return { .. } => end,
    }
}

/// Where a jump ends that hands its values to `params`, from where it goes `on`.
fn behind(jump: &Jump, params: &[Value], on: &Jump) -> Jump {
    let given = |arg: &Value| {
        let index = params.iter().position(|param| param == arg);
        index
            .and_then(|index| jump.args.get(index))
            .copied()
            .unwrap_or(*arg)
    };
    Jump {
        to: on.to,
        args: on.args.iter().map(given).collect(),
    }
}

/// Puts a block that only one jump reaches behind the one that jumps.
fn merge(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let mut same = Same::of(&program);
    let mut merged: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    for id in graph.order() {
        if merged[*id] {
            continue;
        }
        while let Terminator::Jump(jump) = &program.blocks[*id].end
            && graph.predecessors(jump.to).len() == 1
        {
            let jump = jump.clone();
            merged[jump.to] = true;
            let next = &mut program.blocks[jump.to];
            for (param, arg) in next.params.iter().zip(&jump.args) {
                same.set(*param, *arg);
            }
            let (insts, end, place) = (take(&mut next.insts), next.end.clone(), next.place);
            let block = &mut program.blocks[*id];
            block.insts.extend(insts);
            (block.end, block.place) = (end, place);
        }
    }
    same.apply(&mut program);
    program
}
