#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use ::object::write::{self, Relocation, SectionId, Symbol, SymbolSection};
use ::object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use lvsc_abi::image::is_stamped;
use lvsc_abi::layout::{ABI_VERSION, Element, Layout};
use lvsc_abi::manifest;
use lvsc_abi::native::{self as abi, Machine, Seal};

use super::*;

fn layout(flows: u32) -> Layout {
    let mut layout = Layout::new();
    layout.add("header", Element::Header, 1);
    layout.add("counters", Element::Counter, 4);
    layout.add("flows.web", Element::Flow, flows);
    layout
}

/// What an object of these tests is made of.
struct Recipe {
    architecture: Architecture,
    code: Vec<u8>,
    layout: Layout,
    manifest: Manifest,
    version: u32,
    symbol: &'static str,
    /// Where the packet function is said to begin.
    entry: u64,
    relocated: bool,
}

impl Recipe {
    fn new() -> Recipe {
        Recipe {
            architecture: match Machine::HERE {
                Some(Machine::Aarch64) => Architecture::Aarch64,
                Some(Machine::X86_64) | None => Architecture::X86_64,
            },
            code: vec![0xc3; 64],
            layout: layout(8),
            manifest: Manifest {
                version: manifest::VERSION,
                ..Manifest::default()
            },
            version: ABI_VERSION,
            symbol: abi::BATCH,
            entry: 0,
            relocated: false,
        }
    }

    fn build(&self) -> Vec<u8> {
        let mut object =
            write::Object::new(BinaryFormat::Elf, self.architecture, Endianness::Little);
        let add = |object: &mut write::Object<'_>, name: &str, bytes: &[u8]| -> SectionId {
            let kind = match name {
                abi::CODE => SectionKind::Text,
                _ => SectionKind::Other,
            };
            let id = object.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
            object.append_section_data(id, bytes, 1);
            id
        };
        let (layout, manifest) = (self.layout.encode(), self.manifest.encode());
        let seal = Seal {
            version: self.version,
            ..Seal::of(&self.code, &layout, &manifest)
        };
        let text = add(&mut object, abi::CODE, &self.code);
        add(&mut object, abi::LAYOUT, &layout);
        add(&mut object, abi::MANIFEST, &manifest);
        add(&mut object, abi::SEAL, &seal.encode());
        let symbol = object.add_symbol(Symbol {
            name: self.symbol.as_bytes().to_vec(),
            value: self.entry,
            size: 1,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
        if self.relocated {
            let relocation = Relocation {
                offset: 8,
                symbol,
                addend: 0,
                flags: RelocationFlags::Elf { r_type: 1 },
            };
            object.add_relocation(text, relocation).unwrap();
        }
        object.write().unwrap()
    }
}

fn error(bytes: &[u8]) -> String {
    match NativeEngine::load(bytes) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("the object was taken"),
    }
}

#[test]
fn what_is_not_of_this_lvsc_is_refused() {
    let other = Recipe {
        version: 99,
        ..Recipe::new()
    };
    assert!(error(&other.build()).contains("ABI version 99"));
    let other = Recipe {
        symbol: "main",
        ..Recipe::new()
    };
    assert!(error(&other.build()).contains("no `lvsc_batch`: it was not built by lvsc"));
    let other = Recipe {
        entry: 1,
        ..Recipe::new()
    };
    assert!(error(&other.build()).contains("no `lvsc_batch`"));
    let other = Recipe {
        relocated: true,
        ..Recipe::new()
    };
    assert!(error(&other.build()).contains("has relocations"));
    let mut other = Recipe::new();
    other
        .manifest
        .interfaces
        .push(manifest::Interface::default());
    assert!(error(&other.build()).contains("`lvsc.manifest` is not sound"));
}

#[test]
fn the_code_of_another_processor_is_refused_by_name() {
    let other = Recipe {
        architecture: match Machine::HERE {
            Some(Machine::X86_64) => Architecture::Aarch64,
            Some(Machine::Aarch64) | None => Architecture::X86_64,
        },
        ..Recipe::new()
    };
    let name = match Machine::HERE {
        Some(Machine::X86_64) => "aarch64",
        Some(Machine::Aarch64) | None => "x86_64",
    };
    let said = error(&other.build());
    assert!(
        said.starts_with(&format!("the object is for {name}, this is ")),
        "{said}"
    );
    let other = Recipe {
        architecture: Architecture::Riscv64,
        ..Recipe::new()
    };
    assert!(error(&other.build()).contains("ELF's number 243"));
}

#[test]
fn an_object_cut_anywhere_is_refused() {
    let whole = Recipe::new().build();
    assert!(NativeEngine::load(&whole).is_ok());
    for length in 0..whole.len() {
        error(&whole[..length]);
    }
}

#[test]
fn a_byte_that_differs_is_found_where_it_matters() {
    let recipe = Recipe::new();
    let whole = recipe.build();
    let parts = [
        recipe.code.clone(),
        recipe.layout.encode(),
        recipe.manifest.encode(),
    ];
    for part in parts {
        let at = whole
            .windows(part.len())
            .position(|window| window == part)
            .unwrap();
        for index in at..at + part.len() {
            let mut other = whole.clone();
            other[index] ^= 1;
            assert!(error(&other).contains("not what was built"), "byte {index}");
        }
    }
}

