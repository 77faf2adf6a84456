//! The tree of a policy, as it was written.
//!
//! One node for each production of the grammar; every node has its place. Nothing is resolved:
//! names are texts, `ip.dst` is a path of two names. A line that could not be read is not in the
//! tree (it has its diagnostic); a literal that cannot be is [`LitKind::Bad`].

mod expr;
mod pool;
mod stmt;
mod table;
mod testing;

pub use self::expr::{
    Binary, BinaryOp, Expr, ExprKind, Path, Pattern, PatternKind, Segment, UnaryOp,
};
pub use self::pool::{Backend, BackendOption, Pool, PoolLine, Scheduler};
pub use self::stmt::{
    Arm, Assign, AssignOp, Block, Branch, ById, Call, Count, Drop, Let, Log, Match, Pop, Push,
    PushField, Select, Send, Stmt, StmtKind, Switch,
};
pub use self::table::{MatchKind, Set, SetEntry, Table, TableEntry, TableKey, TableLine};
pub use self::testing::{
    Condition, Expectation, Layer, LayerArg, LayerKind, Packet, Test, TestLine, TestLineKind,
    Verdict,
};
pub use super::literal::{Lit, LitKind};

use std::collections::BTreeSet;

use crate::source::{FileId, Span};

/// A word of the policy's author, or of the language where the author refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `[A-Za-z_][A-Za-z0-9_]*`.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A string literal where the grammar wants no other literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its value, escapes resolved.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// `NAME [ "[" expr "]" ]`: `u16`, `net`, `bytes[4]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name.
    pub name: Name,
    /// What stands in the brackets.
    pub argument: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// `NAME ":" type`: a parameter, a value of a table, a field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// What is declared.
    pub name: Name,
    /// As what.
    pub ty: Type,
    /// Both.
    pub span: Span,
}

/// One policy text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which text.
    pub id: FileId,
    /// Declarations and top-level statements, in order.
    pub items: Vec<Item>,
    /// The names in lines that could not be read: any of them may declare one.
    pub unread: BTreeSet<String>,
}

/// What stands at the top level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `use NAME`, `use "file"`.
    Use(Use),
    /// `const NAME = expr`.
    Const(Const),
    /// `interface NAME { .. }`.
    Interface(Interface),
    /// `pool NAME { .. }`.
    Pool(Pool),
    /// `set NAME : type { .. }`.
    Set(Set),
    /// `table NAME { .. }`.
    Table(Table),
    /// `meter NAME { .. }`.
    Meter(Meter),
    /// `counter NAME`.
    Counter(Counter),
    /// `header NAME .. { .. }`.
    Header(Header),
    /// `group NAME = NAME | NAME`.
    Group(Group),
    /// `fn NAME(..) -> type ..`.
    Fn(Fn),
    /// `action NAME(..) { .. }`.
    Action(Action),
    /// `target NAME { .. }`.
    Target(Target),
    /// `test "what" { .. }`.
    Test(Test),
    /// A statement of the pipeline.
    Stmt(Stmt),
}

impl Item {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Item::Use(item) => item.span,
            Item::Const(item) => item.span,
            Item::Interface(item) => item.span,
            Item::Pool(item) => item.span,
            Item::Set(item) => item.span,
            Item::Table(item) => item.span,
            Item::Meter(item) => item.span,
            Item::Counter(item) => item.span,
            Item::Header(item) => item.span,
            Item::Group(item) => item.span,
            Item::Fn(item) => item.span,
            Item::Action(item) => item.span,
            Item::Target(item) => item.span,
            Item::Test(item) => item.span,
            Item::Stmt(item) => item.span,
        }
    }
}

/// `use NAME` or `use "file.lvs"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// What is taken in.
    pub what: UseWhat,
    /// All of it.
    pub span: Span,
}

/// What a `use` takes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseWhat {
    /// A part of the language's own library.
    Name(Name),
    /// A file beside this one.
    File(Text),
}

/// `const NAME = expr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Const {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// `NAME { value }`: a line of properties. A value is a literal, a path of names or a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prop {
    /// Which property.
    pub name: Name,
    /// Its values, in order: `flows 1M idle 15m` has three.
    pub values: Vec<Expr>,
    /// All of it.
    pub span: Span,
}

/// `interface NAME [ { props } ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name in the policy, bound to a device at run.
    pub name: Name,
    /// What is fixed; empty without braces.
    pub props: Vec<Prop>,
    /// All of it.
    pub span: Span,
}

/// `meter NAME { props }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Its name.
    pub name: Name,
    /// `key`, `rate`, `burst`, `capacity`.
    pub props: Vec<Prop>,
    /// All of it.
    pub span: Span,
}

/// `counter NAME [ by exprs ] [ capacity lit ]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: Name,
    /// What tells its cells apart; empty for a single one.
    pub by: Vec<Expr>,
    /// How many cells.
    pub capacity: Option<Lit>,
    /// All of it.
    pub span: Span,
}

/// `header NAME [ after names ] [ when expr ] [ max lit ] { lines }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: Name,
    /// The headers it may follow; empty for the first one of a frame.
    pub after: Vec<Name>,
    /// What must hold in the header before it.
    pub when: Option<Expr>,
    /// How often it may repeat.
    pub max: Option<Lit>,
    /// Its lines, in order.
    pub lines: Vec<HeaderLine>,
    /// All of it.
    pub span: Span,
}

/// A line of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderLine {
    /// `NAME : type`: a field on the wire.
    Field(Typed),
    /// `size expr`, in bytes.
    Size(Expr),
    /// `valid expr`.
    Valid(Expr),
    /// `checksum NAME`: by which rule.
    Checksum(Name),
    /// `let NAME = expr`: a computed field.
    Let(Let),
}

/// `group NAME = NAME | NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// The headers, at least one.
    pub members: Vec<Name>,
    /// All of it.
    pub span: Span,
}

/// `fn NAME(params) -> type = expr`, or with a body of `let` lines and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fn {
    /// Its name.
    pub name: Name,
    /// What it takes.
    pub params: Vec<Typed>,
    /// What it gives.
    pub ty: Type,
    /// Steps on the way.
    pub lets: Vec<Let>,
    /// The value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// `action NAME(params) { statements }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub name: Name,
    /// What it takes.
    pub params: Vec<Typed>,
    /// What it does.
    pub block: Block,
    /// All of it.
    pub span: Span,
}

/// `target NAME { props }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which target.
    pub name: Name,
    /// Its settings.
    pub props: Vec<Prop>,
    /// All of it.
    pub span: Span,
}
