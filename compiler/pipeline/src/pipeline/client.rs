//! Who asks a pool.

use super::VariableId;

/// The client of a packet: what its address under a mask was absorbed into ([`lvsc_abi::hash::state`]). One of both is 0; where
/// both are, the packet has no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// It has sent the packet.
    pub own: VariableId,
    /// It has sent what the packet only tells of.
    pub quoted: VariableId,
}

impl Client {
    /// Both.
    pub fn variables(self) -> [VariableId; 2] {
        [self.own, self.quoted]
    }
}
