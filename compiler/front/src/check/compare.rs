//! Comparisons and membership. An address of one family is never equal to one of the other.

use lvsc_pipeline::pipeline::{Compare, Expr, InterfaceField, InterfaceRef, Kind, Set, SetId};

use super::Checker;
use super::constant::{Constant, Member, other_family};
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::BinaryOp;

impl Checker<'_> {
    /// A comparison of two values, each with its place.
    pub(super) fn compare(
        &mut self,
        op: BinaryOp,
        (a, a_span): (&Value, Span),
        (b, b_span): (&Value, Span),
        span: Span,
    ) -> Option<Value> {
        if let (Value::One(a), Value::One(b)) = (a, b) {
            self.never_equal(a, b, span);
        }
        let value = match (a, b) {
            (Value::Interface(a), Value::Interface(b)) => {
                self.interfaces_equal(op, *a, *b, span)?
            }
            (_, Value::Macs(_)) => {
                let what =
                    "`.macs` of a pool anywhere but in `expect send lan { eth.dst in web.macs }`";
                return self.later(what, b_span);
            }
            _ => self.pair(a, b, span, |checker, a, b| {
                let truth = match (op, a, b) {
                    (_, Single::Constant(a), Single::Constant(b)) => {
                        checker.decided(op, a, b, span).map(truth)
                    }
                    (BinaryOp::In | BinaryOp::NotIn, ..) => {
                        checker.member((a, a_span), (b, b_span), op == BinaryOp::NotIn)
                    }
                    _ => checker.ordered(compare_operator(op)?, (a, a_span), (b, b_span)),
                };
                truth.map(|expr| Single::Typed(expr, Type::TRUTH))
            })?,
        };
        Some(value)
    }

    /// Warns of an address that is compared with those of the other family alone.
    fn never_equal(&mut self, a: &Single, b: &Single, span: Span) {
        let kinds = |single: &Single| match single {
            Single::Typed(_, ty) => vec![ty.kind],
            Single::Constant(constant) => {
                let members = constant.members();
                members.iter().map(|member| member.kind).collect()
            }
        };
        let (first, second) = (kinds(a), kinds(b));
        let mut pairs = first
            .iter()
            .flat_map(|a| second.iter().map(move |b| (*a, *b)));
        let constants = matches!((a, b), (Single::Constant(_), Single::Constant(_)));
        if !constants && !second.is_empty() && pairs.all(|(a, b)| other_family(a, b)) {
            self.report(
                Diagnostic::warning(Code::NeverTrue, "this can never be true", span)
                    .label("an address of one IP version is none of the other"),
            );
        }
    }

    fn interfaces_equal(
        &mut self,
        op: BinaryOp,
        a: InterfaceRef,
        b: InterfaceRef,
        span: Span,
    ) -> Option<Value> {
        let index = |interface| Box::new(Expr::Interface(interface, InterfaceField::Index));
        let compare = match op {
            BinaryOp::Eq => Compare::Eq,
            BinaryOp::Ne => Compare::Ne,
            _ => return self.error(Code::TypeMismatch, "interfaces are only equal or not", span),
        };
        Some(Value::truth(Expr::Compare(compare, index(a), index(b))))
    }

    fn ordered(
        &mut self,
        op: Compare,
        (a, a_span): (&Single, Span),
        (b, b_span): (&Single, Span),
    ) -> Option<Expr> {
        let (expr, ty, constant, span, op) = match (a, b) {
            (Single::Typed(expr, ty), Single::Constant(constant)) => {
                (expr, ty, constant, b_span, op)
            }
            (Single::Constant(constant), Single::Typed(expr, ty)) => {
                (expr, ty, constant, a_span, mirrored(op))
            }
            (Single::Typed(a, first), Single::Typed(b, second)) => {
                if first.other_family(second.kind) {
                    return Some(Expr::FALSE);
                }
                let b = self.fit(&Single::Typed(b.clone(), *second), *first, b_span)?;
                return Some(Expr::Compare(op, Box::new(a.clone()), Box::new(b)));
            }
            (Single::Constant(_), Single::Constant(_)) => return None, // see `compare`
        };
        match constant {
            Constant::One(kind, _) if ty.other_family(*kind) => Some(Expr::FALSE),
            Constant::One(..) => {
                let value = self.coerce(constant, *ty, span)?;
                Some(compared(op, expr.clone(), value))
            }
            Constant::Set(_) => self.no_set(span),
        }
    }

    pub(super) fn no_set<T>(&mut self, span: Span) -> Option<T> {
        self.report(
            Diagnostic::error(Code::TypeMismatch, "a value is never equal to a set", span)
                .note("`in` asks whether it is one of the members"),
        );
        None
    }

    fn member(
        &mut self,
        (value, value_span): (&Single, Span),
        (set, set_span): (&Single, Span),
        negated: bool,
    ) -> Option<Expr> {
        let Single::Typed(expr, ty) = value else {
            let message = "a value of the packet is needed before `in`";
            return self.error(Code::TypeMismatch, message, value_span);
        };
        let Single::Constant(constant) = set else {
            return self.error(Code::TypeMismatch, "a set is needed behind `in`", set_span);
        };
        let members = constant.members();
        let (own, foreign): (Vec<Member>, Vec<Member>) =
            members.iter().partition(|member| member.kind == ty.kind);
        if let Some(wrong) = foreign.iter().find(|member| !ty.other_family(member.kind)) {
            let wanted = ty.describe();
            let message = format!(
                "{wanted} is never {}",
                super::constant::describe(wrong.kind)
            );
            return self.error(Code::TypeMismatch, message, set_span);
        }
        for member in &own {
            self.coerce(&Constant::One(member.kind, member.high), *ty, set_span)?;
        }
        // `not in` on a present field of a family without members holds; absence makes it false, so it is not simply the
        // negation.
        let set = self.set(*ty, own, set_span);
        let inside = Expr::In(Box::new(expr.clone()), set);
        if !negated {
            return Some(inside);
        }
        let outside = Expr::Not(Box::new(inside));
        Some(match super::presence::there(expr) {
            Some(there) => Expr::And(Box::new(there), Box::new(outside)),
            None => outside,
        })
    }

    /// The set with these members, sorted, those that overlap merged; equal ones are shared.
    fn set(&mut self, ty: Type, mut members: Vec<Member>, span: Span) -> SetId {
        members.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for Member { low, high, .. } in members {
            match ranges.last_mut() {
                Some((_, last)) if low <= *last => *last = (*last).max(high),
                Some(_) | None => ranges.push((low, high)),
            }
        }
        let set = Set {
            name: String::new(),
            width: ty.width,
            kind: ty.kind,
            ranges,
        };
        let known = self.policy.sets.iter().position(|known| *known == set);
        if let Some(known) = known {
            return SetId(known as u16);
        }
        let id = self.next_id(self.policy.sets.len(), "sets", span);
        self.policy.sets.push(set);
        SetId(id)
    }
}

