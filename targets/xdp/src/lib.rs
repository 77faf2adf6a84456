//! IR to an eBPF object. The object's ABI is told in [`lvsc_abi::object`].
//!
//! ```text
//! facts     what the program says of each value
//! known     what the kernel's verifier knows of a value
//! select    block by block: Program -> machine; condition, frame, section and search are its parts
//! machine   instructions on virtual registers
//! regalloc  registers
//! assemble  instructions in their order; jumps relays those that go too far
//! paths     how many instructions a packet takes
//! btf, elf  the object file
//! offload   what a network card cannot do
//! feeder    what gives a measured program its packets
//! sink      what counts those that come back
//! disasm    instructions as text
//! ```
//!
//! Knows no policy and no header. The verifier finds every access of its programs in bounds: accesses to the frame go
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
mod context;
mod disasm;
mod elf;
mod facts;
mod feeder;
mod frame;
mod insn;
mod jumps;
mod known;
mod machine;
pub mod offload;
mod paths;
mod regalloc;
mod search;
mod section;
mod select;
mod sink;
mod verdict;

use lvsc_abi::artifact::Artifact;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::Placement;
use lvsc_abi::place::Sources;
use lvsc_abi::publish;
use lvsc_ir::target::{EmitError, Target, Text};
use lvsc_ir::verify::Verified;

use crate::assemble::Code;
pub use crate::feeder::feeder;
use crate::regalloc::Flat;
pub use crate::sink::sink;
use crate::verdict::Dropped;

/// The target `xdp`.
#[derive(Clone, Copy, Debug)]
pub struct Xdp {
    /// How far a jump goes at most (instructions).
    reach: u16,
    dropped: Dropped,
}

impl Xdp {
    /// The target.
    pub const NEW: Xdp = Xdp {
        reach: jumps::REACH,
        dropped: Dropped::Gone,
    };

    /// The one for steerings ([`lvsc_ir::steer`]): what the program drops is handed to the `AF_XDP` socket that the map
    /// [`lvsc_abi::object::SOCKETS`] has for the queue, and goes to the kernel where it has none.
    pub const STEERING: Xdp = Xdp {
        reach: jumps::REACH,
        dropped: Dropped::ToSocket,
    };

    /// One whose jumps go no further than `reach` (instructions): what is further is relayed, as in a large program.
    ///
    /// # Panics
    ///
    /// For more than an instruction can say.
    pub const fn with_reach(reach: u16) -> Xdp {
        assert!(reach <= i16::MAX as u16, "no jump goes so far");
        Xdp { reach, ..Xdp::NEW }
    }
}

const NAME: &str = "xdp";
/// The most bytes of one section of global data: an instruction has 29 bits for the offset.
const SECTION_MAX: u64 = 1 << 29;
/// The most instructions that the verifier looks at (linux/bpf.h, `BPF_COMPLEXITY_LIMIT_INSNS`): it looks at most of them
/// more than once, so that it may refuse a program of fewer.
const INSTRUCTIONS_MAX: u64 = 1_000_000;

impl Target for Xdp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn extension(&self) -> &'static str {
        "o"
    }

    fn is_handed(&self) -> bool {
        false
    }

    fn emit(
        &self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
        _: Option<&[u8]>,
    ) -> Result<Artifact, EmitError> {
        let sizes = Placement::of(layout).sizes;
        for size in sizes {
            EmitError::check(NAME, "a section of global data (bytes)", size, SECTION_MAX)?;
        }
        let code = self.compile(program, layout, manifest)?;
        let mut figures = vec![("instructions", code.insns.len() as u64)];
        figures.extend(paths::figures(&code, layout));
        figures.extend([
            ("stack bytes", code.stack),
            ("data bytes", sizes[0]),
            ("state bytes", sizes[1]),
        ]);
        let initial = publish::initial(manifest, layout);
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

    /// The program's instructions, with the lines of the policy that they come from.
    fn text(
        &self,
        which: Text,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
        sources: &Sources,
    ) -> Result<Option<String>, EmitError> {
        match which {
            Text::Assembly => {
                let code = self.compile(program, layout, manifest)?;
                Ok(Some(disasm::print(&code, layout, manifest, sources)))
            }
            Text::Clif | Text::Header => Ok(None),
        }
    }
}

impl Xdp {
    fn compile(
        self,
        program: &Verified,
        layout: &Layout,
        manifest: &Manifest,
    ) -> Result<Code, EmitError> {
        let machine = select::select(
            program.program(),
            layout,
            manifest.interfaces.len(),
            self.dropped,
        );
        let flat = Flat::of(machine);
        let output = regalloc::allocate(&flat).expect("a program in SSA gets its registers");
        let stack = output.num_spillslots as u64 * 8;
        let limit = |what, found, limit| {
            let checked = EmitError::check(NAME, what, found, limit);
            checked.map_err(|error| error.with_costs(flat.costs()))
        };
        limit("the stack (bytes)", stack, regalloc::STACK)?;
        let code = match assemble::assemble(&flat, &output, self.reach) {
            Ok(code) => code,
            Err(error) => {
                let far = EmitError::Limit {
                    target: NAME,
                    what: "a jump over one block (instructions)",
                    found: error.distance as u64,
                    limit: u64::from(self.reach),
                    costs: Vec::new(),
                };
                return Err(far.with_costs(flat.costs()));
            }
        };
        limit(
            "the program (instructions)",
            code.insns.len() as u64,
            INSTRUCTIONS_MAX,
        )?;
        Ok(code)
    }
}
