//! What stands between quotes.

use super::{LitKind, Value, Word};
use crate::diagnostics::{Code, Diagnostic};

/// `"text"` with the escapes `\"`, `\\`, `\n` and `\t`.
pub fn string(word: Word) -> Value {
    let body = body(word, 1)?;
    let mut text = String::with_capacity(body.text.len());
    let mut letters = body.text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some((_, c @ ('"' | '\\'))) => text.push(c),
            Some((_, 'n')) => text.push('\n'),
            Some((_, 't')) => text.push('\t'),
            other => {
                let length = 1 + other.map_or(0, |(_, c)| c.len_utf8());
                return Err(bad_escape(body.part(at, at + length)));
            }
        }
    }
    Ok(LitKind::Str(text))
}

/// `hex"40 00"`: pairs of digits, with spaces between pairs where they help to read.
pub fn hex(word: Word) -> Value {
    let body = body(word, 4)?;
    let mut bytes = Vec::with_capacity(body.text.len() / 2);
    let mut high: Option<(usize, u8)> = None;
    for (at, letter) in body.text.char_indices() {
        let digit = letter.to_digit(16).map(|digit| digit as u8);
        match (high, digit) {
            (None, None) if letter == ' ' => {}
            (None, Some(digit)) => high = Some((at, digit)),
            (Some((_, high_digit)), Some(digit)) => {
                bytes.push(high_digit << 4 | digit);
                high = None;
            }
            (Some((first, _)), None) if letter == ' ' => return Err(half(body, first)),
            (_, None) => {
                let place = body.part(at, at + letter.len_utf8()).span;
                let message = format!("`{}` is no hexadecimal digit", letter.escape_debug());
                return Err(Diagnostic::error(Code::BadHex, message, place));
            }
        }
    }
    match high {
        Some((first, _)) => Err(half(body, first)),
        None => Ok(LitKind::Hex(bytes)),
    }
}

/// What stands between the quotes, the first of which is byte `open` - 1 of the word.
fn body(word: Word, open: usize) -> Result<Word, Diagnostic> {
    let body = word.text.get(open..).unwrap_or("");
    let backslashes = |text: &str| text.len() - text.trim_end_matches('\\').len();
    match body.strip_suffix('"') {
        Some(inside) if backslashes(inside) % 2 == 0 || open == 4 => {
            Ok(word.part(open, open + inside.len()))
        }
        _ => {
            let error = "the string does not end on its line";
            Err(
                Diagnostic::error(Code::UnterminatedString, error, word.span).suggest(
                    "close it",
                    word.span.after(),
                    "\"",
                ),
            )
        }
    }
}

fn half(body: Word, first: usize) -> Diagnostic {
    let place = body.part(first, first + 1).span;
    Diagnostic::error(Code::BadHex, "half a byte", place).label("a byte is two hexadecimal digits")
}

fn bad_escape(escape: Word) -> Diagnostic {
    let shown = |c: char| {
        if c.is_ascii_graphic() {
            c.to_string()
        } else {
            c.escape_debug().to_string()
        }
    };
    let shown: String = escape.text.chars().map(shown).collect();
    let message = format!("`{shown}` is no escape");
    Diagnostic::error(Code::BadEscape, message, escape.span)
        .note("the escapes are `\\\"`, `\\\\`, `\\n` and `\\t`")
}
