//! Where in the grammar a place of a text is, found from the tokens before it: the text there may be half written.

use crate::source::FileId;
use crate::syntax::lexer::lex;
use crate::syntax::parse::ITEMS;
use crate::syntax::token::{Sym, Token, TokenKind};

/// What a block consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Top,
    Pool,
    /// The lines of this header.
    Header(String),
    /// Of a `match`, an `else`, an action, an arm.
    Statements,
    /// The arms of a `switch`.
    Arms,
    Test,
    /// What an `expect` says of the frame.
    Conditions,
    Interface,
    /// The options of this target.
    Target(String),
    Meter,
    Set,
    Table,
    /// The entries of a table.
    Entries,
    Function,
    /// The fields of this header, for `push`.
    Push(String),
    /// A set as a value.
    Literal,
}

/// A token before the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) sym: Option<Sym>,
    pub(super) is_name: bool,
}

impl Word {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The innermost block.
    pub(super) block: Block,
    /// What stands before the place in its line; the word that is being written is left out.
    pub(super) line: Vec<Word>,
}

struct Frame {
    here: Context,
    /// Parentheses and brackets open in it.
    open: u32,
}

impl Frame {
    fn new(block: Block) -> Frame {
        let line = Vec::new();
        Frame {
            here: Context { block, line },
            open: 0,
        }
    }

    fn continues(&self) -> bool {
        let sym = self.here.last_sym();
        let literal = self.here.block == Block::Literal;
        self.open > 0 || literal || sym.is_some_and(Sym::continues_line)
    }
}

impl Context {
    /// The place; `None` inside of a comment or a string, where nothing can be said.
    pub(super) fn at(file: FileId, text: &str, offset: usize) -> Option<Context> {
        let (tokens, _) = lex(file, text);
        let mut frames = vec![Frame::new(Block::Top)];
        for token in &tokens {
            let range = token.span.range();
            if range.start >= offset {
                break;
            }
            if range.end >= offset && is_open(token, text, offset)? {
                break;
            }
            if is_declaration_at_margin(token, text) {
                frames = vec![Frame::new(Block::Top)];
            }
            step(&mut frames, token, text.get(range).unwrap_or(""));
        }
        frames.pop().map(|frame| frame.here)
    }

    /// The word right before the place.
    pub(super) fn last(&self) -> Option<&Word> {
        self.line.last()
    }

    /// The sign right before the place.
    pub(super) fn last_sym(&self) -> Option<Sym> {
        self.last().and_then(|word| word.sym)
    }

    /// The name or literal right before the place; empty where there is a sign or nothing.
    pub(super) fn last_text(&self) -> &str {
        let last = self.last().filter(|word| word.sym.is_none());
        last.map_or("", |word| word.text.as_str())
    }

    /// The first word of the line; in an arm of a `switch`, of the statement behind its arrow.
    pub(super) fn first(&self) -> &str {
        self.statement()
            .first()
            .map_or("", |word| word.text.as_str())
    }

    /// The line, or the statement behind an arm's arrow.
    pub(super) fn statement(&self) -> &[Word] {
        let arrow = self
            .line
            .iter()
            .position(|word| word.sym == Some(Sym::Arrow));
        let arrow = arrow.filter(|_| self.block == Block::Arms);
        let start = arrow.map_or(0, |at| at + 1);
        self.line.get(start..).unwrap_or(&[])
    }

    /// The names before a `.` that stands right before the place: `ip` of `ip.`, `rs`, `interface` of `rs.interface.`.
    pub(super) fn path(&self) -> Option<Vec<&str>> {
        let mut words = self.line.iter().rev();
        let mut names = Vec::new();
        while words.next()?.sym == Some(Sym::Dot) {
            let mut name = words.next()?;
            if name.sym == Some(Sym::RightBracket) {
                let mut open = words
                    .by_ref()
                    .skip_while(|word| word.sym != Some(Sym::LeftBracket));
                open.next()?;
                name = words.next()?;
            }
            if !name.is_name {
                return None;
            }
            names.push(name.text.as_str());
            let more = words.clone().next().and_then(|word| word.sym);
            if more != Some(Sym::Dot) {
                names.reverse();
                return Some(names);
            }
        }
        None
    }
}

