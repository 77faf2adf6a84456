//! What a pool's connection table is, and how long flows live in it.

use serde::{Deserialize, Serialize};

use crate::flows::{CLOSING_LIFE, IDLE_MAX, OPENING_LIFE};
use crate::layout::Element;

/// A pool's connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flows {
    /// Number of entries, a power of two.
    pub entries: u32,
    /// Seconds without a packet after which no flow is known: the longest of `lives`.
    pub idle: u32,
    /// Which flows are in it.
    #[serde(default)]
    pub tracking: Tracking,
    /// How long they live.
    pub lives: Lives,
}

impl Flows {
    /// A table in which every flow may be silent for `idle` seconds, but for those that are being closed.
    pub fn new(tracking: Tracking, entries: u32, idle: u32) -> Flows {
        Flows {
            entries,
            idle,
            tracking,
            lives: Lives::of(idle),
        }
    }

    /// With other lives.
    #[must_use]
    pub fn with(self, lives: Lives) -> Flows {
        Flows {
            idle: lives.longest(),
            lives,
            ..self
        }
    }

    /// Seconds that an opening's entry lives in a table of every flow.
    pub fn opening(&self) -> u32 {
        self.idle.min(OPENING_LIFE as u32)
    }

    /// The greatest age of an entry that lives (seconds). In a table of every flow it is the same under each policy, so that an
    /// entry ends when it was to end, whatever times the next policy has. In one of flows whose slots have changed it is
    /// `idle`: no entry may be known longer than its slot knows that there are any.
    pub fn oldest(&self) -> u32 {
        match self.tracking {
            Tracking::Every => IDLE_MAX,
            Tracking::Changed => self.idle,
        }
    }

    /// Seconds by which an entry that is to live `life` seconds is entered as older.
    pub fn rest(&self, life: u32) -> u32 {
        self.oldest().saturating_sub(life)
    }
}

/// Seconds without a packet after which a flow is forgotten, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lives {
    /// A TCP connection.
    pub tcp: u32,
    /// A TCP connection that is being closed.
    pub closing: u32,
    /// A flow of UDP.
    pub udp: u32,
    /// Any other one, and what a key of the policy's own calls a flow.
    pub other: u32,
}

impl Lives {
    /// All flows live as long, those that are being closed [`CLOSING_LIFE`] seconds at most.
    pub fn of(idle: u32) -> Lives {
        Lives {
            tcp: idle,
            closing: idle.min(CLOSING_LIFE),
            udp: idle,
            other: idle,
        }
    }

    /// The longest.
    pub fn longest(self) -> u32 {
        let Lives {
            tcp,
            closing,
            udp,
            other,
        } = self;
        tcp.max(closing).max(udp).max(other)
    }

    /// Those of flows of a kind.
    pub fn by(self, kind: FlowKind) -> u32 {
        match kind {
            FlowKind::Tcp => self.tcp,
            FlowKind::Udp => self.udp,
            FlowKind::Other => self.other,
        }
    }
}

/// What tells how long a flow lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// A TCP connection.
    Tcp,
    /// A flow of UDP.
    Udp,
    /// Any other one.
    Other,
}

/// Which flows are in a connection table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tracking {
    /// Every one.
    #[default]
    Every,
    /// Those whose slot in the ring has changed: see [`crate::slots`].
    Changed,
}

impl Tracking {
    /// What the entries are.
    pub const fn element(self) -> Element {
        match self {
            Tracking::Every => Element::Flow,
            Tracking::Changed => Element::Noted,
        }
    }
}
