//! What names stand for at one point of a policy, and what is surely present there.

use std::collections::BTreeMap;
use std::rc::Rc;

use lvsc_pipeline::pipeline::{Expr, HeaderId, InterfaceRef, PoolId, VariableId};

use super::presence::Facts;
use super::value::Type;

/// What a local name stands for.
#[derive(Clone, Debug)]
pub(super) enum Local {
    /// A value.
    Value(VariableId, Type),
    /// What is computed anew wherever it is named: in a function there is nothing to keep it in.
    Given(Rc<Given>),
    /// A backend.
    Backend(VariableId, PoolId),
    /// An interface that was handed to an action.
    Interface(InterfaceRef),
    /// Something whose declaration is wrong, and was reported.
    Broken,
}

/// An expression that a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) expr: Expr,
    pub(super) ty: Type,
    /// Nodes and levels of the expression.
    pub(super) size: usize,
    pub(super) depth: usize,
}

/// One point of a policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    locals: BTreeMap<String, Local>,
    /// What surely holds.
    pub(super) facts: Facts,
    /// What holds is not known, as a condition around it is wrong: nothing is said of what may be absent.
    pub(super) broken: bool,
    /// Whose fields may be named without the header.
    pub(super) header: Option<Fields>,
}

/// Bare field names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// Of this header.
    pub(super) header: HeaderId,
    /// By what.
    pub(super) reader: Reader,
    /// Whether they may be named alone here; what else may be read does not depend on it.
    pub(super) bare: bool,
}

/// What reads the fields of a header by their bare names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The `when` of a header behind it, and nothing but this header's fields.
    When,
    /// Its own `size`, `valid` and `extent`, and nothing but its fields. Numbers are 32 bits wide, so that `ihl * 4`
    /// does not wrap.
    Shape,
    /// A computed field, and whatever else there is.
    Computed,
}

impl Scope {
    /// The fields of one header, and no local names.
    pub(super) fn of_header(header: HeaderId, reader: Reader) -> Scope {
        Scope {
            header: Some(Fields {
                header,
                reader,
                bare: true,
            }),
            ..Scope::default()
        }
    }

    /// A point of which nothing is known.
    pub(super) fn unknown() -> Scope {
        Scope {
            broken: true,
            ..Scope::default()
        }
    }

    /// The same point, seen from inside an action: no local names.
    pub(super) fn without_names(&self) -> Scope {
        Scope {
            facts: self.facts.clone(),
            broken: self.broken,
            ..Scope::default()
        }
    }

    /// The same point, seen from inside a function: no local names, but no more may be read.
    pub(super) fn inside_function(&self) -> Scope {
        let header = self.header.map(|fields| Fields {
            bare: false,
            ..fields
        });
        Scope {
            header,
            ..self.without_names()
        }
    }

    /// Whether more than the fields of one header may be read.
    pub(super) fn reads_anything(&self) -> bool {
        self.header
            .is_none_or(|fields| fields.reader == Reader::Computed)
    }

    pub(super) fn get(&self, name: &str) -> Option<Local> {
        self.locals.get(name).cloned()
    }

    pub(super) fn bind(&mut self, name: &str, local: Local) {
        self.locals.insert(name.to_owned(), local);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.locals.keys().map(String::as_str)
    }
}
