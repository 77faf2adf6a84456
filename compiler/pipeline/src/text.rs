//! The graph as text that reads like a policy: a line a node, what a condition leads to indented below it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use lvsc_abi::place::Place;
use petgraph::algo::dominators::{Dominators, simple_fast};
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;
use petgraph::{Direction, visit::EdgeRef};

use crate::pipeline::{Edge, Pipeline, Step};
use crate::words;

/// A node and where its edges lead.
pub type Reached = (NodeIndex, Vec<(Edge, NodeIndex)>);

/// The nodes that the entry reaches, in reading order, with their edges. A drawing's numbers are the positions here.
pub fn nodes(pipeline: &Pipeline) -> Vec<Reached> {
    let lines = Reading::of(pipeline).lines.into_iter();
    let node = |line| match line {
        Line::Node { node, .. } => Some((node, edges(pipeline, node))),
        Line::Else { .. } => None,
    };
    lines.filter_map(node).collect()
}

/// The edges that leave a node, in the order in which they are shown.
pub fn edges(pipeline: &Pipeline, node: NodeIndex) -> Vec<(Edge, NodeIndex)> {
    let edges: &[Edge] = match pipeline.step(node).step {
        Step::Match(_) | Step::Named { .. } | Step::Select { .. } | Step::Follow { .. } => {
            &[Edge::Yes, Edge::No]
        }
        Step::Parse(_)
        | Step::Hash(..)
        | Step::Remember { .. }
        | Step::Let(..)
        | Step::Rewrite(..)
        | Step::Count(_)
        | Step::CountCell(..)
        | Step::CountKey(..) => &[Edge::Next],
        Step::Verdict(_) => &[],
    };
    edges
        .iter()
        .map(|edge| (*edge, pipeline.follow(node, *edge)))
        .collect()
}

/// The graph, a line a node: its number, what it does, where it leads if not to what is read next, its place in the
/// policy. Below a `match` stands what is done where it holds, below a `select` what is done without a backend
/// (of one `by id`: where the packet names none), and so it is with a `follow`; what comes out of there, and the other way,
/// goes on behind it.
pub fn graph(pipeline: &Pipeline) -> String {
    graph_with(pipeline, |_| String::new())
}

/// The same, with what is said `beside` a place; of the nodes that come from one place beside the first.
pub fn graph_with(pipeline: &Pipeline, beside: impl Fn(Place) -> String) -> String {
    let mut told = BTreeSet::new();
    let reading = Reading::of(pipeline);
    let mut numbers = BTreeMap::new();
    for line in &reading.lines {
        if let Line::Node { node, .. } = line {
            numbers.insert(*node, numbers.len());
        }
    }
    let number = |node: &NodeIndex| {
        let found = numbers.get(node);
        *found.expect("an edge leads to a node of the graph")
    };
    let mut text = String::new();
    for line in &reading.lines {
        match line {
            Line::Else { depth } => {
                let _ = write!(text, "     {}else", "  ".repeat(*depth));
            }
            Line::Node { node, depth, jumps } => {
                let shown = pipeline.step(*node);
                let indent = "  ".repeat(*depth);
                let _ = write!(
                    text,
                    "{:>3}  {indent}{}",
                    number(node),
                    words::step(pipeline, shown)
                );
                for (edge, to) in jumps {
                    let _ = write!(text, "  [{}-> {}]", on(*edge), number(to));
                }
                let place = words::place(pipeline, shown.place);
                if !place.is_empty() {
                    let _ = write!(text, "  # {place}");
                    if told.insert(shown.place) {
                        text.push_str(&beside(shown.place));
                    }
                }
            }
        }
        text.push('\n');
    }
    text
}

fn on(edge: Edge) -> &'static str {
    match edge {
        Edge::Next => "",
        Edge::Yes => "yes ",
        Edge::No => "no ",
    }
}

enum Line {
    /// What the node above it does otherwise.
    Else { depth: usize },
    /// A node, and the edges that lead elsewhere than to what is read next.
    Node {
        node: NodeIndex,
        depth: usize,
        jumps: Vec<(Edge, NodeIndex)>,
    },
}

