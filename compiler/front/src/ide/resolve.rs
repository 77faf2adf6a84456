//! Second walk: what each name in statements and expressions means.

mod packets;
mod paths;

use super::builtin::{BY_ID, Builtin, CHECKSUMS, PARAMETERS, ROOTS, SCHEDULERS, TYPES, named};
use super::declare::{self, Globals};
use super::symbol::{Kind, SymbolId, Value};
use super::{Index, Meaning, Paint};
use crate::source::Span;
use crate::syntax::ast::{
    Block, Counter, ExprKind, File, Header, HeaderLine, Item, Let, Match, Name, Pool, PoolLine,
    Prop, Select, Set, SetEntry, Stmt, StmtKind, Switch, Table, TableLine, Type, Typed, UseWhat,
};

/// Declares and resolves everything.
pub(super) fn all(files: &[File], index: &mut Index) {
    let mut globals = Globals::new();
    let items = || files.iter().flat_map(|file| &file.items);
    for item in items() {
        declare::item(item, index, &mut globals);
    }
    for item in items() {
        if let Item::Group(group) = item {
            declare::group(group, index, &globals);
        }
    }
    let mut resolver = Resolver {
        index,
        globals,
        locals: Vec::new(),
        bare: Vec::new(),
        reasons: Globals::new(),
    };
    for file in files {
        resolver.locals.clear();
        let end = resolver.index.sources.text(file.id).len();
        let whole = Span::new(file.id, 0, end);
        for item in &file.items {
            resolver.item(item, whole);
        }
    }
    // A reason is declared by the statement that gives it, wherever that stands.
    for item in items() {
        if let Item::Test(test) = item {
            resolver.test(test);
        }
    }
}

struct Resolver<'a> {
    index: &'a mut Index,
    globals: Globals,
    /// The innermost last.
    locals: Vec<(String, SymbolId)>,
    /// The headers whose fields may be named alone.
    bare: Vec<SymbolId>,
    reasons: Globals,
}

