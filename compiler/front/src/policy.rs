//! A checked policy: every name resolved, every expression typed, every action expanded. Knows no syntax.

use std::collections::BTreeMap;
use std::time::Duration;

use lvsc_abi::manifest::Manifest;
use lvsc_abi::notation::Layer;
use lvsc_abi::place::{Place, Sources};
use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::pipeline::{
    Choice, ChoiceId, CounterId, Expr, FieldId, Header, HeaderId, InterfaceId, InterfaceRef,
    KeyedId, Outcome, PoolId, Set, Variable, VariableId,
};

use crate::source::Span;

/// A checked policy.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// All header instances; predecessors come first.
    pub headers: Vec<Header>,
    /// What `let` and `select` bind.
    pub variables: Vec<Variable>,
    /// Constant sets. Their ranges may touch here: single addresses stay single.
    pub sets: Vec<Set>,
    /// Groups and the flow.
    pub choices: Vec<Choice>,
    /// Pools, interfaces, counters, VIPs.
    pub manifest: Manifest,
    /// The texts of the manifest's files.
    pub sources: Sources,
    /// What is done to a packet, the prelude's rules first.
    pub body: Block,
    /// The `test` blocks.
    pub tests: Vec<Test>,
    /// Where the program is asked to run on the network card.
    pub offload: Option<Span>,
    /// The targets that it is for, and where that is said; for every target where there is none.
    pub only: BTreeMap<&'static str, Span>,
}

impl Policy {
    /// Why the policy is not for this target, and where it says so; `None` where it is for it.
    pub fn other_target(&self, target: &str) -> Option<(String, Span)> {
        let span = *self.only.values().next()?;
        let names: Vec<String> = self.only.keys().map(|name| format!("`{name}`")).collect();
        let names = names.join(" and ");
        let other = !self.only.contains_key(target);
        other.then(|| {
            let message = format!("the policy is only for {names}, not for `{target}`");
            (message, span)
        })
    }

    /// What stands at the places of the pipeline's nodes.
    pub fn spans(&self) -> BTreeMap<Place, Span> {
        let mut spans = BTreeMap::new();
        let mut blocks = vec![&self.body];
        while let Some(block) = blocks.pop() {
            for stmt in block {
                spans.insert(stmt.place, stmt.span);
                match &stmt.kind {
                    StmtKind::Match {
                        branches,
                        otherwise,
                    } => {
                        for branch in branches {
                            spans.insert(branch.place, branch.span);
                            blocks.push(&branch.then);
                        }
                        blocks.push(otherwise);
                    }
                    StmtKind::Select { otherwise, .. } => blocks.push(otherwise),
                    StmtKind::Let(..)
                    | StmtKind::Rewrite(..)
                    | StmtKind::Count(_)
                    | StmtKind::CountCell(..)
                    | StmtKind::CountKey(..)
                    | StmtKind::Verdict(_) => {}
                }
            }
        }
        spans
    }
}

/// Statements in order.
pub type Block = Vec<Stmt>;

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// What is done.
    pub kind: StmtKind,
    /// Where it stands, for the manifest.
    pub place: Place,
    /// The same, for diagnostics: of a `match` its condition.
    pub span: Span,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// One of several blocks; then on. Flat, so that a `switch` of ten thousand arms nests nothing.
    Match {
        /// The first whose condition holds is done.
        branches: Vec<Branch>,
        /// Where none holds.
        otherwise: Block,
    },
    /// Binds a value.
    Let(VariableId, Expr),
    /// Binds a backend.
    Select {
        /// From which pool.
        pool: PoolId,
        /// To which variable.
        variable: VariableId,
        /// What names a backend, before its scheduler is asked.
        id: Option<Expr>,
        /// What identifies the flow.
        key: ChoiceId,
        /// What the home of a flow goes by, with a scheduler that has homes: where it is bound, and the key.
        home: Option<(VariableId, ChoiceId)>,
        /// Where clients keep their backends.
        clients: Option<Clients>,
        /// Where later fragments follow the first one of their datagram.
        following: Option<Following>,
        /// Without a usable backend.
        otherwise: Block,
    },
    /// Writes a field.
    Rewrite(HeaderId, FieldId, Expr),
    /// Counts the packet.
    Count(CounterId),
    /// Counts the packet in the cell whose number the variable has.
    CountCell(KeyedId, VariableId),
    /// Counts the packet in the cell of its key, in a counter with a table.
    CountKey(KeyedId, ChoiceId),
    /// Ends the packet.
    Verdict(Outcome),
}

/// What fragments are known by: what the key of their datagram was absorbed into, and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Following {
    /// Of a later fragment.
    pub later: (VariableId, ChoiceId),
    /// Of a first one.
    pub first: (VariableId, ChoiceId),
}

/// What clients are known by: what the key of each was absorbed into, and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Of the one that has sent the packet.
    pub own: (VariableId, ChoiceId),
    /// Of the one that has sent what the packet only tells of.
    pub quoted: (VariableId, ChoiceId),
}

/// A block, and when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The condition.
    pub condition: Expr,
    /// Where it holds.
    pub then: Block,
    /// Where the condition stands, for the manifest.
    pub place: Place,
    /// The same, for diagnostics.
    pub span: Span,
}

/// A `test` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The sentence.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Its lines.
    pub steps: Vec<TestStep>,
}

/// A line of a `test` block.
#[derive(Clone, Debug, PartialEq)]
pub struct TestStep {
    /// What is done or expected.
    pub kind: TestKind,
    /// Where it stands.
    pub place: Place,
}

/// What a line of a `test` block does.
#[derive(Clone, Debug, PartialEq)]
pub enum TestKind {
    /// A packet comes in.
    Send {
        /// The packet.
        layers: Vec<Layer>,
        /// By which interface.
        interface: InterfaceId,
    },
    /// What must have become of the last packet.
    Expect {
        /// Its verdict.
        verdict: Verdict,
        /// The drop's reason, where one is named.
        reason: Option<String>,
        /// The egress, where one is named.
        interface: Option<InterfaceRef>,
        /// What must hold for the frame as it left.
        checks: Vec<Check>,
    },
    /// The last packet got the backend that the one before it got.
    SameBackend,
    /// A backend's state changes.
    Backend {
        /// Its pool.
        pool: PoolId,
        /// Its id.
        backend: u16,
        /// Whether it may be given packets.
        up: bool,
    },
    /// Time passes.
    Advance(Duration),
}

/// What must hold for a frame that left.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The condition.
    pub kind: CheckKind,
    /// Where it stands.
    pub place: Place,
    /// Its text.
    pub text: String,
}

/// A condition on a frame that left.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    /// An expression over the frame as it left.
    Holds(Expr),
    /// The value is the MAC of one of the pool's backends.
    PoolMac {
        /// The value.
        value: Expr,
        /// The pool.
        pool: PoolId,
    },
    /// The bytes of the first present one of these headers, and all behind them, are those that came in.
    HeaderUnchanged(Vec<HeaderId>),
    /// The first present one of these fields has the value that it came in with.
    FieldUnchanged(Vec<(HeaderId, FieldId)>),
}
