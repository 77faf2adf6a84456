//! What a program says of each of its values.

use lvsc_ir::arena::Arena;
use lvsc_ir::program::{Op, Program, Terminator, Value};

/// The number that it is, where it is a constant.
pub(crate) fn constants(program: &Program) -> Arena<Value, Option<u64>> {
    let mut constants: Arena<Value, Option<u64>> = (0..program.values).map(|_| None).collect();
    for inst in program.blocks.values().flat_map(|block| &block.insts) {
        if let (Some(result), Op::Const(value)) = (inst.result, inst.op) {
            constants[result] = Some(value);
        }
    }
    constants
}

/// Whether it is only asked whether it is not 0.
pub(crate) fn fused(program: &Program) -> Arena<Value, bool> {
    let mut fused: Arena<Value, bool> = (0..program.values).map(|_| true).collect();
    for block in program.blocks.values() {
        for inst in &block.insts {
            let asked = usize::from(matches!(inst.op, Op::Select(..)));
            for value in inst.op.operands().skip(asked) {
                fused[value] = false;
            }
        }
        let asks = matches!(block.end, Terminator::If { .. });
        for value in block.end.operands().skip(usize::from(asks)) {
            fused[value] = false;
        }
    }
    fused
}

/// Whether it is a base of the frame.
pub(crate) fn bases(program: &Program) -> Arena<Value, bool> {
    let mut bases: Arena<Value, bool> = (0..program.values).map(|_| false).collect();
    for block in program.blocks.values() {
        if let Terminator::Bounds {
            base: Some(base), ..
        } = block.end
        {
            bases[base] = true;
        }
    }
    bases
}
