//! Backends that get nothing.

use lvsc_abi::manifest::{Backend, Flows};

use super::Checker;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

impl Checker<'_> {
    /// Warns of backends with weight 0 in a pool that has others, and no connection table: weight 0 drains a backend, and
    /// without a table there is nothing to drain.
    pub(super) fn weightless(
        &mut self,
        backends: &[Backend],
        places: &[Span],
        flows: Option<&Flows>,
    ) {
        if flows.is_some() || backends.iter().all(|backend| backend.weight == 0) {
            return;
        }
        for (backend, place) in backends.iter().zip(places) {
            if backend.weight > 0 {
                continue;
            }
            let message = "this backend gets no packets";
            self.report(
                Diagnostic::warning(Code::WeightlessBackend, message, *place)
                    .label("weight 0, in a pool without a connection table")
                    .note("with `flows 64K` it keeps the flows that it has, and gets no new ones"),
            );
        }
    }
}
