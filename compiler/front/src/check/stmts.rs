//! Statements: scopes, presence, and actions expanded where they are called.

use lvsc_abi::manifest::CounterKind;
use lvsc_pipeline::pipeline::{ChoiceId, Expr, Outcome, Variable, VariableId, VariableKind};

use super::Checker;
use super::branches::Branches;
use super::presence::{Fact, Facts, needs};
use super::scope::{Local, Scope};
use super::value::{Single, Type, Value};
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{Block, Stmt, StmtKind};
use crate::source::Span;
use crate::syntax::ast::{self, Item};

/// The drop reason of a `drop` without one.
const PLAIN_DROP: &str = "policy";

/// What was made of a block.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) block: Block,
    /// Every packet that enters it ends in it.
    pub(super) ends: bool,
}

impl<'a> Checker<'a> {
    /// The statements at top level, which are the pipeline.
    pub(super) fn statements(&mut self, items: &[&'a Item]) {
        let stmts = items.iter().filter_map(|item| match item {
            Item::Stmt(stmt) => Some(stmt),
            _ => None,
        });
        let mut scope = Scope::default();
        self.policy.body = self.block(stmts, &mut scope).block;
    }

    /// Statements in order, in a scope of their own; what they prove stays in `scope` where they go on.
    pub(super) fn block(
        &mut self,
        stmts: impl Iterator<Item = &'a ast::Stmt>,
        scope: &mut Scope,
    ) -> Checked {
        let mut inner = scope.clone();
        let mut checked = Checked::default();
        let mut warned = false;
        for stmt in stmts {
            if checked.ends && !std::mem::replace(&mut warned, true) {
                self.report(
                    Diagnostic::warning(
                        Code::UnreachableStatement,
                        "no packet reaches this",
                        stmt.span,
                    )
                    .note("every packet ends before it"),
                );
            }
            if let Some(found) = self.deeper(|checker| checker.statement(stmt, &mut inner)) {
                checked.ends |= found.ends;
                checked.block.extend(found.block);
            } else {
                self.left_out += 1;
                inner.broken |= decides(&stmt.kind);
            }
        }
        (scope.facts, scope.broken) = (inner.facts, inner.broken);
        checked
    }

    fn statement(&mut self, stmt: &'a ast::Stmt, scope: &mut Scope) -> Option<Checked> {
        let span = stmt.span;
        self.count_added(span)?;
        match &stmt.kind {
            ast::StmtKind::Match(found) => {
                let mut all = Branches::new(scope);
                for branch in &found.branches {
                    let condition = self.condition(&branch.condition, &all.rest);
                    self.branch(&mut all, condition, &branch.block, branch.condition.span);
                }
                self.chosen(all, found.otherwise.as_ref(), scope)
            }
            ast::StmtKind::Switch(found) => self.switch(found, scope),
            ast::StmtKind::Let(found) => {
                let checked = self.let_stmt(found, scope);
                bind_broken(checked, &found.name, scope)
            }
            ast::StmtKind::Select(found) => {
                let checked = self.select(found, span, scope);
                bind_broken(checked, &found.name, scope)
            }
            ast::StmtKind::Assign(found) => self.assign(found, span, scope),
            ast::StmtKind::Call(found) => self.call(found, span, scope),
            ast::StmtKind::Count(found) => self.count(found, span, scope),
            ast::StmtKind::Drop(found) => {
                let reason = found.reason.as_ref().map_or(PLAIN_DROP, |name| &name.text);
                let counter = self.counter(CounterKind::Reason, reason, span);
                Some(self.end(Outcome::Drop(counter), span))
            }
            ast::StmtKind::Pass => Some(self.end(Outcome::Pass, span)),
            ast::StmtKind::Answer => self.answer(span, scope),
            ast::StmtKind::Send(found) => match self.path(&found.to, scope)? {
                Value::Interface(interface) => Some(self.end(Outcome::Send(interface), span)),
                other => {
                    let message =
                        format!("`send` needs an interface, this is {}", other.describe());
                    self.error(Code::TypeMismatch, message, found.to.span)
                }
            },
            ast::StmtKind::Push(_) => self.later("`push`", span),
            ast::StmtKind::Pop(_) => self.later("`pop`", span),
            ast::StmtKind::Log(_) => self.later("`log`", span),
        }
    }

    pub(super) fn stmt(&self, kind: StmtKind, span: Span) -> Stmt {
        Stmt {
            kind,
            place: self.place(span),
            span,
        }
    }

    pub(super) fn one(&self, kind: StmtKind, span: Span) -> Checked {
        Checked {
            block: vec![self.stmt(kind, span)],
            ends: false,
        }
    }

    pub(super) fn end(&self, outcome: Outcome, span: Span) -> Checked {
        Checked {
            block: vec![self.stmt(StmtKind::Verdict(outcome), span)],
            ends: true,
        }
    }

    pub(super) fn variable(&mut self, name: &ast::Name, kind: VariableKind) -> VariableId {
        let id = self.next_id(self.policy.variables.len(), "variables", name.span);
        self.policy.variables.push(Variable {
            name: name.text.clone(),
            kind,
        });
        VariableId(id)
    }

    fn let_stmt(&mut self, found: &'a ast::Let, scope: &mut Scope) -> Option<Checked> {
        let (expr, ty) = self.computed(found, scope)?;
        self.kept(ty, found.value.span)?;
        self.present(&expr, found.value.span, scope)?;
        let id = self.variable(&found.name, VariableKind::Value(ty.width));
        scope.bind(&found.name.text, Local::Value(id, ty));
        Some(self.one(StmtKind::Let(id, expr), found.span))
    }

    /// A variable holds a value that can be read.
    pub(super) fn kept(&mut self, ty: Type, span: Span) -> Option<()> {
        if ty.is_readable() {
            return Some(());
        }
        let message = format!("a variable cannot hold {} bytes", ty.width / 8);
        let error = Diagnostic::error(Code::TypeMismatch, message, span);
        self.report(error.note("only values of up to 8 bytes, and of 16, can be kept"));
        None
    }

    /// The value of a `let`, and its type.
    pub(super) fn computed(&mut self, found: &'a ast::Let, scope: &Scope) -> Option<(Expr, Type)> {
        match &found.ty {
            Some(ty) => {
                let ty = self.written_type(ty)?;
                Some((self.typed(&found.value, ty, scope)?, ty))
            }
            None => self.untyped(found, scope),
        }
    }

    /// The value of a `let` that does not say its type, and the type.
    fn untyped(&mut self, found: &'a ast::Let, scope: &Scope) -> Option<(Expr, Type)> {
        let span = found.value.span;
        match self.value(&found.value, scope)? {
            Value::One(Single::Typed(expr, ty)) => Some((expr, ty)),
            Value::Each(choice, parts) => self.each_as_one(choice, &parts, span),
            Value::One(Single::Constant(_)) => {
                self.report(
                    Diagnostic::error(
                        Code::TypeMismatch,
                        "this constant has no width of its own",
                        span,
                    )
                    .suggest("say its type", found.name.span.after(), ": u32")
                    .note(format!(
                        "or declare a constant, outside of any block: `const {} = ...`",
                        found.name.text
                    )),
                );
                None
            }
            other => self.no_value(&other, span),
        }
    }

    /// A field of a group as one value: its alternatives have one type.
    pub(super) fn each_as_one(
        &mut self,
        choice: ChoiceId,
        parts: &[Single],
        span: Span,
    ) -> Option<(Expr, Type)> {
        let ty = parts.iter().find_map(|part| match part {
            Single::Typed(_, ty) => Some(*ty),
            Single::Constant(_) => None,
        });
        let Some(ty) = ty else {
            let message = "these constants have no width of their own";
            return self.error(Code::TypeMismatch, message, span);
        };
        let each: Vec<_> = parts.iter().map(|part| self.fit(part, ty, span)).collect();
        let each = each.into_iter().collect::<Option<_>>()?;
        Some((Expr::Chosen(choice, each), ty))
    }

    /// A value needs its headers; a condition is false without them.
    pub(super) fn present(&mut self, value: &Expr, span: Span, scope: &Scope) -> Option<()> {
        let needs = needs(value);
        self.require(&needs, span, scope)
    }

    pub(super) fn require(&mut self, needs: &Facts, span: Span, scope: &Scope) -> Option<()> {
        if scope.broken {
            return Some(());
        }
        let Some(missing) = self.shapes().missing(&scope.facts, needs) else {
            return Some(());
        };
        let name = match missing {
            Fact::Header(header) => self.policy.headers.get(usize::from(header.0))?.name.clone(),
            Fact::Choice(choice) => match self
                .policy
                .choices
                .get(usize::from(choice.0))?
                .name
                .as_str()
            {
                "flow" => "ip".to_owned(),
                name => name.to_owned(),
            },
        };
        self.report(
            Diagnostic::error(
                Code::HeaderMayBeAbsent,
                format!("the header `{name}` may be absent here"),
                span,
            )
            .label("a value is needed, not every packet has one")
            .note(format!(
                "put this into `match {name} {{ ... }}`, or into a `match` on one of its fields"
            )),
        );
        None
    }
}

/// Statements that packets may end in: without them it is not known what holds behind.
fn decides(kind: &ast::StmtKind) -> bool {
    matches!(
        kind,
        ast::StmtKind::Match(_) | ast::StmtKind::Switch(_) | ast::StmtKind::Call(_)
    )
}

/// A name whose declaration failed is known all the same, so that its uses are not reported too.
fn bind_broken(checked: Option<Checked>, name: &ast::Name, scope: &mut Scope) -> Option<Checked> {
    if checked.is_none() {
        scope.bind(&name.text, Local::Broken);
    }
    checked
}
