//! What is counted.

use serde::{Deserialize, Serialize};

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// What it is called: the drop reason, the policy's name for it, or `<pool>.<backend>`.
    pub name: String,
    /// What it counts.
    pub kind: CounterKind,
}

impl Counter {
    /// The counter of an id that no backend of the pool has.
    pub fn of_nobody(pool: &str, id: u32) -> Counter {
        Counter {
            name: format!("{pool}.#{id}"),
            kind: CounterKind::Backend,
        }
    }

    /// Whether it is one of an id that no backend has.
    pub fn is_of_nobody(&self) -> bool {
        self.kind == CounterKind::Backend && self.name.contains(".#")
    }
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterKind {
    /// Packets dropped for a reason.
    Reason,
    /// Packets that reached a `count` of the policy.
    Policy,
    /// Packets given to a backend.
    Backend,
    /// Flows of a pool that found no place in its connection table.
    Refused,
    /// Packets that reached a `count` of a counter with a key and found no cell.
    Others,
}
