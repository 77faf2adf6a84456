//! Constants and identities, one instruction after the other; branches whose way is known.

use lvsc_abi::engine;
use lvsc_abi::place::Place;

use super::simplify::{Simpler, simplify, unshifted};
use super::{Same, blocks};
use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{BlockId, Compare, Inst, Jump, Op, Program, Terminator, Value};
use crate::range::{self, Range};

/// No frame is longer (bytes).
const FRAME_MAX: u64 = engine::FRAME_MAX as u64;

pub(super) fn run(program: Program) -> Program {
    let graph = Graph::of(&program);
    let same = Same::of(&program);
    let ops = (0..program.values).map(|_| None).collect();
    let ranges = (0..program.values).map(|_| Range::ALL).collect();
    let before = program
        .blocks
        .values()
        .map(|block| block.end.clone())
        .collect();
    let mut fold = Fold {
        program,
        before,
        same,
        facts: Facts { ops, ranges },
    };
    for id in graph.order() {
        fold.block(*id, &graph);
    }
    fold.same.apply(&mut fold.program);
    fold.program.pruned()
}

/// What is known of values.
pub(super) struct Facts {
    ops: Arena<Value, Option<Op>>,
    ranges: Arena<Value, Range>,
}

impl Facts {
    /// What makes the value.
    pub(super) fn op(&self, value: Value) -> Option<&Op> {
        self.ops.get(value).and_then(Option::as_ref)
    }

    pub(super) fn range(&self, value: Value) -> Range {
        self.ranges.get(value).copied().unwrap_or(Range::ALL)
    }

    pub(super) fn constant(&self, value: Value) -> Option<u64> {
        self.range(value).constant()
    }

    fn learn(&mut self, value: Value, op: &Op) {
        self.ranges[value] = range::of_op(op, |operand| self.range(operand));
        self.ops[value] = Some(*op);
    }
}

/// Instructions of a block while it is rewritten.
pub(super) struct Output<'a> {
    program: &'a mut Program,
    facts: &'a mut Facts,
    insts: Vec<Inst>,
}

impl Output<'_> {
    pub(super) fn facts(&self) -> &Facts {
        self.facts
    }

    /// A value that `op` makes, in front of the instruction that is looked at.
    pub(super) fn make(&mut self, op: Op, place: Place) -> Value {
        let result = self.program.fresh();
        self.facts.ops.push(None);
        self.facts.ranges.push(Range::ALL);
        self.facts.learn(result, &op);
        self.insts.push(Inst {
            result: Some(result),
            op,
            place,
        });
        result
    }

    fn inst(&mut self, mut inst: Inst, same: &mut Same) {
        // Each round makes the instruction simpler; the bound is only for the proof that this ends.
        for _ in 0..16 {
            match simplify(&inst, self) {
                Simpler::No => break,
                Simpler::Op(op) => inst.op = op,
                Simpler::Value(value) => {
                    inst.result
                        .iter()
                        .for_each(|result| same.set(*result, value));
                    return;
                }
            }
        }
        if let Some(result) = inst.result {
            self.facts.learn(result, &inst.op);
        }
        self.insts.push(inst);
    }
}

struct Fold {
    program: Program,
    /// The ends of the blocks as they were.
    before: Arena<BlockId, Terminator>,
    same: Same,
    facts: Facts,
}

