//! Why a parser did not go on, and how that is said.
//!
//! A fault is a place and the set of what would have been right there. Of two alternatives the one
//! that came further counts; at the same place their sets merge.

use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Input};

use super::stream::Tokens;
use crate::diagnostics::{Code, Diagnostic};
use crate::syntax::token::{Sym, TokenKind};

/// What a parser gives.
pub type Parsed<'a, O> = IResult<Tokens<'a>, O, Fault>;

/// Something a parser may want.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Sym(Sym),
    Word(&'static str),
    Name,
    Literal,
    Text,
    Value,
    Expression,
    Pattern,
    Operator,
    LineEnd,
}

/// Keywords that stand inside a line, in the order in which they are listed.
const WORDS: [&str; 16] = [
    "after",
    "when",
    "max",
    "capacity",
    "by",
    "from",
    "else",
    "match",
    "if",
    "on",
    "unchanged",
    "same",
    "backend",
    "send",
    "drop",
    "pass",
];

/// A set of wants: kinds of word first, then keywords, then signs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wanted(u128);

impl Want {
    const KINDS: [(Want, &str); 8] = [
        (Want::Name, "a name"),
        (Want::Literal, "a literal"),
        (Want::Text, "a string"),
        (Want::Value, "a value"),
        (Want::Expression, "an expression"),
        (Want::Pattern, "a pattern"),
        (Want::Operator, "an operator"),
        (Want::LineEnd, "the end of the line"),
    ];

    fn bit(self) -> u32 {
        let kinds = Want::KINDS.len() as u32;
        match self {
            Want::Sym(sym) => 64 + sym as u32,
            Want::Word(word) => {
                let at = WORDS.iter().position(|known| *known == word);
                debug_assert!(at.is_some(), "`{word}` is not listed");
                kinds + at.unwrap_or(WORDS.len()) as u32
            }
            Want::Name
            | Want::Literal
            | Want::Text
            | Want::Value
            | Want::Expression
            | Want::Pattern
            | Want::Operator
            | Want::LineEnd => Want::KINDS
                .iter()
                .position(|(want, _)| *want == self)
                .unwrap_or(0) as u32,
        }
    }
}

impl Wanted {
    const NOTHING: Wanted = Wanted(0);

    /// Whether it holds this one.
    pub fn has(self, want: Want) -> bool {
        self.0 >> want.bit() & 1 == 1
    }

    /// In words: "a name, a literal or `{`".
    fn in_words(self) -> String {
        let kinds = Want::KINDS.iter().filter(|(want, _)| self.has(*want));
        let words = WORDS.iter().filter(|word| self.has(Want::Word(word)));
        let signs = Sym::ALL.iter().filter(|sym| self.has(Want::Sym(**sym)));
        let quoted = |text: &str| format!("`{text}`");
        let all: Vec<String> = kinds
            .map(|(_, text)| (*text).to_owned())
            .chain(words.map(|word| quoted(word)))
            .chain(signs.map(|sym| quoted(sym.as_str())))
            .collect();
        match all.split_last() {
            None => "something else".to_owned(),
            Some((last, [])) => last.clone(),
            Some((last, [first])) => format!("{first} or {last}"),
            Some((last, others)) => format!("one of {} or {last}", others.join(", ")),
        }
    }
}

/// Why a parser did not go on.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Tokens that were left: fewer is further.
    pub left: usize,
    wanted: Wanted,
    /// The diagnostic is made already.
    said: bool,
}

impl Fault {
    /// Before anything was read.
    pub const NOWHERE: Fault = Fault {
        left: usize::MAX,
        wanted: Wanted::NOTHING,
        said: false,
    };

    /// A fault at the next token of `i`.
    pub fn want(i: Tokens<'_>, want: Want) -> Fault {
        Fault {
            left: i.rest.len(),
            wanted: Wanted(1 << want.bit()),
            said: false,
        }
    }

    /// The further of two, or both at one place.
    fn merge(self, other: Fault) -> Fault {
        if self.said || other.said {
            return if self.said { self } else { other };
        }
        match self.left.cmp(&other.left) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => Fault {
                wanted: Wanted(self.wanted.0 | other.wanted.0),
                ..self
            },
        }
    }
}

