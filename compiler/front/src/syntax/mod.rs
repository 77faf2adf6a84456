//! The shape of a policy: text to tokens to a tree, with every place kept.
//!
//! Knows the grammar (docs/language.md, "Grammar") and no meaning: no type, no name is looked up
//! here. Parsing never fails; what cannot be read becomes a diagnostic, and the rest is read on.

pub mod ast;
pub mod lexer;
pub mod literal;
pub mod parse;
pub mod token;

pub use self::parse::{parse, parse_packet};

/// Diagnostics kept for one text and phase; nobody reads more, and garbage has one per word.
const MAX_DIAGNOSTICS: usize = 1000;
