//! Where a batch is worth cutting into loops: what a packet's program does before it asks for what other packets write,
//! where it goes on from there, and which line of a connection table it will want first. A packet that asks for nothing of
//! the kind is done with in the first loop. The lines of further searches on its way are not touched early.

use std::collections::{BTreeMap, BTreeSet};

use lvsc_abi::layout::{Element, Layout, SectionId};

use crate::arena::Arena;
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::passes::sink;
use crate::program::{Block, BlockId, Inst, Jump, Op, Program, Terminator, Value};

/// A program in two parts.
#[derive(Debug)]
pub struct Stages {
    /// The program, its blocks split where the rest begins.
    pub program: Program,
    /// What comes first, in order: blocks that ask for nothing that other packets write (to count is a sum, whoever
    /// comes first), and those of [`Stages::resumes`], which are saved.
    pub prefix: Vec<BlockId>,
    /// What comes then, in order.
    pub rest: Vec<BlockId>,
    /// Where the rest is entered.
    pub resumes: Vec<Resume>,
    /// Values that are saved for a packet, at most.
    pub values: u32,
    /// Whether few packets are saved, those of slots that have changed, and not most of them.
    pub are_few: bool,
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
    /// Cuts a verified program; `None` where no bucket is known before the cut, so that one loop does as well. So it
    /// does for a table of datagrams in fragments alone: hardly a packet asks for it.
    pub fn of(program: &Program, layout: &Layout) -> Option<Stages> {
        let searches = |wanted: &[Element]| {
            let mut insts = program.blocks.values().flat_map(|block| &block.insts);
            insts.any(|inst| {
                matches!(inst.op, Op::Find(section, ..) if wanted.contains(&layout[section].element))
            })
        };
        let are_few = !searches(&[Element::Flow, Element::Client]);
        if are_few && !searches(&[Element::Noted]) {
            return None;
        }
        let Split { program, stops } = split(program);
        // What only the rest needs is done there, and not carried to it.
        let program = sink::run(program);
        let graph = Graph::of(&program);
        let tree = Dominators::of(&graph);
        let first = reach(&program, &[Program::ENTRY], |id| !stops[id]);
        let prefix = in_order(&graph, &first);
        let entries: Vec<BlockId> = prefix.iter().copied().filter(|id| stops[*id]).collect();
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
        let pays = resumes.iter().any(|resume| resume.bucket.is_some());
        pays.then_some(Stages {
            program,
            prefix,
            rest,
            resumes,
            values: values as u32,
            are_few,
        })
    }

    /// The resume at this block, and its number.
    pub fn resume(&self, block: BlockId) -> Option<(usize, &Resume)> {
        self.resumes
            .iter()
            .enumerate()
            .find(|(_, resume)| resume.block == block)
    }
}

/// A program whose blocks are split where the rest begins: before the first effect, on each way, of packets that will ask
/// for what others write.
struct Split {
    program: Program,
    /// Whether a block is one that the rest begins with.
    stops: Arena<BlockId, bool>,
}

fn split(program: &Program) -> Split {
    let graph = Graph::of(program);
    let mut asks: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    for id in graph.order().iter().rev() {
        let block = &program.blocks[*id];
        let mut behind = block.end.jumps().map(|jump| jump.to);
        asks[*id] = behind.any(|to| asks[to]) || block.insts.iter().any(|inst| is_asking(&inst.op));
    }
    let mut split = Split {
        program: program.clone(),
        stops: program.blocks.ids().map(|_| false).collect(),
    };
    for id in graph.order().iter().filter(|id| asks[**id]) {
        let mut insts = program.blocks[*id].insts.iter();
        match insts.position(|inst| stops(&inst.op)) {
            Some(0) => split.stops[*id] = true,
            Some(first) => split.cut(*id, first),
            None => {}
        }
    }
    split
}

/// Whether it is done in the order of packets: it reads or writes what other packets write.
fn is_asking(op: &Op) -> bool {
    stops(op) && !matches!(op, Op::StoreFrame(..))
}

