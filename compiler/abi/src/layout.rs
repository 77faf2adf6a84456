//! The one description of a state image: named sections, each an array of equal elements.
//!
//! Engines, interpreter, targets and the control plane all read it. A section's name and shape are its identity: a
//! reload carries over what matches.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::hash;

/// First bytes of every image, as a little-endian number: `lvscimg` and a zero.
pub const MAGIC: u64 = u64::from_le_bytes(*b"lvscimg\0");
/// Version of the image's shapes and of the descriptors.
pub const ABI_VERSION: u32 = 4;
/// Every section begins at a multiple of this (bytes): a cache line.
pub const ALIGN: u64 = 64;
/// What each worker has for itself begins at a multiple of this (bytes), and so does what stands behind it: whole pages on
/// every machine, so that workers can have all the others in common.
pub const PAGE: u64 = 65_536;
/// The most workers that have a cursor of their own in a pool's ring.
pub const WORKERS: u32 = 64;

/// Offsets (bytes) inside the element of section `header`.
pub mod header {
    /// [`super::MAGIC`], u64.
    pub const MAGIC: u16 = 0;
    /// [`super::ABI_VERSION`], u32.
    pub const VERSION: u16 = 8;
    /// [`super::Layout::digest`], u64.
    pub const DIGEST: u16 = 16;
}

/// Offsets (bytes) inside the element of section `clock`.
pub mod clock {
    /// Coarse time, u64: seconds of a clock that never goes back.
    pub const SECONDS: u16 = 0;
    /// Seed of the table hash, u64, drawn at start.
    pub const SEED: u16 = 8;
}

/// Offsets (bytes) and flags of an element of section `interfaces`: one word `{MAC 48, reserved 8, flags 8}` and the
/// kernel's index.
pub mod interface {
    /// `{MAC in wire order, 6 bytes; reserved; flags}`, u64.
    pub const RECORD: u16 = 0;
    /// Bits to the right of the flags in the record.
    pub const FLAGS_SHIFT: u32 = 56;
    /// Flag: the MAC is known.
    pub const KNOWN: u64 = 0x80;
    /// The kernel's interface index, u32; 0 where there is none.
    pub const INDEX: u16 = 8;
}

/// Bits of an element of a `backends.<pool>` section: one word `{MAC 48, interface 8, flags 8}`.
pub mod backend {
    /// Bits to the right of the interface (index into section `interfaces`).
    pub const INTERFACE_SHIFT: u32 = 48;
    /// Bits to the right of the flags.
    pub const FLAGS_SHIFT: u32 = 56;
    /// Flag: the backend has a next hop and may be given packets.
    pub const USABLE: u64 = 0x80;
}

/// Bits of an element of a `ring.<pool>` section: one u32 `{backend 16, previous 16}`.
pub mod slot {
    /// Mask of the backend id.
    pub const BACKEND: u64 = 0xffff;
    /// Bits to the right of the previous backend's id.
    pub const PREVIOUS_SHIFT: u32 = 16;
    /// The id that stands for "none".
    pub const NONE: u16 = 0xffff;
    /// As previous backend: nobody is kept any more, but some of the slot's flows are noted. See [`crate::slots`].
    pub const TAIL: u16 = 0xfffe;
    /// The word of a slot.
    pub const fn word(backend: u16, previous: u16) -> u32 {
        backend as u32 | (previous as u32) << PREVIOUS_SHIFT
    }
    /// A slot of a ring without a usable backend.
    pub const EMPTY: u32 = 0xffff_ffff;
}

/// Offsets (bytes) inside an element of a `changes.<pool>` section. See [`crate::slots`].
pub mod change {
    /// Low 32 bits of the clock when the slot's time began, u32 (seconds).
    pub const SINCE: u16 = 0;
    /// Low 32 bits of the clock when a flow of the slot was last seen elsewhere, u32 (seconds).
    pub const ELSEWHERE: u16 = 4;
    /// Mask of such seconds.
    pub const MASK: u64 = 0xffff_ffff;
}

/// Offsets (bytes) inside an element of a `loads.<pool>` section. See [`crate::loads`].
pub mod load {
    /// The flows that a backend has, u64.
    pub const COUNTS: u16 = 0;
    /// Its weight for new ones, u32; 0 where it takes none.
    pub const WEIGHT: u16 = 8;
    /// The number of flows from which on it takes no new ones, u32.
    pub const LIMIT: u16 = 12;
    /// Its id, u32.
    pub const ID: u16 = 16;
}

/// Offsets (bytes) inside a counter: an element of section `counters`, or of a section `counts.<counter>`.
pub mod counter {
    /// Packets, u64, wraps.
    pub const PACKETS: u16 = 0;
    /// Bytes of the frames on arrival, u64, wraps.
    pub const BYTES: u16 = 8;
}

