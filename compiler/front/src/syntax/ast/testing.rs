//! `test` blocks and packets as sentences.

use super::{Drop, Expr, Lit, Name, Path, Send, Text};
use crate::source::Span;

/// `test "what" { lines }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// What it shows.
    pub name: Text,
    /// Its lines, in order.
    pub lines: Vec<TestLine>,
    /// All of it.
    pub span: Span,
}

/// A line of a test and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestLine {
    /// What it is.
    pub kind: TestLineKind,
    /// All of it.
    pub span: Span,
}

/// The kinds of test line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestLineKind {
    /// `send layer / layer [ on NAME ]`.
    Send(Packet),
    /// `expect verdict [ { conditions } ]`.
    Expect(Expectation),
    /// `expect same backend`.
    SameBackend,
    /// `add path exprs [ -> exprs ]`: an entry of a set or a table.
    Add {
        /// To what.
        to: Path,
        /// The member or the keys.
        key: Vec<Expr>,
        /// The values of a table's entry; empty for a set's.
        values: Vec<Expr>,
    },
    /// `backend path NAME`: the real server's state from here on.
    Backend {
        /// Which one.
        backend: Path,
        /// `down`, `up`, ...
        state: Name,
    },
    /// `advance lit`: time passes.
    Advance(Lit),
    /// `replay "file"`: a capture's packets arrive.
    Replay(Text),
}

/// A packet that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// From the outermost header inwards, at least one.
    pub layers: Vec<Layer>,
    /// By which interface; the only or first one without.
    pub on: Option<Name>,
}

/// A layer of a packet and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What it is.
    pub kind: LayerKind,
    /// All of it.
    pub span: Span,
}

/// The kinds of layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// `ip A -> B ttl=3`, `tcp 40000 -> 80 S`.
    Header {
        /// Which header.
        name: Name,
        /// Source and destination.
        ends: Option<Box<(Expr, Expr)>>,
        /// What else is said, in order.
        args: Vec<LayerArg>,
    },
    /// `hex"00 01"`, `"text"`: bytes.
    Payload(Lit),
}

/// What a layer says beside its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerArg {
    /// `ttl=3`.
    Field(Name, Expr),
    /// A word alone: TCP's flags.
    Word(Name),
    /// A literal alone.
    Value(Lit),
}

/// `verdict [ { conditions } ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// What holds of the frame then.
    pub conditions: Vec<Condition>,
}

/// What a test expects to become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `drop [ NAME ]`: for this reason, or for any.
    Drop(Drop),
    /// `pass`.
    Pass,
    /// `send path`.
    Send(Send),
}

/// What a test expects of the frame that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `expr`: true of it.
    Holds(Expr),
    /// `expr unchanged`: the header or field is as it arrived.
    Unchanged(Expr),
}
