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
    lines: Lines,
    encoding: Encoding,
    known: OnceCell<Known>,
    findings: OnceCell<Vec<Diagnostic>>,
}

/// What is known of a document's names, and of the prelude's.
struct Known {
    index: Index,
    /// Which of the index's texts it is: the policy, or a file of the prelude.
    file: FileId,
}

impl Document {
    /// A document with this text. Whatever is to be known of it is found out when somebody asks: of several changes in a row
    /// only the last one is asked about.
    pub fn new(uri: Uri, version: i32, text: String, encoding: Encoding) -> Document {
        Document {
            uri,
            version,
            lines: Lines::new(text),
            encoding,
            known: OnceCell::new(),
            findings: OnceCell::new(),
        }
    }

    /// What is known of its names, and of the prelude's.
    pub fn index(&self) -> &Index {
        &self.known().index
    }

    /// Which of the index's texts it is.
    pub fn file(&self) -> FileId {
        self.known().file
    }

    fn known(&self) -> &Known {
        self.known.get_or_init(|| {
            let prelude = Prelude::name(&self.uri);
            let (name, text) = (name(&self.uri), self.text());
            // The prelude is no policy: it would declare everything a second time.
            let index = Index::new(&name, if prelude.is_some() { "" } else { text }, &Disk);
            let sources = index.sources();
            let own = prelude.and_then(|name| {
                let mut files = sources.files();
                files.find(|file| sources.path(*file) == name && sources.text(*file) == text)
            });
            let file = own.unwrap_or(index.policy());
            Known { index, file }
        })
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
        self.locations(&[span], prelude).pop()
    }

    /// The same of several places; those of one file stand together.
    pub fn locations(&self, spans: &[Span], prelude: &Prelude) -> Vec<Location> {
        let mut found = Vec::with_capacity(spans.len());
        for of_file in spans.chunk_by(|one, next| one.file == next.file) {
            let Some(file) = of_file.first().map(|span| span.file) else {
                continue;
            };
            let ranges = of_file.iter().map(|span| span.range());
            if file == self.file() {
                let here = ranges.map(|range| Location::new(self.uri.clone(), self.bytes(range)));
                found.extend(here);
            } else if let Some(uri) = self.elsewhere(file, prelude) {
                let lines = Lines::new(self.index().sources().text(file).to_owned());
                found
                    .extend(ranges.map(|range| {
                        Location::new(uri.clone(), lines.range(range, self.encoding))
                    }));
            }
        }
        found
    }

    /// Where a client finds another file.
    fn elsewhere(&self, file: FileId, prelude: &Prelude) -> Option<Uri> {
        let sources = self.index().sources();
        let path = sources.path(file);
        if sources.is_prelude(file) {
            return prelude.written(path, sources.text(file));
        }
        uri::of_file(&std::path::absolute(path).ok()?)
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
