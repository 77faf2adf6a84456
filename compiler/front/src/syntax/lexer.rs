//! Text to tokens.
//!
//! Decides where a word ends (nom over `&str`); what a literal is worth, `literal` knows. Never
//! fails: a character that is no part of the language, or a literal that cannot be, is a
//! diagnostic and a token, and lexing goes on. A byte order mark and CRLF line ends are tolerated.

mod alike;
mod odd;

pub use self::alike::folded;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{opt, peek, recognize, success, value, verify};
use nom::error::{Error, ErrorKind};
use nom::multi::many0_count;
use nom::sequence::{pair, terminated};
use nom::{IResult, Parser};

use super::MAX_DIAGNOSTICS;
use super::literal::{self, LitKind, Word};
use super::token::{Sym, Token, TokenKind};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// The tokens of a text, in order, and what is wrong with them.
pub fn lex(file: FileId, text: &str) -> (Vec<Token>, Vec<Diagnostic>) {
    if u32::try_from(text.len()).is_err() {
        let start = Span::new(file, 0, 0);
        let error = Diagnostic::error(Code::FileTooLarge, "the text is 4 GiB or larger", start);
        return (Vec::new(), vec![error]);
    }
    // Policies have a word every four bytes or so.
    let mut tokens = Vec::with_capacity(text.len() / 4);
    let mut diagnostics = Vec::new();
    let mut rest = blank(text.strip_prefix('\u{feff}').unwrap_or(text));
    while !rest.is_empty() {
        let blanks = odd::blanks(rest);
        let (after, shape) = match blanks {
            Some(blanks) => (rest.get(blanks.len()..).unwrap_or(""), Shape::Unknown),
            None => shape(rest).unwrap_or_else(|_| odd::unknown(rest)),
        };
        let start = text.len() - rest.len();
        let span = Span::new(file, start, text.len() - after.len());
        let word = Word {
            text: text.get(span.range()).unwrap_or(""),
            span,
        };
        let fault = if blanks.is_some() {
            odd::blanks_are_none(word)
        } else {
            let (kind, fault) = classify(shape, word, (|| line_before(text, start), after));
            tokens.push(Token { kind, span });
            fault
        };
        diagnostics.extend(fault.filter(|_| diagnostics.len() < MAX_DIAGNOSTICS));
        rest = blank(after);
    }
    (tokens, diagnostics)
}

/// What stands in its line before a place.
fn line_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or("");
    before.rsplit('\n').next().unwrap_or("")
}

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r'])
}

/// What kind of word it is, before its value is known.
#[derive(Clone, Copy)]
enum Shape {
    Name,
    Literal,
    Endpoint,
    Str,
    Hex,
    Sym(Sym),
    Newline,
    Semicolon,
    Comment,
    Unknown,
}

fn classify<'a>(
    shape: Shape,
    word: Word<'a>,
    (before, after): (impl FnOnce() -> &'a str, &str),
) -> (TokenKind, Option<Diagnostic>) {
    let result = match shape {
        Shape::Name => return (TokenKind::Name, None),
        Shape::Sym(sym) => return (TokenKind::Sym(sym), None),
        Shape::Newline => return (TokenKind::Newline, None),
        Shape::Semicolon => return (TokenKind::Semicolon, None),
        Shape::Comment => return (TokenKind::Comment, odd::hidden_in_comment(word)),
        Shape::Unknown => return (TokenKind::Unknown, Some(odd::complain(word, before, after))),
        Shape::Literal => literal::word(word),
        Shape::Endpoint => literal::endpoint6(word),
        Shape::Str => literal::string(word),
        Shape::Hex => literal::hex(word),
    };
    match result {
        Ok(kind @ LitKind::Str(_)) => (TokenKind::Lit(kind), odd::hidden_in_string(word)),
        Ok(kind) => (TokenKind::Lit(kind), None),
        Err(fault) => (TokenKind::Lit(LitKind::Bad), Some(fault)),
    }
}

