//! Checking: from syntax trees to a policy. All errors are found, not the first one only.
//!
//! Order: names, constants, headers and groups, the flow, interfaces, pools and counters, statements, tests. What has no
//! meaning yet is an error at its place; nothing is skipped silently.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a checker asks for the shape that it can use and reports every other one"
)]
#![allow(
    clippy::option_option,
    reason = "the outer `None` is an error that was reported"
)]

mod assign;
mod call;
mod checksum;
mod compare;
mod constant;
mod destinations;
mod expr;
mod fields;
mod flow;
mod headers;
mod interfaces;
mod known;
mod names;
mod once;
mod pools;
mod possible;
mod presence;
mod reach;
mod scope;
mod select;
mod stmts;
mod switch;
mod testing;
mod value;
mod vips;

pub use self::testing::packet;

use lvsc_abi::manifest::{CounterKind, Manifest};
use lvsc_abi::place::Place;
use lvsc_pipeline::pipeline::{CounterId, HeaderId};

use self::checksum::Checksum;
use self::names::{Names, Thing};
use self::presence::Shapes;
use crate::diagnostics::{Code, Diagnostic, LabelStyle};
use crate::policy::Policy;
use crate::source::{SourceMap, Span};
use crate::syntax::ast::{File, Item};

/// Checks the files together, the prelude's first. The policy is complete exactly if no diagnostic is an error.
pub fn check(files: &[File], sources: &SourceMap) -> (Policy, Vec<Diagnostic>) {
    let mut checker = Checker::new(sources);
    let items: Vec<&Item> = files.iter().flat_map(|file| &file.items).collect();
    checker.collect_names(&items);
    checker.refuse_later_items(&items);
    checker.once(&items);
    checker.constants(&items);
    checker.headers(&items);
    checker.interfaces(&items);
    checker.pools(&items);
    checker.counters(&items);
    checker.statements(&items);
    checker.destinations();
    checker.reach();
    checker.tests(&items);
    (checker.policy, checker.diagnostics)
}

/// What is known so far.
struct Checker<'a> {
    sources: &'a SourceMap,
    names: Names<'a>,
    policy: Policy,
    diagnostics: Vec<Diagnostic>,
    /// The calls that are being expanded, the outermost first.
    calls: Vec<(&'a str, Span)>,
    /// The constants that are being evaluated: each names the next one.
    pending: Vec<&'a str>,
    /// The ports that backends are given: the pool, the port and its place.
    ports: Vec<(usize, u16, Span)>,
    /// What the checksums of headers are over.
    checksums: Vec<(HeaderId, Checksum)>,
}

impl<'a> Checker<'a> {
    fn new(sources: &'a SourceMap) -> Checker<'a> {
        let files = sources
            .files()
            .map(|file| sources.path(file).to_owned())
            .collect();
        let manifest = Manifest {
            version: lvsc_abi::manifest::VERSION,
            files,
            ..Manifest::default()
        };
        Checker {
            sources,
            names: Names::default(),
            policy: Policy {
                manifest,
                ..Policy::default()
            },
            diagnostics: Vec::new(),
            calls: Vec::new(),
            pending: Vec::new(),
            ports: Vec::new(),
            checksums: Vec::new(),
        }
    }

    /// Takes a diagnostic. Inside an action that is being expanded it also shows the call.
    fn report(&mut self, diagnostic: Diagnostic) {
        let found = match self.calls.first() {
            Some((name, span)) => {
                let label = crate::diagnostics::Label {
                    span: *span,
                    text: format!("in this use of `{name}`"),
                    style: LabelStyle::Secondary,
                };
                let mut found = diagnostic;
                found.labels.push(label);
                found
            }
            None => diagnostic,
        };
        self.diagnostics.push(found);
    }

    /// Reports an error; `None`, so that it can be returned.
    fn error<T>(&mut self, code: Code, message: impl Into<String>, span: Span) -> Option<T> {
        self.report(Diagnostic::error(code, message, span));
        None
    }

    /// Reports a part of the language that has no meaning yet.
    fn later<T>(&mut self, what: &str, span: Span) -> Option<T> {
        self.error(
            Code::NotSupportedYet,
            format!("{what} is not supported yet"),
            span,
        )
    }

    /// The place of a span, for the manifest.
    fn place(&self, span: Span) -> Place {
        let at = self.sources.line_col(span);
        Place {
            file: span.file.0 as u16,
            line: at.line as u32,
            column: at.column as u32,
        }
    }

    fn shapes(&self) -> Shapes<'_> {
        Shapes {
            headers: &self.policy.headers,
            choices: &self.policy.choices,
        }
    }

    /// The counter with this name and kind; made where there is none.
    fn counter(&mut self, kind: CounterKind, name: &str) -> CounterId {
        let counters = &mut self.policy.manifest.counters;
        let found = counters
            .iter()
            .position(|c| c.kind == kind && c.name == name);
        let index = found.unwrap_or_else(|| {
            counters.push(lvsc_abi::manifest::Counter {
                name: name.to_owned(),
                kind,
            });
            counters.len() - 1
        });
        CounterId(index as u16)
    }

    fn constants(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Const(item) = item else { continue };
            // Perhaps an earlier one has named it.
            if let Some(Thing::Pending(_)) = self.names.get(&item.name.text) {
                let _ = self.evaluate(item);
            }
        }
    }

    fn counters(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Counter(item) = item else { continue };
            if let Some(first) = item.by.first() {
                let _: Option<()> = self.later("a counter with keys", first.span);
            } else if let Some(capacity) = &item.capacity {
                let _: Option<()> = self.later("`capacity` of a counter", capacity.span);
            }
            let id = self.counter(CounterKind::Policy, &item.name.text);
            self.names.set(&item.name.text, Thing::Counter(id));
        }
    }

    /// Items that parse, but whose meaning comes later.
    fn refuse_later_items(&mut self, items: &[&'a Item]) {
        for item in items {
            let what = match item {
                Item::Use(_) => "`use`",
                Item::Set(_) => "`set`",
                Item::Table(_) => "`table`",
                Item::Meter(_) => "`meter`",
                Item::Fn(_) => "`fn`",
                Item::Target(_) => "`target`",
                Item::Const(_)
                | Item::Interface(_)
                | Item::Pool(_)
                | Item::Counter(_)
                | Item::Header(_)
                | Item::Group(_)
                | Item::Action(_)
                | Item::Test(_)
                | Item::Stmt(_) => continue,
            };
            let _: Option<()> = self.later(what, item.span());
        }
    }
}
