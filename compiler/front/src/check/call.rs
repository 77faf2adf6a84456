//! Actions, expanded where they are called. Everything ends by construction: there is no recursion.

use lvsc_pipeline::pipeline::VariableKind;

use super::Checker;
use super::compare::named_type;
use super::names::{Sort, Thing};
use super::scope::{Local, Scope};
use super::stmts::Checked;
use super::value::Value;
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{Stmt, StmtKind};
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    pub(super) fn call(
        &mut self,
        found: &'a ast::Call,
        span: Span,
        scope: &mut Scope,
    ) -> Option<Checked> {
        let action: &'a ast::Action = match self.names.get(&found.action.text) {
            Some(Thing::Action(action)) => action,
            Some(Thing::Reserved) => return None,
            Some(_) | None => return self.unknown_name(&found.action, &[Sort::Action]),
        };
        if self.calls.iter().any(|(name, _)| *name == action.name.text) {
            self.report(
                Diagnostic::error(
                    Code::Recursion,
                    format!("`{}` leads back to itself", action.name.text),
                    span,
                )
                .note("everything ends by construction: there is no recursion"),
            );
            return None;
        }
        if found.args.len() != action.params.len() {
            let (wanted, given) = (action.params.len(), found.args.len());
            let plural = if wanted == 1 { "" } else { "s" };
            let message = format!(
                "`{}` takes {wanted} argument{plural}, not {given}",
                action.name.text
            );
            let wrong = Diagnostic::error(Code::WrongArguments, message, span);
            self.report(wrong.secondary(action.name.span, "declared here"));
            return None;
        }
        let mut inner = scope.without_names();
        let mut block = Vec::new();
        for (param, arg) in action.params.iter().zip(&found.args) {
            block.extend(self.argument(param, arg, scope, &mut inner)?);
        }
        self.calls.push((&action.name.text, span));
        let body = self.block(action.block.stmts.iter(), &mut inner);
        self.calls.pop();
        scope.facts = inner.facts;
        block.extend(body.block);
        Some(Checked {
            block,
            ends: body.ends,
        })
    }

    /// Binds a parameter; a value is computed once, before the action.
    fn argument(
        &mut self,
        param: &'a ast::Typed,
        arg: &'a ast::Expr,
        scope: &Scope,
        inner: &mut Scope,
    ) -> Option<Option<Stmt>> {
        let ty = &param.ty.name.text;
        let name = &param.name.text;
        let local = match (ty.as_str(), named_type(ty)) {
            ("backend", _) => match self.value(arg, scope)? {
                Value::Backend(variable, pool) => Local::Backend(variable, pool),
                other => return self.wrong_argument("a backend", &other, arg.span),
            },
            ("interface", _) => match self.value(arg, scope)? {
                Value::Interface(interface) => Local::Interface(interface),
                other => return self.wrong_argument("an interface", &other, arg.span),
            },
            (_, Some(wanted)) => {
                let expr = self.typed(arg, wanted, scope)?;
                self.present(&expr, arg.span, scope)?;
                let id = self.variable(name, VariableKind::Value(wanted.width));
                inner.bind(name, Local::Value(id, wanted));
                return Some(Some(self.stmt(StmtKind::Let(id, expr), arg.span)));
            }
            (_, None) => {
                let message = format!("no type is called `{ty}`");
                return self.error(Code::UnknownType, message, param.ty.span);
            }
        };
        inner.bind(name, local);
        Some(None)
    }

    fn wrong_argument<T>(&mut self, wanted: &str, found: &Value, span: Span) -> Option<T> {
        let message = format!("{wanted} is needed, this is {}", found.describe());
        self.error(Code::WrongArguments, message, span)
    }
}
