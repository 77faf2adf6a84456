//! Patterns.

use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};
use nom::{Input, Parser};

use super::fault::{Parsed, Want, miss};
use super::path::path;
use super::stream::Tokens;
use super::terminal::{is_literal, literal, nested, sym};
use crate::syntax::ast::{Pattern, PatternKind};
use crate::syntax::token::Sym;

/// `pattern { "," pattern }`.
pub fn patterns(i: Tokens<'_>) -> Parsed<'_, Vec<Pattern>> {
    separated_list1(sym(Sym::Comma), pattern).parse(i)
}

fn pattern(start: Tokens<'_>) -> Parsed<'_, Pattern> {
    let (i, kind) = match start.name_at(0) {
        Some("_") => (start.take_from(1), PatternKind::Any),
        Some("default") if start.sym_at(1) != Some(Sym::Dot) => {
            (start.take_from(1), PatternKind::Any)
        }
        Some(_) => path.map(PatternKind::Path).parse(start)?,
        None if start.sym_at(0) == Some(Sym::LeftParen) => nested(start, tuple_pattern)?,
        None if is_literal(start) => masked(start)?,
        None => return miss(start, Want::Pattern),
    };
    Ok((
        i,
        Pattern {
            kind,
            span: start.until(i),
        },
    ))
}

fn tuple_pattern(i: Tokens<'_>) -> Parsed<'_, PatternKind> {
    let close = cut(sym(Sym::RightParen));
    delimited(sym(Sym::LeftParen), cut(patterns), close)
        .map(PatternKind::Tuple)
        .parse(i)
}

/// `lit [ "&" lit ]`.
fn masked(i: Tokens<'_>) -> Parsed<'_, PatternKind> {
    let kind = |(value, mask)| match mask {
        Some(mask) => PatternKind::Masked { value, mask },
        None => PatternKind::Lit(value),
    };
    (literal, opt(preceded(sym(Sym::Ampersand), cut(literal))))
        .map(kind)
        .parse(i)
}
