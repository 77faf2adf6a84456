//! Passes: each makes a simpler program that decides the same. One a file.
//!
//! No pass removes, adds or moves an effect but `stores`: nobody else sees the frame before a program ends, so that its
//! stores need to be in order only with each other and with its loads. Each keeps a program valid; in debug builds and tests every result is verified.

mod again;
mod blocks;
mod chains;
mod compares;
mod cse;
mod dce;
mod demanded;
mod fold;
mod known;
mod numbers;
mod order;
mod simplify;
pub(crate) mod sink;
mod stores;
#[cfg(test)]
mod tests;
mod twins;

use lvsc_abi::layout::Layout;

use crate::arena::Arena;
use crate::program::{BlockId, Program, Value};
use crate::verify::{self, Verified};

/// A pass.
pub type Pass = fn(Program) -> Program;

/// A pass and its name.
type Named = (&'static str, Pass);

const AGAIN: Named = ("again", again::run);
const BLOCKS: Named = ("blocks", blocks::run);
const CHAINS: Named = ("chains", chains::run);
const COMPARES: Named = ("compares", compares::run);
const CSE: Named = ("cse", cse::run);
const DCE: Named = ("dce", dce::run);
const DEMANDED: Named = ("demanded", demanded::run);
const FOLD: Named = ("fold", fold::run);
const KNOWN: Named = ("known", known::run);
const NUMBERS: Named = ("numbers", numbers::run);
const ORDER: Named = ("order", order::run);
const SINK: Named = ("sink", sink::run);
const STORES: Named = ("stores", stores::run);
const TWINS: Named = ("twins", twins::run);

/// The passes by name, each before those that tidy up behind it.
pub const PASSES: [Named; 14] = [
    BLOCKS, FOLD, CSE, KNOWN, ORDER, COMPARES, DEMANDED, STORES, CHAINS, TWINS, SINK, AGAIN, DCE,
    NUMBERS,
];

/// The order in which they run: first what takes branches and blocks away, then, on the fewer blocks, what takes
/// instructions away (without their byte order, masks become needless). A second time through finds next to nothing.
const SCHEDULE: [Named; 19] = [
    FOLD, CSE, KNOWN, DCE, BLOCKS, ORDER, FOLD, COMPARES, DEMANDED, STORES, CSE, DCE, CHAINS,
    TWINS, BLOCKS, SINK, AGAIN, DCE, NUMBERS,
];

/// Runs the passes. `layout` is the one that the program was verified against.
pub fn optimize(program: Verified, layout: &Layout) -> Verified {
    let mut program = program.into_program();
    for (name, pass) in SCHEDULE {
        program = pass(program);
        check(name, &program, layout);
    }
    Verified::trusted(program)
}

fn check(name: &str, program: &Program, layout: &Layout) {
    if cfg!(debug_assertions)
        && let Err(error) = verify::verify(program.clone(), layout)
    {
        let text = crate::text::print(program, layout);
        panic!("pass {name} broke the program: {error}\n{text}");
    }
}

/// How often each value is read by a block that is reached.
fn uses(program: &Program) -> Arena<Value, u32> {
    let mut uses: Arena<Value, u32> = (0..program.values).map(|_| 0).collect();
    for id in program.reverse_postorder() {
        let block = &program.blocks[id];
        let insts = block.insts.iter().flat_map(|inst| inst.op.operands());
        insts
            .chain(block.end.operands())
            .for_each(|value| uses[value] += 1);
    }
    uses
}

/// Whether each value is read in a block other than the one that makes it.
fn escapes(program: &Program) -> Arena<Value, bool> {
    let mut home: Arena<Value, Option<BlockId>> = (0..program.values).map(|_| None).collect();
    for (id, block) in program.blocks.iter() {
        let made = block.insts.iter().filter_map(|inst| inst.result);
        made.chain(block.params.iter().copied())
            .for_each(|value| home[value] = Some(id));
    }
    let mut escapes: Arena<Value, bool> = (0..program.values).map(|_| false).collect();
    for (id, block) in program.blocks.iter() {
        let insts = block.insts.iter().flat_map(|inst| inst.op.operands());
        for value in insts.chain(block.end.operands()) {
            escapes[value] |= home[value] != Some(id);
        }
    }
    escapes
}

/// Which value stands for which: itself, unless a pass found an equal one.
struct Same(Arena<Value, Value>);

impl Same {
    fn of(program: &Program) -> Same {
        Same((0..program.values).map(Value).collect())
    }

    fn find(&self, mut value: Value) -> Value {
        while let Some(next) = self.0.get(value).copied().filter(|next| *next != value) {
            value = next;
        }
        value
    }

    /// From now on `value` is `other`, which is made before it.
    fn set(&mut self, value: Value, other: Value) {
        let other = self.find(other);
        if let Some(entry) = self.0.get_mut(value) {
            *entry = other;
        }
    }

    /// Writes what was found into the whole program.
    fn apply(&self, program: &mut Program) {
        for block in program.blocks.values_mut() {
            for inst in &mut block.insts {
                inst.op.for_each_operand(|value| *value = self.find(*value));
            }
            block
                .end
                .for_each_operand(|value| *value = self.find(*value));
        }
    }
}
