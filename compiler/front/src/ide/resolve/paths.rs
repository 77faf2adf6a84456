//! The names in expressions: a name, and what is taken from it.

use super::Resolver;
use crate::ide::Meaning;
use crate::ide::builtin::{ROOTS, named};
use crate::ide::symbol::{SymbolId, Value};
use crate::syntax::ast::{Expr, ExprKind, Name, Path, Pattern, PatternKind, Segment};

impl Resolver<'_> {
    pub(super) fn patterns(&mut self, patterns: &[Pattern]) {
        for pattern in patterns {
            match &pattern.kind {
                PatternKind::Path(path) => {
                    self.path(path);
                }
                PatternKind::Tuple(inside) => self.patterns(inside),
                PatternKind::Any | PatternKind::Lit(_) | PatternKind::Masked { .. } => {}
            }
        }
    }

    pub(super) fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Lit(_) => {}
            ExprKind::Set(members) | ExprKind::Tuple(members) => self.exprs(members),
            ExprKind::Path(path) => {
                self.path(path);
            }
            ExprKind::Unary(_, inner) => self.expr(inner),
            ExprKind::Binary(binary) => {
                self.expr(&binary.left);
                self.expr(&binary.right);
            }
        }
    }

    pub(super) fn path(&mut self, path: &Path) -> Value {
        let mut value = self.head(&path.head);
        for segment in &path.tail {
            match segment {
                Segment::Field(name) => value = self.field(&value, name),
                Segment::Index(args, _) => self.exprs(args),
                Segment::Call(args, _) => {
                    self.exprs(args);
                    value = Value::Plain;
                }
            }
        }
        value
    }

    fn head(&mut self, name: &Name) -> Value {
        let local = self
            .locals
            .iter()
            .rev()
            .find(|(local, _)| *local == name.text);
        if let Some((_, id)) = local {
            return self.means_symbols(name, vec![*id]);
        }
        let fields = self.bare.iter().map(|header| Value::Of(*header));
        let fields = fields.filter_map(|header| self.index.member(&header, &name.text));
        let fields: Vec<SymbolId> = fields
            .flat_map(|member| match member.meaning {
                Meaning::Symbols(ids) => ids,
                Meaning::Builtin(_) | Meaning::Word(_) | Meaning::Nothing => Vec::new(),
            })
            .collect();
        if !fields.is_empty() {
            return self.means_symbols(name, fields);
        }
        if let Some(id) = self.globals.get(&name.text) {
            return self.means_symbols(name, vec![*id]);
        }
        self.known(name, &ROOTS);
        named(&ROOTS, &name.text).map_or(Value::Plain, |found| found.value.clone())
    }

    fn means_symbols(&mut self, name: &Name, ids: Vec<SymbolId>) -> Value {
        let first = ids.first().and_then(|id| self.index.symbol(*id));
        let value = first.map_or(Value::Plain, |symbol| symbol.value.clone());
        self.index.note(name.span, Meaning::Symbols(ids));
        value
    }

    pub(super) fn field(&mut self, of: &Value, name: &Name) -> Value {
        let found = self.index.member(of, &name.text);
        let (meaning, value) = found.map_or((Meaning::Nothing, Value::Plain), |member| {
            (member.meaning, member.value)
        });
        self.index.note(name.span, meaning);
        value
    }
}
