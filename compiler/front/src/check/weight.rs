//! Backends that get nothing, weights that nobody looks at, and weights that grow.

use std::time::Duration;

use lvsc_abi::manifest::Backend;
use lvsc_abi::scheduler::Scheduler;

use super::Checker;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::Prop;

/// The longest slow start.
const SLOWEST: Duration = Duration::from_hours(1);

impl<'a> Checker<'a> {
    /// Notes backends that drain, by name or by weight 0, in a pool that has others, and keeps no flows or clients: without a table
    /// there is nothing to drain, unless packets name them.
    pub(super) fn weightless(&mut self, backends: &[Backend], places: &[Span], keeps: bool) {
        let drains = |backend: &Backend| backend.drain || backend.weight == 0;
        if keeps || backends.iter().all(drains) {
            return;
        }
        for (backend, place) in backends.iter().zip(places) {
            let what = match (backend.drain, backend.weight) {
                (true, _) => "`drain`",
                (false, 0) => "weight 0",
                (false, _) => continue,
            };
            let message = "this backend gets no packets";
            let found = Diagnostic::warning(Code::WeightlessBackend, message, *place)
                .label(format!("{what}, in a pool without a connection table"))
                .note("with `flows auto` it keeps the flows that it has, and gets no new ones");
            let pool = self.policy.manifest.pools.len();
            self.weightless.push((pool, found));
        }
    }

    /// Warns of those that are in no pool whose backends packets name.
    pub(super) fn unnamed(&mut self) {
        for (pool, found) in std::mem::take(&mut self.weightless) {
            if !self.named.contains(&pool) {
                self.report(found);
            }
        }
    }

    /// Warns of a weight that makes no share, where the scheduler only asks whether it is 0.
    pub(super) fn unheeded_weight(
        &mut self,
        backends: &[Backend],
        places: &[Span],
        (scheduler, place): (Scheduler, Span),
    ) {
        let mut weights = backends.iter().zip(places);
        let heavy = weights.find(|(backend, _)| backend.weight > 1);
        if let (Some((backend, line)), Some(heeding)) = (heavy, heeding(scheduler)) {
            let message = format!("`{scheduler}` gives every backend the same share");
            self.report(
                Diagnostic::warning(Code::WithoutEffect, message, *line)
                    .label(format!("weight {} changes nothing", backend.weight))
                    .secondary(place, "this scheduler asks whether it is 0")
                    .note(format!("`scheduler {heeding}` goes by weights")),
            );
        }
    }

    /// `slow_start 60s`, in seconds.
    pub(super) fn slow_start(&mut self, prop: &'a Prop) -> Option<u32> {
        let message = "`slow_start` is a time from 1s to 1h";
        match prop.values.as_slice() {
            [time] => self.seconds(time, SLOWEST, message),
            [] | [..] => self.bad_value(message, prop.span),
        }
    }

    /// Warns of weights that grow where nobody looks at them.
    pub(super) fn unheeded_start(
        &mut self,
        slow_start: Option<(u32, Span)>,
        (scheduler, place): (Scheduler, Span),
    ) {
        let Some((_, line)) = slow_start else {
            return;
        };
        let warning = |message| {
            Diagnostic::warning(Code::WithoutEffect, message, line)
                .label("a weight that grows changes nothing")
        };
        if let Some(heeding) = heeding(scheduler) {
            let message = format!("`{scheduler}` gives every backend the same share");
            self.report(
                warning(message)
                    .secondary(place, "this scheduler asks whether it is 0")
                    .note(format!("`scheduler {heeding}` goes by weights")),
            );
        } else if let Scheduler::Ovf | Scheduler::Lblc | Scheduler::Lblcr = scheduler {
            let message = format!("to `{scheduler}` a weight is a number of flows");
            self.report(warning(message).secondary(place, "this scheduler"));
        }
    }
}

/// The scheduler that goes by weights, where this one does not, and is the same otherwise.
fn heeding(scheduler: Scheduler) -> Option<Scheduler> {
    match scheduler {
        Scheduler::Rr => Some(Scheduler::Wrr),
        Scheduler::Lc => Some(Scheduler::Wlc),
        Scheduler::Wrr
        | Scheduler::Maglev
        | Scheduler::Sh
        | Scheduler::Dh
        | Scheduler::Rendezvous
        | Scheduler::Fo
        | Scheduler::Wlc
        | Scheduler::Sed
        | Scheduler::Nq
        | Scheduler::Ovf
        | Scheduler::Twos
        | Scheduler::Lblc
        | Scheduler::Lblcr => None,
    }
}
