//! The headers that the notation knows: their fields, where each lies, and how people write it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Value;
use crate::mac::Mac;

/// A layer's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Eth,
    Vlan,
    Arp,
    Ip4,
    Ip6,
    Ext6,
    Frag6,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    /// What is in no header.
    Bytes,
    /// Bytes behind the end that an IP header states.
    Padding,
    /// Bytes of a header that does not fit; empty where a header states more than there is.
    Truncated,
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Hex,
    Mac,
    Ip4,
    Ip6,
    Flags,
}

/// When a field's value is known, if nobody states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It has a constant default.
    Plain,
    /// It follows from the layers around: lengths, types, protocols.
    Derived,
    /// It follows from all the bytes behind.
    Sum,
}

/// A header's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Offset in the header (bits).
    pub(super) at: usize,
    /// Width (bits).
    pub(super) width: usize,
    pub(super) form: Form,
    pub(super) rank: Rank,
}

const fn shape(name: &'static str, at: usize, width: usize, form: Form, rank: Rank) -> Shape {
    Shape {
        name,
        at,
        width,
        form,
        rank,
    }
}

const fn plain(name: &'static str, at: usize, width: usize) -> Shape {
    shape(name, at, width, Form::Number, Rank::Plain)
}

const fn derived(name: &'static str, at: usize, width: usize) -> Shape {
    shape(name, at, width, Form::Number, Rank::Derived)
}

const fn mac(name: &'static str, at: usize) -> Shape {
    shape(name, at, 48, Form::Mac, Rank::Plain)
}

const fn ip4(name: &'static str, at: usize) -> Shape {
    shape(name, at, 32, Form::Ip4, Rank::Plain)
}

const fn sum(at: usize, width: usize) -> Shape {
    shape("checksum", at, width, Form::Hex, Rank::Sum)
}

const fn ethertype(at: usize) -> Shape {
    shape("type", at, 16, Form::Hex, Rank::Derived)
}

/// IEEE 802.3.
const ETH: &[Shape] = &[mac("dst", 0), mac("src", 48), ethertype(96)];
/// IEEE 802.1Q.
const VLAN: &[Shape] = &[
    plain("pcp", 0, 3),
    plain("dei", 3, 1),
    plain("vid", 4, 12),
    ethertype(16),
];
/// RFC 826, for IPv4 over Ethernet.
const ARP: &[Shape] = &[
    plain("hardware", 0, 16),
    shape("type", 16, 16, Form::Hex, Rank::Plain),
    plain("hardware_size", 32, 8),
    plain("size", 40, 8),
    plain("op", 48, 16),
    shape("sha", 64, 48, Form::Mac, Rank::Derived),
    ip4("src", 112),
    shape("tha", 144, 48, Form::Mac, Rank::Derived),
    ip4("dst", 192),
];
/// RFC 791.
const IP4: &[Shape] = &[
    plain("version", 0, 4),
    derived("ihl", 4, 4),
    plain("dscp", 8, 6),
    plain("ecn", 14, 2),
    derived("length", 16, 16),
    plain("id", 32, 16),
    plain("reserved", 48, 1),
    plain("df", 49, 1),
    plain("mf", 50, 1),
    plain("offset", 51, 13),
    plain("ttl", 64, 8),
    derived("protocol", 72, 8),
    sum(80, 16),
    ip4("src", 96),
    ip4("dst", 128),
];
/// RFC 8200, section 3; named as in the prelude: `protocol` is the next header, `ttl` the hop limit.
const IP6: &[Shape] = &[
    plain("version", 0, 4),
    plain("dscp", 4, 6),
    plain("ecn", 10, 2),
    plain("label", 12, 20),
    derived("length", 32, 16),
    derived("protocol", 48, 8),
    plain("ttl", 56, 8),
    shape("src", 64, 128, Form::Ip6, Rank::Plain),
    shape("dst", 192, 128, Form::Ip6, Rank::Plain),
];
/// RFC 8200, sections 4.3, 4.4 and 4.6: hop-by-hop options, routing, destination options. The length counts units of
/// eight bytes behind the first.
const EXT6: &[Shape] = &[derived("protocol", 0, 8), derived("length", 8, 8)];
/// RFC 8200, section 4.5.
const FRAG6: &[Shape] = &[
    derived("protocol", 0, 8),
    plain("reserved", 8, 8),
    plain("offset", 16, 13),
    plain("unused", 29, 2),
    plain("mf", 31, 1),
    plain("id", 32, 32),
];
/// RFC 9293, section 3.1.
const TCP: &[Shape] = &[
    plain("src", 0, 16),
    plain("dst", 16, 16),
    plain("seq", 32, 32),
    plain("ack_number", 64, 32),
    derived("offset", 96, 4),
    plain("reserved", 100, 4),
    shape("flags", 104, 8, Form::Flags, Rank::Plain),
    plain("window", 112, 16),
    sum(128, 16),
    plain("urgent", 144, 16),
];
/// RFC 768.
const UDP: &[Shape] = &[
    plain("src", 0, 16),
    plain("dst", 16, 16),
    derived("length", 32, 16),
    sum(48, 16),
];
/// RFC 9260, section 3.1.
const SCTP: &[Shape] = &[
    plain("src", 0, 16),
    plain("dst", 16, 16),
    plain("tag", 32, 32),
    sum(64, 32),
];
/// RFC 792 and RFC 4443.
const ICMP: &[Shape] = &[
    plain("type", 0, 8),
    plain("code", 8, 8),
    sum(16, 16),
    plain("id", 32, 16),
    plain("seq", 48, 16),
];

