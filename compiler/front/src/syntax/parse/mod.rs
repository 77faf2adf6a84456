//! Tokens to a tree, with nom over the token list.
//!
//! Each production is a function of the same name. After the first word of a line there is no way
//! back (`cut`), so a fault is said where it is; `lines::recover` reads on at the next line.

mod braces;
mod expr;
mod fault;
mod header;
mod item;
mod lines;
mod path;
mod pattern;
mod pool;
mod select;
mod stmt;
mod stream;
mod table;
mod terminal;
mod testing;
#[cfg(test)]
mod tests;
mod types;
mod words;

pub use self::words::{
    BACKEND_FLAGS, BACKEND_VALUES, HEADER_LINES, ITEMS, POOL_LINES, STATEMENTS, TEST_LINES,
    keywords,
};

use nom::Input;

use self::stream::{Context, Tokens, significant};
use super::ast::{File, Layer};
use super::lexer::lex;
use super::token::Sym;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::FileId;

/// The tree of a policy, and what is wrong with the text, in its order. What could not be read is
/// not in the tree. Takes time in proportion to the text.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    read(file, text, |start| {
        let cx = start.cx;
        let mut i = terminal::newlines(start);
        let mut items = Vec::new();
        while !i.rest.is_empty() {
            if i.sym_at(0) == Some(Sym::RightBrace) {
                i.cx.push(|| unmatched(i));
                i = terminal::newlines(i.take_from(1));
                continue;
            }
            let (after, item) = lines::recover(i, item::item);
            items.extend(item);
            i = terminal::newlines(after);
        }
        File {
            id: file,
            items,
            unread: cx.unread.take(),
        }
    })
}

/// One packet as a sentence, `eth / ip 198.51.100.7 -> 192.0.2.10 / tcp 40000 -> 80 S`: its layers
/// from the outermost inwards, none where it cannot be read.
pub fn parse_packet(file: FileId, text: &str) -> (Vec<Layer>, Vec<Diagnostic>) {
    read(file, text, |start| {
        let (after, layers) = lines::recover(terminal::newlines(start), testing::layers);
        if !after.rest.is_empty() && after.cx.diagnostics.borrow().is_empty() {
            let message = "a packet is one line";
            let error = || Diagnostic::error(Code::UnexpectedToken, message, after.span());
            after.cx.push(error);
        }
        layers.unwrap_or_default()
    })
}

/// Lexes, reads, and sorts what both have to say.
fn read<O>(
    file: FileId,
    text: &str,
    parser: impl for<'a> FnOnce(Tokens<'a>) -> O,
) -> (O, Vec<Diagnostic>) {
    let (tokens, diagnostics) = lex(file, text);
    let cx = Context::new(file, text, diagnostics);
    let lexemes = significant(&tokens, text);
    let read = parser(Tokens {
        rest: &lexemes,
        cx: &cx,
    });
    let mut diagnostics = cx.diagnostics.into_inner();
    diagnostics.sort_by_key(|diagnostic| diagnostic.span().map(|span| span.start));
    (read, diagnostics)
}

fn unmatched(i: Tokens<'_>) -> Diagnostic {
    Diagnostic::error(Code::UnmatchedBrace, "this `}` closes nothing", i.span())
}
