//! The object file: program, global data with its first bytes, types, lines, layout and manifest.

use lvsc_abi::image::Bytes;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::{
    self as abi, CPUS, DEVICES, EGRESS_STRIDE, Part, Placement, QUEUES, SOCKETS, Variable,
    counters_row,
};
use lvsc_abi::place::{Place, Sources};
use object::write::{Object, Relocation, SectionId, Symbol as Named, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

use crate::assemble::Code;
use crate::btf::{Btf, Placed, Type};
use crate::machine::Symbol;

/// The relocation of an instruction that sets all 64 bits (`R_BPF_64_64`).
const RELOCATION: u32 = 1;
/// `BPF_MAP_TYPE_DEVMAP`
const DEVMAP: u32 = 14;
/// `BPF_MAP_TYPE_XSKMAP`
const XSKMAP: u32 = 17;
/// Size of the definition of a map: four pointers.
const DEFINITION: u32 = 32;

/// The bytes of an object.
pub(crate) fn write(
    code: &Code,
    layout: &Layout,
    manifest: &Manifest,
    sources: &Sources,
    initial: &Bytes,
) -> Vec<u8> {
    let mut writer = Writer {
        object: Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
        btf: Btf::new(),
        placement: Placement::of(layout),
        symbols: Vec::new(),
    };
    let text = writer.program(code, &program_name(manifest));
    writer.data(layout, initial);
    let interfaces = manifest.interfaces.len() as u32;
    let redirects = |map| code.relocations.iter().any(|(_, symbol)| *symbol == map);
    let devices = (Symbol::Devices, DEVICES, DEVMAP, interfaces);
    let sockets = (Symbol::Sockets, SOCKETS, XSKMAP, QUEUES);
    let mut maps = Vec::new();
    maps.extend((interfaces > 1).then_some(devices));
    maps.extend(redirects(Symbol::Sockets).then_some(sockets));
    writer.maps(&maps);
    for (index, symbol) in &code.relocations {
        let found = writer.symbols.iter().find(|(known, _)| known == symbol);
        let (_, symbol) = found.expect("every symbol has its variable");
        let relocation = Relocation {
            offset: *index as u64 * 8,
            symbol: *symbol,
            addend: 0,
            flags: RelocationFlags::Elf { r_type: RELOCATION },
        };
        let added = writer.object.add_relocation(text, relocation);
        added.expect("an ELF object takes its own relocations");
    }
    writer.lines(code, manifest, sources);
    writer.finish(layout, manifest)
}

/// The program's name: the policy's file without its ending, as a name in C.
fn program_name(manifest: &Manifest) -> String {
    let file = manifest.policy().unwrap_or("lvsc");
    let stem = file.split('.').next().unwrap_or_default();
    let name = abi::identifier(stem);
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("lvsc_{name}"),
    }
}

struct Writer {
    object: Object<'static>,
    btf: Btf,
    placement: Placement,
    symbols: Vec<(Symbol, SymbolId)>,
}

impl Writer {
    fn section(&mut self, name: &str, kind: SectionKind) -> SectionId {
        let name = name.as_bytes().to_vec();
        self.object.add_section(Vec::new(), name, kind)
    }

    /// A section that only tools read.
    fn note(&mut self, name: &str, bytes: &[u8]) {
        let section = self.section(name, SectionKind::Other);
        self.object.append_section_data(section, bytes, 4);
    }

