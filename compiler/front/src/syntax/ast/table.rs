//! Sets and tables.

use super::{Expr, Lit, Name, Pattern, Prop, Text, Type, Typed};
use crate::source::Span;

/// `set NAME : type { entries }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: Name,
    /// Of what.
    pub ty: Type,
    /// What it begins with.
    pub entries: Vec<SetEntry>,
    /// All of it.
    pub span: Span,
}

/// An entry of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetEntry {
    /// A member.
    Member(Expr),
    /// `file "blocklist.txt"`.
    File(Text),
    /// `capacity 64K`.
    Capacity(Lit),
}

/// `table NAME { lines }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: Name,
    /// Its lines, in order.
    pub lines: Vec<TableLine>,
    /// All of it.
    pub span: Span,
}

/// A line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableLine {
    /// `key expr [ kind ], ..`.
    Key(Vec<TableKey>),
    /// `value NAME : type, ..`.
    Value(Vec<Typed>),
    /// `entries { patterns -> exprs }`.
    Entries(Vec<TableEntry>),
    /// Anything else.
    Prop(Prop),
}

/// One key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableKey {
    /// What is looked up.
    pub value: Expr,
    /// How it is compared.
    pub kind: Option<(MatchKind, Span)>,
}

/// How a table compares a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// Equal.
    Exact,
    /// The longest prefix that holds it.
    Lpm,
    /// Equal under a mask.
    Ternary,
    /// Within two ends.
    Range,
}

/// `patterns -> exprs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Alternatives.
    pub patterns: Vec<Pattern>,
    /// The values.
    pub values: Vec<Expr>,
    /// All of it.
    pub span: Span,
}