type Lexed<'a, O> = IResult<&'a str, O>;

fn shape(i: &str) -> Lexed<'_, Shape> {
    if let Some(odd) = odd::word(i) {
        return Ok(odd);
    }
    alt((
        value(Shape::Literal, literal_word),
        value(Shape::Hex, pair(tag("hex"), quoted)),
        value(Shape::Name, name),
        value(Shape::Newline, char('\n')),
        value(Shape::Semicolon, char(';')),
        value(Shape::Comment, comment),
        value(Shape::Str, quoted),
        value(Shape::Endpoint, bracketed_endpoint),
        sign.map(Shape::Sym),
    ))
    .parse(i)
}

fn name(i: &str) -> Lexed<'_, &str> {
    recognize(pair(
        satisfy(|c| c.is_ascii_alphabetic() || c == '_'),
        take_while(is_word),
    ))
    .parse(i)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

fn comment(i: &str) -> Lexed<'_, &str> {
    let (_, line) = recognize(pair(char('#'), take_till(|c| c == '\n'))).parse(i)?;
    first_bytes(i, line.trim_end_matches('\r').len())
}

/// nom's own `take` counts characters of a text, lengths here are bytes.
fn first_bytes(i: &str, length: usize) -> Lexed<'_, &str> {
    let (word, after) = i
        .split_at_checked(length)
        .ok_or_else(|| nom::Err::Error(Error::new(i, ErrorKind::Eof)))?;
    Ok((after, word))
}

/// From a quote to the next, or to the end of the line where there is none.
fn quoted(i: &str) -> Lexed<'_, &str> {
    let plain = take_while1(|c| !matches!(c, '"' | '\\' | '\n' | '\r'));
    let escape = recognize(pair(char('\\'), opt(satisfy(|c| c != '\n' && c != '\r'))));
    recognize((char('"'), many0_count(alt((plain, escape))), opt(char('"')))).parse(i)
}

fn sign(i: &str) -> Lexed<'_, Sym> {
    let mut letters = i.bytes();
    let found = match (letters.next().unwrap_or(0), letters.next().unwrap_or(0)) {
        (b'=', b'=') => Some((Sym::Equal, 2)),
        (b'!', b'=') => Some((Sym::NotEqual, 2)),
        (b'<', b'=') => Some((Sym::LessEqual, 2)),
        (b'<', b'<') => Some((Sym::ShiftLeft, 2)),
        (b'>', b'=') => Some((Sym::GreaterEqual, 2)),
        (b'>', b'>') => Some((Sym::ShiftRight, 2)),
        (b'+', b'=') => Some((Sym::PlusAssign, 2)),
        (b'-', b'=') => Some((Sym::MinusAssign, 2)),
        (b'-', b'>') => Some((Sym::Arrow, 2)),
        // Other languages' `and`, `or` and comment: told apart, so that the remedy can be said.
        (b'&', b'&') | (b'|', b'|') | (b'/', b'/') => None,
        (b'{', _) => Some((Sym::LeftBrace, 1)),
        (b'}', _) => Some((Sym::RightBrace, 1)),
        (b'(', _) => Some((Sym::LeftParen, 1)),
        (b')', _) => Some((Sym::RightParen, 1)),
        (b'[', _) => Some((Sym::LeftBracket, 1)),
        (b']', _) => Some((Sym::RightBracket, 1)),
        (b',', _) => Some((Sym::Comma, 1)),
        (b':', _) => Some((Sym::Colon, 1)),
        (b'.', _) => Some((Sym::Dot, 1)),
        (b'=', _) => Some((Sym::Assign, 1)),
        (b'<', _) => Some((Sym::Less, 1)),
        (b'>', _) => Some((Sym::Greater, 1)),
        (b'+', _) => Some((Sym::Plus, 1)),
        (b'-', _) => Some((Sym::Minus, 1)),
        (b'*', _) => Some((Sym::Star, 1)),
        (b'/', _) => Some((Sym::Slash, 1)),
        (b'%', _) => Some((Sym::Percent, 1)),
        (b'&', _) => Some((Sym::Ampersand, 1)),
        (b'|', _) => Some((Sym::Pipe, 1)),
        (b'^', _) => Some((Sym::Caret, 1)),
        (b'~', _) => Some((Sym::Tilde, 1)),
        _ => None,
    };
    let (sym, length): (Sym, usize) =
        found.ok_or_else(|| nom::Err::Error(Error::new(i, ErrorKind::OneOf)))?;
    let (after, _) = first_bytes(i, length)?;
    Ok((after, sym))
}

