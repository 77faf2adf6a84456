//! What a packet is predicted to cost: the steps of its way through a program, and the lines of the image that it touches.
//!
//! A step is what a processor does for one plain instruction. A way is the shortest of its kind, as most packets take it. A
//! [`Model`] makes time of both; its numbers come from measuring, and docs/performance.md says how far they are off.

use std::collections::{BTreeMap, BTreeSet};

use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{Block, BlockId, Op, Program, Terminator, Value};
use crate::verify::Verified;

/// Bytes of a cache line.
const LINE: u64 = 64;

/// What a way has passed.
type Passed = usize;
const RING: Passed = 1;
const TABLE: Passed = 2;
const ENTRY: Passed = 4;
const RECORD: Passed = 8;
const KINDS: usize = 16;

/// A way through a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What becomes of a packet that takes it.
    pub name: &'static str,
    /// Whether packets of a flow that comes often take it.
    pub is_steady: bool,
    /// Its steps.
    pub steps: u32,
    /// Buckets that it searches for a flow or a counter's cell.
    pub searches: u32,
    /// Lines of the image that it touches, by section: those whose place in the section depends on the packet.
    pub lines: BTreeMap<SectionId, u32>,
    /// The steps of each construct of the policy.
    pub places: BTreeMap<Place, u32>,
}

/// The ways that packets take, those that are sent first. A kind of way that does not occur is left out.
pub fn ways(program: &Verified, layout: &Layout) -> Vec<Way> {
    let program = program.program();
    let walk = Walk::of(program, layout);
    let sent = |fits: fn(Passed) -> bool| {
        move |end: &End| end.verdict == Verdict::Send && fits(end.passed)
    };
    let found = [
        (
            "sent without a pool",
            true,
            walk.shortest(sent(|kind| kind == 0)),
        ),
        (
            "sent by id",
            true,
            walk.shortest(sent(|kind| kind == RECORD)),
        ),
        (
            "sent by ring",
            true,
            walk.shortest(sent(|kind| kind & !RECORD == RING)),
        ),
        (
            "sent by table",
            true,
            walk.shortest(sent(|kind| kind & (RING | TABLE) == TABLE)),
        ),
        (
            "sent, a new flow",
            false,
            walk.shortest(sent(|kind| kind & !RECORD == RING | TABLE | ENTRY)),
        ),
        (
            "dropped",
            false,
            walk.shortest(|end| end.verdict == Verdict::Drop),
        ),
        (
            "to the kernel",
            false,
            walk.shortest(|end| end.verdict == Verdict::Pass),
        ),
    ];
    let ways = found.into_iter();
    ways.filter_map(|(name, is_steady, end)| Some(walk.way(name, is_steady, end?)))
        .collect()
}

/// A block where ways end.
#[derive(Clone, Copy)]
struct End {
    block: BlockId,
    passed: Passed,
    verdict: Verdict,
    steps: u32,
}

/// The shortest way to a block: its steps up to the block's end, and the block before with what was passed there.
type Reached = Option<(u32, Option<(BlockId, Passed)>)>;

struct Walk<'a> {
    program: &'a Program,
    layout: &'a Layout,
    constants: Arena<Value, Option<u64>>,
    /// By what was passed at the block's end.
    reached: Arena<BlockId, [Reached; KINDS]>,
    ends: Vec<End>,
}

