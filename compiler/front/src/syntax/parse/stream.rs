//! The tokens the parsers see, as a nom input.
//!
//! Comments are gone, and so are the line feeds that do not count: inside parentheses and
//! brackets, and after a sign that cannot end a line. Each token knows how many braces are open
//! around it, so that recovery finds the end of a broken line without reading it again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::iter::{Copied, Enumerate};
use std::slice::Iter;

use nom::{Input, Needed};

use super::braces::unclosed_sets;
use super::fault::Fault;
use crate::diagnostics::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::MAX_DIAGNOSTICS;
use crate::syntax::token::{Sym, Token, TokenKind};

/// A token that counts.
#[derive(Clone, Copy)]
pub struct Lexeme<'a> {
    pub token: &'a Token,
    /// Braces open around it; a brace has the level of what is outside of it.
    pub level: u32,
}

/// What all parsers of one text share.
pub struct Context<'a> {
    pub file: FileId,
    pub text: &'a str,
    pub diagnostics: RefCell<Vec<Diagnostic>>,
    /// The furthest place any alternative came to; `opt` and `many0` forget theirs.
    pub furthest: Cell<Fault>,
    /// Blocks and expressions open at this moment.
    pub depth: Cell<u32>,
    /// Tokens left where a block without its `}` was found last: said of the innermost one.
    pub unclosed: Cell<usize>,
    /// The names in lines that were given up.
    pub unread: RefCell<BTreeSet<String>>,
}

impl<'a> Context<'a> {
    pub fn new(file: FileId, text: &'a str, diagnostics: Vec<Diagnostic>) -> Context<'a> {
        Context {
            file,
            text,
            diagnostics: RefCell::new(diagnostics),
            furthest: Cell::new(Fault::NOWHERE),
            depth: Cell::new(0),
            unclosed: Cell::new(usize::MAX),
            unread: RefCell::default(),
        }
    }

    /// Adds a diagnostic; not even made once there are more than anybody reads.
    pub fn push(&self, diagnostic: impl FnOnce() -> Diagnostic) {
        if self.diagnostics.borrow().len() < MAX_DIAGNOSTICS * 2 {
            let diagnostic = diagnostic();
            self.diagnostics.borrow_mut().push(diagnostic);
        }
    }

    pub fn snippet(&self, span: Span) -> &'a str {
        self.text.get(span.range()).unwrap_or("")
    }
}

/// The tokens still to be read.
#[derive(Clone, Copy)]
pub struct Tokens<'a> {
    pub rest: &'a [Lexeme<'a>],
    pub cx: &'a Context<'a>,
}

impl<'a> Tokens<'a> {
    pub fn first(self) -> Option<&'a Token> {
        self.rest.first().map(|lexeme| lexeme.token)
    }

    pub fn nth(self, n: usize) -> Option<&'a Token> {
        self.rest.get(n).map(|lexeme| lexeme.token)
    }

    /// Where the next token stands, or the end of the text.
    pub fn span(self) -> Span {
        let end = self.cx.text.len();
        self.first()
            .map_or(Span::new(self.cx.file, end, end), |token| token.span)
    }

    /// Whether the next token is the first of its line, without indentation.
    pub fn is_at_margin(self) -> bool {
        let before = self.cx.text.get(..self.span().start as usize);
        before.is_some_and(|before| before.is_empty() || before.ends_with('\n'))
    }

    /// Bytes between the start of its line and the next token.
    pub fn column(self) -> usize {
        let before = self.cx.text.get(..self.span().start as usize).unwrap_or("");
        before.len() - before.rfind('\n').map_or(0, |at| at + 1)
    }

    /// The text of the token `n` places on, if it is a name.
    pub fn name_at(self, n: usize) -> Option<&'a str> {
        let token = self.nth(n).filter(|token| token.kind == TokenKind::Name)?;
        Some(self.cx.snippet(token.span))
    }

    pub fn sym_at(self, n: usize) -> Option<Sym> {
        self.nth(n)?.sym()
    }

    /// From the first token of `self` to the last one before `after`; `after` is what is left of
    /// `self`.
    pub fn until(self, after: Tokens<'a>) -> Span {
        let count = self.rest.len() - after.rest.len();
        match count.checked_sub(1).and_then(|last| self.nth(last)) {
            Some(last) => self.span().join(last.span),
            None => self.span().before(),
        }
    }
}

