//! Everything that reads what others wrote, on inputs that nobody wrote: random bytes, words without an order, and the
//! files of the repository changed at random. Each answers, in time, without a panic, and what it takes holds what it says.
//!
//! A usual run has a fixed seed and a fixed number of inputs. `LVSC_FUZZ_SECONDS=60` makes each target go on for so long
//! from a fresh seed, `LVSC_FUZZ_SEED` from a known one; `tests/fuzz/long` does it optimized. What was found once lies in
//! `fuzz/found/TARGET/` and is judged first.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "fuzz/captures.rs"]
mod captures;
#[path = "fuzz/chance.rs"]
mod chance;
#[path = "fuzz/change.rs"]
mod change;
#[path = "fuzz/checker.rs"]
mod checker;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/emission.rs"]
mod emission;
#[path = "fuzz/encodings.rs"]
mod encodings;
#[path = "fuzz/formatter.rs"]
mod formatter;
#[path = "fmt/grammar.rs"]
mod grammar;
#[path = "fuzz/hunt.rs"]
mod hunt;
#[path = "fuzz/ir.rs"]
mod ir;
#[path = "fuzz/lexer.rs"]
mod lexer;
#[path = "../cli/library.rs"]
mod library;
#[path = "fuzz/modules.rs"]
mod modules;
#[path = "fuzz/notation.rs"]
mod notation;
#[cfg(target_os = "linux")]
#[path = "fuzz/objects.rs"]
mod objects;
#[path = "fuzz/parser.rs"]
mod parser;
#[path = "agree/policies.rs"]
mod policies;
#[path = "fmt/same.rs"]
mod same;
mod support;

#[test]
fn captures_are_read_or_refused() {
    captures::target().hunt();
}

#[test]
fn checker_says_what_is_wrong_and_the_rest_is_built() {
    checker::target().hunt();
}

#[test]
fn emission_of_any_program_is_valid() {
    emission::target().hunt();
}

#[test]
fn encodings_are_read_or_refused_and_what_fits_is_published() {
    encodings::target().hunt();
}

#[test]
fn formatter_changes_nothing_but_the_shape() {
    formatter::target().hunt();
}

#[test]
fn ir_is_read_verified_and_emitted_or_refused() {
    ir::target().hunt();
}

#[test]
fn lexer_cuts_any_text() {
    lexer::target().hunt();
}

#[test]
fn modules_are_read_or_refused() {
    modules::target().hunt();
}

#[test]
fn notation_says_a_frame_again() {
    notation::target().hunt();
}

#[cfg(target_os = "linux")]
#[test]
fn objects_are_read_or_refused() {
    objects::target().hunt();
}

#[test]
fn parser_reads_any_text() {
    parser::target().hunt();
}
