//! How people write a value.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// How people write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A number.
    Number,
    /// A MAC address.
    Mac,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
}

impl Kind {
    /// A value as people write those of this kind: `80`, `192.0.2.1`, `2001:db8::1`. Bits that the kind does not have
    /// are not looked at.
    pub fn write(self, value: u128) -> String {
        match self {
            Kind::Number => value.to_string(),
            Kind::Mac => Mac::from_bits(value as u64).to_string(),
            Kind::Ip4 => Ipv4Addr::from_bits(value as u32).to_string(),
            Kind::Ip6 => Ipv6Addr::from_bits(value).to_string(),
        }
    }
}
