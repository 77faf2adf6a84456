//! Renaming.

use lsp_types::{
    PrepareRenameResponse, RenameParams, TextDocumentPositionParams, TextEdit, WorkspaceEdit,
};

use super::actions::of_one_document;
use super::dispatch::Fault;
use super::session::Session;

/// Whether the name at a position can have another one.
pub fn prepare(
    session: &Session,
    asked: &TextDocumentPositionParams,
) -> Result<Option<PrepareRenameResponse>, Fault> {
    let (document, offset) = session.place(asked)?;
    let span = document.index().renamable(document.file(), offset);
    let span = span.map_err(|why| Fault::failed(&why))?;
    Ok(Some(PrepareRenameResponse::Range(document.range(span))))
}

/// What gives it another one.
pub fn rename(session: &Session, asked: &RenameParams) -> Result<Option<WorkspaceEdit>, Fault> {
    let (document, offset) = session.place(&asked.text_document_position)?;
    let new = &asked.new_name;
    let places = document.index().rename(document.file(), offset, new);
    let places = places.map_err(|why| Fault::failed(&why))?.into_iter();
    let edits = places.map(|span| TextEdit::new(document.range(span), new.clone()));
    Ok(Some(of_one_document(document, edits.collect())))
}
