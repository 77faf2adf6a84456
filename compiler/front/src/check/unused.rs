//! What a policy declares and never names.

use super::Checker;
use super::names::Sort;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::FileId;

impl Checker<'_> {
    /// Warns of pools, constants and sets of a file that nothing names. Where something is wrong it may have been meant to
    /// name them, and nothing is said.
    pub(super) fn unused(&mut self, file: FileId) {
        let wrong = self.left_out > 0 || !self.unread.is_empty();
        if wrong || self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        for (name, sort, span) in self.names.unnamed(file) {
            let why = match sort {
                Sort::Pool => "no `select` picks from it, so its backends get nothing",
                Sort::Constant | Sort::Set => "it decides nothing",
                Sort::Interface
                | Sort::Table
                | Sort::Meter
                | Sort::Counter
                | Sort::Header
                | Sort::Group
                | Sort::Function
                | Sort::Action => continue,
            };
            let message = format!("nothing names the {} `{name}`", sort.describe());
            self.report(Diagnostic::warning(Code::Unused, message, span).label(why));
        }
    }
}