/// The graph as nested blocks: a node's block is what only it leads to (what it dominates).
struct Reading<'a> {
    pipeline: &'a Pipeline,
    dominators: Dominators<NodeIndex>,
    /// The nodes that are dominated by a node directly, each before those that it leads to.
    below: BTreeMap<NodeIndex, Vec<NodeIndex>>,
    lines: Vec<Line>,
}

impl<'a> Reading<'a> {
    fn of(pipeline: &'a Pipeline) -> Reading<'a> {
        let dominators = simple_fast(&pipeline.graph, pipeline.entry);
        let mut below: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
        for node in toposort(&pipeline.graph, None).unwrap_or_default() {
            if let Some(above) = dominators.immediate_dominator(node) {
                below.entry(above).or_default().push(node);
            }
        }
        let mut reading = Reading {
            pipeline,
            dominators,
            below,
            lines: Vec::new(),
        };
        reading.block(pipeline.entry, 0, None);
        reading
    }

    /// Reads a node and all that it dominates; `behind` is what is read after that.
    fn block(&mut self, first: NodeIndex, depth: usize, behind: Option<NodeIndex>) {
        let mut queue = VecDeque::from([first]);
        while let Some(node) = queue.pop_front() {
            let next = queue.front().copied().or(behind);
            match edges(self.pipeline, node).as_slice() {
                [] => self.lines.push(Line::Node {
                    node,
                    depth,
                    jumps: Vec::new(),
                }),
                [(edge, to)] => {
                    let follows = self.dominators.immediate_dominator(*to) == Some(node);
                    let is_next = follows || next == Some(*to);
                    let jumps = if is_next {
                        Vec::new()
                    } else {
                        vec![(*edge, *to)]
                    };
                    self.lines.push(Line::Node { node, depth, jumps });
                    if follows {
                        queue.push_front(*to);
                    }
                }
                ways => {
                    for node in self.fork(node, ways, depth, next).into_iter().rev() {
                        queue.push_front(node);
                    }
                }
            }
        }
    }

    /// Reads a node with two ways on and what is indented below it; gives what is read behind that.
    fn fork(
        &mut self,
        node: NodeIndex,
        ways: &[(Edge, NodeIndex)],
        depth: usize,
        next: Option<NodeIndex>,
    ) -> Vec<NodeIndex> {
        let below = match self.pipeline.step(node).step {
            Step::Named { .. } | Step::Select { .. } | Step::Follow { .. } => Edge::No,
            _ => Edge::Yes,
        };
        let own: Vec<NodeIndex> = ways
            .iter()
            .map(|(_, to)| *to)
            .filter(|to| self.is_only_way(node, *to))
            .collect();
        let dominated = self.below.get(&node).cloned().unwrap_or_default();
        let mut behind: Vec<NodeIndex> = dominated
            .into_iter()
            .filter(|node| !own.contains(node))
            .collect();
        let body = ways
            .iter()
            .find(|(edge, _)| *edge == below)
            .map(|(_, to)| *to);
        let body = body.filter(|to| own.contains(to));
        let other = ways
            .iter()
            .find(|(edge, _)| *edge != below)
            .map(|(_, to)| *to);
        let other = other.filter(|to| own.contains(to));
        if behind.is_empty() {
            behind.extend(other);
        }
        let next = behind.first().copied().or(next);
        let jumps = ways
            .iter()
            .filter(|(_, to)| !own.contains(to) && next != Some(*to));
        self.lines.push(Line::Node {
            node,
            depth,
            jumps: jumps.copied().collect(),
        });
        if let Some(body) = body {
            self.block(body, depth + 1, next);
        }
        if let Some(other) = other.filter(|other| !behind.contains(other)) {
            self.lines.push(Line::Else { depth });
            self.block(other, depth + 1, next);
        }
        behind
    }

    fn is_only_way(&self, from: NodeIndex, to: NodeIndex) -> bool {
        let mut into = self.pipeline.graph.edges_directed(to, Direction::Incoming);
        into.next().is_some_and(|edge| edge.source() == from) && into.next().is_none()
    }
}

#[cfg(test)]
mod tests;
