//! Expressions: names resolved, widths decided, groups spread over their headers.

use lvsc_pipeline::pipeline::{Binary, ChoiceId, Expr, Kind};

use super::Checker;
use super::constant::Constant;
use super::presence::Fact;
use super::scope::Scope;
use super::value::{Single, Type, Value};
use crate::diagnostics::Code;
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp, ExprKind, UnaryOp};

impl<'a> Checker<'a> {
    /// What an expression gives.
    pub(super) fn value(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Value> {
        self.count_added(expr.span)?;
        self.deeper(|checker| checker.value_of(expr, scope))
    }

    fn value_of(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Value> {
        match &expr.kind {
            ExprKind::Lit(lit) => Some(Value::One(Single::Constant(self.literal(lit)?))),
            ExprKind::Set(_) => Some(Value::One(Single::Constant(self.constant(expr)?))),
            ExprKind::Path(path) => self.path(path, scope),
            ExprKind::Unary(UnaryOp::Not, operand) => {
                let condition = self.condition(operand, scope)?;
                Some(Value::truth(Expr::Not(Box::new(condition))))
            }
            ExprKind::Unary(op, operand) => self.unary(*op, operand, scope),
            ExprKind::Binary(binary) => self.binary(binary, expr.span, scope),
            ExprKind::Tuple(_) => self.later("a tuple", expr.span),
        }
    }

    /// A truth value: a comparison, a header (is it present?), a `u1`.
    pub(super) fn condition(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Expr> {
        let value = self.value(expr, scope)?;
        self.truth(&value, expr.span)
    }

    pub(super) fn truth(&mut self, value: &Value, span: Span) -> Option<Expr> {
        match value {
            Value::One(single) => self.fit_truth(single, value, span),
            Value::Each(choice, parts) => {
                let each: Vec<_> = parts
                    .iter()
                    .map(|part| self.fit_truth(part, value, span))
                    .collect();
                Some(self.any_way(*choice, each.into_iter().collect::<Option<_>>()?))
            }
            Value::Header(header) => Some(Expr::Present(*header)),
            Value::Group(choice) | Value::Flow(choice) => {
                let count = self
                    .policy
                    .choices
                    .get(usize::from(choice.0))?
                    .alternatives
                    .len();
                Some(Expr::Chosen(*choice, vec![Expr::TRUE; count]))
            }
            Value::Backend(..) | Value::Interface(_) | Value::Pool(_) | Value::Macs(_) => {
                self.no_truth(value, span)
            }
        }
    }

    /// The condition of the alternative that is taken. The only one stands for itself where it cannot hold without its
    /// header.
    fn any_way(&mut self, choice: ChoiceId, each: Vec<Expr>) -> Expr {
        let ways = self.policy.choices.get(usize::from(choice.0));
        if let [only] = each.as_slice()
            && let Some([way]) = ways.map(|choice| choice.alternatives.as_slice())
            && let Expr::Present(header) = way.condition
            && self.shapes().holding(only).contains(&Fact::Header(header))
        {
            return only.clone();
        }
        Expr::Chosen(choice, each)
    }

    fn fit_truth(&mut self, single: &Single, value: &Value, span: Span) -> Option<Expr> {
        match single {
            Single::Typed(expr, Type::TRUTH) => Some(expr.clone()),
            Single::Constant(Constant::One(Kind::Number, 0)) => Some(Expr::FALSE),
            Single::Constant(Constant::One(Kind::Number, 1)) => Some(Expr::TRUE),
            Single::Typed(..) | Single::Constant(_) => self.no_truth(value, span),
        }
    }

    fn no_truth<T>(&mut self, value: &Value, span: Span) -> Option<T> {
        let message = format!("a condition is needed, this is {}", value.describe());
        self.error(Code::TypeMismatch, message, span)
    }

    /// The value of an expression where exactly one typed value is wanted.
    pub(super) fn typed(&mut self, expr: &'a ast::Expr, ty: Type, scope: &Scope) -> Option<Expr> {
        let value = self.value(expr, scope)?;
        self.as_type(value, ty, expr.span)
    }

    /// The value as one of this type.
    pub(super) fn as_type(&mut self, value: Value, ty: Type, span: Span) -> Option<Expr> {
        match value {
            Value::One(single) => self.fit(&single, ty, span),
            Value::Each(choice, parts) => {
                let each: Vec<_> = parts.iter().map(|part| self.fit(part, ty, span)).collect();
                Some(Expr::Chosen(
                    choice,
                    each.into_iter().collect::<Option<_>>()?,
                ))
            }
            value => self.no_value(&value, span),
        }
    }

    pub(super) fn no_value<T>(&mut self, value: &Value, span: Span) -> Option<T> {
        let message = format!("a value is needed, this is {}", value.describe());
        self.error(Code::TypeMismatch, message, span)
    }

    fn unary(&mut self, op: UnaryOp, operand: &'a ast::Expr, scope: &Scope) -> Option<Value> {
        let value = self.value(operand, scope)?;
        let all = Single::Constant(Constant::number(0));
        let (first, value) = match op {
            // -a is 0 - a, ~a is all ones xor a, both at the width of a.
            UnaryOp::Neg => (Binary::Sub, value),
            UnaryOp::BitNot | UnaryOp::Not => (Binary::Xor, value),
        };
        self.spread(&value, operand.span, |checker, single| match single {
            Single::Constant(_) => checker.error(
                Code::NotAConstant,
                "this needs a value with a width",
                operand.span,
            ),
            Single::Typed(expr, ty) => {
                checker.number(*ty, operand.span)?;
                let ones = if ty.width == 128 {
                    u128::MAX
                } else {
                    (1 << ty.width) - 1
                };
                let left = match first {
                    Binary::Sub => checker.fit(&all, *ty, operand.span)?,
                    _ => Expr::Constant {
                        value: ones,
                        width: ty.width,
                    },
                };
                Some((
                    Expr::Binary(first, Box::new(left), Box::new(expr.clone())),
                    *ty,
                ))
            }
        })
    }

    fn binary(&mut self, binary: &'a ast::Binary, span: Span, scope: &Scope) -> Option<Value> {
        let (left, right) = (&binary.left, &binary.right);
        match binary.op {
            BinaryOp::And | BinaryOp::Or => {
                let a = self.condition(left, scope);
                let b = self.condition(right, scope);
                let (a, b) = (Box::new(a?), Box::new(b?));
                let both = binary.op == BinaryOp::And;
                Some(Value::truth(if both {
                    Expr::And(a, b)
                } else {
                    Expr::Or(a, b)
                }))
            }
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge
            | BinaryOp::In
            | BinaryOp::NotIn => {
                let a = self.value(left, scope);
                let b = self.value(right, scope);
                self.compare(binary.op, (&a?, left.span), (&b?, right.span), span)
            }
            BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::BitAnd
            | BinaryOp::Shl
            | BinaryOp::Shr
            | BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem => {
                let a = self.value(left, scope);
                let b = self.value(right, scope);
                let (a, b) = (a?, b?);
                let op = operator(binary.op)?;
                self.pair(&a, &b, span, |checker, a, b| match (a, b) {
                    (Single::Constant(_), Single::Constant(_)) => {
                        let both = [left, right].map(|side| checker.constant_number(side));
                        let [a, b] = both;
                        let folded = checker.arithmetic(binary.op, a?, b?, span)?;
                        Some(Single::Constant(folded))
                    }
                    (Single::Typed(_, ty), _) | (_, Single::Typed(_, ty)) => {
                        let ty = *ty;
                        let shift = matches!(op, Binary::Shl | Binary::Shr);
                        let a = checker.fit(a, ty, left.span)?;
                        let b = if shift {
                            checker.distance(b, ty, right.span)?
                        } else {
                            checker.fit(b, ty, right.span)?
                        };
                        checker.arithmetic_type(op, ty, span)?;
                        checker.divisor(op, &b, right.span)?;
                        Some(Single::Typed(
                            Expr::Binary(op, Box::new(a), Box::new(b)),
                            ty,
                        ))
                    }
                })
            }
        }
    }

    fn distance(&mut self, b: &Single, ty: Type, span: Span) -> Option<Expr> {
        match b {
            Single::Constant(Constant::One(Kind::Number, value))
                if *value < u128::from(ty.width) =>
            {
                Some(Expr::Constant {
                    value: *value,
                    width: 8,
                })
            }
            Single::Constant(_) | Single::Typed(..) => {
                let message = format!("a shift needs a constant distance below {}", ty.width);
                self.error(Code::BadArithmetic, message, span)
            }
        }
    }

    fn divisor(&mut self, op: Binary, b: &Expr, span: Span) -> Option<()> {
        let divides = matches!(op, Binary::Div | Binary::Rem);
        match b {
            Expr::Constant { value, .. } if *value != 0 => Some(()),
            _ if !divides => Some(()),
            _ => self.error(
                Code::BadArithmetic,
                "a divisor is a constant other than 0",
                span,
            ),
        }
    }

    fn arithmetic_type(&mut self, op: Binary, ty: Type, span: Span) -> Option<()> {
        match op {
            Binary::And | Binary::Or | Binary::Xor => Some(()),
            Binary::Add
            | Binary::Sub
            | Binary::Mul
            | Binary::Div
            | Binary::Rem
            | Binary::Shl
            | Binary::Shr => self.number(ty, span),
        }
    }

    fn number(&mut self, ty: Type, span: Span) -> Option<()> {
        if ty.kind == Kind::Number {
            return Some(());
        }
        let message = format!("a number is needed, this is {}", ty.describe());
        self.error(Code::TypeMismatch, message, span)
    }

    /// Applies `f` to each value of what may be several.
    pub(super) fn spread(
        &mut self,
        value: &Value,
        span: Span,
        mut f: impl FnMut(&mut Self, &Single) -> Option<(Expr, Type)>,
    ) -> Option<Value> {
        let mut one =
            |checker: &mut Self, single| f(checker, single).map(|(e, ty)| Single::Typed(e, ty));
        match value {
            Value::One(single) => Some(Value::One(one(self, single)?)),
            Value::Each(choice, parts) => {
                let each: Vec<_> = parts.iter().map(|part| one(self, part)).collect();
                Some(Value::Each(
                    *choice,
                    each.into_iter().collect::<Option<_>>()?,
                ))
            }
            Value::Header(_)
            | Value::Group(_)
            | Value::Flow(_)
            | Value::Backend(..)
            | Value::Interface(_)
            | Value::Pool(_)
            | Value::Macs(_) => self.no_value(value, span),
        }
    }

    /// Applies `f` to each pair of two that may be several: alternative by alternative of the same choice.
    pub(super) fn pair(
        &mut self,
        a: &Value,
        b: &Value,
        span: Span,
        mut f: impl FnMut(&mut Self, &Single, &Single) -> Option<Single>,
    ) -> Option<Value> {
        // The first wrong pair is reported, not the same fault once for each alternative.
        match (a, b) {
            (Value::One(a), Value::One(b)) => Some(Value::One(f(self, a, b)?)),
            (Value::Each(choice, parts), Value::One(b)) => {
                let each = parts.iter().map(|a| f(self, a, b));
                Some(Value::Each(*choice, each.collect::<Option<_>>()?))
            }
            (Value::One(a), Value::Each(choice, parts)) => {
                let each = parts.iter().map(|b| f(self, a, b));
                Some(Value::Each(*choice, each.collect::<Option<_>>()?))
            }
            (Value::Each(first, a), Value::Each(second, b)) if first == second => {
                let each = a.iter().zip(b).map(|(a, b)| f(self, a, b));
                Some(Value::Each(*first, each.collect::<Option<_>>()?))
            }
            (Value::Each(..), Value::Each(..)) => {
                self.later("combining fields of two different groups", span)
            }
            (Value::One(_) | Value::Each(..), other) | (other, _) => self.no_value(other, span),
        }
    }
}

fn operator(op: BinaryOp) -> Option<Binary> {
    Some(match op {
        BinaryOp::BitOr => Binary::Or,
        BinaryOp::BitXor => Binary::Xor,
        BinaryOp::BitAnd => Binary::And,
        BinaryOp::Shl => Binary::Shl,
        BinaryOp::Shr => Binary::Shr,
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Sub,
        BinaryOp::Mul => Binary::Mul,
        BinaryOp::Div => Binary::Div,
        BinaryOp::Rem => Binary::Rem,
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::In
        | BinaryOp::NotIn => return None,
    })
}