/// The tokens that count, with their levels.
pub fn significant<'a>(tokens: &'a [Token], text: &str) -> Vec<Lexeme<'a>> {
    let matched = matched_brackets(tokens);
    let unclosed = unclosed_sets(tokens, |span| text.get(span.range()).unwrap_or(""));
    let mut lexemes: Vec<Lexeme> = Vec::with_capacity(tokens.len());
    // The brackets open here, the innermost last.
    let mut open: Vec<Sym> = Vec::new();
    let mut level = 0_u32;
    for ((token, matched), unclosed) in tokens.iter().zip(matched).zip(unclosed) {
        match &token.kind {
            TokenKind::Comment => continue,
            TokenKind::Newline => {
                let before = lexemes.last().map(|lexeme| &lexeme.token.kind);
                let counts = match before {
                    None | Some(TokenKind::Newline | TokenKind::Semicolon) => false,
                    Some(TokenKind::Sym(sym)) => !sym.continues_line(),
                    Some(
                        TokenKind::Name
                        | TokenKind::Lit(_)
                        | TokenKind::Comment
                        | TokenKind::Unknown,
                    ) => true,
                };
                if !counts || open.last().is_some_and(|sym| *sym != Sym::LeftBrace) {
                    continue;
                }
            }
            TokenKind::Sym(sym @ (Sym::LeftParen | Sym::LeftBracket)) if matched => open.push(*sym),
            TokenKind::Sym(Sym::RightParen | Sym::RightBracket) if matched => {
                open.pop();
            }
            TokenKind::Sym(Sym::LeftBrace) if !unclosed => open.push(Sym::LeftBrace),
            TokenKind::Sym(Sym::RightBrace) => {
                open.pop();
                level = level.saturating_sub(1);
            }
            TokenKind::Name
            | TokenKind::Lit(_)
            | TokenKind::Sym(_)
            | TokenKind::Semicolon
            | TokenKind::Unknown => {}
        }
        lexemes.push(Lexeme { token, level });
        level += u32::from(token.kind == TokenKind::Sym(Sym::LeftBrace) && !unclosed);
    }
    lexemes
}

/// For every token whether it is a parenthesis or bracket with its partner inside the same braces.
/// One without must not swallow the line feeds up to the end of the file.
fn matched_brackets(tokens: &[Token]) -> Vec<bool> {
    let mut matched = vec![false; tokens.len()];
    let mut open: Vec<(usize, Sym)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let TokenKind::Sym(sym) = token.kind else {
            continue;
        };
        if matches!(sym, Sym::LeftParen | Sym::LeftBracket | Sym::LeftBrace) {
            open.push((index, sym));
        }
        if sym == Sym::RightBrace {
            while open.pop().is_some_and(|(_, sym)| sym != Sym::LeftBrace) {}
        }
        let is_pair = |open: Sym| {
            matches!(
                (open, sym),
                (Sym::LeftParen, Sym::RightParen) | (Sym::LeftBracket, Sym::RightBracket)
            )
        };
        let Some((first, _)) = open.pop_if(|(_, open)| is_pair(*open)) else {
            continue;
        };
        for index in [first, index] {
            if let Some(matched) = matched.get_mut(index) {
                *matched = true;
            }
        }
    }
    matched
}

impl<'a> Input for Tokens<'a> {
    type Item = Lexeme<'a>;
    type Iter = Copied<Iter<'a, Lexeme<'a>>>;
    type IterIndices = Enumerate<Self::Iter>;

    fn input_len(&self) -> usize {
        self.rest.len()
    }

    fn take(&self, index: usize) -> Self {
        Tokens {
            rest: self.rest.split_at(index).0,
            ..*self
        }
    }

    fn take_from(&self, index: usize) -> Self {
        Tokens {
            rest: self.rest.split_at(index).1,
            ..*self
        }
    }

    fn take_split(&self, index: usize) -> (Self, Self) {
        (self.take_from(index), self.take(index))
    }

    fn position<P>(&self, predicate: P) -> Option<usize>
    where
        P: Fn(Self::Item) -> bool,
    {
        self.iter_elements().position(predicate)
    }

    fn iter_elements(&self) -> Self::Iter {
        self.rest.iter().copied()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.iter_elements().enumerate()
    }

    fn slice_index(&self, count: usize) -> Result<usize, Needed> {
        let missing = count.saturating_sub(self.rest.len());
        if missing == 0 {
            Ok(count)
        } else {
            Err(Needed::new(missing))
        }
    }
}
