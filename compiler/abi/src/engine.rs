//! What every engine does: takes a batch of frames, gives each a verdict.

use std::any::Any;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::image::Image;
use crate::place::Place;
use crate::verdict::Verdict;

/// Bytes free in front of an arriving frame, for headers that a policy pushes.
pub const HEADROOM: u32 = 256;
/// The longest frame (bytes). The IO drops longer ones and counts them as `oversize`.
pub const FRAME_MAX: u32 = 65_535;
/// Size of a frame slot (bytes). Not a multiple of a page, so that the heads of a batch spread over the cache's sets.
pub const SLOT: u32 = 65_856;
/// Most packets in a batch.
pub const BATCH: usize = 256;

/// Size of an engine's memory for frames (bytes): as much as [`BATCH`] slots.
pub const FRAMES: u32 = SLOT * BATCH as u32;

/// Room for one frame in an engine's memory for frames. Whoever feeds the engine divides that memory as it likes: into
/// [`BATCH`] slots, or into more and smaller rooms. Those of the packets of a batch do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// First byte, from the begin of the memory for frames.
    pub offset: u32,
    /// Number of bytes.
    pub size: u32,
}

impl Room {
    /// The slot `index`, [`SLOT`] bytes; the memory for frames has [`BATCH`] of them.
    pub const fn slot(index: usize) -> Room {
        Room {
            offset: (index as u32).saturating_mul(SLOT),
            size: SLOT,
        }
    }

    /// Its bytes in the memory for frames; `None` where it does not lie inside.
    pub fn range(self) -> Option<std::ops::Range<usize>> {
        let end = self.offset.checked_add(self.size)?;
        (end <= FRAMES).then_some(self.offset as usize..end as usize)
    }
}

/// A packet of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where there is room for its frame.
    pub room: Room,
    /// First byte of the frame in its room: [`HEADROOM`] on arrival.
    pub start: u32,
    /// Length of the frame (bytes), at most [`FRAME_MAX`].
    pub length: u16,
    /// Index of the interface: the ingress before, the egress after (with verdict `Send`).
    pub interface: u8,
    /// What the engine decided.
    pub verdict: Verdict,
}

impl Packet {
    /// A frame of `length` bytes that arrived by `interface` and lies at [`HEADROOM`] in its room.
    pub fn arrived(room: Room, length: u16, interface: u8) -> Packet {
        Packet {
            room,
            start: HEADROOM,
            length,
            interface,
            verdict: Verdict::Drop,
        }
    }

    /// Where the frame lies in its room.
    pub fn range(&self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.length)
    }
}

/// A device of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The kernel's index.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// Where on a packet's way a program takes it from a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// In the driver, before the kernel makes anything of the frame.
    Native,
    /// In the kernel, whatever the driver: slower.
    Generic,
    /// On the card itself.
    Offload,
}

impl Mode {
    /// As people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Native => "native",
            Mode::Generic => "generic",
            Mode::Offload => "offload",
        }
    }
}

/// What becomes of another program that is on a device already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occupied {
    /// It stays, and the device is refused.
    #[default]
    Refuse,
    /// It goes, if it can.
    Replace,
}

/// How an engine is put on devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placing {
    /// The mode that it must be; without one native where the device can, else generic.
    pub mode: Option<Mode>,
    /// What becomes of another program.
    pub occupied: Occupied,
}

/// How an engine came to be on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The mode.
    pub mode: Mode,
    /// Why it is no better one, where that was tried, and what to do.
    pub because: Option<(String, Option<String>)>,
}

/// Why an engine could not go on with a packet. The packet is dropped; the engine stays usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Generated code trapped: a bug of the compiler, with the policy's place where it is known.
    #[error("the datapath trapped on packet {packet} of a batch: {what}")]
    Trap {
        /// Index of the packet in its batch.
        packet: usize,
        /// The engine's word for the trap.
        what: String,
        /// The construct of the policy.
        place: Option<Place>,
    },
    /// A frame that this engine cannot be handed.
    #[error("packet {packet} is not of {least} to {most} bytes: this engine takes no other")]
    Length {
        /// Index of the packet in its batch.
        packet: usize,
        /// The shortest frame (bytes).
        least: u16,
        /// The longest.
        most: u16,
    },
    /// The engine cannot take packets from a device.
    #[error("{what}")]
    Attach {
        /// Why.
        what: String,
        /// What to do, where that is known.
        remedy: Option<String>,
    },
    /// The engine keeps its memory for frames to itself.
    #[error("frames of `{name}` cannot be shared with the kernel")]
    Frames {
        /// The engine's name.
        name: &'static str,
    },
    /// More packets than a batch has, or a packet that does not lie in its room.
    #[error("packet {packet} does not lie in its room")]
    Room {
        /// Index of the packet in its batch.
        packet: usize,
    },
}