/// What the elements of a section are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// Magic, version and digest: see [`header`].
    Header,
    /// Time and seed: see [`clock`].
    Clock,
    /// An interface: see [`interface`].
    Interface,
    /// A backend: see [`backend`].
    Backend,
    /// A ring slot: see [`slot`].
    Slot,
    /// A flow entry of a table that has every flow: see [`crate::flows`]. The length is a multiple of
    /// [`crate::flows::BUCKET`].
    Flow,
    /// A flow entry of a table that has only flows whose slots have changed: see [`crate::slots`]. Otherwise as a
    /// [`Element::Flow`].
    Noted,
    /// An entry of a table of datagrams that are in fragments: see [`crate::manifest::Fragments`]. Otherwise as a
    /// [`Element::Flow`].
    Datagram,
    /// An entry of a table of clients: see [`crate::manifest::Persist`]. Otherwise as a [`Element::Flow`].
    Client,
    /// The times of a ring slot that has changed: see [`change`].
    Change,
    /// What a backend has to do: see [`load`].
    Load,
    /// A worker's place in a ring, u64, counting up.
    Cursor,
    /// Packets and bytes: see [`counter`].
    Counter,
    /// A number that the policy fixes, u64: see [`crate::manifest::Fixed`].
    Word,
    /// Whose a counter's cell is, u64: see [`crate::cells`]. The length is a multiple of [`crate::flows::BUCKET`].
    Cell,
    /// A word of the key of a counter's cell, u64: see [`crate::cells`].
    Key,
}

impl Element {
    /// Size of one element (bytes), a power of two.
    pub const fn stride(self) -> u32 {
        match self {
            Element::Header | Element::Load => 32,
            Element::Clock | Element::Interface | Element::Counter => 16,
            Element::Backend
            | Element::Flow
            | Element::Noted
            | Element::Datagram
            | Element::Client
            | Element::Change
            | Element::Word
            | Element::Cell
            | Element::Key => 8,
            Element::Slot => 4,
            Element::Cursor => 64,
        }
    }

    /// Whether each worker on an image has its own section of these; whoever reads adds them up.
    pub const fn is_own(self) -> bool {
        match self {
            Element::Counter => true,
            Element::Header
            | Element::Clock
            | Element::Interface
            | Element::Backend
            | Element::Slot
            | Element::Flow
            | Element::Noted
            | Element::Datagram
            | Element::Client
            | Element::Change
            | Element::Load
            | Element::Cursor
            | Element::Word
            | Element::Cell
            | Element::Key => false,
        }
    }

    /// Whether it is an entry as those of flows are, of whatever table.
    pub const fn is_flow(self) -> bool {
        matches!(
            self,
            Element::Flow | Element::Noted | Element::Datagram | Element::Client
        )
    }
}

/// Which section of a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SectionId(pub u16);

/// An array inside the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Row", from = "Row")]
pub struct Section {
    /// `ring.web`: the kind, and the policy's name for what it belongs to.
    pub name: String,
    /// Offset of the first element from the image's begin (bytes).
    pub offset: u64,
    /// Number of elements, a power of two: an index is masked with `length - 1`.
    pub length: u32,
    /// What the elements are.
    pub element: Element,
}

/// A section as it is written: with its stride, for readers that do not know the elements.
#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
    offset: u64,
    length: u32,
    stride: u32,
    element: Element,
}

impl From<Section> for Row {
    fn from(section: Section) -> Row {
        Row {
            stride: section.element.stride(),
            name: section.name,
            offset: section.offset,
            length: section.length,
            element: section.element,
        }
    }
}

impl From<Row> for Section {
    fn from(row: Row) -> Section {
        Section {
            name: row.name,
            offset: row.offset,
            length: row.length,
            element: row.element,
        }
    }
}

impl Section {
    /// Size of the section (bytes).
    pub fn size(&self) -> u64 {
        u64::from(self.length) * u64::from(self.element.stride())
    }

    /// Offset in the image (bytes) of `field` in the element `index`, the index masked to the length.
    pub fn at(&self, index: u64, field: u16) -> u64 {
        let index = index & u64::from(self.length - 1);
        self.offset + index * u64::from(self.element.stride()) + u64::from(field)
    }
}

/// The sections of an image, in the order of their offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    sections: Vec<Section>,
}

impl Layout {
    /// An empty layout.
    pub fn new() -> Layout {
        Layout::default()
    }

