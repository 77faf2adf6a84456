//! `select`: the pool, what identifies the flow, and what is done without a usable backend.

use lvsc_abi::manifest::{CounterKind, FlowKind};
use lvsc_abi::scheduler::Scheduler;
use lvsc_pipeline::pipeline::{
    Alternative, ChoiceId, Expr, Outcome, PoolId, VariableId, VariableKind,
};

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

/// What the hash of a home is called.
const HOME: &str = "home";

/// What a key is where an alternative is taken.
pub(super) struct Way {
    /// The alternative; its own key is not this one.
    pub(super) alternative: Alternative,
    /// The values, in order.
    pub(super) parts: Vec<Single>,
}

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
        let id = found.id.as_ref().map(|id| self.id_of(&id.value, scope));
        let named = pool.filter(|_| id.is_some());
        self.named.extend(named.map(|pool| usize::from(pool.0)));
        let (key, home) = self.keys_of(pool, &found.by, span, scope).unzip();
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
        let (pool, mut key, mut home) = (pool?, key?, home?);
        let id = match id {
            Some(id) => Some(id?),
            None => None,
        };
        let treatment = self.fragments.get(usize::from(pool.0)).copied();
        let treatment = treatment.unwrap_or_default();
        let mut block = self.before_select(treatment, span)?;
        let following = self.following(treatment, span)?;
        if following.is_some() {
            key = self.key_with_ports(key, span)?;
            if let Some(key) = home {
                home = Some(self.key_with_ports(key, span)?);
            }
        }
        let home = home.map(|key| (self.hash(HOME, span), key));
        let clients = self.by_client(pool, span)?;
        let variable = self.variable(&found.name, VariableKind::Backend(pool));
        scope.bind(&found.name.text, Local::Backend(variable, pool));
        let kind = StmtKind::Select {
            pool,
            variable,
            id,
            key,
            home,
            clients,
            following,
            otherwise,
        };
        block.push(self.stmt(kind, span));
        Some(Checked { block, ends: false })
    }

    /// A variable for the hash of a key that a `select` asks for beside the flow's.
    pub(super) fn hash(&mut self, title: &str, span: Span) -> VariableId {
        let name = ast::Name {
            text: title.to_owned(),
            span,
        };
        self.variable(&name, VariableKind::Value(64))
    }

    /// What identifies the flow of a `select`, and what its home goes by with a scheduler that has homes: there a flow is known
    /// by itself, and `by` says the home.
    fn keys_of(
        &mut self,
        pool: Option<PoolId>,
        by: &'a [ast::Expr],
        span: Span,
        scope: &Scope,
    ) -> Option<(ChoiceId, Option<ChoiceId>)> {
        let key = self.key_of(pool, by, span, scope)?;
        let found = pool.and_then(|pool| self.policy.manifest.pools.get(usize::from(pool.0)));
        if !found.is_some_and(|pool| pool.scheduler.pick().has_home()) {
            return Some((key, None));
        }
        Some((self.key(&[], &[], span, scope)?, Some(key)))
    }

    /// What is hashed: what `by` names, else that of the pool, else what its scheduler goes by.
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
            Some(Scheduler::Dh | Scheduler::Lblc | Scheduler::Lblcr) => Some(Part::Destination),
            Some(
                Scheduler::Rr
                | Scheduler::Wrr
                | Scheduler::Maglev
                | Scheduler::Rendezvous
                | Scheduler::Fo
                | Scheduler::Lc
                | Scheduler::Wlc
                | Scheduler::Sed
                | Scheduler::Nq
                | Scheduler::Ovf
                | Scheduler::Twos,
            )
            | None => None,
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
        let alternatives = self.alternatives_of_key(values, places, scope)?;
        Some(self.equal_choice("key".to_owned(), alternatives, span))
    }

    /// Checks what the `by` of a pool names, whether a `select` picks from it or not.
    pub(super) fn check_key(&mut self, by: &'a [ast::Expr]) {
        let scope = Scope::unknown();
        let values: Vec<_> = by.iter().map(|expr| self.value(expr, &scope)).collect();
        let values: Option<Vec<Value>> = values.into_iter().collect();
        if let Some(values) = values.filter(|values| !matches!(values.as_slice(), [Value::Flow(_)]))
        {
            let places: Vec<Span> = by.iter().map(|expr| expr.span).collect();
            let _ = self.alternatives_of_key(&values, &places, &scope);
        }
    }

    fn alternatives_of_key(
        &mut self,
        values: &[Value],
        places: &[Span],
        scope: &Scope,
    ) -> Option<Vec<Alternative>> {
        let mut alternatives = Vec::new();
        for way in self.ways(values, places, scope)? {
            let parts = way.parts.iter().zip(places);
            let key: Vec<_> = parts.map(|(part, at)| self.key_part(part, *at)).collect();
            alternatives.push(Alternative {
                key: key.into_iter().collect::<Option<_>>()?,
                // They are those of the whole flow, and this is another one.
                signs: None,
                kind: FlowKind::Other,
                ..way.alternative
            });
        }
        Some(alternatives)
    }

    /// What values that are a key are on each way that a packet can be: one, or those of the group whose fields are among
    /// them.
    pub(super) fn ways(
        &mut self,
        values: &[Value],
        places: &[Span],
        scope: &Scope,
    ) -> Option<Vec<Way>> {
        let mut ways = vec![Way {
            alternative: Alternative {
                name: "key".to_owned(),
                condition: Expr::TRUE,
                key: Vec::new(),
                passive: false,
                signs: None,
                kind: FlowKind::Other,
            },
            parts: Vec::new(),
        }];
        let mut spread = None;
        for (value, place) in values.iter().zip(places) {
            match value {
                Value::One(single) => {
                    if let Single::Typed(expr, _) = single {
                        self.present(expr, *place, scope)?;
                    }
                    for way in &mut ways {
                        way.parts.push(single.clone());
                    }
                }
                Value::Each(choice, parts) => {
                    if *spread.get_or_insert(*choice) != *choice {
                        return self.later("a key of two groups", *place);
                    }
                    self.require(&Facts::from([Fact::Choice(*choice)]), *place, scope)?;
                    let group = &self.policy.choices.get(usize::from(choice.0))?.alternatives;
                    if ways.len() != group.len() {
                        let common = ways.pop()?.parts;
                        let each = group.iter().map(|alternative| Way {
                            alternative: alternative.clone(),
                            parts: common.clone(),
                        });
                        ways = each.collect();
                    }
                    for (way, part) in ways.iter_mut().zip(parts) {
                        way.parts.push(part.clone());
                    }
                }
                other => return self.no_value(other, *place),
            }
        }
        Some(ways)
    }

    fn key_part(&mut self, single: &Single, span: Span) -> Option<Expr> {
        match single {
            Single::Typed(expr, _) => Some(expr.clone()),
            Single::Constant(_) => {
                self.error(Code::ConstantKey, "a constant tells no flows apart", span)
            }
        }
    }
}
