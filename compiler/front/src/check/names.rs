//! The names of a policy, its prelude included: one name, one thing.

use std::cell::Cell;
use std::collections::BTreeMap;

use lvsc_pipeline::pipeline::{ChoiceId, CounterId, HeaderId, InterfaceId, KeyedId, PoolId};

use super::Checker;
use super::constant::Constant;
use crate::diagnostics::{Code, Diagnostic, nearest};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Action, Const, Expr, Fn, Item, Let, Name};

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Thing<'a> {
    /// A constant; `None` where its value is wrong (and was reported).
    Constant(Option<Constant>),
    /// A constant that is not evaluated yet.
    Unevaluated(&'a Const),
    /// The instances of a header.
    Header(Vec<HeaderId>),
    /// A group of headers.
    Group(ChoiceId),
    /// A pool.
    Pool(PoolId),
    /// An interface.
    Interface(InterfaceId),
    /// A counter.
    Counter(CounterId),
    /// A counter with keys, and what tells its cells apart.
    Keyed(KeyedId, &'a [Expr]),
    /// An action.
    Action(&'a Action),
    /// A function.
    Function(&'a Fn),
    /// Declared further down than what is being checked.
    Pending,
    /// Its declaration is wrong, and was reported.
    Broken,
}

/// What kind of thing a name stands for, as a message calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Constant,
    Interface,
    Pool,
    Set,
    Table,
    Meter,
    Counter,
    Header,
    Group,
    Function,
    Action,
}

impl Sort {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Sort::Constant => "constant",
            Sort::Interface => "interface",
            Sort::Pool => "pool",
            Sort::Set => "set",
            Sort::Table => "table",
            Sort::Meter => "meter",
            Sort::Counter => "counter",
            Sort::Header => "header",
            Sort::Group => "group",
            Sort::Function => "function",
            Sort::Action => "action",
        }
    }

    fn article(self) -> &'static str {
        match self {
            Sort::Interface | Sort::Action => "an",
            Sort::Constant
            | Sort::Pool
            | Sort::Set
            | Sort::Table
            | Sort::Meter
            | Sort::Counter
            | Sort::Header
            | Sort::Group
            | Sort::Function => "a",
        }
    }
}

/// A name that an item declares.
struct Declared<'a> {
    span: Span,
    sort: Sort,
    thing: Thing<'a>,
    /// Something asked what it stands for.
    named: Cell<bool>,
}

/// All names, and the computed fields of headers.
#[derive(Default)]
pub(super) struct Names<'a> {
    things: BTreeMap<String, Declared<'a>>,
    /// `None` where the field's value is wrong, and was reported.
    lets: BTreeMap<(HeaderId, String), Option<&'a Let>>,
}

impl<'a> Names<'a> {
    /// What a name stands for, where something names it.
    pub(super) fn get(&self, name: &str) -> Option<&Thing<'a>> {
        let declared = self.things.get(name)?;
        declared.named.set(true);
        Some(&declared.thing)
    }

    /// Whether it is a constant whose turn has not come yet.
    pub(super) fn is_unevaluated(&self, name: &str) -> bool {
        let declared = self.things.get(name);
        declared.is_some_and(|declared| matches!(declared.thing, Thing::Unevaluated(_)))
    }

    /// What a file declares and nothing names, in its order.
    pub(super) fn unnamed(&self, file: FileId) -> Vec<(String, Sort, Span)> {
        let all = self.things.iter();
        let unnamed = all.filter(|(_, found)| found.span.file == file && !found.named.get());
        let mut unnamed: Vec<_> = unnamed
            .map(|(name, found)| (name.clone(), found.sort, found.span))
            .collect();
        unnamed.sort_by_key(|(.., span)| *span);
        unnamed
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.things.contains_key(name)
    }

    /// Whether this is the declaration that counts: the first of its name.
    pub(super) fn declares(&self, name: &Name) -> bool {
        let declared = self.things.get(&name.text);
        declared.is_some_and(|declared| declared.span == name.span)
    }

    pub(super) fn is_constant(&self, name: &str) -> bool {
        let declared = self.things.get(name);
        declared.is_some_and(|declared| declared.sort == Sort::Constant)
    }

    /// Where a name is declared.
    pub(super) fn place(&self, name: &str) -> Option<Span> {
        self.things.get(name).map(|declared| declared.span)
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        let declared = self.things.get(name);
        declared.is_some_and(|declared| declared.sort == Sort::Set)
    }

    pub(super) fn set(&mut self, name: &str, thing: Thing<'a>) {
        if let Some(declared) = self.things.get_mut(name) {
            declared.thing = thing;
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.things.keys().map(String::as_str)
    }

    pub(super) fn compute(&mut self, header: HeaderId, field: &'a Let) {
        self.lets
            .insert((header, field.name.text.clone()), Some(field));
    }

    pub(super) fn break_computed(&mut self, header: HeaderId, name: &str) {
        self.lets.insert((header, name.to_owned()), None);
    }

    pub(super) fn computed(&self, header: HeaderId, name: &str) -> Option<Option<&'a Let>> {
        self.lets.get(&(header, name.to_owned())).copied()
    }

    pub(super) fn computed_names(&self, header: HeaderId) -> impl Iterator<Item = &str> {
        let found = self.lets.keys().filter(move |(of, _)| *of == header);
        found.map(|(_, name)| name.as_str())
    }
}

/// Names that the language itself has.
pub(super) const BUILT_IN: [&str; 2] = ["ingress", "flow"];

