//! Interfaces, and the addresses for which the director answers there.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// An interface that the policy declares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The policy's name for it; bound to a device at run time.
    pub name: String,
    /// The MAC that the policy fixes.
    pub mac: Option<Mac>,
    /// The address that the policy fixes.
    pub ip: Option<IpAddr>,
}

/// A virtual address, and the port where the policy fixes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; 32 or 128 for one address.
    pub prefix: u8,
    /// The destination port, where every path to a pool fixes the same.
    pub port: Option<u16>,
}
