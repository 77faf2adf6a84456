//! Literals: what a policy writes down instead of naming.
//!
//! The lexer says where a literal ends, here is what it is worth, or why it cannot be.

mod address;
mod number;
mod text;

pub(super) use self::address::endpoint6;
pub(super) use self::number::is_time_unit;
pub(super) use self::text::{hex, string};

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

/// A literal and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lit {
    /// Its value.
    pub kind: LitKind,
    /// Where it stands.
    pub span: Span,
}

/// The value of a literal; checked, so an impossible one is never more than [`LitKind::Bad`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LitKind {
    /// `80`, `0x1f`, `1_000`, `64K` (65536), `1M`: K, M and G are powers of two.
    Int(u128),
    /// `192.168.46.200`.
    Ip4(Ipv4Addr),
    /// `2001:db8::1`.
    Ip6(Ipv6Addr),
    /// `10.0.0.0/8`: length 0 to 32, no bit set beyond it.
    Net4(Ipv4Addr, u8),
    /// `2001:db8::/32`: length 0 to 128, no bit set beyond it.
    Net6(Ipv6Addr, u8),
    /// `00:0c:29:aa:bb:cc`, in wire order.
    Mac([u8; 6]),
    /// `192.168.46.130:8080`, `[2001:db8::1]:443`.
    Endpoint(SocketAddr),
    /// `8000..8099`: both ends belong to it, the first is not the greater one.
    Range(u64, u64),
    /// `250ms`, `5s`, `15m`, `1h`.
    Duration(Duration),
    /// `200/s`: `count` per `per`, which is not zero.
    Rate {
        /// How many.
        count: u64,
        /// In which time.
        per: Duration,
    },
    /// `10Gbps`, in bits per second; the letters are powers of ten here, as on a network card.
    BitRate(u64),
    /// `"text"`, its escapes resolved.
    Str(String),
    /// `hex"40 00"`.
    Hex(Vec<u8>),
    /// An impossible literal: it has its diagnostic already, later stages say nothing about it.
    Bad,
}

/// The value of a literal, or why it has none.
type Value = Result<LitKind, Diagnostic>;

/// A piece of text and its place; a diagnostic marks the part that is wrong.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) span: Span,
}

impl<'a> Word<'a> {
    /// Bytes `start..end` of it.
    pub(super) fn part(self, start: usize, end: usize) -> Word<'a> {
        let base = self.span.start as usize;
        let span = Span::new(self.span.file, base + start, base + end);
        Word {
            text: self.text.get(start..end).unwrap_or(""),
            span,
        }
    }

    /// The parts between separators.
    fn split(self, separator: char) -> impl Iterator<Item = Word<'a>> {
        let mut start = 0;
        self.text.split(separator).map(move |text| {
            let part = self.part(start, start + text.len());
            start += text.len() + separator.len_utf8();
            part
        })
    }
}

/// What begins with a digit, a colon or, in an address, a hexadecimal letter.
pub(super) fn word(word: Word) -> Value {
    let find = |sign: &str| word.text.find(sign);
    let is_address = word.text.contains(['.', ':']) && find("..").is_none();
    if let Some(at) = find("/") {
        return if is_address {
            address::prefix(word, at)
        } else {
            number::rate(word, at)
        };
    }
    if let Some(at) = find("..") {
        return number::range(word, at);
    }
    match (
        word.text.matches(':').count(),
        word.text.matches('.').count(),
    ) {
        (0, 0) => number::number(word),
        (0, 1) => Err(fraction(word)),
        (0, _) => address::ip4(word).map(LitKind::Ip4),
        (1, dots) if dots > 0 => address::endpoint4(word, find(":").unwrap_or(0)),
        _ => address::with_colons(word),
    }
}

fn fraction(word: Word) -> Diagnostic {
    Diagnostic::error(Code::BadNumber, "numbers have no fraction", word.span)
        .note("a smaller unit says the same: `1500ms`, `2500Mbps`")
}
