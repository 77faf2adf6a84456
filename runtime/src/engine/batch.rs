//! The descriptors and frame slots of a batch, in memory that generated code works on; see [`lvsc_abi::module`].

use std::sync::Arc;

use lvsc_abi::engine::{BATCH, EngineError, Packet, SLOT};
use lvsc_abi::image::Width;
use lvsc_abi::verdict::{Descriptor, PENDING, Verdict};

use super::memory::Mapping;

/// Where a batch lies.
pub(super) struct Batch {
    pub(super) memory: Arc<Mapping>,
    /// Offset of the first descriptor (bytes from the memory's base).
    pub(super) descriptors: u32,
    /// Offset of the first slot. Descriptors name frames from the memory's base on.
    pub(super) slots: u32,
}

impl Batch {
    /// The slot of a packet; empty for a number that none has. `owner` is the one through whom the code runs.
    pub(super) fn slot<'a, Owner>(&self, index: usize, owner: &'a mut Owner) -> &'a mut [u8] {
        if index >= BATCH {
            return &mut [];
        }
        let at = u64::from(self.slot_offset(index));
        self.memory.slice_mut(at, SLOT as usize, owner)
    }

    /// Writes the descriptor of a packet that arrived.
    pub(super) fn hand_over(&self, index: usize, packet: Packet) -> Result<(), EngineError> {
        if index >= BATCH || packet.range().end > SLOT as usize {
            return Err(EngineError::Slot { packet: index });
        }
        let descriptor = Descriptor {
            offset: self.slot_offset(index) + packet.start,
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
        let start = offset.wrapping_sub(self.slot_offset(index));
        let inside = u64::from(start) + u64::from(length) <= u64::from(SLOT);
        let verdict = Verdict::from_byte(verdict).filter(|_| inside);
        let verdict = verdict.ok_or(EngineError::Slot { packet: index })?;
        *packet = Packet {
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

    fn slot_offset(&self, index: usize) -> u32 {
        self.slots + index as u32 * SLOT
    }
}
