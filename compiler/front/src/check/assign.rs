//! Assignments: a field of a header, or of whichever header of a group is there.

use lvsc_pipeline::pipeline::{Binary, Expr, FieldId, HeaderId};

use super::Checker;
use super::presence::{Fact, Facts};
use super::scope::Scope;
use super::stmts::Checked;
use super::value::{Single, Value};
use crate::diagnostics::Code;
use crate::policy::{Block, Branch, StmtKind};
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp};

impl<'a> Checker<'a> {
    pub(super) fn assign(
        &mut self,
        found: &'a ast::Assign,
        span: Span,
        scope: &mut Scope,
    ) -> Option<Checked> {
        let target = self.path(&found.target, scope)?;
        let fields = self.targets(&target, found.target.span)?;
        let mut parts = Vec::new();
        for (header, field) in &fields {
            let ty = self.field_type(*header, *field);
            let value = self.typed(&found.value, ty, scope)?;
            let old = || Box::new(Expr::Field(*header, *field));
            let value = match found.op {
                AssignOp::Set => value,
                AssignOp::Add => Expr::Binary(Binary::Add, old(), Box::new(value)),
                AssignOp::Sub => Expr::Binary(Binary::Sub, old(), Box::new(value)),
            };
            if ty.width > 64 {
                return self.later("assigning more than 64 bits", found.target.span);
            }
            self.covered(*header, *field, found.target.span)?;
            parts.push((*header, *field, value));
        }
        let wanted = match &target {
            Value::Each(choice, _) => Facts::from([Fact::Choice(*choice)]),
            _ => fields
                .iter()
                .map(|(header, _)| Fact::Header(*header))
                .collect(),
        };
        self.require(&wanted, found.target.span, scope)?;
        for (_, _, value) in &parts {
            self.present(value, found.value.span, &with(scope, &fields))?;
        }
        Some(Checked {
            block: self.rewrites(parts, span),
            ends: false,
        })
    }

    /// A rewrite of one field, or of the field of whichever header of a group is present.
    fn rewrites(&self, parts: Vec<(HeaderId, FieldId, Expr)>, span: Span) -> Block {
        let several = parts.len() > 1;
        let rewrites = parts.into_iter().map(|(header, field, value)| {
            let rewrite = self.stmt(StmtKind::Rewrite(header, field, value), span);
            (header, rewrite)
        });
        if !several {
            return rewrites.map(|(_, rewrite)| rewrite).collect();
        }
        let branches = rewrites.map(|(header, rewrite)| Branch {
            condition: Expr::Present(header),
            then: vec![rewrite],
            place: self.place(span),
            span,
        });
        let kind = StmtKind::Match {
            branches: branches.collect(),
            otherwise: Vec::new(),
        };
        vec![self.stmt(kind, span)]
    }

    fn targets(&mut self, target: &Value, span: Span) -> Option<Vec<(HeaderId, FieldId)>> {
        let field = |single: &Single| match single {
            Single::Typed(Expr::Field(header, field), _) => Some((*header, *field)),
            Single::Typed(..) | Single::Constant(_) => None,
        };
        let found = match target {
            Value::One(single) => field(single).map(|one| vec![one]),
            Value::Each(choice, parts) if *choice != self.flow() => {
                parts.iter().map(field).collect()
            }
            _ => None,
        };
        found.or_else(|| {
            let message = "only a field of a header can be assigned to";
            self.error(Code::NotAssignable, message, span)
        })
    }
}

/// The scope with these headers present: each alternative of a group is written where its header is there.
fn with(scope: &Scope, fields: &[(HeaderId, FieldId)]) -> Scope {
    let mut scope = scope.clone();
    scope
        .facts
        .extend(fields.iter().map(|(header, _)| Fact::Header(*header)));
    scope
}
