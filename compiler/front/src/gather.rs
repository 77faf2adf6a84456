//! All texts of a policy: the prelude's, its own, and what they take in.
//!
//! What a `use` names stands where the `use` stands, once: a second `use` of the same text adds nothing. One that leads
//! back to itself is an error that shows the way.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostics::{Code, Diagnostic, nearest};
use crate::library::{Library, beside};
use crate::prelude;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{self, Item, SetEntry, UseWhat};
use crate::syntax::parse;

/// Most files of one policy: each line of code has the number of its file in 16 bits.
const FILES_MAX: usize = 4096;
/// So many files may wait for one another: each takes some of the stack.
const DEPTH_MAX: usize = 64;

/// The texts of a policy, parsed.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// In the order in which they were met.
    files: BTreeMap<FileId, ast::File>,
    /// The prelude's and the policy itself.
    roots: Vec<FileId>,
    /// What a `use` at this place takes in; none where another one did before.
    used: BTreeMap<Span, FileId>,
    /// What the `file` of a set at this place holds.
    pub(crate) data: BTreeMap<Span, FileId>,
    /// The paths of all that the library was asked for.
    pub(crate) asked: BTreeSet<String>,
}

impl Texts {
    /// The policy itself; `None` before there is one.
    pub(crate) fn policy(&self) -> Option<FileId> {
        self.roots.last().copied()
    }

    /// The files that were parsed, in the order in which they were met.
    pub(crate) fn into_files(self) -> Vec<ast::File> {
        self.files.into_values().collect()
    }

    /// Everything that is declared and done, in order. The tests of files that are taken in were written for another policy.
    pub(crate) fn items(&self) -> Vec<&Item> {
        let mut items = Vec::new();
        for root in &self.roots {
            self.add_items(*root, &mut items);
        }
        items
    }

    fn add_items<'a>(&'a self, file: FileId, items: &mut Vec<&'a Item>) {
        let own = self.policy() == Some(file);
        for item in self.files.get(&file).into_iter().flat_map(|f| &f.items) {
            if own || !matches!(item, Item::Test(_)) {
                items.push(item);
            }
            if let Item::Use(taken) = item
                && let Some(file) = self.used.get(&taken.span)
            {
                self.add_items(*file, items);
            }
        }
    }

    /// The names in lines that could not be read.
    pub(crate) fn unread(&self) -> BTreeSet<&str> {
        let files = self.files.values().flat_map(|file| &file.unread);
        files.map(String::as_str).collect()
    }
}

/// Parses a policy and all that it takes in.
pub(crate) fn gather(
    (path, text): (&str, &str),
    library: &dyn Library,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Texts {
    let mut gathering = Gathering {
        library,
        sources,
        diagnostics,
        texts: Texts::default(),
        open: Vec::new(),
        known: BTreeSet::new(),
        data: BTreeMap::new(),
    };
    let own = prelude::FILES.map(|text| (true, text));
    for (own, (path, text)) in own.into_iter().chain([(false, (path, text))]) {
        let key = if own {
            path.to_owned()
        } else {
            library.identity(&beside("", path))
        };
        let file = gathering.take_in((own, key), path, text);
        gathering.texts.roots.push(file);
    }
    gathering.texts
}

struct Gathering<'a> {
    library: &'a dyn Library,
    sources: &'a mut SourceMap,
    diagnostics: &'a mut Vec<Diagnostic>,
    texts: Texts,
    /// Files that are being taken in, each by the one before it, and their paths as people see them.
    open: Vec<(Key, String)>,
    /// Those that were taken in.
    known: BTreeSet<Key>,
    /// The data that was read, by its path.
    data: BTreeMap<String, FileId>,
}

/// What tells files apart: whether it is the language's own, and what its library calls it.
type Key = (bool, String);

