//! Questions that were asked already: a branch or a `bounds` whose answer every way from the entry knows.

use crate::arena::Arena;
use crate::assoc::Assoc;
use crate::graph::{Edge, Graph};
use crate::program::{BlockId, Compare, Jump, Op, Program, Terminator, Value};
use crate::proven;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let makers = program.makers();
    let asked = Asked::of(&program, &makers);
    let proven = proven::at_begin(&program, &graph);
    let nothing = Answers::default();
    let mut answers: Arena<BlockId, Answers> =
        program.blocks.ids().map(|_| nothing.clone()).collect();
    for id in graph.order() {
        let edges = graph.predecessors(*id).iter();
        let told = edges.map(|edge| behind(&program, *edge, &answers, &asked));
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
                .of(*condition, &asked)
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
                    .is_some_and(|least| *least <= *length);
                (there || missing).then(|| choose(there, then, otherwise))
            }
            Terminator::Jump(_) | Terminator::Return { .. } => None,
        };
        if let Some(jump) = end {
            program.blocks[*id].end = Terminator::Jump(jump);
        }
    }
    program.pruned()
}

fn choose(held: bool, then: &Jump, otherwise: &Jump) -> Jump {
    if held {
        then.clone()
    } else {
        otherwise.clone()
    }
}

/// What the branches of a program ask.
struct Asked<'a> {
    makers: &'a Arena<Value, Option<Op>>,
    /// How many branches ask for each value, or compare it with a constant. Only what is asked again is worth to be
    /// remembered.
    times: Arena<Value, u32>,
}

impl<'a> Asked<'a> {
    fn of(program: &Program, makers: &'a Arena<Value, Option<Op>>) -> Asked<'a> {
        let times = makers.values().map(|_| 0).collect();
        let mut asked = Asked { makers, times };
        for block in program.blocks.values() {
            if let Terminator::If { condition, .. } = block.end {
                asked.times[condition] += 1;
                if let Some((_, value, _)) = asked.equality(condition) {
                    asked.times[value] += 1;
                }
            }
        }
        asked
    }

    fn again(&self, value: Value) -> bool {
        self.times[value] > 1
    }

    /// The comparison of a value with a constant for equality that makes a condition.
    fn equality(&self, condition: Value) -> Option<(Compare, Value, u64)> {
        match self.makers[condition] {
            Some(Op::Compare(op @ (Compare::Eq | Compare::Ne), a, b)) => match self.makers[b] {
                Some(Op::Const(constant)) => Some((op, a, constant)),
                Some(_) | None => None,
            },
            Some(_) | None => None,
        }
    }
}

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
            .meet(&other.conditions, |a, b| (a == b).then_some(*a));
        self.equal.meet(&other.equal, |a, b| (a == b).then_some(*a));
        self.missing.meet(&other.missing, |a, b| Some(*a.max(b)));
        self
    }

    /// Whether a condition is known not to be 0, or to be.
    fn of(&self, condition: Value, asked: &Asked<'_>) -> Option<bool> {
        let held = self.conditions.get(&condition).copied();
        held.or_else(|| self.equal.get(&condition).map(|known| *known != 0))
            .or_else(|| {
                let (op, value, constant) = asked.equality(condition)?;
                let known = self.equal.get(&value)?;
                Some((*known == constant) == (op == Compare::Eq))
            })
    }

    fn tell(&mut self, condition: Value, held: bool, asked: &Asked<'_>) {
        if asked.again(condition) {
            self.conditions.insert(condition, held);
            if !held {
                self.equal.insert(condition, 0);
            }
        }
        if let Some((op, value, constant)) = asked.equality(condition)
            && asked.again(value)
            && held == (op == Compare::Eq)
        {
            self.equal.insert(value, constant);
        }
    }
}

fn behind(
    program: &Program,
    (from, which): Edge,
    answers: &Arena<BlockId, Answers>,
    asked: &Asked<'_>,
) -> Answers {
    let mut told = answers[from].clone();
    match (&program.blocks[from].end, which) {
        (Terminator::If { condition, .. }, _) => told.tell(*condition, which == 0, asked),
        (Terminator::Bounds { base, length, .. }, 1) => {
            told.missing
                .learn(*base, *length, |known, new| new.min(*known));
        }
        (Terminator::Bounds { .. } | Terminator::Jump(_) | Terminator::Return { .. }, _) => {}
    }
    told
}
