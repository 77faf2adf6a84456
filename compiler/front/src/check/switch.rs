//! `switch`: a chain of comparisons. An absent field matches only `_`.

use lvsc_pipeline::pipeline::{Binary, Compare, Expr};

use super::Checker;
use super::arms::Taken;
use super::branches::Branches;
use super::constant::Constant;
use super::scope::Scope;
use super::stmts::Checked;
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Arm, BinaryOp, ExprKind, Lit, Pattern, PatternKind};

/// When the patterns of an arm fit.
enum Fits {
    Always,
    If(Expr),
}

impl Fits {
    /// Both.
    fn and(self, other: Fits) -> Fits {
        match (self, other) {
            (Fits::If(a), Fits::If(b)) => Fits::If(Expr::And(Box::new(a), Box::new(b))),
            (Fits::Always, one) | (one, Fits::Always) => one,
        }
    }
}

/// What is compared: each with its place, `None` where it is wrong, and was reported.
enum Switched {
    One(Option<(Value, Span)>),
    /// At least two, and the place of all.
    Tuple(Vec<Option<(Value, Span)>>, Span),
}

impl Switched {
    fn is_wrong(&self) -> bool {
        match self {
            Switched::One(value) => value.is_none(),
            Switched::Tuple(values, _) => values.iter().any(Option::is_none),
        }
    }
}

impl<'a> Checker<'a> {
    pub(super) fn switch(&mut self, found: &'a ast::Switch, scope: &mut Scope) -> Option<Checked> {
        let value = self.switched(&found.value, scope);
        let mut all = Branches::new(scope);
        let mut arms = found.arms.iter();
        let mut last = None;
        let mut taken = Taken::default();
        for arm in arms.by_ref() {
            let fits = self.alternatives(&value, &arm.patterns, &mut taken);
            self.end_arm(&mut taken, arm.guard.is_none());
            let guard = match &arm.guard {
                Some(guard) => self.condition(guard, &all.rest).map(Fits::If),
                None => Some(Fits::Always),
            };
            let condition = match fits.zip(guard).map(|(fits, guard)| fits.and(guard)) {
                Some(Fits::Always) => {
                    last = Some(arm);
                    break;
                }
                Some(Fits::If(condition)) => Some(condition),
                None => None,
            };
            self.branch(&mut all, condition, &arm.block, tested(arm));
        }
        if let (Some(last), Some(unreached)) = (last, arms.next()) {
            let message = "no packet reaches this";
            self.report(
                Diagnostic::warning(Code::UnreachableStatement, message, unreached.span)
                    .secondary(last.span, "this takes all that is left"),
            );
        }
        let checked = self.chosen(all, last.map(|arm| &arm.block), scope);
        checked.filter(|_| !value.is_wrong())
    }

    fn switched(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Switched {
        let mut one = |expr: &'a ast::Expr| {
            let value = self.value(expr, scope);
            value.map(|value| (value, expr.span))
        };
        match &expr.kind {
            ExprKind::Tuple(parts) => Switched::Tuple(parts.iter().map(one).collect(), expr.span),
            _ => Switched::One(one(expr)),
        }
    }

    /// When one of the patterns fits. All are checked, also where the value itself is wrong.
    fn alternatives(
        &mut self,
        value: &Switched,
        patterns: &'a [Pattern],
        taken: &mut Taken,
    ) -> Option<Fits> {
        let each: Vec<_> = patterns
            .iter()
            .map(|pattern| self.pattern(value, pattern, taken))
            .collect();
        let mut conditions = Vec::new();
        for fits in each {
            match fits? {
                Fits::Always => return Some(Fits::Always),
                Fits::If(condition) => conditions.push(condition),
            }
        }
        any(conditions).map(Fits::If)
    }

    fn pattern(
        &mut self,
        value: &Switched,
        pattern: &'a Pattern,
        taken: &mut Taken,
    ) -> Option<Fits> {
        match (value, &pattern.kind) {
            (_, PatternKind::Any) => Some(Fits::Always),
            (Switched::One(value), _) => self.single(value.as_ref(), pattern, Some(taken)),
            (Switched::Tuple(values, _), PatternKind::Tuple(parts))
                if values.len() == parts.len() =>
            {
                let each = values.iter().zip(parts);
                let each: Vec<_> = each
                    .map(|(value, part)| self.single(value.as_ref(), part, None))
                    .collect();
                let each = each.into_iter().collect::<Option<Vec<Fits>>>()?;
                each.into_iter().reduce(Fits::and)
            }
            (Switched::Tuple(values, place), _) => {
                let message = format!("a pattern of {} values is needed", values.len());
                let error = Diagnostic::error(Code::TypeMismatch, message, pattern.span);
                self.report(error.secondary(*place, "so many are compared"));
                None
            }
        }
    }

