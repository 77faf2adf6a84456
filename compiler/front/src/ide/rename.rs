//! A new name for something: all its places, or why not.

use std::collections::BTreeSet;
use std::fmt;

use super::builtin::{ROOTS, named};
use super::{Index, Meaning, SymbolId};
use crate::compile_with;
use crate::diagnostics::Diagnostic;
use crate::library::Library;
use crate::source::{FileId, Span};

/// Why something cannot have this name, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

impl Index {
    /// The name at a place, if it can have another one.
    pub fn renamable(&self, file: FileId, offset: usize) -> Result<Span, Refusal> {
        let Some(found) = self.at(file, offset) else {
            return refused("there is no name here");
        };
        let text = self.sources.snippet(found.span);
        match &found.meaning {
            Meaning::Symbols(_) => {}
            Meaning::Builtin(_) | Meaning::Word(_) => {
                return refused(format!("`{text}` is a word of the language"));
            }
            Meaning::Nothing => return refused(format!("nothing is called `{text}`")),
        }
        let ids = self.bound_together(found.ids());
        let mut symbols = ids.iter().filter_map(|id| self.symbol(*id));
        if let Some(symbol) = symbols.find(|symbol| symbol.span.file != self.policy()) {
            let file = symbol.span.file;
            return refused(if self.sources.is_prelude(file) {
                format!("`{text}` belongs to the prelude, which every policy has")
            } else {
                let path = self.sources.path(file);
                format!("`{text}` is declared in {path}, and others may take that in")
            });
        }
        let places = self.places_of(&ids);
        if let Some(place) = places.iter().find(|place| place.file != self.policy()) {
            let path = self.sources.path(place.file);
            return refused(format!("`{text}` is named in {path}, too"));
        }
        Ok(found.span)
    }

    /// All places to be replaced, in order, so that what is named at a place is called `new`. The policy then has no
    /// error that it does not have now, and every name means what it did.
    pub fn rename(&self, file: FileId, offset: usize, new: &str) -> Result<Vec<Span>, Refusal> {
        let span = self.renamable(file, offset)?;
        let old = self.sources.snippet(span);
        if !is_name(new) {
            return refused(format!(
                "`{new}` is no name: a letter or `_`, then letters, digits, `_`"
            ));
        }
        let ids = self.bound_together(self.ids_at(file, offset));
        self.free(&ids, new)?;
        let unread = self.files.iter().any(|file| file.unread.contains(old));
        if unread {
            return refused(format!(
                "a line with an error names `{old}`, too: mend it first"
            ));
        }
        let places = self.places_of(&ids);
        self.prove(&places, new)?;
        Ok(places)
    }

    /// These symbols and all that must be called as they are: a field of a group has one name in all its headers.
    fn bound_together(&self, ids: &[SymbolId]) -> Vec<SymbolId> {
        let mut bound: BTreeSet<SymbolId> = ids.iter().copied().collect();
        loop {
            let before = bound.len();
            for found in &self.uses {
                if found.ids().iter().any(|id| bound.contains(id)) {
                    bound.extend(found.ids());
                }
            }
            if bound.len() == before {
                return bound.into_iter().collect();
            }
        }
    }

    /// Whether nothing beside these is called so.
    fn free(&self, ids: &[SymbolId], new: &str) -> Result<(), Refusal> {
        for symbol in ids.iter().filter_map(|id| self.symbol(*id)) {
            let top = symbol.parent.is_none();
            if top && named(&ROOTS, new).is_some() {
                return refused(format!("`{new}` is a word of the language"));
            }
            let other = self.symbols.iter().find(|other| {
                other.name == new
                    && other.parent == symbol.parent
                    && other.span != symbol.span
                    && other.seen == symbol.seen
                    && (other.kind == symbol.kind || !other.is_reason() && !symbol.is_reason())
            });
            if let Some(other) = other {
                let what = other.kind.describe();
                return refused(format!("`{new}` is already the name of a {what}"));
            }
        }
        Ok(())
    }

    /// Tries it.
    fn prove(&self, places: &[Span], new: &str) -> Result<(), Refusal> {
        let policy = self.policy();
        let (path, text) = (self.sources.path(policy), self.sources.text(policy));
        let (renamed, moved) = replaced(text, places, new);
        let errors = |text| errors(path, text, &self.sources);
        let (before, after) = (errors(text), errors(&renamed));
        if after.len() > before.len() {
            let said = |error: &&Diagnostic| !before.iter().any(|old| old.message == error.message);
            let error = after.iter().find(said).or(after.first());
            let why = error.map_or("it makes an error", |error| error.message.as_str());
            return refused(format!("`{new}` cannot stand here: {why}"));
        }
        let index = Index::new(path, &renamed, &self.sources);
        let first = moved.first().map_or(0, |span| span.start as usize);
        let ids = index.bound_together(index.ids_at(policy, first));
        if index.places_of(&ids) != moved {
            return refused(format!(
                "`{new}` already means something else at one of these places"
            ));
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text with the places replaced, and where they are then.
fn replaced(text: &str, places: &[Span], new: &str) -> (String, Vec<Span>) {
    let (mut renamed, mut moved, mut done) = (String::new(), Vec::new(), 0);
    for place in places {
        renamed.push_str(text.get(done..place.start as usize).unwrap_or(""));
        let start = renamed.len();
        renamed.push_str(new);
        moved.push(Span::new(place.file, start, renamed.len()));
        done = place.end as usize;
    }
    renamed.push_str(text.get(done..).unwrap_or(""));
    (renamed, moved)
}

fn errors(path: &str, text: &str, library: &dyn Library) -> Vec<Diagnostic> {
    let mut found = compile_with(path, text, library).diagnostics;
    found.retain(Diagnostic::is_error);
    found
}
