//! Pipelines and frames for the tests of this crate: headers as the prelude has them, pools, and statements that become
//! a graph.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod frames;
mod network;

use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{Section, backend, clock, interface};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{Backend, Counter, CounterKind, Flows, Interface, Manifest, Pool};
use lvsc_abi::place::{Place, Sources};
use lvsc_abi::scheduler::Scheduler;
use lvsc_abi::verdict::Verdict;
use petgraph::stable_graph::{NodeIndex, StableGraph};

pub(crate) use self::frames::{ethernet, icmp_error, ip4, ip4_with, sum, tagged, tcp, udp};
pub(crate) use self::network::{
    FLOW, IP, TAGS, and, choices, compare, eq, field, header, headers, id, not, number, or, sets,
};
use crate::interp::{self, Blind, Observer};
use crate::layout::{Sections, layout};
use crate::pipeline::{
    CounterId, Edge, Expr, FieldId, HeaderId, Node, Outcome, Pipeline, PoolId, Step, Variable,
    VariableId, VariableKind,
};

/// Maglev without a connection table.
pub(crate) const PLAIN: PoolId = PoolId(0);
/// Maglev with a connection table of one bucket.
pub(crate) const KEPT: PoolId = PoolId(1);
/// Round robin with a connection table of one bucket.
pub(crate) const TURNS: PoolId = PoolId(2);
/// Backends of each pool.
pub(crate) const BACKENDS: u16 = 3;
/// Seconds after which an entry of a table may be taken.
pub(crate) const IDLE: u32 = 60;

/// Reasons and counters of statements.
pub(crate) const CLOSED: CounterId = CounterId(0);
pub(crate) const NO_BACKEND: CounterId = CounterId(1);
pub(crate) const SEEN: CounterId = CounterId(2);

/// A backend of `PLAIN`, of `KEPT`, of `TURNS`.
pub(crate) const RS: [VariableId; 3] = [VariableId(0), VariableId(1), VariableId(2)];
/// Numbers of 16 bits.
pub(crate) const PORT: VariableId = VariableId(3);
pub(crate) const OTHER: VariableId = VariableId(4);

/// A statement of a policy.
#[derive(Clone, Debug)]
pub(crate) enum Stmt {
    When(Expr, Vec<Stmt>, Vec<Stmt>),
    Bind(VariableId, Expr),
    /// From the pool into its variable, by the flow; what is done without a backend.
    Select(PoolId, Vec<Stmt>),
    /// The same, where the packet does not name one by this id.
    Named(PoolId, Expr, Vec<Stmt>),
    Set(&'static str, Expr),
    /// An assignment to a field of any header.
    SetIn(HeaderId, FieldId, Expr),
    Count(CounterId),
    End(Outcome),
}

/// The pipeline of these statements over one header more, which lies where others do: `a: u64; b: u8; c: u8; d: u16`
/// behind `after`, when this holds.
pub(crate) fn overlaid(body: &[Stmt], after: &str, when: Expr) -> (Pipeline, HeaderId) {
    let mut pipeline = policy(body);
    let raw = id(pipeline.headers.len());
    pipeline.headers.push(network::raw(after, when));
    (pipeline, raw)
}

/// The pipeline of these statements; `pass` at the end. The statements of a block have one line after the other.
pub(crate) fn policy(body: &[Stmt]) -> Pipeline {
    let headers = headers();
    let mut draft = Draft {
        graph: StableGraph::new(),
        line: 0,
    };
    let end = draft.node(Step::Verdict(Outcome::Pass), 0);
    let first = draft.block(body, end);
    let entry = draft.node(Step::Parse((0..headers.len()).map(id).collect()), 0);
    draft.graph.add_edge(entry, first, Edge::Next);
    let backend = |pool| VariableKind::Backend(pool);
    let variables = [
        ("plain", backend(PLAIN)),
        ("kept", backend(KEPT)),
        ("turn", backend(TURNS)),
        ("port", VariableKind::Value(16)),
        ("other", VariableKind::Value(16)),
    ];
    Pipeline {
        graph: draft.graph,
        entry,
        headers,
        variables: variables
            .map(|(name, kind)| Variable {
                name: name.to_owned(),
                kind,
            })
            .to_vec(),
        sets: sets(),
        choices: choices(),
        manifest: manifest(),
        sources: Sources::default(),
    }
}

struct Draft {
    graph: StableGraph<Node, Edge>,
    line: u32,
}

impl Draft {
    fn node(&mut self, step: Step, line: u32) -> NodeIndex {
        self.graph.add_node(Node {
            step,
            place: Place {
                file: 0,
                line,
                column: 1,
            },
        })
    }

