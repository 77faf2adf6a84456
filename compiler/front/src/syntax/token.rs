//! Tokens: the words of a policy, each with its place.
//!
//! Comments and line ends are tokens too, so that a formatter works from the same list as the
//! parser. Spaces are what lies between two tokens.

use super::literal::LitKind;
use crate::source::Span;

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Span,
}

impl Token {
    /// The sign, if it is one.
    pub fn sym(&self) -> Option<Sym> {
        match self.kind {
            TokenKind::Sym(sym) => Some(sym),
            TokenKind::Name
            | TokenKind::Lit(_)
            | TokenKind::Newline
            | TokenKind::Semicolon
            | TokenKind::Comment
            | TokenKind::Unknown => None,
        }
    }
}

/// The kinds of token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `[A-Za-z_][A-Za-z0-9_]*`; whether it is a keyword, only the grammar knows.
    Name,
    /// A literal, [`LitKind::Bad`] where it cannot be.
    Lit(LitKind),
    /// A sign.
    Sym(Sym),
    /// A line feed.
    Newline,
    /// `;`: ends a line like a line feed, also where a line feed would not count.
    Semicolon,
    /// `#` and the rest of the line.
    Comment,
    /// What is no part of the language; it has its diagnostic.
    Unknown,
}

/// Makes the signs, their spelling and the list of all from one table.
macro_rules! signs {
    ($($(#[doc = $doc:literal])+ $variant:ident $text:literal,)+) => {
        /// Signs and operators.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sym {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Sym {
            /// Every sign.
            pub const ALL: &[Sym] = &[$(Sym::$variant,)+];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Sym::$variant => $text,)+
                }
            }
        }
    };
}

signs! {
    /// Opens a block or a set.
    LeftBrace "{",
    /// Closes a block or a set.
    RightBrace "}",
    /// Opens a group or arguments.
    LeftParen "(",
    /// Closes a group or arguments.
    RightParen ")",
    /// Opens an index.
    LeftBracket "[",
    /// Closes an index.
    RightBracket "]",
    /// Between members.
    Comma ",",
    /// Between a name and its type or value.
    Colon ":",
    /// Between the names of a path.
    Dot ".",
    /// Assignment and definition.
    Assign "=",
    /// Assignment of the sum.
    PlusAssign "+=",
    /// Assignment of the difference.
    MinusAssign "-=",
    /// From here to there.
    Arrow "->",
    /// Equal.
    Equal "==",
    /// Not equal.
    NotEqual "!=",
    /// Less.
    Less "<",
    /// Less or equal.
    LessEqual "<=",
    /// Greater.
    Greater ">",
    /// Greater or equal.
    GreaterEqual ">=",
    /// Shift left.
    ShiftLeft "<<",
    /// Shift right.
    ShiftRight ">>",
    /// Sum.
    Plus "+",
    /// Difference; negative.
    Minus "-",
    /// Product.
    Star "*",
    /// Quotient; between layers of a packet.
    Slash "/",
    /// Remainder.
    Percent "%",
    /// Bits in both; mask of a pattern.
    Ampersand "&",
    /// Bits in either; between members of a group.
    Pipe "|",
    /// Bits in one of both.
    Caret "^",
    /// Bits inverted.
    Tilde "~",
}

impl Sym {
    /// Whether a line cannot end here: a line feed after it does not count.
    pub fn continues_line(self) -> bool {
        match self {
            Sym::LeftBrace
            | Sym::RightBrace
            | Sym::LeftParen
            | Sym::RightParen
            | Sym::LeftBracket
            | Sym::RightBracket
            | Sym::Colon
            | Sym::Dot => false,
            Sym::Comma
            | Sym::Assign
            | Sym::PlusAssign
            | Sym::MinusAssign
            | Sym::Arrow
            | Sym::Equal
            | Sym::NotEqual
            | Sym::Less
            | Sym::LessEqual
            | Sym::Greater
            | Sym::GreaterEqual
            | Sym::ShiftLeft
            | Sym::ShiftRight
            | Sym::Plus
            | Sym::Minus
            | Sym::Star
            | Sym::Slash
            | Sym::Percent
            | Sym::Ampersand
            | Sym::Pipe
            | Sym::Caret
            | Sym::Tilde => true,
        }
    }
}
