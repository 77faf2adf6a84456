//! What a program says of each of its values.

use lvsc_ir::arena::Arena;
use lvsc_ir::program::{Op, Program, Terminator, Value};

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
