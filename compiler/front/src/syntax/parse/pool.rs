//! Pools and their backends.

use nom::Parser;
use nom::combinator::{cut, opt};

use super::expr::value;
use super::fault::{Parsed, give_up};
use super::item::prop;
use super::lines::{self, with_block};
use super::stmt::by;
use super::stream::Tokens;
use super::terminal::{is_literal, keyword, literal, name, word};
use super::words::{BACKEND_FLAGS, BACKEND_VALUES, POOL_LINES, unknown_property};
use crate::syntax::ast::{Backend, BackendOption, Expr, Pool, PoolLine, Scheduler};

/// `"pool" NAME "{" lines( poolline ) "}"`.
pub fn pool(start: Tokens<'_>) -> Parsed<'_, Pool> {
    let (i, ((_, name), lines)) =
        with_block((word("pool"), name), lines::block(line)).parse(start)?;
    Ok((
        i,
        Pool {
            name,
            lines,
            span: start.until(i),
        },
    ))
}

fn line(i: Tokens<'_>) -> Parsed<'_, PoolLine> {
    match keyword(i) {
        Some("scheduler") => cut(scheduler).map(PoolLine::Scheduler).parse(i),
        Some("backend") => cut(backend).map(PoolLine::Backend).parse(i),
        Some(word) if !POOL_LINES.contains(&word) => {
            give_up(i, || unknown_property(i, "a pool", &POOL_LINES))
        }
        _ => prop.map(PoolLine::Prop).parse(i),
    }
}

fn scheduler(start: Tokens<'_>) -> Parsed<'_, Scheduler> {
    let (i, (_, name, by)) = (word("scheduler"), name, by).parse(start)?;
    Ok((
        i,
        Scheduler {
            name,
            by,
            span: start.until(i),
        },
    ))
}

fn backend(start: Tokens<'_>) -> Parsed<'_, Backend> {
    let (mut i, (_, name, address)) = (word("backend"), opt(name), literal).parse(start)?;
    let mut options = Vec::new();
    while i.name_at(0).is_some() {
        let (after, option) = option(i)?;
        options.push(option);
        i = after;
    }
    Ok((
        i,
        Backend {
            name,
            address,
            options,
            span: start.until(i),
        },
    ))
}

fn option(start: Tokens<'_>) -> Parsed<'_, BackendOption> {
    let (i, name) = name(start)?;
    let text = name.text.as_str();
    let (i, value) = if BACKEND_FLAGS.contains(&text) {
        (i, None)
    } else if BACKEND_VALUES.contains(&text) {
        value.map(Some).parse(i)?
    } else {
        let known = [BACKEND_VALUES.as_slice(), &BACKEND_FLAGS].concat();
        i.cx.push(|| unknown_property(start, "a backend", &known));
        unknown_value(i)
    };
    Ok((
        i,
        BackendOption {
            name,
            value,
            span: start.until(i),
        },
    ))
}

/// An unknown option may have a value too; a name would rather be the next option.
fn unknown_value(i: Tokens<'_>) -> (Tokens<'_>, Option<Expr>) {
    if !is_literal(i) {
        return (i, None);
    }
    value(i).map_or((i, None), |(after, value)| (after, Some(value)))
}
