//! Twins: blocks that do the same are one. Rules that end alike, a drop for the same reason say, share their end.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use super::blocks::decided;
use super::escapes;
use crate::arena::Arena;
use crate::program::{Block, BlockId, Inst, Op, Program, Terminator, Value};

pub(super) fn run(mut program: Program) -> Program {
    let names = Names::of(&program);
    // Only looked into, never gone through.
    let mut known: HashMap<Shape, BlockId, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    let mut same: Arena<BlockId, BlockId> = program.blocks.ids().collect();
    let mut shared = Vec::new();
    for id in program.reverse_postorder().into_iter().rev() {
        let block = &mut program.blocks[id];
        block
            .end
            .jumps_mut()
            .for_each(|jump| jump.to = same[jump.to]);
        block.end = decided(block.end.clone());
        if id == Program::ENTRY || !names.keeps_its_values(block) {
            continue;
        }
        match known.entry(names.shape(block)) {
            Entry::Vacant(entry) => drop(entry.insert(id)),
            Entry::Occupied(entry) => {
                same[id] = *entry.get();
                shared.push(*entry.get());
            }
        }
    }
    shared.sort_unstable();
    shared.dedup();
    for id in shared {
        own_constants(&mut program, id, &names.constants);
    }
    program.pruned()
}

/// A block with its values named alike in every block that does the same.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    params: usize,
    insts: Vec<Op>,
    end: Terminator,
}

struct Names {
    /// How many values the program has.
    values: u32,
    constants: Arena<Value, Option<u64>>,
    /// A number for each constant.
    numbers: BTreeMap<u64, u32>,
    /// Whether a value is read in a block other than the one that makes it.
    escapes: Arena<Value, bool>,
}

impl Names {
    fn of(program: &Program) -> Names {
        let constants = program.constants();
        let each: BTreeSet<u64> = constants.values().flatten().copied().collect();
        Names {
            values: program.values,
            numbers: each.into_iter().zip(0..).collect(),
            constants,
            escapes: escapes(program),
        }
    }

    /// Whether nobody else reads what is made in the block.
    fn keeps_its_values(&self, block: &Block) -> bool {
        let made = block.insts.iter().filter_map(|inst| inst.result);
        let mut all = made.chain(block.params.iter().copied());
        all.all(|value| !self.escapes[value])
    }

    fn shape(&self, block: &Block) -> Shape {
        let plain = block.insts.iter().filter(|inst| !is_constant(inst));
        let made = plain.clone().filter_map(|inst| inst.result);
        let own: BTreeMap<Value, u32> = (block.params.iter().copied())
            .chain(made)
            .zip(self.values..)
            .collect();
        let name = |value: &mut Value| {
            let constant = self.constants[*value].and_then(|constant| self.numbers.get(&constant));
            let named = constant.map(|number| u32::MAX - number);
            let named = named.or_else(|| own.get(value).copied());
            if let Some(named) = named {
                *value = Value(named);
            }
        };
        let ops = plain.map(|inst| {
            let mut op = inst.op;
            op.for_each_operand(name);
            op
        });
        let mut end = block.end.clone();
        end.for_each_operand(name);
        Shape {
            params: block.params.len(),
            insts: ops.collect(),
            end,
        }
    }
}

fn is_constant(inst: &Inst) -> bool {
    matches!(inst.op, Op::Const(_))
}

/// Makes the constants that the block reads in the block itself: those that dominate it need not dominate its twins.
fn own_constants(program: &mut Program, id: BlockId, constants: &Arena<Value, Option<u64>>) {
    let block = &program.blocks[id];
    let place = block.place;
    let read = block.insts.iter().flat_map(|inst| inst.op.operands());
    let read: BTreeSet<Value> = read.chain(block.end.operands()).collect();
    let made: BTreeSet<Value> = block.insts.iter().filter_map(|inst| inst.result).collect();
    let mut own = BTreeMap::new();
    for value in read.difference(&made) {
        if let Some(constant) = constants[*value] {
            own.insert(*value, (program.fresh(), constant));
        }
    }
    let rename = |value: &mut Value| {
        if let Some((renamed, _)) = own.get(value) {
            *value = *renamed;
        }
    };
    let block = &mut program.blocks[id];
    for inst in &mut block.insts {
        inst.op.for_each_operand(rename);
    }
    block.end.for_each_operand(rename);
    let own = own.values().map(|(result, constant)| Inst {
        result: Some(*result),
        op: Op::Const(*constant),
        place,
    });
    block.insts.splice(0..0, own);
}
