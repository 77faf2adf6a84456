//! Formatting: a document's one shape, as the lines of it that change.

use lsp_types::{DocumentFormattingParams, TextEdit};
use similar::{DiffOp, TextDiff};

use super::dispatch::Fault;
use super::session::Session;

/// What changes; nothing of a document that cannot be read, whose faults are shown anyway.
pub fn format(
    session: &Session,
    asked: &DocumentFormattingParams,
) -> Result<Option<Vec<TextEdit>>, Fault> {
    let document = session.document(&asked.text_document.uri)?;
    let text = document.text();
    let Ok(formatted) = lvsc_front::format(document.uri.as_str(), text) else {
        return Ok(None);
    };
    let difference = TextDiff::from_lines(text, &formatted);
    let begins = begins(difference.old_slices());
    let new = difference.new_slices();
    let edits = difference.ops().iter().filter_map(|op| {
        let changed = !matches!(op, DiffOp::Equal { .. });
        let lines = op.old_range();
        let range = *begins.get(lines.start)?..*begins.get(lines.end)?;
        changed.then(|| TextEdit {
            range: document.bytes(range),
            new_text: new.get(op.new_range()).unwrap_or_default().concat(),
        })
    });
    Ok(Some(edits.collect()))
}

/// Where each line begins, and where the last one ends.
fn begins(lines: &[&str]) -> Vec<usize> {
    let mut begins = vec![0];
    begins.extend(lines.iter().scan(0, |end, line| {
        *end += line.len();
        Some(*end)
    }));
    begins
}