    fn block(&mut self, body: &[Stmt], next: NodeIndex) -> NodeIndex {
        let first = self.line + 1;
        self.line += body.len() as u32;
        let lines = first..first + body.len() as u32;
        let each = body.iter().zip(lines.collect::<Vec<_>>());
        each.rfold(next, |next, (stmt, line)| self.statement(stmt, line, next))
    }

    fn statement(&mut self, stmt: &Stmt, line: u32, next: NodeIndex) -> NodeIndex {
        let (step, edges) = match stmt {
            Stmt::When(condition, then, otherwise) => {
                let yes = self.block(then, next);
                let no = self.block(otherwise, next);
                (
                    Step::Match(condition.clone()),
                    vec![(Edge::Yes, yes), (Edge::No, no)],
                )
            }
            Stmt::Bind(variable, value) => (
                Step::Let(*variable, value.clone()),
                vec![(Edge::Next, next)],
            ),
            Stmt::Select(pool, otherwise) => {
                let no = self.block(otherwise, next);
                let variable = RS[usize::from(pool.0)];
                let step = Step::Select {
                    pool: *pool,
                    variable,
                    key: FLOW,
                    home: None,
                    client: None,
                };
                (step, vec![(Edge::Yes, next), (Edge::No, no)])
            }
            Stmt::Named(pool, id, otherwise) => {
                let no = self.statement(&Stmt::Select(*pool, otherwise.clone()), line, next);
                let variable = RS[usize::from(pool.0)];
                let step = Step::Named {
                    pool: *pool,
                    variable,
                    id: id.clone(),
                };
                (step, vec![(Edge::Yes, next), (Edge::No, no)])
            }
            Stmt::Set(name, value) => {
                let Expr::Field(header, field) = field(name) else {
                    unreachable!()
                };
                (
                    Step::Rewrite(header, field, value.clone()),
                    vec![(Edge::Next, next)],
                )
            }
            Stmt::SetIn(header, field, value) => (
                Step::Rewrite(*header, *field, value.clone()),
                vec![(Edge::Next, next)],
            ),
            Stmt::Count(counter) => (Step::Count(*counter), vec![(Edge::Next, next)]),
            Stmt::End(outcome) => (Step::Verdict(*outcome), Vec::new()),
        };
        let node = self.node(step, line);
        for (edge, to) in edges {
            self.graph.add_edge(node, to, edge);
        }
        node
    }
}

fn manifest() -> Manifest {
    let counter = |name: &str, kind| Counter {
        name: name.to_owned(),
        kind,
    };
    let mut counters = vec![
        counter("closed", CounterKind::Reason),
        counter("no_backend", CounterKind::Reason),
        counter("seen", CounterKind::Policy),
    ];
    let table = Some(Flows::new(lvsc_abi::manifest::Tracking::Every, 8, IDLE));
    let pools = [
        ("plain", Scheduler::Maglev, None),
        ("kept", Scheduler::Maglev, table),
        ("turns", Scheduler::Rr, table),
    ];
    let pools = pools.map(|(name, scheduler, flows)| {
        let first = counters.len() as u32;
        let backends = (0..BACKENDS).map(|id| Backend {
            interface: (id % 2) as u8,
            ..Backend::new(id, format!("rs{id}"), [192, 0, 2, 10 + id as u8])
        });
        let backends: Vec<Backend> = backends.collect();
        let given = backends.iter().map(|rs| format!("{name}.{}", rs.name));
        counters.extend(given.map(|name| counter(&name, CounterKind::Backend)));
        counters.extend(flows.map(|_| counter(name, CounterKind::Refused)));
        Pool {
            backends,
            flows,
            counters: first,
            ..Pool::new(name, scheduler)
        }
    });
    let interface = |name: &str| Interface {
        name: name.to_owned(),
        ..Interface::default()
    };
    Manifest {
        files: vec!["test.lvs".to_owned()],
        interfaces: vec![interface("lan"), interface("wan")],
        pools: pools.to_vec(),
        counters,
        ..Manifest::default()
    }
}

/// The MAC of a backend's next hop.
pub(crate) fn mac(pool: PoolId, id: u16) -> Mac {
    Mac([2, 0, 0, 1, pool.0 as u8, id as u8])
}

/// A pipeline with its state.
pub(crate) struct World {
    pub(crate) pipeline: Pipeline,
    pub(crate) image: Bytes,
    sections: Sections,
}

impl World {
    /// Everything is usable: each ring has the backends in turn, interface n has the MAC 02:00:00:00:00:0n, it is second
    /// 1000, and the seed is 7.
    pub(crate) fn new(pipeline: Pipeline) -> World {
        let layout = layout(&pipeline);
        let sections = Sections::of(&pipeline, &layout);
        let image = Bytes::new(layout);
        let mut world = World {
            pipeline,
            image,
            sections,
        };
        for pool in [PLAIN, KEPT, TURNS] {
            for id in 0..BACKENDS {
                world.set_usable(pool, id, true);
            }
            let ring = world.section(&format!("ring.{}", world.pipeline.pool(pool).name));
            for slot in 0..u64::from(ring.length) {
                world.image.store(
                    ring.at(slot, 0),
                    Width::B4,
                    (slot % u64::from(BACKENDS)) | 0xffff_0000,
                );
            }
        }
        for index in 0..2 {
            let at = world.section("interfaces").at(index, interface::RECORD);
            let known = interface::KNOWN << interface::FLAGS_SHIFT;
            world.image.store(
                at,
                Width::B8,
                Mac::from_bits(0x0200_0000_0000 + index).to_record() | known,
            );
        }
        world.set_seconds(1000);
        let seed = world.section("clock").at(0, clock::SEED);
        world.image.store(seed, Width::B8, 7);
        world
    }

