//! `switch`: a chain of comparisons. An absent field matches only `_`.

use lvsc_pipeline::pipeline::Expr;

use super::Checker;
use super::scope::Scope;
use super::stmts::Checked;
use super::value::{Single, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Arm, BinaryOp, Pattern, PatternKind};

impl<'a> Checker<'a> {
    pub(super) fn switch(&mut self, found: &'a ast::Switch, scope: &mut Scope) -> Option<Checked> {
        let value = self.value(&found.value, scope)?;
        self.arms(&value, found.value.span, &found.arms, scope)
    }

    fn arms(
        &mut self,
        value: &Value,
        value_span: Span,
        arms: &'a [Arm],
        scope: &mut Scope,
    ) -> Option<Checked> {
        let Some((first, rest)) = arms.split_first() else {
            return Some(Checked {
                block: Vec::new(),
                ends: false,
            });
        };
        let matches = self.alternatives(value, value_span, &first.patterns);
        let guard = match &first.guard {
            Some(guard) => Some(self.condition(guard, scope)?),
            None => None,
        };
        let condition = match (matches?, guard) {
            (None, None) => {
                if let Some(unreached) = rest.first() {
                    self.report(
                        Diagnostic::warning(
                            Code::UnreachableStatement,
                            "no packet reaches this",
                            unreached.span,
                        )
                        .secondary(first.span, "this takes all that is left"),
                    );
                }
                return Some(self.block(first.block.stmts.iter(), scope));
            }
            (None, Some(guard)) => guard,
            (Some(pattern), None) => pattern,
            (Some(pattern), Some(guard)) => Expr::And(Box::new(pattern), Box::new(guard)),
        };
        let mut yes = scope.clone();
        let mut no = scope.clone();
        yes.facts.extend(self.shapes().holding(&condition));
        no.facts.extend(self.shapes().failing(&condition));
        let then = self.block(first.block.stmts.iter(), &mut yes);
        let otherwise = self.arms(value, value_span, rest, &mut no)?;
        Some(self.joined(
            condition,
            (then, yes.facts),
            (otherwise, no.facts),
            tested(first),
            scope,
        ))
    }

    /// The condition that one of the patterns fits; `None` for `_`.
    fn alternatives(
        &mut self,
        value: &Value,
        value_span: Span,
        patterns: &'a [Pattern],
    ) -> Option<Option<Expr>> {
        let mut found: Option<Expr> = None;
        for pattern in patterns {
            let Some(one) = self.pattern(value, value_span, pattern)? else {
                return Some(None);
            };
            found = Some(match found {
                None => one,
                Some(before) => Expr::Or(Box::new(before), Box::new(one)),
            });
        }
        Some(found)
    }

    fn pattern(
        &mut self,
        value: &Value,
        value_span: Span,
        pattern: &'a Pattern,
    ) -> Option<Option<Expr>> {
        let with = match &pattern.kind {
            PatternKind::Any => return Some(None),
            PatternKind::Tuple(_) => return self.later("a tuple", pattern.span),
            PatternKind::Masked { .. } => return self.later("a masked pattern", pattern.span),
            PatternKind::Lit(lit) => Value::One(Single::Constant(self.literal(lit)?)),
            PatternKind::Path(path) => match self.path(path, &Scope::default())? {
                constant @ (Value::One(Single::Constant(_)) | Value::Interface(_)) => constant,
                other => {
                    let message = format!("a pattern is a constant, this is {}", other.describe());
                    return self.error(Code::NotAConstant, message, pattern.span);
                }
            },
        };
        let op = match &with {
            Value::One(Single::Constant(super::constant::Constant::Set(_))) => BinaryOp::In,
            _ => BinaryOp::Eq,
        };
        let span = pattern.span;
        let truth = self.compare(op, (value, value_span), (&with, span), span)?;
        Some(Some(self.truth(&truth, span)?))
    }
}

/// Where an arm says what it takes: its patterns and its guard.
fn tested(arm: &Arm) -> Span {
    let patterns = arm.patterns.iter().map(|pattern| pattern.span);
    let all = patterns.chain(arm.guard.iter().map(|guard| guard.span));
    all.reduce(Span::join).unwrap_or(arm.span)
}