impl<'a> Walk<'a> {
    fn of(program: &'a Program, layout: &'a Layout) -> Walk<'a> {
        let mut walk = Walk {
            program,
            layout,
            constants: program.constants(),
            reached: program.blocks.ids().map(|_| [None; KINDS]).collect(),
            ends: Vec::new(),
        };
        let graph = Graph::of(program);
        for id in graph.order() {
            walk.block(&graph, *id);
        }
        walk
    }

    fn block(&mut self, graph: &Graph, id: BlockId) {
        let block = &self.program.blocks[id];
        let (own, passes) = (steps(block), self.passes(block));
        let mut begins: [Reached; KINDS] = [None; KINDS];
        if id == Program::ENTRY {
            begins[0] = Some((0, None));
        }
        for (from, _) in graph.predecessors(id) {
            for (kind, way) in self.reached[*from].iter().enumerate() {
                let Some((steps, _)) = way else { continue };
                let shorter = begins[kind].is_none_or(|(known, _)| *steps < known);
                if shorter {
                    begins[kind] = Some((*steps, Some((*from, kind))));
                }
            }
        }
        let mut ends: [Reached; KINDS] = [None; KINDS];
        for (kind, way) in begins.iter().enumerate() {
            let Some((steps, from)) = *way else { continue };
            let behind = &mut ends[kind | passes];
            if behind.is_none_or(|(known, _)| steps + own < known) {
                *behind = Some((steps + own, from));
            }
        }
        if let Terminator::Return { verdict, .. } = block.end {
            let each = ends.iter().enumerate();
            self.ends.extend(each.filter_map(|(passed, way)| {
                let (steps, _) = (*way)?;
                Some(End {
                    block: id,
                    passed,
                    verdict,
                    steps,
                })
            }));
        }
        self.reached[id] = ends;
    }

    fn shortest(&self, fits: impl Fn(&End) -> bool) -> Option<End> {
        let fitting = self.ends.iter().filter(|end| fits(end));
        fitting.min_by_key(|end| end.steps).copied()
    }

    fn way(&self, name: &'static str, is_steady: bool, end: End) -> Way {
        let mut way = Way {
            name,
            is_steady,
            steps: end.steps,
            searches: 0,
            lines: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        let mut touched = BTreeSet::new();
        let mut at = Some((end.block, end.passed));
        while let Some((id, passed)) = at {
            let block = &self.program.blocks[id];
            for inst in &block.insts {
                *way.places.entry(inst.place).or_default() += steps_of(&inst.op);
                touched.extend(self.touches(&inst.op));
                way.searches += u32::from(matches!(inst.op, Op::Find(..)));
            }
            *way.places.entry(block.place).or_default() += steps_of_end(&block.end);
            at = self.reached[id][passed].and_then(|(_, from)| from);
        }
        for (section, _) in touched {
            *way.lines.entry(section).or_default() += 1;
        }
        way
    }

    fn passes(&self, block: &Block) -> Passed {
        let each = block.insts.iter().map(|inst| {
            let element = looked_at(&inst.op).map(|(section, _)| self.layout[section].element);
            let (read, found, written) = (
                matches!(inst.op, Op::Load(..)),
                matches!(inst.op, Op::Find(..)),
                matches!(inst.op, Op::Exchange(..)),
            );
            match element {
                Some(Element::Slot | Element::Load) if read => RING,
                Some(Element::Backend) if read => RECORD,
                Some(element) if element.is_flow() && found => TABLE,
                Some(element) if element.is_flow() && written => ENTRY,
                _ => 0,
            }
        });
        each.fold(0, |all, one| all | one)
    }

    /// The line that an instruction touches, where that depends on the packet: the section, and what names the line in it.
    fn touches(&self, op: &Op) -> Option<(SectionId, Value)> {
        let (section, index) = looked_at(op)?;
        // An entry lies in the bucket that was searched.
        let element = self.layout[section].element;
        let searched = element.is_flow() || element == Element::Cell;
        let again = searched && !matches!(op, Op::Find(..));
        (!again && self.constants[index].is_none()).then_some((section, index))
    }
}

/// The section that an instruction looks into, and the element or the bucket.
fn looked_at(op: &Op) -> Option<(SectionId, Value)> {
    match *op {
        Op::Find(section, index, _) | Op::Place(section, index, ..) | Op::Count(section, index) => {
            Some((section, index))
        }
        Op::Load(_, access)
        | Op::Store(access, _)
        | Op::Raise(access, _)
        | Op::Exchange(access, ..) => Some((access.section, access.index)),
        Op::Const(_)
        | Op::FrameLength
        | Op::Ingress
        | Op::Worker
        | Op::Binary(..)
        | Op::Compare(..)
        | Op::Select(..)
        | Op::Swap(..)
        | Op::LoadFrame(_)
        | Op::StoreFrame(..) => None,
    }
}

