//! What happens to a running director, and what it tells.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{Engine, EngineError};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;

use crate::engine::carry::Carried;
use crate::world::InterfaceState;

/// The longest wait for a datapath that is switched.
const SWITCHING: Duration = Duration::from_secs(2);

/// An engine that may be handed to the thread that forwards.
pub type AnyEngine = Box<dyn Engine + Send>;

/// What happens to a running director, besides frames.
pub enum Event {
    /// The clock says so many seconds; less than before is ignored.
    Second(u64),
    /// The next hop of this address has this MAC. A MAC that the policy fixes stays; one that no other host can have is
    /// ignored.
    Neighbour {
        /// The address of one or more backends.
        address: IpAddr,
        /// Its MAC.
        mac: Mac,
    },
    /// An interface is there, or has changed.
    Interface {
        /// Its index in the manifest.
        index: u8,
        /// What is true of it now.
        state: InterfaceState,
    },
    /// An operator changes a backend.
    Backend {
        /// The pool's name.
        pool: String,
        /// The backend's name.
        backend: String,
        /// What changes.
        change: Change,
    },
    /// Nothing changes, but somebody is to know.
    Tell(Notice),
    /// Another policy takes over at the next turn, with the flows and counters of the one before. It must have the same
    /// interfaces in the same order, and a steering ([`lvsc_abi::steering`]) where the source takes packets from devices.
    Replace {
        /// Its engine, loaded.
        engine: AnyEngine,
        /// Its manifest.
        manifest: Box<Manifest>,
        /// Who is told what came of it, at the begin of the turn after: by then whoever runs the director has followed.
        asked: Option<Sender<Outcome>>,
    },
}

/// What came of a policy that was to take over: what it has, or why the one before goes on.
pub type Outcome = Result<Carried, EngineError>;

/// What an operator changes of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It may be given packets.
    Up,
    /// It gets no packets at all, its flows go elsewhere.
    Down,
    /// Its share of new flows; with 0 it keeps its flows and gets no new ones (drain).
    Weight(u32),
}

/// What a director has to tell while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A backend's next hop became known, or changed.
    Neighbour {
        /// The pool's name.
        pool: String,
        /// The backend's name.
        backend: String,
        /// The MAC of its next hop.
        mac: Mac,
    },
    /// A backend's next hop would be the director itself; it is as if nothing had been learnt.
    OwnMac {
        /// The pool's name.
        pool: String,
        /// The backend's name.
        backend: String,
        /// The MAC, that of one of the director's interfaces.
        mac: Mac,
    },
    /// Backends that get no packets because their next hop is still not known, by name.
    Missing(Vec<String>),
    /// Frames were lost before the director saw them, so many until now. Told once.
    Overrun(u64),
    /// A VIP is asked for from this VLAN, while backends' MACs are asked for without a tag. Told once.
    Tagged(u16),
    /// A device has another MAC than before.
    Interface {
        /// The device.
        device: String,
        /// Its MAC now.
        mac: Mac,
    },
    /// Another policy has taken over.
    Replaced(Carried),
    /// Another policy could not take over: the one before goes on.
    Kept(EngineError),
    /// An event named a pool or a backend that the policy does not have.
    Unknown {
        /// The pool's name.
        pool: String,
        /// The backend's name.
        backend: String,
    },
    /// The engine failed on a packet, which was dropped. Told once by each thread.
    Failed(EngineError),
}

/// The switch of a director's datapath: while it is off, frames are received and ignored, or left to the kernel.
#[derive(Clone, Debug)]
pub struct Switch {
    pub(super) wanted: Arc<AtomicBool>,
    pub(super) taking: Option<Arc<AtomicBool>>,
}

impl Switch {
    /// Switches on or off. An engine that takes packets by itself is waited for: the director that runs switches it at
    /// its next turn.
    pub fn set(&self, on: bool) {
        self.wanted.store(on, Ordering::Relaxed);
        let begin = Instant::now();
        while let Some(taking) = &self.taking
            && taking.load(Ordering::Relaxed) != on
            && begin.elapsed() < SWITCHING
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
