//! What is left of a line while it is read, and what is wrong with it. Knows no instruction.

use crate::program::BlockId;

/// Why a text is no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {wrong}")]
pub struct ParseError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong there.
    pub wrong: Wrong,
}

/// What is wrong at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Something else stands here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A number that is too large for its place.
    #[error("{0} is too large")]
    TooLarge(&'static str),
    /// A section that the header does not list.
    #[error("there is no section `{0}`")]
    UnknownSection(String),
    /// Blocks are written in the order of their numbers.
    #[error("expected block b{0}")]
    BlockOrder(u32),
    /// A block without an end, before this place.
    #[error("block b{0} has no end")]
    Unended(u32),
    /// An instruction outside a block.
    #[error("an instruction before the first block")]
    NoBlock,
}

/// What is left of a line.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    line: u32,
    column: u32,
    pub(super) rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// The whole line.
    pub(super) fn new(line: u32, rest: &'a str) -> Cursor<'a> {
        Cursor {
            line,
            column: 1,
            rest,
        }
    }

    pub(super) fn wrong(&self, wrong: Wrong) -> ParseError {
        ParseError {
            line: self.line,
            column: self.column,
            wrong,
        }
    }

    pub(super) fn expected(&self, what: &'static str) -> ParseError {
        self.wrong(Wrong::Expected(what))
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.column += taken.chars().count() as u32;
        self.rest = rest;
        taken
    }

    pub(super) fn space(&mut self) {
        self.advance(self.rest.len() - self.rest.trim_start().len());
    }

    /// Takes `text` if it stands here, behind white space.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        let trimmed = self.rest.trim_start();
        let found = trimmed.starts_with(text);
        if found {
            self.advance(self.rest.len() - trimmed.len() + text.len());
        }
        found
    }

    /// Takes `word` if it stands here as a whole word.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        let behind = self.rest.trim_start().strip_prefix(word);
        let whole = behind.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        whole && self.takes(word)
    }

    pub(super) fn expect(&mut self, text: &str, what: &'static str) -> Result<(), ParseError> {
        if self.takes(text) {
            return Ok(());
        }
        self.space();
        Err(self.expected(what))
    }

    pub(super) fn until(
        &mut self,
        end: impl Fn(char) -> bool,
        what: &'static str,
    ) -> Result<&'a str, ParseError> {
        let length = self.rest.find(end).unwrap_or(self.rest.len());
        if length == 0 {
            Err(self.expected(what))
        } else {
            Ok(self.advance(length))
        }
    }

    pub(super) fn block(&mut self) -> Result<BlockId, ParseError> {
        self.expect("b", "a block")?;
        Ok(BlockId(
            self.digits("the block's number", u64::from(u32::MAX))? as u32,
        ))
    }

    /// A number behind white space, decimal or `0x...`.
    pub(super) fn number(&mut self, what: &'static str, max: u64) -> Result<u64, ParseError> {
        self.space();
        self.digits(what, max)
    }

    pub(super) fn digits(&mut self, what: &'static str, max: u64) -> Result<u64, ParseError> {
        let before = self.clone();
        let radix = if self.takes("0x") { 16 } else { 10 };
        let end = self
            .rest
            .find(|c: char| !c.is_digit(radix))
            .unwrap_or(self.rest.len());
        let text = self.advance(end);
        if text.is_empty() {
            return Err(before.expected(what));
        }
        let number = u64::from_str_radix(text, radix)
            .ok()
            .filter(|number| *number <= max);
        number.ok_or(before.wrong(Wrong::TooLarge(what)))
    }
}
