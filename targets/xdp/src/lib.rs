//! IR to an eBPF object. The object's ABI is told in [`lvsc_abi::object`].
//!
//! ```text
//! facts     what the program says of each value
//! known     what the kernel's verifier knows of a value
//! select    block by block: Program -> machine; condition, frame, section and search are its parts
//! machine   instructions on virtual registers
//! regalloc  registers
//! assemble  instructions in their order, with their jumps
//! btf, elf  the object file
//! offload   what a network card cannot do
//! disasm    instructions as text
//! ```
//!
//! Knows no policy and no header. Every program that it makes is one that the verifier accepts: accesses to the frame go
//! through the address that was compared with its end, indices are masked where they are used.

#![allow(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they gave"
)]
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "instructions hold the same bits with other signs"
)]

mod assemble;
mod btf;
mod condition;
mod disasm;
mod elf;
mod facts;
mod frame;
mod insn;
mod known;
mod machine;
pub mod offload;
mod regalloc;
mod search;
mod section;
mod select;
mod verdict;

use lvsc_abi::artifact::Artifact;
use lvsc_abi::image::Bytes;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::Placement;
use lvsc_abi::place::Sources;
use lvsc_abi::publish::publish;
use lvsc_abi::world::World;
use lvsc_ir::target::{EmitError, Target};
use lvsc_ir::verify::Verified;

use crate::assemble::Code;
use crate::regalloc::Flat;

/// The target `xdp`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Xdp;

const NAME: &str = "xdp";
/// The most bytes of one section of global data: an instruction has 29 bits for the offset.
const SECTION_MAX: u64 = 1 << 29;
/// A jump goes at most so far (instructions).
const JUMP_MAX: u64 = i16::MAX as u64;

impl Target for Xdp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn extension(&self) -> &'static str {
        "o"
    }

    fn emit(
        &self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
    ) -> Result<Artifact, EmitError> {
        let sizes = Placement::of(layout).sizes;
        for size in sizes {
            EmitError::check(NAME, "a section of global data (bytes)", size, SECTION_MAX)?;
        }
        let code = compile(program, layout, manifest)?;
        let figures = vec![
            ("instructions", code.insns.len() as u64),
            ("stack bytes", code.stack),
            ("data bytes", sizes[0]),
            ("state bytes", sizes[1]),
        ];
        // What the policy itself says: with the MACs in it, any loader's attached program forwards.
        let mut initial = Bytes::new(layout.clone());
        publish(manifest, &World::of(manifest), &mut initial);
        let places = code.places.iter();
        let places = places
            .map(|(index, place)| (*index as u32, *place))
            .collect();
        Ok(Artifact {
            target: NAME,
            code: elf::write(&code, layout, manifest, sources, &initial),
            layout: layout.clone(),
            manifest: manifest.clone(),
            needs: Some(format!("Linux {} or newer", manifest.xdp.kernel)),
            figures,
            places,
        })
    }
}

/// The program's instructions as text, with the lines of the policy that they come from.
pub fn listing(
    program: &Verified,
    layout: &Layout,
    manifest: &Manifest,
    sources: &Sources,
) -> Result<String, EmitError> {
    let code = compile(program, layout, manifest)?;
    Ok(disasm::print(&code, layout, manifest, sources))
}

fn compile(program: &Verified, layout: &Layout, manifest: &Manifest) -> Result<Code, EmitError> {
    let machine = select::select(program.program(), layout, manifest.interfaces.len());
    let flat = Flat::of(machine);
    let output = regalloc::allocate(&flat).expect("a program in SSA gets its registers");
    let code = assemble::assemble(&flat, &output).map_err(|error| EmitError::Limit {
        target: NAME,
        what: "a jump (instructions)",
        found: error.distance,
        limit: JUMP_MAX,
    })?;
    EmitError::check(NAME, "the stack (bytes)", code.stack, regalloc::STACK)?;
    Ok(code)
}