impl Resolver<'_> {
    fn item(&mut self, item: &Item, whole: Span) {
        match item {
            Item::Use(item) => match &item.what {
                UseWhat::Name(name) => self.word(name, Paint::Keyword),
                UseWhat::File(_) => {}
            },
            Item::Const(item) => self.expr(&item.value),
            Item::Interface(item) => self.props(&item.props),
            Item::Pool(item) => self.pool(item),
            Item::Set(item) => self.set(item),
            Item::Table(item) => self.table(item),
            Item::Meter(item) => self.props(&item.props),
            Item::Counter(item) => self.counter(item),
            Item::Header(item) => self.header(item),
            Item::Group(item) => {
                for member in &item.members {
                    self.global(member);
                }
            }
            Item::Fn(item) => self.scoped(|own| {
                own.parameters(&item.name, &item.params, item.span);
                own.ty(&item.ty);
                for step in &item.lets {
                    own.let_(step, item.span);
                }
                own.expr(&item.value);
            }),
            Item::Action(item) => self.scoped(|own| {
                own.parameters(&item.name, &item.params, item.span);
                own.block(&item.block);
            }),
            Item::Target(item) => {
                self.word(&item.name, Paint::Keyword);
                self.props(&item.props);
            }
            Item::Test(_) => {}
            Item::Stmt(stmt) => self.stmt(stmt, whole),
        }
    }

    /// What is declared inside is not seen outside.
    fn scoped(&mut self, walk: impl FnOnce(&mut Self)) {
        let outside = self.locals.len();
        walk(self);
        self.locals.truncate(outside);
    }

    fn parameters(&mut self, of: &Name, params: &[Typed], whole: Span) {
        let parent = self.globals.get(&of.text).copied();
        for param in params {
            self.ty(&param.ty);
            let value = match param.ty.name.text.as_str() {
                "backend" => Value::Backend,
                "interface" => Value::Interface,
                _ => Value::Plain,
            };
            let id = self.local(&param.name, Kind::Parameter, param.span, whole, value);
            if let Some(symbol) = self.index.symbols.get_mut(id.0) {
                symbol.parent = parent;
            }
        }
    }

    /// Declares a name that is seen from here to the end of `block`.
    fn local(
        &mut self,
        name: &Name,
        kind: Kind,
        whole: Span,
        block: Span,
        value: Value,
    ) -> SymbolId {
        let id = self.index.declare(name, kind, whole);
        if let Some(symbol) = self.index.symbols.get_mut(id.0) {
            symbol.value = value;
            symbol.seen = Some(Span {
                start: whole.end.min(block.end),
                ..block
            });
        }
        self.locals.push((name.text.clone(), id));
        id
    }

    fn word(&mut self, name: &Name, paint: Paint) {
        self.index.note(name.span, Meaning::Word(paint));
    }

    /// One of a table of the language's, else nothing that is known.
    fn known(&mut self, name: &Name, table: &'static [Builtin]) {
        let found = named(table, &name.text);
        let meaning = found.map_or(Meaning::Nothing, Meaning::Builtin);
        self.index.note(name.span, meaning);
    }

    fn ty(&mut self, ty: &Type) {
        let found = named(&TYPES, &ty.name.text).or_else(|| named(&PARAMETERS, &ty.name.text));
        let meaning = found.map_or(Meaning::Word(Paint::Type), Meaning::Builtin);
        self.index.note(ty.name.span, meaning);
        self.exprs(ty.argument.as_ref());
    }

    /// A name of the top level.
    fn global(&mut self, name: &Name) -> Option<SymbolId> {
        let found = self.globals.get(&name.text).copied();
        let meaning = found.map_or(Meaning::Nothing, |id| Meaning::Symbols(vec![id]));
        self.index.note(name.span, meaning);
        found
    }

    fn pool(&mut self, pool: &Pool) {
        for line in &pool.lines {
            match line {
                PoolLine::Scheduler(line) => {
                    self.known(&line.name, &SCHEDULERS);
                    self.exprs(&line.by);
                }
                PoolLine::Backend(line) => {
                    for option in &line.options {
                        self.word(&option.name, Paint::Keyword);
                        self.exprs(option.value.as_ref());
                    }
                }
                PoolLine::Prop(prop) => self.prop(prop),
            }
        }
    }

    fn props(&mut self, props: &[Prop]) {
        for prop in props {
            self.prop(prop);
        }
    }

    fn prop(&mut self, prop: &Prop) {
        self.word(&prop.name, Paint::Keyword);
        for value in &prop.values {
            match &value.kind {
                // `flows 1M idle 15m`: what means nothing else is a word of the line.
                ExprKind::Path(path) if path.tail.is_empty() && !self.means(&path.head) => {
                    self.word(&path.head, Paint::Keyword);
                }
                ExprKind::Path(_)
                | ExprKind::Lit(_)
                | ExprKind::Set(_)
                | ExprKind::Unary(..)
                | ExprKind::Binary(_)
                | ExprKind::Tuple(_) => self.expr(value),
            }
        }
    }

    fn means(&self, name: &Name) -> bool {
        self.globals.contains_key(&name.text) || named(&ROOTS, &name.text).is_some()
    }

    fn set(&mut self, set: &Set) {
        self.ty(&set.ty);
        for entry in &set.entries {
            match entry {
                SetEntry::Member(member) => self.expr(member),
                SetEntry::File(_) | SetEntry::Capacity(_) => {}
            }
        }
    }

    fn table(&mut self, table: &Table) {
        for line in &table.lines {
            match line {
                TableLine::Key(keys) => self.exprs(keys.iter().map(|key| &key.value)),
                TableLine::Value(columns) => {
                    for column in columns {
                        self.ty(&column.ty);
                    }
                }
                TableLine::Entries(entries) => {
                    for entry in entries {
                        self.patterns(&entry.patterns);
                        self.exprs(&entry.values);
                    }
                }
                TableLine::Prop(prop) => self.prop(prop),
            }
        }
    }

    fn counter(&mut self, counter: &Counter) {
        self.exprs(&counter.by);
    }

    fn header(&mut self, header: &Header) {
        let mut before = Vec::new();
        for name in &header.after {
            let Some(id) = self.global(name) else {
                continue;
            };
            match self.index.symbol(id).map(|symbol| &symbol.value) {
                Some(Value::Group(members)) => before.extend(members.iter().copied()),
                Some(_) => before.push(id),
                None => {}
            }
        }
        let own: Vec<SymbolId> = self
            .globals
            .get(&header.name.text)
            .copied()
            .into_iter()
            .collect();
        self.bare = before;
        self.exprs(header.when.as_ref());
        self.bare = own;
        for line in &header.lines {
            match line {
                HeaderLine::Field(field) => self.ty(&field.ty),
                HeaderLine::Size(expr) | HeaderLine::Valid(expr) => self.expr(expr),
                HeaderLine::Checksum(rule) => self.known(rule, &CHECKSUMS),
                HeaderLine::Let(computed) => {
                    if let Some(ty) = &computed.ty {
                        self.ty(ty);
                    }
                    self.expr(&computed.value);
                }
            }
        }
        self.bare.clear();
    }

    fn block(&mut self, block: &Block) {
        self.scoped(|own| {
            for stmt in &block.stmts {
                own.stmt(stmt, block.span);
            }
        });
    }

    /// A statement; what it declares is seen to the end of `block`.
    fn stmt(&mut self, stmt: &Stmt, block: Span) {
        match &stmt.kind {
            StmtKind::Match(found) => self.match_(found),
            StmtKind::Switch(found) => self.switch(found),
            StmtKind::Let(found) => self.let_(found, block),
            StmtKind::Select(found) => self.select(found, stmt.span, block),
            StmtKind::Assign(found) => {
                self.path(&found.target);
                self.expr(&found.value);
            }
            StmtKind::Push(found) => {
                let header = self.global(&found.header);
                let value = header.map_or(Value::Plain, Value::Of);
                for field in &found.fields {
                    self.field(&value, &field.name);
                    self.expr(&field.value);
                }
            }
            StmtKind::Pop(found) => {
                self.global(&found.header);
            }
            StmtKind::Count(found) => {
                self.global(&found.counter);
                self.exprs(&found.cell);
            }
            StmtKind::Log(_) | StmtKind::Pass | StmtKind::Answer => {}
            StmtKind::Call(found) => {
                self.global(&found.action);
                self.exprs(&found.args);
            }
            StmtKind::Drop(found) => {
                if let Some(reason) = &found.reason {
                    self.reason(reason);
                }
            }
            StmtKind::Send(found) => {
                self.path(&found.to);
            }
        }
    }

    fn match_(&mut self, found: &Match) {
        for branch in &found.branches {
            self.expr(&branch.condition);
            self.block(&branch.block);
        }
        if let Some(block) = &found.otherwise {
            self.block(block);
        }
    }

    fn switch(&mut self, found: &Switch) {
        self.expr(&found.value);
        for arm in &found.arms {
            self.patterns(&arm.patterns);
            self.exprs(arm.guard.as_ref());
            self.block(&arm.block);
        }
    }

    fn let_(&mut self, found: &Let, block: Span) {
        if let Some(ty) = &found.ty {
            self.ty(ty);
        }
        self.expr(&found.value);
        self.local(&found.name, Kind::Variable, found.span, block, Value::Plain);
    }

    fn select(&mut self, found: &Select, whole: Span, block: Span) {
        let from = self.global(&found.from);
        if let Some(id) = &found.id {
            self.index.note(id.word, Meaning::Builtin(&BY_ID));
            self.expr(&id.value);
        }
        self.exprs(&found.by);
        if let Some(block) = &found.otherwise {
            self.block(block);
        }
        let value = match from {
            Some(id) if self.index.is_a(id, Kind::Pool) => Value::Backend,
            Some(id) => Value::Of(id),
            None => Value::Plain,
        };
        self.local(&found.name, Kind::Choice, whole, block, value);
    }

    /// The reason of a `drop`: the first one declares it.
    fn reason(&mut self, name: &Name) {
        if let Some(id) = self.reasons.get(&name.text) {
            let meaning = Meaning::Symbols(vec![*id]);
            self.index.note(name.span, meaning);
            return;
        }
        let id = self.index.declare(name, Kind::Reason, name.span);
        self.reasons.insert(name.text.clone(), id);
    }
}
