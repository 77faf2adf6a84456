//! `select`: the pool, what identifies the flow, and what is done without a usable backend.

use lvsc_abi::manifest::CounterKind;
use lvsc_pipeline::pipeline::{Alternative, ChoiceId, Expr, Outcome, VariableKind};

use super::Checker;
use super::names::{Sort, Thing};
use super::presence::{Fact, Facts};
use super::scope::{Local, Scope};
use super::stmts::Checked;
use super::value::{Single, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::StmtKind;
use crate::source::Span;
use crate::syntax::ast;

/// The drop reason of a `select` without a usable backend.
const NO_BACKEND: &str = "no_backend";

impl<'a> Checker<'a> {
    pub(super) fn select(
        &mut self,
        found: &'a ast::Select,
        span: Span,
        scope: &mut Scope,
    ) -> Option<Checked> {
        let pool = match self.names.get(&found.from.text) {
            Some(Thing::Pool(id)) => Some(*id),
            Some(Thing::Broken) => None,
            Some(_) | None => self.unknown_name(&found.from, &[Sort::Pool]),
        };
        let key = self.key(&found.by, span, scope);
        let otherwise = if let Some(block) = &found.otherwise {
            let before = self.left_out;
            let checked = self.block(block.stmts.iter(), &mut scope.clone());
            // A statement that was left out may have been the one that ends it.
            if !checked.ends && self.left_out == before {
                self.report(
                    Diagnostic::error(
                        Code::ElseMustEnd,
                        "this `else` goes on without a backend",
                        block.span,
                    )
                    .note("end it with `drop REASON`, `pass` or `send`"),
                );
            }
            checked.block
        } else {
            let counter = self.counter(CounterKind::Reason, NO_BACKEND, span);
            self.end(Outcome::Drop(counter), span).block
        };
        let (pool, key) = (pool?, key?);
        let variable = self.variable(&found.name, VariableKind::Backend(pool));
        scope.bind(&found.name.text, Local::Backend(variable, pool));
        Some(self.one(
            StmtKind::Select {
                pool,
                variable,
                key,
                otherwise,
            },
            span,
        ))
    }

    /// What identifies the flow of a `select`: the flow, or the fields that `by` names.
    fn key(&mut self, by: &'a [ast::Expr], span: Span, scope: &Scope) -> Option<ChoiceId> {
        let values: Vec<_> = by.iter().map(|expr| self.value(expr, scope)).collect();
        let values: Vec<Value> = values.into_iter().collect::<Option<_>>()?;
        if let [] | [Value::Flow(_)] = values.as_slice() {
            let flow = self.flow();
            self.require(&Facts::from([Fact::Choice(flow)]), span, scope)?;
            return Some(flow);
        }
        let mut alternatives = vec![Alternative {
            name: "key".to_owned(),
            condition: Expr::TRUE,
            key: Vec::new(),
            passive: false,
        }];
        let mut spread = None;
        for (value, written) in values.iter().zip(by) {
            match value {
                Value::One(single) => {
                    let expr = self.key_part(single, written.span)?;
                    self.present(&expr, written.span, scope)?;
                    for way in &mut alternatives {
                        way.key.push(expr.clone());
                    }
                }
                Value::Each(choice, parts) => {
                    if *spread.get_or_insert(*choice) != *choice {
                        return self.later("a key of two groups", written.span);
                    }
                    self.require(&Facts::from([Fact::Choice(*choice)]), written.span, scope)?;
                    let ways = &self.policy.choices.get(usize::from(choice.0))?.alternatives;
                    if alternatives.len() != ways.len() {
                        let common = alternatives.pop()?.key;
                        alternatives.clone_from(ways);
                        for way in &mut alternatives {
                            way.key.clone_from(&common);
                        }
                    }
                    for (way, part) in alternatives.iter_mut().zip(parts) {
                        way.key.push(self.key_part(part, written.span)?);
                    }
                }
                other => return self.no_value(other, written.span),
            }
        }
        Some(self.choice("key".to_owned(), alternatives, span))
    }

    fn key_part(&mut self, single: &Single, span: Span) -> Option<Expr> {
        match single {
            Single::Typed(expr, _) => Some(expr.clone()),
            Single::Constant(_) => {
                self.error(Code::TypeMismatch, "a constant tells no flows apart", span)
            }
        }
    }
}