    fn single(
        &mut self,
        value: Option<&(Value, Span)>,
        pattern: &'a Pattern,
        taken: Option<&mut Taken>,
    ) -> Option<Fits> {
        let span = pattern.span;
        let with = match &pattern.kind {
            PatternKind::Any => return Some(Fits::Always),
            PatternKind::Tuple(_) => {
                let message = "one value is compared here, not several";
                return self.error(Code::TypeMismatch, message, span);
            }
            PatternKind::Masked {
                value: wanted,
                mask,
            } => return self.masked(value, (wanted, mask), taken).map(Fits::If),
            PatternKind::Lit(lit) => Value::One(Single::Constant(self.literal(lit)?)),
            PatternKind::Path(path) => match self.path(path, &Scope::default())? {
                constant @ (Value::One(Single::Constant(_)) | Value::Interface(_)) => constant,
                other => {
                    let message = format!("a pattern is a constant, this is {}", other.describe());
                    return self.error(Code::NotAConstant, message, span);
                }
            },
        };
        if let (Value::One(Single::Constant(constant)), Some(taken)) = (&with, taken) {
            taken.note(constant, span);
        }
        let op = match &with {
            Value::One(Single::Constant(Constant::Set(_))) => BinaryOp::In,
            _ => BinaryOp::Eq,
        };
        let (value, value_span) = value?;
        let truth = self.compare(op, (value, *value_span), (&with, span), span)?;
        self.truth(&truth, span).map(Fits::If)
    }

    /// `value & mask`: the bits of the mask are those of the value.
    fn masked(
        &mut self,
        value: Option<&(Value, Span)>,
        (wanted, mask): (&'a Lit, &'a Lit),
        taken: Option<&mut Taken>,
    ) -> Option<Expr> {
        let span = wanted.span.join(mask.span);
        let (bits, ones) = (self.literal(wanted), self.literal(mask));
        let (bits, ones) = (bits?, ones?);
        if let (Constant::One(kind, bits), Constant::One(_, ones)) = (&bits, &ones) {
            if bits & !ones != 0 {
                let message = "no value has these bits";
                let error = Diagnostic::error(Code::BadValue, message, wanted.span);
                self.report(error.secondary(mask.span, "the mask leaves some of them out"));
                return None;
            }
            if let Some(taken) = taken {
                taken.note_masked(*kind, (*bits, *ones), span);
            }
        }
        let (value, value_span) = value?;
        let truth = self.spread(value, *value_span, |checker, single| {
            let Single::Typed(expr, ty) = single else {
                let message = "a value of the packet is needed before a mask";
                return checker.error(Code::TypeMismatch, message, *value_span);
            };
            if let Constant::One(kind, _) = bits
                && ty.other_family(kind)
            {
                return Some((Expr::FALSE, Type::TRUTH));
            }
            let (bits, ones) = (
                checker.coerce(&bits, *ty, wanted.span),
                checker.coerce(&ones, *ty, mask.span),
            );
            let masked = Expr::Binary(Binary::And, Box::new(expr.clone()), Box::new(ones?));
            let equal = Expr::Compare(Compare::Eq, Box::new(masked), Box::new(bits?));
            Some((equal, Type::TRUTH))
        })?;
        self.truth(&truth, span)
    }
}

/// One of the conditions, asked in order; as a tree that is no taller than it must be.
fn any(mut conditions: Vec<Expr>) -> Option<Expr> {
    while conditions.len() > 1 {
        let mut rest = conditions.into_iter();
        let pairs = std::iter::from_fn(|| {
            let first = rest.next()?;
            Some(match rest.next() {
                Some(second) => Expr::Or(Box::new(first), Box::new(second)),
                None => first,
            })
        });
        conditions = pairs.collect();
    }
    conditions.pop()
}

/// Where an arm says what it takes: its patterns and its guard.
fn tested(arm: &Arm) -> Span {
    let patterns = arm.patterns.iter().map(|pattern| pattern.span);
    let all = patterns.chain(arm.guard.iter().map(|guard| guard.span));
    all.reduce(Span::join).unwrap_or(arm.span)
}
