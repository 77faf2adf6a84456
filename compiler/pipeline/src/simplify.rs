//! The same meaning with less: constants folded, decided matches gone, unreachable steps and headers gone.

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::pipeline::{ChoiceId, Edge, Expr, HeaderId, Pipeline, Step};
use crate::text;

/// A pipeline that does the same to every packet.
pub fn simplify(mut pipeline: Pipeline) -> Pipeline {
    let nodes: Vec<NodeIndex> = pipeline.graph.node_indices().collect();
    for node in nodes {
        if let Some(weight) = pipeline.graph.node_weight_mut(node) {
            match &mut weight.step {
                Step::Match(expr) | Step::Let(_, expr) | Step::Rewrite(_, _, expr) => {
                    *expr = fold(expr);
                }
                Step::Parse(_) | Step::Select { .. } | Step::Count(_) | Step::Verdict(_) => {}
            }
        }
    }
    skip_decided(&mut pipeline);
    drop_unreachable(&mut pipeline);
    forget_headers(&mut pipeline);
    pipeline
}

/// Conditions with a constant inside.
fn fold(expr: &Expr) -> Expr {
    let inner = |a: &Expr| Box::new(fold(a));
    match expr {
        Expr::And(a, b) => match (fold(a), fold(b)) {
            (Expr::FALSE, _) | (_, Expr::FALSE) => Expr::FALSE,
            (Expr::TRUE, other) | (other, Expr::TRUE) => other,
            (a, b) => Expr::And(Box::new(a), Box::new(b)),
        },
        Expr::Or(a, b) => match (fold(a), fold(b)) {
            (Expr::TRUE, _) | (_, Expr::TRUE) => Expr::TRUE,
            (Expr::FALSE, other) | (other, Expr::FALSE) => other,
            (a, b) => Expr::Or(Box::new(a), Box::new(b)),
        },
        Expr::Not(a) => match fold(a) {
            Expr::TRUE => Expr::FALSE,
            Expr::FALSE => Expr::TRUE,
            Expr::Not(b) => *b,
            a => Expr::Not(Box::new(a)),
        },
        Expr::Chosen(choice, each) => {
            let each: Vec<Expr> = each.iter().map(fold).collect();
            if each.iter().all(|expr| *expr == Expr::FALSE) {
                return Expr::FALSE;
            }
            Expr::Chosen(*choice, each)
        }
        Expr::Binary(op, a, b) => Expr::Binary(*op, inner(a), inner(b)),
        Expr::Compare(op, a, b) => Expr::Compare(*op, inner(a), inner(b)),
        Expr::Resize(width, a) => Expr::Resize(*width, inner(a)),
        Expr::In(a, set) => Expr::In(inner(a), *set),
        Expr::Constant { .. }
        | Expr::Field(..)
        | Expr::Variable(_)
        | Expr::Present(_)
        | Expr::Interface(..)
        | Expr::Backend(..) => expr.clone(),
    }
}

/// Leads the ways to a match on a constant past it. A double negation of a value that is no truth value stays, for
/// `fold` makes only conditions.
fn skip_decided(pipeline: &mut Pipeline) {
    let decided: Vec<(NodeIndex, Edge)> = pipeline
        .graph
        .node_indices()
        .filter_map(|node| match &pipeline.step(node).step {
            Step::Match(condition) if *condition == Expr::TRUE => Some((node, Edge::Yes)),
            Step::Match(condition) if *condition == Expr::FALSE => Some((node, Edge::No)),
            _ => None,
        })
        .collect();
    for (node, edge) in decided {
        let next = pipeline.follow(node, edge);
        let ways: Vec<(NodeIndex, Edge)> = pipeline
            .graph
            .edges_directed(node, Direction::Incoming)
            .map(|way| (way.source(), *way.weight()))
            .collect();
        pipeline.graph.remove_node(node);
        for (from, edge) in ways {
            pipeline.graph.add_edge(from, next, edge);
        }
    }
}

fn drop_unreachable(pipeline: &mut Pipeline) {
    let reached: BTreeSet<NodeIndex> = text::nodes(pipeline)
        .into_iter()
        .map(|(node, _)| node)
        .collect();
    pipeline
        .graph
        .retain_nodes(|_, node| reached.contains(&node));
}

/// The parse step names the headers that the steps ask for, and those before them.
fn forget_headers(pipeline: &mut Pipeline) {
    let mut asked = Asked::default();
    for node in pipeline.graph.node_weights() {
        match &node.step {
            Step::Match(expr) | Step::Let(_, expr) => asked.by(expr),
            Step::Rewrite(header, _, expr) => {
                asked.headers.insert(*header);
                asked.by(expr);
            }
            Step::Select { key, .. } => {
                asked.choices.insert(*key);
            }
            Step::Parse(_) | Step::Count(_) | Step::Verdict(_) => {}
        }
    }
    for choice in asked.choices.clone() {
        for way in &pipeline.choice(choice).alternatives {
            asked.by(&way.condition);
            for part in &way.key {
                asked.by(part);
            }
        }
    }
    let mut all: BTreeSet<HeaderId> = asked.headers;
    for id in (0..pipeline.headers.len())
        .rev()
        .map(|id| HeaderId(id as u16))
    {
        if all.contains(&id) {
            all.extend(pipeline.header(id).after.iter().map(|after| after.header));
        }
    }
    let entry = pipeline.entry;
    if let Some(node) = pipeline.graph.node_weight_mut(entry) {
        node.step = Step::Parse(all.into_iter().collect());
    }
}

/// Headers and choices that expressions ask for.
#[derive(Default)]
struct Asked {
    headers: BTreeSet<HeaderId>,
    choices: BTreeSet<ChoiceId>,
}

impl Asked {
    fn by(&mut self, expr: &Expr) {
        match expr {
            Expr::Field(header, _) | Expr::Present(header) => {
                self.headers.insert(*header);
            }
            Expr::Chosen(choice, _) => {
                self.choices.insert(*choice);
            }
            _ => {}
        }
        for part in expr.parts() {
            self.by(part);
        }
    }
}
