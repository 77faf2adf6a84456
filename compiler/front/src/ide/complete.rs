//! What may be written at a place.

use std::collections::BTreeMap;

use lvsc_abi::options::{MODES, TARGETS};

use super::builtin::{
    BY_ID, Builtin, CHECKSUMS, INTERFACE_LINES, NETS, PARAMETERS, ROOTS, SCHEDULERS, STATES, TYPES,
    named,
};
use super::context::{Block, Context};
use super::member::Member;
use super::symbol::Value;
use super::{Index, Kind, Meaning, Paint, Symbol};
use crate::source::{FileId, Span};
use crate::syntax::parse::{
    BACKEND_FLAGS, BACKEND_VALUES, HEADER_LINES, ITEMS, POOL_LINES, STATEMENTS, TEST_LINES,
};
use crate::syntax::token::Sym;

/// A word that may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub name: String,
    /// What it is.
    pub sort: Sort,
    /// In a few words, what it means.
    pub detail: String,
    /// Its comment.
    pub docs: String,
}

/// What a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A word of the grammar.
    Word,
    /// A name that was declared.
    Declared(Kind),
    /// A name that the language has.
    Builtin(Paint),
}

/// Operators that are words.
const OPERATORS: [&str; 4] = ["and", "or", "in", "not in"];
/// What an `expect` begins with.
const VERDICTS: [&str; 4] = ["drop", "pass", "send", "same backend"];
/// What a header says before its block.
const HEADER_HEAD: [&str; 3] = ["after", "when", "max"];
/// What a meter says.
const METER_LINES: [&str; 4] = ["key", "rate", "burst", "capacity"];
/// What a table says.
const TABLE_LINES: [&str; 4] = ["key", "value", "entries", "capacity"];
/// Kinds of a table's key.
const KEY_KINDS: [&str; 4] = ["exact", "lpm", "ternary", "range"];

/// Names that can be written where a value is expected.
fn is_value(kind: Kind) -> bool {
    match kind {
        Kind::Constant
        | Kind::Interface
        | Kind::Pool
        | Kind::Set
        | Kind::Meter
        | Kind::Header
        | Kind::Group
        | Kind::Function
        | Kind::Parameter
        | Kind::Variable
        | Kind::Choice => true,
        Kind::Backend
        | Kind::Table
        | Kind::Column
        | Kind::Counter
        | Kind::Field
        | Kind::Computed
        | Kind::Action
        | Kind::Reason => false,
    }
}

/// Names that can begin a statement, as an action or as what is assigned to.
fn begins_statement(kind: Kind) -> bool {
    matches!(kind, Kind::Action | Kind::Header | Kind::Group)
}

struct List<'a> {
    index: &'a Index,
    file: FileId,
    offset: usize,
    found: BTreeMap<String, Candidate>,
}

impl Index {
    /// What may be written at a place, by name; the word that is being written there plays no part.
    pub fn complete(&self, file: FileId, offset: usize) -> Vec<Candidate> {
        let Some(context) = Context::at(file, self.sources.text(file), offset) else {
            return Vec::new();
        };
        let mut list = List {
            index: self,
            file,
            offset,
            found: BTreeMap::new(),
        };
        if context.last_sym() == Some(Sym::Dot) {
            list.behind_dot(&context);
        } else if context.statement().is_empty() {
            list.first_words(&context);
        } else {
            list.inside(&context);
        }
        list.found.into_values().collect()
    }
}

