//! How many flows a backend takes, and how many backends can be looked at for one.

use lvsc_abi::loads::BACKENDS_MAX;
use lvsc_abi::manifest::{Backend, Flows, Limit, Tracking};
use lvsc_abi::scheduler::Scheduler;

use super::Checker;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

/// The highest limit: more flows than a connection table has.
pub(super) const FLOWS_MAX: u32 = 1 << 30;

/// What a backend's options say of it, each with its place.
#[derive(Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) limit: Option<(u32, Span)>,
    pub(super) reopen: Option<(u32, Span)>,
}

impl Checker<'_> {
    /// `limit 1000 reopen 800`; three quarters of the limit where only that is given, as in IPVS (`ip_vs_unbind_dest`
    /// in `net/netfilter/ipvs/ip_vs_conn.c`).
    pub(super) fn limit(&mut self, limits: Limits) -> Option<Option<Limit>> {
        let (flows, reopen) = match (limits.limit, limits.reopen) {
            (None, None) => return Some(None),
            (None, Some((_, span))) => {
                return self.bad_value("`reopen` without a `limit` means nothing", span);
            }
            (Some((flows, _)), None) => (flows, (flows - flows / 4).max(1)),
            (Some((flows, limit)), Some((reopen, span))) => {
                if reopen > flows {
                    let message = format!("`reopen` is at most the limit, {flows}");
                    self.report(
                        Diagnostic::error(Code::BadValue, message, span)
                            .secondary(limit, "of which it is full"),
                    );
                    return None;
                }
                (flows, reopen)
            }
        };
        Some(Some(Limit { flows, reopen }))
    }

    /// Without a table of every flow nobody knows how many a backend has.
    pub(super) fn limited(&mut self, backends: &[Backend], places: &[Span], flows: Option<&Flows>) {
        let mut limited = backends.iter().zip(places);
        let limited = limited.find(|(backend, _)| backend.limit.is_some());
        let counted = flows.is_some_and(|flows| flows.tracking == Tracking::Every);
        if let (Some((_, place)), false) = (limited, counted) {
            let message = "`limit` cannot do without a table of every flow";
            self.report(
                Diagnostic::error(Code::FlowsNeeded, message, *place)
                    .label("nobody counts the flows of this backend")
                    .note("write `flows 64K` in the pool"),
            );
        }
    }

    /// A scheduler that looks at every backend for a new flow looks at so many and no more.
    pub(super) fn compared(
        &mut self,
        (scheduler, place): (Scheduler, Span),
        backends: &[Backend],
        capacity: Option<(u32, Span)>,
    ) {
        let limited = backends.iter().any(|backend| backend.limit.is_some());
        let looks = limited || scheduler.pick().compares();
        let ids = backends.iter().map(|backend| u32::from(backend.id) + 1);
        let ids = ids.chain(capacity.map(|(capacity, _)| capacity)).max();
        if looks && ids.is_some_and(|ids| ids > BACKENDS_MAX) {
            let (what, instead) = if limited {
                ("`limit`".to_owned(), "leave the limits out")
            } else {
                (
                    format!("`{scheduler}`"),
                    "`scheduler twos` looks at two of any number",
                )
            };
            let message = format!("{what} compares at most {BACKENDS_MAX} backends");
            self.report(
                Diagnostic::error(Code::BadValue, message, place).note(format!(
                    "each id up to the highest is looked at, for every new flow; {instead}"
                )),
            );
        }
    }
}
