//! Questions that were asked already: a branch or a `bounds` whose answer every way from the entry knows. Where only one way
//! knows it, that way goes past a block that does nothing but ask.

use super::escapes;
use crate::arena::Arena;
use crate::assoc::Assoc;
use crate::eval;
use crate::graph::{Edge, Graph};
use crate::program::{Binary, BlockId, Compare, Inst, Jump, Op, Program, Terminator, Value};
use crate::proven;
use crate::range::{self, Range};

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let makers = program.makers();
    let asked = Asked::of(&program, &makers, range::of(&program, &graph));
    let proven = proven::at_begin(&program, &graph);
    let nothing = Answers::default();
    let mut answers: Arena<BlockId, Answers> =
        program.blocks.ids().map(|_| nothing.clone()).collect();
    for id in graph.order() {
        let edges = graph.predecessors(*id).iter();
        let told = edges.map(|edge| behind(&program, *edge, &answers, &asked));
        answers[*id] = told.reduce(|a, b| a.meet(&b)).unwrap_or_default();
    }
    go_past(&mut program, &graph, &answers, &asked);
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
        match end {
            Some(jump) => program.blocks[*id].end = Terminator::Jump(jump),
            None => compare_with_known(&mut program, *id, known, &asked),
        }
    }
    program.pruned()
}

/// Leads each edge on as far as what is told on it answers what is asked there.
fn go_past(
    program: &mut Program,
    graph: &Graph,
    answers: &Arena<BlockId, Answers>,
    asked: &Asked<'_>,
) {
    let escapes = escapes(program);
    for from in graph.order() {
        for which in 0..program.blocks[*from].end.jumps().count() {
            let told = behind(program, (*from, which), answers, asked);
            while let Some(next) = past(program, (*from, which), &told, asked, &escapes)
                && let Some(jump) = program.blocks[*from].end.jumps_mut().nth(which)
            {
                *jump = next;
            }
        }
    }
}

/// Where the block at the end of an edge goes on, if it only asks what is told on the edge.
fn past(
    program: &Program,
    (from, which): Edge,
    told: &Answers,
    asked: &Asked<'_>,
    escapes: &Arena<Value, bool>,
) -> Option<Jump> {
    let block = &program.blocks[program.blocks[from].end.jumps().nth(which)?.to];
    let mut insts = block.insts.iter();
    let only_asks = block.params.is_empty()
        && insts.all(|inst| !inst.op.has_effect() && inst.result.is_some_and(|it| !escapes[it]));
    let Terminator::If {
        condition,
        then,
        otherwise,
    } = &block.end
    else {
        return None;
    };
    let held = told.of(*condition, asked).filter(|_| only_asks)?;
    Some(choose(held, then, otherwise)).filter(|next| next.args.is_empty())
}

/// At the end of a block, a comparison with a value that is known by now is one with a constant.
fn compare_with_known(program: &mut Program, id: BlockId, known: &Answers, asked: &Asked<'_>) {
    let Terminator::If { condition, .. } = program.blocks[id].end else {
        return;
    };
    let Some(Some(Op::Compare(op, a, b))) = asked.makers.get(condition).copied() else {
        return;
    };
    let [first, second] = [a, b].map(|value| known.equal.get(&value).copied());
    if first.is_some() == second.is_some() {
        return;
    }
    let place = program.blocks[id].place;
    let mut make = |op| {
        let result = program.fresh();
        program.blocks[id].insts.push(Inst {
            result: Some(result),
            op,
            place,
        });
        result
    };
    let mut number =
        |value, known: Option<u64>| known.map_or(value, |known| make(Op::Const(known)));
    let (a, b) = (number(a, first), number(b, second));
    let simpler = make(Op::Compare(op, a, b));
    if let Terminator::If { condition, .. } = &mut program.blocks[id].end {
        *condition = simpler;
    }
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
    ranges: Arena<Value, Range>,
    /// How many branches ask for each value, or compare it. Only what is asked again is worth to be remembered.
    times: Arena<Value, u32>,
}

impl<'a> Asked<'a> {
    fn of(
        program: &Program,
        makers: &'a Arena<Value, Option<Op>>,
        ranges: Arena<Value, Range>,
    ) -> Asked<'a> {
        let times = makers.values().map(|_| 0).collect();
        let mut asked = Asked {
            makers,
            ranges,
            times,
        };
        for block in program.blocks.values() {
            if let Terminator::If { condition, .. } = block.end {
                asked.times[condition] += 1;
                if let Some(Op::Compare(_, a, b)) = makers[condition] {
                    asked.times[a] += 1;
                    asked.times[b] += 1;
                }
            }
        }
        asked
    }

    fn constant(&self, value: Value) -> Option<u64> {
        match self.makers[value] {
            Some(Op::Const(constant)) => Some(constant),
            Some(_) | None => None,
        }
    }

    fn again(&self, value: Value) -> bool {
        self.times[value] > 1
    }

    /// The comparison of a value with a constant for equality that makes a condition.
    fn equality(&self, condition: Value) -> Option<(Compare, Value, u64)> {
        match self.makers[condition] {
            Some(Op::Compare(op @ (Compare::Eq | Compare::Ne), a, b)) => {
                Some((op, a, self.constant(b)?))
            }
            Some(_) | None => None,
        }
    }

    /// What a value was shifted from, and what that is, if it is itself a constant.
    fn before(&self, value: Value, constant: u64) -> Option<(Value, u64)> {
        let Some(Op::Binary(Binary::Shl, from, bits)) = self.makers[value] else {
            return None;
        };
        let bits = self.constant(bits)? & 63;
        let nothing_lost = self.ranges[from].most <= u64::MAX >> bits;
        nothing_lost.then_some((from, constant >> bits))
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
                let Some(Op::Compare(op, a, b)) = asked.makers[condition] else {
                    return None;
                };
                let (a, b) = (self.number(a, asked)?, self.number(b, asked)?);
                Some(eval::compare(op, a, b) != 0)
            })
    }

    fn number(&self, value: Value, asked: &Asked<'_>) -> Option<u64> {
        let known = self.equal.get(&value).copied();
        known.or_else(|| asked.constant(value))
    }

    fn tell(&mut self, condition: Value, held: bool, asked: &Asked<'_>) {
        if asked.again(condition) {
            self.conditions.insert(condition, held);
            if !held {
                self.equal.insert(condition, 0);
            }
        }
        if let Some((op, value, constant)) = asked.equality(condition)
            && held == (op == Compare::Eq)
        {
            if asked.again(value) {
                self.equal.insert(value, constant);
            }
            if let Some((from, constant)) = asked.before(value, constant)
                && asked.times[from] > 0
            {
                self.equal.insert(from, constant);
            }
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
