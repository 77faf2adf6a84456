//! A policy read, checked, and its findings said.

use lvsc_front::compile;
use lvsc_front::diagnostics::{Diagnostic, Severity};
use lvsc_front::policy::Policy;
use lvsc_front::source::SourceMap;
use lvsc_pipeline::pipeline::Pipeline;
use serde_json::json;

use crate::args::{Format, Global, Source};
use crate::config::{self, Text};
use crate::failure::Failure;
use crate::ui::{Ui, diagnostics};

/// A policy without errors.
pub struct Checked {
    /// Its text.
    pub text: Text,
    /// What it says.
    pub policy: Policy,
    /// What it means.
    pub pipeline: Pipeline,
    /// The warnings.
    pub warnings: Vec<Diagnostic>,
    /// Its text and the prelude's.
    pub sources: SourceMap,
}

/// Reads and checks the policy of a command. Errors and warnings are said; `None` where there are errors.
pub fn open(
    source: &Source,
    global: &Global,
    format: Format,
    ui: &mut Ui,
) -> Result<Option<Checked>, Failure> {
    let text = config::policy(source.policy.as_deref(), !global.no_config)?;
    if let Some(because) = &text.because {
        ui.say(format_args!("policy: {} ({because})", text.path));
    }
    Ok(check(text, format, ui))
}

/// Checks a policy and says what is wrong with it.
pub fn check(text: Text, format: Format, ui: &mut Ui) -> Option<Checked> {
    let compilation = compile(&text.path, &text.source);
    let (diagnostics, sources) = (compilation.diagnostics, compilation.sources);
    let Some((policy, pipeline)) = compilation.policy.zip(compilation.pipeline) else {
        match format {
            Format::Text => ui.diagnostics(&text.path, &diagnostics, &sources),
            Format::Json => ui.json(&json!({
                "version": 1,
                "policy": text.path,
                "ok": false,
                "diagnostics": diagnostics::data(&diagnostics, &sources),
            })),
        }
        return None;
    };
    debug_assert!(
        diagnostics
            .iter()
            .all(|one| one.severity == Severity::Warning)
    );
    if format == Format::Text {
        ui.warnings(&text.path, &diagnostics, &sources);
    }
    Some(Checked {
        text,
        policy,
        pipeline,
        warnings: diagnostics,
        sources,
    })
}
