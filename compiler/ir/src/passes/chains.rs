//! Chains: a value that is compared with one constant after the other is looked for by halves. Rules that test the same
//! field cost the logarithm of their number, and a rule that goes on with the next ones goes past those that cannot hold.

use std::collections::BTreeSet;

use lvsc_abi::place::Place;

use super::uses;
use crate::arena::Arena;
use crate::dominators::Dominators;
use crate::graph::{Edge, Graph};
use crate::program::{Block, BlockId, Compare, Inst, Jump, Op, Program, Terminator, Value};

/// With fewer constants the one that holds is found sooner one by one.
const FEW: usize = 8;
/// So many are compared one by one where the search ends.
const LAST: usize = 2;

pub(super) fn run(mut program: Program) -> Program {
    let graph = Graph::of(&program);
    let looked = Looked {
        constants: program.constants(),
        makers: program.makers(),
        uses: uses(&program),
        dominators: Dominators::of(&graph),
        graph: &graph,
    };
    let mut seen: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    let mut found = Vec::new();
    for id in graph.order() {
        if seen[*id] {
            continue;
        }
        let chain = looked.chain(&program, *id);
        for link in &chain.links {
            seen[link.block] = true;
        }
        if chain.links.len() >= FEW {
            found.push(chain);
        }
    }
    for chain in found {
        rewrite(&mut program, chain, &looked.constants);
    }
    program
}

/// A block that goes one way where a value is this constant, and another one else.
struct Link {
    block: BlockId,
    value: Value,
    constant: u64,
    /// The value that is the constant; none where a value is compared with 0 by itself.
    made: Option<Value>,
    /// The edge that is taken where they differ; the other one is where they are equal. Not where it leads: in a chain that
    /// lies in another one, that changes when the other one is rewritten.
    no: usize,
}

/// Links that compare one value with different constants, each behind the one before it, and none of them does anything
/// else.
#[derive(Default)]
struct Chain {
    links: Vec<Link>,
    constants: BTreeSet<u64>,
    /// Edges that lead into the chain from where one of its links held.
    back: Vec<Edge>,
}

struct Looked<'a> {
    constants: Arena<Value, Option<u64>>,
    makers: Arena<Value, Option<Op>>,
    uses: Arena<Value, u32>,
    dominators: Dominators,
    graph: &'a Graph,
}

impl Looked<'_> {
    /// The chain that begins with this block; empty where it compares nothing.
    fn chain(&self, program: &Program, first: BlockId) -> Chain {
        let mut chain = Chain::default();
        let mut next = self.link(program, first);
        while let Some(link) = next {
            let Some(Jump { to, args }) = link.no(program).cloned() else {
                break;
            };
            let alone = args.is_empty() && program.blocks[to].params.is_empty();
            chain.constants.insert(link.constant);
            chain.links.push(link);
            next = Some(to)
                .filter(|to| alone && self.only_compares(&program.blocks[*to]))
                .and_then(|to| self.link(program, to))
                .filter(|link| chain.goes_on(link))
                .filter(|link| self.enters(program, &mut chain, link.block));
        }
        chain
    }

    fn link(&self, program: &Program, block: BlockId) -> Option<Link> {
        let Terminator::If { condition, .. } = &program.blocks[block].end else {
            return None;
        };
        let (equal, value, made) = match self.makers[*condition] {
            Some(Op::Compare(Compare::Eq, a, b)) => (true, a, Some(b)),
            Some(Op::Compare(Compare::Ne, a, b)) => (false, a, Some(b)),
            _ => (false, *condition, None),
        };
        let (value, made) = match made {
            Some(made) if self.constants[made].is_none() => (made, Some(value)),
            _ => (value, made),
        };
        let constant = made.map_or(Some(0), |made| self.constants[made])?;
        Some(Link {
            block,
            value,
            constant,
            made,
            no: usize::from(equal),
        })
    }

    /// Whether the block makes constants and its own condition, that one for nobody else.
    fn only_compares(&self, block: &Block) -> bool {
        let condition = block.end.operand();
        block.insts.iter().all(|inst| {
            let own = inst.result == condition && !inst.op.has_effect();
            let once = inst.result.is_some_and(|result| self.uses[result] == 1);
            matches!(inst.op, Op::Const(_)) || own && once
        })
    }

    /// Whether the block is reached from the chain's last link, and else only from where an earlier one held. Those edges
    /// are noted.
    fn enters(&self, program: &Program, chain: &mut Chain, block: BlockId) -> bool {
        let last = chain.links.last().map(|link| link.block);
        let edges = self.graph.predecessors(block).iter();
        let others: Vec<Edge> = edges
            .copied()
            .filter(|(from, _)| Some(*from) != last)
            .collect();
        let held = |(from, _): &Edge| {
            let ways = chain.links.iter().filter_map(|link| link.yes(program));
            ways.map(|way| way.to).any(|way| {
                let only = self.graph.predecessors(way).len() == 1;
                only && self.dominators.dominates(way, *from)
            })
        };
        let apart = self.graph.predecessors(block).len() == others.len() + 1;
        let enters = apart && others.iter().all(held);
        if enters {
            chain.back.extend(others);
        }
        enters
    }
}

