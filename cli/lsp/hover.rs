//! Hovers.

use lsp_types::{Hover, HoverContents, HoverParams, MarkupContent, MarkupKind};

use super::dispatch::Fault;
use super::session::Session;

/// What is said of the name at a position.
pub fn hover(session: &Session, asked: &HoverParams) -> Result<Option<Hover>, Fault> {
    let (document, offset) = session.place(&asked.text_document_position_params)?;
    let told = document.index().hover(document.file(), offset);
    let Some(span) = told.first().map(|one| one.span) else {
        return Ok(None);
    };
    let parts = told.iter().map(|one| {
        let code = format!("```lvs\n{}\n```", one.code);
        let text = one.text.iter().map(|text| format!("\n\n{text}"));
        std::iter::once(code).chain(text).collect::<String>()
    });
    Ok(Some(Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value: parts.collect::<Vec<_>>().join("\n\n---\n\n"),
        }),
        range: Some(document.range(span)),
    }))
}