/// A number or an address with all that belongs to it: suffix, port, prefix length, range end.
fn literal_word(i: &str) -> Lexed<'_, &str> {
    verify(success(i), |i: &str| begins_literal(i)).parse(i)?;
    let (after, word) = first_bytes(i, word_length(i))?;
    let is_address = word.contains(':') || word.contains('.') && !word.contains("..");
    let tail = if is_address {
        opt(recognize((
            char('/'),
            peek(satisfy(|c| c.is_ascii_digit())),
            take_while(is_word),
            many0_count(pair(char('.'), take_while1(is_word))), // a mask, which is told what it is
        )))
        .parse(after)
    } else {
        let unit = verify(take_while1(is_word), |unit: &str| {
            literal::is_time_unit(unit)
        });
        opt(recognize(pair(char('/'), unit))).parse(after)
    };
    let (_, tail): (_, Option<&str>) = tail?;
    first_bytes(i, word.len() + tail.map_or(0, str::len))
}

/// A digit, `::`, or hexadecimal digits that turn out to be an address: `fe80::1` is one, `a: u8`
/// is a name and its type.
fn begins_literal(i: &str) -> bool {
    let rest = i.trim_start_matches(is_hex);
    let word = || i.get(..word_length(i)).unwrap_or("");
    i.starts_with(|c: char| c.is_ascii_digit())
        || rest.starts_with(':') && word().bytes().filter(|c| *c == b':').count() >= 2
}

/// Bytes of `i` that are one number or address; the signs `.` and `:` belong to it only where
/// something follows that can.
fn word_length(i: &str) -> usize {
    let bytes = i.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let (mut length, mut colons) = (0, 0);
    // Nothing else has a digit before a colon: `02:zz:` is the begin of a wrong address, too.
    let goes_on = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        let group = rest.iter().take_while(|c| c.is_ascii_alphanumeric());
        at(0).is_ascii_digit() && at(from + group.count()) == b':'
    };
    loop {
        let next = at(length + 1);
        colons += u32::from(at(length) == b':');
        length += match at(length) {
            c if c.is_ascii_alphanumeric() || c == b'_' => 1,
            b'.' if next.is_ascii_alphanumeric() => 1,
            b'.' if next == b'.' && at(length + 2).is_ascii_digit() => 2,
            b':' if next.is_ascii_hexdigit() || next == b':' => 1,
            b':' if next.is_ascii_alphanumeric() && (colons > 1 || goes_on(length + 1)) => 1,
            b':' if length > 0 && at(length - 1) == b':' => 1,
            _ => return length,
        };
    }
}

/// `[2001:db8::1]:443`; without the port the bracket is an index.
fn bracketed_endpoint(i: &str) -> Lexed<'_, &str> {
    let address = verify(
        take_while1(|c| is_word(c) || c == ':' || c == '.'),
        |text: &str| text.bytes().filter(|c| *c == b':').count() >= 2,
    );
    let port = terminated(char(':'), peek(satisfy(|c| c.is_ascii_digit())));
    recognize((char('['), address, char(']'), port, take_while(is_word))).parse(i)
}

#[cfg(test)]
mod tests;
