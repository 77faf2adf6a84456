//! Questions that were asked already: a branch or a `bounds` whose answer every way from the entry knows.

use std::collections::BTreeMap;

use super::blocks;
use crate::arena::Arena;
use crate::graph::{Edge, Graph};
use crate::program::{BlockId, Jump, Program, Terminator, Value};
use crate::proven;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let proven = proven::at_begin(&program, &graph);
    let mut answers: Arena<BlockId, Answers> =
        program.blocks.ids().map(|_| Answers::default()).collect();
    for id in graph.order() {
        let edges = graph.predecessors(*id).iter();
        let met = edges
            .map(|edge| behind(&program, *edge, &answers))
            .reduce(|a, b| a.meet(&b));
        answers[*id] = met.unwrap_or_default();
    }
    for id in graph.order() {
        let known = &answers[*id];
        let end = match &program.blocks[*id].end {
            Terminator::If {
                condition,
                then,
                otherwise,
            } => known
                .conditions
                .get(condition)
                .map(|held| choose(*held, then, otherwise)),
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            } => {
                let there = proven[*id].covers(*base, u32::from(*length));
                let missing = known.missing.get(base).is_some_and(|least| least <= length);
                (there || missing).then(|| choose(there, then, otherwise))
            }
            Terminator::Jump(_) | Terminator::Return { .. } => None,
        };
        if let Some(jump) = end {
            program.blocks[*id].end = Terminator::Jump(jump);
        }
    }
    blocks::prune(&program)
}

fn choose(held: bool, then: &Jump, otherwise: &Jump) -> Jump {
    if held {
        then.clone()
    } else {
        otherwise.clone()
    }
}

/// What every way to a block has been told.
#[derive(Clone, Debug, Default)]
struct Answers {
    /// Conditions that were not 0, or were.
    conditions: BTreeMap<Value, bool>,
    /// For a base, a number of bytes that are not there.
    missing: BTreeMap<Option<Value>, u16>,
}

impl Answers {
    fn meet(mut self, other: &Answers) -> Answers {
        self.conditions
            .retain(|value, held| other.conditions.get(value) == Some(held));
        self.missing.retain(|base, least| {
            let other = other.missing.get(base).copied();
            *least = other.unwrap_or_default().max(*least);
            other.is_some()
        });
        self
    }
}

fn behind(program: &Program, (from, which): Edge, answers: &Arena<BlockId, Answers>) -> Answers {
    let mut told = answers[from].clone();
    match (&program.blocks[from].end, which) {
        (Terminator::If { condition, .. }, _) => {
            told.conditions.insert(*condition, which == 0);
        }
        (Terminator::Bounds { base, length, .. }, 1) => {
            let least = told.missing.entry(*base).or_insert(*length);
            *least = (*length).min(*least);
        }
        (Terminator::Bounds { .. } | Terminator::Jump(_) | Terminator::Return { .. }, _) => {}
    }
    told
}
