//! The names of a policy, its prelude included: one name, one thing.

use std::collections::BTreeMap;

use lvsc_pipeline::pipeline::{ChoiceId, CounterId, HeaderId, InterfaceId, PoolId};

use super::Checker;
use super::constant::Constant;
use crate::diagnostics::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Action, Item, Let, Name};

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Thing<'a> {
    /// A constant; `None` where its value is wrong (and was reported).
    Constant(Option<Constant>),
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
    /// An action.
    Action(&'a Action),
    /// Declared further down than what is being checked.
    Pending,
    /// Its declaration is wrong, and was reported.
    Broken,
}

/// All names, and the computed fields of headers.
#[derive(Default)]
pub(super) struct Names<'a> {
    things: BTreeMap<String, (Span, Thing<'a>)>,
    /// `None` where the field's value is wrong, and was reported.
    lets: BTreeMap<(HeaderId, String), Option<&'a Let>>,
}

impl<'a> Names<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Thing<'a>> {
        self.things.get(name).map(|(_, thing)| thing)
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.things.contains_key(name)
    }

    pub(super) fn constant(&self, name: &str) -> Option<&Option<Constant>> {
        match self.get(name)? {
            Thing::Constant(value) => Some(value),
            Thing::Broken => Some(&None),
            Thing::Header(_)
            | Thing::Group(_)
            | Thing::Pool(_)
            | Thing::Interface(_)
            | Thing::Counter(_)
            | Thing::Action(_)
            | Thing::Pending => None,
        }
    }

    pub(super) fn set(&mut self, name: &str, thing: Thing<'a>) {
        if let Some((_, old)) = self.things.get_mut(name) {
            *old = thing;
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

impl<'a> Checker<'a> {
    /// Takes the names of all items; the second of two equal ones is an error.
    pub(super) fn collect_names(&mut self, items: &[&'a Item]) {
        for item in items {
            let (name, thing) = match item {
                Item::Const(item) => (&item.name, Thing::Pending),
                Item::Interface(item) => (&item.name, Thing::Pending),
                Item::Pool(item) => (&item.name, Thing::Pending),
                Item::Counter(item) => (&item.name, Thing::Pending),
                Item::Header(item) => (&item.name, Thing::Pending),
                Item::Group(item) => (&item.name, Thing::Pending),
                Item::Action(item) => (&item.name, Thing::Action(item)),
                Item::Set(item) => (&item.name, Thing::Broken),
                Item::Table(item) => (&item.name, Thing::Broken),
                Item::Meter(item) => (&item.name, Thing::Broken),
                Item::Fn(item) => (&item.name, Thing::Broken),
                Item::Use(_) | Item::Target(_) | Item::Test(_) | Item::Stmt(_) => continue,
            };
            self.declare(name, thing);
        }
    }

    fn declare(&mut self, name: &Name, thing: Thing<'a>) {
        if BUILT_IN.contains(&name.text.as_str()) {
            let message = format!("`{}` is a name of the language", name.text);
            let _: Option<()> = self.error(Code::DuplicateName, message, name.span);
            return;
        }
        if let Some((first, _)) = self.names.things.get(&name.text) {
            let message = format!("`{}` is declared twice", name.text);
            let found = Diagnostic::error(Code::DuplicateName, message, name.span)
                .label("again")
                .secondary(*first, "first declared here");
            self.report(found);
            return;
        }
        self.names
            .things
            .insert(name.text.clone(), (name.span, thing));
    }

    /// Reports a name that nothing has, with the nearest one that something has.
    pub(super) fn unknown_name<T>(&mut self, name: &Name, wanted: &str) -> Option<T> {
        let known = self
            .names
            .all()
            .chain(BUILT_IN)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        self.unknown(
            name,
            Code::UnknownName,
            &format!("no {wanted} is called `{}`", name.text),
            &known,
        )
    }

    /// Reports an unknown word, with the nearest of the known ones.
    pub(super) fn unknown<T>(
        &mut self,
        name: &Name,
        code: Code,
        message: &str,
        known: &[String],
    ) -> Option<T> {
        let found = Diagnostic::error(code, message, name.span);
        let found = match nearest(&name.text, known.iter().map(String::as_str)) {
            Some(near) => found.suggest("a similar name exists", name.span, near),
            None if known.len() <= 12 && !known.is_empty() => {
                found.note(format!("known are: {}", known.join(", ")))
            }
            None => found,
        };
        self.report(found);
        None
    }
}
