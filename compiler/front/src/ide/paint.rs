//! What each word of a text is, for colouring.

use super::{Index, Kind, Meaning};
use crate::source::{FileId, Span};
use crate::syntax::lexer::lex;
use crate::syntax::parse::keywords;
use crate::syntax::token::TokenKind;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// A word of the grammar.
    Keyword,
    /// A number, an address, a time.
    Number,
    /// A string.
    Text,
    /// A comment.
    Comment,
    /// A name that stands for a thing or a value.
    Variable,
    /// What is taken from something: a field.
    Property,
    /// A header, a type.
    Type,
    /// An action, a function.
    Function,
}

impl Index {
    /// The words of a file in order, and whether one is a declaration's name; signs and unknown names are left out.
    pub fn paints(&self, file: FileId) -> Vec<(Span, Paint, bool)> {
        let text = self.sources.text(file);
        let keywords = keywords();
        let (tokens, _) = lex(file, text);
        let mut painted = Vec::new();
        for token in tokens {
            let word = text.get(token.span.range()).unwrap_or("");
            let found = match token.kind {
                TokenKind::Comment => Some((Paint::Comment, false)),
                TokenKind::Lit(_) if word.starts_with('"') || word.starts_with("hex\"") => {
                    Some((Paint::Text, false))
                }
                TokenKind::Lit(_) => Some((Paint::Number, false)),
                TokenKind::Name => match self.meaning(token.span) {
                    Some(meaning) => self.paint(meaning, token.span),
                    None => keywords
                        .binary_search(&word)
                        .ok()
                        .map(|_| (Paint::Keyword, false)),
                },
                TokenKind::Sym(_)
                | TokenKind::Newline
                | TokenKind::Semicolon
                | TokenKind::Unknown => None,
            };
            painted.extend(found.map(|(paint, declares)| (token.span, paint, declares)));
        }
        painted
    }

    /// What exactly this word means.
    fn meaning(&self, span: Span) -> Option<&Meaning> {
        let found = self.uses.binary_search_by_key(&span, |found| found.span);
        let found = found.ok().and_then(|at| self.uses.get(at));
        found.map(|found| &found.meaning)
    }

    fn paint(&self, meaning: &Meaning, span: Span) -> Option<(Paint, bool)> {
        match meaning {
            Meaning::Symbols(ids) => {
                let symbol = ids.first().and_then(|id| self.symbol(*id))?;
                let paint = match symbol.kind {
                    Kind::Constant
                    | Kind::Interface
                    | Kind::Pool
                    | Kind::Backend
                    | Kind::Set
                    | Kind::Table
                    | Kind::Meter
                    | Kind::Counter
                    | Kind::Parameter
                    | Kind::Variable
                    | Kind::Choice => Paint::Variable,
                    Kind::Field | Kind::Computed | Kind::Column | Kind::Reason => Paint::Property,
                    Kind::Header | Kind::Group => Paint::Type,
                    Kind::Function | Kind::Action => Paint::Function,
                };
                let declares = symbol.span == span && symbol.kind != Kind::Reason;
                Some((paint, declares))
            }
            Meaning::Builtin(found) => Some((found.paint, false)),
            Meaning::Word(paint) => Some((*paint, false)),
            Meaning::Nothing => None,
        }
    }
}
