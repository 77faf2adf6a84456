//! What the steps from a node on may still ask about a packet. What they do not ask is forgotten, so that paths meet.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;
use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;

use super::likely::Guess;
use super::state::{Presence, State};
use super::written::Written;
use crate::overlap::Overlap;
use crate::pipeline::{
    ChoiceId, Expr, HeaderId, InterfaceField, InterfaceRef, Outcome, Pipeline, Step, VariableId,
};

/// What may be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    headers: Headers,
    choices: BTreeMap<ChoiceId, Uses>,
    variables: BTreeSet<VariableId>,
    /// The destination of the frame as it arrived.
    pub(super) arrival: bool,
}

/// Headers asked for by a choice.
#[derive(Clone, Debug, Default)]
struct Uses {
    /// When this alternative is taken.
    alternatives: BTreeMap<usize, Headers>,
    /// While it is not decided: those of all alternatives, and of the conditions that decide.
    all: Headers,
}

/// Headers, each by the bit of its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers(FixedBitSet);

impl Headers {
    pub(super) fn contains(&self, header: HeaderId) -> bool {
        self.0.contains(usize::from(header.0))
    }

    /// Adds a header; tells whether it is new.
    fn insert(&mut self, header: HeaderId) -> bool {
        let new = !self.contains(header);
        self.0.grow_and_insert(usize::from(header.0));
        new
    }

    /// None, with room for all of the pipeline's.
    fn none(pipeline: &Pipeline) -> Headers {
        Headers(FixedBitSet::with_capacity(pipeline.headers.len()))
    }

    fn extend(&mut self, other: &Headers) {
        self.0.union_with(&other.0);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = HeaderId> {
        self.0.ones().map(|index| HeaderId(index as u16))
    }
}

/// What an expression is part of.
#[derive(Clone, Copy)]
enum Within {
    Step,
    Condition(ChoiceId),
    Alternative(ChoiceId, usize),
}

/// What each node and all behind it may ask. `order` has every node after its predecessors.
pub(super) fn of_nodes(
    pipeline: &Pipeline,
    overlap: &Overlap,
    order: &[NodeIndex],
) -> BTreeMap<NodeIndex, Needs> {
    let mut found: BTreeMap<NodeIndex, Needs> = BTreeMap::new();
    for node in order.iter().rev() {
        let mut needs = after(pipeline, *node, &found);
        needs.step(pipeline, overlap, &pipeline.step(*node).step);
        found.insert(*node, needs);
    }
    found
}

/// What the nodes behind `node` may ask.
pub(super) fn after(
    pipeline: &Pipeline,
    node: NodeIndex,
    found: &BTreeMap<NodeIndex, Needs>,
) -> Needs {
    let mut needs = Needs {
        headers: Headers::none(pipeline),
        ..Needs::default()
    };
    for next in pipeline.graph.neighbors_directed(node, Direction::Outgoing) {
        needs.merge(
            found
                .get(&next)
                .expect("a node comes after its predecessors"),
        );
    }
    needs
}

impl Needs {
    /// Also what is asked of this header.
    pub(super) fn with_header(mut self, header: HeaderId) -> Needs {
        self.headers.insert(header);
        self
    }

    /// Also what is asked by an expression.
    pub(super) fn also(&mut self, pipeline: &Pipeline, expr: &Expr) {
        self.expr(pipeline, expr, Within::Step);
    }

    /// Also these variables.
    pub(super) fn ask(&mut self, variables: impl IntoIterator<Item = VariableId>) {
        self.variables.extend(variables);
    }

    fn merge(&mut self, other: &Needs) {
        self.headers.extend(&other.headers);
        self.variables.extend(&other.variables);
        self.arrival |= other.arrival;
        for (choice, uses) in &other.choices {
            let mine = self.choices.entry(*choice).or_default();
            mine.all.extend(&uses.all);
            for (index, headers) in &uses.alternatives {
                mine.alternatives.entry(*index).or_default().extend(headers);
            }
        }
    }

    /// From what is asked after a step to what is asked before it.
    fn step(&mut self, pipeline: &Pipeline, overlap: &Overlap, step: &Step) {
        match step {
            Step::Parse(_) | Step::Count(_) | Step::Verdict(Outcome::Drop(_) | Outcome::Pass) => {}
            Step::CountCell(_, cell) => self.expr(pipeline, &Expr::Variable(*cell), Within::Step),
            Step::Match(condition) => self.expr(pipeline, condition, Within::Step),
            Step::Let(variable, value) => {
                self.variables.remove(variable);
                self.expr(pipeline, value, Within::Step);
            }
            Step::Named { variable, id, .. } => {
                self.variables.remove(variable);
                self.expr(pipeline, id, Within::Step);
            }
            Step::Select {
                pool,
                variable,
                key,
                home,
                client,
            } => {
                self.variables.remove(variable);
                let client = client.iter().flat_map(|client| client.variables());
                self.ask(client.chain(*home));
                self.key(pipeline, *key);
                for (index, signs) in pipeline.signs(*pool, *key) {
                    for expr in signs.exprs() {
                        self.expr(pipeline, expr, Within::Alternative(*key, index));
                    }
                }
            }
            Step::CountKey(_, key) => self.key(pipeline, *key),
            Step::Hash(variable, key) => {
                self.variables.remove(variable);
                self.key(pipeline, *key);
            }
            Step::Follow {
                variable, datagram, ..
            } => {
                self.variables.remove(variable);
                self.variables.insert(*datagram);
            }
            Step::Remember {
                variable, datagram, ..
            } => self.variables.extend([*variable, *datagram]),
            Step::Rewrite(header, field, value) => {
                self.forget(&Written::by(pipeline, overlap, *header, *field));
                self.headers.insert(*header);
                self.expr(pipeline, value, Within::Step);
            }
            Step::Verdict(Outcome::Send(interface)) => self.interface(*interface),
        }
    }

