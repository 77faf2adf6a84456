//! Twins: nodes that do the same, with the same behind them, are one. Services of one pool share its select and all that
//! follows.
//!
//! Each service binds variables of its own. So they are compared by where they are named first, and two nodes are one where
//! those that are bound before them are the same, too.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::{Asked, replace};
use crate::pipeline::{
    Client, Edge, Expr, InterfaceRef, Outcome, Pipeline, Step, VariableId, VariableKind,
};

/// What a node and all behind it do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Doing {
    /// Equal for what is equal but for its variables.
    class: usize,
    /// Variables that are bound before.
    free: Vec<VariableId>,
}

/// A step and what follows it, its variables numbered in the order in which they are named.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    step: Step,
    variables: Vec<VariableKind>,
    next: Vec<(Edge, Doing)>,
}

/// From the last node to the first, for nodes can only be equal when those behind them are.
pub(super) fn merge(pipeline: &mut Pipeline) {
    // Both are only looked into, never gone through.
    let mut classes: HashMap<Shape, usize> = HashMap::new();
    let mut known: HashMap<Doing, NodeIndex> = HashMap::new();
    let mut doing: BTreeMap<NodeIndex, Doing> = BTreeMap::new();
    let order = toposort(&pipeline.graph, None).unwrap_or_default();
    for node in order.into_iter().rev() {
        let (shape, free) = shape(pipeline, node, &doing);
        let new = classes.len();
        let class = *classes.entry(shape).or_insert(new);
        let does = Doing { class, free };
        match known.entry(does.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(node);
                doing.insert(node, does);
            }
            Entry::Occupied(entry) => {
                let place = pipeline.step(node).place;
                if let Some(twin) = pipeline.graph.node_weight_mut(*entry.get()) {
                    twin.place = twin.place.min(place);
                }
                replace(pipeline, node, *entry.get());
            }
        }
    }
}

/// The node's shape, and the variables that are bound before it.
fn shape(
    pipeline: &Pipeline,
    node: NodeIndex,
    doing: &BTreeMap<NodeIndex, Doing>,
) -> (Shape, Vec<VariableId>) {
    let mut step = pipeline.step(node).step.clone();
    let mut names = Vec::new();
    read(&mut step, &mut |variable| {
        *variable = number(&mut names, *variable);
    });
    in_choices(pipeline, &step, &mut |variable| {
        number(&mut names, *variable);
    });
    let reads = names.len();
    let bound = bound(&mut step).map(|variable| {
        let name = *variable;
        *variable = number(&mut names, name);
        name
    });
    let edges = pipeline.graph.edges_directed(node, Direction::Outgoing);
    let mut edges: Vec<(Edge, NodeIndex)> =
        edges.map(|edge| (*edge.weight(), edge.target())).collect();
    edges.sort_unstable();
    let next = edges.into_iter().filter_map(|(edge, to)| {
        let Doing { class, free } = doing.get(&to)?;
        let free = free.iter().map(|variable| number(&mut names, *variable));
        let free = free.collect();
        Some((
            edge,
            Doing {
                class: *class,
                free,
            },
        ))
    });
    let next = next.collect();
    let kinds = names.iter().map(|name| pipeline.variable(*name).kind);
    let shape = Shape {
        step,
        variables: kinds.collect(),
        next,
    };
    let (read, behind) = names.split_at(reads);
    let behind = behind.iter().filter(|name| Some(**name) != bound);
    let free = read.iter().chain(behind).copied().collect();
    (shape, free)
}

/// The number of a variable among those that are named so far.
fn number(names: &mut Vec<VariableId>, variable: VariableId) -> VariableId {
    let known = names.iter().position(|name| *name == variable);
    let number = known.unwrap_or_else(|| {
        names.push(variable);
        names.len() - 1
    });
    VariableId(number as u16)
}

type Visit<'a> = &'a mut dyn FnMut(&mut VariableId);

/// The variable that the step binds.
fn bound(step: &mut Step) -> Option<&mut VariableId> {
    match step {
        Step::Let(variable, _)
        | Step::Hash(variable, _)
        | Step::Named { variable, .. }
        | Step::Select { variable, .. }
        | Step::Follow { variable, .. } => Some(variable),
        Step::Parse(_)
        | Step::Remember { .. }
        | Step::Match(_)
        | Step::Rewrite(..)
        | Step::Count(_)
        | Step::CountCell(..)
        | Step::CountKey(..)
        | Step::Verdict(_) => None,
    }
}

/// Calls `visit` with each variable that the step reads itself.
fn read(step: &mut Step, visit: Visit<'_>) {
    match step {
        Step::Match(expr)
        | Step::Let(_, expr)
        | Step::Named { id: expr, .. }
        | Step::Rewrite(_, _, expr) => in_expr(expr, visit),
        Step::CountCell(_, variable)
        | Step::Follow {
            datagram: variable, ..
        } => visit(variable),
        Step::Remember {
            variable, datagram, ..
        } => {
            visit(variable);
            visit(datagram);
        }
        Step::Select { home, client, .. } => {
            let client = client.iter_mut();
            let client = client.flat_map(|Client { own, quoted }| [own, quoted]);
            client.chain(home).for_each(visit);
        }
        Step::Verdict(Outcome::Send(interface)) => in_interface(interface, visit),
        Step::Parse(_)
        | Step::Hash(..)
        | Step::Count(_)
        | Step::CountKey(..)
        | Step::Verdict(Outcome::Drop(_) | Outcome::Pass) => {}
    }
}

/// The same of the choices that the step asks for; these are named by their numbers, so their variables stay as they are.
fn in_choices(pipeline: &Pipeline, step: &Step, visit: Visit<'_>) {
    let mut asked = Asked::default();
    asked.in_step(step);
    for choice in asked.choices {
        for alternative in &pipeline.choice(choice).alternatives {
            let each = [&alternative.condition].into_iter().chain(&alternative.key);
            each.for_each(|expr| in_expr(&mut expr.clone(), visit));
        }
    }
}

fn in_expr(expr: &mut Expr, visit: Visit<'_>) {
    match expr {
        Expr::Constant { .. } | Expr::Field(..) | Expr::Present(_) => {}
        Expr::Variable(variable) | Expr::Backend(variable, _) => visit(variable),
        Expr::Interface(interface, _) => in_interface(interface, visit),
        Expr::Resize(_, a) | Expr::In(a, _) | Expr::Not(a) => in_expr(a, visit),
        Expr::Binary(_, a, b) | Expr::Compare(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
            in_expr(a, visit);
            in_expr(b, visit);
        }
        Expr::Chosen(_, each) => each.iter_mut().for_each(|expr| in_expr(expr, visit)),
    }
}

fn in_interface(interface: &mut InterfaceRef, visit: Visit<'_>) {
    match interface {
        InterfaceRef::OfBackend(variable) => visit(variable),
        InterfaceRef::Ingress | InterfaceRef::Named(_) => {}
    }
}
