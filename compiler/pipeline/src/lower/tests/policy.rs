//! Pipelines built of statements, as the front end builds them: what stands behind a statement follows on every way
//! out of it that does not end.

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{Backend, Counter, CounterKind, Flows, Interface, Manifest, Pool};
use lvsc_abi::place::Place;
use lvsc_abi::scheduler::Scheduler;
use petgraph::stable_graph::{NodeIndex, StableGraph};

use super::network;
use crate::pipeline::{
    ChoiceId, CounterId, Edge, Expr, FieldId, HeaderId, Node, Outcome, Pipeline, PoolId, Step,
    Variable, VariableId, VariableKind,
};

/// A statement.
#[derive(Clone, Debug)]
pub(super) enum Stmt {
    Match(Expr, Vec<Stmt>, Vec<Stmt>),
    Let(VariableId, Expr),
    /// The statements are those for "no backend"; they must end the packet.
    Select(PoolId, VariableId, ChoiceId, Vec<Stmt>),
    Rewrite(HeaderId, FieldId, Expr),
    Count(CounterId),
    End(Outcome),
}

/// A maglev pool without a table, one with, and a round robin pool.
pub(super) const RING: PoolId = PoolId(0);
pub(super) const HASHED: PoolId = PoolId(1);
pub(super) const TURNS: PoolId = PoolId(2);

/// Seconds after which an entry of a table may be taken.
pub(super) const IDLE: u32 = 60;
/// Backends of each pool.
pub(super) const BACKENDS: u16 = 3;

/// Counters of statements: reasons and counts.
pub(super) const COUNTERS: u16 = 4;

fn manifest() -> Manifest {
    let counter = |name: String, kind| Counter { name, kind };
    let mut counters: Vec<Counter> = (0..COUNTERS)
        .map(|at| {
            let kind = if at < 2 {
                CounterKind::Reason
            } else {
                CounterKind::Policy
            };
            counter(format!("c{at}"), kind)
        })
        .collect();
    let mut pools = Vec::new();
    let flows = Some(Flows {
        entries: 16,
        idle: IDLE,
    });
    for (name, scheduler, flows) in [
        ("ring", Scheduler::Maglev, None),
        ("hashed", Scheduler::Maglev, flows),
        ("turns", Scheduler::Rr, flows),
    ] {
        let first = counters.len() as u32;
        let backends = (0..BACKENDS).map(|id| Backend {
            id,
            name: format!("rs{id}"),
            address: [192, 0, 2, id as u8].into(),
            port: None,
            weight: 1,
            mac: Some(Mac([2, 0, 0, 0, 1, id as u8])),
            interface: (id % 2) as u8,
        });
        let backends: Vec<Backend> = backends.collect();
        counters.extend(
            backends
                .iter()
                .map(|b| counter(format!("{name}.{}", b.name), CounterKind::Backend)),
        );
        if flows.is_some() {
            counters.push(counter(name.to_owned(), CounterKind::Refused));
        }
        pools.push(Pool {
            name: name.to_owned(),
            scheduler,
            backends,
            flows,
            counters: first,
        });
    }
    let interfaces = ["lan", "wan"].map(|name| Interface {
        name: name.to_owned(),
        mac: None,
        ip: None,
    });
    Manifest {
        interfaces: interfaces.to_vec(),
        pools,
        counters,
        ..Manifest::default()
    }
}

/// The pipeline of these statements over the headers of [`network`]; `pass` at the end.
pub(super) fn pipeline(body: &[Stmt], variables: &[VariableKind]) -> Pipeline {
    let headers = network::headers();
    let mut graph = Graph {
        graph: StableGraph::new(),
        line: 0,
    };
    let end = graph.node(Step::Verdict(Outcome::Pass));
    let first = graph.block(body, end);
    let entry = graph.node(Step::Parse(
        (0..headers.len()).map(|id| HeaderId(id as u16)).collect(),
    ));
    graph.graph.add_edge(entry, first, Edge::Next);
    Pipeline {
        graph: graph.graph,
        entry,
        variables: (variables.iter().enumerate())
            .map(|(at, kind)| Variable {
                name: format!("v{at}"),
                kind: *kind,
            })
            .collect(),
        sets: network::sets(),
        choices: network::choices(&headers),
        headers,
        manifest: manifest(),
    }
}

struct Graph {
    graph: StableGraph<Node, Edge>,
    line: u32,
}

impl Graph {
    fn node(&mut self, step: Step) -> NodeIndex {
        self.line += 1;
        self.graph.add_node(Node {
            step,
            place: Place {
                file: 0,
                line: self.line,
                column: 1,
            },
        })
    }

    fn block(&mut self, stmts: &[Stmt], next: NodeIndex) -> NodeIndex {
        stmts
            .iter()
            .rfold(next, |next, stmt| self.statement(stmt, next))
    }

    fn statement(&mut self, stmt: &Stmt, next: NodeIndex) -> NodeIndex {
        let (step, edges) = match stmt {
            Stmt::Match(condition, then, otherwise) => {
                let yes = self.block(then, next);
                let no = self.block(otherwise, next);
                (
                    Step::Match(condition.clone()),
                    vec![(yes, Edge::Yes), (no, Edge::No)],
                )
            }
            Stmt::Let(variable, value) => (
                Step::Let(*variable, value.clone()),
                vec![(next, Edge::Next)],
            ),
            Stmt::Select(pool, variable, key, otherwise) => {
                let no = self.block(otherwise, next);
                let step = Step::Select {
                    pool: *pool,
                    variable: *variable,
                    key: *key,
                };
                (step, vec![(next, Edge::Yes), (no, Edge::No)])
            }
            Stmt::Rewrite(header, field, value) => (
                Step::Rewrite(*header, *field, value.clone()),
                vec![(next, Edge::Next)],
            ),
            Stmt::Count(counter) => (Step::Count(*counter), vec![(next, Edge::Next)]),
            Stmt::End(outcome) => (Step::Verdict(*outcome), Vec::new()),
        };
        let node = self.node(step);
        for (to, edge) in edges {
            self.graph.add_edge(node, to, edge);
        }
        node
    }
}
