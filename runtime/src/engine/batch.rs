//! The descriptors and frames of a batch, in memory that generated code works on; see [`lvsc_abi::module`].

use std::sync::Arc;

use lvsc_abi::engine::{BATCH, EngineError, FrameMemory, Packet, Room};
use lvsc_abi::image::Width;
use lvsc_abi::verdict::{Descriptor, PENDING, Verdict};

use super::memory::Mapping;

/// Where a batch lies.
pub(super) struct Batch {
    pub(super) memory: Arc<Mapping>,
    /// Offset of the first descriptor (bytes from the memory's base).
    pub(super) descriptors: u32,
    /// Offset of the memory for frames. Descriptors name frames from the memory's base on.
    pub(super) frames: u32,
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
    pub(super) fn frames(&self) -> Arc<dyn FrameMemory> {
        Arc::new(Frames {
            memory: Arc::clone(&self.memory),
            offset: self.frames,
        })
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

/// Memory for frames inside of a mapping, which lives as long as this does.
struct Frames {
    memory: Arc<Mapping>,
    /// Where it begins (bytes from the memory's base): at a page.
    offset: u32,
}

impl FrameMemory for Frames {
    fn begin(&self) -> *mut u8 {
        self.memory.base().wrapping_add(self.offset as usize)
    }
}