fn steps(block: &Block) -> u32 {
    let insts = block.insts.iter().map(|inst| steps_of(&inst.op));
    insts.sum::<u32>() + steps_of_end(&block.end)
}

/// Steps of an instruction: about how many a processor takes for it.
fn steps_of(op: &Op) -> u32 {
    match op {
        Op::Const(_) | Op::FrameLength | Op::Ingress => 0,
        Op::Binary(..) | Op::Compare(..) | Op::Swap(..) | Op::LoadFrame(_) | Op::StoreFrame(..) => {
            1
        }
        Op::Select(..) | Op::Load(..) | Op::Store(..) | Op::Worker => 2,
        Op::Exchange(..) | Op::Raise(..) => 10,
        Op::Count(..) => 6,
        Op::Find(..) => 12,
        Op::Place(..) => 20,
    }
}

fn steps_of_end(end: &Terminator) -> u32 {
    match end {
        Terminator::Jump(_) => 0,
        Terminator::If { .. } | Terminator::Bounds { .. } | Terminator::Return { .. } => 1,
    }
}

/// How steps and lines become time on an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// The target.
    pub target: &'static str,
    /// What every packet costs (ns).
    pub base: f64,
    /// What a step costs (ns).
    pub step: f64,
    /// What a search in a bucket costs more than its steps (ns).
    pub search: f64,
    /// What it costs more where nobody can predict in which place an entry is found (ns).
    pub scattered: f64,
    /// The share of a line's way that is waited for: an engine that looks at many packets at once waits less.
    pub waits: f64,
    /// What a line costs more whose page the processor does not know (ns): 0 where sections are on huge pages.
    pub page: f64,
}

/// Caches: {bytes, what a line costs more that is not in it (ns)}. Of the last one others have a part.
const CACHES: [(u64, f64); 3] = [(32 << 10, 1.0), (1 << 20, 12.0), (16 << 20, 50.0)];
/// Size of a page (bytes), and how many of them a processor knows.
const PAGE: u64 = 4096;
const PAGES: u64 = 2048;

impl Model {
    /// The model of each target, after `lvsc bench` on an EPYC with virtual processors: docs/performance.md.
    pub const ALL: [Model; 3] = [
        Model {
            target: "wasm",
            base: 1.5,
            step: 0.055,
            search: 2.5,
            scattered: 0.8,
            waits: 0.15,
            page: 0.0,
        },
        Model {
            target: "native",
            base: 2.3,
            step: 0.03,
            search: 4.3,
            scattered: 0.7,
            waits: 0.2,
            page: 0.0,
        },
        Model {
            target: "xdp",
            base: 2.0,
            step: 0.035,
            search: 0.3,
            scattered: 17.0,
            waits: 1.0,
            page: 110.0,
        },
    ];

    /// The model of this target.
    pub fn of(target: &str) -> Option<Model> {
        Model::ALL.into_iter().find(|model| model.target == target)
    }

    /// What so many steps take (ns).
    pub fn steps(&self, steps: u32) -> f64 {
        f64::from(steps) * self.step
    }

    /// What a packet of one of so many flows takes (ns), where all of them come in turn, in no order, and find their entries.
    /// On `xdp` without what the kernel takes to run a program.
    pub fn packet(&self, way: &Way, layout: &Layout, flows: u64) -> f64 {
        let line = |(section, lines): (&SectionId, &u32)| {
            let size = layout[*section].size();
            let way = missed(size.min(flows.saturating_mul(LINE))) * self.waits;
            let page = beyond(PAGES, (size / PAGE).min(flows)) * self.page;
            f64::from(*lines) * (way + page)
        };
        let lines: f64 = way.lines.iter().map(line).sum();
        let search = self.search + self.scattered * (1.0 - 1.0 / (flows.max(1) as f64));
        let searches = f64::from(way.searches) * search;
        self.base + self.steps(way.steps) + searches + lines
    }
}

