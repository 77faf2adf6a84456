//! Constants: literals, names of constants, and arithmetic on them, known at compile time.

use std::collections::BTreeSet;
use std::rc::Rc;

use lvsc_pipeline::pipeline::Kind;

use super::Checker;
use super::compare::{compare_operator, holds};
use super::names::{Sort, Thing};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::ast::{
    BinaryOp, Const, Expr, ExprKind, Lit, LitKind, Name, Path, Segment, UnaryOp,
};
use crate::syntax::lexer::lex;
use crate::syntax::token::{Token, TokenKind};

/// So many constants may wait for later ones: each takes some of the stack.
const PENDING_MAX: usize = 64;

/// A constant. Its width comes from what it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// A number, or an address.
    One(Kind, u128),
    /// Members of perhaps several kinds.
    Set(Rc<[Member]>),
}

/// Members of a set from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub(super) kind: Kind,
    pub(super) low: u128,
    pub(super) high: u128,
}

impl Constant {
    pub(super) fn number(value: u128) -> Constant {
        Constant::One(Kind::Number, value)
    }

    /// As the members of a set.
    pub(super) fn members(&self) -> Rc<[Member]> {
        match self {
            Constant::One(kind, value) => Rc::new([Member {
                kind: *kind,
                low: *value,
                high: *value,
            }]),
            Constant::Set(members) => Rc::clone(members),
        }
    }

    /// What it is called in a message.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Constant::One(kind, _) => describe(*kind),
            Constant::Set(_) => "a set",
        }
    }
}

fn compares(op: BinaryOp) -> bool {
    compare_operator(op).is_some() || matches!(op, BinaryOp::In | BinaryOp::NotIn)
}

/// Both are IP addresses, of different versions.
pub(super) fn other_family(a: Kind, b: Kind) -> bool {
    matches!((a, b), (Kind::Ip4, Kind::Ip6) | (Kind::Ip6, Kind::Ip4))
}

/// What a kind is called in a message.
pub(super) fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "a number",
        Kind::Mac => "a MAC address",
        Kind::Ip4 => "an IPv4 address",
        Kind::Ip6 => "an IPv6 address",
    }
}

/// Whether a text is one literal, as it stands in an expression.
fn is_literal(file: FileId, text: &str) -> bool {
    match lex(file, text).0.as_slice() {
        [
            Token {
                kind: TokenKind::Lit(kind),
                span,
            },
        ] => {
            let (kind, span) = (kind.clone(), *span);
            literal(&Lit { kind, span }).is_some()
        }
        _ => false,
    }
}

/// The value of a literal that may stand in an expression.
pub(super) fn literal(lit: &Lit) -> Option<Constant> {
    let range = |kind, low: u128, size: u128| {
        Constant::Set(Rc::new([Member {
            kind,
            low,
            high: low + size,
        }]))
    };
    Some(match &lit.kind {
        LitKind::Int(value) => Constant::number(*value),
        LitKind::Ip4(address) => Constant::One(Kind::Ip4, u128::from(address.to_bits())),
        LitKind::Ip6(address) => Constant::One(Kind::Ip6, address.to_bits()),
        LitKind::Mac(bytes) => {
            Constant::One(Kind::Mac, lvsc_abi::mac::Mac(*bytes).to_bits().into())
        }
        LitKind::Net4(address, length) => range(
            Kind::Ip4,
            address.to_bits().into(),
            u128::from(u32::MAX) >> length,
        ),
        LitKind::Net6(address, length) => range(
            Kind::Ip6,
            address.to_bits(),
            u128::MAX.checked_shr((*length).into()).unwrap_or(0),
        ),
        LitKind::Range(low, high) => range(Kind::Number, (*low).into(), u128::from(high - low)),
        LitKind::Hex(bytes) if (1..=16).contains(&bytes.len()) => {
            let number = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u128::from(*byte));
            Constant::number(number)
        }
        LitKind::Endpoint(_)
        | LitKind::Duration(_)
        | LitKind::Rate { .. }
        | LitKind::BitRate(_)
        | LitKind::Str(_)
        | LitKind::Hex(_)
        | LitKind::Bad => return None,
    })
}

