//! Statements.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::preceded;

use super::expr::{expr, exprs};
use super::fault::{Parsed, give_up};
use super::lines::{self, with_block};
use super::path::{arguments, index, path, place};
use super::pattern::patterns;
use super::select::select;
use super::stream::Tokens;
use super::terminal::{keyword, name, nested, newlines, sym, text, word};
use super::types::type_of;
use super::words::{STATEMENTS, unknown};
use crate::diagnostics::{Code, Diagnostic};
use crate::syntax::ast::{
    Arm, Assign, AssignOp, Block, Branch, Call, Count, Drop, Expr, Let, Log, Match, Name, Pop,
    Push, PushField, Send, Stmt, StmtKind, Switch,
};
use crate::syntax::token::Sym;

type Production = for<'a> fn(Tokens<'a>) -> Parsed<'a, StmtKind>;

/// A statement at the top level, where declarations stand too.
pub fn stmt(i: Tokens<'_>) -> Parsed<'_, Stmt> {
    stmt_among(i, &[&STATEMENTS])
}

/// A statement; `known` are the words that may begin the line.
pub fn stmt_among<'a>(start: Tokens<'a>, known: &[&[&str]]) -> Parsed<'a, Stmt> {
    // One call for all kinds: in a debug build every arm of its own would enlarge the frame, and
    // blocks nest.
    let production: Production = match keyword(start) {
        Some("match") => match_,
        Some("switch") => switch,
        Some("let") => |i| let_.map(StmtKind::Let).parse(i),
        Some("select") => select,
        Some("push") => push,
        Some("pop") => pop,
        Some("count") => count,
        Some("log") => log,
        Some("drop") => |i| drop_.map(StmtKind::Drop).parse(i),
        Some("pass") => |i| word("pass").map(|_| StmtKind::Pass).parse(i),
        Some("answer") => |i| word("answer").map(|_| StmtKind::Answer).parse(i),
        Some("send") => |i| send.map(StmtKind::Send).parse(i),
        Some("else") => stray_else,
        _ => match start.sym_at(1) {
            Some(Sym::LeftParen) => call,
            Some(
                Sym::Dot | Sym::LeftBracket | Sym::Assign | Sym::PlusAssign | Sym::MinusAssign,
            ) => assign,
            _ => return unknown(start, "a statement", known),
        },
    };
    let (i, kind) = cut(production).parse(start)?;
    Ok((
        i,
        Stmt {
            kind,
            span: start.until(i),
        },
    ))
}

