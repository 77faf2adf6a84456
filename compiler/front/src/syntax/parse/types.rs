//! Types and parameters.

use nom::Parser;
use nom::combinator::{cut, opt};
use nom::multi::separated_list0;
use nom::sequence::{delimited, preceded};

use super::expr::expr;
use super::fault::Parsed;
use super::stream::Tokens;
use super::terminal::{name, sym};
use crate::syntax::ast::{Type, Typed};
use crate::syntax::token::Sym;

/// `type`.
pub fn type_of(start: Tokens<'_>) -> Parsed<'_, Type> {
    let brackets = delimited(
        sym(Sym::LeftBracket),
        cut(expr),
        cut(sym(Sym::RightBracket)),
    );
    let (i, (name, argument)) = (name, opt(brackets)).parse(start)?;
    Ok((
        i,
        Type {
            name,
            argument,
            span: start.until(i),
        },
    ))
}

/// `NAME ":" type`.
pub fn typed(start: Tokens<'_>) -> Parsed<'_, Typed> {
    let (i, (name, ty)) = (name, preceded(sym(Sym::Colon), cut(type_of))).parse(start)?;
    Ok((
        i,
        Typed {
            name,
            ty,
            span: start.until(i),
        },
    ))
}

/// `( [ params ] )`.
pub fn params(i: Tokens<'_>) -> Parsed<'_, Vec<Typed>> {
    let inside = separated_list0(sym(Sym::Comma), typed);
    delimited(sym(Sym::LeftParen), cut(inside), cut(sym(Sym::RightParen))).parse(i)
}
