//! Which request is answered by what.

use lsp_server::{ErrorCode, Request};
use lsp_types::request::{
    CodeActionRequest, Completion, DocumentHighlightRequest, DocumentSymbolRequest,
    FoldingRangeRequest, Formatting, GotoDefinition, HoverRequest, PrepareRenameRequest,
    References, Rename, Request as Method, SemanticTokensFullRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::session::Session;
use super::{actions, completion, format, hover, navigate, rename, symbols, tokens};

/// Why a request has no result.
#[derive(Debug)]
pub struct Fault {
    /// The protocol's number for it.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl Fault {
    /// A fault.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
        }
    }

    /// What was asked for cannot be done.
    pub fn failed(message: &impl ToString) -> Fault {
        Fault::new(ErrorCode::RequestFailed, message.to_string())
    }
}

/// Answers a request.
pub fn answer(session: &Session, request: Request) -> Result<Value, Fault> {
    match request.method.as_str() {
        Completion::METHOD => by::<Completion>(session, request, completion::complete),
        HoverRequest::METHOD => by::<HoverRequest>(session, request, hover::hover),
        GotoDefinition::METHOD => by::<GotoDefinition>(session, request, navigate::definition),
        References::METHOD => by::<References>(session, request, navigate::references),
        DocumentHighlightRequest::METHOD => {
            by::<DocumentHighlightRequest>(session, request, navigate::highlights)
        }
        PrepareRenameRequest::METHOD => {
            by::<PrepareRenameRequest>(session, request, rename::prepare)
        }
        Rename::METHOD => by::<Rename>(session, request, rename::rename),
        DocumentSymbolRequest::METHOD => {
            by::<DocumentSymbolRequest>(session, request, symbols::list)
        }
        FoldingRangeRequest::METHOD => by::<FoldingRangeRequest>(session, request, symbols::folds),
        Formatting::METHOD => by::<Formatting>(session, request, format::format),
        CodeActionRequest::METHOD => by::<CodeActionRequest>(session, request, actions::fixes),
        SemanticTokensFullRequest::METHOD => {
            by::<SemanticTokensFullRequest>(session, request, tokens::full)
        }
        unknown => {
            let what = format!("there is no method `{unknown}` here");
            Err(Fault::new(ErrorCode::MethodNotFound, what))
        }
    }
}

fn by<M: Method>(
    session: &Session,
    request: Request,
    handler: fn(&Session, &M::Params) -> Result<M::Result, Fault>,
) -> Result<Value, Fault> {
    result(handler(session, &params(request.params)?)?)
}

/// Reads what a message brings.
pub fn params<P: DeserializeOwned>(given: Value) -> Result<P, Fault> {
    serde_json::from_value(given)
        .map_err(|error| Fault::new(ErrorCode::InvalidParams, error.to_string()))
}

/// A result as it is sent.
pub fn result(result: impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(result)
        .map_err(|error| Fault::new(ErrorCode::InternalError, error.to_string()))
}
