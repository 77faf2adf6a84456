//! Assignments: a field of a header, or of whichever header of a group is there.

use lvsc_pipeline::pipeline::{Binary, Expr, FieldId, HeaderId};

use super::Checker;
use super::presence::{Fact, Facts};
use super::scope::Scope;
use super::stmts::Checked;
use super::value::{Single, Value};
use crate::diagnostics::{Code, Diagnostic};
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
        let fields = self.targets(&target, found.target.span, scope)?;
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
        for (header, _, value) in &parts {
            // It is written where its header is there: the other ones of the group may be absent.
            let mut scope = scope.clone();
            let there = Expr::Present(*header);
            scope.facts.extend(self.shapes().holding(&there));
            self.present(value, found.value.span, &scope)?;
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

    /// The fields that are written: each one is of the header that is asked for.
    fn targets(
        &mut self,
        target: &Value,
        span: Span,
        scope: &Scope,
    ) -> Option<Vec<(HeaderId, FieldId)>> {
        let field = |single: &Single| match single {
            Single::Typed(Expr::Field(header, field), _) => Some((*header, *field)),
            Single::Typed(..) | Single::Constant(_) => None,
        };
        let (found, headers) = match target {
            Value::One(single) => (field(single).map(|one| vec![one]), None),
            Value::Each(choice, parts) if *choice != self.flow() => {
                let headers = self.group_headers(*choice);
                (parts.iter().map(field).collect(), Some(headers))
            }
            _ => (None, None),
        };
        let Some(found) = found else {
            let message = "only a field of a header can be assigned to";
            return self.error(Code::NotAssignable, message, span);
        };
        let own = headers.unwrap_or_else(|| found.iter().map(|(header, _)| *header).collect());
        let mut pairs = found.iter().zip(own);
        let foreign = pairs.find(|((header, _), own)| header != own);
        let Some(((header, field), own)) = foreign else {
            return Some(found);
        };
        let needs = Facts::from([Fact::Header(*header)]);
        let is_there = self.shapes().missing(&scope.facts, &needs).is_none();
        let error = self.foreign_target(*header, *field, own, span)?;
        self.report(if is_there {
            error
        } else {
            let name = self.header_name(*header)?;
            error.note(format!(
                "`{name}` may be absent here: put this into `match {name} {{ ... }}`"
            ))
        });
        None
    }

    /// What is computed from the field of another header is not there wherever its own header is.
    fn foreign_target(
        &self,
        header: HeaderId,
        field: FieldId,
        own: HeaderId,
        span: Span,
    ) -> Option<Diagnostic> {
        let found = self.policy.headers.get(usize::from(header.0))?;
        let field = &found.fields.get(usize::from(field.0))?.name;
        let field = format!("{}.{field}", found.name);
        let own = self.header_name(own)?;
        let message = format!("this is a field of another header than `{own}`");
        let error = Diagnostic::error(Code::NotAssignable, message, span)
            .label(format!("`{field}` under another name"));
        Some(error.suggest("assign to the field itself", span, field))
    }
}
