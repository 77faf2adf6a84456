//! Completion.

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionParams, CompletionResponse,
    Documentation, MarkupContent, MarkupKind,
};
use lvsc_front::ide::{Candidate, Kind, Paint, Sort};

use super::dispatch::Fault;
use super::session::Session;

/// What may be written at a position.
pub fn complete(
    session: &Session,
    asked: &CompletionParams,
) -> Result<Option<CompletionResponse>, Fault> {
    let (document, offset) = session.place(&asked.text_document_position)?;
    let found = document.index().complete(document.file(), offset);
    Ok(Some(CompletionResponse::List(CompletionList {
        is_incomplete: false,
        items: found.into_iter().map(item).collect(),
    })))
}

fn item(found: Candidate) -> CompletionItem {
    let docs = Some(found.docs).filter(|docs| !docs.is_empty());
    CompletionItem {
        label: found.name,
        kind: Some(match found.sort {
            Sort::Word => CompletionItemKind::KEYWORD,
            Sort::Declared(kind) => kind_of(kind),
            Sort::Builtin(Paint::Type) => CompletionItemKind::CLASS,
            Sort::Builtin(Paint::Property) => CompletionItemKind::FIELD,
            Sort::Builtin(Paint::Variable) => CompletionItemKind::VARIABLE,
            Sort::Builtin(Paint::Function) => CompletionItemKind::FUNCTION,
            Sort::Builtin(Paint::Keyword | Paint::Number | Paint::Text | Paint::Comment) => {
                CompletionItemKind::KEYWORD
            }
        }),
        detail: Some(found.detail).filter(|detail| !detail.is_empty()),
        documentation: docs.map(|value| {
            Documentation::MarkupContent(MarkupContent {
                kind: MarkupKind::Markdown,
                value,
            })
        }),
        ..CompletionItem::default()
    }
}

fn kind_of(kind: Kind) -> CompletionItemKind {
    match kind {
        Kind::Constant => CompletionItemKind::CONSTANT,
        Kind::Interface | Kind::Pool | Kind::Set | Kind::Table | Kind::Meter | Kind::Counter => {
            CompletionItemKind::MODULE
        }
        Kind::Backend | Kind::Reason => CompletionItemKind::ENUM_MEMBER,
        Kind::Column | Kind::Field | Kind::Computed => CompletionItemKind::FIELD,
        Kind::Header | Kind::Group => CompletionItemKind::STRUCT,
        Kind::Function | Kind::Action => CompletionItemKind::FUNCTION,
        Kind::Parameter | Kind::Variable | Kind::Choice => CompletionItemKind::VARIABLE,
    }
}
