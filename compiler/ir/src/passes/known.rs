//! Questions that were asked already: a branch or a `bounds` whose answer every way from the entry knows.

use super::{blocks, makers};
use crate::arena::Arena;
use crate::assoc::Assoc;
use crate::graph::{Edge, Graph};
use crate::program::{BlockId, Compare, Jump, Op, Program, Terminator, Value};
use crate::proven;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let makers = makers(&program);
    let proven = proven::at_begin(&program, &graph);
    let mut answers: Arena<BlockId, Answers> =
        program.blocks.ids().map(|_| Answers::default()).collect();
    for id in graph.order() {
        let edges = graph.predecessors(*id).iter();
        let told = edges.map(|edge| behind(&program, *edge, &answers, &makers));
        answers[*id] = told.reduce(|a, b| a.meet(&b)).unwrap_or_default();
    }
    for id in graph.order() {
        let known = &answers[*id];
        let end = match &program.blocks[*id].end {
            Terminator::If {
                condition,
                then,
                otherwise,
            } => known
                .of(*condition, &makers)
                .map(|held| choose(held, then, otherwise)),
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            } => {
                let there = proven[*id].covers(*base, u32::from(*length));
                let missing = known
                    .missing
                    .get(base)
                    .is_some_and(|least| least <= *length);
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

type Makers = Arena<Value, Option<Op>>;

/// What every way to a block has been told.
#[derive(Clone, Debug, Default)]
struct Answers {
    /// Conditions that were not 0, or were.
    conditions: Assoc<Value, bool>,
    /// Values that were equal to a constant.
    equal: Assoc<Value, u64>,
    /// For a base, a number of bytes that are not there.
    missing: Assoc<Option<Value>, u16>,
}

impl Answers {
    fn meet(mut self, other: &Answers) -> Answers {
        self.conditions
            .meet(&other.conditions, |a, b| (a == b).then_some(a));
        self.equal.meet(&other.equal, |a, b| (a == b).then_some(a));
        self.missing.meet(&other.missing, |a, b| Some(a.max(b)));
        self
    }

    /// Whether a condition is known not to be 0, or to be.
    fn of(&self, condition: Value, makers: &Makers) -> Option<bool> {
        let held = self.conditions.get(&condition);
        held.or_else(|| self.equal.get(&condition).map(|known| known != 0))
            .or_else(|| {
                let (op, value, constant) = equality(condition, makers)?;
                let known = self.equal.get(&value)?;
                Some((known == constant) == (op == Compare::Eq))
            })
    }

    fn tell(&mut self, condition: Value, held: bool, makers: &Makers) {
        self.conditions.learn(condition, held, |_, new| new);
        if !held {
            self.equal.learn(condition, 0, |_, new| new);
        }
        match equality(condition, makers) {
            Some((op, value, constant)) if held == (op == Compare::Eq) => {
                self.equal.learn(value, constant, |_, new| new);
            }
            Some(_) | None => {}
        }
    }
}

/// The comparison of a value with a constant for equality that makes a condition.
fn equality(condition: Value, makers: &Makers) -> Option<(Compare, Value, u64)> {
    match makers[condition] {
        Some(Op::Compare(op @ (Compare::Eq | Compare::Ne), a, b)) => match makers[b] {
            Some(Op::Const(constant)) => Some((op, a, constant)),
            Some(_) | None => None,
        },
        Some(_) | None => None,
    }
}

fn behind(
    program: &Program,
    (from, which): Edge,
    answers: &Arena<BlockId, Answers>,
    makers: &Makers,
) -> Answers {
    let mut told = answers[from].clone();
    match (&program.blocks[from].end, which) {
        (Terminator::If { condition, .. }, _) => told.tell(*condition, which == 0, makers),
        (Terminator::Bounds { base, length, .. }, 1) => {
            told.missing.learn(*base, *length, u16::min);
        }
        (Terminator::Bounds { .. } | Terminator::Jump(_) | Terminator::Return { .. }, _) => {}
    }
    told
}
