//! From a name to its declaration, and to all its places.

use lsp_types::{
    DocumentHighlight, DocumentHighlightParams, GotoDefinitionParams, GotoDefinitionResponse,
    Location, ReferenceParams,
};

use super::dispatch::Fault;
use super::session::Session;

/// Where the name at a position is declared.
pub fn definition(
    session: &Session,
    asked: &GotoDefinitionParams,
) -> Result<Option<GotoDefinitionResponse>, Fault> {
    let (document, offset) = session.place(&asked.text_document_position_params)?;
    let spans = document.index().definitions(document.file(), offset);
    let found = document.locations(&spans, &session.prelude);
    Ok(Some(GotoDefinitionResponse::Array(found)))
}

/// All places of the name at a position.
pub fn references(
    session: &Session,
    asked: &ReferenceParams,
) -> Result<Option<Vec<Location>>, Fault> {
    let (document, offset) = session.place(&asked.text_document_position)?;
    let declarations = asked.context.include_declaration;
    let spans = document
        .index()
        .references(document.file(), offset, declarations);
    Ok(Some(document.locations(&spans, &session.prelude)))
}

/// The same, in this document.
pub fn highlights(
    session: &Session,
    asked: &DocumentHighlightParams,
) -> Result<Option<Vec<DocumentHighlight>>, Fault> {
    let (document, offset) = session.place(&asked.text_document_position_params)?;
    let spans = document
        .index()
        .references(document.file(), offset, true)
        .into_iter();
    let here = spans.filter(|span| span.file == document.file());
    let found = here.map(|span| DocumentHighlight {
        range: document.range(span),
        kind: None,
    });
    Ok(Some(found.collect()))
}
