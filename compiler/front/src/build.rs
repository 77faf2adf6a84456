//! A checked policy as a pipeline graph. Statements become nodes, what follows them becomes edges.

use lvsc_abi::place::Place;
use lvsc_pipeline::members;
use lvsc_pipeline::pipeline::{Edge, HeaderId, Node, Outcome, Pipeline, Set, Step};
use petgraph::stable_graph::{NodeIndex, StableGraph};

use crate::policy::{Branch, Following, Policy, Stmt, StmtKind};

/// The pipeline of a policy: what its statements do in order, and `pass` at the end.
pub fn build(policy: &Policy) -> Pipeline {
    let mut graph = StableGraph::new();
    let node = |step, place| Node { step, place };
    let end = graph.add_node(node(Step::Verdict(Outcome::Pass), Place::default()));
    let first = block(&mut graph, &policy.body, end);
    let headers = (0..policy.headers.len())
        .map(|id| HeaderId(id as u16))
        .collect();
    let entry = graph.add_node(node(Step::Parse(headers), Place::default()));
    graph.add_edge(entry, first, Edge::Next);
    let mut pipeline = Pipeline {
        graph,
        entry,
        headers: policy.headers.clone(),
        variables: policy.variables.clone(),
        sets: policy.sets.iter().map(joined).collect(),
        choices: policy.choices.clone(),
        manifest: policy.manifest.clone(),
        sources: policy.sources.clone(),
    };
    members::place(&mut pipeline);
    pipeline
}

/// The set with ranges that touch made one.
fn joined(set: &Set) -> Set {
    let mut ranges: Vec<(u128, u128)> = Vec::new();
    for &(low, high) in &set.ranges {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(low) => *last = high,
            Some(_) | None => ranges.push((low, high)),
        }
    }
    Set {
        ranges,
        ..set.clone()
    }
}

/// Adds the statements, from the last to the first, each leading to what follows it; gives the first node.
fn block(graph: &mut StableGraph<Node, Edge>, stmts: &[Stmt], next: NodeIndex) -> NodeIndex {
    stmts
        .iter()
        .rfold(next, |next, stmt| statement(graph, stmt, next))
}

fn statement(graph: &mut StableGraph<Node, Edge>, stmt: &Stmt, next: NodeIndex) -> NodeIndex {
    let (step, edges) = match &stmt.kind {
        StmtKind::Match {
            branches,
            otherwise,
        } => return choose(graph, branches, otherwise, next),
        StmtKind::Select {
            pool,
            variable,
            id,
            key,
            following,
            otherwise,
        } => {
            let (pool, variable) = (*pool, *variable);
            let no = block(graph, otherwise, next);
            let behind = following.map_or(next, |following| {
                let (datagram, _) = following.first;
                let step = Step::Remember {
                    pool,
                    variable,
                    datagram,
                };
                add(graph, step, stmt.place, &[(next, Edge::Next)])
            });
            let step = Step::Select {
                pool,
                variable,
                key: *key,
            };
            let edges = [(behind, Edge::Yes), (no, Edge::No)];
            let mut first = add(graph, step, stmt.place, &edges);
            if let Some(following) = following {
                let (datagram, _) = following.later;
                let step = Step::Follow {
                    pool,
                    variable,
                    datagram,
                };
                let edges = [(next, Edge::Yes), (first, Edge::No)];
                first = add(graph, step, stmt.place, &edges);
            }
            if let Some(id) = id.clone() {
                let step = Step::Named { pool, variable, id };
                let edges = [(behind, Edge::Yes), (first, Edge::No)];
                first = add(graph, step, stmt.place, &edges);
            }
            return following.map_or(first, |following| hash(graph, following, first, stmt.place));
        }
        StmtKind::Let(variable, value) => (
            Step::Let(*variable, value.clone()),
            vec![(next, Edge::Next)],
        ),
        StmtKind::Rewrite(header, field, value) => (
            Step::Rewrite(*header, *field, value.clone()),
            vec![(next, Edge::Next)],
        ),
        StmtKind::Count(counter) => (Step::Count(*counter), vec![(next, Edge::Next)]),
        StmtKind::CountCell(keyed, cell) => {
            (Step::CountCell(*keyed, *cell), vec![(next, Edge::Next)])
        }
        StmtKind::CountKey(keyed, key) => (Step::CountKey(*keyed, *key), vec![(next, Edge::Next)]),
        StmtKind::Verdict(outcome) => (Step::Verdict(*outcome), Vec::new()),
    };
    add(graph, step, stmt.place, &edges)
}

/// Hashes both keys of a datagram, then goes to `next`.
fn hash(
    graph: &mut StableGraph<Node, Edge>,
    following: Following,
    next: NodeIndex,
    place: Place,
) -> NodeIndex {
    let Following { later, first } = following;
    [first, later]
        .into_iter()
        .fold(next, |to, (variable, key)| {
            let step = Step::Hash(variable, key);
            add(graph, step, place, &[(to, Edge::Next)])
        })
}

/// A chain of conditions; gives the first.
fn choose(
    graph: &mut StableGraph<Node, Edge>,
    branches: &[Branch],
    otherwise: &[Stmt],
    next: NodeIndex,
) -> NodeIndex {
    let ways: Vec<NodeIndex> = branches
        .iter()
        .map(|branch| block(graph, &branch.then, next))
        .collect();
    let last = block(graph, otherwise, next);
    branches.iter().zip(ways).rfold(last, |no, (branch, yes)| {
        let step = Step::Match(branch.condition.clone());
        let edges = [(yes, Edge::Yes), (no, Edge::No)];
        add(graph, step, branch.place, &edges)
    })
}

fn add(
    graph: &mut StableGraph<Node, Edge>,
    step: Step,
    place: Place,
    edges: &[(NodeIndex, Edge)],
) -> NodeIndex {
    let node = graph.add_node(Node { step, place });
    for (to, edge) in edges {
        graph.add_edge(node, *to, *edge);
    }
    node
}
