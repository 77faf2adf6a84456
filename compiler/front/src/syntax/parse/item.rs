//! Declarations.

use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::{many0, separated_list1};
use nom::sequence::preceded;
use nom::{Input, Parser};

use super::expr::{expr, value};
use super::fault::{Parsed, Want, miss};
use super::lines::with_block;
use super::stmt::{block, by, let_, stmt_among};
use super::stream::Tokens;
use super::terminal::{keyword, line_end, literal, name, newlines, sym, text, word};
use super::types::{params, type_of};
use super::words::{ITEMS, STATEMENTS};
use super::{header, lines, pool, table, testing};
use crate::syntax::ast::{
    Action, Const, Counter, Expr, Fn, Group, Interface, Item, Let, Meter, Prop, Target, Use,
    UseWhat,
};
use crate::syntax::token::Sym;

/// `item`.
pub fn item(i: Tokens<'_>) -> Parsed<'_, Item> {
    match keyword(i) {
        Some("use") => cut(use_).map(Item::Use).parse(i),
        Some("const") => cut(const_).map(Item::Const).parse(i),
        Some("interface") => cut(interface).map(Item::Interface).parse(i),
        Some("pool") => cut(pool::pool).map(Item::Pool).parse(i),
        Some("set") => cut(table::set).map(Item::Set).parse(i),
        Some("table") => cut(table::table).map(Item::Table).parse(i),
        Some("meter") => cut(meter).map(Item::Meter).parse(i),
        Some("counter") => cut(counter).map(Item::Counter).parse(i),
        Some("header") => cut(header::header).map(Item::Header).parse(i),
        Some("group") => cut(group).map(Item::Group).parse(i),
        Some("fn") => cut(fn_).map(Item::Fn).parse(i),
        Some("action") => cut(action).map(Item::Action).parse(i),
        Some("target") => cut(target).map(Item::Target).parse(i),
        Some("test") => cut(testing::test).map(Item::Test).parse(i),
        _ => {
            let (i, stmt) = stmt_among(i, &[&ITEMS, &STATEMENTS])?;
            Ok((i, Item::Stmt(stmt)))
        }
    }
}

fn use_(start: Tokens<'_>) -> Parsed<'_, Use> {
    let what = alt((name.map(UseWhat::Name), text.map(UseWhat::File)));
    let (i, what) = preceded(word("use"), what).parse(start)?;
    Ok((
        i,
        Use {
            what,
            span: start.until(i),
        },
    ))
}

fn const_(start: Tokens<'_>) -> Parsed<'_, Const> {
    let (i, (_, name, _, value)) = (word("const"), name, sym(Sym::Assign), expr).parse(start)?;
    Ok((
        i,
        Const {
            name,
            value,
            span: start.until(i),
        },
    ))
}

fn interface(start: Tokens<'_>) -> Parsed<'_, Interface> {
    let (i, (_, name)) = (word("interface"), name).parse(start)?;
    let (i, props) = opt(props).parse(i)?;
    Ok((
        i,
        Interface {
            name,
            props: props.unwrap_or_default(),
            span: start.until(i),
        },
    ))
}

fn meter(start: Tokens<'_>) -> Parsed<'_, Meter> {
    let (i, (_, name, props)) = (word("meter"), name, props).parse(start)?;
    Ok((
        i,
        Meter {
            name,
            props,
            span: start.until(i),
        },
    ))
}

fn target(start: Tokens<'_>) -> Parsed<'_, Target> {
    let (i, (_, name, props)) = (word("target"), name, props).parse(start)?;
    Ok((
        i,
        Target {
            name,
            props,
            span: start.until(i),
        },
    ))
}

fn counter(start: Tokens<'_>) -> Parsed<'_, Counter> {
    let capacity = opt(preceded(word("capacity"), cut(literal)));
    let (i, (_, name, by, capacity)) = (word("counter"), name, by, capacity).parse(start)?;
    Ok((
        i,
        Counter {
            name,
            by,
            capacity,
            span: start.until(i),
        },
    ))
}

fn group(start: Tokens<'_>) -> Parsed<'_, Group> {
    let members = separated_list1(sym(Sym::Pipe), name);
    let (i, (_, name, _, members)) =
        (word("group"), name, sym(Sym::Assign), members).parse(start)?;
    Ok((
        i,
        Group {
            name,
            members,
            span: start.until(i),
        },
    ))
}

fn action(start: Tokens<'_>) -> Parsed<'_, Action> {
    let (i, ((_, name, params), block)) =
        with_block((word("action"), name, params), block).parse(start)?;
    Ok((
        i,
        Action {
            name,
            params,
            block,
            span: start.until(i),
        },
    ))
}

fn fn_(start: Tokens<'_>) -> Parsed<'_, Fn> {
    let signature = (word("fn"), name, params, sym(Sym::Arrow), type_of);
    let (i, ((_, name, params, _, ty), (lets, value))) = (signature, fn_body).parse(start)?;
    Ok((
        i,
        Fn {
            name,
            params,
            ty,
            lets,
            value,
            span: start.until(i),
        },
    ))
}

/// `"=" expr`, or in braces `let` lines and the value.
fn fn_body(i: Tokens<'_>) -> Parsed<'_, (Vec<Let>, Expr)> {
    if i.sym_at(0) != Some(Sym::LeftBrace) {
        return preceded(sym(Sym::Assign), expr)
            .map(|value| (Vec::new(), value))
            .parse(i);
    }
    let (mut i, mut lets) = (newlines(i.take_from(1)), Vec::new());
    while keyword(i) == Some("let") {
        let (after, step) = let_(i)?;
        lets.push(step);
        (i, ()) = line_end(after)?;
    }
    let (i, value) = expr(i)?;
    let (i, _) = sym(Sym::RightBrace).parse(newlines(i))?;
    Ok((i, (lets, value)))
}

/// `{ lines( prop ) }`.
pub fn props(i: Tokens<'_>) -> Parsed<'_, Vec<Prop>> {
    lines::block(prop)(i)
}

/// `NAME { value }`.
pub fn prop(start: Tokens<'_>) -> Parsed<'_, Prop> {
    let (i, (name, values)) = (name, many0(value)).parse(start)?;
    let prop = Prop {
        name,
        values,
        span: start.until(i),
    };
    // Without this the missing member of a list would be taken for the end of the line.
    if i.sym_at(0) == Some(Sym::Comma) {
        return miss(i, Want::LineEnd);
    }
    Ok((i, prop))
}
