//! Backends that get nothing, and weights that nobody looks at.

use lvsc_abi::manifest::{Backend, Flows};
use lvsc_abi::scheduler::Scheduler;

use super::Checker;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

impl Checker<'_> {
    /// Warns of backends that drain, by name or by weight 0, in a pool that has others, and no connection table: without one
    /// there is nothing to drain.
    pub(super) fn weightless(
        &mut self,
        backends: &[Backend],
        places: &[Span],
        flows: Option<&Flows>,
    ) {
        let drains = |backend: &Backend| backend.drain || backend.weight == 0;
        if flows.is_some() || backends.iter().all(drains) {
            return;
        }
        for (backend, place) in backends.iter().zip(places) {
            let what = match (backend.drain, backend.weight) {
                (true, _) => "`drain`",
                (false, 0) => "weight 0",
                (false, _) => continue,
            };
            let message = "this backend gets no packets";
            self.report(
                Diagnostic::warning(Code::WeightlessBackend, message, *place)
                    .label(format!("{what}, in a pool without a connection table"))
                    .note("with `flows auto` it keeps the flows that it has, and gets no new ones"),
            );
        }
    }
    /// Warns of a weight that makes no share: `rr` only asks whether it is 0.
    pub(super) fn unheeded_weight(
        &mut self,
        backends: &[Backend],
        places: &[Span],
        (scheduler, place): (Scheduler, Span),
    ) {
        let mut weights = backends.iter().zip(places);
        let heavy = weights.find(|(backend, _)| backend.weight > 1);
        if let (Scheduler::Rr, Some((backend, line))) = (scheduler, heavy) {
            let message = "`rr` gives every backend the same share";
            self.report(
                Diagnostic::warning(Code::WithoutEffect, message, *line)
                    .label(format!("weight {} changes nothing", backend.weight))
                    .secondary(place, "this scheduler takes them in turn")
                    .note("`scheduler wrr` takes each as often as its weight says"),
            );
        }
    }
}