/// `{ statements }`.
pub fn block(start: Tokens<'_>) -> Parsed<'_, Block> {
    let (i, stmts) = lines::block(stmt)(start)?;
    Ok((
        i,
        Block {
            stmts,
            span: start.until(i),
        },
    ))
}

fn match_(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    let (mut i, first) = branch(i)?;
    let mut branches = vec![first];
    let mut otherwise = None;
    while let (after, Some(_)) = opt(word("else")).parse(i)? {
        if after.name_at(0) != Some("match") {
            let (after, block) = block(after)?;
            (i, otherwise) = (after, Some(block));
            break;
        }
        let (after, next) = branch(after)?;
        branches.push(next);
        i = after;
    }
    Ok((
        i,
        StmtKind::Match(Match {
            branches,
            otherwise,
        }),
    ))
}

fn branch(start: Tokens<'_>) -> Parsed<'_, Branch> {
    let (i, (condition, block)) = with_block(preceded(word("match"), expr), block).parse(start)?;
    Ok((
        i,
        Branch {
            condition,
            block,
            span: start.until(i),
        },
    ))
}

fn stray_else(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    give_up(i, || {
        Diagnostic::error(Code::UnexpectedToken, "`else` begins no line", i.span())
            .note("`else` stands on the line of the closing brace: `} else {`")
    })
}

fn switch(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    let (i, (value, arms)) =
        with_block(preceded(word("switch"), expr), lines::block(arm)).parse(i)?;
    Ok((i, StmtKind::Switch(Switch { value, arms })))
}

fn arm(start: Tokens<'_>) -> Parsed<'_, Arm> {
    let guard = opt(preceded(word("if"), cut(expr)));
    let (i, (patterns, guard, _)) = (patterns, guard, sym(Sym::Arrow)).parse(start)?;
    let (i, block) = if i.sym_at(0) == Some(Sym::LeftBrace) {
        block(i)?
    } else {
        let (after, stmt) = nested(i, stmt)?;
        (
            after,
            Block {
                span: stmt.span,
                stmts: vec![stmt],
            },
        )
    };
    Ok((
        i,
        Arm {
            patterns,
            guard,
            block,
            span: start.until(i),
        },
    ))
}

/// `let NAME [ ":" type ] "=" expr`.
pub fn let_(start: Tokens<'_>) -> Parsed<'_, Let> {
    let ty = opt(preceded(sym(Sym::Colon), cut(type_of)));
    let (i, (_, name, ty, _, value)) =
        (word("let"), name, ty, sym(Sym::Assign), expr).parse(start)?;
    Ok((
        i,
        Let {
            name,
            ty,
            value,
            span: start.until(i),
        },
    ))
}

/// `[ "by" exprs ]`.
pub fn by(i: Tokens<'_>) -> Parsed<'_, Vec<Expr>> {
    opt(preceded(word("by"), cut(exprs)))
        .map(Option::unwrap_or_default)
        .parse(i)
}

fn push(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    let (i, (_, header, _)) = (word("push"), name, sym(Sym::LeftBrace)).parse(i)?;
    let (mut i, mut fields) = (newlines(i), Vec::new());
    while i.sym_at(0) != Some(Sym::RightBrace) {
        let (after, (name, _, value)) = (name, sym(Sym::Colon), expr).parse(i)?;
        fields.push(PushField { name, value });
        let (after, comma) = opt(sym(Sym::Comma)).parse(after)?;
        i = newlines(after);
        if comma.is_none() {
            break;
        }
    }
    let (i, _) = sym(Sym::RightBrace).parse(i)?;
    Ok((i, StmtKind::Push(Push { header, fields })))
}

fn pop(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    preceded(word("pop"), name)
        .map(|header| StmtKind::Pop(Pop { header }))
        .parse(i)
}

fn count(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    let (i, (_, counter, cell)) = (word("count"), name, index).parse(i)?;
    Ok((i, StmtKind::Count(Count { counter, cell })))
}

fn log(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    preceded(word("log"), text)
        .map(|text| StmtKind::Log(Log { text }))
        .parse(i)
}

/// `"drop" [ NAME ]`.
pub fn drop_(i: Tokens<'_>) -> Parsed<'_, Drop> {
    preceded(word("drop"), opt(name))
        .map(|reason| Drop { reason })
        .parse(i)
}

/// `"send" path`.
pub fn send(i: Tokens<'_>) -> Parsed<'_, Send> {
    preceded(word("send"), path).map(|to| Send { to }).parse(i)
}

fn call(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    (name, arguments)
        .map(|(action, args)| StmtKind::Call(Call { action, args }))
        .parse(i)
}

fn assign(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    let op = alt((
        sym(Sym::Assign).map(|_| AssignOp::Set),
        sym(Sym::PlusAssign).map(|_| AssignOp::Add),
        sym(Sym::MinusAssign).map(|_| AssignOp::Sub),
    ));
    let (i, (target, op, value)) = (place, op, expr).parse(i)?;
    Ok((i, StmtKind::Assign(Assign { target, op, value })))
}

/// `NAME { "," NAME }`.
pub fn names(i: Tokens<'_>) -> Parsed<'_, Vec<Name>> {
    separated_list1(sym(Sym::Comma), name).parse(i)
}
