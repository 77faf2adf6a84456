//! The policy language: from text to the pipeline.
//!
//! `syntax` reads text and never fails, `check` finds what it means and all that is wrong with it, `build` makes the
//! pipeline graph; `format` gives a text its one shape. The prelude is written in the language itself and checked together
//! with each policy.

pub mod build;
mod check;
pub mod diagnostics;
mod format;
mod gather;
pub mod ide;
pub mod library;
pub mod mend;
pub mod policy;
mod prelude;
pub mod source;
pub mod syntax;

pub use format::format;

use std::collections::BTreeSet;

use lvsc_abi::notation::Layer;
use lvsc_pipeline::pipeline::Pipeline;

use crate::check::check;
use crate::diagnostics::Diagnostic;
use crate::gather::gather;
use crate::library::{Empty, Library};
use crate::policy::Policy;
use crate::source::{FileId, SourceMap};
use crate::syntax::parse;

/// What came of a policy's text.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// The checked policy; `None` exactly if a diagnostic is an error.
    pub policy: Option<Policy>,
    /// What it means; `None` exactly if a diagnostic is an error.
    pub pipeline: Option<Pipeline>,
    /// Errors and warnings, in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The prelude's texts, the policy's, and those that it takes in.
    pub sources: SourceMap,
    /// The policy's own text.
    pub file: FileId,
    /// The paths of all that the library was asked for, whether it had it or not.
    pub asked: BTreeSet<String>,
}

/// Compiles a policy that takes in no other files. `path` is what the diagnostics call it.
pub fn compile(path: &str, text: &str) -> Compilation {
    compile_with(path, text, &Empty)
}

/// Compiles a policy. `path` is what the diagnostics call it, and from where `library` is asked for the files that it takes
/// in.
pub fn compile_with(path: &str, text: &str, library: &dyn Library) -> Compilation {
    let mut sources = SourceMap::new();
    let mut diagnostics = Vec::new();
    let texts = gather((path, text), library, &mut sources, &mut diagnostics);
    let (policy, found) = check(&texts, &sources);
    diagnostics.extend(found);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span(), diagnostic.code));
    diagnostics.dedup();
    let fine = !diagnostics.iter().any(Diagnostic::is_error);
    debug_assert!(
        policy.is_some() || !fine,
        "something was left out of the policy, and nobody is told"
    );
    let policy = policy.filter(|_| fine);
    let pipeline = policy.as_ref().map(build::build);
    Compilation {
        policy,
        pipeline,
        diagnostics,
        sources,
        file: texts.policy().unwrap_or(FileId(0)),
        asked: texts.asked,
    }
}

/// Reads a packet in notation, as in a `test` block; the policy's constants may be used.
pub fn packet(
    (path, text): (&str, &str),
    library: &dyn Library,
    sentence: &str,
) -> Result<Vec<Layer>, (Vec<Diagnostic>, SourceMap)> {
    let mut sources = SourceMap::new();
    let mut diagnostics = Vec::new();
    let texts = gather((path, text), library, &mut sources, &mut diagnostics);
    diagnostics.clear(); // those of the policy are reported where it is compiled
    let id = sources.add("<packet>", sentence);
    let (layers, found) = parse::parse_packet(id, sentence);
    diagnostics.extend(found);
    let (layers, found) = check::packet(&texts, &layers, &sources);
    diagnostics.extend(found);
    if diagnostics.is_empty() {
        Ok(layers)
    } else {
        Err((diagnostics, sources))
    }
}
