//! The most that the kernel's verifier knows a value to be at most: what it learns from single instructions
//! (kernel/bpf/verifier.c, `adjust_scalar_min_max_vals`). What it does not know is masked before it is an index.

use lvsc_ir::arena::Arena;
use lvsc_ir::graph::{self, Graph};
use lvsc_ir::program::{Binary, Op, Order, Program, Value};

/// Nothing is known.
const NOTHING: u64 = u64::MAX;
/// Sums and products of less than this do not wrap.
const HALF: u64 = 1 << 31;

/// For each value the most that it is known to be, given those that are constants. `interfaces` is their number.
pub(crate) fn of(
    program: &Program,
    graph: &Graph,
    constants: &Arena<Value, Option<u64>>,
    interfaces: usize,
) -> Arena<Value, u64> {
    let mut known: Arena<Value, u64> = (0..program.values).map(|_| NOTHING).collect();
    for id in graph.order() {
        let block = &program.blocks[*id];
        for (index, param) in block.params.iter().enumerate() {
            // The verifier follows every way by itself.
            let args = graph.predecessors(*id).iter().map(|edge| {
                let arg = graph::jump(program, *edge).args.get(index);
                arg.map_or(NOTHING, |arg| known[*arg])
            });
            known[*param] = args.max().unwrap_or(NOTHING);
        }
        for inst in &block.insts {
            if let Some(result) = inst.result {
                known[result] = of_op(&inst.op, &known, constants, interfaces);
            }
        }
    }
    known
}

fn of_op(
    op: &Op,
    known: &Arena<Value, u64>,
    constants: &Arena<Value, Option<u64>>,
    interfaces: usize,
) -> u64 {
    match op {
        Op::Const(value) => *value,
        Op::Ingress => interfaces.saturating_sub(1) as u64,
        Op::Compare(..) => 1,
        Op::Select(_, a, b) => known[*a].max(known[*b]),
        // Reversing bytes makes an unknown number of it.
        Op::LoadFrame(access) if access.order == Order::Little || access.bytes == 1 => {
            loaded(access.bytes)
        }
        Op::Load(_, access) => loaded(access.bytes),
        Op::Find(..) | Op::Place(..) => lvsc_abi::flows::ABSENT,
        Op::Binary(op, a, b) => of_binary(*op, known[*a], known[*b], constants[*b]),
        Op::FrameLength
        | Op::Worker
        | Op::Swap(..)
        | Op::LoadFrame(_)
        | Op::Exchange(..)
        | Op::Raise(..)
        | Op::StoreFrame(..)
        | Op::Store(..)
        | Op::Count(..) => NOTHING,
    }
}

/// One instruction loads 1, 2, 4 or 8 bytes.
fn loaded(bytes: u8) -> u64 {
    match bytes {
        1 => 0xff,
        2 => 0xffff,
        4 => 0xffff_ffff,
        _ => NOTHING,
    }
}

fn of_binary(op: Binary, a: u64, b: u64, constant: Option<u64>) -> u64 {
    match (op, constant) {
        (Binary::And, Some(mask)) => a.min(mask),
        (Binary::Add, _) if a < HALF && b < HALF => a + b,
        (Binary::Mul, _) if a < HALF && b < HALF => a * b,
        (Binary::Or | Binary::Xor, _) if a < HALF && b < HALF => (a | b)
            .checked_add(1)
            .map_or(NOTHING, |sum| sum.next_power_of_two() - 1),
        (Binary::Shl, Some(bits)) if bits < 32 && a < HALF => a << bits,
        (Binary::Shr, Some(bits)) if bits < 64 => a >> bits,
        _ => NOTHING,
    }
}