/// Each packet's first byte is its verdict; each is counted in the first counter.
#[cfg(target_arch = "x86_64")]
mod running {
    use lvsc_abi::engine::{HEADROOM, Room, SLOT};
    use lvsc_abi::image::count;
    use lvsc_abi::verdict::Verdict;

    use super::*;

    fn recipe() -> Recipe {
        let recipe = Recipe::new();
        let (_, counters) = recipe.layout.named("counters").unwrap();
        let mut code = vec![
            0x48, 0x85, 0xc9, // again: test rcx, rcx
            0x74, 0x19, // je end
            0x8b, 0x02, // mov eax, [rdx]
            0x0f, 0xb6, 0x04, 0x06, // movzx eax, byte [rsi + rax]
            0x88, 0x42, 0x06, // mov [rdx + 6], al
            0x48, 0xff, 0x87, // inc qword [rdi + counter]
        ];
        code.extend((counters.offset as u32).to_le_bytes());
        code.extend([
            0x48, 0x83, 0xc2, 0x08, // add rdx, 8
            0x48, 0xff, 0xc9, // dec rcx
            0xeb, 0xe2, // jmp again
            0xc3, // end: ret
        ]);
        Recipe { code, ..recipe }
    }

    fn engine() -> NativeEngine {
        NativeEngine::load(&recipe().build()).unwrap()
    }

    fn decide(engine: &mut NativeEngine, first: &[u8]) -> (Vec<Verdict>, Result<(), EngineError>) {
        let mut packets = Vec::new();
        for (index, byte) in first.iter().enumerate() {
            packets.push(Packet::arrived(Room::slot(index), 2, 0));
            engine.slot(index)[packets[index].range()].copy_from_slice(&[*byte, 0]);
        }
        let result = engine.process(&mut packets);
        let verdicts = packets.iter().map(|packet| packet.verdict);
        (verdicts.collect(), result)
    }

    #[test]
    fn each_packet_gets_its_verdict() {
        use Verdict::{Drop, Pass, Send};
        let mut engine = engine();
        assert!(is_stamped(engine.image()));
        let (verdicts, result) = decide(&mut engine, &[1, 0, 2, 1]);
        assert_eq!((verdicts, result), (vec![Send, Drop, Pass, Send], Ok(())));
        assert_eq!(count(engine.image(), 0).packets, 4);
        assert_eq!(engine.slot(2)[HEADROOM as usize], 2);
        assert!(engine.inside() > Some(Duration::ZERO));
        let (verdicts, result) = decide(&mut engine, &[1, 9]);
        assert_eq!(verdicts, [Send, Drop]);
        assert_eq!(result, Err(EngineError::Room { packet: 1 }), "no verdict");
    }

    #[test]
    fn packets_outside_their_slots_are_refused() {
        let mut engine = engine();
        let mut outside = [Packet {
            start: SLOT - 1,
            ..Packet::arrived(Room::slot(0), 2, 0)
        }];
        let refused = engine.process(&mut outside);
        assert_eq!(refused, Err(EngineError::Room { packet: 0 }));
        let mut many = [Packet::arrived(Room::slot(0), 2, 0); BATCH + 1];
        let refused = engine.process(&mut many);
        assert_eq!(refused, Err(EngineError::Room { packet: BATCH }));
        assert!(engine.slot(BATCH).is_empty());
    }

    #[test]
    fn a_hot_swap_keeps_the_image_and_takes_the_code() {
        let mut engine = engine();
        assert_eq!(decide(&mut engine, &[1, 1, 1]).1, Ok(()));
        let mut next = recipe();
        // `mov byte [rdx + 6], 2` and two times nothing: everything passes.
        next.code[7..14].copy_from_slice(&[0xc6, 0x42, 0x06, 0x02, 0x90, 0x90, 0x90]);
        let manifest = Manifest {
            files: vec!["next.lvs".to_owned()],
            ..next.manifest.clone()
        };
        next.manifest = manifest.clone();
        let loaded = NativeEngine::load(&next.build()).unwrap();
        let over: Box<dyn Any> = loaded.over(&engine).unwrap().unwrap();
        let mut engine: Box<NativeEngine> = over.downcast().unwrap();
        assert_eq!(engine.manifest(), &manifest);
        assert_eq!(count(engine.image(), 0).packets, 3, "the same image");
        assert_eq!(decide(&mut engine, &[1]), (vec![Verdict::Pass], Ok(())));
        assert_eq!(count(engine.image(), 0).packets, 4);
        let another = Recipe {
            layout: layout(64),
            ..recipe()
        };
        let another = NativeEngine::load(&another.build()).unwrap();
        let over = another.over(engine.as_ref()).unwrap();
        assert!(over.is_none(), "of another layout");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_page_can_be_written_and_executed() {
        let engine = engine();
        let begin = format!("{:x}-", engine.code.begin());
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.starts_with(&begin)).unwrap();
        assert!(line.contains(" r-xp "), "{line}");
        assert!(!maps.contains(" rwx"), "{maps}");
        let base = engine.state.base() as usize;
        let before = format!("-{base:x} ---p");
        assert!(maps.contains(&before), "a guard before the image: {maps}");
    }
}
