//! Tokens to lines and blocks.
//!
//! The text is one that the parser takes. So braces and parentheses have their partners, and nesting has a bound.

use super::roles::{Role, Roles};
use super::tree::{Body, Entry, Kind, Line, Node, NodeKind};
use crate::syntax::token::{Sym, Token, TokenKind};

/// All lines of a text.
pub fn read<'a>(text: &'a str, tokens: &'a [Token], roles: &'a Roles) -> Body<'a> {
    let mut lines = Vec::with_capacity(tokens.len() + 1);
    let mut line = 0;
    for token in tokens {
        lines.push(line);
        line += u32::from(token.kind == TokenKind::Newline);
    }
    lines.push(line);
    let mut reader = Reader {
        text,
        tokens,
        roles,
        lines,
        at: 0,
    };
    reader.body(Kind::Lines, None)
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    roles: &'a Roles<'a>,
    /// The line of each token in the text, and of its end.
    lines: Vec<u32>,
    /// The next token.
    at: usize,
}

impl<'a> Reader<'a> {
    fn kind(&self, index: usize) -> Option<&'a TokenKind> {
        self.tokens.get(index).map(|token| &token.kind)
    }

    fn sym(&self, index: usize) -> Option<Sym> {
        self.tokens.get(index)?.sym()
    }

    fn snippet(&self, index: usize) -> &'a str {
        let range = self.tokens.get(index).map(|token| token.span.range());
        let text = range.and_then(|range| self.text.get(range));
        text.unwrap_or("").trim_end_matches([' ', '\t', '\r'])
    }

    fn line_of(&self, index: usize) -> u32 {
        self.lines.get(index).copied().unwrap_or(0)
    }

    /// What stands behind an opening brace, up to the closing one; or the file.
    fn body(&mut self, kind: Kind, open: Option<usize>) -> Body<'a> {
        let mut body = Body {
            kind,
            opening: None,
            entries: Vec::new(),
            flat: None,
        };
        // The last token before the next one, line ends aside.
        let mut last = open;
        loop {
            let start = self.at;
            let below = last.map(|last| self.line_of(start) - self.line_of(last));
            let blank = below > Some(1) && !body.entries.is_empty();
            match self.kind(start) {
                None | Some(TokenKind::Sym(Sym::RightBrace)) => break,
                Some(TokenKind::Newline | TokenKind::Semicolon) => self.at += 1,
                Some(TokenKind::Comment) => {
                    let text = self.snippet(start);
                    match body.entries.last_mut() {
                        Some(Entry::Line(line)) if below == Some(0) => line.trailing = Some(text),
                        None if below == Some(0) => body.opening = Some(text),
                        _ => body.entries.push(Entry::Comment { text, blank }),
                    }
                    (last, self.at) = (Some(start), start + 1);
                }
                Some(
                    TokenKind::Name | TokenKind::Lit(_) | TokenKind::Sym(_) | TokenKind::Unknown,
                ) => {
                    let (line, end) = self.line(kind);
                    let joins = below == Some(0) && joins(kind, body.entries.last(), &line);
                    let line = Line {
                        blank,
                        joins,
                        ..line
                    };
                    body.entries.push(Entry::Line(line));
                    last = Some(end);
                }
            }
        }
        // A body without anything in it is one line wherever its braces stand.
        let one_line = open.is_some_and(|open| self.line_of(open) == self.line_of(self.at));
        let fits = one_line || body.entries.is_empty();
        body.flat = body.on_one_line().filter(|_| fits);
        body
    }

    /// One line, and its last token.
    fn line(&mut self, kind: Kind) -> (Line<'a>, usize) {
        let mut nodes = Vec::new();
        let mut parens = 0_u32;
        // The last word, and the last word or comment.
        let (mut word, mut last) = (None, self.at);
        while let Some(token) = self.kind(self.at) {
            let here = self.at;
            let goes_on = parens > 0 || word.is_none_or(|word| self.goes_on(word));
            match token {
                TokenKind::Newline | TokenKind::Semicolon if goes_on => {
                    self.at += 1;
                    continue;
                }
                TokenKind::Comment if goes_on => {
                    let own = self.line_of(here) != self.line_of(last);
                    let text = self.snippet(here);
                    let comment = NodeKind::Comment { text, own };
                    nodes.push(Node::new(comment, true, None));
                    (last, self.at) = (here, here + 1);
                    continue;
                }
                TokenKind::Newline
                | TokenKind::Semicolon
                | TokenKind::Comment
                | TokenKind::Sym(Sym::RightBrace) => break,
                TokenKind::Sym(Sym::LeftParen | Sym::LeftBracket) => parens += 1,
                TokenKind::Sym(Sym::RightParen | Sym::RightBracket) => {
                    parens = parens.saturating_sub(1);
                }
                TokenKind::Name | TokenKind::Lit(_) | TokenKind::Sym(_) | TokenKind::Unknown => {}
            }
            let gap = word.is_some_and(|word| self.gap(word, here));
            let column = self.roles.column(here);
            nodes.push(Node::new(self.node(), gap, column));
            last = self.at;
            word = Some(last);
            self.at += 1;
            if kind != Kind::Lines && parens == 0 && self.sym(last) == Some(Sym::Comma) {
                break;
            }
        }
        (Line::new(nodes), last)
    }

    /// The word or the body that begins here; afterwards its last token is the next one.
    fn node(&mut self) -> NodeKind<'a> {
        let here = self.at;
        let role = self.roles.role(here);
        if self.sym(here) != Some(Sym::LeftBrace) {
            return NodeKind::Word {
                text: self.snippet(here),
                joint: role == Role::Joint,
            };
        }
        let kind = match role {
            Role::List => Kind::List,
            Role::Entries => Kind::Entries,
            Role::Plain | Role::Operator | Role::Joint | Role::Sign | Role::Call | Role::Field => {
                Kind::Lines
            }
        };
        self.at += 1;
        NodeKind::Body(self.body(kind, Some(here)))
    }

    /// Whether a line goes on behind this token, wherever the next one stands.
    fn goes_on(&self, index: usize) -> bool {
        match self.roles.role(index) {
            Role::Operator | Role::Joint | Role::Sign => true,
            Role::Plain | Role::Call | Role::Field | Role::List | Role::Entries => {
                self.sym(index).is_some_and(Sym::continues_line)
            }
        }
    }

    /// Whether a space stands between two tokens of a line.
    fn gap(&self, before: usize, next: usize) -> bool {
        let tight_behind = matches!(
            self.sym(before),
            Some(Sym::LeftParen | Sym::LeftBracket | Sym::Dot)
        );
        let tight_before = matches!(
            self.sym(next),
            Some(
                Sym::RightParen
                    | Sym::LeftBracket
                    | Sym::RightBracket
                    | Sym::Comma
                    | Sym::Colon
                    | Sym::Dot
            )
        );
        let (behind, role) = (self.roles.role(before), self.roles.role(next));
        let tight_role =
            matches!(behind, Role::Sign | Role::Field) || matches!(role, Role::Call | Role::Field);
        !(tight_behind || tight_before || tight_role)
    }
}

/// Whether a line that its author wrote behind another one may stay there.
fn joins(kind: Kind, before: Option<&Entry>, line: &Line) -> bool {
    let Some(Entry::Line(before)) = before else {
        return false;
    };
    match kind {
        Kind::Lines => before.is_field() && line.is_field(),
        Kind::Entries | Kind::List => before.ends_with_comma(),
    }
}
