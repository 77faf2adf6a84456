//! Names that the language itself has, and what they mean.

use super::Paint;
use super::symbol::Value;
use crate::check::type_width;

/// A name of the language.
#[derive(Debug, PartialEq, Eq)]
pub struct Builtin {
    /// The name.
    pub name: &'static str,
    /// What it means, in a few words.
    pub docs: &'static str,
    pub(super) paint: Paint,
    pub(super) value: Value,
}

const fn builtin(name: &'static str, docs: &'static str, paint: Paint, value: Value) -> Builtin {
    Builtin {
        name,
        docs,
        paint,
        value,
    }
}

const fn field(name: &'static str, docs: &'static str) -> Builtin {
    builtin(name, docs, Paint::Property, Value::Plain)
}

const fn word(name: &'static str, docs: &'static str) -> Builtin {
    builtin(name, docs, Paint::Keyword, Value::Plain)
}

const fn ty(name: &'static str, docs: &'static str) -> Builtin {
    builtin(name, docs, Paint::Type, Value::Plain)
}

/// Names that can stand alone.
pub static ROOTS: [Builtin; 2] = [
    builtin(
        "ingress",
        "the interface by which the packet came",
        Paint::Variable,
        Value::Interface,
    ),
    builtin(
        "flow",
        "the packet's flow: source, destination, protocol and ports; an ICMP error belongs to the flow of the packet \
               that it quotes",
        Paint::Variable,
        Value::Flow,
    ),
];

/// What may stand behind the `by` of a `select`.
pub static BY_ID: Builtin = word(
    "id",
    "the packet names the backend: the one with this id, where it can serve; else the pool's scheduler chooses",
);

/// Fields of a backend.
pub static BACKEND: [Builtin; 3] = [
    field("mac", "the MAC of its next hop"),
    builtin(
        "interface",
        "the interface by which it is reached",
        Paint::Property,
        Value::Interface,
    ),
    field("id", "its number in the pool, 16 bits"),
];

/// Fields of an interface.
pub static INTERFACE: [Builtin; 2] = [
    field("mac", "its MAC"),
    field("index", "its number, 8 bits"),
];

/// Fields of a pool.
pub static POOL: [Builtin; 1] = [field("macs", "the MACs of all its backends, as a set")];

/// Fields of the flow.
pub static FLOW: [Builtin; 5] = [
    field("src", "source address"),
    field("dst", "destination address"),
    field("protocol", "protocol, 8 bits"),
    field("sport", "source port, 0 where there is none"),
    field("dport", "destination port, 0 where there is none"),
];

/// Fields of a meter.
pub static METER: [Builtin; 1] = [field(
    "exceeded",
    "whether no token is left; takes one where one is",
)];

/// Schedulers.
pub static SCHEDULERS: [Builtin; 15] = [
    word("rr", "every usable backend in turn"),
    word("wrr", "in turn, as often as its weight says"),
    word(
        "maglev",
        "consistent hashing (Maglev): the same flow finds the same backend on every director",
    ),
    word(
        "sh",
        "by the client's address: all its flows have the same backend",
    ),
    word(
        "dh",
        "by the service's address: all flows to it have the same backend",
    ),
    word(
        "rendezvous",
        "consistent hashing (highest random weight): a change moves only the flows that it must",
    ),
    word("fo", "all to the heaviest backend that is usable"),
    word(
        "lc",
        "the backend with the fewest flows, whatever its weight",
    ),
    word("wlc", "the backend with the fewest flows for its weight"),
    word(
        "sed",
        "the backend where the next flow waits least: active flows for its weight",
    ),
    word(
        "nq",
        "the first backend without active flows, else as `sed`",
    ),
    word(
        "ovf",
        "the heaviest backend with no more active flows than its weight",
    ),
    word(
        "twos",
        "of two backends drawn by weight the one with fewer flows",
    ),
    word(
        "lblc",
        "each destination has a home; when that has more active flows than its weight, as `wlc`",
    ),
    word(
        "lblcr",
        "each destination has two homes, of which the one with fewer flows; else as `lblc`",
    ),
];

/// Types of fields, parameters and variables, beside `u1` to `u64`.
pub static TYPES: [Builtin; 9] = [
    ty("u1", "a bit; a truth value"),
    ty("u8", "a number, 8 bits"),
    ty("u16", "a number, 16 bits"),
    ty("u32", "a number, 32 bits"),
    ty("u64", "a number, 64 bits"),
    ty("mac", "a MAC address, 48 bits"),
    ty("ip4addr", "an IPv4 address, 32 bits"),
    ty("ip6addr", "an IPv6 address, 128 bits"),
    ty("bytes", "bytes; `bytes[4]` are four"),
];

/// The type of sets alone.
pub static NETS: [Builtin; 1] = [ty("net", "IP addresses and prefixes of both versions")];

/// Types of parameters alone.
pub static PARAMETERS: [Builtin; 2] = [
    ty("backend", "a backend that a `select` gave"),
    ty("interface", "an interface"),
];

/// Rules of `checksum`.
pub static CHECKSUMS: [Builtin; 5] = [
    word("internet", "over the header (RFC 1071)"),
    word("message", "over the header and what it carries (RFC 792)"),
    word(
        "pseudo",
        "also over a pseudo-header of addresses, protocol and length (RFC 4443, section 2.3)",
    ),
    word(
        "transport",
        "the same, which a sender may leave to its device (RFC 768, RFC 9293)",
    ),
    word(
        "crc32c",
        "over the header and what it carries (RFC 9260, appendix A)",
    ),
];

/// Properties of an interface.
pub static INTERFACE_LINES: [Builtin; 3] = [
    word("mac", "its MAC, where it is not to be read from the device"),
    word(
        "ip",
        "its address, where it is not to be read from the device",
    ),
    word("vip", "a VIP, where the policy's matches do not say it"),
];

/// States of a backend in a test.
pub static STATES: [Builtin; 2] = [
    word("up", "it gets flows again"),
    word("down", "it gets nothing from here on"),
];

/// Width of a type that is known by its name (bits); of `bytes` that of one.
pub fn width(name: &str) -> Option<u32> {
    match name {
        "bytes" => Some(8),
        _ => type_width(name).map(u32::from),
    }
}

pub(super) fn named(table: &'static [Builtin], name: &str) -> Option<&'static Builtin> {
    table.iter().find(|found| found.name == name)
}
