//! An object's parts, and where its image lies in the machine's memory.

use std::ops::Range;

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::{self as abi, Part, Placement, Variable};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};

use super::Memory;

/// Where `.data` and `.bss` begin.
const PARTS: [(Part, &str, u64); 2] =
    [(Part::Data, ".data", 1 << 32), (Part::Bss, ".bss", 2 << 32)];
/// What the program knows its one map by: of devices, or of sockets.
pub const DEVICES: u64 = 3 << 32;

/// A program whose addresses are filled in, and its image.
pub struct Object {
    pub code: Vec<u64>,
    pub manifest: Manifest,
    pub image: Loaded,
    /// It hands packets to sockets.
    pub steers: bool,
}

/// The image in the machine's memory.
pub struct Loaded {
    layout: Layout,
    /// By rising begin.
    sections: Vec<Section>,
    egress: Option<Variable>,
    pub memory: Memory,
}

/// A section of the image and where it lies.
struct Section {
    /// Bytes of the image.
    bytes: Range<u64>,
    /// Address of the first row.
    row: u64,
    rows: u64,
    /// Bytes from one row to the next.
    stride: u64,
}

pub fn read(bytes: &[u8]) -> Object {
    let file = ElfFile64::<LittleEndian>::parse(bytes).expect("it is an ELF file");
    let section = |name: &str| file.section_by_name(name).expect("the object has it");
    let layout = section(abi::LAYOUT).data().expect("it has bytes");
    let layout: Layout = serde_json::from_slice(layout).expect("it is a layout");
    let manifest = section(abi::MANIFEST).data().expect("it has bytes");
    let text = section(abi::PROGRAM);
    let insns = text.data().expect("it has bytes").chunks_exact(8);
    let word = |insn: &[u8]| u64::from_le_bytes(insn.try_into().expect("eight bytes"));
    let mut code: Vec<u64> = insns.map(word).collect();
    for (offset, relocation) in text.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else {
            panic!("a relocation without a symbol");
        };
        let symbol = file.symbol_by_index(symbol).expect("it has this symbol");
        let home = symbol.section_index().expect("it lies in a section");
        let home = file
            .section_by_index(home)
            .and_then(|home| home.name().map(str::to_owned));
        let home = home.expect("a section has a name");
        let begin = PARTS.iter().find(|(_, name, _)| home == *name);
        let first = (offset / 8) as usize;
        // An object may have both maps; its program asks one.
        let address = begin.map_or(DEVICES, |(_, _, begin)| {
            begin + symbol.address() + (code[first] >> 32)
        });
        code[first] = code[first] & 0xffff_ffff | address << 32;
        code[first + 1] = address >> 32 << 32;
    }
    let mut memory = Memory::new();
    let data = section(".data").data().expect("it has bytes");
    memory.place(PARTS[0].2, data.to_vec(), true);
    memory.place(PARTS[1].2, vec![0; section(".bss").size() as usize], true);
    let steers = file
        .symbols()
        .any(|symbol| symbol.name() == Ok(abi::SOCKETS));
    Object {
        steers,
        code,
        manifest: Manifest::decode(manifest).expect("it is a manifest"),
        image: Loaded::new(layout, memory),
    }
}

impl Loaded {
    fn new(layout: Layout, memory: Memory) -> Loaded {
        let placement = Placement::of(&layout);
        let sections = layout.sections().zip(&placement.sections);
        let sections = sections.map(|((_, section), variable)| Section {
            bytes: section.offset..section.offset + section.size(),
            row: row_of(variable, 0),
            rows: u64::from(variable.rows),
            stride: variable.size / u64::from(variable.rows),
        });
        Loaded {
            sections: sections.collect(),
            egress: placement.egress,
            layout,
            memory,
        }
    }

    /// The section of what is at `at` in the image, and its address in the first row.
    fn find(&self, at: u64, width: Width) -> Option<(&Section, u64)> {
        let behind = (self.sections).partition_point(|section| section.bytes.start <= at);
        let section = self.sections.get(behind.checked_sub(1)?)?;
        let end = at + width.bytes() as u64;
        (end <= section.bytes.end).then(|| (section, section.row + at - section.bytes.start))
    }

    /// The interface that a CPU has noted.
    pub fn egress(&self, cpu: u32) -> Option<u64> {
        let variable = self.egress.as_ref()?;
        self.memory.load(row_of(variable, cpu), 4).ok()
    }
}

fn row_of(variable: &Variable, row: u32) -> u64 {
    let begin = PARTS.iter().find(|(part, ..)| *part == variable.part);
    let begin = begin.expect("there are two parts").2;
    begin + variable.offset + variable.size / u64::from(variable.rows) * u64::from(row)
}

impl Image for Loaded {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A counter is the sum of all CPUs'.
    fn load(&self, at: u64, width: Width) -> u64 {
        let Some((section, first)) = self.find(at, width) else {
            return 0;
        };
        let mut sum = 0_u64;
        for row in 0..section.rows {
            let loaded = self
                .memory
                .load(first + row * section.stride, width.bytes());
            sum = sum.wrapping_add(loaded.expect("it is there"));
        }
        sum
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        let Some((section, first)) = self.find(at, width) else {
            return;
        };
        let (rows, stride) = (section.rows, section.stride);
        for row in 0..rows {
            let value = if row == 0 { value } else { 0 };
            let stored = self
                .memory
                .store(first + row * stride, width.bytes(), value);
            stored.expect("it is there");
        }
    }
}
