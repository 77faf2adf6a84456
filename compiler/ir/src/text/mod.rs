//! Programs as text, so that targets and passes are tested without the front end. Files end in `.lvsi`.
//!
//! ```text
//! section ring.web slot 128
//!
//! b0:
//!   bounds +34 b1() else b2()
//! b1:
//!   v0 = frame.be4 +30 ; 3:5
//!   v1 = load.config4 ring.web[v0]+0
//!   return send v1
//! b2:
//!   return pass
//! ```
//!
//! First the sections of the layout: name, element, length. Then the blocks in the order of their numbers.
//! Instructions are written as the documentation of [`Op`](crate::program::Op) and
//! [`Terminator`](crate::program::Terminator) shows. What follows a `;` is a comment; one of the form `; 3:5` (line,
//! column) or `; 1:3:5` (file, line, column) is the instruction's place.

mod cursor;
mod parse;
mod print;

pub use cursor::{ParseError, Wrong};
pub use parse::{Source, parse};
pub use print::{print, print_with_places};

#[cfg(test)]
mod tests;