/// The letters of TCP's flags, lowest bit first.
const FLAGS: &str = "FSRPAUEC";

impl Kind {
    /// The kind's name in notation.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Eth => "eth",
            Kind::Vlan => "vlan",
            Kind::Arp => "arp",
            Kind::Ip4 => "ip4",
            Kind::Ip6 => "ip6",
            Kind::Ext6 => "ext6",
            Kind::Frag6 => "frag6",
            Kind::Tcp => "tcp",
            Kind::Udp => "udp",
            Kind::Sctp => "sctp",
            Kind::Icmp => "icmp",
            Kind::Icmp6 => "icmp6",
            Kind::Bytes => "payload",
            Kind::Padding => "padding",
            Kind::Truncated => "truncated",
        }
    }

    /// The fields, in the header's order.
    pub(super) fn shapes(self) -> &'static [Shape] {
        match self {
            Kind::Eth => ETH,
            Kind::Vlan => VLAN,
            Kind::Arp => ARP,
            Kind::Ip4 => IP4,
            Kind::Ip6 => IP6,
            Kind::Ext6 => EXT6,
            Kind::Frag6 => FRAG6,
            Kind::Tcp => TCP,
            Kind::Udp => UDP,
            Kind::Sctp => SCTP,
            Kind::Icmp | Kind::Icmp6 => ICMP,
            Kind::Bytes | Kind::Padding | Kind::Truncated => &[],
        }
    }

    /// The field of this name, or of one that people also use for it.
    pub(super) fn shape(self, name: &str) -> Option<&'static Shape> {
        let name = match (self, name) {
            (Kind::Ip6, "hops") => "ttl",
            (Kind::Ip6 | Kind::Ext6 | Kind::Frag6, "next") => "protocol",
            (Kind::Ip6, "flow") => "label",
            (Kind::Tcp, "ack") => "ack_number",
            (_, name) => name,
        };
        self.shapes().iter().find(|shape| shape.name == name)
    }

    /// Bytes of the fixed fields.
    pub(super) fn size(self) -> usize {
        match self {
            Kind::Eth => 14,
            Kind::Vlan => 4,
            Kind::Arp => 28,
            Kind::Ip4 | Kind::Tcp => 20,
            Kind::Ip6 => 40,
            Kind::Ext6 => 2,
            Kind::Frag6 | Kind::Udp | Kind::Icmp | Kind::Icmp6 => 8,
            Kind::Sctp => 12,
            Kind::Bytes | Kind::Padding | Kind::Truncated => 0,
        }
    }

    /// Most bytes of options, behind the fixed fields.
    pub(super) fn options(self) -> usize {
        match self {
            Kind::Ip4 | Kind::Tcp => 40,
            Kind::Ext6 => 2046,
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
            | Kind::Truncated => 0,
        }
    }

    /// The options of a header of which none are stated.
    pub(super) fn least_options(self) -> &'static [u8] {
        if self == Kind::Ext6 { &[0; 6] } else { &[] } // six of Pad1, RFC 8200, section 4.2
    }

    /// Bytes of a header with so many bytes of options.
    pub(super) fn with_options(self, options: usize) -> usize {
        if self == Kind::Ext6 {
            return (self.size() + options).next_multiple_of(8);
        }
        self.size() + options.next_multiple_of(4)
    }

    /// `A -> B` stands behind the name.
    pub(super) fn has_ends(self) -> bool {
        self.shape("src").is_some()
    }
}

