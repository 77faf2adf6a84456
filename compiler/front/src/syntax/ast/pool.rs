//! Pools and their backends.

use super::{Expr, Lit, Name, Prop};
use crate::source::Span;

/// `pool NAME { lines }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: Name,
    /// Its lines, in order.
    pub lines: Vec<PoolLine>,
    /// All of it.
    pub span: Span,
}

/// A line of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolLine {
    /// `scheduler NAME [ by exprs ]`.
    Scheduler(Scheduler),
    /// `backend [ NAME ] address options`.
    Backend(Backend),
    /// `flows ..`, `timeout ..`, `slow_start ..`, `persist ..`, `check ..`, `quorum ..`, `capacity ..`.
    Prop(Prop),
}

/// `scheduler NAME [ by exprs ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduler {
    /// Which one.
    pub name: Name,
    /// What it hashes; empty for its default.
    pub by: Vec<Expr>,
    /// All of it.
    pub span: Span,
}

/// `backend [ NAME ] address { option }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// Its address, with or without a port.
    pub address: Lit,
    /// `weight 2`, `drain`, ... in order.
    pub options: Vec<BackendOption>,
    /// All of it.
    pub span: Span,
}

/// An option of a backend: `weight 2`, `mac 02:00:00:00:00:01`, `via wan`, `drain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendOption {
    /// Which one.
    pub name: Name,
    /// Its value; none for `drain` and `backup`.
    pub value: Option<Expr>,
    /// Both.
    pub span: Span,
}
