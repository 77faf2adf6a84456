//! Where in a policy something comes from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a source file. Line 0 means that the place is not known.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Place {
    /// Index into the manifest's `files`.
    pub file: u16,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The texts that places are in, in the order of the manifest's `files`. Whoever makes code may show lines of them; they
/// are part of no artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Shared: whoever changes a pipeline copies it first.
    texts: Vec<Arc<Text>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    text: String,
    /// Byte offset of each line's first character.
    lines: Vec<usize>,
}

impl Sources {
    /// Adds the text of the next file.
    pub fn add(&mut self, text: &str) {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        self.texts.push(Arc::new(Text {
            text: text.to_owned(),
            lines: std::iter::once(0).chain(behind).collect(),
        }));
    }

    /// The line of a place without the blanks around it; empty where there is none.
    pub fn line(&self, place: Place) -> &str {
        let line = || {
            let Text { text, lines } = self.texts.get(usize::from(place.file))?.as_ref();
            let index = place.line.checked_sub(1)? as usize;
            let begin = *lines.get(index)?;
            let end = lines.get(index + 1).copied().unwrap_or(text.len());
            text.get(begin..end)
        };
        line().unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_place() {
        let mut sources = Sources::default();
        sources.add("");
        sources.add("pool web {\r\n  scheduler rr # \u{fc}\n}");
        let line = |file, line| {
            let place = Place {
                file,
                line,
                column: 7,
            };
            sources.line(place)
        };
        assert_eq!(line(1, 1), "pool web {");
        assert_eq!(line(1, 2), "scheduler rr # \u{fc}");
        assert_eq!(line(1, 3), "}");
        for (file, number) in [(0, 1), (1, 0), (1, 4), (2, 1), (1, u32::MAX)] {
            assert_eq!(line(file, number), "", "{file} {number}");
        }
    }
}
