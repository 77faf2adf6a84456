//! Diagnostics as SARIF 2.1.0 (OASIS, 27 March 2020), which forges and editors read.

use std::collections::BTreeSet;

use lvsc_front::diagnostics::{Code, Diagnostic, Fix, Group, Label, LabelStyle};
use lvsc_front::source::{FileId, SourceMap, Span};
use serde_json::{Value, json};

use super::json::severity;
use crate::percent::encoded;
use crate::ui::markdown;

/// What a file of the prelude is relative to: it is in the binary, and nowhere else.
const PRELUDE: &str = "PRELUDE";

/// Findings, and the texts that they are of.
pub type Found<'a> = (&'a [Diagnostic], &'a SourceMap);

/// One log of one run: the findings of all policies, and the page of each code that occurs.
pub fn log(found: &[Found<'_>]) -> Value {
    let all = || {
        let found = found.iter();
        found.flat_map(|(diagnostics, sources)| diagnostics.iter().map(move |one| (one, *sources)))
    };
    let codes: BTreeSet<Code> = all().map(|(one, _)| one.code).collect();
    let codes: Vec<Code> = codes.into_iter().collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results = all().map(|(one, sources)| {
        let index = codes.iter().position(|code| *code == one.code);
        result(one, index, sources)
    });
    let base = json!({ "description": message("declarations of lvsc itself: no files") });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lvsc",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { PRELUDE: base },
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: Code) -> Value {
    let level = match code.group() {
        Group::Text | Group::Meaning => "error",
        Group::Doubt => "warning",
    };
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.summary() },
        "help": {
            "text": anstream::adapter::strip_str(&markdown::plain(code.page())).to_string(),
            "markdown": code.page(),
        },
        "defaultConfiguration": { "level": level },
    })
}

fn result(one: &Diagnostic, rule: Option<usize>, sources: &SourceMap) -> Value {
    let of = |style: LabelStyle| one.labels.iter().filter(move |label| label.style == style);
    let locations: Vec<Value> = of(LabelStyle::Primary)
        .map(|label| location(label, sources))
        .collect();
    let related: Vec<Value> = of(LabelStyle::Secondary)
        .map(|label| location(label, sources))
        .collect();
    let fixes: Vec<Value> = one.fixes.iter().map(|fix| remedy(fix, sources)).collect();
    let mut sentences = vec![one.message.as_str()];
    sentences.extend(one.notes.iter().map(String::as_str));
    json!({
        "ruleId": one.code.as_str(),
        "ruleIndex": rule,
        "level": severity(one.severity),
        "message": message(&sentences.join("\n")),
        "locations": locations,
        "relatedLocations": related,
        "fixes": fixes,
    })
}

/// A message, in which braces would stand for arguments (3.11.5).
fn message(text: &str) -> Value {
    json!({ "text": text.replace('{', "{{").replace('}', "}}") })
}

fn location(label: &Label, sources: &SourceMap) -> Value {
    let physical = json!({
        "artifactLocation": artifact(label.span.file, sources),
        "region": region(label.span, sources),
    });
    if label.text.is_empty() {
        json!({ "physicalLocation": physical })
    } else {
        json!({ "physicalLocation": physical, "message": message(&label.text) })
    }
}

/// Edits of several files are several changes.
fn remedy(fix: &Fix, sources: &SourceMap) -> Value {
    let files: BTreeSet<FileId> = fix.edits.iter().map(|edit| edit.span.file).collect();
    let changes = files.into_iter().map(|file| {
        let edits = fix.edits.iter().filter(|edit| edit.span.file == file);
        let replacements = edits.map(|edit| {
            json!({
                "deletedRegion": region(edit.span, sources),
                "insertedContent": { "text": edit.replacement },
            })
        });
        json!({
            "artifactLocation": artifact(file, sources),
            "replacements": replacements.collect::<Vec<_>>(),
        })
    });
    json!({
        "description": message(&fix.message),
        "artifactChanges": changes.collect::<Vec<_>>(),
        "properties": { "applicability": fix.applicability.as_str() },
    })
}

/// Lines and columns count from 1, `endColumn` and bytes as a range's end do.
fn region(span: Span, sources: &SourceMap) -> Value {
    let (at, end) = (sources.line_col(span), sources.line_col(span.after()));
    json!({
        "startLine": at.line,
        "startColumn": at.column,
        "endLine": end.line,
        "endColumn": end.column,
        "byteOffset": span.start,
        "byteLength": span.end - span.start,
    })
}

fn artifact(file: FileId, sources: &SourceMap) -> Value {
    let path = sources.path(file);
    if sources.is_prelude(file) {
        json!({ "uri": uri(path), "uriBaseId": PRELUDE })
    } else {
        json!({ "uri": uri(path) })
    }
}

/// A path as a reference of RFC 3986.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", encoded(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brace_in_a_message_is_no_argument() {
        assert_eq!(
            message("expected `{` or `}`"),
            json!({ "text": "expected `{{` or `}}`" })
        );
    }

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(uri("policies/dr.lvs"), "policies/dr.lvs");
        assert_eq!(uri("/tmp/a b.lvs"), "file:///tmp/a%20b.lvs");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
        assert_eq!(uri("ä.lvs"), "%C3%A4.lvs");
    }
}
