//! Whether formatting a text changes nothing but its shape.

use lvsc_front::format;
use lvsc_front::source::FileId;
use lvsc_front::syntax::lexer::lex;
use lvsc_front::syntax::parse;
use lvsc_front::syntax::token::TokenKind;

/// What formatting breaks, if it does: the tree, the comments and their order, and that a second time changes nothing. The
/// text must be one that the parser takes.
pub fn check(text: &str) -> Result<(), String> {
    let formatted = match format("policy.lvs", text) {
        Ok(formatted) => formatted,
        Err((diagnostics, _)) => return Err(format!("it is not read: {diagnostics:?}\n{text}")),
    };
    let shown = || format!("\n--- before\n{text}\n--- after\n{formatted}");
    if tree(&formatted) != tree(text) {
        return Err(format!("another tree{}", shown()));
    }
    if comments(&formatted) != comments(text) {
        return Err(format!("other comments{}", shown()));
    }
    let ends = formatted.is_empty() || formatted.ends_with('\n') && !formatted.ends_with("\n\n");
    if !ends || formatted.starts_with('\n') || formatted.contains("\n\n\n") {
        return Err(format!("empty lines{}", shown()));
    }
    if formatted.lines().any(|line| line.ends_with(' ')) {
        return Err(format!("blanks at the end of a line{}", shown()));
    }
    match format("policy.lvs", &formatted) {
        Ok(again) if again == formatted => Ok(()),
        Ok(again) => Err(format!("a second time{}\n--- again\n{again}", shown())),
        Err((diagnostics, _)) => Err(format!("it is not read again: {diagnostics:?}{}", shown())),
    }
}

/// The tree without places, and what is wrong with the text.
pub fn tree(text: &str) -> String {
    let (file, diagnostics) = parse(FileId(0), text);
    let tree = format!("{:?}", file.items);
    let mut parts = tree.split("Span {");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    format!("{plain}{}", diagnostics.len())
}

fn comments(text: &str) -> Vec<String> {
    let (tokens, _) = lex(FileId(0), text);
    let comments = tokens
        .iter()
        .filter(|token| token.kind == TokenKind::Comment);
    let text_of =
        |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().trim_end().to_owned();
    comments.map(|token| text_of(token.span.range())).collect()
}
