//! The policy's counters: single ones, and those with a cell for each value of a key.

use lvsc_abi::manifest::{CounterKind, KeyPart, KeyTable, Keyed};
use lvsc_pipeline::pipeline::{Binary, Expr, KeyedId, Kind, VariableKind};

use super::Checker;
use super::cells::shapes_of_key;
use super::names::{Sort, Thing};
use super::scope::Scope;
use super::stmts::Checked;
use super::value::Type;
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::StmtKind;
use crate::source::Span;
use crate::syntax::ast::{self, Item, LitKind};

impl<'a> Checker<'a> {
    /// All counters.
    pub(super) fn counters(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Counter(item) = item else { continue };
            let thing = if item.by.is_empty() {
                if let Some(capacity) = &item.capacity {
                    let message = "a counter without `by` has one cell";
                    let _: Option<()> = self.error(Code::BadValue, message, capacity.span);
                }
                let kind = CounterKind::Policy;
                Thing::Counter(self.counter(kind, &item.name.text, item.name.span))
            } else {
                let keyed = self.keyed(item);
                self.left_out += usize::from(keyed.is_none());
                keyed.map_or(Thing::Broken, |id| Thing::Keyed(id, &item.by))
            };
            self.names.set(&item.name.text, thing);
        }
    }

    fn keyed(&mut self, item: &'a ast::Counter) -> Option<KeyedId> {
        let scope = Scope::unknown();
        let values = self.values_of_key(&item.by, &scope)?;
        let types = self.types_of_key(&values)?;
        let names = item.by.iter().map(|part| self.sources.snippet(part.span));
        let key = names.enumerate().map(|(number, name)| {
            let own = values.iter().zip(&types);
            let own = own.filter(|(part, _)| part.of == number);
            let bits = own.map(|(_, types)| types.iter().map(|ty| ty.width).max().unwrap_or(0));
            KeyPart {
                name: name.to_owned(),
                bits: bits.fold(0, u16::saturating_add),
            }
        });
        let mut keyed = Keyed {
            name: item.name.text.clone(),
            key: key.collect(),
            table: None,
        };
        if types.iter().any(|types| types.len() > 1) || keyed.bits() > Keyed::NARROW {
            let ways = self.ways_of_key(&values, &scope)?;
            let shapes = shapes_of_key(&ways, &types);
            let capacity = self.cells(item.capacity.as_ref())?;
            keyed.table = Some(KeyTable { capacity, shapes });
            self.counter(CounterKind::Others, &keyed.name, item.name.span);
        } else if let Some(capacity) = &item.capacity {
            self.cells_of_narrow(capacity, keyed.cells())?;
        }
        let count = self.policy.manifest.keyed.len();
        let id = self.next_id(count, "counters with keys", item.name.span);
        self.policy.manifest.keyed.push(keyed);
        Some(KeyedId(id))
    }

    /// The `capacity` of a key that has a cell for each of its values: it is not asked for.
    fn cells_of_narrow(&mut self, capacity: &ast::Lit, cells: u32) -> Option<()> {
        let note = format!("the key has {cells} values, and each has its cell from the begin");
        let found = match capacity.kind {
            LitKind::Bad => return None,
            LitKind::Int(said) if said >= cells.into() => {
                let message = "this `capacity` changes nothing";
                Diagnostic::warning(Code::WithoutEffect, message, capacity.span)
            }
            LitKind::Int(_) => {
                Diagnostic::error(Code::BadValue, "this is too small", capacity.span)
            }
            _ => return self.bad_value("`capacity` is a number of cells", capacity.span),
        };
        let fine = !found.is_error();
        self.report(found.note(note));
        fine.then_some(())
    }

    /// `count NAME`, `count NAME[exprs]`
    pub(super) fn count(
        &mut self,
        found: &'a ast::Count,
        span: Span,
        scope: &Scope,
    ) -> Option<Checked> {
        let (keyed, by) = match self.names.get(&found.counter.text) {
            Some(Thing::Counter(id)) => {
                let id = *id;
                if let Some(cell) = found.cell.first() {
                    let message = format!("`{}` has one cell", found.counter.text);
                    let error = Diagnostic::error(Code::TypeMismatch, message, cell.span);
                    self.report(error.note("`counter NAME by FIELD` has one for each value"));
                    return None;
                }
                return Some(self.one(StmtKind::Count(id), span));
            }
            Some(Thing::Keyed(id, by)) => (*id, *by),
            Some(Thing::Broken) => return None,
            Some(_) | None => return self.unknown_name(&found.counter, &[Sort::Counter]),
        };
        let written = if found.cell.is_empty() {
            by
        } else {
            &found.cell
        };
        let counter = self.policy.manifest.keyed.get(usize::from(keyed.0))?;
        let widths: Vec<u16> = counter.key.iter().map(|part| part.bits).collect();
        let is_table = counter.table.is_some();
        let name = &found.counter;
        let declared = ast::Name {
            text: name.text.clone(),
            span: self.names.place(&name.text)?,
        };
        self.count_arguments(&declared, widths.len(), written.len(), span)?;
        // Where the counter itself says it, the place is that of the statement.
        let place = found.cell.is_empty().then_some(span);
        if is_table {
            let key = self.key_of_cell(keyed, written, place, scope)?;
            let key = self.equal_choice("key".to_owned(), key, span);
            return Some(self.one(StmtKind::CountKey(keyed, key), span));
        }
        let cell = Type {
            kind: Kind::Number,
            width: Keyed::NARROW,
        };
        let mut whole: Option<Expr> = None;
        for (part, width) in written.iter().zip(widths) {
            let kind = Kind::Number;
            let expr = self.typed(part, Type { kind, width }, scope)?;
            self.present(&expr, place.unwrap_or(part.span), scope)?;
            let expr = Expr::Resize(cell.width, Box::new(expr));
            whole = Some(match whole {
                None => expr,
                Some(before) => {
                    let distance = Expr::Constant {
                        value: width.into(),
                        width: 8,
                    };
                    let moved = Expr::Binary(Binary::Shl, Box::new(before), Box::new(distance));
                    Expr::Binary(Binary::Or, Box::new(moved), Box::new(expr))
                }
            });
        }
        let variable = self.variable(name, VariableKind::Value(cell.width));
        let mut checked = self.one(StmtKind::Let(variable, whole?), span);
        let counted = self.stmt(StmtKind::CountCell(keyed, variable), span);
        checked.block.push(counted);
        Some(checked)
    }
}
