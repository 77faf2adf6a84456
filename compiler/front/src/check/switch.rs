//! `switch`: a chain of comparisons. An absent field matches only `_`.

use lvsc_pipeline::pipeline::Expr;

use super::Checker;
use super::arms::Taken;
use super::branches::Branches;
use super::constant::Constant;
use super::scope::Scope;
use super::stmts::Checked;
use super::value::{Single, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Arm, BinaryOp, Pattern, PatternKind};

/// When the patterns of an arm fit.
enum Fits {
    Always,
    If(Expr),
}

impl<'a> Checker<'a> {
    pub(super) fn switch(&mut self, found: &'a ast::Switch, scope: &mut Scope) -> Option<Checked> {
        let value = self.value(&found.value, scope);
        let value = value.map(|value| (value, found.value.span));
        let mut all = Branches::new(scope);
        let mut arms = found.arms.iter();
        let mut last = None;
        let mut taken = Taken::default();
        for arm in arms.by_ref() {
            let fits = self.alternatives(value.as_ref(), &arm.patterns, &mut taken);
            self.end_arm(&mut taken, arm.guard.is_none());
            let guard = match &arm.guard {
                Some(guard) => self.condition(guard, &all.rest).map(Fits::If),
                None => Some(Fits::Always),
            };
            let condition = match (fits, guard) {
                (Some(Fits::Always), Some(Fits::Always)) => {
                    last = Some(arm);
                    break;
                }
                (Some(Fits::If(a)), Some(Fits::If(b))) => Some(Expr::And(Box::new(a), Box::new(b))),
                (Some(Fits::If(one)), Some(Fits::Always))
                | (Some(Fits::Always), Some(Fits::If(one))) => Some(one),
                (None, _) | (_, None) => None,
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
        value.and(checked)
    }

    /// When one of the patterns fits. All are checked, also where the value itself is wrong.
    fn alternatives(
        &mut self,
        value: Option<&(Value, Span)>,
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
        value: Option<&(Value, Span)>,
        pattern: &'a Pattern,
        taken: &mut Taken,
    ) -> Option<Fits> {
        let span = pattern.span;
        let with = match &pattern.kind {
            PatternKind::Any => return Some(Fits::Always),
            PatternKind::Tuple(_) => return self.later("a tuple", span),
            PatternKind::Masked { .. } => return self.later("a masked pattern", span),
            PatternKind::Lit(lit) => Value::One(Single::Constant(self.literal(lit)?)),
            PatternKind::Path(path) => match self.path(path, &Scope::default())? {
                constant @ (Value::One(Single::Constant(_)) | Value::Interface(_)) => constant,
                other => {
                    let message = format!("a pattern is a constant, this is {}", other.describe());
                    return self.error(Code::NotAConstant, message, span);
                }
            },
        };
        if let Value::One(Single::Constant(constant)) = &with {
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
