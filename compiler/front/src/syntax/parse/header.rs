//! Headers.

use nom::Parser;
use nom::combinator::{cut, opt};
use nom::sequence::preceded;

use super::expr::expr;
use super::fault::Parsed;
use super::lines::{self, with_block};
use super::stmt::{let_, names};
use super::stream::Tokens;
use super::terminal::{keyword, literal, name, word};
use super::types::typed;
use super::words::{HEADER_LINES, unknown};
use crate::syntax::ast::{Header, HeaderLine};
use crate::syntax::token::Sym;

/// `"header" NAME [ "after" names ] [ "when" expr ] [ "max" lit ] "{" lines( headerline ) "}"`.
pub fn header(start: Tokens<'_>) -> Parsed<'_, Header> {
    let after = opt(preceded(word("after"), cut(names))).map(Option::unwrap_or_default);
    let when = opt(preceded(word("when"), cut(expr)));
    let max = opt(preceded(word("max"), cut(literal)));
    let head = (word("header"), name, after, when, max);
    let (i, ((_, name, after, when, max), lines)) =
        with_block(head, lines::block(line)).parse(start)?;
    Ok((
        i,
        Header {
            name,
            after,
            when,
            max,
            lines,
            span: start.until(i),
        },
    ))
}

fn line(i: Tokens<'_>) -> Parsed<'_, HeaderLine> {
    match keyword(i) {
        Some("size") => preceded(word("size"), cut(expr))
            .map(HeaderLine::Size)
            .parse(i),
        Some("valid") => preceded(word("valid"), cut(expr))
            .map(HeaderLine::Valid)
            .parse(i),
        Some("checksum") => preceded(word("checksum"), cut(name))
            .map(HeaderLine::Checksum)
            .parse(i),
        Some("let") => cut(let_).map(HeaderLine::Let).parse(i),
        _ if i.sym_at(1) == Some(Sym::Colon) => cut(typed).map(HeaderLine::Field).parse(i),
        _ => unknown(i, "a line of a header", &[&HEADER_LINES]),
    }
}