/// What fields are called by other tools (nftables, iproute2, Wireshark, BPF C), and here.
const ELSEWHERE: [(&str, &str); 11] = [
    ("sport", "src"),
    ("srcport", "src"),
    ("source", "src"),
    ("saddr", "src"),
    ("dport", "dst"),
    ("dstport", "dst"),
    ("daddr", "dst"),
    ("hoplimit", "ttl"),
    ("hop_limit", "ttl"),
    ("nexthdr", "protocol"),
    ("ethertype", "type"),
];

impl<'a> Checker<'a> {
    /// Takes the names of all items; the second of two equal ones is an error.
    pub(super) fn collect_names(&mut self, items: &[&'a Item]) {
        for item in items {
            let (name, sort, thing) = match item {
                Item::Const(item) => (&item.name, Sort::Constant, Thing::Unevaluated(item)),
                Item::Interface(item) => (&item.name, Sort::Interface, Thing::Pending),
                Item::Pool(item) => (&item.name, Sort::Pool, Thing::Pending),
                Item::Counter(item) => (&item.name, Sort::Counter, Thing::Pending),
                Item::Header(item) => (&item.name, Sort::Header, Thing::Pending),
                Item::Group(item) => (&item.name, Sort::Group, Thing::Pending),
                Item::Action(item) => (&item.name, Sort::Action, Thing::Action(item)),
                Item::Set(item) => (&item.name, Sort::Set, Thing::Pending),
                Item::Table(item) => (&item.name, Sort::Table, Thing::Broken),
                Item::Meter(item) => (&item.name, Sort::Meter, Thing::Broken),
                Item::Fn(item) => (&item.name, Sort::Function, Thing::Function(item)),
                Item::Use(_) | Item::Target(_) | Item::Test(_) | Item::Stmt(_) => continue,
            };
            self.declare(name, sort, thing);
        }
    }

    fn declare(&mut self, name: &Name, sort: Sort, thing: Thing<'a>) {
        if BUILT_IN.contains(&name.text.as_str()) {
            let message = format!("`{}` is a name of the language", name.text);
            let _: Option<()> = self.error(Code::DuplicateName, message, name.span);
            return;
        }
        if let Some(first) = self.names.things.get(&name.text) {
            let message = format!("`{}` is declared twice", name.text);
            let found = Diagnostic::error(Code::DuplicateName, message, name.span)
                .label("again")
                .secondary(first.span, "first declared here");
            self.report(found);
            return;
        }
        let span = name.span;
        let named = Cell::new(false);
        let declared = Declared {
            span,
            sort,
            thing,
            named,
        };
        self.names.things.insert(name.text.clone(), declared);
    }

    /// Reports a name that stands for nothing of these sorts: for something else, for something that comes too late, or for
    /// nothing at all, with the nearest name that would do. What is wrong where it is declared was reported there.
    pub(super) fn unknown_name<T>(&mut self, name: &Name, wanted: &[Sort]) -> Option<T> {
        let sorts: Vec<&str> = wanted.iter().map(|sort| sort.describe()).collect();
        let sorts = sorts.join(" or ");
        let article = wanted.first().map_or("a", |sort| sort.article());
        if BUILT_IN.contains(&name.text.as_str()) {
            let message = format!(
                "`{}` is a word of the language, not {article} {sorts}",
                name.text
            );
            return self.error(Code::TypeMismatch, message, name.span);
        }
        if let Some(found) = self.names.things.get(&name.text) {
            let declared = found.span;
            let (code, message) = if !wanted.contains(&found.sort) {
                let (own, sort) = (found.sort.article(), found.sort.describe());
                let message = format!("`{}` is {own} {sort}, not {article} {sorts}", name.text);
                (Code::TypeMismatch, message)
            } else if matches!(found.thing, Thing::Broken) {
                return None;
            } else {
                let place = if declared.file != name.span.file {
                    "elsewhere, and no use before"
                } else if declared > name.span {
                    "below"
                } else {
                    "here, and no use before"
                };
                let message = format!("`{}` is declared {place}", name.text);
                (Code::UnknownName, message)
            };
            self.report(
                Diagnostic::error(code, message, name.span).secondary(declared, "declared here"),
            );
            return None;
        }
        if self.unread.contains(name.text.as_str()) {
            return None;
        }
        let message = format!("no {sorts} is called `{}`", name.text);
        if self.is_said(Code::UnknownName, &message, name.span) {
            return None;
        }
        let known = self.names.things.iter();
        let known = known.filter(|(_, declared)| wanted.contains(&declared.sort));
        let known: Vec<String> = known.map(|(known, _)| known.clone()).collect();
        self.unknown(name, Code::UnknownName, &message, &known)
    }

    /// Reports an unknown word, with the nearest of the known ones.
    pub(super) fn unknown<T>(
        &mut self,
        name: &Name,
        code: Code,
        message: &str,
        known: &[String],
    ) -> Option<T> {
        if self.is_said(code, message, name.span) {
            return None;
        }
        let found = Diagnostic::error(code, message, name.span);
        let here = ELSEWHERE.iter().find(|(word, _)| *word == name.text);
        let here = here.filter(|(_, here)| {
            code == Code::UnknownField && known.iter().any(|known| known == here)
        });
        if let Some((_, here)) = here {
            self.report(found.suggest(format!("the name for it is `{here}`"), name.span, *here));
            return None;
        }
        let found = match nearest(&name.text, known.iter().map(String::as_str)) {
            Some(near) => found.similar("a similar name exists", name.span, &name.text, near),
            None if known.len() <= 20 && !known.is_empty() => {
                found.note(format!("known are: {}", known.join(", ")))
            }
            None => found,
        };
        self.report(found);
        None
    }
}
