//! Where a batch is worth cutting into loops: what a packet's program does before its first effect, where it goes on
//! from there, and which line of a connection table it will want first. The lines of further searches on its way are not
//! touched early.

use std::collections::{BTreeMap, BTreeSet};

use lvsc_abi::layout::{Element, Layout, SectionId};

use crate::arena::Arena;
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::passes::sink;
use crate::program::{Block, BlockId, Inst, Jump, Op, Program, Terminator, Value};

/// The most counters that a packet may reach before its first other effect and that are counted later.
const COUNTS_MAX: u32 = 4;

/// A program in two parts.
#[derive(Debug)]
pub struct Stages {
    /// The program, its blocks split before their first effect.
    pub program: Program,
    /// What comes first, in order: blocks without effects, and those of [`Stages::resumes`], which are saved.
    pub prefix: Vec<BlockId>,
    /// What comes then, in order.
    pub rest: Vec<BlockId>,
    /// Where the rest is entered.
    pub resumes: Vec<Resume>,
    /// Counters that a packet reaches before its first other effect, at most.
    pub counts: u32,
    /// For each block, how many of them a packet may have reached before it.
    counted: Arena<BlockId, u32>,
    /// Values that are saved for a packet, at most.
    pub values: u32,
}

/// A block at which the rest is entered.
#[derive(Debug)]
pub struct Resume {
    /// The block.
    pub block: BlockId,
    /// The values that it needs, its parameters among them; not those that are cheap.
    pub live: Vec<Value>,
    /// The bucket that it will look at first, if it is known already.
    pub bucket: Option<(SectionId, Value)>,
}

impl Stages {
    /// Cuts a verified program; `None` where no bucket is known before the first effect, so that one loop does as
    /// well. So it does for a table of flows whose slots have changed, or of datagrams in fragments: hardly a packet asks for it.
    pub fn of(program: &Program, layout: &Layout) -> Option<Stages> {
        let asked =
            |section: SectionId| matches!(layout[section].element, Element::Flow | Element::Client);
        let mut insts = program.blocks.values().flat_map(|block| &block.insts);
        if !insts.any(|inst| matches!(inst.op, Op::Find(section, ..) if asked(section))) {
            return None;
        }
        let Split {
            program,
            counted,
            stops,
        } = split(program);
        // What only the rest needs is done there, and not carried to it.
        let program = sink::run(program);
        let graph = Graph::of(&program);
        let tree = Dominators::of(&graph);
        let is_last =
            |id: BlockId| stops[id] || matches!(program.blocks[id].end, Terminator::Return { .. });
        let first = reach(&program, &[Program::ENTRY], |id| !is_last(id));
        let prefix = in_order(&graph, &first);
        let entries: Vec<BlockId> = prefix.iter().copied().filter(|id| is_last(*id)).collect();
        let rest = in_order(&graph, &reach(&program, &entries, |_| true));
        let live = live_at_begin(&program, &rest);
        let resumes: Vec<Resume> = entries
            .into_iter()
            .map(|block| Resume {
                block,
                live: live.get(&block).into_iter().flatten().copied().collect(),
                bucket: bucket(&program, &tree, &rest, block),
            })
            .collect();
        let values = resumes.iter().map(|resume| resume.live.len()).max()?;
        let passed = prefix.iter().filter(|id| !is_last(**id));
        let counts = passed
            .map(|id| counted[*id] + counts(&program.blocks[*id]))
            .max()?;
        let pays = resumes.iter().any(|resume| resume.bucket.is_some());
        pays.then_some(Stages {
            program,
            prefix,
            rest,
            resumes,
            counts,
            counted,
            values: values as u32,
        })
    }

    /// How many counters a packet may have reached before this block of the prefix.
    pub fn counted(&self, block: BlockId) -> u32 {
        self.counted[block]
    }

    /// The resume at this block, and its number.
    pub fn resume(&self, block: BlockId) -> Option<(usize, &Resume)> {
        self.resumes
            .iter()
            .enumerate()
            .find(|(_, resume)| resume.block == block)
    }
}

/// A program whose blocks are split before their first effect that cannot be done later.
struct Split {
    program: Program,
    /// For each block, how many counters a packet may have reached before it.
    counted: Arena<BlockId, u32>,
    /// Whether a block begins with such an effect.
    stops: Arena<BlockId, bool>,
}

fn split(program: &Program) -> Split {
    let graph = Graph::of(program);
    let mut counted: Arena<BlockId, u32> = program.blocks.ids().map(|_| 0).collect();
    let mut split = Split {
        program: program.clone(),
        counted: counted.clone(),
        stops: program.blocks.ids().map(|_| false).collect(),
    };
    for id in graph.order() {
        // `counted` holds the numbers behind the blocks so far.
        let before = graph
            .predecessors(*id)
            .iter()
            .map(|(from, _)| counted[*from]);
        let before = before.max().unwrap_or_default();
        split.counted[*id] = before;
        let first = first_stop(&program.blocks[*id], before);
        match first {
            Some(0) => split.stops[*id] = true,
            Some(first) => split.cut(*id, first),
            None => {}
        }
        counted[*id] = before + counts(&split.program.blocks[*id]);
    }
    split
}

/// Index of the first effect that has to be done where it stands: to count can wait.
fn first_stop(block: &Block, counted: u32) -> Option<usize> {
    let mut free = COUNTS_MAX.saturating_sub(counted);
    block.insts.iter().position(|inst| {
        let waits = matches!(inst.op, Op::Count(..)) && free > 0;
        free -= u32::from(waits);
        inst.op.has_effect() && !waits
    })
}