/// Whether it waits for its turn where the packet asks for something later: a frame is not written before its packet's turn,
/// so that it can be decided again.
fn stops(op: &Op) -> bool {
    op.has_effect() && !matches!(op, Op::Count(..))
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

    fn stages(source: &str) -> Option<Stages> {
        let parsed = text::parse(source).expect("it is right");
        Stages::of(&parsed.program, &parsed.layout)
    }

    #[test]
    fn a_bucket_of_flows_or_clients_is_known_early_and_one_of_datagrams_is_not_worth_it() {
        for (element, few) in [
            ("flow", Some(false)),
            ("client", Some(false)),
            ("noted", Some(true)),
            ("datagram", None),
        ] {
            let stages = stages(&format!(
                "section known.web {element} 64\nsection counters counter 4\n\nb0:\n  v0 = frame.length\n  v1 = const 7\n  v2 = mul v0, v1\n  v3 = find known.web[v2], v0\n  count counters[v3]\n  return drop\n"
            ));
            assert_eq!(stages.map(|stages| stages.are_few), few, "{element}");
        }
    }

    /// One way writes the frame and is done; the other one writes it, and asks.
    const TWO: &str = "section known.web noted 64\nsection counters counter 4\n\n\
        b0:\n  v0 = frame.length\n  v1 = const 7\n  v2 = mul v0, v1\n  count counters[v1]\n  bounds +14 b1() else b4()\n\
        b1:\n  v3 = frame.be1 +0\n  if v3 b2() else b3()\n\
        b2:\n  frame.be1 +1 = v1\n  return send v1\n\
        b3:\n  frame.be1 +2 = v1\n  v4 = find known.web[v2], v0\n  count counters[v4]\n  return send v1\n\
        b4:\n  return drop\n";

    #[test]
    fn who_asks_for_nothing_is_done_with_and_a_frame_is_not_written_before_its_turn() {
        let stages = stages(TWO).expect("it pays");
        let effects = |blocks: &[BlockId]| {
            let insts = blocks
                .iter()
                .flat_map(|id| &stages.program.blocks[*id].insts);
            let effects = insts.filter(|inst| inst.op.has_effect());
            effects.map(|inst| inst.op).collect::<Vec<Op>>()
        };
        let [resume] = stages.resumes.as_slice() else {
            panic!("one way asks: {:?}", stages.resumes);
        };
        assert!(resume.bucket.is_some());
        let is_saved = |id: &BlockId| *id == resume.block;
        let (first, _): (Vec<BlockId>, Vec<BlockId>) =
            stages.prefix.iter().partition(|id| !is_saved(id));
        let first = effects(&first);
        assert!(matches!(
            first.as_slice(),
            [Op::Count(..), Op::StoreFrame(..)]
        ));
        let rest = effects(&stages.rest);
        assert!(matches!(
            rest.as_slice(),
            [Op::StoreFrame(..), Op::Find(..), Op::Count(..)]
        ));
    }

    /// What of a way's instructions others may see, or have written, keeps its packets in their order.
    #[test]
    fn whatever_others_write_or_read_waits_for_its_turn() {
        let cases = [
            ("store8 cursor.web[v1]+0 = v0", true),
            ("raise cursor.web[v1]+0 by v0", true),
            ("v3 = load.shared8 cursor.web[v1]+0", true),
            ("v3 = exchange known.web[v1] = v0 if v1", true),
            ("v3 = place known.web[v1], v1, v0, v1", true),
            ("v3 = find known.web[v1], v0", true),
            ("v3 = load.config4 ring.web[v1]+0", false),
            ("count counters[v1]", false),
        ];
        for (inst, waits) in cases {
            let stages = stages(&format!(
                "section known.web noted 64\nsection cursor.web cursor 2\nsection ring.web slot 16\n\
                 section counters counter 4\n\n\
                 b0:\n  v0 = frame.length\n  v1 = const 7\n  v2 = mul v0, v1\n  if v0 b1() else b2()\n\
                 b1:\n  {inst}\n  return drop\n\
                 b2:\n  v4 = find known.web[v2], v0\n  count counters[v4]\n  return pass\n"
            ));
            let resumes = stages.expect("it pays").resumes;
            assert_eq!(resumes.len(), 1 + usize::from(waits), "{inst}");
        }
    }
}
