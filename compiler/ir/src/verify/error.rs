//! Why a program means nothing: one variant a cause, each with its place.

use std::fmt;

use lvsc_abi::layout::SectionId;

use crate::program::{BlockId, FrameAccess, Value};

/// Where in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The block.
    pub block: BlockId,
    /// Index of the instruction; `None` is the block's end.
    pub inst: Option<usize>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inst {
            Some(inst) => write!(f, "b{}, instruction {inst}", self.block.0),
            None => write!(f, "b{}, end", self.block.0),
        }
    }
}

/// Why a program means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no block.
    #[error("the program has no block")]
    Empty,
    /// The entry has parameters.
    #[error("the entry has parameters")]
    EntryParams,
    /// A jump to a block that is not there.
    #[error("b{}, end: there is no b{}", block.0, to.0)]
    UnknownBlock {
        /// The block that jumps.
        block: BlockId,
        /// The block named.
        to: BlockId,
    },
    /// A jump back.
    #[error("b{}, end: b{} was there already: a cycle", block.0, to.0)]
    Cycle {
        /// The block that jumps.
        block: BlockId,
        /// A block on the way to it.
        to: BlockId,
    },
    /// A jump hands over more or fewer values than the block has parameters.
    #[error("b{}, end: b{} takes {expected} values, {found} are handed over", block.0, to.0)]
    Arguments {
        /// The block that jumps.
        block: BlockId,
        /// The block jumped to.
        to: BlockId,
        /// Number of its parameters.
        expected: usize,
        /// Number of values handed over.
        found: usize,
    },
    /// A value whose number is not below the program's `values`.
    #[error("{at}: there is no v{}", value.0)]
    UnknownValue {
        /// Where it is made or used.
        at: At,
        /// The value.
        value: Value,
    },
    /// A value that two instructions or parameters make.
    #[error("{at}: v{} is made twice", value.0)]
    MadeTwice {
        /// Where it is made the second time; `inst` is `None` for a parameter.
        at: At,
        /// The value.
        value: Value,
    },
    /// A result where the instruction makes none, or the other way round.
    #[error("{at}: the instruction and its result do not belong together")]
    Result {
        /// The instruction.
        at: At,
    },
    /// A value that some way from the entry does not make before its use.
    #[error("{at}: v{} is not made on every way", value.0)]
    Undominated {
        /// Where it is used.
        at: At,
        /// The value.
        value: Value,
    },
    /// A section that the layout does not have.
    #[error("{at}: the layout has no section {}", section.0)]
    UnknownSection {
        /// The instruction.
        at: At,
        /// The section.
        section: SectionId,
    },
    /// A load of configuration from a section that packets change.
    #[error("{at}: section {} changes while packets flow: load it as shared", section.0)]
    NoConfig {
        /// The instruction.
        at: At,
        /// The section.
        section: SectionId,
    },
    /// A section access that does not lie inside its element.
    #[error("{at}: {bytes} bytes at {offset} leave the element of {stride} bytes")]
    OutsideElement {
        /// The instruction.
        at: At,
        /// Offset in the element (bytes).
        offset: u16,
        /// Number of bytes.
        bytes: u8,
        /// Size of the element (bytes).
        stride: u32,
    },
    /// A section access whose offset is not a multiple of its size.
    #[error("{at}: {bytes} bytes at {offset} are not aligned")]
    Unaligned {
        /// The instruction.
        at: At,
        /// Offset in the element (bytes).
        offset: u16,
        /// Number of bytes.
        bytes: u8,
    },
    /// A number of bytes that the instruction does not take.
    #[error("{at}: {bytes} bytes")]
    Bytes {
        /// The instruction.
        at: At,
        /// Number of bytes.
        bytes: u8,
    },
    /// A search in a section that is no connection table of at least one bucket.
    #[error("{at}: section {} has no buckets", section.0)]
    NoBuckets {
        /// The instruction.
        at: At,
        /// The section.
        section: SectionId,
    },
    /// A `count` in a section of something else.
    #[error("{at}: section {} has no counters", section.0)]
    NoCounters {
        /// The instruction.
        at: At,
        /// The section.
        section: SectionId,
    },
    /// A counter that is read, or written by something else than a `count`: each worker has its own, and in a batch packets are counted
    /// in any order.
    #[error("{at}: section {} has counters, which are only counted", section.0)]
    Counters {
        /// The instruction.
        at: At,
        /// The section.
        section: SectionId,
    },
    /// An `exchange` of something else than a whole element of eight bytes.
    #[error("{at}: section {} has no elements of eight bytes", section.0)]
    NoWord {
        /// The instruction.
        at: At,
        /// The section.
        section: SectionId,
    },
    /// A divisor that is not a constant other than 0.
    #[error("{at}: the divisor v{} is not a constant other than 0", value.0)]
    Divisor {
        /// The instruction.
        at: At,
        /// The divisor.
        value: Value,
    },
    /// `send` without an interface, or another verdict with one.
    #[error("b{}, end: `send` names an interface, and nothing else does", block.0)]
    Interface {
        /// The block that returns.
        block: BlockId,
    },
    /// A frame access that no `bounds` covers on some way.
    #[error("{at}: no `bounds` covers {} bytes at {}", access.bytes, access.offset)]
    Unbounded {
        /// The instruction.
        at: At,
        /// The access.
        access: FrameAccess,
    },
}
