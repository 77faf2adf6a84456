//! `test` blocks: what is done, and what is expected.

use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::pipeline::{Expr as Typed, FieldId, HeaderId, InterfaceId, InterfaceRef, Kind};

use super::Checker;
use super::names::{Sort, Thing};
use super::scope::Scope;
use super::value::{Single, Value};
use crate::diagnostics::Code;
use crate::policy::{Check, CheckKind, Test, TestKind, TestStep};
use crate::source::Span;
use crate::syntax::ast::{
    self, BinaryOp, Condition, Expectation, Expr, ExprKind, Item, LitKind, Path, TestLineKind,
};

impl<'a> Checker<'a> {
    /// All `test` blocks.
    pub(super) fn tests(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Test(test) = item else { continue };
            let mut steps = Vec::new();
            let mut sent = false;
            for line in &test.lines {
                if matches!(
                    line.kind,
                    TestLineKind::Expect(_) | TestLineKind::SameBackend
                ) && !sent
                {
                    let message = "nothing was sent before this";
                    let _: Option<()> = self.error(Code::BadTest, message, line.span);
                }
                sent |= matches!(line.kind, TestLineKind::Send(_));
                if let Some(kind) = self.line(&line.kind, line.span) {
                    steps.push(TestStep {
                        kind,
                        place: self.place(line.span),
                    });
                }
            }
            let place = self.place(test.span);
            self.policy.tests.push(Test {
                name: test.name.value.clone(),
                place,
                steps,
            });
        }
    }

    fn line(&mut self, line: &'a TestLineKind, span: Span) -> Option<TestKind> {
        match line {
            TestLineKind::Send(packet) => {
                let interface = match &packet.on {
                    None => InterfaceId(0),
                    Some(name) => match self.names.get(&name.text) {
                        Some(Thing::Interface(id)) => *id,
                        Some(_) | None => return self.unknown_name(name, &[Sort::Interface]),
                    },
                };
                let layers = self.layers(&packet.layers)?;
                Some(TestKind::Send { layers, interface })
            }
            TestLineKind::Expect(expectation) => self.expectation(expectation),
            TestLineKind::SameBackend => Some(TestKind::SameBackend),
            TestLineKind::Backend { backend, state } => self.state(backend, state),
            TestLineKind::Advance(lit) => match lit.kind {
                LitKind::Duration(time) => Some(TestKind::Advance(time)),
                LitKind::Bad => None,
                _ => self.error(Code::BadTest, "`advance` takes a time: 5s, 15m", lit.span),
            },
            TestLineKind::Add { .. } => self.later("`add`", span),
            TestLineKind::Replay(_) => self.later("`replay`", span),
        }
    }

    fn state(&mut self, path: &'a Path, state: &'a ast::Name) -> Option<TestKind> {
        let names = path.as_names();
        let Some([pool, backend]) = names.as_deref() else {
            return self.error(
                Code::BadTest,
                "a backend is named by its pool: web.rs1",
                path.span,
            );
        };
        let Some(Thing::Pool(id)) = self.names.get(&pool.text) else {
            return self.unknown_name(pool, &[Sort::Pool]);
        };
        let id = *id;
        let known = &self.policy.manifest.pools.get(usize::from(id.0))?.backends;
        let found = known
            .iter()
            .find(|known| known.name == backend.text)
            .map(|known| known.id);
        let Some(number) = found else {
            let names: Vec<String> = known.iter().map(|known| known.name.clone()).collect();
            let message = format!("the pool `{}` has no backend `{}`", pool.text, backend.text);
            return self.unknown(backend, Code::UnknownName, &message, &names);
        };
        let up = match state.text.as_str() {
            "up" => true,
            "down" => false,
            _ => {
                let known = ["up", "down"].map(str::to_owned);
                let message = format!("`{}` is no state of a backend", state.text);
                return self.unknown(state, Code::BadTest, &message, &known);
            }
        };
        Some(TestKind::Backend {
            pool: id,
            backend: number,
            up,
        })
    }

    fn expectation(&mut self, found: &'a Expectation) -> Option<TestKind> {
        let (verdict, reason, interface) = match &found.verdict {
            ast::Verdict::Pass => (Verdict::Pass, None, None),
            ast::Verdict::Drop(drop) => {
                let reason = drop.reason.as_ref();
                if let Some(name) = reason {
                    self.known_reason(name)?;
                }
                (Verdict::Drop, reason.map(|name| name.text.clone()), None)
            }
            ast::Verdict::Send(send) => (Verdict::Send, None, Some(self.egress(&send.to)?)),
        };
        let checks: Vec<_> = found
            .conditions
            .iter()
            .map(|one| self.check_of(one))
            .collect();
        let checks = checks.into_iter().collect::<Option<Vec<_>>>()?;
        Some(TestKind::Expect {
            verdict,
            reason,
            interface,
            checks,
        })
    }

    fn known_reason(&mut self, name: &ast::Name) -> Option<()> {
        use lvsc_abi::manifest::CounterKind::Reason;
        let counters = &self.policy.manifest.counters;
        let known: Vec<String> = counters
            .iter()
            .filter(|c| c.kind == Reason)
            .map(|c| c.name.clone())
            .collect();
        if known.contains(&name.text) {
            return Some(());
        }
        let message = format!("nothing is dropped for the reason `{}`", name.text);
        self.unknown(name, Code::UnknownName, &message, &known)
    }

    fn egress(&mut self, path: &'a Path) -> Option<InterfaceRef> {
        match self.path(path, &Scope::default())? {
            Value::Interface(interface) => Some(interface),
            other => {
                let message = format!("`send` needs an interface, this is {}", other.describe());
                self.error(Code::TypeMismatch, message, path.span)
            }
        }
    }

    fn check_of(&mut self, condition: &'a Condition) -> Option<Check> {
        let (kind, span) = match condition {
            Condition::Unchanged(expr) => (self.unchanged(expr)?, expr.span),
            Condition::Holds(expr) => (self.holds(expr)?, expr.span),
        };
        let text = self.sources.snippet(span).to_owned();
        let text = match condition {
            Condition::Unchanged(_) => format!("{text} unchanged"),
            Condition::Holds(_) => text,
        };
        Some(Check {
            kind,
            place: self.place(span),
            text,
        })
    }

    /// `eth.dst in web.macs`, or any condition on the frame as it left.
    fn holds(&mut self, expr: &'a Expr) -> Option<CheckKind> {
        let scope = Scope::default();
        if let ExprKind::Binary(binary) = &expr.kind {
            let right = match (&binary.op, &binary.right.kind) {
                (BinaryOp::In, ExprKind::Path(path)) => self.path(path, &scope)?,
                _ => return self.condition(expr, &scope).map(CheckKind::Holds),
            };
            if let Value::Macs(pool) = right {
                let mac = super::value::Type {
                    kind: Kind::Mac,
                    width: 48,
                };
                let value = self.typed(&binary.left, mac, &scope)?;
                return Some(CheckKind::PoolMac { value, pool });
            }
        }
        self.condition(expr, &scope).map(CheckKind::Holds)
    }

    fn unchanged(&mut self, expr: &'a Expr) -> Option<CheckKind> {
        let field = |single: &Single| match single {
            Single::Typed(Typed::Field(header, field), _) => Some((*header, *field)),
            Single::Typed(..) | Single::Constant(_) => None,
        };
        let found: Option<CheckKind> = match self.value(expr, &Scope::default())? {
            Value::Header(header) => Some(CheckKind::HeaderUnchanged(vec![header])),
            Value::Group(choice) => Some(CheckKind::HeaderUnchanged(self.group_headers(choice))),
            Value::One(single) => field(&single).map(|one| CheckKind::FieldUnchanged(vec![one])),
            Value::Each(choice, parts) if choice != self.flow() => {
                let all: Option<Vec<(HeaderId, FieldId)>> = parts.iter().map(field).collect();
                all.map(CheckKind::FieldUnchanged)
            }
            _ => None,
        };
        found.or_else(|| {
            let message = "`unchanged` is said of a header, a group or a field";
            self.error(Code::BadTest, message, expr.span)
        })
    }
}
