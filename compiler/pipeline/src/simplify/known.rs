//! What is known of conditions on every way to a node.

use std::collections::{BTreeMap, HashMap, HashSet};

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::fold;
use crate::pipeline::{Edge, Expr, InterfaceRef, Pipeline, Step, VariableId};

/// Conditions that were decided, and how.
type Known = Vec<(Expr, bool)>;

/// The matches whose conditions are simpler by what is known when a packet arrives there.
pub(super) fn conditions(pipeline: &Pipeline) -> Vec<(NodeIndex, Expr)> {
    let repeated = repeated(pipeline);
    let mut behind: BTreeMap<(NodeIndex, Edge), Known> = BTreeMap::new();
    let mut simpler = Vec::new();
    for node in toposort(&pipeline.graph, None).unwrap_or_default() {
        let into = pipeline.graph.edges_directed(node, Direction::Incoming);
        let mut into = into.map(|edge| behind.get(&(edge.source(), *edge.weight())));
        let first = into.next().flatten().cloned().unwrap_or_default();
        let mut known = into.fold(first, |known, other| {
            meet(known, other.map_or(&[], Vec::as_slice))
        });
        match &pipeline.step(node).step {
            Step::Match(condition) => {
                let found = fold::condition(pipeline, &replace(condition, &known));
                for (edge, holds) in [(Edge::Yes, true), (Edge::No, false)] {
                    let mut known = known.clone();
                    learn(&found, holds, &repeated, &mut known);
                    behind.insert((node, edge), known);
                }
                if found != *condition {
                    simpler.push((node, found));
                }
                continue;
            }
            // Headers may lie on each other, so a write may change any field.
            Step::Rewrite(..) => known.retain(|(expr, _)| !reads_frame(pipeline, expr)),
            Step::Let(variable, _)
            | Step::Hash(variable, _)
            | Step::Named { variable, .. }
            | Step::Select { variable, .. }
            | Step::Follow { variable, .. } => {
                known.retain(|(expr, _)| !reads_variable(pipeline, expr, *variable));
            }
            Step::Parse(_)
            | Step::Remember { .. }
            | Step::Count(_)
            | Step::CountCell(..)
            | Step::CountKey(..)
            | Step::Verdict(_) => {}
        }
        for edge in [Edge::Next, Edge::Yes, Edge::No] {
            behind.insert((node, edge), known.clone());
        }
    }
    simpler
}

fn meet(known: Known, other: &[(Expr, bool)]) -> Known {
    known
        .into_iter()
        .filter(|fact| other.contains(fact))
        .collect()
}

/// The conditions and parts of conditions that are decided at more than one place: only these are worth knowing.
fn repeated(pipeline: &Pipeline) -> HashSet<Expr> {
    let mut counted: HashMap<&Expr, usize> = HashMap::new();
    let mut open: Vec<&Expr> = Vec::new();
    for node in pipeline.graph.node_weights() {
        if let Step::Match(condition) = &node.step {
            open.push(condition);
        }
    }
    let mut repeated = HashSet::new();
    while let Some(condition) = open.pop() {
        if let Expr::Constant { .. } = condition {
            continue;
        }
        let count = counted.entry(condition).or_default();
        *count += 1;
        if *count == 2 {
            repeated.insert(condition.clone());
        }
        if let Expr::And(..) | Expr::Or(..) | Expr::Not(_) = condition {
            open.extend(condition.parts());
        }
    }
    repeated
}

/// What follows from a condition that holds or does not.
fn learn(condition: &Expr, holds: bool, repeated: &HashSet<Expr>, known: &mut Known) {
    match (condition, holds) {
        (Expr::Not(a), _) => learn(a, !holds, repeated, known),
        (Expr::And(a, b), true) | (Expr::Or(a, b), false) => {
            learn(a, holds, repeated, known);
            learn(b, holds, repeated, known);
        }
        _ => {}
    }
    if repeated.contains(condition) {
        known.push((condition.clone(), holds));
    }
}

/// The condition with what is known in its place, wherever a part of it is decided.
fn replace(condition: &Expr, known: &Known) -> Expr {
    if let Some((_, holds)) = known.iter().find(|(expr, _)| expr == condition) {
        return if *holds { Expr::TRUE } else { Expr::FALSE };
    }
    let inner = |part: &Expr| Box::new(replace(part, known));
    match condition {
        Expr::And(a, b) => Expr::And(inner(a), inner(b)),
        Expr::Or(a, b) => Expr::Or(inner(a), inner(b)),
        Expr::Not(a) => Expr::Not(inner(a)),
        _ => condition.clone(),
    }
}

fn reads_frame(pipeline: &Pipeline, expr: &Expr) -> bool {
    any(pipeline, expr, &|expr| matches!(expr, Expr::Field(..)))
}

fn reads_variable(pipeline: &Pipeline, expr: &Expr, variable: VariableId) -> bool {
    any(pipeline, expr, &|expr| match expr {
        Expr::Variable(id)
        | Expr::Backend(id, _)
        | Expr::Interface(InterfaceRef::OfBackend(id), _) => *id == variable,
        _ => false,
    })
}

/// Whether it is true of a part of the expression, or of a part of what decides its choices.
fn any(pipeline: &Pipeline, expr: &Expr, is: &dyn Fn(&Expr) -> bool) -> bool {
    let in_choice = match expr {
        Expr::Chosen(choice, _) => {
            let mut alternatives = pipeline.choice(*choice).alternatives.iter();
            alternatives.any(|alternative| any(pipeline, &alternative.condition, is))
        }
        _ => false,
    };
    is(expr) || in_choice || expr.parts().into_iter().any(|part| any(pipeline, part, is))
}