impl<'a> Checker<'a> {
    /// The constant of an expression that must be one.
    pub(super) fn constant(&mut self, expr: &'a Expr) -> Option<Constant> {
        match &expr.kind {
            ExprKind::Lit(lit) => self.literal(lit),
            ExprKind::Set(members) => self.members(members),
            ExprKind::Path(path) => self.named_constant(path),
            ExprKind::Unary(op, operand) => {
                let value = self.constant_number(operand)?;
                match op {
                    UnaryOp::Not => Some(Constant::number(u128::from(value == 0))),
                    UnaryOp::Neg | UnaryOp::BitNot => self.not_constant(expr.span),
                }
            }
            ExprKind::Binary(binary) if compares(binary.op) => {
                let (left, right) = (self.constant(&binary.left), self.constant(&binary.right));
                let holds = self.decided(binary.op, &left?, &right?, expr.span)?;
                Some(Constant::number(holds.into()))
            }
            ExprKind::Binary(binary) => {
                let left = self.constant_number(&binary.left)?;
                let right = self.constant_number(&binary.right)?;
                self.arithmetic(binary.op, left, right, expr.span)
            }
            ExprKind::Tuple(_) => self.later("a tuple", expr.span),
        }
    }

    /// A constant number.
    pub(super) fn constant_number(&mut self, expr: &'a Expr) -> Option<u128> {
        match self.constant(expr)? {
            Constant::One(Kind::Number, value) => Some(value),
            other => {
                let message = format!("a number is needed, this is {}", other.describe());
                self.error(Code::TypeMismatch, message, expr.span)
            }
        }
    }

    /// The value of a literal that stands in an expression.
    pub(super) fn literal(&mut self, lit: &Lit) -> Option<Constant> {
        if lit.kind == LitKind::Bad {
            return None; // the lexer has said it
        }
        literal(lit).or_else(|| {
            let message = "this literal has no place in an expression";
            let error = Diagnostic::error(Code::TypeMismatch, message, lit.span);
            self.report(match &lit.kind {
                LitKind::Str(text) if is_literal(lit.span.file, text) => {
                    error.suggest("values stand without quotes", lit.span, text)
                }
                _ => error,
            });
            None
        })
    }

    /// A set; equal members are one, for a set of sets of sets would grow beyond all bounds.
    fn members(&mut self, exprs: &'a [Expr]) -> Option<Constant> {
        let parts: Vec<Option<Constant>> = exprs.iter().map(|expr| self.constant(expr)).collect();
        let parts: Vec<Constant> = parts.into_iter().collect::<Option<_>>()?;
        self.overlaps(exprs, &parts);
        let mut members = BTreeSet::new();
        for part in parts {
            members.extend(&*part.members());
        }
        Some(Constant::Set(members.into_iter().collect()))
    }

