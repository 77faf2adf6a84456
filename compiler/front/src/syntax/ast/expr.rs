//! Expressions and patterns.

use super::{Lit, Name};
use crate::source::Span;

/// An expression and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// All of it, enclosing parentheses included.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// `80`, `192.0.2.10`.
    Lit(Lit),
    /// `{ a, b }`, at least one member.
    Set(Vec<Expr>),
    /// `ip.dst`, `vlan[1].vid`, `min(a, b)`.
    Path(Path),
    /// `not a`, `-a`, `~a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a and b`, `a == b`, `a + b`.
    Binary(Box<Binary>),
    /// `(a, b)`, at least two; `(a)` is `a`.
    Tuple(Vec<Expr>),
}

/// An operator between two expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Which one.
    pub op: BinaryOp,
    /// Where the operator itself stands (`not in` is both words).
    pub op_span: Span,
    /// Before it.
    pub left: Expr,
    /// After it.
    pub right: Expr,
}

/// A name and what is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The first name.
    pub head: Name,
    /// What follows, in order. Where the grammar says `path` there are only fields.
    pub tail: Vec<Segment>,
    /// All of it.
    pub span: Span,
}

impl Path {
    /// The name, if it is only one.
    pub fn as_name(&self) -> Option<&Name> {
        self.tail.is_empty().then_some(&self.head)
    }

    /// The names, if it is nothing but names joined by `.`.
    pub fn as_names(&self) -> Option<Vec<&Name>> {
        let tail = self.tail.iter().map(|segment| match segment {
            Segment::Field(name) => Some(name),
            Segment::Index(..) | Segment::Call(..) => None,
        });
        std::iter::once(Some(&self.head)).chain(tail).collect()
    }
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// `.name`.
    Field(Name),
    /// `[a, b]`, at least one; the place has the brackets.
    Index(Vec<Expr>, Span),
    /// `(a, b)`, perhaps none; the place has the parentheses.
    Call(Vec<Expr>, Span),
}

/// An operator before an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `not`: looser than a comparison.
    Not,
    /// `-`.
    Neg,
    /// `~`.
    BitNot,
}

/// An operator between two expressions, from loose to tight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BinaryOp {
    /// `or`.
    Or,
    /// `and`.
    And,
    /// `==`.
    Eq,
    /// `!=`.
    Ne,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
    /// `in`.
    In,
    /// `not in`.
    NotIn,
    /// `|`.
    BitOr,
    /// `^`.
    BitXor,
    /// `&`: binds as tight as `|` and `^`, from left to right, and tighter than `==`.
    BitAnd,
    /// `<<`.
    Shl,
    /// `>>`.
    Shr,
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`.
    Div,
    /// `%`.
    Rem,
}

impl BinaryOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "in",
            BinaryOp::NotIn => "not in",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "^",
            BinaryOp::BitAnd => "&",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
        }
    }

    /// Whether it compares: false where a side's header is absent, and not chained.
    pub fn is_comparison(self) -> bool {
        (BinaryOp::Eq..=BinaryOp::NotIn).contains(&self)
    }
}

/// A pattern and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What it is.
    pub kind: PatternKind,
    /// All of it.
    pub span: Span,
}

/// The kinds of pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternKind {
    /// `_` or `default`.
    Any,
    /// `80`, `8000..8099`, `10.0.0.0/8`.
    Lit(Lit),
    /// `value & mask`.
    Masked {
        /// What the masked bits are.
        value: Lit,
        /// Which bits count.
        mask: Lit,
    },
    /// A constant or a set.
    Path(Path),
    /// `(a, b)`, at least one.
    Tuple(Vec<Pattern>),
}
