//! A frame to headers. Any bytes can be taken apart; what does not fit is said to be truncated.

use std::fmt::Write;

use super::build::extent;
use super::shape::Kind;

/// Most headers that are told apart: what lies deeper is payload.
const DEEPEST: usize = 16;
/// Most bytes of a payload that are written out.
const SHOWN: usize = 64;

/// A header found in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `eth`, `vlan`, `arp`, `ip4`, `ip6`, `ext6`, `frag6`, `tcp`, `udp`, `sctp`, `icmp`, `icmp6`; `payload` for what is in no header,
    /// `padding` behind the end that an IP header states, `truncated` for a header that does not fit and, with size 0,
    /// where a header promises more than there is.
    pub name: &'static str,
    /// Offset of its first byte in the frame.
    pub offset: usize,
    /// Number of its bytes.
    pub size: usize,
    /// Its fields as people write them, in the header's order; those of a payload are its first bytes.
    pub fields: Vec<(&'static str, String)>,
}

/// A header, and its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) bytes: &'a [u8],
}

/// What is expected at a place in the frame.
#[derive(Clone, Copy)]
enum Expected {
    Header(Kind),
    Bytes,
}

/// The headers of a frame, outermost first. They cover it without a gap.
pub fn decode(frame: &[u8]) -> Vec<Header> {
    let headers = dissect(frame).into_iter().map(|found| {
        let shapes = found.kind.shapes().iter();
        let mut fields: Vec<_> = shapes
            .filter_map(|shape| Some((shape.name, shape.text(shape.read(found.bytes)?))))
            .collect();
        match found.bytes.get(found.kind.size()..) {
            None | Some([]) => {}
            Some(rest) if found.kind.options() > 0 => fields.push(("options", hex(rest))),
            Some(rest) => fields.push(("bytes", hex(rest))),
        }
        Header {
            name: found.kind.name(),
            offset: found.at,
            size: found.bytes.len(),
            fields,
        }
    });
    headers.collect()
}

/// Bytes as hexadecimal pairs, shortened where they are many.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN) {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{byte:02x}");
    }
    if bytes.len() > SHOWN {
        let _ = write!(text, " .. {} bytes", bytes.len());
    }
    text
}

/// Takes a frame apart.
pub(super) fn dissect(frame: &[u8]) -> Vec<Found<'_>> {
    let mut found: Vec<Found<'_>> = Vec::new();
    let (mut at, mut end) = (0, frame.len());
    let (mut expected, mut quoted, mut cut) = (Expected::Header(Kind::Eth), false, false);
    loop {
        let rest = frame.get(at..end).unwrap_or_default();
        let kind = match expected {
            Expected::Header(kind) if found.len() < DEEPEST => kind,
            Expected::Header(_) | Expected::Bytes => {
                if !rest.is_empty() {
                    found.push(Found {
                        kind: Kind::Bytes,
                        at,
                        bytes: rest,
                    });
                }
                break;
            }
        };
        let Some(bytes) = fitting(kind, rest, quoted) else {
            found.push(Found {
                kind: Kind::Truncated,
                at,
                bytes: rest,
            });
            cut = false;
            break;
        };
        found.push(Found { kind, at, bytes });
        if let Some(stated) = extent(kind, bytes, bytes.len()).filter(|_| is_ip(kind)) {
            cut |= at + stated > end && !quoted;
            end = end.min(at + stated);
        }
        expected = following(kind, bytes, quoted);
        quoted |= matches!(kind, Kind::Icmp | Kind::Icmp6);
        at += bytes.len();
    }
    if cut {
        found.push(Found {
            kind: Kind::Truncated,
            at: end,
            bytes: &[],
        });
    }
    match frame.get(end..) {
        None | Some([]) => {}
        Some(bytes) => found.push(Found {
            kind: Kind::Padding,
            at: end,
            bytes,
        }),
    }
    found
}

fn is_ip(kind: Kind) -> bool {
    matches!(kind, Kind::Ip4 | Kind::Ip6)
}

/// The bytes of a header at the begin of `bytes`, if it is one and lies there as a whole. Of what is quoted only eight
/// bytes are certain (RFC 792).
fn fitting(kind: Kind, bytes: &[u8], quoted: bool) -> Option<&[u8]> {
    let units = |name| Some(kind.shape(name)?.read(bytes)? as usize);
    let size = match kind {
        Kind::Ip4 => units("ihl")? * 4,
        Kind::Ext6 => (units("length")? + 1) * 8,
        Kind::Tcp => units("offset").map_or(usize::MAX, |words| words * 4),
        Kind::Eth
        | Kind::Vlan
        | Kind::Arp
        | Kind::Ip6
        | Kind::Frag6
        | Kind::Udp
        | Kind::Sctp
        | Kind::Icmp
        | Kind::Icmp6
        | Kind::Bytes
        | Kind::Padding
        | Kind::Truncated => kind.size(),
    };
    let version = if kind == Kind::Ip6 { 6 } else { 4 };
    if is_ip(kind) && kind.shape("version")?.read(bytes)? != version || size < kind.size() {
        return None;
    }
    match bytes.get(..size) {
        None if quoted && matches!(kind, Kind::Tcp | Kind::Sctp) => bytes.get(..8),
        whole => whole,
    }
}

/// What follows a header.
fn following(kind: Kind, header: &[u8], quoted: bool) -> Expected {
    let value = |name| {
        kind.shape(name)
            .and_then(|shape| shape.read(header))
            .unwrap_or(0)
    };
    match kind {
        Kind::Eth | Kind::Vlan => match value("type") {
            0x8100 | 0x88a8 => Expected::Header(Kind::Vlan),
            0x0806 => Expected::Header(Kind::Arp),
            0x0800 => Expected::Header(Kind::Ip4),
            0x86dd => Expected::Header(Kind::Ip6),
            _ => Expected::Bytes,
        },
        Kind::Ip4 | Kind::Frag6 if value("offset") != 0 => Expected::Bytes,
        Kind::Ip6 | Kind::Ext6 | Kind::Frag6 if matches!(value("protocol"), 0 | 43 | 60) => {
            Expected::Header(Kind::Ext6)
        }
        Kind::Ip6 | Kind::Ext6 | Kind::Frag6 if value("protocol") == 44 => {
            Expected::Header(Kind::Frag6)
        }
        Kind::Ip4 | Kind::Ip6 | Kind::Ext6 | Kind::Frag6 => match value("protocol") {
            1 => Expected::Header(Kind::Icmp),
            4 => Expected::Header(Kind::Ip4),
            6 => Expected::Header(Kind::Tcp),
            17 => Expected::Header(Kind::Udp),
            41 => Expected::Header(Kind::Ip6),
            58 => Expected::Header(Kind::Icmp6),
            132 => Expected::Header(Kind::Sctp),
            _ => Expected::Bytes,
        },
        Kind::Icmp if !quoted && matches!(value("type"), 3 | 4 | 5 | 11 | 12) => {
            Expected::Header(Kind::Ip4)
        }
        Kind::Icmp6 if !quoted && value("type") < 128 => Expected::Header(Kind::Ip6),
        Kind::Icmp
        | Kind::Icmp6
        | Kind::Arp
        | Kind::Tcp
        | Kind::Udp
        | Kind::Sctp
        | Kind::Bytes
        | Kind::Padding
        | Kind::Truncated => Expected::Bytes,
    }
}
