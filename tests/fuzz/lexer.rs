//! Text to tokens: they cover the text in its order, and what is wrong has its place in it.

use lvsc_front::source::{FileId, Span};
use lvsc_front::syntax::lexer::lex;

use crate::hunt::{Judged, Target};
use crate::{change, corpus};

pub fn target() -> Target {
    let policies = corpus::policies();
    let odd = [
        "\\", "\"", "'", "hex\"", "\u{a0}", "\u{435}", "“", "\u{202e}", "\u{feff}", "\r", "..",
        "//", "/*", "0x", "1_", "[::", "::", "\0", "😀",
    ];
    let words = corpus::words(&policies, &odd);
    Target {
        name: "lexer",
        cases: 3000,
        make: Box::new(move |chance| change::text(&policies, &words, chance)),
        judge,
    }
}

fn judge(input: &[u8]) -> Judged {
    let text = String::from_utf8_lossy(input);
    let (tokens, diagnostics) = lex(FileId(0), &text);
    let mut end = 0;
    for token in &tokens {
        if token.span.start < end || token.span.range().is_empty() {
            return Err(format!("{token:?} behind byte {end}"));
        }
        inside(&text, token.span)?;
        end = token.span.end;
    }
    let labels = diagnostics.iter().flat_map(|found| &found.labels);
    labels
        .map(|label| label.span)
        .try_for_each(|span| inside(&text, span))
}

/// Whether a place is one of the text.
pub fn inside(text: &str, span: Span) -> Judged {
    match text.get(span.range()) {
        Some(_) => Ok(()),
        None => Err(format!("{span:?} is no place of the text")),
    }
}
