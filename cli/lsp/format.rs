//! Formatting. This version has no formatter, so nothing is announced, and who asks all the same is told that there is no
//! such method. With one, its handler stands here, and `dispatch` names it.

use lsp_types::{DocumentFormattingOptions, OneOf};

/// What clients are told.
pub const ANNOUNCED: Option<OneOf<bool, DocumentFormattingOptions>> = None;
