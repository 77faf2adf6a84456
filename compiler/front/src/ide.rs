//! What an editor asks of a policy: which name means what, where else it stands, what may stand here.
//!
//! Works from the syntax trees of the policy and the prelude, so it has answers for a policy with errors, too: what could
//! not be read is not known, the rest is. Knows no protocol; places are bytes.

pub mod builtin;
mod complete;
mod context;
mod declare;
mod hover;
mod member;
mod outline;
mod paint;
mod rename;
mod resolve;
mod symbol;
#[cfg(test)]
mod tests;

pub use self::complete::{Candidate, Sort};
pub use self::hover::Hover;
pub use self::outline::Entry;
pub use self::paint::Paint;
pub use self::rename::Refusal;
pub use self::symbol::{Kind, Symbol, SymbolId};

use self::builtin::Builtin;
use crate::gather::gather;
use crate::library::Library;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast;

/// What is known of a policy's names.
#[derive(Clone, Debug)]
pub struct Index {
    sources: SourceMap,
    /// The prelude's, the policy, and what that takes in.
    files: Vec<ast::File>,
    policy: FileId,
    symbols: Vec<Symbol>,
    /// In the order of their places.
    uses: Vec<Use>,
}

/// A name in the text and what it means.
#[derive(Clone, Debug)]
struct Use {
    span: Span,
    meaning: Meaning,
}

/// What a name means.
#[derive(Clone, Debug)]
enum Meaning {
    /// What was declared: several for a field of a group, which each of its headers has.
    Symbols(Vec<SymbolId>),
    /// What the language itself has.
    Builtin(&'static Builtin),
    /// A word of the language where a name could stand.
    Word(Paint),
    /// Nothing that is known.
    Nothing,
}

impl Index {
    /// The names of a policy, of the prelude, and of the files that `library` gives. `path` is what people call it.
    pub fn new(path: &str, text: &str, library: &dyn Library) -> Index {
        let mut sources = SourceMap::new();
        let texts = gather((path, text), library, &mut sources, &mut Vec::new());
        let policy = texts.policy().unwrap_or(FileId(0));
        let files = texts.into_files();
        let mut index = Index {
            sources,
            files: Vec::new(),
            policy,
            symbols: Vec::new(),
            uses: Vec::new(),
        };
        resolve::all(&files, &mut index);
        index.files = files;
        index.uses.sort_by_key(|found| found.span);
        index
    }

    /// The texts: the prelude's, the policy's, and those that it takes in.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// The policy's own file.
    pub fn policy(&self) -> FileId {
        self.policy
    }

    /// A symbol; ids are this index's own.
    pub fn symbol(&self, id: SymbolId) -> Option<&Symbol> {
        self.symbols.get(id.0)
    }

    /// Where what is named at a place is declared.
    pub fn definitions(&self, file: FileId, offset: usize) -> Vec<Span> {
        self.named(file, offset).map(|symbol| symbol.span).collect()
    }

    /// All places that name what is named at a place, in order; its declarations among them only if asked for.
    pub fn references(&self, file: FileId, offset: usize, declarations: bool) -> Vec<Span> {
        let ids = self.ids_at(file, offset);
        let places = self.places_of(ids);
        let declared = |span: &Span| self.symbols.iter().any(|symbol| symbol.span == *span);
        let kept = places.into_iter();
        kept.filter(|span| declarations || !declared(span))
            .collect()
    }

    /// All uses of these symbols.
    fn places_of(&self, ids: &[SymbolId]) -> Vec<Span> {
        let uses = self.uses.iter();
        let uses = uses.filter(|found| found.ids().iter().any(|id| ids.contains(id)));
        uses.map(|found| found.span).collect()
    }

    /// The name at a place; behind its last letter counts, too.
    fn at(&self, file: FileId, offset: usize) -> Option<&Use> {
        let around = |found: &&Use| {
            let span = found.span;
            span.file == file && (span.start as usize..=span.end as usize).contains(&offset)
        };
        self.uses.iter().find(around)
    }

    fn ids_at(&self, file: FileId, offset: usize) -> &[SymbolId] {
        self.at(file, offset).map_or(&[], Use::ids)
    }

    fn named(&self, file: FileId, offset: usize) -> impl Iterator<Item = &Symbol> {
        let ids = self.ids_at(file, offset);
        ids.iter().filter_map(|id| self.symbol(*id))
    }

    /// The first line of a declaration, without what opens its block.
    fn first_line(&self, whole: Span) -> &str {
        let line = self.sources.snippet(whole).lines().next().unwrap_or("");
        let line = line.split(" #").next().unwrap_or(line).trim_end();
        line.split_once(" {")
            .map_or(line, |(head, _)| head)
            .trim_end()
    }

    /// The comment of a declaration: the lines of comment right before it, else the one behind it on its line.
    fn comment(&self, span: Span) -> String {
        let text = self.sources.text(span.file);
        let start = span.start as usize;
        let before = text.get(..start).unwrap_or("");
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        let above = text.get(..line).unwrap_or("").lines().rev();
        let mut above: Vec<&str> = above
            .map_while(|line| line.trim().strip_prefix('#'))
            .collect();
        above.reverse();
        if above.is_empty() {
            let rest = text.get(start..).unwrap_or("").lines().next();
            let behind = rest.and_then(|rest| rest.split_once(" #"));
            return behind.map_or("", |(_, comment)| comment.trim()).to_owned();
        }
        let plain = above
            .iter()
            .map(|line| line.strip_prefix(' ').unwrap_or(line));
        plain.collect::<Vec<_>>().join("\n").trim().to_owned()
    }
}

impl Use {
    fn ids(&self) -> &[SymbolId] {
        match &self.meaning {
            Meaning::Symbols(ids) => ids,
            Meaning::Builtin(_) | Meaning::Word(_) | Meaning::Nothing => &[],
        }
    }
}
