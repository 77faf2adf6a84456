//! Where frames come from and where they go: what a director needs of a socket, a capture or a simulated wire.
//!
//! A [`Source`] writes frames straight into the engine's slots by way of an [`Inbox`], or says where in the engine's memory
//! they lie already; a [`Sink`] takes them from there.
//! Beside each frame travels what its origin knows of it and its exit needs (`Meta`: a partial checksum, a capture's
//! time stamp). Nobody between the two looks at it.

#[cfg(target_os = "linux")]
pub mod af_packet;
#[cfg(target_os = "linux")]
pub mod af_xdp;
pub mod pcap;
#[cfg(target_os = "linux")]
pub mod tap;
pub mod whole;

use std::io;
use std::time::Duration;

use lvsc_abi::engine::{BATCH, Engine, EngineError, FRAME_MAX, HEADROOM, Packet, Room};

use crate::world::World;

/// What to do where the kernel has no more open files to give; `None` for any other error. One that only adds a step to
/// the kernel's is looked into.
#[cfg(target_os = "linux")]
pub fn exhausted(error: &io::Error) -> Option<&'static str> {
    let inner = || {
        let outer: &(dyn std::error::Error + 'static) = error.get_ref()?;
        outer.source()?.downcast_ref::<io::Error>()?.raw_os_error()
    };
    match error.raw_os_error().or_else(inner)? {
        libc::EMFILE => Some("raise the limit of open files: `ulimit -n 1024`"),
        libc::ENFILE => Some("raise the system's limit of open files: `sysctl fs.file-max`"),
        _ => None,
    }
}

/// Where frames come from.
pub trait Source {
    /// What travels beside a frame.
    type Meta;

    /// Waits until there is a frame, `wait` at most, and takes those that are there until the inbox is full.
    ///
    /// An error ends the run: what passes by itself (an interrupted call, no frame) is none.
    fn receive(
        &mut self,
        wait: Duration,
        inbox: &mut Inbox<'_, Self::Meta>,
    ) -> io::Result<Received>;

    /// The time of the frames just received (seconds), where the source has a clock of its own, as a capture has. Such
    /// a source ends a batch when its second ends.
    fn seconds(&self) -> Option<u64> {
        None
    }

    /// The world has changed, for a source that takes packets from devices by what it is.
    fn follow(&mut self, world: &World) -> io::Result<()> {
        let _ = world;
        Ok(())
    }

    /// Another policy is about to take over, for a source that takes packets from devices: `steering` says which are the
    /// kernel's then ([`lvsc_abi::steering`]), in this world. Whether its packets are taken now; until then, and where this
    /// fails, those of the one before are. Nobody waits: it is asked again at the next turn.
    fn prepare(&mut self, steering: Option<&[u8]>, world: &World) -> Result<bool, EngineError> {
        let _ = (steering, world);
        Ok(true)
    }

    /// The policy that was prepared does not take over: takes the packets of the one before.
    fn retreat(&mut self) {}

    /// From now on takes packets from devices, or leaves them to the kernel, where that is the source's to say.
    fn switch(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Ok(())
    }
}

/// What a [`Source`] says of the frames to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// There may be more.
    More,
    /// That was the last one.
    End,
}

/// Where frames go.
pub trait Sink<Meta> {
    /// Sends a packet's frame by the interface that the packet names, an index in the manifest. An error ends the run.
    fn send(&mut self, packet: &Packet, meta: &Meta, frame: &[u8]) -> io::Result<Sent>;

    /// Takes a frame that is the kernel's. A socket that is a tap has nothing to do: the kernel has seen it.
    fn pass(&mut self, _meta: &Meta, _frame: &[u8]) -> io::Result<()> {
        Ok(())
    }

    /// Called behind the last frame of a batch, and where one has none.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What became of a frame that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Gone,
    /// It could not be sent now (a full queue, a link that is down, no such interface). It is counted and forgotten.
    Lost,
}

/// Why a frame never reached the engine. Each is counted as a drop of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Longer than [`FRAME_MAX`].
    Oversize,
    /// Only its begin was captured.
    Truncated,
}

impl Loss {
    /// The name of the reason.
    pub const fn name(self) -> &'static str {
        match self {
            Loss::Oversize => "oversize",
            Loss::Truncated => "truncated",
        }
    }
}

/// The batch that a [`Source`] fills: frames in the engine's slots, at [`HEADROOM`], or wherever they lie.
pub struct Inbox<'a, Meta> {
    engine: &'a mut dyn Engine,
    batch: &'a mut Batch<Meta>,
}

/// What is known of the frames of a batch.
#[derive(Debug)]
pub struct Batch<Meta> {
    /// The packets, each in its room.
    pub packets: Vec<Packet>,
    /// What travels beside each.
    pub metas: Vec<Meta>,
    /// Frames that did not reach the engine.
    pub losses: Vec<Loss>,
}

impl<Meta> Default for Batch<Meta> {
    fn default() -> Batch<Meta> {
        Batch {
            packets: Vec::with_capacity(BATCH),
            metas: Vec::with_capacity(BATCH),
            losses: Vec::new(),
        }
    }
}

impl<Meta> Batch<Meta> {
    /// Frames that arrived, whether they reached the engine or not.
    pub fn len(&self) -> usize {
        self.packets.len() + self.losses.len()
    }

    /// Whether no frame arrived.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.metas.clear();
        self.losses.clear();
    }
}

impl<'a, Meta> Inbox<'a, Meta> {
    /// An inbox over an engine's slots; frames are added behind those of `batch`.
    pub fn new(engine: &'a mut dyn Engine, batch: &'a mut Batch<Meta>) -> Inbox<'a, Meta> {
        Inbox { engine, batch }
    }

    /// Whether the batch takes no more.
    pub fn is_full(&self) -> bool {
        self.batch.len() >= BATCH
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Room for the next frame, [`FRAME_MAX`] bytes; `None` where the batch is full. The frame counts once it is
    /// [`Inbox::commit`]ted.
    pub fn room(&mut self) -> Option<&mut [u8]> {
        if self.is_full() {
            return None;
        }
        let slot = self.engine.slot(self.batch.packets.len());
        slot.get_mut(HEADROOM as usize..(HEADROOM + FRAME_MAX) as usize)
    }

    /// Adds the frame whose bytes were written to [`Inbox::room`].
    pub fn commit(&mut self, length: u16, interface: u8, meta: Meta) {
        if !self.is_full() {
            let slot = Room::slot(self.batch.packets.len());
            self.place(Packet::arrived(slot, length, interface), meta);
        }
    }

    /// Adds a packet whose frame lies in its room already. The batch must not be full.
    pub fn place(&mut self, packet: Packet, meta: Meta) {
        self.batch.packets.push(packet);
        self.batch.metas.push(meta);
    }

    /// Adds a frame by copying it, or counts it as oversize. The batch must not be full.
    pub fn add(&mut self, frame: &[u8], interface: u8, meta: Meta) {
        let Ok(length) = u16::try_from(frame.len()) else {
            return self.lose(Loss::Oversize);
        };
        let room = self.room().and_then(|room| room.get_mut(..frame.len()));
        if let Some(room) = room {
            room.copy_from_slice(frame);
            self.commit(length, interface, meta);
        }
    }

    /// Counts a frame that cannot be given to the engine.
    pub fn lose(&mut self, why: Loss) {
        self.batch.losses.push(why);
    }
}
