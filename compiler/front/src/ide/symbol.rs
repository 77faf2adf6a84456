//! What a policy declares.

use crate::source::Span;

/// The number of a symbol in its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SymbolId(pub(super) usize);

/// Something with a name.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The name where it is declared.
    pub span: Span,
    /// All of the declaration.
    pub whole: Span,
    /// What it is a part of: a field's header, a backend's pool, a parameter's action.
    pub parent: Option<SymbolId>,
    /// Where a local name can be used; everywhere for `None`.
    pub seen: Option<Span>,
    /// What fields can be taken from it.
    pub(super) value: Value,
}

/// Kinds of symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `const`.
    Constant,
    /// `interface`.
    Interface,
    /// `pool`.
    Pool,
    /// A `backend` with a name.
    Backend,
    /// `set`.
    Set,
    /// `table`.
    Table,
    /// A value of a table.
    Column,
    /// `meter`.
    Meter,
    /// `counter`.
    Counter,
    /// `header`.
    Header,
    /// A field of a header.
    Field,
    /// A computed field of a header: `let`.
    Computed,
    /// `group`.
    Group,
    /// `fn`.
    Function,
    /// `action`.
    Action,
    /// A parameter of a function or an action.
    Parameter,
    /// `let`.
    Variable,
    /// The backend or the values that a `select` gives.
    Choice,
    /// The reason of a `drop`; declared where it is used first.
    Reason,
}

impl Kind {
    /// As people call it.
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Constant => "constant",
            Kind::Interface => "interface",
            Kind::Pool => "pool",
            Kind::Backend => "backend",
            Kind::Set => "set",
            Kind::Table => "table",
            Kind::Column => "value of a table",
            Kind::Meter => "meter",
            Kind::Counter => "counter",
            Kind::Header => "header",
            Kind::Field => "field",
            Kind::Computed => "computed field",
            Kind::Group => "group of headers",
            Kind::Function => "function",
            Kind::Action => "action",
            Kind::Parameter => "parameter",
            Kind::Variable => "variable",
            Kind::Choice => "choice",
            Kind::Reason => "reason of a drop",
        }
    }
}

/// What a path stands for so far: what can be taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing can be taken from it, or nothing is known.
    Plain,
    /// Something declared whose parts have names: a header, a pool, a table's values.
    Of(SymbolId),
    /// One of several headers.
    Group(Vec<SymbolId>),
    /// A backend.
    Backend,
    /// An interface.
    Interface,
    /// The packet's flow.
    Flow,
    /// A meter.
    Meter,
}

impl Symbol {
    pub(super) fn is_reason(&self) -> bool {
        self.kind == Kind::Reason
    }
}
