//! What names stand for at one point of a policy, and what is surely present there.

use lvsc_pipeline::pipeline::{HeaderId, InterfaceRef, PoolId, VariableId};

use super::presence::Facts;
use super::value::Type;

/// What a local name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Local {
    /// A value.
    Value(VariableId, Type),
    /// A backend.
    Backend(VariableId, PoolId),
    /// An interface that was handed to an action.
    Interface(InterfaceRef),
    /// Something whose declaration is wrong, and was reported.
    Broken,
}

/// One point of a policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    locals: Vec<(String, Local)>,
    /// What surely holds.
    pub(super) facts: Facts,
    /// A condition around it is wrong: nothing is said of what may be absent.
    pub(super) broken: bool,
    /// Whose fields may be named without the header.
    pub(super) header: Option<Fields>,
}

/// Bare field names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// Of this header.
    pub(super) header: HeaderId,
    /// Numbers are 32 bits wide, so that `ihl * 4` does not wrap.
    pub(super) widen: bool,
}

impl Scope {
    /// The fields of one header, and no local names.
    pub(super) fn of_header(header: HeaderId, widen: bool) -> Scope {
        Scope {
            header: Some(Fields { header, widen }),
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

    pub(super) fn get(&self, name: &str) -> Option<Local> {
        let found = self.locals.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, local)| *local)
    }

    pub(super) fn bind(&mut self, name: &str, local: Local) {
        self.locals.push((name.to_owned(), local));
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.locals.iter().map(|(name, _)| name.as_str())
    }
}
