//! Paths: names and what is taken from them.

use nom::combinator::{cut, opt};
use nom::sequence::delimited;
use nom::{Input, Parser};

use super::expr::{exprs, list, some};
use super::fault::Parsed;
use super::stream::Tokens;
use super::terminal::{name, sym};
use crate::syntax::ast::{Expr, Path, Segment};
use crate::syntax::token::Sym;

/// Which steps a path may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// `.name`.
    Fields,
    /// And `[index]`.
    Places,
    /// And `(arguments)`.
    All,
}

/// `NAME { "." NAME }`.
pub fn path(i: Tokens<'_>) -> Parsed<'_, Path> {
    let (i, (path, _)) = access(i, Steps::Fields)?;
    Ok((i, path))
}

/// `NAME { "." NAME | "[" exprs "]" }`: what can be assigned to.
pub fn place(i: Tokens<'_>) -> Parsed<'_, Path> {
    let (i, (path, _)) = access(i, Steps::Places)?;
    Ok((i, path))
}

/// The path and the height of its tallest argument.
pub fn access(start: Tokens<'_>, steps: Steps) -> Parsed<'_, (Path, u32)> {
    let (mut i, head) = name(start)?;
    let (mut tail, mut height) = (Vec::new(), 1);
    loop {
        let from = i;
        match i.sym_at(0) {
            Some(Sym::Dot) => {
                let (after, field) = cut(name).parse(i.take_from(1))?;
                tail.push(Segment::Field(field));
                i = after;
            }
            Some(Sym::LeftBracket) if steps != Steps::Fields => {
                let inside = cut(some(list(Sym::RightBracket)));
                let close = cut(sym(Sym::RightBracket));
                let (after, (args, tallest)) =
                    delimited(sym(Sym::LeftBracket), inside, close).parse(i)?;
                tail.push(Segment::Index(args, from.until(after)));
                (i, height) = (after, height.max(tallest + 1));
            }
            Some(Sym::LeftParen) if steps == Steps::All => {
                let inside = cut(list(Sym::RightParen));
                let close = cut(sym(Sym::RightParen));
                let (after, (args, tallest)) =
                    delimited(sym(Sym::LeftParen), inside, close).parse(i)?;
                tail.push(Segment::Call(args, from.until(after)));
                (i, height) = (after, height.max(tallest + 1));
            }
            _ => {
                return Ok((
                    i,
                    (
                        Path {
                            head,
                            tail,
                            span: start.until(i),
                        },
                        height,
                    ),
                ));
            }
        }
    }
}

/// `( [ exprs ] )`: arguments of an action.
pub fn arguments(i: Tokens<'_>) -> Parsed<'_, Vec<Expr>> {
    let inside = cut(list(Sym::RightParen));
    let (i, (args, _)) =
        delimited(sym(Sym::LeftParen), inside, cut(sym(Sym::RightParen))).parse(i)?;
    Ok((i, args))
}

/// `"[" exprs "]"`, or nothing.
pub fn index(i: Tokens<'_>) -> Parsed<'_, Vec<Expr>> {
    let brackets = delimited(
        sym(Sym::LeftBracket),
        cut(exprs),
        cut(sym(Sym::RightBracket)),
    );
    opt(brackets).map(Option::unwrap_or_default).parse(i)
}
