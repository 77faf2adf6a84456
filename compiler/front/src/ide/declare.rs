//! First walk: what the items of all files declare.

use std::collections::BTreeMap;

use super::symbol::{Kind, Symbol, SymbolId, Value};
use super::{Index, Meaning, Use};
use crate::source::Span;
use crate::syntax::ast::{Group, Header, HeaderLine, Item, Name, Pool, PoolLine, Table, TableLine};

/// What is declared at the top level, by name: the first declaration counts.
pub(super) type Globals = BTreeMap<String, SymbolId>;

impl Index {
    /// Adds a symbol, and its name as one that means it.
    pub(super) fn declare(&mut self, name: &Name, kind: Kind, whole: Span) -> SymbolId {
        let id = SymbolId(self.symbols.len());
        self.symbols.push(Symbol {
            name: name.text.clone(),
            kind,
            span: name.span,
            whole,
            parent: None,
            seen: None,
            value: Value::Plain,
        });
        self.note(name.span, Meaning::Symbols(vec![id]));
        id
    }

    fn declare_in(&mut self, parent: SymbolId, name: &Name, kind: Kind, whole: Span) {
        let id = self.declare(name, kind, whole);
        if let Some(symbol) = self.symbols.get_mut(id.0) {
            symbol.parent = Some(parent);
        }
    }

    pub(super) fn note(&mut self, span: Span, meaning: Meaning) {
        self.uses.push(Use { span, meaning });
    }

    pub(super) fn set_value(&mut self, id: SymbolId, value: Value) {
        if let Some(symbol) = self.symbols.get_mut(id.0) {
            symbol.value = value;
        }
    }
}

/// The name that an item declares, and of what.
pub(super) fn declared(item: &Item) -> Option<(&Name, Kind)> {
    Some(match item {
        Item::Const(item) => (&item.name, Kind::Constant),
        Item::Interface(item) => (&item.name, Kind::Interface),
        Item::Pool(item) => (&item.name, Kind::Pool),
        Item::Set(item) => (&item.name, Kind::Set),
        Item::Table(item) => (&item.name, Kind::Table),
        Item::Meter(item) => (&item.name, Kind::Meter),
        Item::Counter(item) => (&item.name, Kind::Counter),
        Item::Header(item) => (&item.name, Kind::Header),
        Item::Group(item) => (&item.name, Kind::Group),
        Item::Fn(item) => (&item.name, Kind::Function),
        Item::Action(item) => (&item.name, Kind::Action),
        Item::Use(_) | Item::Target(_) | Item::Test(_) | Item::Stmt(_) => return None,
    })
}

/// Declares an item.
pub(super) fn item(item: &Item, index: &mut Index, globals: &mut Globals) {
    let Some((name, kind)) = declared(item) else {
        return;
    };
    let id = index.declare(name, kind, item.span());
    globals.entry(name.text.clone()).or_insert(id);
    match item {
        Item::Interface(_) => index.set_value(id, Value::Interface),
        Item::Meter(_) => index.set_value(id, Value::Meter),
        Item::Pool(item) => pool(item, id, index),
        Item::Table(item) => table(item, id, index),
        Item::Header(item) => header(item, id, index),
        Item::Use(_)
        | Item::Const(_)
        | Item::Set(_)
        | Item::Counter(_)
        | Item::Group(_)
        | Item::Fn(_)
        | Item::Action(_)
        | Item::Target(_)
        | Item::Test(_)
        | Item::Stmt(_) => {}
    }
}

fn pool(pool: &Pool, id: SymbolId, index: &mut Index) {
    index.set_value(id, Value::Of(id));
    for line in &pool.lines {
        if let PoolLine::Backend(line) = line
            && let Some(name) = &line.name
        {
            index.declare_in(id, name, Kind::Backend, line.span);
        }
    }
}

fn table(table: &Table, id: SymbolId, index: &mut Index) {
    for line in &table.lines {
        if let TableLine::Value(columns) = line {
            for column in columns {
                index.declare_in(id, &column.name, Kind::Column, column.span);
            }
        }
    }
}

fn header(header: &Header, id: SymbolId, index: &mut Index) {
    index.set_value(id, Value::Of(id));
    for line in &header.lines {
        match line {
            HeaderLine::Field(field) => index.declare_in(id, &field.name, Kind::Field, field.span),
            HeaderLine::Let(field) => index.declare_in(id, &field.name, Kind::Computed, field.span),
            HeaderLine::Size(_) | HeaderLine::Valid(_) | HeaderLine::Checksum(_) => {}
        }
    }
}

/// The headers of a group, when all items are declared.
pub(super) fn group(group: &Group, index: &mut Index, globals: &Globals) {
    let members = group.members.iter();
    let members: Vec<SymbolId> = members
        .filter_map(|member| globals.get(&member.text).copied())
        .filter(|id| index.is_a(*id, Kind::Header))
        .collect();
    if let Some(id) = globals.get(&group.name.text)
        && index.is_a(*id, Kind::Group)
    {
        index.set_value(*id, Value::Group(members));
    }
}
