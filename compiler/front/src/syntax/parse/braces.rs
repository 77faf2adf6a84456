//! Braces of sets that were forgotten. Where one of them counted, it would swallow the block behind it and the rest of the
//! file with it.

use crate::source::Span;
use crate::syntax::token::{Sym, Token, TokenKind};

/// For every token whether it is the `{` of a set that is not closed. A set ends at its line, a comma aside, and no block
/// begins in it. Nothing is one where no brace of the text lacks its partner.
pub fn unclosed_sets<'a>(tokens: &[Token], snippet: impl Fn(Span) -> &'a str) -> Vec<bool> {
    let mut unclosed = vec![false; tokens.len()];
    let count = |wanted| {
        let is = |token: &&Token| token.kind == TokenKind::Sym(wanted);
        tokens.iter().filter(is).count()
    };
    if count(Sym::LeftBrace) <= count(Sym::RightBrace) {
        return unclosed;
    }
    let mut mark = |index: usize| {
        if let Some(unclosed) = unclosed.get_mut(index) {
            *unclosed = true;
        }
    };
    // The braces open here, the innermost last, and whether they are sets'.
    let mut open: Vec<(usize, bool)> = Vec::new();
    // The last token of this line, and one of an earlier line that the next token may still belong to.
    let mut before: Option<&Token> = None;
    let mut ended = false;
    for (index, token) in tokens.iter().enumerate() {
        match &token.kind {
            TokenKind::Comment => continue,
            TokenKind::Newline => {
                ended |= !before.is_some_and(goes_on);
                continue;
            }
            TokenKind::Name
            | TokenKind::Lit(_)
            | TokenKind::Sym(_)
            | TokenKind::Semicolon
            | TokenKind::Unknown => {}
        }
        let kind = &token.kind;
        let closes = *kind == TokenKind::Sym(Sym::RightBrace);
        let opens = *kind == TokenKind::Sym(Sym::LeftBrace);
        let of_set = opens && before.is_some_and(|before| opens_set(before, &snippet));
        let ends = (ended && !closes) || *kind == TokenKind::Semicolon || (opens && !of_set);
        if ends {
            while let Some((set, _)) = open.pop_if(|(_, set)| *set) {
                mark(set);
            }
        }
        if opens {
            open.push((index, of_set));
        } else if closes {
            open.pop();
        }
        (before, ended) = (Some(token), false);
    }
    for (set, _) in open.into_iter().filter(|(_, set)| *set) {
        mark(set);
    }
    unclosed
}

/// Whether a set, too, goes on in the line behind this token.
fn goes_on(token: &Token) -> bool {
    let sym = token.sym();
    sym.is_some_and(|sym| sym == Sym::LeftBrace || sym.continues_line())
}

/// Whether a `{` behind this token is a set's: behind an operator, not behind what a block follows.
fn opens_set<'a>(before: &Token, snippet: impl Fn(Span) -> &'a str) -> bool {
    match before.kind {
        TokenKind::Sym(sym) => {
            matches!(sym, Sym::LeftParen | Sym::LeftBracket)
                || sym.continues_line() && sym != Sym::Arrow
        }
        TokenKind::Name => matches!(snippet(before.span), "in" | "and" | "or" | "not"),
        TokenKind::Lit(_)
        | TokenKind::Newline
        | TokenKind::Semicolon
        | TokenKind::Comment
        | TokenKind::Unknown => false,
    }
}