/// Memory for frames that the kernel may be handed, so that it writes and reads them where the engine does. It stays where
/// it is until the last one lets go of it.
pub trait FrameMemory: Any + Send + Sync {
    /// Its first byte: [`FRAMES`] bytes, mapped, beginning at a page.
    fn begin(&self) -> *mut u8;
}

/// An engine: one policy's datapath with its image and its memory for frames. `Any`, so that an engine can know one of its own
/// kind.
pub trait Engine: Any {
    /// The name under which people choose it: `wasm`, `interp`.
    fn name(&self) -> &'static str;

    /// The bytes of a room; empty for one that does not lie in the memory for frames.
    fn room(&mut self, room: Room) -> &mut [u8];

    /// The slot `index`; empty where that is not below [`BATCH`].
    fn slot(&mut self, index: usize) -> &mut [u8] {
        self.room(Room::slot(index))
    }

    /// Its memory for frames, to be shared with the kernel. An engine that it is exchanged for goes on with it.
    fn frames(&mut self) -> Result<Arc<dyn FrameMemory>, EngineError> {
        Err(EngineError::Frames { name: self.name() })
    }

    /// Has this as its memory for frames, which the engine before it has shared. That one still has it, too.
    fn adopt(&mut self, frames: Arc<dyn FrameMemory>) -> Result<(), EngineError> {
        let _ = frames;
        Err(EngineError::Frames { name: self.name() })
    }

    /// The object that says which of a device's packets are the kernel's, where it travels in what this engine runs: see
    /// [`crate::steering`].
    fn steering(&self) -> Option<&[u8]> {
        None
    }

    /// Decides every packet, in order; each lies in its room. A packet that traps is dropped, the ones after
    /// it are decided all the same, and the first trap is the error.
    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError>;

    /// One more engine for this program over this engine's image, for another thread: the next worker, with memory for
    /// frames and counters of its own. Its image tells its own counters, this engine's the sums of all; whoever writes
    /// counters sees to it that nobody counts meanwhile.
    fn another(&mut self) -> Result<Box<dyn Engine + Send>, EngineError> {
        Err(EngineError::Attach {
            what: format!("`{}` runs in one thread", self.name()),
            remedy: None,
        })
    }

    /// Takes hold of devices, one for each interface, to take packets from them by itself from [`Engine::attach`] on; says
    /// how it is on each. Those that it is on already go on as they were, the others leave every packet to the kernel until
    /// then, and are as they were before when this engine is dropped. `None`: it decides only what is handed to it.
    fn reserve(
        &mut self,
        devices: &[Device],
        placing: Placing,
    ) -> Result<Option<Vec<Placed>>, EngineError> {
        let _ = (devices, placing);
        Ok(None)
    }

    /// From now on takes packets from the devices that are reserved, and from no others. The image names their indices.
    fn attach(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Where it takes packets by itself: whether the policy decides them, or all go to the kernel.
    fn switch(&mut self, on: bool) -> Result<(), EngineError> {
        let _ = on;
        Ok(())
    }

    /// Lengths of the frames that it takes (bytes).
    fn lengths(&self) -> RangeInclusive<u16> {
        0..=u16::MAX
    }

    /// Time spent in [`Engine::process`] on the decisions alone, without handing packets over and taking them back;
    /// never less than before. `None`: nothing is handed over, the call is all that there is.
    fn inside(&self) -> Option<Duration> {
        None
    }

    /// The state.
    fn image(&self) -> &dyn Image;

    /// The state, to be written by the control plane between two batches.
    fn image_mut(&mut self) -> &mut dyn Image;

    /// An engine of this one's program over the image and the memory for frames of `before`, which is not changed: the two
    /// do not run at the same time. `None` where that cannot be: `before` is of another kind, its layout is another one, or
    /// its image is not the layout's.
    fn over(&self, before: &dyn Engine) -> Result<Option<Box<dyn Engine + Send>>, EngineError> {
        let _ = before;
        Ok(None)
    }

    /// Takes over the devices of the engine before it, without a packet in between; this one's image is filled. Where that
    /// cannot be, the engine before goes on as it did.
    fn succeed(&mut self, before: &mut dyn Engine) -> Result<(), EngineError> {
        let _ = before;
        Ok(())
    }
}
