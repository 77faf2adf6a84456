//! `select rs from web by id(EXPR)`: the value that names a backend.

use lvsc_pipeline::pipeline::{Expr, Kind};

use super::Checker;
use super::scope::Scope;
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast;

/// The widest value that may name a backend (bits).
const WIDTH_MAX: u16 = 64;

impl<'a> Checker<'a> {
    /// A value of up to 64 bits. It may be absent: the packet then names no backend.
    pub(super) fn id_of(&mut self, written: &'a ast::Expr, scope: &Scope) -> Option<Expr> {
        let span = written.span;
        match self.value(written, scope)? {
            Value::One(Single::Typed(expr, ty)) => {
                self.narrow(ty, span)?;
                Some(expr)
            }
            Value::One(Single::Constant(_)) => {
                let message = "a constant names the same backend for all packets";
                let found = Diagnostic::error(Code::ConstantKey, message, span);
                self.report(found.note("the heaviest one serves all with `scheduler fo`"));
                None
            }
            // The fields of a group may differ in their width.
            Value::Each(choice, parts) => {
                let mut width = 1;
                for part in &parts {
                    if let Single::Typed(_, ty) = part {
                        self.narrow(*ty, span)?;
                        width = width.max(ty.width);
                    }
                }
                let each = parts.iter().map(|part| self.widened(part, width, span));
                Some(Expr::Chosen(choice, each.collect::<Option<_>>()?))
            }
            other => self.no_value(&other, span),
        }
    }

    fn narrow(&mut self, ty: Type, span: Span) -> Option<()> {
        if ty.width <= WIDTH_MAX {
            return Some(());
        }
        let message = format!("an id has at most 64 bits, this is {}", ty.describe());
        self.error(Code::TypeMismatch, message, span)
    }

    fn widened(&mut self, single: &Single, width: u16, span: Span) -> Option<Expr> {
        match single {
            Single::Typed(expr, ty) if ty.width == width => Some(expr.clone()),
            Single::Typed(expr, _) => Some(Expr::Resize(width, Box::new(expr.clone()))),
            Single::Constant(constant) => {
                let kind = Kind::Number;
                self.coerce(constant, Type { kind, width }, span)
            }
        }
    }
}
