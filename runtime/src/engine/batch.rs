//! The descriptors and frames of a batch, in memory that generated code works on; see [`lvsc_abi::module`].

use std::any::Any;
use std::io::Error;
use std::sync::Arc;

use lvsc_abi::engine::{BATCH, EngineError, FRAMES, FrameMemory, Packet, Room};
use lvsc_abi::image::Width;
use lvsc_abi::layout::PAGE;
use lvsc_abi::verdict::{Descriptor, PENDING, Verdict};

use super::memory::{Mapping, Pages, Shape};

/// That memory cannot be had that several threads, or the kernel, are to have in common.
pub(super) fn no_memory(error: &Error) -> EngineError {
    EngineError::Attach {
        what: format!("no memory that the datapath's threads have in common: {error}"),
        remedy: Some("fewer: `--threads 1`; or raise the limit: `ulimit -v unlimited`".to_owned()),
    }
}

/// Where a batch lies. A clone is the same memory.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) memory: Arc<Mapping>,
    /// Offset of the first descriptor (bytes from the memory's base).
    pub(super) descriptors: u32,
    /// Offset of the memory for frames. Descriptors name frames from the memory's base on.
    pub(super) frames: u32,
    /// The memory for frames, where others have it, too.
    pub(super) lent: Option<Arc<Frames>>,
}

impl Batch {
    /// The bytes of a room; empty for one that is not there. `owner` is the one through whom the code runs.
    pub(super) fn room<'a, Owner>(&self, room: Room, owner: &'a mut Owner) -> &'a mut [u8] {
        if room.range().is_none() {
            return &mut [];
        }
        let at = u64::from(self.frames) + u64::from(room.offset);
        self.memory.slice_mut(at, room.size as usize, owner)
    }

    /// The memory for frames alone.
    pub(super) fn lend(&mut self) -> Result<Arc<dyn FrameMemory>, EngineError> {
        let lent = match &self.lent {
            Some(lent) => Arc::clone(lent),
            None => Arc::new(self.share().map_err(|error| no_memory(&error))?),
        };
        self.lent = Some(Arc::clone(&lent));
        Ok(lent)
    }

    fn share(&self) -> Result<Frames, Error> {
        let begin = u64::from(self.frames);
        let end = begin + u64::from(FRAMES).next_multiple_of(PAGE);
        let pages = Pages::of(&self.memory, begin..end)?;
        let memory = Mapping::new(Shape {
            before: 0,
            real: pages.size(),
            behind: 0,
        })?;
        pages.put_into(&memory, 0)?;
        Ok(Frames { pages, memory })
    }

    /// Goes on with memory for frames that another engine has lent.
    pub(super) fn adopt(&mut self, frames: Arc<dyn FrameMemory>) -> Result<(), EngineError> {
        let Ok(frames) = (frames as Arc<dyn Any + Send + Sync>).downcast::<Frames>() else {
            return Err(EngineError::Attach {
                what: "the memory for frames is another kind of engine's".to_owned(),
                remedy: None,
            });
        };
        let put = frames.pages.put_into(&self.memory, self.frames.into());
        put.map_err(|error| no_memory(&error))?;
        self.lent = Some(frames);
        Ok(())
    }

    /// Writes the descriptor of a packet that arrived.
    pub(super) fn hand_over(&self, index: usize, packet: Packet) -> Result<(), EngineError> {
        let room = packet.room;
        let inside = room.range().is_some() && packet.range().end <= room.size as usize;
        if index >= BATCH || !inside {
            return Err(EngineError::Room { packet: index });
        }
        let descriptor = Descriptor {
            offset: self.frames + room.offset + packet.start,
            length: packet.length,
            verdict: PENDING,
            interface: packet.interface,
        };
        let at = self.descriptor_at(index);
        self.memory.store(at, Width::B8, descriptor.to_bits());
        Ok(())
    }

    /// What became of a packet; one that is pending still was lost, and is dropped.
    pub(super) fn take_back(&self, index: usize, packet: &mut Packet) -> Result<(), EngineError> {
        packet.verdict = Verdict::Drop;
        let Descriptor {
            offset,
            length,
            verdict,
            interface,
        } = self.descriptor(index);
        if verdict == PENDING {
            return Ok(());
        }
        let room = packet.room;
        let start = offset.wrapping_sub(self.frames + room.offset);
        let inside = u64::from(start) + u64::from(length) <= u64::from(room.size);
        let verdict = Verdict::from_byte(verdict).filter(|_| inside);
        let verdict = verdict.ok_or(EngineError::Room { packet: index })?;
        *packet = Packet {
            room,
            start,
            length,
            interface,
            verdict,
        };
        Ok(())
    }

    /// Takes all packets back; the first error is told.
    pub(super) fn take_all_back(&self, packets: &mut [Packet]) -> Result<(), EngineError> {
        let mut first = Ok(());
        for (index, packet) in packets.iter_mut().enumerate() {
            first = first.and(self.take_back(index, packet));
        }
        first
    }

    /// The descriptor of a packet.
    pub(super) fn descriptor(&self, index: usize) -> Descriptor {
        Descriptor::from_bits(self.memory.load(self.descriptor_at(index), Width::B8))
    }

    fn descriptor_at(&self, index: usize) -> u64 {
        u64::from(self.descriptors) + index as u64 * u64::from(Descriptor::SIZE)
    }
}

/// Memory for frames that engines and sockets have in common. It is where it is as long as this lives, whatever becomes of
/// the engines.
pub(super) struct Frames {
    pages: Pages,
    memory: Arc<Mapping>,
}

impl FrameMemory for Frames {
    fn begin(&self) -> *mut u8 {
        self.memory.base()
    }
}
