//! What a pool knows of IP datagrams that are in fragments.

use serde::{Deserialize, Serialize};

use crate::flows::IDLE_MAX;
use crate::layout::{Element, Layout};

/// A pool's table of datagrams that are in fragments, each with the backend that its first fragment got. Its entries are those
/// of a connection table ([`crate::flows`]) without flags, by the hash of what all fragments of a datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragments {
    /// Number of entries, a power of two.
    pub entries: u32,
    /// Seconds after its first fragment in which a datagram is known.
    pub life: u32,
}

/// What becomes of fragments that a pool gives to no backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoFragments {
    /// They are dropped.
    Drop,
    /// They are the kernel's.
    Pass,
}

impl Fragments {
    /// Whether the pool's table, where the layout has one, is of datagrams, and their age does not wrap while they are known.
    pub(super) fn fits(self, pool: &str, layout: &Layout) -> bool {
        let table = layout.of_pool("fragments", pool);
        let is_one = table.is_none_or(|table| table.element == Element::Datagram);
        is_one && self.life <= IDLE_MAX
    }
}