    /// Choices that what is written may turn are decided anew behind it: all their headers are asked for.
    fn forget(&mut self, written: &Written<'_>) {
        let Needs {
            choices, headers, ..
        } = self;
        choices.retain(|choice, uses| {
            let turns = written.turns(*choice);
            if turns {
                headers.extend(&uses.all);
            }
            !turns
        });
    }

    /// What is asked where the key of the packet is made.
    fn key(&mut self, pipeline: &Pipeline, key: ChoiceId) {
        self.choice(pipeline, key);
        for (index, alternative) in pipeline.choice(key).alternatives.iter().enumerate() {
            for part in &alternative.key {
                self.expr(pipeline, part, Within::Alternative(key, index));
            }
        }
    }

    fn choice(&mut self, pipeline: &Pipeline, choice: ChoiceId) {
        self.choices.entry(choice).or_default();
        for alternative in &pipeline.choice(choice).alternatives {
            self.expr(pipeline, &alternative.condition, Within::Condition(choice));
        }
    }

    fn expr(&mut self, pipeline: &Pipeline, expr: &Expr, within: Within) {
        match expr {
            Expr::Field(header, _) | Expr::Present(header) => self.header(*header, within),
            Expr::Variable(variable) | Expr::Backend(variable, _) => {
                self.variables.insert(*variable);
            }
            Expr::Interface(interface, field) => {
                self.interface(*interface);
                self.arrival |= *field == InterfaceField::Mac;
            }
            Expr::Chosen(choice, each) => {
                self.choice(pipeline, *choice);
                for (index, part) in each.iter().enumerate() {
                    self.expr(pipeline, part, Within::Alternative(*choice, index));
                }
            }
            Expr::Constant { .. }
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_) => {
                for part in expr.parts() {
                    self.expr(pipeline, part, within);
                }
            }
        }
    }

    fn header(&mut self, header: HeaderId, within: Within) {
        let headers = match within {
            Within::Step => &mut self.headers,
            Within::Condition(choice) => &mut self.choices.entry(choice).or_default().all,
            Within::Alternative(choice, index) => {
                let uses = self.choices.entry(choice).or_default();
                uses.all.insert(header);
                uses.alternatives.entry(index).or_default()
            }
        };
        headers.insert(header);
    }

    fn interface(&mut self, interface: InterfaceRef) {
        match interface {
            InterfaceRef::OfBackend(variable) => {
                self.variables.insert(variable);
            }
            InterfaceRef::Ingress | InterfaceRef::Named(_) => {}
        }
    }

    /// The headers that may be asked for, given the choices that are decided.
    pub(super) fn headers(&self, state: &State) -> Headers {
        let mut found = self.headers.clone();
        for (choice, uses) in &self.choices {
            match state.choices.get(choice) {
                Some(taken) => {
                    if let Some(headers) = taken.and_then(|index| uses.alternatives.get(&index)) {
                        found.extend(headers);
                    }
                }
                None => found.extend(&uses.all),
            }
        }
        found
    }

    /// Takes out of `state` what is not asked for, and notes as absent what a present header excludes; where no header is asked for any more, it also is no guess. For a header that is not resolved, or just being `searched`, all
    /// is kept that it may stand behind.
    pub(super) fn restrict(
        &self,
        pipeline: &Pipeline,
        overlap: &Overlap,
        searched: &[HeaderId],
        state: &mut State,
    ) {
        let mut wanted = self.headers(state);
        for header in searched {
            wanted.insert(*header);
        }
        let mut enclosing = Headers::none(pipeline);
        let mut open = Vec::with_capacity(pipeline.headers.len());
        open.extend(wanted.iter());
        while let Some(header) = open.pop() {
            if !searched.contains(&header) {
                if state.headers.contains(&header) {
                    continue;
                }
                if state.excludes(overlap, header) {
                    state.headers.insert(header, Presence::Absent);
                    continue;
                }
            }
            for after in &pipeline.header(header).after {
                enclosing.insert(after.header);
                if wanted.insert(after.header) {
                    open.push(after.header);
                }
            }
        }
        if wanted.iter().all(|header| state.headers.contains(&header)) {
            state.guess = Guess::General;
        }
        state.headers.retain(|header, _| wanted.contains(*header));
        let known = state.headers.iter();
        let closed = known.filter(|(header, presence)| {
            presence.behind().is_some() && !enclosing.contains(*header)
        });
        let closed: Vec<HeaderId> = closed.map(|(header, _)| *header).collect();
        for header in closed {
            if let Some(Presence::Present(standing)) = state.headers.get_mut(&header) {
                standing.behind = None;
            }
        }
        state
            .choices
            .retain(|choice, _| self.choices.contains_key(choice));
        state
            .variables
            .retain(|variable, _| self.variables.contains(variable));
        state.arrival = state.arrival.filter(|_| self.arrival);
    }
}
