//! Reading an object that lvsc made. Its ABI is told in [`lvsc_abi::object`].

use std::ffi::{CStr, CString};

use lvsc_abi::layout::{ABI_VERSION, Element, Layout, header};
use lvsc_abi::manifest::{Manifest, ManifestError};
use lvsc_abi::object::{self as abi, Part, Placement};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// Why an object is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Not an ELF file, or one that ends too early.
    #[error("this is no eBPF object: {0}")]
    Damaged(#[from] object::Error),
    /// A section is missing.
    #[error("the object has no section `{name}`: it was not built by lvsc")]
    Section {
        /// The section.
        name: &'static str,
    },
    /// The layout is not the JSON of one.
    #[error("the object's layout is damaged: {0}")]
    Layout(serde_json::Error),
    /// The layout is none that lvsc makes, or the variables do not lie where it says.
    #[error("the object's variable `{name}` does not lie where its layout says")]
    Variable {
        /// The variable, or the layout itself.
        name: String,
    },
    /// Its image is of another version.
    #[error(
        "the object has ABI version {found}, this lvsc has {ABI_VERSION}: build the policy again"
    )]
    Version {
        /// What its image begins with.
        found: u32,
    },
    /// Its image does not begin as an image does.
    #[error("the object's image is damaged: it has no header")]
    Image,
    /// The manifest names what its image does not have.
    #[error("the object's manifest does not fit its layout")]
    Unfit,
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The code is not whole, or refers to what is not there.
    #[error("the object's code is damaged: {what}")]
    Code {
        /// What is wrong.
        what: &'static str,
    },
}

/// What an address in the code is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A byte of a part of the image.
    Data(Part, u32),
    /// The map of devices.
    Devices,
    /// The map of sockets.
    Sockets,
}

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// The program's name.
    pub(super) name: String,
    pub(super) license: CString,
    pub(super) code: Vec<u64>,
    /// Instructions whose addresses are missing.
    pub(super) addresses: Vec<(usize, Address)>,
    /// The first bytes of `.data`.
    pub(super) data: Vec<u8>,
    pub(super) types: Vec<u8>,
    pub(super) functions: Vec<u8>,
    pub(super) lines: Vec<u8>,
    pub(super) layout: Layout,
    pub(super) placement: Placement,
    pub(super) manifest: Manifest,
}

/// The largest value of a map that instructions address (bytes): `BPF_MAX_VAR_OFF` (kernel/bpf/verifier.c).
const PART_MAX: u64 = 1 << 29;
/// Size of an instruction (bytes).
const INSN: u64 = 8;
/// Offsets in the header of `.BTF.ext`: where the records of functions and of lines begin, and how long they are.
const EXT_HEADER: usize = 4;
/// Size of the record that tells where an instruction comes from (bytes).
const LINE: usize = 16;
/// A row of records begins with their size, then the section's name and their number.
const RECORDS: usize = 12;

