//! A policy's one shape.
//!
//! The formatter moves tokens and changes none: it takes them from the same list that the parser reads, with the comments
//! between them, and writes them again, each with its own text. The tree says what a token is where the list cannot (`roles`),
//! `read` makes lines and blocks of the list, `write` lays them out, `columns` aligns, `page` is what comes of it. Knows no
//! meaning: names and values are not looked at. There are no options.
//!
//! The rules:
//!
//! - Two spaces a level. A line has one statement, declaration or property; fields of a header share a line where their author
//!   let them.
//! - A block that its author wrote on one line stays there if the line is no longer than [`WIDTH`]; else each of its lines gets
//!   one, as where there is a comment in it. The blocks of one statement (`match` and its `else`) are all on one line, or none is.
//! - So it is with the list of a set, a `push` or an `expect`: where it does not stay on one line, its members are filled into
//!   lines, and a line that its author ended ends there. The comma behind a last member goes where the list is one line.
//! - What is longer than [`WIDTH`] goes on in the next line behind an `and` or `or`, four spaces further in; then its lists are
//!   broken. What offers neither stays long. Comments have no width.
//! - Lines of a pool, lines of a test, arms of a `switch` and entries of a table are aligned with their neighbours: up to an
//!   empty line, and up to one that takes several. Arrows are not where a line would become too long by it.
//! - Comments stay where they are: behind the word they are behind, or on a line of their own. Those behind neighbouring lines
//!   are aligned. At most one empty line is kept, none at the begin and the end of a block.
//! - Line ends are LF, and a byte order mark goes.

mod columns;
mod page;
mod read;
mod roles;
mod tree;
mod write;

use crate::diagnostics::Diagnostic;
use crate::source::SourceMap;
use crate::syntax::lexer::lex;
use crate::syntax::parse::parse;

/// Characters of a line, comments aside.
const WIDTH: usize = 100;
/// Spaces a level.
const INDENT: usize = 2;

/// The text in its one shape, which has the same tree and the same comments; formatting it again changes nothing. `path` is
/// what the diagnostics call it. Takes time in proportion to the text.
///
/// # Errors
///
/// What is wrong with the text: one that cannot be read has no shape.
pub fn format(path: &str, text: &str) -> Result<String, (Vec<Diagnostic>, SourceMap)> {
    let mut sources = SourceMap::new();
    let id = sources.add(path, text);
    let (file, diagnostics) = parse(id, text);
    if !diagnostics.is_empty() {
        return Err((diagnostics, sources));
    }
    let (tokens, _) = lex(id, text);
    let roles = roles::Roles::of(&file, &tokens);
    let body = read::read(text, &tokens, &roles);
    Ok(write::write(&body))
}
