//! The ABI of an eBPF object: where the image lies in its global data, and what else travels inside.
//!
//! Every section of the [`Layout`] is a variable of the object, named as the section with `_` in the place of what no C
//! name may have (`ring.web` is `ring_web`). What the control plane fills lies in the ELF section `.data`, with its
//! first bytes; what packets change lies in `.bss` and begins as zeros. Each CPU has counters of its own, one row behind
//! the other: the counter is the sum of all rows. A section with too many counters for that has one row, and all CPUs
//! add to it.

use crate::layout::{Element, Layout, Section};

/// What an ELF file begins with.
pub const ELF: &[u8] = b"\x7fELF";
/// The number of eBPF in the header of an ELF file (`EM_BPF`).
pub const BPF: u16 = 247;
/// Name of the ELF section with the program.
pub const PROGRAM: &str = "xdp";
/// Name of the section with the [`Layout`], JSON.
pub const LAYOUT: &str = "lvsc.layout";
/// Name of the section with the [`Manifest`](crate::manifest::Manifest), JSON.
pub const MANIFEST: &str = "lvsc.manifest";
/// CPUs that have counters of their own; a power of two. With more, some share theirs.
pub const CPUS: u32 = 256;
/// The longest row of counters (bytes) that each CPU has for itself: 4096 counters, 16 MiB for all CPUs.
pub const ROW_MAX: u64 = 64 << 10;
/// Bytes between the places where two CPUs note the interface by which they redirect: a cache line.
pub const EGRESS_STRIDE: u32 = 64;
/// Name of the variable with these places; there is one where there are several interfaces.
pub const EGRESS: &str = "egress";
/// Name of the map of devices, by the number of the interface; there is one where there are several.
pub const DEVICES: &str = "devices";
/// Name of the map of sockets, by the number of the queue by which a packet came; there is one in a program that hands
/// packets to sockets.
pub const SOCKETS: &str = "sockets";
/// Places in that map. What comes by a queue without a socket goes to the kernel.
pub const QUEUES: u32 = 64;

/// Which part of the object a section of the image lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `.data`: the control plane fills it.
    Data,
    /// `.bss`: packets change it.
    Bss,
}

/// Where a section of the image lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name in the object.
    pub name: String,
    /// The part.
    pub part: Part,
    /// Offset in the part (bytes).
    pub offset: u64,
    /// Number of bytes, all rows included.
    pub size: u64,
    /// Number of rows: see [`counters_rows`] for counters, else 1.
    pub rows: u32,
}

/// Where everything lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The sections of the image, in the layout's order.
    pub sections: Vec<Variable>,
    /// Where CPUs note by which interface they redirect.
    pub egress: Option<Variable>,
    /// Sizes of `.data` and `.bss` (bytes).
    pub sizes: [u64; 2],
}

/// Bytes between the counters of two CPUs: at least a cache line, a power of two.
pub fn counters_row(counters: &Section) -> u64 {
    counters.size().max(64)
}

/// Rows of these counters: [`CPUS`], or 1 where a row is longer than [`ROW_MAX`].
pub fn counters_rows(counters: &Section) -> u32 {
    if counters.size() > ROW_MAX { 1 } else { CPUS }
}

impl Placement {
    /// Where the sections of this layout lie.
    pub fn of(layout: &Layout) -> Placement {
        let mut placement = Placement {
            sections: Vec::new(),
            egress: None,
            sizes: [0, 0],
        };
        let mut interfaces = 0;
        for (_, section) in layout.sections() {
            let (part, rows, size) = match section.element {
                Element::Header
                | Element::Clock
                | Element::Interface
                | Element::Backend
                | Element::Slot
                | Element::Load
                | Element::Word => (Part::Data, 1, section.size()),
                Element::Flow
                | Element::Noted
                | Element::Datagram
                | Element::Client
                | Element::Change
                | Element::Cursor
                | Element::Cell
                | Element::Key => (Part::Bss, 1, section.size()),
                Element::Counter => {
                    let rows = counters_rows(section);
                    (Part::Bss, rows, counters_row(section) * u64::from(rows))
                }
            };
            if section.element == Element::Interface {
                interfaces = section.length;
            }
            let variable = placement.add(&section.name, part, size, rows);
            placement.sections.push(variable);
        }
        if interfaces > 1 {
            let size = u64::from(CPUS * EGRESS_STRIDE);
            placement.egress = Some(placement.add(EGRESS, Part::Bss, size, CPUS));
        }
        placement
    }

    fn add(&mut self, name: &str, part: Part, size: u64, rows: u32) -> Variable {
        let [data, bss] = &mut self.sizes;
        let end = match part {
            Part::Data => data,
            Part::Bss => bss,
        };
        let offset = end.next_multiple_of(64);
        *end = offset + size;
        Variable {
            name: identifier(name),
            part,
            offset,
            size,
            rows,
        }
    }
}

/// The processor's number in the header of an ELF file (`e_machine`, little endian); `None` for what is none.
pub fn processor(bytes: &[u8]) -> Option<u16> {
    const MACHINE: usize = 18;
    let number = bytes.get(MACHINE..MACHINE + 2)?;
    let number = u16::from_le_bytes(number.try_into().ok()?);
    bytes.starts_with(ELF).then_some(number)
}

/// A name that is one in C.
pub fn identifier(name: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    name.chars().map(letter).collect()
}
