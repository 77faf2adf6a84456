//! Sets and tables.

use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::preceded;
use nom::{Input, Parser};

use super::expr::{expr, exprs};
use super::fault::Parsed;
use super::item::prop;
use super::lines::{self, with_block};
use super::pattern::patterns;
use super::stream::Tokens;
use super::terminal::{keyword, literal, name, sym, text, word};
use super::types::{type_of, typed};
use crate::syntax::ast::{MatchKind, Set, SetEntry, Table, TableEntry, TableKey, TableLine, Typed};
use crate::syntax::token::{Sym, TokenKind};

/// `"set" NAME ":" type "{" entries "}"`: entries end with a comma or a line.
pub fn set(start: Tokens<'_>) -> Parsed<'_, Set> {
    let (i, (_, name, _, ty)) = (word("set"), name, sym(Sym::Colon), type_of).parse(start)?;
    let (i, lines) = lines::block(entries)(i)?;
    let entries = lines.into_iter().flatten().collect();
    Ok((
        i,
        Set {
            name,
            ty,
            entries,
            span: start.until(i),
        },
    ))
}

fn entries(mut i: Tokens<'_>) -> Parsed<'_, Vec<SetEntry>> {
    let mut entries = Vec::new();
    loop {
        let (after, entry) = entry(i)?;
        entries.push(entry);
        let (after, comma) = opt(sym(Sym::Comma)).parse(after)?;
        if comma.is_none() || after.sym_at(0) == Some(Sym::RightBrace) {
            return Ok((after, entries));
        }
        i = after;
    }
}

fn entry(i: Tokens<'_>) -> Parsed<'_, SetEntry> {
    let is_literal = matches!(i.nth(1).map(|token| &token.kind), Some(TokenKind::Lit(_)));
    match keyword(i) {
        Some("file") if is_literal => preceded(word("file"), cut(text))
            .map(SetEntry::File)
            .parse(i),
        Some("capacity") if is_literal => preceded(word("capacity"), cut(literal))
            .map(SetEntry::Capacity)
            .parse(i),
        _ => expr.map(SetEntry::Member).parse(i),
    }
}

/// `"table" NAME "{" lines( tableline ) "}"`.
pub fn table(start: Tokens<'_>) -> Parsed<'_, Table> {
    let (i, ((_, name), lines)) =
        with_block((word("table"), name), lines::block(line)).parse(start)?;
    Ok((
        i,
        Table {
            name,
            lines,
            span: start.until(i),
        },
    ))
}

fn line(i: Tokens<'_>) -> Parsed<'_, TableLine> {
    match keyword(i) {
        Some("key") => cut(keys).map(TableLine::Key).parse(i),
        Some("value") => cut(values).map(TableLine::Value).parse(i),
        Some("entries") => preceded(word("entries"), lines::block(table_entry))
            .map(TableLine::Entries)
            .parse(i),
        _ => prop.map(TableLine::Prop).parse(i),
    }
}

fn keys(i: Tokens<'_>) -> Parsed<'_, Vec<TableKey>> {
    preceded(word("key"), separated_list1(sym(Sym::Comma), key)).parse(i)
}

fn key(i: Tokens<'_>) -> Parsed<'_, TableKey> {
    let (i, value) = expr(i)?;
    let kind = i
        .name_at(0)
        .and_then(match_kind)
        .map(|kind| (kind, i.span()));
    let i = if kind.is_some() { i.take_from(1) } else { i };
    Ok((i, TableKey { value, kind }))
}

fn match_kind(word: &str) -> Option<MatchKind> {
    match word {
        "exact" => Some(MatchKind::Exact),
        "lpm" => Some(MatchKind::Lpm),
        "ternary" => Some(MatchKind::Ternary),
        "range" => Some(MatchKind::Range),
        _ => None,
    }
}

fn values(i: Tokens<'_>) -> Parsed<'_, Vec<Typed>> {
    preceded(word("value"), separated_list1(sym(Sym::Comma), typed)).parse(i)
}

fn table_entry(start: Tokens<'_>) -> Parsed<'_, TableEntry> {
    let (i, (patterns, _, values)) = (patterns, sym(Sym::Arrow), exprs).parse(start)?;
    Ok((
        i,
        TableEntry {
            patterns,
            values,
            span: start.until(i),
        },
    ))
}
