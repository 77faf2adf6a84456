//! `select`.

use nom::Parser;
use nom::combinator::{cut, opt};
use nom::sequence::preceded;

use super::fault::{Parsed, give_up};
use super::path::arguments;
use super::stmt::{block, by};
use super::stream::Tokens;
use super::terminal::{name, word};
use crate::diagnostics::{Code, Diagnostic};
use crate::syntax::ast::{ById, Expr, Select, StmtKind};
use crate::syntax::token::Sym;

/// `"select" NAME "from" NAME [ "by" ( "id" "(" expr ")" | exprs ) ] [ "else" block ]`.
pub fn select(i: Tokens<'_>) -> Parsed<'_, StmtKind> {
    let (i, (_, name, _, from)) = (word("select"), name, word("from"), name).parse(i)?;
    let names_id = [i.name_at(0), i.name_at(1)] == [Some("by"), Some("id")];
    let (i, (id, by)) = if names_id && i.sym_at(2) == Some(Sym::LeftParen) {
        by_id.map(|id| (Some(id), Vec::new())).parse(i)?
    } else {
        by.map(|by| (None, by)).parse(i)?
    };
    let (i, otherwise) = opt(preceded(word("else"), cut(block))).parse(i)?;
    Ok((
        i,
        StmtKind::Select(Select {
            name,
            from,
            id,
            by,
            otherwise,
        }),
    ))
}

fn by_id(i: Tokens<'_>) -> Parsed<'_, ById> {
    let (start, _) = word("by").parse(i)?;
    let (open, name) = name(start)?;
    let (i, values) = arguments(open)?;
    let Ok([value]) = <[Expr; 1]>::try_from(values) else {
        return give_up(open, || {
            let message = "`id` takes one value: the id of a backend";
            Diagnostic::error(Code::UnexpectedToken, message, open.until(i))
        });
    };
    if i.sym_at(0) == Some(Sym::Comma) {
        return give_up(i, || {
            let message = "`id(...)` stands alone behind `by`";
            Diagnostic::error(Code::UnexpectedToken, message, i.span())
                .note("where the packet names no backend, the pool's own `by` decides: `scheduler maglev by ip.src`")
        });
    }
    Ok((
        i,
        ById {
            word: name.span,
            value,
        },
    ))
}
