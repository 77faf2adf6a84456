//! Positions: the protocol counts lines and characters, the compiler bytes.

use lsp_types::{Position, Range};

/// What a character is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A byte.
    Utf8,
    /// A unit of UTF-16: what clients count that say nothing.
    Utf16,
}

/// A text and where its lines begin.
#[derive(Clone, Debug)]
pub struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    /// The lines of a text; `\n`, `\r\n` and a lone `\r` end one, as the protocol has it.
    pub fn new(text: String) -> Lines {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| {
            **byte == b'\n' || **byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1));
        Lines {
            starts: starts.collect(),
            text,
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte at a position. Behind its end a line has no characters, behind the last one there are no lines.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else {
            return self.text.len();
        };
        let end = self
            .starts
            .get(line + 1)
            .copied()
            .unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or("");
        let text = text.trim_end_matches(['\n', '\r']);
        let wanted = position.character as usize;
        let mut characters = 0;
        for (at, letter) in text.char_indices() {
            let wide = encoding.width(letter);
            if characters + wide > wanted {
                return start + at;
            }
            characters += wide;
        }
        start + text.len()
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset).max(1) - 1;
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        let characters: usize = before.chars().map(|letter| encoding.width(letter)).sum();
        Position::new(line as u32, characters as u32)
    }

    /// The range of some bytes.
    pub fn range(&self, bytes: std::ops::Range<usize>, encoding: Encoding) -> Range {
        Range::new(
            self.position(bytes.start, encoding),
            self.position(bytes.end, encoding),
        )
    }
}

impl Encoding {
    fn width(self, letter: char) -> usize {
        match self {
            Encoding::Utf8 => letter.len_utf8(),
            Encoding::Utf16 => letter.len_utf16(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `a💧é` line by line: in bytes, characters, units.
    const TEXT: &str = "a\u{1f4a7}\u{e9}b\r\nx\ry\n";

    #[test]
    fn every_byte_that_begins_a_character_has_a_position_that_leads_back() {
        let lines = Lines::new(TEXT.to_owned());
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for (at, letter) in TEXT
                .char_indices()
                .filter(|(_, letter)| !"\r\n".contains(*letter))
            {
                let position = lines.position(at, encoding);
                assert_eq!(
                    lines.offset(position, encoding),
                    at,
                    "{letter} {encoding:?}"
                );
            }
        }
    }

    #[test]
    fn characters_are_counted_as_the_client_does() {
        let lines = Lines::new(TEXT.to_owned());
        let b = TEXT.find('b').unwrap_or(0);
        assert_eq!(lines.position(b, Encoding::Utf16), Position::new(0, 4));
        assert_eq!(lines.position(b, Encoding::Utf8), Position::new(0, 7));
        let y = TEXT.find('y').unwrap_or(0);
        assert_eq!(lines.position(y, Encoding::Utf16), Position::new(2, 0));
    }

    #[test]
    fn a_position_that_is_none_is_the_next_one_that_is() {
        let lines = Lines::new(TEXT.to_owned());
        let at = |line, character| lines.offset(Position::new(line, character), Encoding::Utf16);
        assert_eq!(at(0, 2), 1, "in the middle of a character: its begin");
        assert_eq!(at(0, 99), 8, "before the line's end");
        assert_eq!(at(9, 0), TEXT.len());
        assert_eq!(at(3, 5), TEXT.len(), "the empty last line");
        assert_eq!(lines.position(999, Encoding::Utf8), Position::new(3, 0));
    }
}
