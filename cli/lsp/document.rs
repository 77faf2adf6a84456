//! An open document: its text, what is known of it, and places in it.

use std::cell::OnceCell;

use lsp_types::{Location, Position, Range, TextDocumentContentChangeEvent, Uri};
use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::ide::Index;
use lvsc_front::source::{FileId, Span};

use super::position::{Encoding, Lines};
use super::prelude::Prelude;
use super::uri;
use crate::config::Text;
use crate::library::Disk;
use crate::policy;

/// An open document.
pub struct Document {
    /// As the client calls it.
    pub uri: Uri,
    /// As the client counts.
    pub version: i32,
    /// What is known of its names, and of the prelude's.
    pub index: Index,
    /// Which of the index's texts it is: the policy, or a file of the prelude.
    pub file: FileId,
    lines: Lines,
    encoding: Encoding,
    findings: OnceCell<Vec<Diagnostic>>,
}

impl Document {
    /// A document with this text.
    pub fn new(uri: Uri, version: i32, text: String, encoding: Encoding) -> Document {
        let prelude = Prelude::name(&uri);
        let name = name(&uri);
        // The prelude is no policy: it would declare everything a second time.
        let index = Index::new(&name, if prelude.is_some() { "" } else { &text }, &Disk);
        let sources = index.sources();
        let known = prelude.and_then(|name| {
            let mut files = sources.files();
            files.find(|file| sources.path(*file) == name && sources.text(*file) == text)
        });
        Document {
            uri,
            version,
            file: known.unwrap_or(index.policy()),
            index,
            lines: Lines::new(text),
            encoding,
            findings: OnceCell::new(),
        }
    }

    /// The same document after these changes, which build on one another.
    pub fn changed(&self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) -> Document {
        let mut lines = self.lines.clone();
        for change in changes {
            let Some(range) = change.range else {
                lines = Lines::new(change.text);
                continue;
            };
            let start = lines.offset(range.start, self.encoding);
            let end = lines.offset(range.end, self.encoding).max(start);
            let mut text = lines.text().to_owned();
            text.replace_range(start..end, &change.text);
            lines = Lines::new(text);
        }
        let text = lines.text().to_owned();
        Document::new(self.uri.clone(), version, text, self.encoding)
    }

    /// All that is wrong with it, as `lvsc check` says it; nothing of a file of the prelude.
    pub fn findings(&self) -> &[Diagnostic] {
        self.findings.get_or_init(|| {
            if Prelude::name(&self.uri).is_some() {
                return Vec::new();
            }
            let text = Text {
                path: name(&self.uri),
                source: self.lines.text().to_owned(),
            };
            match policy::check(text) {
                Ok(checked) => checked.warnings,
                Err(broken) => broken.diagnostics,
            }
        })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        self.lines.text()
    }

    /// The range of these bytes.
    pub fn bytes(&self, bytes: std::ops::Range<usize>) -> Range {
        self.lines.range(bytes, self.encoding)
    }

    /// The byte at a position.
    pub fn offset(&self, position: Position) -> usize {
        self.lines.offset(position, self.encoding)
    }

    /// The range of a place in this document.
    pub fn range(&self, span: Span) -> Range {
        self.lines.range(span.range(), self.encoding)
    }

    /// Where a place is: here, in another file, or in one of the prelude, which is then written where the client can open it.
    pub fn location(&self, span: Span, prelude: &Prelude) -> Option<Location> {
        if span.file == self.file {
            return Some(Location::new(self.uri.clone(), self.range(span)));
        }
        let sources = self.index.sources();
        let text = sources.text(span.file);
        let path = sources.path(span.file);
        let uri = if sources.is_prelude(span.file) {
            prelude.written(path, text)?
        } else {
            uri::of_file(&std::path::absolute(path).ok()?)?
        };
        let lines = Lines::new(text.to_owned());
        Some(Location::new(uri, lines.range(span.range(), self.encoding)))
    }
}

/// What people call a document.
fn name(uri: &Uri) -> String {
    let path = uri::path(uri);
    path.map_or_else(
        || uri.as_str().to_owned(),
        |path| path.display().to_string(),
    )
}
