//! What becomes of a packet, and the descriptor by which a batch of packets is handed over.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What becomes of a packet. The numbers are part of the ABI of generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Verdict {
    /// The packet ends here; a reason is counted.
    Drop = 0,
    /// The packet leaves by the descriptor's interface.
    Send = 1,
    /// The packet goes on to the kernel, untouched.
    Pass = 2,
}

/// The verdict byte of a packet that generated code has not finished.
pub const PENDING: u8 = 0xff;

impl Verdict {
    /// The verdict whose ABI number is `byte`; `None` for [`PENDING`] and unknown numbers.
    pub fn from_byte(byte: u8) -> Option<Verdict> {
        match byte {
            0 => Some(Verdict::Drop),
            1 => Some(Verdict::Send),
            2 => Some(Verdict::Pass),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Drop => "drop",
            Verdict::Send => "send",
            Verdict::Pass => "pass",
        })
    }
}

/// One packet of a batch, eight bytes, little endian:
/// `{offset u32, length u16, verdict u8, interface u8}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Offset of the frame's first byte in the engine's memory (bytes).
    pub offset: u32,
    /// Length of the frame (bytes). Longer frames never reach an engine: the IO counts and drops them.
    pub length: u16,
    /// A [`Verdict`] or [`PENDING`].
    pub verdict: u8,
    /// Index of the interface: on arrival the ingress, with verdict `Send` the egress.
    pub interface: u8,
}

impl Descriptor {
    /// Size of a descriptor (bytes).
    pub const SIZE: u32 = 8;

    /// The descriptor as its eight bytes, read as a little-endian number.
    pub fn to_bits(self) -> u64 {
        u64::from(self.offset)
            | u64::from(self.length) << 32
            | u64::from(self.verdict) << 48
            | u64::from(self.interface) << 56
    }

    /// The descriptor of such a number.
    pub fn from_bits(bits: u64) -> Descriptor {
        Descriptor {
            offset: bits as u32,
            length: (bits >> 32) as u16,
            verdict: (bits >> 48) as u8,
            interface: (bits >> 56) as u8,
        }
    }
}