impl<'a> ParseError<Tokens<'a>> for Fault {
    fn from_error_kind(i: Tokens<'a>, _: ErrorKind) -> Fault {
        Fault {
            left: i.rest.len(),
            ..Fault::NOWHERE
        }
    }

    fn append(_: Tokens<'a>, _: ErrorKind, other: Fault) -> Fault {
        other
    }

    fn or(self, other: Fault) -> Fault {
        self.merge(other)
    }
}

/// The parser wants something else here; remembered beyond `opt` and `many0`.
pub fn miss<O>(i: Tokens<'_>, want: Want) -> Parsed<'_, O> {
    let fault = Fault::want(i, want);
    i.cx.furthest.set(i.cx.furthest.get().merge(fault));
    Err(nom::Err::Error(fault))
}

/// The line is given up with a diagnostic of its own.
pub fn give_up<O>(i: Tokens<'_>, diagnostic: impl FnOnce() -> Diagnostic) -> Parsed<'_, O> {
    i.cx.push(diagnostic);
    give_up_silently(i)
}

/// The line is given up; its diagnostic is made already.
pub fn give_up_silently<O>(i: Tokens<'_>) -> Parsed<'_, O> {
    let fault = Fault {
        left: i.rest.len(),
        wanted: Wanted::NOTHING,
        said: true,
    };
    Err(nom::Err::Failure(fault))
}

/// Says what is wrong in the line at `start`; gives the tokens from that place on, and what was
/// wanted there.
pub fn report<'a>(start: Tokens<'a>, error: &nom::Err<Fault>) -> (Tokens<'a>, Wanted) {
    let fault = furthest(start, error);
    let at = place(start, error);
    start.cx.furthest.set(Fault::NOWHERE);
    let is_known = at
        .first()
        .is_none_or(|token| token.kind != TokenKind::Unknown);
    if is_known && !fault.said {
        start.cx.push(|| unexpected(start, at, fault.wanted));
    }
    (at, fault.wanted)
}

/// Where in the line at `start` it is wrong.
pub fn place<'a>(start: Tokens<'a>, error: &nom::Err<Fault>) -> Tokens<'a> {
    let read = start.rest.len().saturating_sub(furthest(start, error).left);
    start.take_from(read.min(start.rest.len()))
}

fn furthest(start: Tokens<'_>, error: &nom::Err<Fault>) -> Fault {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => fault.merge(start.cx.furthest.get()),
        nom::Err::Incomplete(_) => start.cx.furthest.get(),
    }
}

fn unexpected(start: Tokens<'_>, at: Tokens<'_>, wanted: Wanted) -> Diagnostic {
    let expected = wanted.in_words();
    let message = format!("expected {expected}, found {}", found(at));
    let error = Diagnostic::error(Code::UnexpectedToken, message, at.span())
        .label(format!("expected {expected}"));
    if wanted.has(Want::Operator) && at.sym_at(0) == Some(Sym::Assign) {
        let message = "`==` compares";
        // A condition compares; elsewhere it may be an assignment that went wrong.
        return if start.name_at(0) == Some("match") {
            error.mend(message, at.span(), "==")
        } else {
            error.suggest(message, at.span(), "==")
        };
    }
    error
}

/// The next token in words.
pub fn found(at: Tokens<'_>) -> String {
    let Some(token) = at.first() else {
        return "the end of the file".to_owned();
    };
    match &token.kind {
        TokenKind::Newline => "the end of the line".to_owned(),
        TokenKind::Name
        | TokenKind::Lit(_)
        | TokenKind::Sym(_)
        | TokenKind::Semicolon
        | TokenKind::Comment
        | TokenKind::Unknown => {
            let text = at.cx.snippet(token.span);
            let shown: String = text.chars().take(32).collect();
            let dots = if shown.len() < text.len() { "..." } else { "" };
            format!("`{shown}{dots}`")
        }
    }
}
