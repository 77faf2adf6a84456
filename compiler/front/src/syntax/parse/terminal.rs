//! The smallest parsers: one token each, and the guard against nesting.

use nom::Input;

use super::fault::{Parsed, Want, give_up, miss};
use super::stream::Tokens;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Lit, LitKind, Name, Text};
use crate::syntax::token::{Sym, TokenKind};

/// Blocks and expressions inside one another; a stack of 2 MiB takes several times as many.
pub const MAX_DEPTH: u32 = 64;

/// A sign.
pub fn sym<'a>(wanted: Sym) -> impl FnMut(Tokens<'a>) -> Parsed<'a, Span> {
    move |i| match i.first() {
        Some(token) if token.kind == TokenKind::Sym(wanted) => Ok((i.take_from(1), token.span)),
        _ => miss(i, Want::Sym(wanted)),
    }
}

/// A keyword inside a line.
pub fn word<'a>(wanted: &'static str) -> impl FnMut(Tokens<'a>) -> Parsed<'a, Span> {
    move |i| match i.name_at(0) {
        Some(text) if text == wanted => Ok((i.take_from(1), i.span())),
        _ => miss(i, Want::Word(wanted)),
    }
}

/// Any name, keyword or not.
pub fn name(i: Tokens<'_>) -> Parsed<'_, Name> {
    match i.name_at(0) {
        Some(text) => Ok((
            i.take_from(1),
            Name {
                text: text.to_owned(),
                span: i.span(),
            },
        )),
        None => miss(i, Want::Name),
    }
}

/// Whether a literal comes next.
pub fn is_literal(i: Tokens<'_>) -> bool {
    matches!(i.first().map(|token| &token.kind), Some(TokenKind::Lit(_)))
}

/// Any literal.
pub fn literal(i: Tokens<'_>) -> Parsed<'_, Lit> {
    match i.first().map(|token| &token.kind) {
        Some(TokenKind::Lit(kind)) => Ok((
            i.take_from(1),
            Lit {
                kind: kind.clone(),
                span: i.span(),
            },
        )),
        _ => miss(i, Want::Literal),
    }
}

/// A string.
pub fn text(i: Tokens<'_>) -> Parsed<'_, Text> {
    match i.first().map(|token| &token.kind) {
        Some(TokenKind::Lit(LitKind::Str(value))) => Ok((
            i.take_from(1),
            Text {
                value: value.clone(),
                span: i.span(),
            },
        )),
        // A string with a wrong escape: it has its diagnostic.
        Some(TokenKind::Lit(LitKind::Bad)) if i.cx.snippet(i.span()).starts_with('"') => Ok((
            i.take_from(1),
            Text {
                value: String::new(),
                span: i.span(),
            },
        )),
        _ => miss(i, Want::Text),
    }
}

/// Line ends, none to many.
pub fn newlines(i: Tokens<'_>) -> Tokens<'_> {
    let count = i
        .rest
        .iter()
        .take_while(|lexeme| is_line_end(&lexeme.token.kind))
        .count();
    i.take_from(count)
}

/// The end of a line: a line feed, `;`, a `}` that closes the block, the end of the text.
pub fn line_end(i: Tokens<'_>) -> Parsed<'_, ()> {
    match i.first().map(|token| &token.kind) {
        None | Some(TokenKind::Sym(Sym::RightBrace)) => Ok((i, ())),
        Some(kind) if is_line_end(kind) => Ok((newlines(i), ())),
        // A block without its `}` has just ended here.
        Some(_) if i.cx.unclosed.get() == i.rest.len() => Ok((i, ())),
        Some(_) => miss(i, Want::LineEnd),
    }
}

/// Whether this is a line feed or `;`.
pub fn is_line_end(kind: &TokenKind) -> bool {
    matches!(kind, TokenKind::Newline | TokenKind::Semicolon)
}

/// The first word of a line, where it is a keyword: before `.`, `:` and an assignment it is a name.
pub fn keyword(i: Tokens<'_>) -> Option<&str> {
    let is_name = matches!(
        i.sym_at(1),
        Some(Sym::Dot | Sym::Colon | Sym::Assign | Sym::PlusAssign | Sym::MinusAssign)
    );
    i.name_at(0).filter(|_| !is_name)
}

/// One level deeper.
pub fn nested<'a, O>(
    i: Tokens<'a>,
    inner: impl FnOnce(Tokens<'a>) -> Parsed<'a, O>,
) -> Parsed<'a, O> {
    let depth = i.cx.depth.get();
    if depth >= MAX_DEPTH {
        return give_up(i, || too_deep(i.span()));
    }
    i.cx.depth.set(depth + 1);
    let parsed = inner(i);
    i.cx.depth.set(depth);
    parsed
}

/// The diagnostic of [`nested`].
pub fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(Code::NestingTooDeep, "nested too deeply", span)
        .note("name a part of it with `let`, `fn` or `action`")
}
