//! The processor: the kind that this process runs on, and of its features none but those that each one has. So equal
//! policies give equal bytes on every machine of a kind.

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function, SourceLoc};
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable as _, Flags};
use cranelift_codegen::{CodegenError, Context};
use lvsc_abi::native::Machine;
use lvsc_ir::target::EmitError;

use crate::NAME;

/// The kind of processor that code is made for.
pub(crate) const HERE: Machine = match Machine::HERE {
    Some(machine) => machine,
    None => Machine::X86_64,
};

/// The most bytes of code that Cranelift makes of one function (its `VCode` has 31 bits for an offset).
const CODE_MAX: u64 = 1 << 31;

/// Whether the instructions are wanted as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    Yes,
    No,
}

/// Machine code.
pub(crate) struct Code {
    pub(crate) bytes: Vec<u8>,
    /// Offset (bytes) to where the instructions from there on come from, by rising offset.
    pub(crate) origins: Vec<(u32, SourceLoc)>,
    /// The instructions as text, where they were wanted.
    pub(crate) listing: String,
}

/// How code is made. The verifier judges what this crate makes: in tests it does.
const SETTINGS: [(&str, &str); 7] = [
    ("opt_level", "speed"),
    ("is_pic", "true"),
    // What is saved may be larger than the page that guards the stack.
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("unwind_info", "false"),
    ("preserve_frame_pointers", "true"),
    (
        "enable_verifier",
        if cfg!(debug_assertions) {
            "true"
        } else {
            "false"
        },
    ),
];

pub(crate) fn isa() -> OwnedTargetIsa {
    let mut flags = settings::builder();
    for (name, value) in SETTINGS {
        flags.set(name, value).expect("Cranelift has this setting");
    }
    // Linux, for its calling convention.
    let name = match HERE {
        Machine::X86_64 => "x86_64-unknown-linux-gnu",
        Machine::Aarch64 => "aarch64-unknown-linux-gnu",
    };
    let builder = isa::lookup_by_name(name).expect("the backend of this processor is built in");
    let isa = builder.finish(Flags::new(flags));
    isa.expect("the settings fit together")
}

/// Makes machine code of a function.
pub(crate) fn compile(function: Function, listing: Listing) -> Result<Code, EmitError> {
    let mut context = Context::for_function(function);
    context.set_disasm(listing == Listing::Yes);
    let compiled = match context.compile(isa().as_ref(), &mut ControlPlane::default()) {
        Ok(compiled) => compiled,
        Err(error) => return Err(refused(&error.inner)),
    };
    let buffer = &compiled.buffer;
    assert!(buffer.relocs().is_empty(), "the function calls nothing");
    let origins = buffer.get_srclocs_sorted().iter();
    Ok(Code {
        bytes: buffer.data().to_vec(),
        origins: origins.map(|part| (part.start, part.loc)).collect(),
        listing: compiled.vcode.clone().unwrap_or_default(),
    })
}

/// A function of ours is valid, and there is nothing in it that a processor lacks: it can only be too large.
fn refused(error: &CodegenError) -> EmitError {
    match error {
        CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge => EmitError::Limit {
            target: NAME,
            what: "the packet function (bytes)",
            found: CODE_MAX,
            limit: CODE_MAX - 1,
            costs: Vec::new(),
        },
        CodegenError::Verifier(_)
        | CodegenError::Unsupported(_)
        | CodegenError::Regalloc(_)
        | CodegenError::RegisterMappingError(_) => panic!("a verified program has code: {error}"),
    }
}
