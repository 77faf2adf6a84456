//! Code actions: the remedies of diagnostics.

use std::collections::HashMap;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, Range,
    TextEdit, WorkspaceEdit,
};
use lvsc_front::diagnostics::Fix;

use super::diagnostics::{range, told};
use super::dispatch::Fault;
use super::document::Document;
use super::session::Session;

/// What mends the findings in a range.
pub fn fixes(
    session: &Session,
    asked: &CodeActionParams,
) -> Result<Option<CodeActionResponse>, Fault> {
    let document = session.document(&asked.text_document.uri)?;
    let wanted = asked.context.only.as_ref().is_none_or(|kinds| {
        kinds
            .iter()
            .any(|kind| *kind == CodeActionKind::EMPTY || *kind == CodeActionKind::QUICKFIX)
    });
    let mut actions = Vec::new();
    if !wanted {
        return Ok(Some(actions));
    }
    for found in document.findings() {
        if found.fixes.is_empty() || !touch(range(found, document), asked.range) {
            continue;
        }
        let diagnostic = told(found, document, &session.prelude);
        let mine = |fix: &&Fix| {
            fix.edits
                .iter()
                .all(|edit| edit.span.file == document.file())
        };
        for (number, fix) in found.fixes.iter().filter(mine).enumerate() {
            let edits = edits(fix, document);
            actions.push(CodeActionOrCommand::CodeAction(CodeAction {
                title: title(fix),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic.clone()]),
                edit: Some(of_one_document(document, edits)),
                is_preferred: Some(number == 0),
                ..CodeAction::default()
            }));
        }
    }
    Ok(Some(actions))
}

/// `a field with a similar name exists: dst`
fn title(fix: &Fix) -> String {
    match fix.edits.as_slice() {
        [edit] if !edit.replacement.trim().is_empty() && !edit.replacement.contains('\n') => {
            format!("{}: {}", fix.message, edit.replacement.trim())
        }
        _ => fix.message.clone(),
    }
}

fn edits(fix: &Fix, document: &Document) -> Vec<TextEdit> {
    let edits = fix.edits.iter();
    let edits =
        edits.map(|edit| TextEdit::new(document.range(edit.span), edit.replacement.clone()));
    edits.collect()
}

/// Edits of one document.
#[allow(
    clippy::mutable_key_type,
    reason = "the protocol's type; how a URI is compared does not change"
)]
pub fn of_one_document(document: &Document, edits: Vec<TextEdit>) -> WorkspaceEdit {
    WorkspaceEdit::new(HashMap::from([(document.uri.clone(), edits)]))
}

/// Whether two ranges have a place in common; an end counts.
fn touch(one: Range, other: Range) -> bool {
    one.start <= other.end && other.start <= one.end
}
