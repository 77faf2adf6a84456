//! Lines and blocks of lines, and how reading goes on after a broken one.

use nom::{Input, Parser};

use super::fault::{Fault, Parsed, Want, give_up_silently, place, report};
use super::stream::Tokens;
use super::terminal::{is_line_end, is_literal, keyword, line_end, nested, newlines, sym};
use super::words::ITEMS;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::lexer::folded;
use crate::syntax::token::{Sym, Token, TokenKind};

/// `{ lines }`. A broken line is reported and left out; a block without its `}` ends before the next
/// declaration at the margin, or with the text.
pub fn block<'a, O>(
    line: impl Fn(Tokens<'a>) -> Parsed<'a, O>,
) -> impl Fn(Tokens<'a>) -> Parsed<'a, Vec<O>> {
    move |start| {
        let (i, open) = sym(Sym::LeftBrace).parse(start)?;
        nested(i, |mut i| {
            let mut lines = Vec::new();
            loop {
                i = newlines(i);
                if i.sym_at(0) == Some(Sym::RightBrace) {
                    // Most blocks are short, and a vector's first room is for four.
                    lines.shrink_to_fit();
                    return Ok((i.take_from(1), lines));
                }
                if i.rest.is_empty() || is_declaration_at_margin(i) {
                    unclosed(i, open);
                    return Ok((i, lines));
                }
                let (after, read) = recover(i, &line);
                lines.extend(read);
                i = after;
            }
        })
    }
}

/// What stands before a block, and the block. Where the first is broken, the block is read all the
/// same for its own faults, and the line given up then.
pub fn with_block<'a, H, B>(
    head: impl Parser<Tokens<'a>, Output = H, Error = Fault>,
    body: impl Fn(Tokens<'a>) -> Parsed<'a, B>,
) -> impl FnMut(Tokens<'a>) -> Parsed<'a, (H, B)> {
    let mut head = head;
    move |start| {
        let error = match head.parse(start) {
            Ok((i, read)) => match body(i) {
                Ok((i, block)) => return Ok((i, (read, block))),
                Err(error) => error,
            },
            Err(error) => error,
        };
        // Without a brace on the line the caller reports, and reads on by the indentation.
        let Some(brace) = brace_ahead(start, place(start, &error)) else {
            return Err(error);
        };
        report(start, &error);
        let (after, _) = body(brace)?;
        give_up_silently(after)
    }
}

/// The `{` that opens a block further on in the line, not a set after an operator.
fn brace_ahead<'a>(start: Tokens<'a>, at: Tokens<'a>) -> Option<Tokens<'a>> {
    let level = start.rest.first().map_or(0, |lexeme| lexeme.level);
    let read = start.rest.len() - at.rest.len();
    let mut before = read.checked_sub(1).and_then(|last| start.nth(last));
    for (index, lexeme) in at.rest.iter().enumerate() {
        let outside = lexeme.level < level;
        if outside || lexeme.level == level && is_line_end(&lexeme.token.kind) {
            return None;
        }
        let opens = lexeme.token.kind == TokenKind::Sym(Sym::LeftBrace) && lexeme.level == level;
        if opens && before.is_some_and(|token| ends_operand(start, token)) {
            return Some(at.take_from(index));
        }
        before = Some(lexeme.token);
    }
    None
}

/// Whether an expression may end with this token.
fn ends_operand(i: Tokens<'_>, token: &Token) -> bool {
    match token.kind {
        TokenKind::Name => !matches!(i.cx.snippet(token.span), "in" | "and" | "or" | "not"),
        TokenKind::Lit(_) => true,
        TokenKind::Sym(sym) => {
            matches!(sym, Sym::RightParen | Sym::RightBracket | Sym::RightBrace)
        }
        TokenKind::Newline | TokenKind::Semicolon | TokenKind::Comment | TokenKind::Unknown => {
            false
        }
    }
}

/// One line with its end; where it cannot be read, the diagnostic and the place after it.
pub fn recover<'a, O>(
    i: Tokens<'a>,
    line: impl Fn(Tokens<'a>) -> Parsed<'a, O>,
) -> (Tokens<'a>, Option<O>) {
    match line(i) {
        Ok((after, read)) => match line_end(after) {
            Ok((next, ())) => (next, Some(read)),
            Err(error) => (skip_line(i, report(i, &error).0), Some(read)),
        },
        Err(error) => {
            let (at, wanted) = report(i, &error);
            note_unread(i);
            let next = skip_line(i, at);
            let ends = at
                .first()
                .is_some_and(|token| token.kind == TokenKind::Newline);
            let lacks_brace = ends && wanted.has(Want::Sym(Sym::LeftBrace));
            (
                if lacks_brace {
                    skip_indented(i, next)
                } else {
                    next
                },
                None,
            )
        }
    }
}

/// Remembers the names in a line that could not be read.
fn note_unread(start: Tokens<'_>) {
    let line = start
        .rest
        .iter()
        .take_while(|lexeme| !is_line_end(&lexeme.token.kind));
    let names = line.filter_map(|lexeme| {
        let text = start.cx.snippet(lexeme.token.span);
        match lexeme.token.kind {
            TokenKind::Name => Some(text.to_owned()),
            TokenKind::Unknown => Some(folded(text)), // the name that was meant
            TokenKind::Lit(_)
            | TokenKind::Sym(_)
            | TokenKind::Newline
            | TokenKind::Semicolon
            | TokenKind::Comment => None,
        }
    });
    start.cx.unread.borrow_mut().extend(names);
}

/// From `at`, a place in the line that begins at `start`, to the start of the next line or to the
/// `}` of the enclosing block.
fn skip_line<'a>(start: Tokens<'a>, at: Tokens<'a>) -> Tokens<'a> {
    let level = start.rest.first().map_or(0, |lexeme| lexeme.level);
    for (index, lexeme) in at.rest.iter().enumerate() {
        let ends = is_line_end(&lexeme.token.kind);
        if lexeme.level < level {
            return at.take_from(index);
        }
        if ends && lexeme.level == level {
            return at.take_from(index + 1);
        }
    }
    at.take_from(at.rest.len())
}

/// After a line at `start` that lacks its `{`: to the end of what would have been its block, by the
/// indentation, so that one missing sign is one diagnostic.
fn skip_indented<'a>(start: Tokens<'a>, mut i: Tokens<'a>) -> Tokens<'a> {
    let margin = start.column();
    while !i.rest.is_empty() && i.column() > margin {
        let line = i
            .rest
            .iter()
            .take_while(|lexeme| lexeme.token.kind != TokenKind::Newline);
        i = newlines(i.take_from(line.count()));
    }
    let closes = i.sym_at(0) == Some(Sym::RightBrace) && i.column() == margin;
    if closes { i.take_from(1) } else { i }
}

/// A declaration that begins a line without indentation, where the grammar wants none: the block
/// before it has lost its `}`.
fn is_declaration_at_margin(i: Tokens<'_>) -> bool {
    let is_declaration = keyword(i).is_some_and(|word| ITEMS.contains(&word));
    let has_name = i.name_at(1).is_some() || is_literal(i.take_from(1.min(i.rest.len())));
    is_declaration && has_name && i.is_at_margin()
}

fn unclosed(i: Tokens<'_>, open: Span) {
    let left = i.rest.len();
    if i.cx.unclosed.replace(left) == left {
        return;
    }
    i.cx.push(|| {
        let error = Diagnostic::error(Code::UnclosedBlock, "this block is not closed", open);
        match i.first() {
            Some(token) => error.secondary(token.span, "a `}` is missing before this"),
            None => error.label("no `}` up to the end of the file"),
        }
    });
}
