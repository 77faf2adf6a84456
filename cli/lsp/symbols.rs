//! The outline of a document, and what of it can be folded.

use lsp_types::{
    DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, FoldingRange, FoldingRangeParams,
    SymbolKind,
};
use lvsc_front::ide::{Entry, Kind};

use super::dispatch::Fault;
use super::document::Document;
use super::session::Session;

/// The outline.
pub fn list(
    session: &Session,
    asked: &DocumentSymbolParams,
) -> Result<Option<DocumentSymbolResponse>, Fault> {
    let document = session.document(&asked.text_document.uri)?;
    let entries = document.index().outline(document.file()).into_iter();
    let symbols = entries.map(|entry| symbol(entry, document)).collect();
    Ok(Some(DocumentSymbolResponse::Nested(symbols)))
}

/// Whatever has several lines.
pub fn folds(
    session: &Session,
    asked: &FoldingRangeParams,
) -> Result<Option<Vec<FoldingRange>>, Fault> {
    let document = session.document(&asked.text_document.uri)?;
    let entries = document.index().outline(document.file()).into_iter();
    let ranges = entries.map(|entry| document.range(entry.whole));
    let folds = ranges.filter(|range| range.start.line < range.end.line);
    let folds = folds.map(|range| FoldingRange {
        start_line: range.start.line,
        end_line: range.end.line,
        ..FoldingRange::default()
    });
    Ok(Some(folds.collect()))
}

fn symbol(entry: Entry, document: &Document) -> DocumentSymbol {
    let inside: Vec<DocumentSymbol> = entry
        .inside
        .into_iter()
        .map(|entry| symbol(entry, document))
        .collect();
    #[allow(
        deprecated,
        reason = "the protocol's type has a field that is out of use"
    )]
    DocumentSymbol {
        name: entry.name,
        detail: entry.kind.map(|kind| kind.describe().to_owned()),
        kind: entry.kind.map_or(SymbolKind::EVENT, kind_of),
        tags: None,
        deprecated: None,
        range: document.range(entry.whole),
        selection_range: document.range(entry.span),
        children: Some(inside).filter(|inside| !inside.is_empty()),
    }
}

fn kind_of(kind: Kind) -> SymbolKind {
    match kind {
        Kind::Constant => SymbolKind::CONSTANT,
        Kind::Interface => SymbolKind::INTERFACE,
        Kind::Pool | Kind::Set | Kind::Table | Kind::Meter | Kind::Counter => SymbolKind::MODULE,
        Kind::Backend | Kind::Reason => SymbolKind::ENUM_MEMBER,
        Kind::Column | Kind::Field | Kind::Computed => SymbolKind::FIELD,
        Kind::Header | Kind::Group => SymbolKind::STRUCT,
        Kind::Function | Kind::Action => SymbolKind::FUNCTION,
        Kind::Parameter | Kind::Variable | Kind::Choice => SymbolKind::VARIABLE,
    }
}