impl Gathering<'_> {
    fn take_in(&mut self, key: Key, path: &str, text: &str) -> FileId {
        let id = if key.0 {
            self.sources.add_prelude(path, text)
        } else {
            self.sources.add(path, text)
        };
        let (file, found) = parse::parse(id, text);
        self.diagnostics.extend(found);
        self.known.insert(key.clone());
        self.open.push((key, path.to_owned()));
        for item in &file.items {
            match item {
                Item::Use(taken) => self.take(taken, path),
                Item::Set(set) => self.data(set, path),
                Item::Const(_)
                | Item::Interface(_)
                | Item::Pool(_)
                | Item::Table(_)
                | Item::Meter(_)
                | Item::Counter(_)
                | Item::Header(_)
                | Item::Group(_)
                | Item::Fn(_)
                | Item::Action(_)
                | Item::Target(_)
                | Item::Test(_)
                | Item::Stmt(_) => {}
            }
        }
        self.open.pop();
        self.texts.files.insert(id, file);
        id
    }

    fn take(&mut self, taken: &ast::Use, from: &str) {
        let (key, path, text) = match &taken.what {
            UseWhat::Name(name) => {
                let modules = prelude::FILES.into_iter().chain(prelude::MODULES);
                let found = modules
                    .clone()
                    .find(|(path, _)| prelude::name(path) == name.text);
                let Some((path, text)) = found else {
                    let known: Vec<&str> = modules.map(|(path, _)| prelude::name(path)).collect();
                    return self.report(unknown_module(name, &known));
                };
                ((true, path.to_owned()), path.to_owned(), Some(text))
            }
            UseWhat::File(file) => {
                let path = beside(from, &file.value);
                ((false, self.library.identity(&path)), path, None)
            }
        };
        if let Some(at) = self.open.iter().position(|(open, _)| *open == key) {
            let way = self.open.iter().skip(at).map(|(_, path)| path.as_str());
            let way: Vec<&str> = way.chain([path.as_str()]).collect();
            let message = format!("`{path}` takes itself in");
            let error = Diagnostic::error(Code::UseCycle, message, taken.span);
            return self.report(error.note(way.join(" -> ")));
        }
        if self.known.contains(&key) || !self.has_room(taken.span) {
            return;
        }
        let file = match text {
            Some(text) => self.take_in(key, &path, text),
            None => match self.read(&path, place(taken)) {
                Some(text) => self.take_in(key, &path, &text),
                None => return,
            },
        };
        self.texts.used.insert(taken.span, file);
    }

    fn has_room(&mut self, span: Span) -> bool {
        let message = if self.known.len() + self.data.len() >= FILES_MAX {
            format!("a policy has more than {FILES_MAX} files")
        } else if self.open.len() > DEPTH_MAX {
            format!("more than {DEPTH_MAX} files that each take in the next one")
        } else {
            return true;
        };
        self.report(Diagnostic::error(Code::NestingTooDeep, message, span));
        false
    }

    fn read(&mut self, path: &str, span: Span) -> Option<String> {
        self.texts.asked.insert(path.to_owned());
        match self.library.read(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.report(unreadable(path, &error, span));
                None
            }
        }
    }

    /// The files of a set's members.
    fn data(&mut self, set: &ast::Set, from: &str) {
        for entry in &set.entries {
            let SetEntry::File(file) = entry else {
                continue;
            };
            let path = beside(from, &file.value);
            let known = self.data.get(&path).copied();
            let id = known.or_else(|| {
                if !self.has_room(file.span) {
                    return None;
                }
                let text = self.read(&path, file.span)?;
                let id = self.sources.add_data(path.clone(), text);
                self.data.insert(path, id);
                Some(id)
            });
            if let Some(id) = id {
                self.texts.data.insert(file.span, id);
            }
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

fn place(taken: &ast::Use) -> Span {
    match &taken.what {
        UseWhat::Name(name) => name.span,
        UseWhat::File(file) => file.span,
    }
}

fn unreadable(path: &str, error: &str, span: Span) -> Diagnostic {
    let message = format!("`{path}` cannot be read: {error}");
    Diagnostic::error(Code::UnreadableFile, message, span)
        .note("a path is seen from the file that names it")
}

fn unknown_module(name: &ast::Name, known: &[&str]) -> Diagnostic {
    let message = format!("no module is called `{}`", name.text);
    let error = Diagnostic::error(Code::UnknownModule, message, name.span);
    match nearest(&name.text, known.iter().copied()) {
        Some(near) => error.suggest("a similar name exists", name.span, near),
        None => error.note(format!(
            "known are: {}; a file of yours stands in quotes: `use \"{}.lvs\"`",
            known.join(", "),
            name.text
        )),
    }
}