/// The comparison; of two constants, its result.
fn compared(op: Compare, a: Expr, b: Expr) -> Expr {
    let (Expr::Constant { value: first, .. }, Expr::Constant { value: second, .. }) = (&a, &b)
    else {
        return Expr::Compare(op, Box::new(a), Box::new(b));
    };
    truth(holds(op, *first, *second))
}

/// The comparison of two numbers.
pub(super) fn holds(op: Compare, a: u128, b: u128) -> bool {
    match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    }
}

fn truth(holds: bool) -> Expr {
    if holds { Expr::TRUE } else { Expr::FALSE }
}

pub(super) fn compare_operator(op: BinaryOp) -> Option<Compare> {
    Some(match op {
        BinaryOp::Eq => Compare::Eq,
        BinaryOp::Ne => Compare::Ne,
        BinaryOp::Lt => Compare::Lt,
        BinaryOp::Le => Compare::Le,
        BinaryOp::Gt => Compare::Gt,
        BinaryOp::Ge => Compare::Ge,
        _ => return None,
    })
}

fn mirrored(op: Compare) -> Compare {
    match op {
        Compare::Eq | Compare::Ne => op,
        Compare::Lt => Compare::Gt,
        Compare::Le => Compare::Ge,
        Compare::Gt => Compare::Lt,
        Compare::Ge => Compare::Le,
    }
}

/// Width of a type that is known by its name alone (bits).
pub(crate) fn type_width(name: &str) -> Option<u16> {
    named_type(name).map(|ty| ty.width)
}

/// The kinds that a type name may give, for messages and `let`.
pub(super) fn named_type(name: &str) -> Option<Type> {
    let number = |width| Type {
        kind: Kind::Number,
        width,
    };
    match name {
        "mac" => Some(Type {
            kind: Kind::Mac,
            width: 48,
        }),
        "ip4addr" => Some(Type {
            kind: Kind::Ip4,
            width: 32,
        }),
        "ip6addr" => Some(Type {
            kind: Kind::Ip6,
            width: 128,
        }),
        _ => {
            let width: u16 = name.strip_prefix('u')?.parse().ok()?;
            (1..=64).contains(&width).then(|| number(width))
        }
    }
}
