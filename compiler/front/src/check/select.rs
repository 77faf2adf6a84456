//! `select`: the pool, what identifies the flow, and what is done without a usable backend.

use lvsc_abi::manifest::CounterKind;
use lvsc_abi::scheduler::Scheduler;
use lvsc_pipeline::pipeline::{Alternative, ChoiceId, Expr, Outcome, PoolId, VariableKind};

use super::Checker;
use super::flow::Part;
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
        let key = self.key_of(pool, &found.by, span, scope);
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

    /// What identifies the flow of a `select`: what its `by` names, else that of the pool, else what its scheduler goes by.
    fn key_of(
        &mut self,
        pool: Option<PoolId>,
        by: &'a [ast::Expr],
        span: Span,
        scope: &Scope,
    ) -> Option<ChoiceId> {
        let pool = pool.map(|pool| usize::from(pool.0));
        let of_pool = pool.and_then(|pool| self.keys.get(pool).copied());
        // What the pool names was written where no local name is.
        let outside = scope.without_names();
        let (by, place) = if by.is_empty() {
            (of_pool.unwrap_or_default(), &outside)
        } else {
            (by, scope)
        };
        let values: Vec<_> = by.iter().map(|expr| self.value(expr, place)).collect();
        let mut values: Vec<Value> = values.into_iter().collect::<Option<_>>()?;
        let mut places: Vec<Span> = by.iter().map(|expr| expr.span).collect();
        let pool = pool.and_then(|pool| self.policy.manifest.pools.get(pool));
        let part = match pool.map(|pool| pool.scheduler) {
            Some(Scheduler::Sh) => Some(Part::Source),
            Some(Scheduler::Dh) => Some(Part::Destination),
            Some(Scheduler::Rr | Scheduler::Wrr | Scheduler::Maglev) | None => None,
        };
        if let (true, Some(part)) = (values.is_empty(), part) {
            let flow = self.flow();
            values.extend(self.part_of_flow(flow, part));
            places.push(span);
        }
        self.key(&values, &places, span, scope)
    }

    fn key(
        &mut self,
        values: &[Value],
        places: &[Span],
        span: Span,
        scope: &Scope,
    ) -> Option<ChoiceId> {
        if let [] | [Value::Flow(_)] = values {
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
        for (value, place) in values.iter().zip(places) {
            match value {
                Value::One(single) => {
                    let expr = self.key_part(single, *place)?;
                    self.present(&expr, *place, scope)?;
                    for way in &mut alternatives {
                        way.key.push(expr.clone());
                    }
                }
                Value::Each(choice, parts) => {
                    if *spread.get_or_insert(*choice) != *choice {
                        return self.later("a key of two groups", *place);
                    }
                    self.require(&Facts::from([Fact::Choice(*choice)]), *place, scope)?;
                    let ways = &self.policy.choices.get(usize::from(choice.0))?.alternatives;
                    if alternatives.len() != ways.len() {
                        let common = alternatives.pop()?.key;
                        alternatives.clone_from(ways);
                        for way in &mut alternatives {
                            way.key.clone_from(&common);
                        }
                    }
                    for (way, part) in alternatives.iter_mut().zip(parts) {
                        way.key.push(self.key_part(part, *place)?);
                    }
                }
                other => return self.no_value(other, *place),
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
