//! Checking: from syntax trees to a policy. All errors are found, not the first one only.
//!
//! Order: names, constants, headers and groups, the flow, interfaces, pools and counters, targets, actions, statements, tests. What has no
//! meaning yet is an error at its place; nothing is skipped silently.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a checker asks for the shape that it can use and reports every other one"
)]
#![allow(
    clippy::option_option,
    reason = "the outer `None` is an error that was reported"
)]

mod addresses;
mod answer;
mod arms;
mod assign;
mod branches;
mod call;
mod cells;
mod checksum;
mod compare;
mod constant;
mod counters;
mod destinations;
mod expand;
mod expr;
mod fields;
mod flow;
mod flows;
mod fragments;
mod functions;
mod header_fields;
mod headers;
mod ids;
mod interfaces;
mod known;
mod limits;
mod names;
mod once;
mod overlap;
mod overlay;
mod packet;
mod persist;
mod pools;
mod possible;
mod presence;
mod reach;
mod scope;
mod select;
mod sets;
mod stmts;
mod switch;
mod targets;
mod testing;
mod unused;
mod value;
mod vips;
mod weight;

pub(crate) use self::compare::type_width;
pub(crate) use self::packet::packet;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lvsc_abi::manifest::{CounterKind, Manifest};
use lvsc_abi::place::{Place, Sources};
use lvsc_pipeline::pipeline::{CounterId, HeaderId};

use self::call::Bodies;
use self::checksum::Checksum;
use self::expand::Expansions;
use self::fragments::Treatment;
use self::names::Names;
use self::presence::{Implied, Shapes};
use crate::diagnostics::{Code, Diagnostic};
use crate::gather::Texts;
use crate::policy::Policy;
use crate::source::{SourceMap, Span};
use crate::syntax::ast::{self, Item};

/// Checks the texts together, the prelude's first. Without a policy something had to be left out, and a diagnostic, one
/// of these or of the parser's, is an error that says so.
pub(crate) fn check(texts: &Texts, sources: &SourceMap) -> (Option<Policy>, Vec<Diagnostic>) {
    let mut checker = Checker::new(sources);
    let items = texts.items();
    checker.unread = texts.unread();
    checker.collect_names(&items);
    checker.refuse_later_items(&items);
    checker.once(&items);
    checker.constants(&items);
    checker.sets(&items, texts);
    checker.headers(&items);
    checker.interfaces(&items);
    checker.pools(&items);
    checker.counters(&items);
    checker.target_blocks(&items);
    checker.functions(&items);
    checker.actions(&items);
    checker.statements(&items);
    checker.unnamed();
    checker.destinations();
    checker.reach();
    checker.tests(&items);
    if let Some(file) = texts.policy() {
        checker.unused(file);
    }
    let policy = (checker.left_out == 0).then_some(checker.policy);
    (policy, checker.diagnostics)
}

/// What is known so far.
struct Checker<'a> {
    sources: &'a SourceMap,
    names: Names<'a>,
    policy: Policy,
    diagnostics: Vec<Diagnostic>,
    /// What was said: the same at the same place is said once.
    said: BTreeSet<(Option<Span>, Code, String)>,
    /// Statements and lines of headers that are not in the policy, because they are wrong.
    left_out: usize,
    expansions: Expansions<'a>,
    bodies: Bodies<'a>,
    implied: Implied,
    /// Lists that grew beyond what 16 bits count.
    too_long: BTreeSet<&'static str>,
    /// The constants that are being evaluated: each names the next one.
    pending: Vec<&'a str>,
    /// What identifies a flow where the `select` does not say: by pool, empty for the default of its scheduler.
    keys: Vec<&'a [ast::Expr]>,
    /// Backends that the scheduler gives nothing, by pool.
    weightless: Vec<(usize, Diagnostic)>,
    /// Pools of whose backends packets may name one.
    named: BTreeSet<usize>,
    /// What is done with fragments: by pool.
    fragments: Vec<Treatment>,
    /// The ports that backends are given: the pool, the port and its place.
    ports: Vec<(usize, u16, Span)>,
    /// What the checksums of headers are over.
    checksums: Vec<(HeaderId, Checksum)>,
    /// The header whose checksum covers what lies below a header; asked once for each that is written.
    below: BTreeMap<HeaderId, Option<HeaderId>>,
    /// The addresses of backends, and their places.
    backends: Vec<(IpAddr, Span)>,
    /// Names in lines that could not be read: what such a line declares is not known, and was reported there.
    unread: BTreeSet<&'a str>,
}