    fn symbol(&mut self, name: &str, at: (SectionId, u64, u64), kind: SymbolKind) -> SymbolId {
        let (section, value, size) = at;
        self.object.add_symbol(Named {
            name: name.as_bytes().to_vec(),
            value,
            size,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn program(&mut self, code: &Code, name: &str) -> SectionId {
        let text = self.section(abi::PROGRAM, SectionKind::Text);
        let bytes = code.insns.iter().flat_map(|insn| insn.bits().to_le_bytes());
        let bytes: Vec<u8> = bytes.collect();
        self.object.append_section_data(text, &bytes, 8);
        self.symbol(name, (text, 0, bytes.len() as u64), SymbolKind::Text);
        let license = self.section("license", SectionKind::Data);
        self.object
            .append_section_data(license, b"Dual MIT/GPL\0", 1);
        text
    }

    /// `.data` and `.bss` with a variable for each section of the image.
    fn data(&mut self, layout: &Layout, initial: &Bytes) {
        let [data_size, bss_size] = self.placement.sizes;
        let mut bytes = vec![0; data_size as usize];
        let mut placed = [Vec::new(), Vec::new()];
        let data = self.section(".data", SectionKind::Data);
        let bss = self.section(".bss", SectionKind::UninitializedData);
        let variables = self.placement.sections.clone();
        for ((id, section), variable) in layout.sections().zip(&variables) {
            if variable.part == Part::Data {
                let from = section.offset as usize..(section.offset + section.size()) as usize;
                let to = variable.offset as usize..(variable.offset + variable.size) as usize;
                bytes[to].copy_from_slice(&initial.as_bytes()[from]);
            }
            let element = self.btf.element(section.element);
            let mut of = self.btf.array(element, section.length);
            if variable.rows > 1 {
                let per_row = counters_row(section) / u64::from(section.element.stride());
                let row = self.btf.array(element, per_row as u32);
                of = self.btf.array(row, variable.rows);
            }
            let at = if variable.part == Part::Data {
                data
            } else {
                bss
            };
            placed[variable.part as usize].push(self.variable(
                variable,
                of,
                at,
                Symbol::Section(id),
            ));
        }
        if let Some(egress) = self.placement.egress.clone() {
            let word = self.btf.integer(4);
            let row = self.btf.array(word, EGRESS_STRIDE / 4);
            let of = self.btf.array(row, CPUS);
            placed[1].push(self.variable(&egress, of, bss, Symbol::Egress));
        }
        self.object.append_section_data(data, &bytes, 64);
        self.object.append_section_bss(bss, bss_size, 64);
        for (name, size, placed) in [
            (".data", data_size, &placed[0]),
            (".bss", bss_size, &placed[1]),
        ] {
            // The kernel knows no section without variables.
            if !placed.is_empty() {
                self.btf.section(name, size as u32, placed);
            }
        }
    }

    fn variable(
        &mut self,
        variable: &Variable,
        of: Type,
        section: SectionId,
        symbol: Symbol,
    ) -> Placed {
        let at = (section, variable.offset, variable.size);
        let id = self.symbol(&variable.name, at, SymbolKind::Data);
        self.symbols.push((symbol, id));
        Placed {
            variable: self.btf.variable(&variable.name, of),
            offset: variable.offset as u32,
            size: variable.size as u32,
        }
    }

    /// Maps, each `{type, max_entries, key, value}` as libbpf defines them: {symbol, name, type, entries}.
    fn maps(&mut self, each: &[(Symbol, &str, u32, u32)]) {
        if each.is_empty() {
            return;
        }
        let maps = self.section(".maps", SectionKind::Data);
        let size = DEFINITION * each.len() as u32;
        self.object
            .append_section_data(maps, &vec![0; size as usize], 8);
        let word = self.btf.integer(4);
        let mut placed = Vec::new();
        for (offset, (symbol, name, kind, entries)) in (0..).step_by(DEFINITION as usize).zip(each)
        {
            let at = (maps, u64::from(offset), u64::from(DEFINITION));
            let id = self.symbol(name, at, SymbolKind::Data);
            self.symbols.push((*symbol, id));
            let number = |btf: &mut Btf, value: u32| {
                let array = btf.array(word, value);
                btf.pointer(array)
            };
            let kind = number(&mut self.btf, *kind);
            let entries = number(&mut self.btf, *entries);
            let pointer = self.btf.pointer(word);
            let members = [
                ("type", kind, 8),
                ("max_entries", entries, 8),
                ("key", pointer, 8),
                ("value", pointer, 8),
            ];
            let definition = self.btf.structure("", &members);
            placed.push(Placed {
                variable: self.btf.variable(name, definition),
                offset,
                size: DEFINITION,
            });
        }
        self.btf.section(".maps", size, &placed);
    }

    /// The function, and where its instructions come from.
    fn lines(&mut self, code: &Code, manifest: &Manifest, sources: &Sources) {
        let function = self.btf.function(&program_name(manifest));
        let places = places(code);
        let lines = (self.btf).lines(abi::PROGRAM, function, &places, &manifest.files, sources);
        self.note(".BTF.ext", &lines);
    }

    fn finish(mut self, layout: &Layout, manifest: &Manifest) -> Vec<u8> {
        let types = std::mem::replace(&mut self.btf, Btf::new()).finish();
        self.note(".BTF", &types);
        self.note(abi::LAYOUT, &layout.encode());
        self.note(abi::MANIFEST, &manifest.encode());
        let written = self.object.write();
        written.expect("an object of ours can be written")
    }
}

/// Where instructions come from, by their offset (bytes). The kernel wants to know it from the first one on.
fn places(code: &Code) -> Vec<(u32, Place)> {
    let mut places: Vec<(u32, Place)> = code
        .places
        .iter()
        .map(|(index, place)| (*index as u32 * 8, *place))
        .collect();
    if let Some((offset, _)) = places.first_mut() {
        *offset = 0;
    }
    places
}