impl Link {
    /// Where it goes on if the value is the constant.
    fn yes<'a>(&self, program: &'a Program) -> Option<&'a Jump> {
        program.blocks[self.block].end.jumps().nth(1 - self.no)
    }

    /// Where it goes on if it is not.
    fn no<'a>(&self, program: &'a Program) -> Option<&'a Jump> {
        program.blocks[self.block].end.jumps().nth(self.no)
    }
}

impl Chain {
    /// Whether the link compares the same value with a constant that is new.
    fn goes_on(&self, link: &Link) -> bool {
        let same = (self.links.first()).is_some_and(|first| first.value == link.value);
        same && !self.constants.contains(&link.constant)
    }
}

fn rewrite(program: &mut Program, chain: Chain, constants: &Arena<Value, Option<u64>>) {
    let Chain {
        mut links, back, ..
    } = chain;
    let (Some(first), Some(last)) = (links.first(), links.last()) else {
        return;
    };
    let Some(end) = last.no(program).cloned() else {
        return;
    };
    let head = first.block;
    for (from, which) in back {
        if let Some(jump) = program.blocks[from].end.jumps_mut().nth(which) {
            *jump = end.clone();
        }
    }
    for link in links.iter().skip(1) {
        let insts = std::mem::take(&mut program.blocks[link.block].insts);
        let (kept, own) = (insts.into_iter())
            .partition(|inst| inst.result.is_some_and(|made| constants[made].is_some()));
        let kept: Vec<Inst> = kept;
        program.blocks[head].insts.extend(kept);
        program.blocks[link.block].insts = own;
    }
    if let Some(first) = links.first_mut() {
        beginning(program, first);
    }
    links.sort_by_key(|link| link.constant);
    let search = Search {
        place: program.blocks[head].place,
        end,
    };
    let root = search.halves(program, &links);
    program.blocks[head].end = Terminator::Jump(root);
}

/// Gives the first link a block of its own.
fn beginning(program: &mut Program, link: &mut Link) {
    let Block { mut end, place, .. } = program.blocks[link.block].clone();
    let mut insts = Vec::new();
    if let (Some(constant), Terminator::If { condition, .. }) = (link.made, &mut end) {
        let again = program.fresh();
        // The edges keep their order, and so their meaning.
        let compare = if link.no == 1 {
            Compare::Eq
        } else {
            Compare::Ne
        };
        insts.push(Inst {
            result: Some(again),
            op: Op::Compare(compare, link.value, constant),
            place,
        });
        *condition = again;
    }
    link.block = program.blocks.push(Block {
        params: Vec::new(),
        insts,
        end,
        place,
    });
}

struct Search {
    place: Place,
    /// Where nothing is equal.
    end: Jump,
}

impl Search {
    /// Where the search among these links begins, which are sorted by their constants.
    fn halves(&self, program: &mut Program, links: &[Link]) -> Jump {
        let (lower, upper) = links.split_at(links.len() / 2);
        let bound = upper
            .first()
            .and_then(|link| Some((link.value, link.made?)));
        let Some((value, bound)) = bound.filter(|_| links.len() > LAST) else {
            return self.one_by_one(program, links);
        };
        let (then, otherwise) = (self.halves(program, lower), self.halves(program, upper));
        let condition = program.fresh();
        let below = Inst {
            result: Some(condition),
            op: Op::Compare(Compare::Lt, value, bound),
            place: self.place,
        };
        Jump::to(program.blocks.push(Block {
            params: Vec::new(),
            insts: vec![below],
            end: Terminator::If {
                condition,
                then,
                otherwise,
            },
            place: self.place,
        }))
    }

    fn one_by_one(&self, program: &mut Program, links: &[Link]) -> Jump {
        links.iter().rev().fold(self.end.clone(), |next, link| {
            let mut jumps = program.blocks[link.block].end.jumps_mut();
            if let Some(jump) = jumps.nth(link.no) {
                *jump = next;
            }
            Jump::to(link.block)
        })
    }
}