    fn named_constant(&mut self, path: &'a Path) -> Option<Constant> {
        let Some(name) = path.as_name() else {
            return match path.tail.as_slice() {
                [Segment::Call(args, span)] => self.constant_call(&path.head, args, *span),
                _ => self.not_constant(path.span),
            };
        };
        let item: &'a Const = match self.names.get(&name.text) {
            Some(Thing::Constant(value)) => return value.clone(),
            Some(Thing::Unevaluated(item)) => item,
            Some(_) if !self.names.is_set(&name.text) => return self.not_constant(path.span),
            Some(_) if !self.pending.is_empty() => return self.names_set(name),
            Some(_) | None => return self.unknown_name(name, &[Sort::Constant, Sort::Set]),
        };
        let at = self.pending.iter().position(|open| *open == item.name.text);
        if at.is_some() {
            let message = format!("`{}` leads back to itself", item.name.text);
            return self.error(Code::Recursion, message, name.span);
        }
        if self.pending.len() == PENDING_MAX {
            let message = format!("more than {PENDING_MAX} constants that each name a later one");
            return self.error(Code::NestingTooDeep, message, name.span);
        }
        self.evaluate(item)
    }

    /// Sets are made of constants, which are all known before.
    fn names_set<T>(&mut self, name: &Name) -> Option<T> {
        let message = format!("a `const` cannot name the set `{}`", name.text);
        let mut error = Diagnostic::error(Code::NotAConstant, message, name.span);
        if let Some(declared) = self.names.place(&name.text) {
            error = error.secondary(declared, "declared here");
        }
        self.report(
            error.note("conditions name the set itself, and a `set` may have others as members"),
        );
        None
    }

    /// Evaluates a constant, after those that it names.
    pub(super) fn evaluate(&mut self, item: &'a Const) -> Option<Constant> {
        self.pending.push(&item.name.text);
        let value = self.constant(&item.value);
        self.pending.pop();
        let thing = Thing::Constant(value.clone());
        self.names.set(&item.name.text, thing);
        value
    }

    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        a: u128,
        b: u128,
        span: Span,
    ) -> Option<Constant> {
        let shift = u32::try_from(b).ok().filter(|distance| *distance < 128);
        let value = match op {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Sub => a.checked_sub(b),
            BinaryOp::Mul => a.checked_mul(b),
            BinaryOp::Div => a.checked_div(b),
            BinaryOp::Rem => a.checked_rem(b),
            BinaryOp::BitAnd => Some(a & b),
            BinaryOp::BitOr => Some(a | b),
            BinaryOp::BitXor => Some(a ^ b),
            BinaryOp::Shl => shift.and_then(|distance| a.checked_mul(1 << distance)),
            BinaryOp::Shr => shift.map(|distance| a >> distance),
            BinaryOp::And => Some((a != 0 && b != 0).into()),
            BinaryOp::Or => Some((a != 0 || b != 0).into()),
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge
            | BinaryOp::In
            | BinaryOp::NotIn => return self.not_constant(span), // see `decided`
        };
        value.map(Constant::number).or_else(|| {
            let message = format!("`{}` of these constants has no value", op.as_str());
            let error = Diagnostic::error(Code::BadArithmetic, message, span);
            self.report(match op {
                BinaryOp::Sub => error.note(format!("the numbers from {a} to {b} are `{a}..{b}`")),
                _ => error,
            });
            None
        })
    }

    /// The comparison of two constants. An address of one family is none of the other.
    pub(super) fn decided(
        &mut self,
        op: BinaryOp,
        a: &Constant,
        b: &Constant,
        span: Span,
    ) -> Option<bool> {
        let Constant::One(kind, value) = a else {
            return self.no_set(span);
        };
        let members = b.members();
        let comparable = |member: &Member| member.kind == *kind || other_family(member.kind, *kind);
        if let Some(wrong) = members.iter().find(|member| !comparable(member)) {
            let message = format!("{} is never {}", describe(*kind), describe(wrong.kind));
            return self.error(Code::TypeMismatch, message, span);
        }
        let mut own = members.iter().filter(|member| member.kind == *kind);
        match (compare_operator(op), b) {
            (None, _) => {
                let inside = own.any(|member| (member.low..=member.high).contains(value));
                Some(inside == (op == BinaryOp::In))
            }
            (Some(_), Constant::Set(_)) => self.no_set(span),
            (Some(op), Constant::One(_, other)) => Some(own.any(|_| holds(op, *value, *other))),
        }
    }

    pub(super) fn not_constant<T>(&mut self, span: Span) -> Option<T> {
        self.report(
            Diagnostic::error(Code::NotAConstant, "a constant is needed here", span)
                .note("a literal, a `const`, a set of these, or arithmetic on numbers"),
        );
        None
    }
}
