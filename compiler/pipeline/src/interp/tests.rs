//! What the interpreter is held to: by hand, for it is the judge of everything else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod conditions;
mod engine;
mod named;
mod presence;
mod rewrite;
mod select;
