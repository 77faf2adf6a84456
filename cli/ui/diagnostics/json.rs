//! Diagnostics as data; docs/diagnostics.md says what each field is.

use lvsc_front::diagnostics::{Diagnostic, LabelStyle, Severity};
use lvsc_front::source::{SourceMap, Span};
use serde_json::{Value, json};

/// All findings.
pub fn data(diagnostics: &[Diagnostic], sources: &SourceMap) -> Value {
    Value::Array(
        diagnostics
            .iter()
            .map(|one| finding(one, sources))
            .collect(),
    )
}

fn finding(one: &Diagnostic, sources: &SourceMap) -> Value {
    let labels = one.labels.iter().map(|label| {
        let primary = label.style == LabelStyle::Primary;
        json!({ "at": place(label.span, sources), "text": label.text, "primary": primary })
    });
    let fixes = one.fixes.iter().map(|fix| {
        let edits = fix.edits.iter().map(
            |edit| json!({ "at": place(edit.span, sources), "replacement": edit.replacement }),
        );
        json!({
            "message": fix.message,
            "applicability": fix.applicability.as_str(),
            "edits": edits.collect::<Vec<_>>(),
        })
    });
    json!({
        "severity": severity(one.severity),
        "code": one.code.as_str(),
        "message": one.message,
        "labels": labels.collect::<Vec<_>>(),
        "notes": one.notes,
        "fixes": fixes.collect::<Vec<_>>(),
    })
}

/// `error` or `warning`: SARIF has the same words.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn place(span: Span, sources: &SourceMap) -> Value {
    let (at, end) = (sources.line_col(span), sources.line_col(span.after()));
    json!({
        "file": sources.path(span.file),
        "line": at.line,
        "column": at.column,
        "end_line": end.line,
        "end_column": end.column,
        "start": span.start,
        "end": span.end,
    })
}
