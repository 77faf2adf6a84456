//! The object file: code, first image, layout and manifest.

use lvsc_abi::image::Bytes;
use lvsc_abi::layout::{ALIGN, Layout};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::native::{BATCH, CODE, INITIAL, LAYOUT, MANIFEST, Machine, SEAL, Seal};
use lvsc_abi::steering::{self, STEERING};
use object::write::{Object, SectionId, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use crate::isa;

/// The bytes of an object.
pub(crate) fn write(
    code: &[u8],
    (layout, manifest): (&Layout, &Manifest),
    initial: &Bytes,
    steering: Option<&[u8]>,
) -> Vec<u8> {
    let architecture = match isa::HERE {
        Machine::X86_64 => Architecture::X86_64,
        Machine::Aarch64 => Architecture::Aarch64,
    };
    let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    let first = runs(layout, initial.as_bytes());
    for (section, kind, name, is, bytes) in [
        (CODE, SectionKind::Text, BATCH, SymbolKind::Text, code),
        (
            ".rodata",
            SectionKind::ReadOnlyData,
            INITIAL,
            SymbolKind::Data,
            &first,
        ),
    ] {
        let section = add(&mut object, section, kind, bytes, ALIGN);
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: bytes.len() as u64,
            kind: is,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        });
    }
    let (layout, manifest) = (layout.encode(), manifest.encode());
    let seal = Seal::of(code, &layout, &manifest).encode();
    let steering = steering.map(|object| (STEERING, steering::seal(object, &layout, &manifest)));
    let sections = [(LAYOUT, layout), (MANIFEST, manifest), (SEAL, seal)];
    // Linkers ask whether the stack is to be executable: it is not.
    let stack = (".note.GNU-stack", Vec::new());
    for (name, bytes) in sections.into_iter().chain(steering).chain([stack]) {
        add(&mut object, name, SectionKind::Other, &bytes, 1);
    }
    let written = object.write();
    written.expect("an object of ours can be written")
}

fn add(
    object: &mut Object<'_>,
    name: &str,
    kind: SectionKind,
    bytes: &[u8],
    align: u64,
) -> SectionId {
    let id = object.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
    object.append_section_data(id, bytes, align);
    id
}

/// The image without what is zero: a run a section, from its first byte up to the last that is not zero.
fn runs(layout: &Layout, image: &[u8]) -> Vec<u8> {
    let mut runs = Vec::new();
    let mut run = |offset: u64, bytes: &[u8]| {
        runs.extend(offset.to_le_bytes());
        runs.extend((bytes.len() as u64).to_le_bytes());
        runs.extend(bytes);
    };
    for (_, section) in layout.sections() {
        let begin = section.offset as usize;
        let bytes = &image[begin..begin + section.size() as usize];
        let used = bytes.iter().rposition(|byte| *byte != 0);
        if let Some(last) = used {
            let padded = (last + 1).next_multiple_of(8);
            run(section.offset, &bytes[..padded.min(bytes.len())]);
        }
    }
    run(0, &[]);
    runs
}
