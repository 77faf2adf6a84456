//! What a policy consists of, for a list beside the text.

use super::{Index, Kind, declare};
use crate::source::{FileId, Span};
use crate::syntax::ast::{HeaderLine, Item, Pool, PoolLine};

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// What it is; `None` for a statement, a `test` or a `target`.
    pub kind: Option<Kind>,
    /// What is shown when it is chosen.
    pub span: Span,
    /// All of it.
    pub whole: Span,
    /// What is inside.
    pub inside: Vec<Entry>,
}

impl Index {
    /// The outline of a file.
    pub fn outline(&self, file: FileId) -> Vec<Entry> {
        let items = self.files.iter().find(|found| found.id == file);
        let items = items.into_iter().flat_map(|file| &file.items);
        items.filter_map(|item| self.entry(item)).collect()
    }

    fn entry(&self, item: &Item) -> Option<Entry> {
        let Some((name, kind)) = declare::declared(item) else {
            let taken_in = matches!(item, Item::Use(_));
            return (!taken_in).then(|| self.unnamed(item));
        };
        let inside = match item {
            Item::Pool(pool) => self.backends(pool),
            Item::Header(header) => header.lines.iter().filter_map(field).collect(),
            Item::Use(_)
            | Item::Const(_)
            | Item::Interface(_)
            | Item::Set(_)
            | Item::Table(_)
            | Item::Meter(_)
            | Item::Counter(_)
            | Item::Group(_)
            | Item::Fn(_)
            | Item::Action(_)
            | Item::Target(_)
            | Item::Test(_)
            | Item::Stmt(_) => Vec::new(),
        };
        Some(Entry {
            name: name.text.clone(),
            kind: Some(kind),
            span: name.span,
            whole: item.span(),
            inside,
        })
    }

    /// What has no name is called by its first line.
    fn unnamed(&self, item: &Item) -> Entry {
        let whole = item.span();
        let text = self.sources.snippet(whole);
        let head = text.lines().next().unwrap_or("");
        let head = head.split_once(" {").map_or(head, |(head, _)| head);
        Entry {
            name: head.trim_end().to_owned(),
            kind: None,
            span: Span {
                end: whole.start + head.trim_end().len() as u32,
                ..whole
            },
            whole,
            inside: Vec::new(),
        }
    }

    fn backends(&self, pool: &Pool) -> Vec<Entry> {
        let backends = pool.lines.iter().filter_map(|line| match line {
            PoolLine::Backend(backend) => Some(backend),
            PoolLine::Scheduler(_) | PoolLine::Prop(_) => None,
        });
        let entries = backends.map(|backend| {
            let span = backend
                .name
                .as_ref()
                .map_or(backend.address.span, |name| name.span);
            Entry {
                name: self.sources.snippet(span).to_owned(),
                kind: Some(Kind::Backend),
                span,
                whole: backend.span,
                inside: Vec::new(),
            }
        });
        entries.collect()
    }
}

fn field(line: &HeaderLine) -> Option<Entry> {
    let (name, kind, whole) = match line {
        HeaderLine::Field(field) => (&field.name, Kind::Field, field.span),
        HeaderLine::Let(field) => (&field.name, Kind::Computed, field.span),
        HeaderLine::Size(_) | HeaderLine::Valid(_) | HeaderLine::Checksum(_) => return None,
    };
    Some(Entry {
        name: name.text.clone(),
        kind: Some(kind),
        span: name.span,
        whole,
        inside: Vec::new(),
    })
}