impl Fold {
    fn block(&mut self, id: BlockId, graph: &Graph) {
        let block = &mut self.program.blocks[id];
        let insts = std::mem::take(&mut block.insts);
        let (params, place) = (block.params.clone(), block.place);
        let incoming: Vec<Vec<Value>> = (0..params.len())
            .map(|index| self.incoming(id, index, graph))
            .collect();
        let facts = &mut self.facts;
        let mut output = Output {
            program: &mut self.program,
            facts,
            insts: Vec::with_capacity(insts.len()),
        };
        for (param, args) in params.into_iter().zip(incoming) {
            param_of(param, &args, place, &mut output, &mut self.same);
        }
        for mut inst in insts {
            inst.op
                .for_each_operand(|value| *value = self.same.find(*value));
            output.inst(inst, &mut self.same);
        }
        let mut ending = output.program.blocks[id].end.clone();
        ending.for_each_operand(|value| *value = self.same.find(*value));
        let mut ending = end(&ending, output.facts);
        if let Terminator::If { condition, .. } = &mut ending
            && let Some(simpler) = unshifted(*condition, place, &mut output)
        {
            *condition = simpler;
        }
        let insts = output.insts;
        let block = &mut self.program.blocks[id];
        block.insts = insts;
        block.end = blocks::decided(ending);
    }

    /// What is handed over for a parameter.
    fn incoming(&self, id: BlockId, index: usize, graph: &Graph) -> Vec<Value> {
        let edges = graph.predecessors(id).iter();
        let jumps = edges.filter_map(|(from, which)| {
            // The end of `from` may be simpler by now, and not go here any more.
            let mut jumps = self.before[*from].jumps();
            jumps
                .nth(*which)
                .and_then(|jump| jump.args.get(index))
                .copied()
        });
        jumps.map(|arg| self.same.find(arg)).collect()
    }
}

/// A parameter that gets the same from everywhere is that.
fn param_of(param: Value, args: &[Value], place: Place, output: &mut Output<'_>, same: &mut Same) {
    let ranges = args.iter().map(|arg| output.facts.range(*arg));
    let range = ranges.reduce(Range::join).unwrap_or(Range::ALL);
    output.facts.ranges[param] = range;
    if let [first, rest @ ..] = args
        && rest.iter().all(|arg| arg == first)
    {
        same.set(param, *first);
    } else if let Some(constant) = range.constant() {
        same.set(param, output.make(Op::Const(constant), place));
    }
}

/// The end with its branch decided, where that is known.
fn end(end: &Terminator, facts: &Facts) -> Terminator {
    match end {
        Terminator::If {
            condition,
            then,
            otherwise,
        } => condition_of(*condition, then, otherwise, facts),
        Terminator::Bounds {
            base,
            length,
            then,
            otherwise,
        } => bounds(*base, *length, then, otherwise, facts),
        Terminator::Jump(_) | Terminator::Return { .. } => end.clone(),
    }
}

fn condition_of(condition: Value, then: &Jump, otherwise: &Jump, facts: &Facts) -> Terminator {
    let range = facts.range(condition);
    if range.least > 0 {
        return Terminator::Jump(then.clone());
    }
    if range.most == 0 {
        return Terminator::Jump(otherwise.clone());
    }
    let (then, otherwise) = (then.clone(), otherwise.clone());
    match facts.op(condition) {
        Some(Op::Compare(Compare::Eq, a, b)) if facts.constant(*b) == Some(0) => Terminator::If {
            condition: *a,
            then: otherwise,
            otherwise: then,
        },
        Some(Op::Compare(Compare::Ne, a, b)) if facts.constant(*b) == Some(0) => Terminator::If {
            condition: *a,
            then,
            otherwise,
        },
        Some(_) | None => Terminator::If {
            condition,
            then,
            otherwise,
        },
    }
}

fn bounds(
    base: Option<Value>,
    length: u16,
    then: &Jump,
    otherwise: &Jump,
    facts: &Facts,
) -> Terminator {
    let least = base.map_or(0, |base| facts.range(base).least);
    let Some(reach) = least
        .checked_add(u64::from(length))
        .filter(|end| *end <= FRAME_MAX)
    else {
        return Terminator::Jump(otherwise.clone());
    };
    let constant = base.is_none_or(|base| facts.constant(base).is_some());
    if constant && reach == 0 {
        return Terminator::Jump(then.clone());
    }
    let (base, length) = if constant {
        (None, reach as u16)
    } else {
        (base, length)
    };
    Terminator::Bounds {
        base,
        length,
        then: then.clone(),
        otherwise: otherwise.clone(),
    }
}