/// What a line costs (ns) of so many bytes that are touched in no order: each cache has its share of them.
fn missed(touched: u64) -> f64 {
    let caches = CACHES.into_iter();
    caches
        .map(|(kept, more)| more * beyond(kept, touched))
        .sum()
}

/// The share of what is touched that is not among what is kept of it.
fn beyond(kept: u64, touched: u64) -> f64 {
    let kept = kept as f64 / (touched as f64).max(1.0);
    (1.0 - kept).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use crate::verify::verify;

    /// The ways of a program, and its layout.
    fn of(source: &str) -> (Vec<Way>, Layout) {
        let source = text::parse(source).expect("it is a program");
        let program = verify(source.program, &source.layout).expect("it is a valid one");
        (ways(&program, &source.layout), source.layout)
    }

    const TABLE: &str = "section ring.web slot 65536\nsection flows.web flow 1048576\n\
        b0:\n  bounds +8 b1() else b5()\nb1:\n  v0 = frame.le8 +0\n  v1 = find flows.web[v0], v0\n  v2 = const 8\n  \
        v3 = eq v1, v2\n  if v3 b3() else b2()\nb2:\n  v4 = load.shared8 flows.web[v0]+0\n  return send v4\n\
        b3:\n  v5 = load.config4 ring.web[v0]+0\n  if v5 b4() else b5()\nb4:\n  return send v5\nb5:\n  return drop\n";

    #[test]
    fn ways_are_told_by_what_they_pass() {
        let (ways, layout) = of(TABLE);
        let told: Vec<(&str, u32, usize)> = ways
            .iter()
            .map(|way| (way.name, way.steps, way.lines.len()))
            .collect();
        let expected = [
            ("sent by table", 1 + 1 + 12 + 1 + 1 + 2 + 1, 1),
            ("dropped", 2, 0),
        ];
        assert_eq!(told, expected);
        for way in &ways {
            assert_eq!(way.places.values().sum::<u32>(), way.steps);
            for model in Model::ALL {
                let [few, many] = [1, 1 << 20].map(|flows| model.packet(way, &layout, flows));
                assert_eq!(few < many, !way.lines.is_empty(), "{few} {many}");
            }
        }
    }

    #[test]
    fn a_backend_that_no_ring_names_is_one_by_id() {
        let (ways, _) = of(
            "section backends.web backend 4\nsection ring.web slot 1024\nb0:\n  \
            bounds +8 b1() else b4()\nb1:\n  v0 = frame.le8 +0\n  v1 = load.config8 backends.web[v0]+0\n  \
            if v1 b2() else b3()\nb2:\n  return send v1\nb3:\n  v2 = load.config4 ring.web[v0]+0\n  \
            v3 = load.config8 backends.web[v2]+0\n  return send v3\nb4:\n  return drop\n",
        );
        let names: Vec<&str> = ways.iter().map(|way| way.name).collect();
        assert_eq!(names, ["sent by id", "sent by ring", "dropped"]);
    }

    #[test]
    fn a_line_costs_what_the_caches_do_not_keep() {
        assert!(missed(LINE) < f64::EPSILON);
        assert!(missed(64 << 10) < missed(1 << 20));
        assert!(missed(1 << 30) < CACHES.iter().map(|(_, more)| more).sum());
    }

    #[test]
    fn a_page_is_looked_for_where_sections_are_not_on_huge_ones() {
        let (ways, small) = of(TABLE);
        let (_, large) = of(&TABLE.replace("1048576", "16777216"));
        let way = ways.first().expect("it has ways");
        for (target, page) in [("wasm", 0.0), ("native", 0.0), ("xdp", 110.0)] {
            let model = Model::of(target).expect("it has a model");
            // The processor knows the pages of 1000 flows, not those of a million.
            let [near, far] = [&small, &large].map(|layout| model.packet(way, layout, 1000));
            assert!((near - far).abs() < f64::EPSILON, "{target} {near} {far}");
            let [near, far] = [&small, &large].map(|layout| model.packet(way, layout, 1 << 20));
            assert!(
                near < far && (far - near) > page * 0.4,
                "{target} {near} {far}"
            );
        }
    }
}
