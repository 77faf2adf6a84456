//! Stores to the frame that nothing reads in between: what a later one writes again is not written before, neighbouring
//! constants are written together, and a store of six bytes writes eight where a later one writes the rest again.

use std::mem::take;
use std::ops::Range;

use lvsc_abi::place::Place;

use crate::program::{Block, FrameAccess, Inst, Op, Order, Program, Value};
use crate::range::bytes_mask;

pub(super) fn run(mut program: Program) -> Program {
    let constants = program.constants();
    let constant = |value: Value| constants.get(value).copied().flatten();
    for block in program.blocks.values_mut() {
        let run = Run {
            values: &mut program.values,
            insts: Vec::with_capacity(block.insts.len()),
            waiting: Vec::new(),
        };
        run.block(block, constant);
    }
    program
}

/// A store that waits for others to join it.
#[derive(Clone, Copy)]
struct Waiting {
    access: FrameAccess,
    value: Value,
    /// What is written, where that is known.
    constant: Option<u64>,
    place: Place,
}

impl Waiting {
    fn bytes(&self) -> Range<u32> {
        let begin = u32::from(self.access.offset);
        begin..begin + u32::from(self.access.bytes)
    }
}

struct Run<'a> {
    values: &'a mut u32,
    insts: Vec<Inst>,
    /// Stores behind the same base, which nothing has read since.
    waiting: Vec<Waiting>,
}

impl Run<'_> {
    fn block(mut self, block: &mut Block, constant: impl Fn(Value) -> Option<u64>) {
        for inst in take(&mut block.insts) {
            if let Op::StoreFrame(access, value) = inst.op
                && (access.order == Order::Little || access.bytes == 1)
            {
                let others = self.waiting.first();
                if others.is_some_and(|other| other.access.base != access.base) {
                    self.write();
                }
                self.waiting.push(Waiting {
                    access,
                    value,
                    constant: constant(value),
                    place: inst.place,
                });
                continue;
            }
            if matches!(inst.op, Op::StoreFrame(..) | Op::LoadFrame(_)) {
                self.write();
            }
            self.insts.push(inst);
        }
        self.write();
        block.insts = self.insts;
    }

    /// Writes what waits.
    fn write(&mut self) {
        let mut stores = uncovered(&take(&mut self.waiting));
        let mut sorted = stores.clone();
        sorted.sort_by_key(|store| store.access.offset);
        // Only stores that do not touch each other may change their places.
        if sorted.is_sorted_by(|a, b| a.bytes().end <= b.bytes().start) {
            stores = self.joined(sorted);
        }
        let mut later = stores.as_slice();
        while let [store, rest @ ..] = later {
            later = rest;
            let mut access = store.access;
            let wide = u32::from(access.offset) + u32::from(access.bytes.next_power_of_two());
            if covers(rest, store.bytes().end..wide) {
                access.bytes = access.bytes.next_power_of_two();
            }
            self.insts.push(Inst {
                result: None,
                op: Op::StoreFrame(access, store.value),
                place: store.place,
            });
        }
    }

    /// Constants that lie side by side are one, up to eight bytes of them.
    fn joined(&mut self, stores: Vec<Waiting>) -> Vec<Waiting> {
        let mut found: Vec<Waiting> = Vec::with_capacity(stores.len());
        for store in stores {
            let last = found.last_mut();
            let both = last.and_then(|last| {
                let bytes = last.access.bytes + store.access.bytes;
                let beside = last.bytes().end == store.bytes().start && bytes <= 8;
                let (low, high) = last.constant.zip(store.constant).filter(|_| beside)?;
                let low = low & bytes_mask(last.access.bytes);
                Some((last.access.bytes, bytes, low, high))
            });
            let Some((before, bytes, low, high)) = both else {
                found.push(store);
                continue;
            };
            let constant = (low | high << (u32::from(before) * 8)) & bytes_mask(bytes);
            let value = Value(*self.values);
            *self.values += 1;
            self.insts.push(Inst {
                result: Some(value),
                op: Op::Const(constant),
                place: store.place,
            });
            if let Some(last) = found.last_mut() {
                last.access.bytes = bytes;
                last.access.order = Order::Little;
                (last.value, last.constant) = (value, Some(constant));
            }
        }
        found
    }
}

/// The stores of which something stays.
fn uncovered(stores: &[Waiting]) -> Vec<Waiting> {
    let each = stores.iter().enumerate();
    let kept = each.filter(|(index, store)| {
        let later = stores.get(index + 1..).unwrap_or_default();
        !covers(later, store.bytes())
    });
    kept.map(|(_, store)| *store).collect()
}

/// Whether the stores write all of these bytes.
fn covers(stores: &[Waiting], mut bytes: Range<u32>) -> bool {
    bytes.all(|byte| stores.iter().any(|store| store.bytes().contains(&byte)))
}
