#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod any_text;
mod declarations;
mod expressions;
mod packets;
mod recovery;
mod samples;
mod statements;

use super::*;
use crate::syntax::ast::{self, *};

/// The items of a text that has nothing wrong with it.
fn items(text: &str) -> Vec<Item> {
    let (file, diagnostics) = parse(FileId(0), text);
    let messages: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert!(messages.is_empty(), "{text}\n{messages:#?}");
    file.items
}

/// The only item of a text.
fn item(text: &str) -> Item {
    let mut items = items(text);
    assert_eq!(items.len(), 1, "{text}");
    let item = items.pop().unwrap();
    assert_eq!(
        &text[item.span().range()],
        text.trim(),
        "the item is the whole text"
    );
    item
}

/// The only statement of a text.
fn stmt(text: &str) -> StmtKind {
    match item(text) {
        Item::Stmt(stmt) => stmt.kind,
        item => panic!("{item:?}"),
    }
}

/// An expression, read as the value of a constant.
fn expr(text: &str) -> Expr {
    match item(&format!("const X = {text}")) {
        Item::Const(item) => item.value,
        item => panic!("{item:?}"),
    }
}

/// "code: message" of everything that is wrong, in order.
fn faults(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse(FileId(0), text);
    diagnostics
        .iter()
        .map(|d| format!("{}: {}", d.code, d.message))
        .collect()
}

/// The texts of names.
fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(|name| name.text.as_str()).collect()
}

/// An expression with all its parentheses, a set in braces, a call and an index as they are.
fn show(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Lit(lit) => show_lit(lit),
        ExprKind::Set(members) => format!("{{{}}}", show_all(members)),
        ExprKind::Tuple(members) => format!("({})", show_all(members)),
        ExprKind::Path(path) => show_path(path),
        ExprKind::Unary(op, inner) => format!("{op:?}({})", show(inner)),
        ExprKind::Binary(binary) => {
            format!(
                "({} {} {})",
                show(&binary.left),
                binary.op.as_str(),
                show(&binary.right)
            )
        }
    }
}

fn show_all(exprs: &[Expr]) -> String {
    exprs.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn show_path(path: &ast::Path) -> String {
    let tail = path.tail.iter().map(|segment| match segment {
        Segment::Field(name) => format!(".{}", name.text),
        Segment::Index(args, _) => format!("[{}]", show_all(args)),
        Segment::Call(args, _) => format!("({})", show_all(args)),
    });
    std::iter::once(path.head.text.clone())
        .chain(tail)
        .collect()
}

fn show_lit(lit: &Lit) -> String {
    match &lit.kind {
        LitKind::Int(value) => value.to_string(),
        LitKind::Ip4(ip) => ip.to_string(),
        kind => format!("{kind:?}"),
    }
}

fn show_pattern(pattern: &Pattern) -> String {
    match &pattern.kind {
        PatternKind::Any => "_".to_owned(),
        PatternKind::Lit(lit) => show_lit(lit),
        PatternKind::Masked { value, mask } => format!("{} & {}", show_lit(value), show_lit(mask)),
        PatternKind::Path(path) => show_path(path),
        PatternKind::Tuple(members) => format!("({})", show_patterns(members)),
    }
}

fn show_patterns(patterns: &[Pattern]) -> String {
    patterns
        .iter()
        .map(show_pattern)
        .collect::<Vec<_>>()
        .join(" | ")
}

fn show_props(props: &[Prop]) -> Vec<String> {
    props
        .iter()
        .map(|prop| format!("{}: {}", prop.name.text, show_all(&prop.values)))
        .collect()
}
