//! Blocks: those that nothing reaches are left out, a jump to an empty one goes where that goes, and one that only
//! one jump reaches becomes the end of the block that jumps.

use super::{Same, uses};
use crate::arena::{Arena, Id};
use crate::graph::Graph;
use crate::program::{BlockId, Jump, Program, Terminator, Value};

pub(super) fn run(program: Program) -> Program {
    let threaded = prune(&thread(program));
    prune(&merge(threaded))
}

/// Leaves out what the entry does not reach, and orders the rest: each block after all that jump to it.
pub(super) fn prune(program: &Program) -> Program {
    let order = program.reverse_postorder();
    let mut numbers: Arena<BlockId, BlockId> = program.blocks.ids().collect();
    for (index, id) in order.iter().enumerate() {
        numbers[*id] = BlockId::at(index);
    }
    let mut pruned = Program {
        blocks: Arena::new(),
        values: program.values,
    };
    for id in order {
        let mut block = program.blocks[id].clone();
        block
            .end
            .jumps_mut()
            .for_each(|jump| jump.to = numbers[jump.to]);
        pruned.blocks.push(block);
    }
    pruned
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
            let next = program.blocks[jump.to].clone();
            for (param, arg) in next.params.iter().zip(&jump.args) {
                same.set(*param, *arg);
            }
            merged[jump.to] = true;
            let block = &mut program.blocks[*id];
            block.insts.extend(next.insts);
            (block.end, block.place) = (next.end, next.place);
        }
    }
    same.apply(&mut program);
    program
}
