//! Statements.

use super::{Expr, Name, Path, Pattern, Text, Type};
use crate::source::Span;

/// `{ statements }`; also the single statement of a `switch` arm, without braces then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// In order.
    pub stmts: Vec<Stmt>,
    /// All of it, braces included.
    pub span: Span,
}

/// A statement and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// All of it.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// `match expr { .. } else match expr { .. } else { .. }`.
    Match(Match),
    /// `switch expr { patterns -> stmt }`.
    Switch(Switch),
    /// `let NAME [ : type ] = expr`.
    Let(Let),
    /// `select NAME from NAME [ by ( id(expr) | exprs ) ] [ else block ]`.
    Select(Select),
    /// `path = expr`, `path += expr`, `path -= expr`.
    Assign(Assign),
    /// `push NAME { NAME: expr, .. }`.
    Push(Push),
    /// `pop NAME`.
    Pop(Pop),
    /// `count NAME [ "[" exprs "]" ]`.
    Count(Count),
    /// `log "text"`.
    Log(Log),
    /// `NAME(exprs)`: an action.
    Call(Call),
    /// `drop [ NAME ]`.
    Drop(Drop),
    /// `pass`.
    Pass,
    /// `answer`.
    Answer,
    /// `send path`.
    Send(Send),
}

/// A chain of conditions; the first that holds decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The `match` and its `else match`es in order, at least one.
    pub branches: Vec<Branch>,
    /// The last `else`.
    pub otherwise: Option<Block>,
}

/// `match expr block`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// When.
    pub condition: Expr,
    /// What then.
    pub block: Block,
    /// From its `match` to its closing brace.
    pub span: Span,
}

/// `switch expr { arms }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// What is compared.
    pub value: Expr,
    /// In order; the first that matches decides.
    pub arms: Vec<Arm>,
}

/// `patterns [ if expr ] -> ( stmt | block )`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Alternatives, at least one.
    pub patterns: Vec<Pattern>,
    /// `if expr`.
    pub guard: Option<Expr>,
    /// What then; a single statement is a block of one.
    pub block: Block,
    /// All of it.
    pub span: Span,
}

/// `let NAME [ : type ] = expr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Let {
    /// Its name.
    pub name: Name,
    /// As what, where it is said.
    pub ty: Option<Type>,
    /// Its value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// `select NAME from NAME [ by ( id(expr) | exprs ) ] [ else block ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// What the choice is called.
    pub name: Name,
    /// The pool or the table.
    pub from: Name,
    /// `id(expr)`: what names the backend.
    pub id: Option<ById>,
    /// What decides; empty for the default.
    pub by: Vec<Expr>,
    /// When there is none.
    pub otherwise: Option<Block>,
}

/// `id(expr)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ById {
    /// The word.
    pub word: Span,
    /// The id of the backend.
    pub value: Expr,
}

/// How an assignment changes its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOp {
    /// `=`.
    Set,
    /// `+=`.
    Add,
    /// `-=`.
    Sub,
}

/// `target = expr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assign {
    /// What is changed: names and indices, no calls.
    pub target: Path,
    /// How.
    pub op: AssignOp,
    /// By what.
    pub value: Expr,
}

/// `push NAME { fields }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Which header becomes the outermost of its layer.
    pub header: Name,
    /// What its fields hold.
    pub fields: Vec<PushField>,
}

/// `NAME: expr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushField {
    /// Which field.
    pub name: Name,
    /// What it holds.
    pub value: Expr,
}

/// `pop NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop {
    /// Which header goes.
    pub header: Name,
}

/// `count NAME [ "[" exprs "]" ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Which counter.
    pub counter: Name,
    /// Which of its cells; empty for a single one.
    pub cell: Vec<Expr>,
}

/// `log "text"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What is said.
    pub text: Text,
}

/// `NAME(exprs)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which action.
    pub action: Name,
    /// With what.
    pub args: Vec<Expr>,
}

/// `drop [ NAME ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// The reason it is counted under.
    pub reason: Option<Name>,
}

/// `send path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// The interface.
    pub to: Path,
}
