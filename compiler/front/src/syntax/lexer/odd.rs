//! What is no part of the language: where it ends, and what is said of it.

use super::alike::{self, Alike};
use super::{Shape, is_word};
use crate::diagnostics::{Applicability, Code, Diagnostic, Edit, Fix};
use crate::syntax::literal::Word;

/// Signs of ASCII that no word begins with.
const FOREIGN: &str = "!$'?@\\`";

/// A word with letters that names do not have; nothing where all are ASCII.
pub fn word(i: &str) -> Option<(&str, Shape)> {
    let in_word = |c: char| is_word(c) || !c.is_ascii() && (c.is_alphanumeric() || alike::hides(c));
    let length = i.find(|c| !in_word(c)).unwrap_or(i.len());
    let word = i.get(..length)?.trim_end_matches(alike::hides);
    (!word.is_ascii()).then(|| (i.get(word.len()..).unwrap_or(""), Shape::Unknown))
}

/// Blanks from here on that are none of the language's: all of one kind.
pub fn blanks(i: &str) -> Option<&str> {
    let first = i.chars().next().filter(|c| alike::blank(*c).is_some())?;
    i.get(..i.len() - i.trim_start_matches(first).len())
}

/// All characters from here on that nothing begins with, as one token.
pub fn unknown(i: &str) -> (&str, Shape) {
    let first = i.chars().next().unwrap_or(' ');
    let known = |c: char| c.is_ascii() && !c.is_ascii_control() && !FOREIGN.contains(c);
    let ends = |c: char| known(c) || matches!(c, '\n' | '\t' | '\r') || alike::alike(c).is_some();
    let length = if i.starts_with("//") {
        i.find('\n').unwrap_or(i.len())
    } else if ["&&", "||"].iter().any(|sign| i.starts_with(sign)) {
        2
    } else if let Some(length) = quoted(i) {
        length
    } else if alike::alike(first).is_some() {
        first.len_utf8()
    } else {
        let more = i.get(first.len_utf8()..).unwrap_or("");
        first.len_utf8() + more.find(ends).unwrap_or(more.len())
    };
    (i.get(length..).unwrap_or(""), Shape::Unknown)
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '`') || alike::quote(c).is_some()
}

/// Bytes of a string between other marks than `"`, if it is one.
fn quoted(i: &str) -> Option<usize> {
    let mut letters = i.char_indices();
    letters.next().filter(|(_, mark)| is_quote(*mark))?;
    let (at, mark) = letters.find(|(_, c)| is_quote(*c) || matches!(c, '"' | '\n'))?;
    (mark != '\n').then_some(at + mark.len_utf8())
}

/// What is said of blanks that are none.
pub fn blanks_are_none(word: Word) -> Option<Diagnostic> {
    let first = word.text.chars().next()?;
    let alike = alike::blank(first)?;
    let replacement = alike.ascii.repeat(word.text.chars().count());
    let error = Diagnostic::error(Code::LookAlike, not_ascii(first, alike), word.span);
    let message = match alike.ascii {
        "" => "leave it out",
        _ => "write a space",
    };
    Some(error.mend(message, word.span, replacement))
}

/// What is said of a token that is no part of the language; `before` is what stands before it in its line, `after` all that
/// follows.
pub fn complain<'a>(word: Word, before: impl FnOnce() -> &'a str, after: &str) -> Diagnostic {
    let error = |message: String| Diagnostic::error(Code::UnknownCharacter, message, word.span);
    match word.text {
        "&&" => operator(word, "and", before(), after),
        "||" => operator(word, "or", before(), after),
        "!" => error("`!` is no operator".to_owned()).suggest("write `not `", word.span, "not "),
        text if text.starts_with("//") => {
            let slashes = word.part(0, 2).span;
            let error = error("a comment begins with `#`".to_owned());
            if before().trim().is_empty() {
                error.mend("write `#`", slashes, "#")
            } else {
                error.suggest("write `#`", slashes, "#")
            }
        }
        text if quoted(text).is_some() => other_quotes(word),
        _ => odd_character(word),
    }
}

/// An operator of other languages; the word that is written here needs blanks around it.
fn operator(word: Word, with: &str, before: &str, after: &str) -> Diagnostic {
    let blank = |side: Option<char>| side.is_none_or(char::is_whitespace);
    let space = |blank| if blank { "" } else { " " };
    let left = space(blank(before.chars().next_back()));
    let right = space(blank(after.chars().next()));
    let message = format!("`{}` is no operator", word.text);
    Diagnostic::error(Code::UnknownCharacter, message, word.span).mend(
        format!("write `{with}`"),
        word.span,
        format!("{left}{with}{right}"),
    )
}

