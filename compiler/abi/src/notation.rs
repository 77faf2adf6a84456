//! Packets as sentences, both ways: `eth / ip 198.51.100.7 -> 192.0.2.10 / tcp 40000 -> 80 S`.
//!
//! [`build`] makes a frame of layers whose values are known; [`decode`] takes a frame apart for people, [`describe`] says
//! it in one line, [`layers`] gives what it is built of. Tests and traces speak this; the datapath knows headers from the
//! policy's prelude alone, and shares no code with this module.

mod build;
mod decode;
mod describe;
mod infer;
mod shape;
mod sum;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use self::build::build;
pub use self::decode::{Header, decode};
pub use self::describe::{describe, layers};
pub use self::sum::checksum;

/// A layer of a packet: `ip A -> B ttl=3`, or bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// `eth`, `ip`, `tcp`, ...; empty for bytes.
    pub name: String,
    /// What stands before `->`.
    pub src: Option<Value>,
    /// What stands behind `->`.
    pub dst: Option<Value>,
    /// `ttl=3`. A word alone has no value: TCP's flags (`SA`), a bit that is set (`df`), `request` or `reply` of ARP,
    /// `truncated` for the first eight bytes of a quoted TCP or SCTP header.
    pub fields: Vec<(String, Option<Value>)>,
    /// The bytes, where the layer has no name.
    pub payload: Option<Vec<u8>>,
}

/// A value in a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Int(u128),
    /// An IPv4 address.
    Ip4(Ipv4Addr),
    /// An IPv6 address.
    Ip6(Ipv6Addr),
    /// A MAC address in wire order.
    Mac([u8; 6]),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The MACs of a frame whose `eth` layer says none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Source MAC.
    pub src_mac: [u8; 6],
    /// Destination MAC.
    pub dst_mac: [u8; 6],
}

/// Why layers are no packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotationError {
    /// The first layer is not `eth`, or a later one is.
    #[error("a packet begins with the layer `eth`, and has it there only")]
    First,
    /// No layer has this name.
    #[error(
        "`{0}` is no layer: known are eth, vlan, arp, ip, ip4, ip6, ext6, frag6, tcp, udp, sctp, icmp and icmp6"
    )]
    Layer(String),
    /// A layer has no such field.
    #[error("the layer `{layer}` has no field `{field}`: known are {known}")]
    Field {
        /// The layer.
        layer: String,
        /// The field, or the word.
        field: String,
        /// Its fields.
        known: String,
    },
    /// A value does not fit its field.
    #[error("`{field}` of `{layer}` takes {takes}")]
    Value {
        /// The layer.
        layer: String,
        /// The field.
        field: String,
        /// What it takes: "a number from 0 to 255".
        takes: String,
    },
    /// A field is stated twice.
    #[error("`{field}` of `{layer}` is stated twice")]
    Twice {
        /// The layer.
        layer: String,
        /// The field.
        field: String,
    },
    /// The layer needs something that is not said.
    #[error("the layer `{layer}` needs {what}")]
    Missing {
        /// The layer.
        layer: String,
        /// What it needs.
        what: &'static str,
    },
    /// `A -> B` in a layer that has no source and destination.
    #[error("the layer `{0}` has no source and destination")]
    Ends(String),
    /// Longer than a frame can be.
    #[error("the packet has {0} bytes, a frame at most 65535")]
    Long(usize),
}