impl Shape {
    /// The field's value in a header.
    pub(super) fn read(&self, header: &[u8]) -> Option<u128> {
        (self.at..self.at + self.width).try_fold(0_u128, |value, bit| {
            let byte = header.get(bit / 8)?;
            Some(value << 1 | u128::from(byte >> (7 - bit % 8) & 1))
        })
    }

    /// Writes the low bits of `value`; bits that lie beyond the header are left out.
    pub(super) fn write(&self, header: &mut [u8], value: u128) {
        for step in 0..self.width {
            let bit = self.at + step;
            let Some(byte) = header.get_mut(bit / 8) else {
                return;
            };
            let mask = 1 << (7 - bit % 8);
            if value >> (self.width - 1 - step) & 1 == 1 {
                *byte |= mask;
            } else {
                *byte &= !mask;
            }
        }
    }

    /// The bits of a value that was given for the field; `None` where it does not fit.
    pub(super) fn bits(&self, value: &Value) -> Option<u128> {
        match (self.form, value) {
            (Form::Number | Form::Hex | Form::Flags, Value::Int(value)) => {
                (value >> self.width == 0).then_some(*value)
            }
            (Form::Mac, Value::Mac(mac)) => Some(u128::from(Mac(*mac).to_bits())),
            (Form::Ip4, Value::Ip4(address)) => Some(u128::from(address.to_bits())),
            (Form::Ip6, Value::Ip6(address)) => Some(address.to_bits()),
            (
                _,
                Value::Int(_) | Value::Mac(_) | Value::Ip4(_) | Value::Ip6(_) | Value::Bytes(_),
            ) => None,
        }
    }

    /// The value that stands for these bits.
    pub(super) fn value(&self, bits: u128) -> Value {
        match self.form {
            Form::Number | Form::Hex | Form::Flags => Value::Int(bits),
            Form::Mac => Value::Mac(Mac::from_bits(bits as u64).0),
            Form::Ip4 => Value::Ip4(Ipv4Addr::from_bits(bits as u32)),
            Form::Ip6 => Value::Ip6(Ipv6Addr::from_bits(bits)),
        }
    }

    /// The bits as people write them.
    pub(super) fn text(&self, bits: u128) -> String {
        match self.form {
            Form::Hex => format!("{bits:#0width$x}", width = self.width / 4 + 2),
            Form::Flags if bits == 0 => "none".to_owned(),
            Form::Flags => flag_letters(bits),
            Form::Number | Form::Mac | Form::Ip4 | Form::Ip6 => self.value(bits).to_string(),
        }
    }

    /// What the field takes, for people.
    pub(super) fn takes(&self) -> String {
        match self.form {
            Form::Number | Form::Hex | Form::Flags => {
                format!("a number from 0 to {}", (1_u128 << self.width) - 1)
            }
            Form::Mac => "a MAC address".to_owned(),
            Form::Ip4 => "an IPv4 address".to_owned(),
            Form::Ip6 => "an IPv6 address".to_owned(),
        }
    }
}

/// TCP's flags from their letters: `SA` is SYN and ACK.
pub(super) fn flag_bits(word: &str) -> Option<u128> {
    let mut letters = word.chars();
    letters.try_fold(0, |flags, letter| Some(flags | 1 << FLAGS.find(letter)?))
}

/// The letters of TCP's flags.
pub(super) fn flag_letters(bits: u128) -> String {
    let letters = FLAGS.chars().enumerate();
    letters
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, letter)| letter)
        .collect()
}
