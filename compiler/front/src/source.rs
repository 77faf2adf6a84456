//! Source texts and places in them.
//!
//! Knows files by number and places by byte offset. Reads nothing itself: whoever has the text
//! hands it in, so that a policy may come from a disk, an editor or a test.

use std::ops::Range;
use std::path::is_separator;

/// The number of a source text in its [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A place in a source text: bytes `start..end` of `file`, on UTF-8 boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text this place is in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte; equal to `start` for a place between two bytes.
    pub end: u32,
}

impl Span {
    /// Bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        Span {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The smallest place that holds both. `other` must lie in the same file.
    #[must_use]
    pub fn join(self, other: Span) -> Span {
        debug_assert_eq!(self.file, other.file, "a span lies in one file");
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The empty place just before this one.
    #[must_use]
    pub fn before(self) -> Span {
        Span {
            end: self.start,
            ..self
        }
    }

    /// The empty place just after this one.
    #[must_use]
    pub fn after(self) -> Span {
        Span {
            start: self.end,
            ..self
        }
    }

    /// As a range of byte offsets, for slicing the text.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A place for a person: both numbers count from 1, the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line.
    pub line: usize,
    /// Character in the line.
    pub column: usize,
}

/// All texts of one compilation, in the order they were added.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<File>,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Prelude,
    Policy,
    Data,
}

#[derive(Clone, Debug)]
struct File {
    path: String,
    text: String,
    origin: Origin,
    /// Byte offset of each line's first character.
    lines: Vec<usize>,
    /// Byte offsets at which no character begins, so that a column takes no walk along its line.
    inside: Vec<usize>,
}

impl SourceMap {
    /// No texts.
    pub fn new() -> SourceMap {
        SourceMap::default()
    }

    /// Adds a text; `path` is how people know it, it is not opened.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        self.add_file(path.into(), text.into(), Origin::Policy)
    }

    /// The same of a text that is no policy, but the members of a set.
    pub fn add_data(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        self.add_file(path.into(), text.into(), Origin::Data)
    }

    /// The same of a text of the prelude.
    pub(crate) fn add_prelude(&mut self, path: &str, text: &str) -> FileId {
        self.add_file(path.to_owned(), text.to_owned(), Origin::Prelude)
    }

    fn add_file(&mut self, path: String, text: String, origin: Origin) -> FileId {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let lines = lines.collect();
        let inside = (0..text.len()).filter(|at| !text.is_char_boundary(*at));
        let inside = inside.collect();
        self.files.push(File {
            path,
            text,
            origin,
            lines,
            inside,
        });
        FileId(self.files.len() as u32 - 1)
    }

    /// The text of a file; empty for a number this map did not give.
    pub fn text(&self, file: FileId) -> &str {
        self.files
            .get(file.0 as usize)
            .map_or("", |file| &file.text)
    }

    /// Whether a file is of the prelude, and so no file that a user has.
    pub fn is_prelude(&self, file: FileId) -> bool {
        let found = self.files.get(file.0 as usize);
        found.is_some_and(|file| file.origin == Origin::Prelude)
    }

    /// The text of a policy; empty for the members of a set.
    pub fn code(&self, file: FileId) -> &str {
        let found = self.files.get(file.0 as usize);
        let found = found.filter(|file| file.origin != Origin::Data);
        found.map_or("", |file| &file.text)
    }

    /// What an artifact calls a file: without its folders, for equal texts give equal artifacts wherever they lie. The
    /// prelude lies nowhere and is called by its path.
    pub fn name(&self, file: FileId) -> &str {
        let path = self.path(file);
        if self.is_prelude(file) {
            return path;
        }
        path.rsplit(is_separator).next().unwrap_or(path)
    }

    /// The path of a file as it was added; empty for a number this map did not give.
    pub fn path(&self, file: FileId) -> &str {
        self.files
            .get(file.0 as usize)
            .map_or("", |file| &file.path)
    }

    /// The text at a place; empty where the place is not in its text.
    pub fn snippet(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or("")
    }

    /// Line and column of a place's first byte; 1, 1 for a file this map does not have.
    pub fn line_col(&self, span: Span) -> LineColumn {
        let Some(file) = self.files.get(span.file.0 as usize) else {
            return LineColumn { line: 1, column: 1 };
        };
        let start = span.start as usize;
        let line = file.lines.partition_point(|first| *first <= start);
        let first = file.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let inside = |end| file.inside.partition_point(|at| *at < end);
        let wide = inside(start) - inside(first);
        LineColumn {
            line,
            column: start.saturating_sub(first + wide) + 1,
        }
    }

    /// All files in order.
    pub fn files(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len() as u32).map(FileId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let mut map = SourceMap::new();
        map.add("empty.lvs", "");
        let file = map.add("a.lvs", "ab\nä b\n");
        let at = |start| {
            let place = map.line_col(Span::new(file, start, start));
            (place.line, place.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (1, 3));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(6), (2, 3), "`ä` is two bytes and one column");
        assert_eq!(at(8), (3, 1), "the end of the text");
        assert_eq!(map.snippet(Span::new(file, 3, 5)), "ä");
        assert_eq!(map.path(file), "a.lvs");
    }

    #[test]
    fn a_name_has_no_folder_but_the_preludes() {
        let mut map = SourceMap::new();
        for (path, name) in [
            ("/home/someone/dr.lvs", "dr.lvs"),
            ("dr.lvs", "dr.lvs"),
            ("prelude/dr.lvs", "dr.lvs"),
        ] {
            let file = map.add(path, "");
            assert_eq!(map.name(file), name);
            assert_eq!(map.path(file), path);
        }
        let file = map.add_prelude("prelude/dr.lvs", "");
        assert_eq!(map.name(file), "prelude/dr.lvs");
    }

    #[test]
    fn a_file_of_another_map_is_empty() {
        let map = SourceMap::new();
        assert_eq!(map.text(FileId(7)), "");
        assert_eq!(
            map.line_col(Span::new(FileId(7), 3, 4)),
            LineColumn { line: 1, column: 1 }
        );
    }

    #[test]
    fn a_join_holds_both_places() {
        let span = |start, end| Span::new(FileId(0), start, end);
        assert_eq!(span(4, 6).join(span(1, 2)), span(1, 6));
        assert_eq!(span(1, 9).join(span(3, 4)), span(1, 9));
        assert_eq!(span(4, 6).after().join(span(4, 6).before()), span(4, 6));
    }
}
