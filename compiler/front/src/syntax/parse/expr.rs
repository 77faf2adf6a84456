//! Expressions.
//!
//! Operators are read by their binding power (Pratt 1973). The height of every tree is counted:
//! whoever walks it later may recurse.

use nom::combinator::cut;
use nom::multi::separated_list1;
use nom::sequence::delimited;
use nom::{Input, Parser};

use super::fault::{Parsed, Want, give_up, miss};
use super::path::{Steps, access, path};
use super::stream::Tokens;
use super::terminal::{is_literal, literal, nested, newlines, sym, too_deep};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Binary, BinaryOp, Expr, ExprKind, Lit, UnaryOp};
use crate::syntax::token::{Sym, TokenKind};

/// The tallest tree: a chain of as many operators.
const MAX_HEIGHT: u32 = 200;

/// Binding power of `not`: looser than a comparison, tighter than `and`.
const NOT: u8 = 3;
/// Binding power of `-` and `~`.
const SIGN: u8 = 9;

/// An expression and the height of its tree.
struct Tall {
    expr: Expr,
    height: u32,
}

/// `expr`.
pub fn expr(i: Tokens<'_>) -> Parsed<'_, Expr> {
    let (i, tall) = climb(i, 0)?;
    Ok((i, tall.expr))
}

/// `expr { "," expr }`.
pub fn exprs(i: Tokens<'_>) -> Parsed<'_, Vec<Expr>> {
    separated_list1(sym(Sym::Comma), expr).parse(i)
}

/// `primary`.
pub fn primary(i: Tokens<'_>) -> Parsed<'_, Expr> {
    let (i, tall) = operand(i)?;
    Ok((i, tall.expr))
}

/// `lit | path | set`: the value of a property.
pub fn value(i: Tokens<'_>) -> Parsed<'_, Expr> {
    match i.sym_at(0) {
        Some(Sym::LeftBrace) => primary(i),
        _ if i.name_at(0).is_some() => {
            let (i, path) = path(i)?;
            Ok((
                i,
                Expr {
                    span: path.span,
                    kind: ExprKind::Path(path),
                },
            ))
        }
        _ if is_literal(i) => literal.map(literal_expr).parse(i),
        _ => miss(i, Want::Value),
    }
}

/// An expression whose operators bind tighter than `least`.
fn climb(start: Tokens<'_>, least: u8) -> Parsed<'_, Tall> {
    nested(start, |start| {
        let (mut i, mut left) = prefix(start, least)?;
        let mut compared: Option<Span> = None;
        while let Some((op, power, count)) = operator(i).filter(|(_, power, _)| *power > least) {
            let (op_span, after) = (i.take(count), newlines(i.take_from(count)));
            let op_span = op_span.until(op_span.take_from(count));
            if let (true, Some(first)) = (op.is_comparison(), compared) {
                return give_up(i, || chained(first, op_span));
            }
            compared = op.is_comparison().then_some(op_span);
            let (next, right) = cut(|i| climb(i, power)).parse(after)?;
            let height = left.height.max(right.height) + 1;
            if height > MAX_HEIGHT {
                return give_up(i, || too_deep(op_span));
            }
            let span = start.until(next);
            let binary = Binary {
                op,
                op_span,
                left: left.expr,
                right: right.expr,
            };
            let kind = ExprKind::Binary(Box::new(binary));
            left = Tall {
                expr: Expr { kind, span },
                height,
            };
            i = next;
        }
        if operator(i).is_none() {
            let _: Parsed<'_, ()> = miss(i, Want::Operator);
        }
        Ok((i, left))
    })
}

/// The operator that comes next, its binding power, and how many tokens it has.
fn operator(i: Tokens<'_>) -> Option<(BinaryOp, u8, usize)> {
    if let Some(text) = operator_word(i) {
        return match text {
            "or" => Some((BinaryOp::Or, 1, 1)),
            "and" => Some((BinaryOp::And, 2, 1)),
            "in" => Some((BinaryOp::In, 4, 1)),
            "not" if i.name_at(1) == Some("in") => Some((BinaryOp::NotIn, 4, 2)),
            _ => None,
        };
    }
    let (op, power) = match i.sym_at(0)? {
        Sym::Equal => (BinaryOp::Eq, 4),
        Sym::NotEqual => (BinaryOp::Ne, 4),
        Sym::Less => (BinaryOp::Lt, 4),
        Sym::LessEqual => (BinaryOp::Le, 4),
        Sym::Greater => (BinaryOp::Gt, 4),
        Sym::GreaterEqual => (BinaryOp::Ge, 4),
        Sym::Pipe => (BinaryOp::BitOr, 5),
        Sym::Caret => (BinaryOp::BitXor, 5),
        Sym::Ampersand => (BinaryOp::BitAnd, 5),
        Sym::ShiftLeft => (BinaryOp::Shl, 6),
        Sym::ShiftRight => (BinaryOp::Shr, 6),
        Sym::Plus => (BinaryOp::Add, 7),
        Sym::Minus => (BinaryOp::Sub, 7),
        Sym::Star => (BinaryOp::Mul, 8),
        Sym::Slash => (BinaryOp::Div, 8),
        Sym::Percent => (BinaryOp::Rem, 8),
        Sym::LeftBrace
        | Sym::RightBrace
        | Sym::LeftParen
        | Sym::RightParen
        | Sym::LeftBracket
        | Sym::RightBracket
        | Sym::Comma
        | Sym::Colon
        | Sym::Dot
        | Sym::Assign
        | Sym::PlusAssign
        | Sym::MinusAssign
        | Sym::Arrow
        | Sym::Tilde => return None,
    };
    Some((op, power, 1))
}

/// The next word; `and`, `or` and `not` also as other languages write them: they have their
/// diagnostic, and the line is read on.
fn operator_word(i: Tokens<'_>) -> Option<&str> {
    let token = i.first()?;
    let text = i.cx.snippet(token.span);
    match token.kind {
        TokenKind::Name => Some(text),
        TokenKind::Unknown => [("&&", "and"), ("||", "or"), ("!", "not")]
            .into_iter()
            .find_map(|(sign, word)| (sign == text).then_some(word)),
        TokenKind::Lit(_)
        | TokenKind::Sym(_)
        | TokenKind::Newline
        | TokenKind::Semicolon
        | TokenKind::Comment => None,
    }
}

fn chained(first: Span, second: Span) -> Diagnostic {
    Diagnostic::error(
        Code::ChainedComparison,
        "comparisons are not chained",
        second,
    )
    .secondary(first, "the first comparison")
    .note("join two with `and`, or set one in parentheses")
}

/// `not a`, `-a`, `~a`, or an operand.
fn prefix(start: Tokens<'_>, least: u8) -> Parsed<'_, Tall> {
    let is_not = operator_word(start) == Some("not") && start.sym_at(1) != Some(Sym::Dot);
    let (op, power) = match start.sym_at(0) {
        Some(Sym::Minus) => (UnaryOp::Neg, SIGN),
        Some(Sym::Tilde) => (UnaryOp::BitNot, SIGN),
        _ if is_not && least <= NOT => (UnaryOp::Not, NOT - 1),
        _ => return operand(start),
    };
    let after = newlines(start.take_from(1));
    let (i, inner) = cut(|i| climb(i, power)).parse(after)?;
    let kind = ExprKind::Unary(op, Box::new(inner.expr));
    let expr = Expr {
        kind,
        span: start.until(i),
    };
    Ok((
        i,
        Tall {
            expr,
            height: inner.height + 1,
        },
    ))
}

/// What stands between operators.
fn operand(start: Tokens<'_>) -> Parsed<'_, Tall> {
    match start.sym_at(0) {
        Some(Sym::LeftParen) => return group(start),
        Some(Sym::LeftBrace) => return set(start),
        _ => {}
    }
    if is_operator_word(start) {
        return miss(start, Want::Expression);
    }
    if start.name_at(0).is_some() {
        let (i, (path, height)) = access(start, Steps::All)?;
        return Ok((
            i,
            Tall {
                expr: Expr {
                    span: path.span,
                    kind: ExprKind::Path(path),
                },
                height,
            },
        ));
    }
    if !is_literal(start) {
        return miss(start, Want::Expression);
    }
    let (i, lit) = literal(start)?;
    Ok((
        i,
        Tall {
            expr: literal_expr(lit),
            height: 1,
        },
    ))
}

/// `and`, `or`, `not` and `in` are names only before a `.`.
fn is_operator_word(i: Tokens<'_>) -> bool {
    let is_word = matches!(i.name_at(0), Some("and" | "or" | "not" | "in"));
    is_word && i.sym_at(1) != Some(Sym::Dot)
}

fn literal_expr(lit: Lit) -> Expr {
    Expr {
        span: lit.span,
        kind: ExprKind::Lit(lit),
    }
}

/// `expr { "," expr }`, perhaps none, and the greatest height; in a set a comma may stand last.
pub fn list<'a>(close: Sym) -> impl FnMut(Tokens<'a>) -> Parsed<'a, (Vec<Expr>, u32)> {
    move |mut i| {
        let (mut exprs, mut height) = (Vec::new(), 0);
        let may_end = |exprs: &Vec<Expr>| exprs.is_empty() || close == Sym::RightBrace;
        while i.sym_at(0) != Some(close) || !may_end(&exprs) {
            let (after, tall) = climb(i, 0)?;
            exprs.push(tall.expr);
            height = height.max(tall.height);
            i = after;
            match sym(Sym::Comma)(i) {
                Ok((after, _)) => i = after,
                Err(_) => break,
            }
        }
        Ok((i, (exprs, height)))
    }
}

/// `( exprs )`: one in parentheses, or a tuple.
fn group(start: Tokens<'_>) -> Parsed<'_, Tall> {
    let close = cut(sym(Sym::RightParen));
    let members = cut(some(list(Sym::RightParen)));
    let (i, (members, height)) = delimited(sym(Sym::LeftParen), members, close).parse(start)?;
    let span = start.until(i);
    let kind = match <[Expr; 1]>::try_from(members) {
        Ok([expr]) => {
            return Ok((
                i,
                Tall {
                    expr: Expr { span, ..expr },
                    height,
                },
            ));
        }
        Err(members) => ExprKind::Tuple(members),
    };
    Ok((
        i,
        Tall {
            expr: Expr { kind, span },
            height: height + 1,
        },
    ))
}

/// `{ exprs }`; a comma may stand after the last.
fn set(start: Tokens<'_>) -> Parsed<'_, Tall> {
    let i = newlines(start.take_from(1));
    let (i, (members, height)) = cut(some(list(Sym::RightBrace))).parse(i)?;
    // Without its brace it is wrong where the line ends, not where the next one begins.
    let closing = newlines(i);
    let closes = closing.sym_at(0) == Some(Sym::RightBrace);
    let (i, _) = cut(sym(Sym::RightBrace)).parse(if closes { closing } else { i })?;
    let expr = Expr {
        kind: ExprKind::Set(members),
        span: start.until(i),
    };
    Ok((
        i,
        Tall {
            expr,
            height: height + 1,
        },
    ))
}

/// A list that is not empty.
pub fn some<'a>(
    mut list: impl FnMut(Tokens<'a>) -> Parsed<'a, (Vec<Expr>, u32)>,
) -> impl FnMut(Tokens<'a>) -> Parsed<'a, (Vec<Expr>, u32)> {
    move |start| match list(start)? {
        (i, (members, _)) if members.is_empty() => miss(i, Want::Expression),
        parsed => Ok(parsed),
    }
}
