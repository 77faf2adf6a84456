//! The ABI of a native object: a relocatable ELF file with one function, for one kind of processor.
//!
//! ```c
//! void lvsc_batch(void *image, void *frames, struct lvsc_descriptor *descriptors, size_t count, uint32_t worker);
//! ```
//!
//! The function decides `count` [`Descriptor`](crate::verdict::Descriptor)s in order, each as
//! [`module`](crate::module) tells; a frame begins `offset` bytes behind `frames`. It touches the image, the frames, the
//! descriptors and its stack, nothing else: it calls nothing, keeps nothing, and needs no relocation. `image` is
//! aligned to [`ALIGN`](crate::layout::ALIGN). Two calls at a time need two images.
//!
//! The object checks nothing that its caller promises: a descriptor whose frame does not lie where `frames` are is
//! undefined, as it is for every function in C.

use serde::{Deserialize, Serialize};

use crate::hash;
use crate::layout::ABI_VERSION;
pub use crate::object::{LAYOUT, MANIFEST};

/// Name of the packet function.
pub const BATCH: &str = "lvsc_batch";
/// Name of the first image, an array of bytes: the runs that are not zero, each `{offset u64, size u64, bytes}`, sizes a
/// multiple of eight; behind the last one a run of size 0.
pub const INITIAL: &str = "lvsc_initial";
/// Name of the ELF section with the [`Seal`], JSON.
pub const SEAL: &str = "lvsc.seal";
/// Name of the ELF section with the code.
pub const CODE: &str = ".text";

/// A kind of processor for which objects are made, by its number in ELF's header (`e_machine`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Machine {
    /// AMD64 and Intel 64 (`EM_X86_64`).
    X86_64 = 62,
    /// Arm, 64 bits, little endian (`EM_AARCH64`).
    Aarch64 = 183,
}

impl Machine {
    /// That of this process; `None` where no objects are made for it.
    pub const HERE: Option<Machine> = if cfg!(target_arch = "x86_64") {
        Some(Machine::X86_64)
    } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
        Some(Machine::Aarch64)
    } else {
        None
    };

    /// As Rust, Linux and Cranelift name it.
    pub const fn name(self) -> &'static str {
        match self {
            Machine::X86_64 => "x86_64",
            Machine::Aarch64 => "aarch64",
        }
    }

    /// The one with this number.
    pub const fn from_number(number: u16) -> Option<Machine> {
        match number {
            62 => Some(Machine::X86_64),
            183 => Some(Machine::Aarch64),
            _ => None,
        }
    }
}

/// What tells whether an object is whole. It is no signature: whoever runs an object trusts the one who gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// [`ABI_VERSION`].
    pub version: u32,
    /// [`hash::digest`] of code, layout and manifest, each as its section has it, one behind the other.
    pub digest: u64,
}

impl Seal {
    /// The seal of these sections.
    pub fn of(code: &[u8], layout: &[u8], manifest: &[u8]) -> Seal {
        Seal {
            version: ABI_VERSION,
            digest: hash::digest(&[code, layout, manifest].concat()),
        }
    }

    /// The encoding, JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys and whole numbers only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_known_by_its_number() {
        for machine in [Machine::X86_64, Machine::Aarch64] {
            assert_eq!(Machine::from_number(machine as u16), Some(machine));
        }
        assert_eq!(Machine::from_number(247), None, "eBPF");
        let here = Machine::HERE.map(Machine::name);
        assert!(here.is_none_or(|name| name == std::env::consts::ARCH));
    }

    #[test]
    fn a_bit_that_differs_breaks_the_seal() {
        let code: Vec<u8> = (0..200).collect();
        for bit in 0..code.len() * 8 {
            let mut other = code.clone();
            if let Some(byte) = other.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            assert_ne!(
                Seal::of(&other, b"a", b"b"),
                Seal::of(&code, b"a", b"b"),
                "bit {bit}"
            );
        }
    }
}
