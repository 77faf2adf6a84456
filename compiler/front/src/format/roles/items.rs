//! The roles of what stands in declarations.

use super::{Role, Roles};
use crate::format::tree::Column;
use crate::source::Span;
use crate::syntax::ast::{
    Condition, HeaderLine, Item, LayerArg, LayerKind, Let, Pool, PoolLine, Prop, Set, SetEntry,
    Table, TableLine, Test, TestLineKind, Typed, Verdict,
};

impl Roles<'_> {
    pub(super) fn item(&mut self, item: &Item) {
        match item {
            Item::Use(_) | Item::Group(_) => {}
            Item::Const(item) => self.expr(&item.value),
            Item::Interface(item) => self.props(&item.props),
            Item::Pool(item) => self.pool(item),
            Item::Set(item) => self.set(item),
            Item::Table(item) => self.table(item),
            Item::Meter(item) => self.props(&item.props),
            Item::Counter(item) => self.exprs(&item.by),
            Item::Header(item) => {
                if let Some(when) = &item.when {
                    self.expr(when);
                }
                for line in &item.lines {
                    self.header_line(line);
                }
            }
            Item::Fn(item) => {
                self.params(item.name.span, &item.params);
                self.ty(&item.ty);
                for step in &item.lets {
                    self.step(step);
                }
                self.expr(&item.value);
            }
            Item::Action(item) => {
                self.params(item.name.span, &item.params);
                self.block(&item.block);
            }
            Item::Target(item) => self.props(&item.props),
            Item::Test(item) => self.test(item),
            Item::Stmt(stmt) => self.stmt(stmt),
        }
    }

    fn props(&mut self, props: &[Prop]) {
        for prop in props {
            self.exprs(&prop.values);
        }
    }

    fn params(&mut self, name: Span, params: &[Typed]) {
        self.mark(self.behind(name), Role::Call);
        for param in params {
            self.ty(&param.ty);
        }
    }

    pub(super) fn step(&mut self, step: &Let) {
        if let Some(ty) = &step.ty {
            self.ty(ty);
        }
        self.expr(&step.value);
    }

    fn header_line(&mut self, line: &HeaderLine) {
        match line {
            HeaderLine::Field(field) => self.ty(&field.ty),
            HeaderLine::Size(expr) | HeaderLine::Valid(expr) => self.expr(expr),
            HeaderLine::Checksum(_) => {}
            HeaderLine::Let(step) => self.step(step),
        }
    }

    fn pool(&mut self, pool: &Pool) {
        for line in &pool.lines {
            match line {
                PoolLine::Scheduler(line) => {
                    self.begin(self.from(line.name.span.start), Column::Rest);
                    self.exprs(&line.by);
                }
                PoolLine::Backend(line) => {
                    if let Some(name) = &line.name {
                        self.begin(self.from(name.span.start), Column::Name);
                    }
                    self.begin(self.from(line.address.span.start), Column::Address);
                    for option in &line.options {
                        self.begin(self.from(option.span.start), Column::Option);
                        if let Some(value) = &option.value {
                            self.expr(value);
                        }
                    }
                }
                PoolLine::Prop(prop) => {
                    if let Some(first) = prop.values.first() {
                        self.begin(self.from(first.span.start), Column::Rest);
                    }
                    self.exprs(&prop.values);
                }
            }
        }
    }

    fn set(&mut self, set: &Set) {
        self.ty(&set.ty);
        self.mark(self.behind(set.ty.span), Role::Entries);
        for entry in &set.entries {
            match entry {
                SetEntry::Member(expr) => self.expr(expr),
                SetEntry::File(_) | SetEntry::Capacity(_) => {}
            }
        }
    }

    fn table(&mut self, table: &Table) {
        for line in &table.lines {
            match line {
                TableLine::Key(keys) => {
                    for key in keys {
                        self.expr(&key.value);
                    }
                }
                TableLine::Value(values) => {
                    for value in values {
                        self.ty(&value.ty);
                    }
                }
                TableLine::Entries(entries) => {
                    for entry in entries {
                        if let Some(last) = entry.patterns.last() {
                            self.begin(self.behind(last.span), Column::Arrow);
                        }
                        self.exprs(&entry.values);
                    }
                }
                TableLine::Prop(prop) => self.exprs(&prop.values),
            }
        }
    }

    fn test(&mut self, test: &Test) {
        for line in &test.lines {
            let word = self.from(line.span.start);
            if let Some(word) = self.tokens.get(word) {
                self.begin(self.behind(word.span), Column::Rest);
            }
            match &line.kind {
                TestLineKind::Send(packet) => {
                    for layer in &packet.layers {
                        self.layer(&layer.kind);
                    }
                }
                TestLineKind::Expect(expected) => {
                    match &expected.verdict {
                        Verdict::Send(send) => self.path(&send.to),
                        Verdict::Drop(_) | Verdict::Pass => {}
                    }
                    self.conditions(&expected.conditions);
                }
                TestLineKind::Add { to, key, values } => {
                    self.path(to);
                    self.exprs(key);
                    self.exprs(values);
                }
                TestLineKind::Backend { .. }
                | TestLineKind::SameBackend
                | TestLineKind::Advance(_)
                | TestLineKind::Replay(_) => {}
            }
        }
    }

    fn layer(&mut self, layer: &LayerKind) {
        let LayerKind::Header { ends, args, .. } = layer else {
            return;
        };
        if let Some(ends) = ends {
            self.expr(&ends.0);
            self.expr(&ends.1);
        }
        for arg in args {
            match arg {
                LayerArg::Field(name, value) => {
                    self.mark(self.behind(name.span), Role::Field);
                    self.expr(value);
                }
                LayerArg::Word(_) | LayerArg::Value(_) => {}
            }
        }
    }

    fn conditions(&mut self, conditions: &[Condition]) {
        let exprs = conditions.iter().map(|condition| match condition {
            Condition::Holds(expr) | Condition::Unchanged(expr) => expr,
        });
        for (index, expr) in exprs.enumerate() {
            if index == 0 {
                self.mark(self.before(expr.span), Role::List);
            }
            self.expr(expr);
        }
    }
}
