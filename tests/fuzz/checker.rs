//! The whole front end, and what follows it: a policy has an error or a pipeline, and what has a pipeline becomes a module and
//! an object, or is too large for them.

use lvsc_front::diagnostics::Diagnostic;
use lvsc_front::library::Empty;
use lvsc_front::mend::mend;
use lvsc_front::syntax::parse::keywords;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::compile::{CompileError, program};
use crate::hunt::{Judged, Target};
use crate::lexer::inside;
use crate::{change, corpus, emission, policies};

/// Random policies that are right.
const RANDOM: usize = 30;

pub fn target() -> Target {
    let mut texts = corpus::policies();
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    texts.extend((0..RANDOM).map(|_| {
        let policy = policies::random().new_tree(&mut runner).expect("a policy");
        policy.current().into_bytes()
    }));
    let right: Vec<Vec<u8>> = texts
        .iter()
        .filter(|text| is_right(text))
        .cloned()
        .collect();
    let words = corpus::words(&texts, &keywords());
    Target {
        name: "checker",
        cases: 250,
        make: Box::new(move |chance| match chance.below(2) {
            0 => change::gently(&right, chance),
            _ => change::text(&texts, &words, chance),
        }),
        judge,
    }
}

/// Whether a text is a policy that has a pipeline.
fn is_right(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    lvsc_front::compile("policy.lvs", &text).pipeline.is_some()
}

fn judge(input: &[u8]) -> Judged {
    let text = String::from_utf8_lossy(input);
    let compiled = lvsc_front::compile("policy.lvs", &text);
    let fine = !compiled.diagnostics.iter().any(Diagnostic::is_error);
    if compiled.pipeline.is_some() != fine || compiled.policy.is_some() != fine {
        return Err(format!("fine is {fine}, {:?}", compiled.diagnostics));
    }
    let fixes = || compiled.diagnostics.iter().flat_map(|found| &found.fixes);
    let edits = fixes().flat_map(|fix| &fix.edits).map(|edit| edit.span);
    let labels = compiled.diagnostics.iter().flat_map(|found| &found.labels);
    for span in labels.map(|label| label.span).chain(edits) {
        inside(compiled.sources.text(span.file), span)?;
    }
    if fixes().next().is_some() {
        drop(mend("policy.lvs", &text, &Empty));
    }
    let Some(pipeline) = compiled.pipeline else {
        return Ok(());
    };
    let built = match program(&pipeline) {
        Ok(built) => built,
        Err(CompileError::TooLarge { .. }) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let (layout, pipeline) = (&built.layout, &built.pipeline);
    let (manifest, sources) = (&pipeline.manifest, &pipeline.sources);
    let made = emission::emitted(&built.program, layout, manifest, sources)?;
    emission::readable(&made)
}
