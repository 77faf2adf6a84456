//! IR to machine code, by Cranelift. The object's ABI is told in [`lvsc_abi::native`].
//!
//! ```text
//! isa      the processor, and what of it is used
//! batch    the loops over a batch
//! saved    what is kept for a packet between two of them
//! select   block by block: Program -> CLIF; frame, section and search are its parts
//! listing  CLIF as text, with the policy's lines
//! elf      the object file
//! header   what a program in C includes
//! ```
//!
//! Knows no policy and no header. Makes no check of its own: the verifier of the IR has proven each access of the frame,
//! and an index of a section is masked.

#![allow(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they gave"
)]

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little")
)))]
compile_error!(
    "machine code is made for x86-64 and aarch64 alone: build without the feature `native`"
);

mod batch;
mod elf;
mod frame;
mod header;
mod isa;
mod listing;
mod saved;
mod search;
mod section;
mod select;

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::place::Sources;
use lvsc_abi::publish;
use lvsc_ir::target::{EmitError, Target, Text};
use lvsc_ir::verify::Verified;

/// The target `native`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

const NAME: &str = "native";

impl Target for Native {
    fn name(&self) -> &'static str {
        NAME
    }

    fn extension(&self) -> &'static str {
        "native.o"
    }

    fn emit(
        &self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        _: &Sources,
        steering: Option<&[u8]>,
    ) -> Result<Artifact, EmitError> {
        let batch = batch::compile(program.program(), layout);
        let places = batch.places;
        let code = isa::compile(batch.function, isa::Listing::No)?;
        let initial = publish::initial(manifest, layout);
        let figures = vec![
            ("code bytes", code.bytes.len() as u64),
            ("loops", batch.loops),
            ("image bytes", layout.size()),
        ];
        Ok(Artifact {
            target: NAME,
            code: elf::write(&code.bytes, (layout, manifest), &initial, steering),
            layout: layout.clone(),
            manifest: manifest.clone(),
            needs: Some(format!("{} processor", isa::HERE.name())),
            figures,
            places: places.of(&code.origins),
        })
    }

    /// The packet function as Cranelift gets it and as it leaves it, and the header.
    fn text(
        &self,
        which: Text,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
    ) -> Result<Option<String>, EmitError> {
        let batch = || batch::compile(program.program(), layout);
        Ok(Some(match which {
            Text::Assembly => isa::compile(batch().function, isa::Listing::Yes)?.listing,
            Text::Clif => listing::print(batch(), manifest, sources),
            Text::Header => header::write(layout, manifest),
        }))
    }
}