    /// Adds a section behind the last one. `length` is rounded up to a power of two, at least one.
    pub fn add(&mut self, name: &str, element: Element, length: u32) -> SectionId {
        let last = self.sections.last();
        let alike = last.is_none_or(|last| last.element.is_own() == element.is_own());
        let align = if alike { ALIGN } else { PAGE };
        let offset = self.size().next_multiple_of(align);
        let length = length.max(1).next_power_of_two();
        self.sections.push(Section {
            name: name.to_owned(),
            offset,
            length,
            element,
        });
        SectionId((self.sections.len() - 1) as u16)
    }

    /// Size of the image (bytes).
    pub fn size(&self) -> u64 {
        self.sections
            .last()
            .map_or(0, |last| last.offset + last.size())
    }

    /// Bytes that workers on an image have in common, in whole pages of [`PAGE`] bytes; each has the others for itself.
    pub fn common(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for section in self.sections.iter().filter(|s| !s.element.is_own()) {
            let end = (section.offset + section.size()).next_multiple_of(PAGE);
            match runs.last_mut() {
                Some(run) if section.offset <= run.end => run.end = end,
                Some(_) | None => runs.push(section.offset..end),
            }
        }
        runs
    }

    /// All sections with their ids.
    pub fn sections(&self) -> impl Iterator<Item = (SectionId, &Section)> {
        self.sections
            .iter()
            .enumerate()
            .map(|(id, section)| (SectionId(id as u16), section))
    }

    /// The section with this id; `None` for an id of another layout.
    pub fn get(&self, id: SectionId) -> Option<&Section> {
        self.sections.get(usize::from(id.0))
    }

    /// The section with this name.
    pub fn named(&self, name: &str) -> Option<(SectionId, &Section)> {
        self.sections().find(|(_, section)| section.name == name)
    }

    /// The section of this kind that belongs to a pool: `ring.web`.
    pub fn of_pool(&self, kind: &str, pool: &str) -> Option<&Section> {
        self.named(&format!("{kind}.{pool}"))
            .map(|(_, section)| section)
    }

    /// Whether this is what [`Layout::add`] makes: one that was read from outside may be anything.
    pub fn is_sound(&self) -> bool {
        const LONGEST: u32 = 1 << 31;
        let mut again = Layout::new();
        for section in &self.sections {
            if section.length > LONGEST || self.sections.len() > usize::from(u16::MAX) {
                return false;
            }
            again.add(&section.name, section.element, section.length);
        }
        again == *self
    }

    /// The encoding, JSON: equal layouts give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys and whole numbers only")
    }

    /// A number that is equal for equal layouts and says so across processes: the digest of the encoding.
    pub fn digest(&self) -> u64 {
        hash::digest(&self.encode())
    }
}

impl std::ops::Index<SectionId> for Layout {
    type Output = Section;

    /// Panics for an id of another layout: ids come from [`Layout::add`] alone.
    fn index(&self, id: SectionId) -> &Section {
        self.get(id)
            .expect("a section id belongs to the layout that gave it")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn sections_are_aligned_and_do_not_overlap() {
        let mut layout = Layout::new();
        let ring = layout.add("ring.web", Element::Slot, 100);
        let backends = layout.add("backends.web", Element::Backend, 3);
        assert_eq!(layout[ring].length, 128);
        assert_eq!(layout[backends].offset, 512);
        assert_eq!(layout[backends].at(5, 0), 512 + 8, "the index is masked");
        assert_eq!(layout.size(), 512 + 32);
    }

    #[test]
    fn what_workers_have_in_common_shares_no_page_with_what_each_has() {
        let mut layout = Layout::new();
        assert!(layout.common().is_empty());
        layout.add("clock", Element::Clock, 1);
        layout.add("flows.web", Element::Flow, 1 << 14);
        let counters = layout.add("counters", Element::Counter, 4);
        let counts = layout.add("counts.seen", Element::Counter, 4);
        layout.add("cells.late", Element::Cell, 8);
        let first = 0..3 * PAGE;
        assert_eq!(layout.common(), [first.clone(), 4 * PAGE..5 * PAGE]);
        assert_eq!(layout[counters].offset, first.end);
        assert_eq!(layout[counts].offset, first.end + ALIGN, "of one kind");
        assert!(layout.is_sound());
    }

    #[test]
    fn the_digest_tells_shapes_apart() {
        let build = |name, element, length| {
            let mut layout = Layout::new();
            layout.add(name, element, length);
            layout.digest()
        };
        let one = build("a", Element::Flow, 64);
        assert_eq!(one, build("a", Element::Flow, 64));
        assert_ne!(one, build("b", Element::Flow, 64));
        assert_ne!(one, build("a", Element::Flow, 128));
        assert_ne!(one, build("a", Element::Backend, 64), "of the same stride");
    }
}
