//! What a pool knows of its clients.

use serde::{Deserialize, Serialize};

use crate::flows::IDLE_MAX;
use crate::layout::{Element, Layout};

/// A pool's table of clients, each with the backend of all its flows. Its entries are those of a connection table
/// ([`crate::flows`]) without flags, by the hash of the client's address under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persist {
    /// Number of entries, a power of two.
    pub entries: u32,
    /// Seconds in which a client is known after a flow of it has begun.
    pub life: u32,
    /// Length of an IPv4 client's prefix (bits), 1 to 32.
    pub mask: u8,
    /// The same of an IPv6 client, 1 to 128.
    pub mask6: u8,
}

impl Persist {
    /// Whether the pool's table, where the layout has one, is of clients, and their age does not wrap while they are known.
    pub(super) fn fits(self, pool: &str, layout: &Layout) -> bool {
        let table = layout.of_pool("persist", pool);
        let is_one = table.is_none_or(|table| table.element == Element::Client);
        is_one && self.life <= IDLE_MAX
    }
}

/// `persist 9s`, for tests.
#[cfg(test)]
pub(super) fn of(entries: u32) -> Persist {
    Persist {
        entries,
        life: 9,
        mask: 32,
        mask6: 128,
    }
}
