//! Functions: an expression with a name. A call stands for the body with its arguments in place, so what is said of fields
//! of absent headers holds for what a function makes of them, too.

use std::rc::Rc;

use lvsc_pipeline::interp;
use lvsc_pipeline::pipeline::Expr;

use super::Checker;
use super::constant::Constant;
use super::expand::{Expanded, Expansion};
use super::names::{Sort, Thing};
use super::scope::{Given, Local, Scope};
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Item, Name};

impl<'a> Checker<'a> {
    /// Checks the body of each function, whether it is called or not.
    pub(super) fn functions(&mut self, items: &[&'a Item]) {
        let policy = self.policy.clone(); // what is called is in the policy, the bodies are not
        for item in items {
            let Item::Fn(function) = item else { continue };
            let mut scope = Scope::unknown();
            for param in &function.params {
                let takes = self.parameter(param);
                let local = self.any_argument(param, takes);
                scope.bind(&param.name.text, local);
            }
            let of = Expanded::Body(&function.name.text);
            let span = function.name.span;
            self.expand(Expansion { of, span }, |checker| {
                checker.result(function, &mut scope)
            });
        }
        self.policy = policy;
    }

    /// `NAME(args)`
    pub(super) fn function(
        &mut self,
        name: &Name,
        args: &'a [ast::Expr],
        span: Span,
        scope: &Scope,
    ) -> Option<Value> {
        let function = match self.names.get(&name.text) {
            Some(Thing::Function(function)) => *function,
            Some(Thing::Broken) => return None,
            Some(_) | None => return self.unknown_name(name, &[Sort::Function]),
        };
        let of = Expanded::Function(&function.name.text);
        if self.expands(of) || self.expands(Expanded::Body(&function.name.text)) {
            let message = format!("`{}` leads back to itself", name.text);
            let error = Diagnostic::error(Code::Recursion, message, name.span);
            self.report(error.note("everything ends by construction: there is no recursion"));
            return None;
        }
        self.count_arguments(&function.name, function.params.len(), args.len(), span)?;
        let mut inner = scope.inside_function();
        let params = function.params.iter().zip(args);
        let bound: Vec<Option<()>> = params
            .map(|(param, arg)| self.bind(param, arg, scope, &mut inner))
            .collect();
        bound.into_iter().collect::<Option<()>>()?;
        let span = name.span;
        self.expand(Expansion { of, span }, |checker| {
            checker.result(function, &mut inner)
        })
    }

    fn bind(
        &mut self,
        param: &'a ast::Typed,
        arg: &'a ast::Expr,
        scope: &Scope,
        inner: &mut Scope,
    ) -> Option<()> {
        let takes = self.parameter(param)?;
        let local = self.handed(takes, arg, scope)?;
        inner.bind(&param.name.text, local);
        Some(())
    }

    /// The value of a function whose parameters are bound.
    fn result(&mut self, function: &'a ast::Fn, scope: &mut Scope) -> Option<Value> {
        for step in &function.lets {
            let (expr, ty) = self.computed(step, scope)?;
            scope.bind(&step.name.text, give(expr, ty));
        }
        let ty = self.written_type(&function.ty)?;
        let expr = self.typed(&function.value, ty, scope)?;
        let (_, depth) = measure(&expr);
        self.within_levels(depth, function.value.span)?;
        Some(Value::typed(expr, ty))
    }

    /// The value that a name stands for, once more.
    pub(super) fn given(&mut self, given: &Given, span: Span) -> Option<Value> {
        self.count_copied(given.size, span)?;
        self.within_levels(given.depth, span)?;
        Some(Value::typed(given.expr.clone(), given.ty))
    }

    /// The value of a call that must be known at compile time.
    pub(super) fn constant_call(
        &mut self,
        name: &Name,
        args: &'a [ast::Expr],
        span: Span,
    ) -> Option<Constant> {
        let value = self.function(name, args, span, &Scope::default())?;
        let Value::One(Single::Typed(expr, ty)) = value else {
            return self.not_constant(span);
        };
        match interp::constant(&self.policy.sets, &expr) {
            Some((value, _)) => Some(Constant::One(ty.kind, value)),
            None => self.not_constant(span),
        }
    }
}

/// An expression under a name.
pub(super) fn give(expr: Expr, ty: Type) -> Local {
    let (size, depth) = measure(&expr);
    Local::Given(Rc::new(Given {
        expr,
        ty,
        size,
        depth,
    }))
}

/// Nodes and levels of an expression.
fn measure(expr: &Expr) -> (usize, usize) {
    let parts = expr.parts().into_iter().map(measure);
    let (size, depth) = parts.fold((0, 0), |(size, depth), (more, below)| {
        (size + more, depth.max(below))
    });
    (size + 1, depth + 1)
}
