//! The program: how a machine does what a pipeline means. Names no header and no policy.
//!
//! # What a program means
//!
//! A [`Program`](program::Program) decides one packet. It is a graph of blocks without a cycle; execution begins in
//! the first block and ends at a `Return`. A block's parameters get the values that the jump hands over.
//!
//! **Values** are 64 bits, unsigned. An instruction that makes a value is evaluated exactly when its block reaches
//! it. Arithmetic wraps at 64 bits; a narrower wrap is an explicit `and`. Comparisons give 0 or 1.
//!
//! **The frame** is the packet's bytes. `frame.length` is its length on arrival. A frame access names a base (a value,
//! or the frame's begin), a constant offset and a number of bytes from 1 to 8. It is allowed only where a `bounds` on
//! the same base dominates it and covers offset and bytes: [`verify`] proves that for every access.
//!
//! **Sections** are the arrays of the state image. An index is taken modulo the section's length, which is a power of
//! two: no access can leave its section, and no separate proof is needed. A `config` load may be merged with an equal
//! one in the same program; a `shared` access is never merged, split, repeated or moved.
//!
//! **Byte order**: values are host order. `be` and `le` on a frame access say how the bytes are read; sections are
//! little endian.
//!
//! **Effects** happen in order: accesses of class `shared`, `count`, `exchange`; and, among themselves, loads and stores of the
//! frame, which nobody else sees.

#![allow(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they gave"
)]

pub mod arena;
pub mod assoc;
pub mod cost;
pub mod dominators;
pub mod eval;
pub mod graph;
pub mod passes;
pub mod program;
pub mod proven;
pub mod range;
pub mod sample;
pub mod stage;
pub mod steer;
pub mod target;
pub mod text;
pub mod verify;
mod walk;