/// Whether this token is what is being written, and so not before the place; `None` in a comment or a string.
fn is_open(token: &Token, text: &str, offset: usize) -> Option<bool> {
    let range = token.span.range();
    let word = text.get(range.clone()).unwrap_or("");
    match token.kind {
        TokenKind::Comment => None,
        TokenKind::Lit(_) if word.starts_with('"') && (range.end > offset || !closed(word)) => None,
        TokenKind::Name | TokenKind::Lit(_) => Some(true),
        TokenKind::Sym(_) | TokenKind::Newline | TokenKind::Semicolon | TokenKind::Unknown => {
            Some(range.end > offset)
        }
    }
}

fn closed(string: &str) -> bool {
    string.len() > 1 && string.ends_with('"')
}

/// A declaration that begins a line without indentation: whatever is open before it is not closed yet.
fn is_declaration_at_margin(token: &Token, text: &str) -> bool {
    let range = token.span.range();
    let before = text.get(..range.start).unwrap_or("");
    let at_margin = before.is_empty() || before.ends_with('\n');
    at_margin && token.kind == TokenKind::Name && ITEMS.contains(&text.get(range).unwrap_or(""))
}

fn step(frames: &mut Vec<Frame>, token: &Token, text: &str) {
    let depth = frames.len();
    let Some(frame) = frames.last_mut() else {
        return;
    };
    let word = |sym| Word {
        text: text.to_owned(),
        sym,
        is_name: token.kind == TokenKind::Name,
    };
    match token.kind {
        TokenKind::Comment | TokenKind::Unknown => {}
        TokenKind::Newline if frame.continues() => {}
        TokenKind::Newline | TokenKind::Semicolon => {
            frame.here.line.clear();
            frame.open = 0;
        }
        TokenKind::Sym(Sym::LeftBrace) => {
            let block = opened(frame);
            frames.push(Frame::new(block));
        }
        TokenKind::Sym(sym @ Sym::RightBrace) => {
            if depth > 1 {
                frames.pop();
            }
            if let Some(outside) = frames.last_mut() {
                outside.here.line.push(word(Some(sym)));
            }
        }
        TokenKind::Sym(sym) => {
            if matches!(sym, Sym::LeftParen | Sym::LeftBracket) {
                frame.open += 1;
            } else if matches!(sym, Sym::RightParen | Sym::RightBracket) {
                frame.open = frame.open.saturating_sub(1);
            }
            frame.here.line.push(word(Some(sym)));
        }
        TokenKind::Name | TokenKind::Lit(_) => frame.here.line.push(word(None)),
    }
}

/// The block that a brace opens behind these words.
fn opened(frame: &Frame) -> Block {
    let here = &frame.here;
    let behind_sign = here.last_sym().is_some_and(|sym| {
        sym != Sym::Arrow && sym.continues_line()
            || matches!(sym, Sym::LeftParen | Sym::LeftBracket)
    });
    if frame.open > 0 || behind_sign || matches!(here.last_text(), "in" | "and" | "or" | "not") {
        return Block::Literal;
    }
    let second = || {
        here.statement()
            .get(1)
            .map_or(String::new(), |word| word.text.clone())
    };
    let is_else = here.last().is_some_and(|word| word.is("else"));
    match (&here.block, here.first()) {
        (Block::Top, "pool") => Block::Pool,
        (Block::Top, "header") => Block::Header(second()),
        (Block::Top, "test") => Block::Test,
        (Block::Top, "interface") => Block::Interface,
        (Block::Top, "target") => Block::Target(second()),
        (Block::Top, "meter") => Block::Meter,
        (Block::Top, "set") => Block::Set,
        (Block::Top, "table") => Block::Table,
        (Block::Top, "fn") => Block::Function,
        (Block::Table, "entries") => Block::Entries,
        (Block::Test, "expect") => Block::Conditions,
        (Block::Top | Block::Statements | Block::Arms, "switch") => Block::Arms,
        (Block::Top | Block::Statements | Block::Arms, "push") => Block::Push(second()),
        (Block::Top | Block::Statements | Block::Arms, _) => Block::Statements,
        _ if is_else => Block::Statements,
        _ => Block::Literal,
    }
}
