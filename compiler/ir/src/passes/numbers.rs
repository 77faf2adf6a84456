//! Blocks and values numbered in the order in which they are written, without gaps. Equal programs become equal text.

use crate::arena::Arena;
use crate::program::{Program, Value};

pub(super) fn run(mut program: Program) -> Program {
    program = program.pruned();
    let mut numbers: Arena<Value, Value> = (0..program.values).map(Value).collect();
    let mut next = 0;
    let mut number = |value: &mut Value| {
        numbers[*value] = Value(next);
        *value = Value(next);
        next += 1;
    };
    for block in program.blocks.values_mut() {
        block.params.iter_mut().for_each(&mut number);
        block
            .insts
            .iter_mut()
            .filter_map(|inst| inst.result.as_mut())
            .for_each(&mut number);
    }
    program.values = next;
    for block in program.blocks.values_mut() {
        for inst in &mut block.insts {
            inst.op.for_each_operand(|value| *value = numbers[*value]);
        }
        block.end.for_each_operand(|value| *value = numbers[*value]);
    }
    program
}
