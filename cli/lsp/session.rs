//! What the client has told so far: its open documents.

use std::collections::BTreeMap;

use lsp_server::{ErrorCode, Notification};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as Method,
    PublishDiagnostics,
};
use lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    PublishDiagnosticsParams, TextDocumentPositionParams, Uri,
};

use super::diagnostics;
use super::dispatch::{Fault, params, result};
use super::document::Document;
use super::position::Encoding;
use super::prelude::Prelude;
use crate::ui::Talk;

/// The open documents.
pub struct Session {
    /// The prelude's files.
    pub prelude: Prelude,
    encoding: Encoding,
    /// By their URIs.
    documents: BTreeMap<String, Document>,
    /// Of these the client knows an older state.
    changed: BTreeMap<String, Uri>,
}

impl Session {
    /// No documents.
    pub fn new(encoding: Encoding, talk: Talk) -> Session {
        Session {
            prelude: Prelude::new(talk),
            encoding,
            documents: BTreeMap::new(),
            changed: BTreeMap::new(),
        }
    }

    /// An open document.
    pub fn document(&self, uri: &Uri) -> Result<&Document, Fault> {
        self.documents.get(uri.as_str()).ok_or_else(|| {
            let what = format!("{} is not open", uri.as_str());
            Fault::new(ErrorCode::InvalidParams, what)
        })
    }

    /// An open document, and a byte of it.
    pub fn place(&self, at: &TextDocumentPositionParams) -> Result<(&Document, usize), Fault> {
        let document = self.document(&at.text_document.uri)?;
        Ok((document, document.offset(at.position)))
    }

    /// Takes a message that wants no answer; one that is not known says nothing to us.
    pub fn hear(&mut self, note: Notification) -> Result<(), Fault> {
        match note.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let DidOpenTextDocumentParams { text_document: it } = params(note.params)?;
                self.take(Document::new(it.uri, it.version, it.text, self.encoding));
            }
            DidChangeTextDocument::METHOD => {
                let told: DidChangeTextDocumentParams = params(note.params)?;
                let document = self.document(&told.text_document.uri)?;
                let version = told.text_document.version;
                self.take(document.changed(version, told.content_changes));
            }
            DidCloseTextDocument::METHOD => {
                let DidCloseTextDocumentParams { text_document: it } = params(note.params)?;
                self.documents.remove(it.uri.as_str());
                self.changed.insert(it.uri.as_str().to_owned(), it.uri);
            }
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, document: Document) {
        let name = document.uri.as_str().to_owned();
        self.changed.insert(name.clone(), document.uri.clone());
        self.documents.insert(name, document);
    }

    /// The documents of which something is new, each once.
    pub fn changed(&mut self) -> impl Iterator<Item = Uri> + use<> {
        std::mem::take(&mut self.changed).into_values()
    }

    /// What is wrong with a document; nothing of one that is closed.
    pub fn publish(&self, uri: &Uri) -> Result<Notification, Fault> {
        let document = self.documents.get(uri.as_str());
        let told = PublishDiagnosticsParams {
            uri: uri.clone(),
            diagnostics: document.map_or_else(Vec::new, |document| {
                diagnostics::all(document, &self.prelude)
            }),
            version: document.map(|document| document.version),
        };
        Ok(Notification {
            method: PublishDiagnostics::METHOD.to_owned(),
            params: result(told)?,
        })
    }
}
