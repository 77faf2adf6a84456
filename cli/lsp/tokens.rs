//! Semantic tokens: each word of a document with its kind, as the protocol packs them.

use lsp_types::{
    SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokens, SemanticTokensLegend,
    SemanticTokensParams, SemanticTokensResult,
};
use lvsc_front::ide::Paint;

use super::dispatch::Fault;
use super::session::Session;

/// The kinds, in the order of their numbers.
const KINDS: [(Paint, SemanticTokenType); 8] = [
    (Paint::Keyword, SemanticTokenType::KEYWORD),
    (Paint::Number, SemanticTokenType::NUMBER),
    (Paint::Text, SemanticTokenType::STRING),
    (Paint::Comment, SemanticTokenType::COMMENT),
    (Paint::Variable, SemanticTokenType::VARIABLE),
    (Paint::Property, SemanticTokenType::PROPERTY),
    (Paint::Type, SemanticTokenType::TYPE),
    (Paint::Function, SemanticTokenType::FUNCTION),
];

/// What the numbers mean.
pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: KINDS.map(|(_, kind)| kind).to_vec(),
        token_modifiers: vec![SemanticTokenModifier::DECLARATION],
    }
}

/// All words of a document.
pub fn full(
    session: &Session,
    asked: &SemanticTokensParams,
) -> Result<Option<SemanticTokensResult>, Fault> {
    let document = session.document(&asked.text_document.uri)?;
    let (mut line, mut character) = (0, 0);
    let mut data = Vec::new();
    for (span, paint, declares) in document.index().paints(document.file()) {
        let range = document.range(span);
        let number = KINDS.iter().position(|(kind, _)| *kind == paint);
        let delta_line = range.start.line - line;
        if delta_line > 0 {
            character = 0;
        }
        data.push(SemanticToken {
            delta_line,
            delta_start: range.start.character - character,
            length: range.end.character - range.start.character,
            token_type: number.unwrap_or(0) as u32,
            token_modifiers_bitset: u32::from(declares),
        });
        (line, character) = (range.start.line, range.start.character);
    }
    Ok(Some(SemanticTokensResult::Tokens(SemanticTokens {
        result_id: None,
        data,
    })))
}