impl<'a> Checker<'a> {
    fn new(sources: &'a SourceMap) -> Checker<'a> {
        let (mut files, mut texts) = (Vec::new(), Sources::default());
        for file in sources.files() {
            files.push(sources.name(file).to_owned());
            texts.add(sources.code(file));
        }
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
                sources: texts,
                ..Policy::default()
            },
            diagnostics: Vec::new(),
            said: BTreeSet::new(),
            left_out: 0,
            expansions: Expansions::default(),
            bodies: Bodies::default(),
            implied: Implied::default(),
            too_long: BTreeSet::new(),
            pending: Vec::new(),
            keys: Vec::new(),
            weightless: Vec::new(),
            named: BTreeSet::new(),
            fragments: Vec::new(),
            ports: Vec::new(),
            checksums: Vec::new(),
            below: BTreeMap::new(),
            backends: Vec::new(),
            unread: BTreeSet::new(),
        }
    }

    /// Takes a diagnostic. Inside an expansion it also shows the use.
    fn report(&mut self, mut diagnostic: Diagnostic) {
        let place = diagnostic.span();
        let said = (place, diagnostic.code, diagnostic.message.clone());
        if self.said.insert(said) {
            diagnostic.labels.extend(self.use_label());
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether this was said: a place that is expanded a thousand times says it once, and looks for a remedy once.
    fn is_said(&self, code: Code, message: &str, span: Span) -> bool {
        (self.said).contains(&(Some(span), code, message.to_owned()))
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

    fn shapes(&mut self) -> Shapes<'_> {
        let (headers, choices) = (&self.policy.headers, &self.policy.choices);
        self.implied.refresh(headers, choices);
        Shapes {
            choices,
            implied: &self.implied,
        }
    }

    /// The number of what is added to a list of so many; one that 16 bits cannot count is an error.
    fn next_id(&mut self, count: usize, list: &'static str, span: Span) -> u16 {
        u16::try_from(count).unwrap_or_else(|_| {
            if self.too_long.insert(list) {
                let message = format!("the policy has more than {} {list}", 1 << 16);
                let _: Option<()> = self.error(Code::PolicyTooLarge, message, span);
            }
            u16::MAX
        })
    }

    /// The counter with this name and kind; made where there is none.
    fn counter(&mut self, kind: CounterKind, name: &str, span: Span) -> CounterId {
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
        CounterId(self.next_id(index, "counters", span))
    }

    fn constants(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Const(item) = item else { continue };
            // Perhaps an earlier one has named it.
            if self.names.is_unevaluated(&item.name.text) {
                let _ = self.evaluate(item);
            }
        }
    }

    /// Items that parse, but whose meaning comes later.
    fn refuse_later_items(&mut self, items: &[&'a Item]) {
        for item in items {
            let what = match item {
                Item::Table(_) => "`table`",
                Item::Meter(_) => "`meter`",
                Item::Use(_)
                | Item::Const(_)
                | Item::Set(_)
                | Item::Fn(_)
                | Item::Interface(_)
                | Item::Pool(_)
                | Item::Counter(_)
                | Item::Header(_)
                | Item::Group(_)
                | Item::Action(_)
                | Item::Target(_)
                | Item::Test(_)
                | Item::Stmt(_) => continue,
            };
            let _: Option<()> = self.later(what, item.span());
        }
    }
}
