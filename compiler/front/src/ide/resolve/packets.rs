//! The names in `test` blocks: packets as sentences, and what is expected of them.

use super::Resolver;
use crate::ide::builtin::STATES;
use crate::ide::symbol::Value;
use crate::ide::{Meaning, Paint};
use crate::syntax::ast::{
    Condition, Drop, Expectation, Layer, LayerArg, LayerKind, Name, Path, Segment, Test,
    TestLineKind, Verdict,
};

impl Resolver<'_> {
    pub(super) fn test(&mut self, test: &Test) {
        self.locals.clear();
        for line in &test.lines {
            match &line.kind {
                TestLineKind::Send(packet) => {
                    for layer in &packet.layers {
                        self.layer(layer);
                    }
                    if let Some(on) = &packet.on {
                        self.global(on);
                    }
                }
                TestLineKind::Expect(expectation) => self.expectation(expectation),
                TestLineKind::SameBackend | TestLineKind::Advance(_) | TestLineKind::Replay(_) => {}
                TestLineKind::Add { to, key, values } => {
                    self.path(to);
                    self.exprs(key);
                    self.exprs(values);
                }
                TestLineKind::Backend { backend, state } => self.state(backend, state),
            }
        }
    }

    fn layer(&mut self, layer: &Layer) {
        let LayerKind::Header { name, ends, args } = &layer.kind else {
            return;
        };
        let header = self.globals.get(&name.text).copied();
        let value = header.and_then(|id| self.index.symbol(id));
        let value = value.map_or(Value::Plain, |symbol| symbol.value.clone());
        match header {
            Some(id) => self.index.note(name.span, Meaning::Symbols(vec![id])),
            None => self.word(name, Paint::Type), // the notation knows more headers than the prelude: `arp`
        }
        if let Some(ends) = ends {
            self.exprs([&ends.0, &ends.1]);
        }
        for arg in args {
            match arg {
                LayerArg::Field(name, expr) => {
                    if self.index.member(&value, &name.text).is_some() {
                        self.field(&value, name);
                    } else {
                        self.word(name, Paint::Property);
                    }
                    self.expr(expr);
                }
                LayerArg::Word(name) => self.word(name, Paint::Property),
                LayerArg::Value(_) => {}
            }
        }
    }

    fn expectation(&mut self, expectation: &Expectation) {
        match &expectation.verdict {
            Verdict::Drop(Drop { reason }) => {
                if let Some(reason) = reason {
                    let found = self.reasons.get(&reason.text).copied();
                    let meaning = found.map_or(Meaning::Word(Paint::Property), |id| {
                        Meaning::Symbols(vec![id])
                    });
                    self.index.note(reason.span, meaning);
                }
            }
            Verdict::Pass => {}
            Verdict::Send(send) => {
                self.path(&send.to);
            }
        }
        for condition in &expectation.conditions {
            match condition {
                Condition::Holds(expr) | Condition::Unchanged(expr) => self.expr(expr),
            }
        }
    }

    /// `backend web.rs1 down`.
    fn state(&mut self, backend: &Path, state: &Name) {
        let pool = self.global(&backend.head);
        let parts = pool.map_or_else(Vec::new, |pool| self.index.parts(pool));
        for segment in &backend.tail {
            if let Segment::Field(name) = segment {
                let found = parts.iter().find(|part| part.name == name.text);
                let meaning = found.map_or(Meaning::Nothing, |part| part.meaning.clone());
                self.index.note(name.span, meaning);
            }
        }
        self.known(state, &STATES);
    }
}
