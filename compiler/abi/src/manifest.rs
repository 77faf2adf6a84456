//! What the one who fills an image must know of the policy: one versioned encoding, JSON, that travels inside the
//! artifact, so that it can be run without its source.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::mac::Mac;
use crate::scheduler::Scheduler;

/// Version of the encoding.
pub const VERSION: u32 = 1;

/// What a policy declares, as far as running it needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// Names of the source files, without folders; places name them by index.
    pub files: Vec<String>,
    /// The interfaces, in the order of section `interfaces`. The first is where packets come in unless told.
    pub interfaces: Vec<Interface>,
    /// The pools.
    pub pools: Vec<Pool>,
    /// What section `counters` holds, in its order.
    pub counters: Vec<Counter>,
    /// Addresses that a packet must have to be given to a pool.
    pub vips: Vec<Vip>,
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

/// A pool of backends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The policy's name for it.
    pub name: String,
    /// How a backend is chosen.
    pub scheduler: Scheduler,
    /// The backends; a backend's id is its index in section `backends.<pool>`.
    pub backends: Vec<Backend>,
    /// The connection table, where the pool keeps one.
    pub flows: Option<Flows>,
    /// Index of the counter of backend 0; backend n has the one n further.
    pub counters: u32,
}

/// A pool's connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flows {
    /// Number of entries, a power of two.
    pub entries: u32,
    /// Seconds without a packet after which an entry may be taken by another flow.
    pub idle: u32,
}

/// A real server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Index in the pool's sections; stable for the life of an image.
    pub id: u16,
    /// The policy's name, else the address.
    pub name: String,
    /// Its own address (not the VIP).
    pub address: IpAddr,
    /// The port, where the policy gives one.
    pub port: Option<u16>,
    /// Share of new flows; 0 takes none.
    pub weight: u32,
    /// The next hop's MAC, where the policy fixes it; else it is asked for.
    pub mac: Option<Mac>,
    /// Index of the interface through which it is reached.
    pub interface: u8,
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// What it is called: the drop reason, the policy's name for it, or `<pool>.<backend>`.
    pub name: String,
    /// What it counts.
    pub kind: CounterKind,
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
}

/// Why a manifest could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("the manifest is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Made by another version of lvsc.
    #[error(
        "the manifest has version {found}, this lvsc reads version {VERSION}: build the policy again"
    )]
    Version {
        /// The version found.
        found: u32,
    },
}

impl Manifest {
    /// The encoding: equal manifests give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has string keys and finite numbers only")
    }

    /// Reads an encoding.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let manifest: Manifest = serde_json::from_slice(bytes)?;
        if manifest.version != VERSION {
            return Err(ManifestError::Version {
                found: manifest.version,
            });
        }
        Ok(manifest)
    }

    /// The pool with this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// Index of the counter with this name and kind.
    pub fn counter(&self, kind: CounterKind, name: &str) -> Option<u32> {
        let found = self
            .counters
            .iter()
            .position(|c| c.kind == kind && c.name == name);
        found.map(|index| index as u32)
    }
}
