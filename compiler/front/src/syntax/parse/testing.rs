//! `test` blocks and packets as sentences.

use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::{preceded, terminated};
use nom::{Input, Parser};

use super::expr::{expr, exprs, primary};
use super::fault::{Parsed, Want, miss};
use super::lines::{self, with_block};
use super::path::path;
use super::stmt::{drop_, send};
use super::stream::Tokens;
use super::terminal::{keyword, literal, name, newlines, sym, text, word};
use super::words::{TEST_LINES, unknown};
use crate::syntax::ast::{
    Condition, Expectation, Layer, LayerArg, LayerKind, Packet, Test, TestLine, TestLineKind,
    Verdict,
};
use crate::syntax::token::{Sym, TokenKind};

/// `"test" STRING "{" lines( testline ) "}"`.
pub fn test(start: Tokens<'_>) -> Parsed<'_, Test> {
    let (i, ((_, name), lines)) =
        with_block((word("test"), text), lines::block(line)).parse(start)?;
    Ok((
        i,
        Test {
            name,
            lines,
            span: start.until(i),
        },
    ))
}

fn line(start: Tokens<'_>) -> Parsed<'_, TestLine> {
    let (i, kind) = match keyword(start) {
        Some("send") => cut(packet).map(TestLineKind::Send).parse(start)?,
        Some("expect") if start.name_at(1) == Some("same") => {
            let same = (word("expect"), word("same"), cut(word("backend")));
            same.map(|_| TestLineKind::SameBackend).parse(start)?
        }
        Some("expect") => cut(expectation).map(TestLineKind::Expect).parse(start)?,
        Some("add") => cut(add).parse(start)?,
        Some("backend") => {
            let state = |(_, backend, state)| TestLineKind::Backend { backend, state };
            cut((word("backend"), path, name)).map(state).parse(start)?
        }
        Some("advance") => preceded(word("advance"), cut(literal))
            .map(TestLineKind::Advance)
            .parse(start)?,
        Some("replay") => preceded(word("replay"), cut(text))
            .map(TestLineKind::Replay)
            .parse(start)?,
        _ => return unknown(start, "a line of a test", &[&TEST_LINES]),
    };
    Ok((
        i,
        TestLine {
            kind,
            span: start.until(i),
        },
    ))
}

fn packet(i: Tokens<'_>) -> Parsed<'_, Packet> {
    let on = opt(preceded(word("on"), cut(name)));
    let (i, (_, layers, on)) = (word("send"), layers, on).parse(i)?;
    Ok((i, Packet { layers, on }))
}

/// `layer { "/" layer }`.
pub fn layers(i: Tokens<'_>) -> Parsed<'_, Vec<Layer>> {
    separated_list1(sym(Sym::Slash), cut(layer)).parse(i)
}

fn layer(start: Tokens<'_>) -> Parsed<'_, Layer> {
    let (i, kind) = alt((literal.map(LayerKind::Payload), header)).parse(start)?;
    Ok((
        i,
        Layer {
            kind,
            span: start.until(i),
        },
    ))
}

fn header(i: Tokens<'_>) -> Parsed<'_, LayerKind> {
    let ends = opt((terminated(primary, sym(Sym::Arrow)), cut(primary)).map(Box::new));
    let (mut i, (name, ends)) = (name, ends).parse(i)?;
    let mut args = Vec::new();
    while let Some(arg) = arg(i) {
        let (after, arg) = arg?;
        args.push(arg);
        i = after;
    }
    Ok((i, LayerKind::Header { name, ends, args }))
}

/// The next word of a layer, unless the layer ends here.
fn arg(i: Tokens<'_>) -> Option<Parsed<'_, LayerArg>> {
    if i.name_at(0) == Some("on") && i.name_at(1).is_some() {
        return None;
    }
    match i.first().map(|token| &token.kind) {
        Some(TokenKind::Name) if i.sym_at(1) == Some(Sym::Assign) => {
            let field = (terminated(name, sym(Sym::Assign)), cut(primary));
            Some(
                field
                    .map(|(name, value)| LayerArg::Field(name, value))
                    .parse(i),
            )
        }
        Some(TokenKind::Name) => Some(name.map(LayerArg::Word).parse(i)),
        Some(TokenKind::Lit(_)) => Some(literal.map(LayerArg::Value).parse(i)),
        _ => None,
    }
}

fn expectation(i: Tokens<'_>) -> Parsed<'_, Expectation> {
    let (i, verdict) = preceded(word("expect"), verdict).parse(i)?;
    let (i, conditions) = match i.sym_at(0) {
        Some(Sym::LeftBrace) => conditions(i)?,
        _ => (i, Vec::new()),
    };
    Ok((
        i,
        Expectation {
            verdict,
            conditions,
        },
    ))
}

fn verdict(i: Tokens<'_>) -> Parsed<'_, Verdict> {
    let pass = word("pass").map(|_| Verdict::Pass);
    alt((send.map(Verdict::Send), drop_.map(Verdict::Drop), pass)).parse(i)
}

/// `"{" expr [ "unchanged" ] { "," .. } "}"`; a comma may stand after the last.
fn conditions(i: Tokens<'_>) -> Parsed<'_, Vec<Condition>> {
    let (mut i, mut conditions) = (newlines(i.take_from(1)), Vec::new());
    loop {
        let (after, condition) = condition(i)?;
        conditions.push(condition);
        let (after, comma) = opt(sym(Sym::Comma)).parse(after)?;
        i = newlines(after);
        if i.sym_at(0) == Some(Sym::RightBrace) {
            return Ok((i.take_from(1), conditions));
        }
        if comma.is_none() {
            return miss(i, Want::Sym(Sym::RightBrace));
        }
    }
}

fn condition(i: Tokens<'_>) -> Parsed<'_, Condition> {
    let (i, (expr, unchanged)) = (expr, opt(word("unchanged"))).parse(i)?;
    let condition = match unchanged {
        Some(_) => Condition::Unchanged(expr),
        None => Condition::Holds(expr),
    };
    Ok((i, condition))
}

fn add(i: Tokens<'_>) -> Parsed<'_, TestLineKind> {
    let values = opt(preceded(sym(Sym::Arrow), cut(exprs))).map(Option::unwrap_or_default);
    let (i, (_, to, key, values)) = (word("add"), path, exprs, values).parse(i)?;
    Ok((i, TestLineKind::Add { to, key, values }))
}
