//! The same meaning with less: constants folded, decided matches gone, unreachable steps and headers gone.
//!
//! Each change is harmless on its own: expressions have no effects, so one that is not needed may go; a condition that
//! was decided on every way to a node is decided the same way there, as long as nothing that it reads was written.

mod fold;
mod known;
#[cfg(test)]
mod tests;
mod twins;

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::pipeline::{ChoiceId, Edge, Expr, HeaderId, Pipeline, Step};

/// A pipeline that does the same to every packet. Ids of headers, variables, sets and choices stay what they were.
pub fn simplify(mut pipeline: Pipeline) -> Pipeline {
    drop_unreachable(&mut pipeline);
    fold::expressions(&mut pipeline);
    // What is simpler, or gone, may leave one way less on which something else was not decided.
    loop {
        let before = pipeline.graph.node_count();
        let simpler = known::conditions(&pipeline);
        let is_done = simpler.is_empty();
        for (node, condition) in simpler {
            if let Some(node) = pipeline.graph.node_weight_mut(node) {
                node.step = Step::Match(condition);
            }
        }
        skip_decided(&mut pipeline);
        drop_unreachable(&mut pipeline);
        if is_done && pipeline.graph.node_count() == before {
            break;
        }
    }
    forget_headers(&mut pipeline);
    pipeline
}

/// A pipeline that does the same to every packet, in which nodes that do the same, with the same behind them, are one.
/// Its place is the first of theirs, so this is for programs: who reads a graph or a trace wants each line by itself.
pub fn shared(mut pipeline: Pipeline) -> Pipeline {
    twins::merge(&mut pipeline);
    drop_unreachable(&mut pipeline);
    pipeline
}

/// Leads the ways to a match past it where its condition is a constant, or where it leads to one node anyhow. From the
/// last to the first, for a match may lead to one node only when those behind it are gone.
fn skip_decided(pipeline: &mut Pipeline) {
    for node in toposort(&pipeline.graph, None)
        .unwrap_or_default()
        .into_iter()
        .rev()
    {
        let Step::Match(condition) = &pipeline.step(node).step else {
            continue;
        };
        let (yes, no) = (
            pipeline.follow(node, Edge::Yes),
            pipeline.follow(node, Edge::No),
        );
        let next = match condition {
            Expr::Constant { value: 0, .. } => no,
            Expr::Constant { .. } => yes,
            _ if yes == no => yes,
            _ => continue,
        };
        replace(pipeline, node, next);
    }
}

/// Takes a node out; the ways to it lead to another one.
fn replace(pipeline: &mut Pipeline, node: NodeIndex, other: NodeIndex) {
    let into = pipeline.graph.edges_directed(node, Direction::Incoming);
    let into: Vec<(NodeIndex, Edge)> = into.map(|edge| (edge.source(), *edge.weight())).collect();
    pipeline.graph.remove_node(node);
    for (from, edge) in into {
        pipeline.graph.add_edge(from, other, edge);
    }
}

fn drop_unreachable(pipeline: &mut Pipeline) {
    let mut reached = BTreeSet::new();
    let mut open = vec![pipeline.entry];
    while let Some(node) = open.pop() {
        if reached.insert(node) {
            open.extend(pipeline.graph.neighbors(node));
        }
    }
    pipeline
        .graph
        .retain_nodes(|_, node| reached.contains(&node));
}

/// The parse step names the headers that the steps ask for, and those that they may stand behind.
fn forget_headers(pipeline: &mut Pipeline) {
    let mut asked = Asked::default();
    for node in pipeline.graph.node_weights() {
        asked.in_step(&node.step);
        if let Step::Select { pool, key, .. } = &node.step {
            let signs = pipeline.signs(*pool, *key);
            let exprs = signs.flat_map(|(_, signs)| signs.exprs());
            exprs.for_each(|expr| asked.by(expr));
        }
    }
    // No alternative speaks of a choice, so one round is enough.
    for choice in asked.choices.clone() {
        for alternative in &pipeline.choice(choice).alternatives {
            asked.by(&alternative.condition);
            alternative.key.iter().for_each(|part| asked.by(part));
        }
    }
    let mut headers = asked.headers;
    for (index, header) in pipeline.headers.iter().enumerate().rev() {
        if headers.contains(&HeaderId(index as u16)) {
            headers.extend(header.after.iter().map(|after| after.header));
        }
    }
    let entry = pipeline.entry;
    if let Some(node) = pipeline.graph.node_weight_mut(entry) {
        node.step = Step::Parse(headers.into_iter().collect());
    }
}

/// Headers and choices that expressions ask for.
#[derive(Default)]
struct Asked {
    headers: BTreeSet<HeaderId>,
    choices: BTreeSet<ChoiceId>,
}

impl Asked {
    fn in_step(&mut self, step: &Step) {
        match step {
            Step::Match(expr) | Step::Let(_, expr) | Step::Named { id: expr, .. } => self.by(expr),
            Step::Rewrite(header, _, expr) => {
                self.headers.insert(*header);
                self.by(expr);
            }
            Step::Select { key, .. } | Step::CountKey(_, key) | Step::Hash(_, key) => {
                self.choice(*key);
            }
            Step::Parse(_)
            | Step::Follow { .. }
            | Step::Remember { .. }
            | Step::Count(_)
            | Step::CountCell(..)
            | Step::Verdict(_) => {}
        }
    }

    fn by(&mut self, expr: &Expr) {
        match expr {
            Expr::Field(header, _) | Expr::Present(header) => {
                self.headers.insert(*header);
            }
            Expr::Chosen(choice, _) => self.choice(*choice),
            _ => {}
        }
        expr.parts().into_iter().for_each(|part| self.by(part));
    }

    fn choice(&mut self, choice: ChoiceId) {
        self.choices.insert(choice);
    }
}
