//! What may be said once: a property of a pool, of a backend or of a header, the name of a parameter, of a computed field,
//! of a test. The second one would be ignored, or the first.

use std::collections::BTreeMap;

use super::Checker;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{HeaderLine, Item, PoolLine, Typed};

/// What was said so far, and where.
pub(super) type Said<'a> = BTreeMap<&'a str, Span>;

impl<'a> Checker<'a> {
    /// Reports all that is said twice.
    pub(super) fn once(&mut self, items: &[&'a Item]) {
        let mut tests = Said::new();
        for item in items {
            match item {
                Item::Pool(pool) => self.pool_lines(&pool.lines),
                Item::Header(header) => self.header_lines(&header.lines),
                Item::Action(action) => self.params(&action.params),
                Item::Fn(function) => self.params(&function.params),
                Item::Test(test) => self.name_once(&mut tests, &test.name.value, test.name.span),
                Item::Interface(_) // its properties may share a line: see `interface`
                | Item::Use(_)
                | Item::Const(_)
                | Item::Set(_)
                | Item::Table(_)
                | Item::Meter(_)
                | Item::Counter(_)
                | Item::Group(_)
                | Item::Target(_) // and those of several blocks: see `targets`
                | Item::Stmt(_) => {}
            }
        }
    }

    fn pool_lines(&mut self, lines: &'a [PoolLine]) {
        let mut said = Said::new();
        for line in lines {
            match line {
                PoolLine::Scheduler(line) => {
                    self.property_once(&mut said, "scheduler", line.span);
                }
                PoolLine::Prop(prop) => {
                    self.property_once(&mut said, &prop.name.text, prop.span);
                }
                PoolLine::Backend(line) => {
                    let mut said = Said::new();
                    for option in &line.options {
                        self.property_once(&mut said, &option.name.text, option.span);
                    }
                }
            }
        }
    }

    fn header_lines(&mut self, lines: &'a [HeaderLine]) {
        let (mut said, mut fields) = (Said::new(), Said::new());
        // Fields first: a `let` may stand before a field of its name.
        for line in lines {
            if let HeaderLine::Field(field) = line {
                self.name_once(&mut fields, &field.name.text, field.name.span);
            }
        }
        for line in lines {
            match line {
                HeaderLine::Field(_) => {}
                HeaderLine::Size(size) => self.property_once(&mut said, "size", size.span),
                HeaderLine::Valid(valid) => self.property_once(&mut said, "valid", valid.span),
                HeaderLine::Checksum(rule) => self.property_once(&mut said, "checksum", rule.span),
                HeaderLine::Let(computed) => {
                    self.name_once(&mut fields, &computed.name.text, computed.name.span);
                }
            }
        }
    }

    fn params(&mut self, params: &'a [Typed]) {
        let mut said = Said::new();
        for param in params {
            self.name_once(&mut said, &param.name.text, param.name.span);
        }
    }

    /// A property, which has one value.
    pub(super) fn property_once(&mut self, said: &mut Said<'a>, word: &'a str, span: Span) {
        self.word_once(said, word, span, Code::DuplicateProperty, "is said twice");
    }

    fn name_once(&mut self, said: &mut Said<'a>, name: &'a str, span: Span) {
        self.word_once(said, name, span, Code::DuplicateName, "is declared twice");
    }

    fn word_once(
        &mut self,
        said: &mut Said<'a>,
        word: &'a str,
        span: Span,
        code: Code,
        what: &str,
    ) {
        if let Some(first) = said.get(word) {
            self.report(
                Diagnostic::error(code, format!("`{word}` {what}"), span)
                    .label("again")
                    .secondary(*first, "first here"),
            );
            return;
        }
        said.insert(word, span);
    }
}
