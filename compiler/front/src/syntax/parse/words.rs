//! The first words of lines, for dispatch and for "did you mean".

use super::fault::{Parsed, found, give_up, give_up_silently};
use super::stream::Tokens;
use super::terminal::is_line_end;
use crate::diagnostics::{Code, Diagnostic, nearest};
use crate::syntax::token::TokenKind;

/// What begins a declaration.
pub const ITEMS: [&str; 14] = [
    "use",
    "const",
    "interface",
    "pool",
    "set",
    "table",
    "meter",
    "counter",
    "header",
    "group",
    "fn",
    "action",
    "target",
    "test",
];

/// What begins a statement, calls and assignments aside.
pub const STATEMENTS: [&str; 12] = [
    "match", "switch", "let", "select", "push", "pop", "count", "log", "drop", "pass", "send",
    "answer",
];

/// What begins a line of a pool.
pub const POOL_LINES: [&str; 10] = [
    "scheduler",
    "backend",
    "flows",
    "timeout",
    "fragments",
    "slow_start",
    "persist",
    "check",
    "quorum",
    "capacity",
];

/// Options of a backend that have a value.
pub const BACKEND_VALUES: [&str; 6] = ["weight", "mac", "via", "id", "limit", "reopen"];

/// Options of a backend that stand alone.
pub const BACKEND_FLAGS: [&str; 2] = ["drain", "backup"];

/// What begins a line of a header, fields aside.
pub const HEADER_LINES: [&str; 4] = ["size", "valid", "checksum", "let"];

/// What begins a line of a test.
pub const TEST_LINES: [&str; 6] = ["send", "expect", "add", "backend", "advance", "replay"];

/// Words inside of lines.
pub const INNER: [&str; 23] = [
    "after",
    "and",
    "by",
    "default",
    "else",
    "entries",
    "exact",
    "file",
    "from",
    "if",
    "in",
    "key",
    "lpm",
    "max",
    "not",
    "on",
    "or",
    "range",
    "same",
    "ternary",
    "unchanged",
    "value",
    "when",
];

/// Every word that is a keyword somewhere, each once, sorted.
pub fn keywords() -> Vec<&'static str> {
    let tables: [&[&str]; 8] = [
        &ITEMS,
        &STATEMENTS,
        &POOL_LINES,
        &BACKEND_VALUES,
        &BACKEND_FLAGS,
        &HEADER_LINES,
        &TEST_LINES,
        &INNER,
    ];
    let mut words = tables.concat();
    words.sort_unstable();
    words.dedup();
    words
}

/// Gives the line up because of its first word; `what` is "a statement", "a line of a pool".
pub fn unknown<'a, O>(i: Tokens<'a>, what: &str, known: &[&[&str]]) -> Parsed<'a, O> {
    if i.first()
        .is_some_and(|token| token.kind == TokenKind::Unknown)
    {
        return give_up_silently(i);
    }
    give_up(i, || unknown_word(i, what, &known.concat()))
}

/// What statements are called elsewhere, and here.
const ELSEWHERE: [(&str, &str); 7] = [
    ("if", "match"),
    ("when", "match"),
    ("accept", "pass"),
    ("allow", "pass"),
    ("deny", "drop"),
    ("reject", "drop"),
    ("discard", "drop"),
];

fn unknown_word(i: Tokens<'_>, what: &str, known: &[&str]) -> Diagnostic {
    let Some(word) = i.name_at(0) else {
        let message = format!("expected {what}, found {}", found(i));
        return Diagnostic::error(Code::UnexpectedToken, message, i.span())
            .label(format!("expected {what}"));
    };
    let message = format!("`{word}` begins no {}", what.trim_start_matches("a "));
    let error = Diagnostic::error(Code::UnknownKeyword, message, i.span());
    let is_call = what == "a statement"
        && (i.name_at(1).is_some() || i.nth(1).is_none_or(|next| is_line_end(&next.kind)));
    let here = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == word);
    if let Some((_, here)) = here.filter(|(_, here)| known.contains(here)) {
        return error.suggest(format!("the word for it is `{here}`"), i.span(), *here);
    }
    match nearest(word, known.iter().copied()) {
        None if is_call => error.note(format!(
            "an action has its arguments in parentheses: `{word}(..)`"
        )),
        Some(near) => error.similar("a word with a similar name exists", i.span(), word, near),
        None => error.note(format!("known are {}", known.join(", "))),
    }
}

/// The diagnostic of a property that `of` ("a pool") does not have.
pub fn unknown_property(i: Tokens<'_>, of: &str, known: &[&str]) -> Diagnostic {
    let word = i.name_at(0).unwrap_or("");
    let message = format!("{of} has no property `{word}`");
    let error = Diagnostic::error(Code::UnknownProperty, message, i.span());
    match nearest(word, known.iter().copied()) {
        Some(near) => error.similar(
            "a property with a similar name exists",
            i.span(),
            word,
            near,
        ),
        None => error.note(format!("known are {}", known.join(", "))),
    }
}