    pub(crate) fn section(&self, name: &str) -> Section {
        self.image.layout().named(name).unwrap().1.clone()
    }

    pub(crate) fn set_usable(&mut self, pool: PoolId, id: u16, usable: bool) {
        let section = self.section(&format!("backends.{}", self.pipeline.pool(pool).name));
        let flags = (u64::from(usable) * backend::USABLE) << backend::FLAGS_SHIFT;
        let interface = u64::from(id % 2) << backend::INTERFACE_SHIFT;
        let at = section.at(u64::from(id), 0);
        self.image
            .store(at, Width::B8, mac(pool, id).to_record() | interface | flags);
    }

    /// No interface's MAC is known any more.
    pub(crate) fn forget_interfaces(&mut self) {
        let section = self.section("interfaces");
        for index in 0..2 {
            self.image
                .store(section.at(index, interface::RECORD), Width::B8, 0);
        }
    }

    pub(crate) fn set_seconds(&mut self, seconds: u64) {
        let at = self.section("clock").at(0, clock::SECONDS);
        self.image.store(at, Width::B8, seconds);
    }

    pub(crate) fn run(&mut self, frame: &mut [u8]) -> (Verdict, u8) {
        self.observe(frame, &mut Blind)
    }

    pub(crate) fn observe(
        &mut self,
        frame: &mut [u8],
        observer: &mut dyn Observer,
    ) -> (Verdict, u8) {
        let World {
            pipeline,
            image,
            sections,
        } = self;
        interp::run(pipeline, sections, image, frame, 1, observer)
    }

    /// Packets that a counter has counted.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let counters = &self.pipeline.manifest.counters;
        let index = counters
            .iter()
            .position(|counter| counter.name == name)
            .unwrap();
        lvsc_abi::image::count(&self.image, index as u32).packets
    }
}