fn counts(block: &Block) -> u32 {
    block
        .insts
        .iter()
        .filter(|inst| matches!(inst.op, Op::Count(..)))
        .count() as u32
}

impl Split {
    /// Puts the instructions from `first` on into a block of their own.
    fn cut(&mut self, id: BlockId, first: usize) {
        let block = &mut self.program.blocks[id];
        let insts = block.insts.split_off(first);
        let place = insts.first().map_or(block.place, |inst| inst.place);
        let (end, end_place) = (block.end.clone(), block.place);
        block.place = place;
        let behind = Block {
            params: Vec::new(),
            insts,
            end,
            place: end_place,
        };
        let to = self.program.blocks.push(behind);
        self.program.blocks[id].end = Terminator::Jump(Jump::to(to));
        self.counted.push(0);
        self.stops.push(true);
    }
}

/// The blocks that `from` reach, itself included; `passes` says which lead on.
fn reach(
    program: &Program,
    from: &[BlockId],
    passes: impl Fn(BlockId) -> bool,
) -> BTreeSet<BlockId> {
    let mut found: BTreeSet<BlockId> = from.iter().copied().collect();
    let mut open = from.to_vec();
    while let Some(id) = open.pop() {
        if passes(id) {
            let next = program.blocks[id].end.jumps().map(|jump| jump.to);
            open.extend(next.filter(|to| found.insert(*to)));
        }
    }
    found
}

fn in_order(graph: &Graph, blocks: &BTreeSet<BlockId>) -> Vec<BlockId> {
    graph
        .order()
        .iter()
        .copied()
        .filter(|id| blocks.contains(id))
        .collect()
}

/// The values that are needed from the begin of each block on, its parameters included, unless they are made anew.
fn live_at_begin(program: &Program, blocks: &[BlockId]) -> BTreeMap<BlockId, BTreeSet<Value>> {
    let makers = makers(program);
    let kept = |value: &Value| makers[*value].is_none_or(|inst| !is_cheap(&inst.op));
    let mut live: BTreeMap<BlockId, BTreeSet<Value>> = BTreeMap::new();
    for id in blocks.iter().rev() {
        let block = &program.blocks[*id];
        let mut needed: BTreeSet<Value> = BTreeSet::new();
        for jump in block.end.jumps() {
            let params = &program.blocks[jump.to].params;
            let behind = live.get(&jump.to).into_iter().flatten();
            needed.extend(behind.filter(|value| !params.contains(value)));
        }
        needed.extend(block.end.operands());
        for inst in block.insts.iter().rev() {
            inst.result.iter().for_each(|result| {
                needed.remove(result);
            });
            needed.extend(inst.op.operands());
        }
        needed.retain(kept);
        live.insert(*id, needed);
    }
    live
}

/// The first search behind `entry` whose bucket is known there.
fn bucket(
    program: &Program,
    tree: &Dominators,
    rest: &[BlockId],
    entry: BlockId,
) -> Option<(SectionId, Value)> {
    let made = made_in(program);
    let known = |value: Value| {
        let origin = made[value];
        let before = origin.is_some_and(|from| from != entry && tree.dominates(from, entry));
        before || program.blocks[entry].params.contains(&value)
    };
    let behind = rest.iter().filter(|id| tree.dominates(entry, **id));
    let search = |inst: &Inst| {
        let Op::Find(section, index, _) = inst.op else {
            return None;
        };
        known(index).then_some((section, index))
    };
    behind
        .flat_map(|id| &program.blocks[*id].insts)
        .find_map(search)
}

fn made_in(program: &Program) -> Arena<Value, Option<BlockId>> {
    let mut made: Arena<Value, Option<BlockId>> = (0..program.values).map(|_| None).collect();
    for (id, block) in program.blocks.iter() {
        let results = block.insts.iter().filter_map(|inst| inst.result);
        for value in block.params.iter().copied().chain(results) {
            made[value] = Some(id);
        }
    }
    made
}

/// Whether what it makes is best made anew at each use: it costs no more than to keep it.
pub fn is_cheap(op: &Op) -> bool {
    matches!(
        op,
        Op::Const(_) | Op::FrameLength | Op::Ingress | Op::Worker
    )
}

/// The instruction that makes each value; none for parameters.
pub fn makers(program: &Program) -> Arena<Value, Option<&Inst>> {
    let mut makers: Arena<Value, Option<&Inst>> = (0..program.values).map(|_| None).collect();
    for inst in program.blocks.values().flat_map(|block| &block.insts) {
        if let Some(result) = inst.result {
            makers[result] = Some(inst);
        }
    }
    makers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn a_bucket_of_flows_or_clients_is_known_early_and_one_of_datagrams_is_not_worth_it() {
        for (element, worth) in [("flow", true), ("client", true), ("datagram", false)] {
            let source = format!(
                "section known.web {element} 64\nsection counters counter 4\n\nb0:\n  v0 = frame.length\n  v1 = const 7\n  v2 = mul v0, v1\n  v3 = find known.web[v2], v0\n  count counters[v3]\n  return drop\n"
            );
            let parsed = text::parse(&source).expect("it is right");
            let stages = Stages::of(&parsed.program, &parsed.layout);
            assert_eq!(stages.is_some(), worth, "{element}");
        }
    }
}