/// A string between other marks than `"`.
fn other_quotes(word: Word) -> Diagnostic {
    let mut letters = word.text.chars();
    let (open, close) = (
        letters.next().unwrap_or('"'),
        letters.next_back().unwrap_or('"'),
    );
    let end = word.text.len() - close.len_utf8();
    let (code, message) = match alike::quote(open).zip(Some(open)) {
        Some((alike, open)) => (Code::LookAlike, not_ascii(open, alike)),
        None => (Code::UnknownCharacter, format!("`{open}` begins no string")),
    };
    let edit = |place: Word| Edit {
        span: place.span,
        replacement: "\"".to_owned(),
    };
    let inside = word.part(open.len_utf8(), end);
    let plain = !inside.text.contains(['"', '\\']);
    Diagnostic::error(code, message, word.part(0, open.len_utf8()).span).fix(Fix {
        message: "strings stand between double quotes".to_owned(),
        edits: vec![
            edit(word.part(0, open.len_utf8())),
            edit(word.part(end, word.text.len())),
        ],
        applicability: if plain {
            Applicability::Sure
        } else {
            Applicability::Maybe
        },
    })
}

/// A character, or a word with some, that names and signs do not have.
fn odd_character(word: Word) -> Diagnostic {
    let odd = |(_, c): &(usize, char)| !c.is_ascii();
    let strange = |(_, c): &(usize, char)| !c.is_ascii() && alike::alike(*c).is_none();
    let letters = || word.text.char_indices();
    let at = letters().find(strange).or_else(|| letters().find(odd));
    let (at, first) = at.unwrap_or((0, word.text.chars().next().unwrap_or(' ')));
    let place = word.part(at, at + first.len_utf8()).span;
    if let Some(alike) = alike::alike(first) {
        let meant = alike::folded(word.text);
        let error = Diagnostic::error(Code::LookAlike, not_ascii(first, alike), place);
        return error.mend(format!("write `{meant}`"), word.span, meant);
    }
    if first.is_alphanumeric() {
        let message = format!("`{first}` ({}) is no letter of names", point(first));
        return Diagnostic::error(Code::UnknownCharacter, message, place)
            .note("names have the letters `A` to `Z` and `a` to `z`, digits and `_`");
    }
    let shown: String = word
        .text
        .chars()
        .take(8)
        .flat_map(char::escape_debug)
        .collect();
    let message = format!("`{shown}` is no part of the language");
    let error = Diagnostic::error(Code::UnknownCharacter, message, word.span);
    if is_quote(first) {
        return error.note("strings stand between double quotes, `\"`");
    }
    error
}

/// `–` (U+2013, en dash) is not the ASCII `-`
fn not_ascii(c: char, alike: Alike) -> String {
    let (point, name) = (point(c), alike.name);
    match alike.ascii {
        "" => format!("{point} stands here: {name}"),
        " " => format!("{point} ({name}) is not the ASCII space"),
        ascii => format!("`{c}` ({point}, {name}) is not the ASCII `{ascii}`"),
    }
}

fn point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// What cannot be seen in a string that is fine otherwise: control characters, and what changes the order of reading.
pub fn hidden_in_string(word: Word) -> Option<Diagnostic> {
    let hidden = |(_, c): &(usize, char)| c.is_control() || alike::hides(*c);
    let (at, first) = word.text.char_indices().find(hidden)?;
    let place = word.part(at, at + first.len_utf8()).span;
    let warning = |what: &str| {
        let message = format!("{what} stands in a string");
        Diagnostic::warning(Code::HiddenCharacter, message, place)
    };
    if first != '\t' {
        return Some(warning(&point(first)).suggest("leave it out", place, ""));
    }
    let tabs = word.text.match_indices('\t').map(|(at, tab)| Edit {
        span: word.part(at, at + tab.len()).span,
        replacement: "\\t".to_owned(),
    });
    Some(warning("a tab").fix(Fix {
        message: "write `\\t`".to_owned(),
        edits: tabs.collect(),
        applicability: Applicability::Sure,
    }))
}

/// What changes the order of reading in a comment, or seems to end it.
pub fn hidden_in_comment(word: Word) -> Option<Diagnostic> {
    let hidden = |(_, c): &(usize, char)| *c == '\r' || alike::turns(*c);
    let (at, first) = word.text.char_indices().find(hidden)?;
    let place = word.part(at, at + first.len_utf8()).span;
    let message = format!("{} stands in a comment", point(first));
    let warning = Diagnostic::warning(Code::HiddenCharacter, message, place);
    Some(match first {
        '\r' => warning.note("lines end with a line feed: what follows is still the comment"),
        _ => warning
            .note("what follows is shown in another order than it stands")
            .suggest("leave it out", place, ""),
    })
}
