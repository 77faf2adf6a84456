//! Bits that nobody looks at: a mask that takes only such bits away is left out, and what is loaded is as wide as what
//! is looked at of it, or wider where that is one access.

use crate::arena::Arena;
use crate::eval;
use crate::graph::Graph;
use crate::program::{Binary, Class, FrameAccess, Op, Order, Program, Value};
use crate::proven::{self, Proven};
use crate::range::bytes_mask;

use super::Same;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let proven = proven::at_begin(&program, &graph);
    let constants = program.constants();
    let demanded = demanded(&program, &graph, &constants);
    let mut same = Same::of(&program);
    let mut loaded: Arena<Value, u64> = demanded.values().map(|_| u64::MAX).collect();
    for id in graph.order() {
        for inst in &mut program.blocks[*id].insts {
            let Some(result) = inst.result else { continue };
            let wanted = demanded[result];
            if let Op::Binary(op, a, b) = inst.op
                && constants[b].is_some_and(|known| is_idle(op, known, wanted, loaded[a]))
            {
                same.set(result, a);
            }
            if let Op::LoadFrame(access) = &mut inst.op {
                *access = of_frame(*access, wanted, &proven[*id]);
                loaded[result] = bytes_mask(access.bytes);
            }
            if let Op::Load(Class::Config, access) = &mut inst.op {
                access.bytes = access.bytes.min(size(wanted));
                loaded[result] = bytes_mask(access.bytes);
            }
        }
    }
    same.apply(&mut program);
    program
}

/// Whether the operation leaves the wanted bits as they are, of a value that has no others than those of `present`.
fn is_idle(op: Binary, known: u64, wanted: u64, present: u64) -> bool {
    match op {
        Binary::And => wanted & present & !known == 0,
        Binary::Or | Binary::Xor => wanted & known == 0,
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Shl
        | Binary::Shr
        | Binary::Div
        | Binary::Rem => false,
    }
}

/// How many bytes hold the wanted bits: 1, 2, 4 or 8.
fn size(wanted: u64) -> u8 {
    let fits = |size: &u8| wanted & !bytes_mask(*size) == 0;
    [1, 2, 4].into_iter().find(fits).unwrap_or(8)
}

fn of_frame(access: FrameAccess, wanted: u64, proven: &Proven) -> FrameAccess {
    let size = size(wanted);
    if wanted == 0 || (access.order == Order::Big && access.bytes > 1) {
        return access;
    }
    if size < access.bytes {
        return FrameAccess {
            bytes: size,
            ..access
        };
    }
    // The bits above the loaded ones are 0, unless nobody wants to know.
    let wider = FrameAccess {
        bytes: access.bytes.next_power_of_two(),
        ..access
    };
    let high = wanted & !bytes_mask(access.bytes);
    if high == 0 && proven.allows(wider) {
        wider
    } else {
        access
    }
}

/// The bits of each value that make a difference.
fn demanded(
    program: &Program,
    graph: &Graph,
    constants: &Arena<Value, Option<u64>>,
) -> Arena<Value, u64> {
    let mut demanded: Arena<Value, u64> = (0..program.values).map(|_| 0).collect();
    // Against the order: whoever reads a value comes after the one that makes it.
    for id in graph.order().iter().rev() {
        let block = &program.blocks[*id];
        let read = block.end.operand();
        if let Some(value) = read {
            demanded[value] = u64::MAX;
        }
        for jump in block.end.jumps() {
            for (param, arg) in program.blocks[jump.to].params.iter().zip(&jump.args) {
                demanded[*arg] |= demanded[*param];
            }
        }
        for inst in block.insts.iter().rev() {
            let wanted = inst.result.map_or(0, |result| demanded[result]);
            if wanted != 0 || inst.op.has_effect() {
                of_operands(&inst.op, wanted, constants, &mut |value, bits| {
                    demanded[value] |= bits;
                });
            }
        }
    }
    demanded
}

/// Tells which bits of its operands an instruction needs for the wanted ones of its result.
fn of_operands(
    op: &Op,
    wanted: u64,
    constants: &Arena<Value, Option<u64>>,
    demand: &mut impl FnMut(Value, u64),
) {
    match *op {
        Op::Binary(op, a, b) => of_binary(op, (a, b), constants[b], wanted, demand),
        Op::Select(condition, a, b) => {
            demand(condition, u64::MAX);
            demand(a, wanted);
            demand(b, wanted);
        }
        Op::Swap(bytes, a) => demand(a, eval::swap(bytes, wanted)),
        Op::StoreFrame(access, value) => {
            access
                .base
                .into_iter()
                .for_each(|base| demand(base, u64::MAX));
            demand(value, bytes_mask(access.bytes));
        }
        Op::Store(access, value) | Op::Raise(access, value) => {
            demand(access.index, u64::MAX);
            demand(value, bytes_mask(access.bytes));
        }
        Op::Const(_)
        | Op::FrameLength
        | Op::Ingress
        | Op::Worker
        | Op::Compare(..)
        | Op::LoadFrame(_)
        | Op::Load(..)
        | Op::Exchange(..)
        | Op::Find(..)
        | Op::Place(..)
        | Op::Count(..) => op.operands().for_each(|value| demand(value, u64::MAX)),
    }
}

fn of_binary(
    op: Binary,
    (a, b): (Value, Value),
    constant: Option<u64>,
    wanted: u64,
    demand: &mut impl FnMut(Value, u64),
) {
    let (first, second) = match (op, constant) {
        (Binary::And, Some(mask)) => (wanted & mask, wanted),
        (Binary::Or, Some(set)) => (wanted & !set, wanted),
        (Binary::Shl, Some(bits)) => (wanted >> (bits & 63), u64::MAX),
        (Binary::Shr, Some(bits)) => (wanted << (bits & 63), u64::MAX),
        (Binary::And | Binary::Or | Binary::Xor, _) => (wanted, wanted),
        // Carries go upwards only.
        (Binary::Add | Binary::Sub | Binary::Mul, _) => {
            let below = u64::MAX.checked_shr(wanted.leading_zeros()).unwrap_or(0);
            (below, below)
        }
        (Binary::Shl | Binary::Shr | Binary::Div | Binary::Rem, _) => (u64::MAX, u64::MAX),
    };
    demand(a, first);
    demand(b, second);
}