impl List<'_> {
    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.add((*word).to_owned(), Sort::Word, String::new(), String::new());
        }
    }

    fn builtins(&mut self, table: &'static [Builtin]) {
        for found in table {
            let sort = Sort::Builtin(found.paint);
            self.add(
                found.name.to_owned(),
                sort,
                found.docs.to_owned(),
                String::new(),
            );
        }
    }

    fn add(&mut self, name: String, sort: Sort, detail: String, docs: String) {
        let candidate = Candidate {
            name: name.clone(),
            sort,
            detail,
            docs,
        };
        self.found.entry(name).or_insert(candidate);
    }

    fn symbol(&mut self, symbol: &Symbol) {
        let detail = self.index.first_line(symbol.whole).to_owned();
        let docs = self.index.comment(symbol.whole);
        self.add(
            symbol.name.clone(),
            Sort::Declared(symbol.kind),
            detail,
            docs,
        );
    }

    /// All names of the top level, and the local ones that are seen here, of these kinds.
    fn symbols(&mut self, kinds: impl Fn(Kind) -> bool) {
        let index = self.index;
        for symbol in &index.symbols {
            let part = matches!(
                symbol.kind,
                Kind::Backend | Kind::Column | Kind::Field | Kind::Computed
            );
            let seen = symbol.seen.is_none_or(|seen| self.is_in(seen));
            if kinds(symbol.kind) && seen && !part {
                self.symbol(symbol);
            }
        }
    }

    /// Whether the place is in this part of the text; its end counts.
    fn is_in(&self, part: Span) -> bool {
        let offset = self.offset as u32;
        part.file == self.file && (part.start..=part.end).contains(&offset)
    }

    /// The symbol of this name that is seen here.
    fn seen(&self, name: &str) -> Option<&Symbol> {
        let mut found = self
            .index
            .symbols
            .iter()
            .filter(|symbol| symbol.name == name);
        let local = found
            .clone()
            .rfind(|symbol| symbol.seen.is_some_and(|seen| self.is_in(seen)));
        let global = |symbol: &&Symbol| {
            symbol.seen.is_none() && symbol.parent.is_none() && symbol.kind != Kind::Reason
        };
        local.or_else(|| found.find(global))
    }

    fn value_of(&self, name: &str) -> Value {
        let root = named(&ROOTS, name).map(|found| found.value.clone());
        let declared = self.seen(name).map(|symbol| symbol.value.clone());
        declared.or(root).unwrap_or(Value::Plain)
    }

    fn members(&mut self, value: &Value) {
        for member in self.index.members(value) {
            self.member(member);
        }
    }

    fn member(&mut self, member: Member) {
        match member.meaning {
            Meaning::Symbols(ids) => {
                if let Some(symbol) = ids.first().and_then(|id| self.index.symbol(*id)) {
                    self.symbol(symbol);
                }
            }
            Meaning::Builtin(found) => {
                let sort = Sort::Builtin(found.paint);
                self.add(member.name, sort, found.docs.to_owned(), String::new());
            }
            Meaning::Word(_) | Meaning::Nothing => {}
        }
    }

    fn behind_dot(&mut self, context: &Context) {
        let Some(path) = context.path() else { return };
        let Some((head, fields)) = path.split_first() else {
            return;
        };
        let mut value = self.value_of(head);
        let named_by_test = context.block == Block::Test && context.first() == "backend";
        if named_by_test && let Value::Of(pool) = value {
            for part in self.index.parts(pool) {
                self.member(part);
            }
            return;
        }
        for field in fields {
            let member = self.index.member(&value, field);
            value = member.map_or(Value::Plain, |member| member.value);
        }
        self.members(&value);
    }

    fn first_words(&mut self, context: &Context) {
        match &context.block {
            Block::Top => {
                self.words(&ITEMS);
                self.statements();
            }
            Block::Arms if context.line.is_empty() => {
                self.words(&["_"]);
                self.symbols(|kind| matches!(kind, Kind::Constant | Kind::Set));
            }
            Block::Statements | Block::Arms => self.statements(),
            Block::Pool => self.words(&POOL_LINES),
            Block::Header(_) => self.words(&HEADER_LINES),
            Block::Test => self.words(&TEST_LINES),
            Block::Interface => self.builtins(&INTERFACE_LINES),
            Block::Target(target) => {
                let options = TARGETS.iter().find(|(name, _)| name == target);
                self.words(options.map_or(&[], |(_, options)| options));
            }
            Block::Meter => self.words(&METER_LINES),
            Block::Table => self.words(&TABLE_LINES),
            Block::Set => {
                self.words(&["file", "capacity"]);
                self.symbols(|kind| kind == Kind::Constant);
            }
            Block::Function => {
                self.words(&["let"]);
                self.values();
            }
            Block::Push(header) => {
                let value = self.value_of(header);
                self.members(&value);
            }
            Block::Entries | Block::Conditions | Block::Literal => self.values(),
        }
    }

    fn statements(&mut self) {
        self.words(&STATEMENTS);
        self.symbols(begins_statement);
    }

    fn values(&mut self) {
        self.words(&["not"]);
        self.builtins(&ROOTS);
        self.symbols(is_value);
    }

    fn interfaces(&mut self) {
        self.symbols(|kind| matches!(kind, Kind::Interface | Kind::Choice | Kind::Parameter));
        let (ingress, _) = ROOTS.split_at(1);
        self.builtins(ingress);
    }

    /// Behind the first word of a line.
    fn inside(&mut self, context: &Context) {
        let behind = context.last_text();
        match (&context.block, context.first()) {
            (Block::Top, "header") => self.header(context),
            (Block::Top, "group") => self.symbols(|kind| kind == Kind::Header),
            (Block::Top, "target") if behind == "target" => {
                self.words(&TARGETS.map(|(name, _)| name));
            }
            (
                Block::Top,
                "const" | "pool" | "interface" | "use" | "counter" | "table" | "meter",
            ) if context.line.len() == 1 => {} // a new name
            (Block::Top, "counter") if behind != "by" => self.words(&["by", "capacity"]),
            (Block::Top, "action" | "fn") if context.last_sym() == Some(Sym::Colon) => {
                self.builtins(&PARAMETERS);
                self.builtins(&TYPES);
            }
            (Block::Top, "fn") if context.last_sym() == Some(Sym::Arrow) => self.builtins(&TYPES),
            (Block::Target(_), "mode") if behind == "mode" => self.words(&MODES),
            // Other values are known to the author alone.
            (Block::Interface, _) if named(&INTERFACE_LINES, behind).is_none() => {
                self.builtins(&INTERFACE_LINES);
            }
            (Block::Target(_) | Block::Interface, _) => {}
            (Block::Header(_), "checksum") => self.builtins(&CHECKSUMS),
            (Block::Header(_), _) if context.last_sym() == Some(Sym::Colon) => {
                self.builtins(&TYPES);
            }
            (Block::Header(header), first) => {
                let (header, is_let) = (self.value_of(header), first == "let");
                self.computed(&header, is_let, context);
            }
            (Block::Pool, "scheduler") if behind == "scheduler" => self.builtins(&SCHEDULERS),
            (Block::Pool, "scheduler") if behind != "by" => self.words(&["by"]),
            (Block::Pool, "backend") => self.backend(context),
            (Block::Pool, "flows") if behind == "flows" => self.words(&["off", "auto"]),
            (Block::Pool, "flows") => self.words(&["idle"]),
            (Block::Pool, "fragments") if behind == "fragments" => {
                self.words(&["follow", "drop", "pass"]);
            }
            (Block::Pool, "fragments") => self.words(&["for"]),
            (Block::Pool, "persist") if behind != "persist" => self.words(&["mask", "mask6"]),
            (Block::Table, "key") if context.last_sym().is_none() && behind != "key" => {
                self.words(&KEY_KINDS);
            }
            (Block::Table, "value") | (Block::Top, "set")
                if context.last_sym() == Some(Sym::Colon) =>
            {
                self.builtins(&TYPES);
                if context.block == Block::Top {
                    self.builtins(&NETS);
                }
            }
            (Block::Test, first) => {
                let first = first.to_owned();
                self.test(&first, context);
            }
            (Block::Top | Block::Statements | Block::Arms, _) => self.statement(context),
            _ => self.expression(context),
        }
    }

    /// What a header computes from its own fields; a `let` may read others too.
    fn computed(&mut self, header: &Value, is_let: bool, context: &Context) {
        if is_let && context.line.len() == 1 {
            return; // a new name
        }
        if !expects_operand(context) {
            self.words(&OPERATORS);
            return;
        }
        self.members(header);
        if is_let {
            self.values();
        }
    }

    fn header(&mut self, context: &Context) {
        let headers = |kind| matches!(kind, Kind::Header | Kind::Group);
        let when = context.line.iter().position(|word| word.text == "when");
        match context.last_text() {
            "header" => {} // a new name
            "after" => self.symbols(headers),
            _ if when.is_some() => self.when(context),
            _ if context.last_sym() == Some(Sym::Comma) => self.symbols(headers),
            _ => self.words(&HEADER_HEAD),
        }
    }

    /// The condition of a header: on the fields of the ones before it.
    fn when(&mut self, context: &Context) {
        if !expects_operand(context) {
            self.words(&OPERATORS);
            self.words(&["max"]);
            return;
        }
        let words = context.line.iter();
        let words = words.skip_while(|word| word.text != "after").skip(1);
        let before = words.take_while(|word| word.text != "when");
        let before: Vec<String> = before.map(|word| word.text.clone()).collect();
        for header in &before {
            let value = self.value_of(header);
            self.members(&value);
        }
    }

    fn backend(&mut self, context: &Context) {
        match context.last_text() {
            "via" => self.symbols(|kind| kind == Kind::Interface),
            "backend" => self.symbols(|kind| kind == Kind::Constant),
            word if BACKEND_VALUES.contains(&word) => {}
            _ => {
                self.words(&BACKEND_VALUES);
                self.words(&BACKEND_FLAGS);
            }
        }
    }

    fn test(&mut self, first: &str, context: &Context) {
        let headers = |kind| matches!(kind, Kind::Header | Kind::Group);
        let pools = |kind| kind == Kind::Pool;
        match (first, context.last_text()) {
            ("send", "send") => self.symbols(headers),
            ("send", _) if context.last_sym() == Some(Sym::Slash) => self.symbols(headers),
            ("send", "on") => self.symbols(|kind| kind == Kind::Interface),
            ("send", _) => {
                self.symbols(|kind| kind == Kind::Constant);
                self.words(&["on"]);
            }
            ("expect", "expect") => self.words(&VERDICTS),
            ("expect", "send") => self.interfaces(),
            ("expect", "drop") => self.symbols(|kind| kind == Kind::Reason),
            ("expect", "same") => self.words(&["backend"]),
            ("backend", "backend") => self.symbols(pools),
            ("backend", _) => self.builtins(&STATES),
            _ => {}
        }
    }

    fn statement(&mut self, context: &Context) {
        let words = context.statement().len();
        match (context.first(), context.last_text()) {
            ("select" | "let", "select" | "let") | ("log", _) => {}
            ("select", "from") => {
                self.symbols(|kind| matches!(kind, Kind::Pool | Kind::Table));
            }
            ("select", _) if words == 2 => self.words(&["from"]),
            ("select", name) if words >= 4 && !name.is_empty() && name != "by" => {
                self.words(&["by", "else"]);
            }
            ("select", "by") => {
                self.builtins(std::slice::from_ref(&BY_ID));
                self.values();
            }
            ("send", "send") => self.interfaces(),
            ("drop", "drop") => self.symbols(|kind| kind == Kind::Reason),
            ("count", "count") => self.symbols(|kind| kind == Kind::Counter),
            ("push" | "pop", "push" | "pop") => self.symbols(|kind| kind == Kind::Header),
            ("let", _) if context.last_sym() == Some(Sym::Colon) => self.builtins(&TYPES),
            _ if context.last_sym() == Some(Sym::RightBrace) => self.words(&["else"]),
            (_, "else") => self.words(&["match"]),
            _ => self.expression(context),
        }
    }

    fn expression(&mut self, context: &Context) {
        if expects_operand(context) {
            self.values();
        } else {
            self.words(&OPERATORS);
        }
    }
}

/// Whether an operand is to come, and not an operator.
fn expects_operand(context: &Context) -> bool {
    let words = [
        "match", "switch", "by", "in", "and", "or", "not", "if", "when", "size", "valid", "key",
    ];
    match context.last_sym() {
        Some(sym) => !matches!(sym, Sym::RightParen | Sym::RightBracket | Sym::RightBrace),
        None => context.last().is_none() || words.contains(&context.last_text()),
    }
}
