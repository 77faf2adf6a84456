//! Numbers with and without a unit: integers, sizes, times, rates, ranges.

use std::time::Duration;

use super::{LitKind, Value, Word};
use crate::diagnostics::{Code, Diagnostic};

/// What may follow the digits.
const SUFFIXES: &str =
    "`K`, `M`, `G` (sizes), `ms`, `s`, `m`, `h` (times), `bps`, `Kbps`, `Mbps`, `Gbps`";

/// Nanoseconds of a unit of time.
fn nanoseconds(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60 * 1_000_000_000),
        "h" => Some(3600 * 1_000_000_000),
        _ => None,
    }
}

/// Whether `unit` may follow a number as its time.
pub fn is_time_unit(unit: &str) -> bool {
    nanoseconds(unit).is_some()
}

/// `80`, `0x1f`, `64K`, `5s`, `10Gbps`.
pub fn number(word: Word) -> Value {
    let (digits, suffix) = split(word.text);
    let count = integer(word, digits)?;
    if let Some(factor) = size(suffix) {
        return count
            .checked_mul(factor)
            .map(LitKind::Int)
            .ok_or_else(|| too_large(word, "128"));
    }
    if let Some(unit) = nanoseconds(suffix) {
        return duration(count, unit).map(LitKind::Duration).ok_or_else(|| {
            Diagnostic::error(Code::BadDuration, "the time is too long", word.span)
                .label("a clock of 64-bit nanoseconds ends after 584 years")
        });
    }
    if let Some(factor) = bits(suffix) {
        let rate = count
            .checked_mul(factor)
            .and_then(|rate| u64::try_from(rate).ok());
        return rate
            .map(LitKind::BitRate)
            .ok_or_else(|| too_large(word, "64"));
    }
    Err(bad_suffix(word, digits, suffix))
}

/// `200/s`.
pub fn rate(word: Word, at: usize) -> Value {
    let (count, unit) = (word.part(0, at), word.part(at + 1, word.text.len()));
    let per = nanoseconds(unit.text).map(Duration::from_nanos);
    match (number(count)?, per) {
        (LitKind::Int(count), Some(per)) if u64::try_from(count).is_ok() => Ok(LitKind::Rate {
            count: count as u64,
            per,
        }),
        _ => Err(
            Diagnostic::error(Code::BadNumber, "a rate is a number per time", word.span)
                .note("for example `200/s`"),
        ),
    }
}

/// `8000..8099`.
pub fn range(word: Word, at: usize) -> Value {
    let (first, last) = (word.part(0, at), word.part(at + 2, word.text.len()));
    let low = end(first)?;
    let high = end(last)?;
    if low <= high {
        return Ok(LitKind::Range(low, high));
    }
    let turned = format!("{}..{}", last.text, first.text);
    Err(
        Diagnostic::error(Code::BadRange, "the range ends before it begins", word.span).suggest(
            "turn it round",
            word.span,
            turned,
        ),
    )
}

fn end(word: Word) -> Result<u64, Diagnostic> {
    let bad = |label: &str| {
        Diagnostic::error(
            Code::BadRange,
            "a range has a number at each end",
            word.span,
        )
        .label(label)
    };
    if word.text.contains(['.', ':']) {
        return Err(
            bad("an address").note("addresses have prefixes in place of ranges: `192.0.2.0/28`")
        );
    }
    match number(word) {
        Ok(LitKind::Int(value)) => u64::try_from(value).map_err(|_| bad("does not fit in 64 bits")),
        Ok(_) => Err(bad("has a unit")),
        Err(error) => Err(error),
    }
}

/// Digits (with `0x` and `_`) and what follows them.
fn split(text: &str) -> (&str, &str) {
    let prefix = if text.starts_with("0x") { 2 } else { 0 };
    let is_digit = |c: char| match prefix {
        2 => c.is_ascii_hexdigit() || c == '_',
        _ => c.is_ascii_digit() || c == '_',
    };
    let rest = text.get(prefix..).unwrap_or("");
    text.split_at(text.len() - rest.trim_start_matches(is_digit).len())
}

fn integer(word: Word, digits: &str) -> Result<u128, Diagnostic> {
    let (radix, body) = match digits.strip_prefix("0x") {
        Some(body) => (16, body),
        None => (10, digits),
    };
    let plain: String = body.chars().filter(|c| *c != '_').collect();
    if plain.is_empty() {
        return Err(
            Diagnostic::error(Code::BadNumber, "the number has no digits", word.span)
                .label("hexadecimal digits follow `0x`"),
        );
    }
    u128::from_str_radix(&plain, radix).map_err(|_| too_large(word, "128"))
}

/// Sizes count in powers of two, as tables do.
fn size(suffix: &str) -> Option<u128> {
    match suffix {
        "" => Some(1),
        "K" => Some(1 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        _ => None,
    }
}

/// Bit rates count in powers of ten, as network cards do.
fn bits(suffix: &str) -> Option<u128> {
    match suffix {
        "bps" => Some(1),
        "Kbps" => Some(1000),
        "Mbps" => Some(1_000_000),
        "Gbps" => Some(1_000_000_000),
        _ => None,
    }
}

fn duration(count: u128, unit: u64) -> Option<Duration> {
    let total = count.checked_mul(u128::from(unit))?;
    u64::try_from(total).ok().map(Duration::from_nanos)
}

fn too_large(word: Word, width: &str) -> Diagnostic {
    Diagnostic::error(Code::BadNumber, "the number is too large", word.span)
        .label(format!("does not fit in {width} bits"))
}

fn bad_suffix(word: Word, digits: &str, suffix: &str) -> Diagnostic {
    let place = word.part(digits.len(), word.text.len()).span;
    let error = Diagnostic::error(Code::BadNumber, format!("`{suffix}` is no unit"), place);
    let known = ["K", "M", "G", "ms", "s", "h", "bps", "Kbps", "Mbps", "Gbps"];
    match known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(suffix))
    {
        Some(known) if digits.starts_with("0x") => {
            error.suggest(format!("write `{known}`"), place, known)
        }
        Some(known) => error.mend(format!("write `{known}`"), place, known),
        None if digits.starts_with("0x") => error.note("hexadecimal digits are 0 to 9 and a to f"),
        None => error.note(format!("a number may end in {SUFFIXES}")),
    }
}
