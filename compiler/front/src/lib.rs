//! The policy language: from text to the pipeline.
//!
//! `syntax` reads text and never fails, `check` finds what it means and all that is wrong with it, `build` makes the
//! pipeline graph. The prelude is written in the language itself and checked together with each policy.

pub mod build;
mod check;
pub mod diagnostics;
pub mod mend;
pub mod policy;
mod prelude;
pub mod source;
pub mod syntax;

pub use check::check;

use lvsc_abi::notation::Layer;
use lvsc_pipeline::pipeline::Pipeline;

use crate::diagnostics::Diagnostic;
use crate::policy::Policy;
use crate::source::SourceMap;
use crate::syntax::{ast, parse};

/// What came of a policy's text.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// The checked policy; `None` exactly if a diagnostic is an error.
    pub policy: Option<Policy>,
    /// What it means; `None` exactly if a diagnostic is an error.
    pub pipeline: Option<Pipeline>,
    /// Errors and warnings, in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The prelude's texts and the policy's.
    pub sources: SourceMap,
}

/// Compiles a policy. `path` is what the diagnostics call it.
pub fn compile(path: &str, text: &str) -> Compilation {
    let mut sources = SourceMap::new();
    let mut diagnostics = Vec::new();
    let files = parse_all(path, text, &mut sources, &mut diagnostics);
    let (policy, found) = check(&files, &sources);
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
    }
}

/// Reads a packet in notation, as in a `test` block; the policy's constants may be used.
pub fn packet(
    path: &str,
    text: &str,
    sentence: &str,
) -> Result<Vec<Layer>, (Vec<Diagnostic>, SourceMap)> {
    let mut sources = SourceMap::new();
    let mut diagnostics = Vec::new();
    let files = parse_all(path, text, &mut sources, &mut diagnostics);
    diagnostics.clear(); // those of the policy are reported where it is compiled
    let id = sources.add("<packet>", sentence);
    let (layers, found) = parse::parse_packet(id, sentence);
    diagnostics.extend(found);
    let (layers, found) = check::packet(&files, &layers, &sources);
    diagnostics.extend(found);
    if diagnostics.is_empty() {
        Ok(layers)
    } else {
        Err((diagnostics, sources))
    }
}

fn parse_all(
    path: &str,
    text: &str,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ast::File> {
    let texts = prelude::FILES.into_iter().chain([(path, text)]);
    texts
        .map(|(path, text)| {
            let id = sources.add(path, text);
            let (file, found) = parse::parse(id, text);
            diagnostics.extend(found);
            file
        })
        .collect()
}
