//! Actions: each body is checked once, whether it is called or not, and expanded where it is called. Everything ends
//! by construction: there is no recursion.

use std::collections::BTreeMap;

use lvsc_pipeline::pipeline::{InterfaceRef, PoolId, VariableKind};

use super::Checker;
use super::expand::{Expanded, Expansion};
use super::functions::give;
use super::names::{Sort, Thing};
use super::scope::{Local, Scope};
use super::stmts::Checked;
use super::value::{Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{Block, Stmt, StmtKind};
use crate::source::Span;
use crate::syntax::ast::{self, Item};

/// What is known of the bodies of actions.
#[derive(Default)]
pub(super) struct Bodies<'a> {
    /// Being checked, the outermost first.
    open: Vec<&'a str>,
    /// Checked: whether every packet that enters it ends in it.
    ends: BTreeMap<&'a str, bool>,
}

/// What a parameter takes.
#[derive(Clone, Copy)]
pub(super) enum Parameter {
    Backend,
    Interface,
    Value(Type),
}

impl<'a> Checker<'a> {
    /// Checks the body of each action, with parameters that stand for any argument.
    pub(super) fn actions(&mut self, items: &[&'a Item]) {
        let policy = self.policy.clone(); // what is called is in the policy, the bodies are not
        for item in items {
            if let Item::Action(action) = item {
                self.body(action);
            }
        }
        self.policy = policy;
    }

    /// Whether every packet that enters the action ends in it.
    fn body(&mut self, action: &'a ast::Action) -> bool {
        let name = action.name.text.as_str();
        if let Some(ends) = self.bodies.ends.get(name) {
            return *ends;
        }
        // Which headers are there is known only where it is called.
        let mut scope = Scope::unknown();
        for param in &action.params {
            let takes = self.parameter_of_action(param);
            let local = self.any_argument(param, takes);
            scope.bind(&param.name.text, local);
        }
        self.bodies.open.push(name);
        let ends = self.block(action.block.stmts.iter(), &mut scope).ends;
        self.bodies.open.pop();
        self.bodies.ends.insert(name, ends);
        ends
    }

    pub(super) fn call(
        &mut self,
        found: &'a ast::Call,
        span: Span,
        scope: &mut Scope,
    ) -> Option<Checked> {
        let Some(action) = self.called(found, span) else {
            for arg in &found.args {
                self.value(arg, scope); // what is wrong in it is said all the same
            }
            return None;
        };
        let mut inner = scope.without_names();
        let params = action.params.iter().zip(&found.args);
        let bound: Vec<_> = params
            .map(|(param, arg)| self.argument(param, arg, scope, &mut inner))
            .collect();
        let bound: Vec<Option<Stmt>> = bound.into_iter().collect::<Option<_>>()?;
        let mut block: Block = bound.into_iter().flatten().collect();
        if !self.bodies.open.is_empty() {
            self.within_depth(span)?;
            let ends = self.body(action);
            return Some(Checked { block, ends });
        }
        let of = Expanded::Action(&action.name.text);
        let body = self.expand(Expansion { of, span }, |checker| {
            Some(checker.block(action.block.stmts.iter(), &mut inner))
        })?;
        (scope.facts, scope.broken) = (inner.facts, inner.broken);
        block.extend(body.block);
        Some(Checked {
            block,
            ends: body.ends,
        })
    }

    /// The action that is called, if it can be, with so many arguments.
    fn called(&mut self, found: &'a ast::Call, span: Span) -> Option<&'a ast::Action> {
        let action: &'a ast::Action = match self.names.get(&found.action.text) {
            Some(Thing::Action(action)) => action,
            Some(Thing::Broken) => return None,
            Some(_) | None => return self.unknown_name(&found.action, &[Sort::Action]),
        };
        let name = action.name.text.as_str();
        if self.expands(Expanded::Action(name)) || self.bodies.open.contains(&name) {
            self.report(
                Diagnostic::error(
                    Code::Recursion,
                    format!("`{name}` leads back to itself"),
                    span,
                )
                .note("everything ends by construction: there is no recursion"),
            );
            return None;
        }
        self.count_arguments(&action.name, action.params.len(), found.args.len(), span)?;
        Some(action)
    }

    /// As many arguments as parameters.
    pub(super) fn count_arguments(
        &mut self,
        name: &ast::Name,
        wanted: usize,
        given: usize,
        span: Span,
    ) -> Option<()> {
        if given == wanted {
            return Some(());
        }
        let plural = if wanted == 1 { "" } else { "s" };
        let message = format!(
            "`{}` takes {wanted} argument{plural}, not {given}",
            name.text
        );
        let wrong = Diagnostic::error(Code::WrongArguments, message, span);
        self.report(wrong.secondary(name.span, "declared here"));
        None
    }

    pub(super) fn parameter(&mut self, param: &'a ast::Typed) -> Option<Parameter> {
        let ty = &param.ty;
        match (ty.name.text.as_str(), &ty.argument) {
            ("backend", None) => Some(Parameter::Backend),
            ("interface", None) => Some(Parameter::Interface),
            _ => self.written_type(ty).map(Parameter::Value),
        }
    }

    /// The same of an action, which keeps its values in variables.
    fn parameter_of_action(&mut self, param: &'a ast::Typed) -> Option<Parameter> {
        let found = self.parameter(param)?;
        if let Parameter::Value(ty) = found {
            self.kept(ty, param.ty.span)?;
        }
        Some(found)
    }

    /// Binds a parameter; a value is computed once, before the action.
    fn argument(
        &mut self,
        param: &'a ast::Typed,
        arg: &'a ast::Expr,
        scope: &Scope,
        inner: &mut Scope,
    ) -> Option<Option<Stmt>> {
        let Some(parameter) = self.parameter_of_action(param) else {
            self.value(arg, scope)?;
            return None;
        };
        let (local, stmt) = if let Parameter::Value(wanted) = parameter {
            let expr = self.typed(arg, wanted, scope)?;
            self.present(&expr, arg.span, scope)?;
            let id = self.variable(&param.name, VariableKind::Value(wanted.width));
            let stmt = self.stmt(StmtKind::Let(id, expr), arg.span);
            (Local::Value(id, wanted), Some(stmt))
        } else {
            (self.handed(parameter, arg, scope)?, None)
        };
        inner.bind(&param.name.text, local);
        Some(stmt)
    }

    /// What stands for any argument, where a body is checked by itself; a parameter that is wrong was reported.
    pub(super) fn any_argument(
        &mut self,
        param: &'a ast::Typed,
        takes: Option<Parameter>,
    ) -> Local {
        match takes {
            Some(Parameter::Backend) => {
                let pool = PoolId(0);
                let kind = VariableKind::Backend(pool);
                Local::Backend(self.variable(&param.name, kind), pool)
            }
            Some(Parameter::Interface) => Local::Interface(InterfaceRef::Ingress),
            Some(Parameter::Value(ty)) => {
                let kind = VariableKind::Value(ty.width);
                Local::Value(self.variable(&param.name, kind), ty)
            }
            None => Local::Broken,
        }
    }

    /// What an argument hands over; a value as its expression.
    pub(super) fn handed(
        &mut self,
        takes: Parameter,
        arg: &'a ast::Expr,
        scope: &Scope,
    ) -> Option<Local> {
        match takes {
            Parameter::Backend => match self.value(arg, scope)? {
                Value::Backend(variable, pool) => Some(Local::Backend(variable, pool)),
                other => self.wrong_argument("a backend", &other, arg.span),
            },
            Parameter::Interface => match self.value(arg, scope)? {
                Value::Interface(interface) => Some(Local::Interface(interface)),
                other => self.wrong_argument("an interface", &other, arg.span),
            },
            Parameter::Value(ty) => Some(give(self.typed(arg, ty, scope)?, ty)),
        }
    }

    fn wrong_argument<T>(&mut self, wanted: &str, found: &Value, span: Span) -> Option<T> {
        let message = format!("{wanted} is needed, this is {}", found.describe());
        self.error(Code::WrongArguments, message, span)
    }
}
