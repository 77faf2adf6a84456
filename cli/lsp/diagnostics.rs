//! Diagnostics, as the protocol has them.

use lsp_types::{DiagnosticRelatedInformation, DiagnosticSeverity, NumberOrString, Range};
use lvsc_front::diagnostics::{Diagnostic, Label, Severity};

use super::document::Document;
use super::prelude::Prelude;

/// All that is wrong with a document.
pub fn all(document: &Document, prelude: &Prelude) -> Vec<lsp_types::Diagnostic> {
    let findings = document.findings().iter();
    findings
        .map(|found| told(found, document, prelude))
        .collect()
}

/// One finding.
pub fn told(found: &Diagnostic, document: &Document, prelude: &Prelude) -> lsp_types::Diagnostic {
    let place = place(found, document);
    let mut message = vec![found.message.clone()];
    let beside = place.map(|label| label.text.clone());
    message.extend(beside.filter(|text| !text.is_empty()));
    message.extend(found.notes.iter().map(|note| format!("note: {note}")));
    let others = found.labels.iter().filter(|label| Some(*label) != place);
    let related = others.filter_map(|label| {
        Some(DiagnosticRelatedInformation {
            location: document.location(label.span, prelude)?,
            message: if label.text.is_empty() {
                found.message.clone()
            } else {
                label.text.clone()
            },
        })
    });
    lsp_types::Diagnostic {
        range: range(found, document),
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(found.code.as_str().to_owned())),
        source: Some("lvsc".to_owned()),
        message: message.join("\n"),
        related_information: Some(related.collect()),
        ..lsp_types::Diagnostic::default()
    }
}

/// Where a finding is shown in a document.
pub fn range(found: &Diagnostic, document: &Document) -> Range {
    place(found, document).map_or(Range::default(), |label| document.range(label.span))
}

/// The label by which a finding is shown in a document: its first one there.
fn place<'a>(found: &'a Diagnostic, document: &Document) -> Option<&'a Label> {
    let mut labels = found.labels.iter();
    labels.find(|label| label.span.file == document.file())
}
