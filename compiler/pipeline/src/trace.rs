//! What happened to a packet, in words: an observer of the interpreter.

use lvsc_abi::manifest::CounterKind;
use lvsc_abi::place::Place;

use crate::interp::{Event, Observer, Selected, Table};
use crate::pipeline::{FieldId, HeaderId, Kind, Outcome, Pipeline, VariableKind};
use crate::text;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The construct of the policy; line 0 where there is none.
    pub place: Place,
    /// `match`, `select`, `rewrite`, ...: for filters and for JSON.
    pub kind: &'static str,
    /// What happened, in words.
    pub text: String,
}

/// Records what happens to one packet.
pub struct Trace<'a> {
    pipeline: &'a Pipeline,
    /// What happened, in order.
    pub steps: Vec<Happened>,
}

impl<'a> Trace<'a> {
    /// An empty record of a packet in this pipeline.
    pub fn new(pipeline: &'a Pipeline) -> Trace<'a> {
        Trace {
            pipeline,
            steps: Vec::new(),
        }
    }

    fn selected(&self, selected: &Selected) -> String {
        let pool = self.pipeline.pool(selected.pool);
        let backend = selected
            .backend
            .and_then(|id| pool.backends.get(usize::from(id)));
        let slot = match selected.slot {
            Some(slot) => format!("slot {slot} of ring.{}", pool.name),
            None => format!("table flows.{}", pool.name),
        };
        let why = match selected.table {
            Table::None => "",
            Table::Hit => ", the flow's entry",
            Table::New => ", a new flow",
            Table::Moved => ", the flow's backend is gone",
            Table::Full => ", no place in the table",
            Table::Passive => ", the flow has no entry",
        };
        let key = &selected.key;
        let hash = selected.hash;
        match backend {
            Some(backend) => {
                let address = backend.address.to_string();
                let name = if backend.name == address {
                    address
                } else {
                    format!("{} ({address})", backend.name)
                };
                format!(
                    "{name} from {}: {slot}{why}; key {key}, hash {hash:#018x}",
                    pool.name
                )
            }
            None => format!(
                "no usable backend in {}: {slot}{why}; key {key}, hash {hash:#018x}",
                pool.name
            ),
        }
    }

    fn rewritten(&self, header: HeaderId, field: FieldId, before: u128, after: u128) -> String {
        let kind = self.pipeline.field(header, field).kind;
        let name = text::field(self.pipeline, header, field);
        let (before, after) = (text::number(before, kind), text::number(after, kind));
        format!("{name}: {before} -> {after}")
    }

    fn ended(&self, outcome: Outcome, interface: u8) -> String {
        match outcome {
            Outcome::Pass => "pass: to the kernel, untouched".to_owned(),
            Outcome::Drop(reason) => {
                let found = self.pipeline.manifest.counters.get(usize::from(reason.0));
                let reason = found.filter(|counter| counter.kind == CounterKind::Reason);
                format!(
                    "drop, reason {}",
                    reason.map_or("", |counter| &counter.name)
                )
            }
            Outcome::Send(_) => {
                let found = self
                    .pipeline
                    .manifest
                    .interfaces
                    .get(usize::from(interface));
                format!(
                    "send by {}",
                    found.map_or("an unknown interface", |interface| &interface.name)
                )
            }
        }
    }
}

impl Observer for Trace<'_> {
    fn see(&mut self, place: Place, event: Event<'_>) {
        let (kind, text) = match event {
            Event::Found(header, offset) => (
                "header",
                format!("{} at byte {offset}", self.pipeline.header(header).name),
            ),
            Event::Decided(condition, holds) => {
                let word = if holds { "yes" } else { "no" };
                (
                    "match",
                    format!("{word}: {}", text::expression(self.pipeline, condition)),
                )
            }
            Event::Bound(variable, value) => {
                let known = self.pipeline.variable(variable);
                let kind = match known.kind {
                    VariableKind::Value(48) => Kind::Mac,
                    VariableKind::Value(_) | VariableKind::Backend(_) => Kind::Number,
                };
                (
                    "let",
                    format!("{} is {}", known.name, text::number(value, kind)),
                )
            }
            Event::Selected(selected) => ("select", self.selected(&selected)),
            Event::Rewritten(header, field, before, after) => {
                ("rewrite", self.rewritten(header, field, before, after))
            }
            Event::Counted(counter) => {
                let found = self.pipeline.manifest.counters.get(usize::from(counter.0));
                (
                    "count",
                    found.map_or_else(String::new, |counter| counter.name.clone()),
                )
            }
            Event::Ended(outcome, interface) => ("verdict", self.ended(outcome, interface)),
        };
        self.steps.push(Happened { place, kind, text });
    }
}
