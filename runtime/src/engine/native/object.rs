//! Reading an object that lvsc made. Its ABI is told in [`lvsc_abi::native`].

use lvsc_abi::layout::{ABI_VERSION, Layout};
use lvsc_abi::manifest::{Manifest, ManifestError};
use lvsc_abi::native::{self as abi, Machine, Seal};
use lvsc_abi::steering::{self, STEERING};
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _};

/// Why an object is not one of ours, or none for here.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Not an ELF file, or one that ends too early.
    #[error("this is no object file: {0}")]
    Damaged(#[from] object::Error),
    /// Code for another kind of processor.
    #[error("the object is for {}, this is {}", machine(*.0), std::env::consts::ARCH)]
    Machine(
        /// Its number in ELF's header.
        u16,
    ),
    /// A section is missing, or the packet function.
    #[error("the object has no `{name}`: it was not built by lvsc")]
    Missing {
        /// What is missing.
        name: &'static str,
    },
    /// A section is not the JSON that it should be.
    #[error("the object's section `{name}` is damaged: {source}")]
    Section {
        /// The section.
        name: &'static str,
        /// What the decoder says.
        source: serde_json::Error,
    },
    /// Made by another version of lvsc.
    #[error(
        "the object has ABI version {found}, this lvsc has {ABI_VERSION}: build the policy again"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// The code is not what was built, or wants something of a linker.
    #[error("the object's code is damaged: {what}")]
    Code {
        /// What is wrong.
        what: &'static str,
    },
    /// A layout or manifest that no policy of this version of lvsc has.
    #[error("the object's section `{name}` is not sound")]
    Unsound {
        /// The section.
        name: &'static str,
    },
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// A processor, as people say it.
fn machine(number: u16) -> String {
    match Machine::from_number(number) {
        Some(machine) => machine.name().to_owned(),
        None => format!("a processor that lvsc makes no code for (ELF's number {number})"),
    }
}

/// An object.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// The packet function.
    pub(super) code: &'a [u8],
    pub(super) layout: Layout,
    pub(super) manifest: Manifest,
    /// The object that says which packets are the kernel's.
    pub(super) steering: Option<&'a [u8]>,
}

impl<'a> Object<'a> {
    /// Reads an object. What it gives is whole: the code is what was built, for this kind of processor, and what the
    /// manifest numbers is in the layout.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Object<'a>, ObjectError> {
        let file = ElfFile64::<LittleEndian>::parse(bytes)?;
        let number = file.elf_header().e_machine(LittleEndian);
        if Machine::HERE.is_none_or(|here| here as u16 != number) {
            return Err(ObjectError::Machine(number));
        }
        let section = |name: &'static str| {
            let found = file.section_by_name(name);
            found.ok_or(ObjectError::Missing { name })
        };
        let (seal, layout, manifest) = (abi::SEAL, abi::LAYOUT, abi::MANIFEST);
        let [seal, layout, manifest] = [seal, layout, manifest].map(section);
        let [seal, layout, manifest] = [seal?.data()?, layout?.data()?, manifest?.data()?];
        let damaged = |name| move |source| ObjectError::Section { name, source };
        let seal: Seal = serde_json::from_slice(seal).map_err(damaged(abi::SEAL))?;
        if seal.version != ABI_VERSION {
            let found = seal.version;
            return Err(ObjectError::Version { found });
        }
        let steering = match file.section_by_name(STEERING) {
            Some(found) => {
                let object = steering::open(found.data()?, layout, manifest);
                Some(object.ok_or(ObjectError::Unsound { name: STEERING })?)
            }
            None => None,
        };
        let text = section(abi::CODE)?;
        let code = text.data()?;
        if Seal::of(code, layout, manifest) != seal {
            let what = "it is not what was built";
            return Err(ObjectError::Code { what });
        }
        if text.relocations().next().is_some() {
            let what = "it has relocations";
            return Err(ObjectError::Code { what });
        }
        let begins = file.symbols().any(|symbol| {
            symbol.name() == Ok(abi::BATCH)
                && symbol.section_index() == Some(text.index())
                && symbol.address() == 0
        });
        if !begins || code.is_empty() {
            return Err(ObjectError::Missing { name: abi::BATCH });
        }
        let layout: Layout = serde_json::from_slice(layout).map_err(damaged(abi::LAYOUT))?;
        if !layout.is_sound() {
            let name = abi::LAYOUT;
            return Err(ObjectError::Unsound { name });
        }
        let manifest = Manifest::decode(manifest)?;
        if !manifest.fits(&layout) {
            let name = abi::MANIFEST;
            return Err(ObjectError::Unsound { name });
        }
        Ok(Object {
            code,
            layout,
            manifest,
            steering,
        })
    }
}