impl Object {
    pub(super) fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
        let file = ElfFile64::<LittleEndian>::parse(bytes)?;
        let section = |name: &'static str| {
            let found = file.section_by_name(name);
            found.ok_or(ObjectError::Section { name })
        };
        let text = section(abi::PROGRAM)?;
        let layout = section(abi::LAYOUT)?.data()?;
        let layout: Layout = serde_json::from_slice(layout).map_err(ObjectError::Layout)?;
        if !layout.is_sound() {
            let name = abi::LAYOUT.to_owned();
            return Err(ObjectError::Variable { name });
        }
        let placement = Placement::of(&layout);
        let data = section(".data")?;
        let state = section(".bss")?;
        for (part, size) in [(&data, placement.sizes[0]), (&state, placement.sizes[1])] {
            if part.size() != size {
                let name = part.name()?.to_owned();
                return Err(ObjectError::Variable { name });
            }
            if size > PART_MAX {
                let what = "its image is larger than the kernel maps";
                return Err(ObjectError::Code { what });
            }
        }
        if let Some(found) = version(&placement, &layout, data.data()?) {
            return Err(ObjectError::Version { found });
        }
        let mut addresses = Vec::new();
        for (offset, relocation) in text.relocations() {
            let object::RelocationTarget::Symbol(index) = relocation.target() else {
                let what = "a relocation without a symbol";
                return Err(ObjectError::Code { what });
            };
            let symbol = file.symbol_by_index(index)?;
            let home = symbol.section_index();
            let address = if symbol.name()? == abi::DEVICES {
                Address::Devices
            } else if symbol.name()? == abi::SOCKETS {
                Address::Sockets
            } else if home == Some(data.index()) {
                Address::Data(Part::Data, symbol.address() as u32)
            } else if home == Some(state.index()) {
                Address::Data(Part::Bss, symbol.address() as u32)
            } else {
                let what = "an address of something else than the image";
                return Err(ObjectError::Code { what });
            };
            addresses.push(((offset / INSN) as usize, address));
        }
        for variable in placement.sections.iter().chain(&placement.egress) {
            let home = match variable.part {
                Part::Data => data.index(),
                Part::Bss => state.index(),
            };
            let there = file.symbols().any(|symbol| {
                symbol.name() == Ok(&variable.name)
                    && symbol.section_index() == Some(home)
                    && (symbol.address(), symbol.size()) == (variable.offset, variable.size)
            });
            if !there {
                let name = variable.name.clone();
                return Err(ObjectError::Variable { name });
            }
        }
        let mut symbols = file.symbols();
        let program = symbols.find(|symbol| symbol.kind() == SymbolKind::Text);
        let name = program.map_or(Ok("lvsc"), |program| program.name())?;
        let code = text.data()?.chunks_exact(INSN as usize).map(|insn| {
            let insn = insn.iter().rev();
            insn.fold(0, |insn, byte| insn << 8 | u64::from(*byte))
        });
        let code: Vec<u64> = code.collect();
        if addresses.iter().any(|(index, _)| index + 1 >= code.len()) {
            let what = "a relocation behind its end";
            return Err(ObjectError::Code { what });
        }
        let [functions, lines] = records(section(".BTF.ext")?.data()?)?;
        let license = section("license")?.data()?;
        let manifest = Manifest::decode(section(abi::MANIFEST)?.data()?)?;
        if !manifest.fits(&layout) {
            return Err(ObjectError::Unfit);
        }
        Ok(Object {
            name: name.to_owned(),
            license: CStr::from_bytes_until_nul(license)
                .unwrap_or_default()
                .to_owned(),
            code,
            addresses,
            data: data.data()?.to_vec(),
            types: section(".BTF")?.data()?.to_vec(),
            functions,
            lines,
            layout,
            placement,
            manifest,
        })
    }

    /// Sizes of the maps of `.data` and `.bss` (bytes): a map has no value of none.
    pub(super) fn sizes(&self) -> [u64; 2] {
        self.placement.sizes.map(|size| size.max(8))
    }

    /// The line of the policy that an instruction comes from: `dr.lvs:14`.
    pub(super) fn line(&self, insn: u32) -> Option<String> {
        let records = self.lines.chunks_exact(LINE);
        let before = records.take_while(|record| word(record, 0).is_some_and(|at| at <= insn));
        let record = before.last()?;
        let (file, line) = (word(record, 4)?, word(record, 12)? >> 10);
        let strings = word(&self.types, 4)? as usize + word(&self.types, 16)? as usize;
        let file = self.types.get(strings + file as usize..)?;
        let file = CStr::from_bytes_until_nul(file).ok()?.to_str().ok()?;
        Some(format!("{file}:{line}"))
    }
}

/// The version of the image's shapes, where it is another one than ours.
fn version(placement: &Placement, layout: &Layout, data: &[u8]) -> Option<u32> {
    let mut sections = placement.sections.iter().zip(layout.sections());
    let (header, _) = sections.find(|(_, (_, section))| section.element == Element::Header)?;
    let at = header.offset as usize + usize::from(header::VERSION);
    word(data, at).filter(|found| *found != ABI_VERSION)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// The records of functions and of lines as the kernel takes them: instructions counted, not bytes.
fn records(ext: &[u8]) -> Result<[Vec<u8>; 2], ObjectError> {
    let damaged = ObjectError::Section { name: ".BTF.ext" };
    let rows = || -> Option<[Vec<u8>; 2]> {
        let header = word(ext, EXT_HEADER)? as usize;
        let row = |from: usize, size: usize| -> Option<Vec<u8>> {
            let row = ext.get(header + from..header + from + size)?;
            let record = word(row, 0)? as usize;
            let mut records = row.get(RECORDS..)?.to_vec();
            for record in records.chunks_exact_mut(record.max(4)) {
                let at = word(record, 0)? / INSN as u32;
                record.get_mut(..4)?.copy_from_slice(&at.to_le_bytes());
            }
            Some(records)
        };
        let [from, size, next, rest] = [1, 2, 3, 4].map(|index| word(ext, EXT_HEADER + index * 4));
        Some([
            row(from? as usize, size? as usize)?,
            row(next? as usize, rest? as usize)?,
        ])
    };
    rows().ok_or(damaged)
}
