//! The connection table of a pool: what its `flows` line says, else what its scheduler needs.

use std::time::Duration;

use lvsc_abi::flows::{CLOSING_LIFE, IDLE_MAX};
use lvsc_abi::manifest::{Flows, Lives, Tracking};
use lvsc_abi::scheduler::Scheduler;

use super::Checker;
use super::pools::word_of;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, LitKind, Prop};

/// Most entries of a connection table: 512 MiB.
const FLOWS_MAX: u128 = 1 << 26;
/// Entries of the table of a counting scheduler that has no `flows` line.
const EVERY: u32 = 1 << 16;
/// How long flows live where no line says it: as in IPVS (`net/netfilter/ipvs/ip_vs_proto_tcp.c`, `ip_vs_proto_udp.c`).
const LIVES: Lives = Lives {
    tcp: 900,
    closing: CLOSING_LIFE,
    udp: 300,
    other: 900,
};
/// Entries of the table of a scheduler that picks by hash and has no `flows` line.
const CHANGED: u32 = 1 << 18;
/// Seconds that flows live there: it is asked only while something changes, and then for as long as a connection may be
/// silent (RFC 5382, section 5).
const SILENT: u32 = 7200;

/// What a `timeout` line says.
#[derive(Clone, Copy, Default)]
pub(super) struct Timeouts {
    tcp: Option<u32>,
    closing: Option<u32>,
    udp: Option<u32>,
    other: Option<u32>,
}

impl Timeouts {
    /// These, and where the line says nothing, the others. A connection that is being closed lives no longer than one that is
    /// not, unless the line says so.
    fn over(self, lives: Lives) -> Lives {
        let tcp = self.tcp.unwrap_or(lives.tcp);
        Lives {
            tcp,
            closing: self.closing.unwrap_or(lives.closing.min(tcp)),
            udp: self.udp.unwrap_or(lives.udp),
            other: self.other.unwrap_or(lives.other),
        }
    }
}

fn every() -> Flows {
    Flows::new(Tracking::Every, EVERY, 0).with(LIVES)
}

fn changed() -> Flows {
    Flows::new(Tracking::Changed, CHANGED, SILENT)
}

impl<'a> Checker<'a> {
    /// `timeout tcp 15m closing 2m udp 5m other 15m`, each of them or some.
    pub(super) fn timeout(&mut self, prop: &'a Prop) -> Option<Timeouts> {
        let mut timeouts = Timeouts::default();
        let mut rest = prop.values.as_slice();
        while let [of, time, behind @ ..] = rest {
            let name = word_of(of).map_or("", |name| &name.text);
            let place = match name {
                "tcp" => &mut timeouts.tcp,
                "closing" => &mut timeouts.closing,
                "udp" => &mut timeouts.udp,
                "other" => &mut timeouts.other,
                _ => return self.bad_timeout(of.span),
            };
            if place.is_some() {
                return self.bad_value(&format!("`{name}` stands here twice"), of.span);
            }
            let limit = Duration::from_secs(IDLE_MAX.into());
            *place = Some(self.seconds(time, limit, "a timeout is a time from 1s to 9h")?);
            rest = behind;
        }
        match (rest, prop.values.as_slice()) {
            ([], [_, ..]) => Some(timeouts),
            ([last, ..], _) => self.bad_timeout(last.span),
            ([], []) => self.bad_timeout(prop.span),
        }
    }

    fn bad_timeout<T>(&mut self, span: Span) -> Option<T> {
        let message = "`timeout` takes `tcp`, `closing`, `udp` or `other`, each with a time";
        self.report(
            Diagnostic::error(Code::BadValue, message, span)
                .note("write `timeout tcp 15m closing 2m udp 5m`"),
        );
        None
    }

    /// `flows off`, `flows auto`, `flows auto 1M idle 2h`, `flows 64K idle 15m`. `Some(None)` is `off`.
    pub(super) fn flows(&mut self, prop: &'a Prop) -> Option<Option<Flows>> {
        let word = |value| word_of(value).map_or("", |name| &name.text);
        let mut rest = prop.values.as_slice();
        let mut flows = every();
        match rest {
            [] => return self.bad_flows(prop.span),
            [only] if word(only) == "off" => return Some(None),
            [first, behind @ ..] if word(first) == "auto" => (flows, rest) = (changed(), behind),
            [..] => {}
        }
        // What is no word is a number, right or wrong.
        if let Some((size, behind)) = rest.split_first().filter(|(size, _)| word(size).is_empty()) {
            flows.entries = self.entries(size, prop.span)?;
            rest = behind;
        } else if flows.tracking == Tracking::Every {
            return self.bad_flows(prop.span);
        }
        match rest {
            [] => {}
            [idle, value] if word(idle) == "idle" => {
                let limit = Duration::from_secs(IDLE_MAX.into());
                let idle = self.seconds(value, limit, "`idle` is a time from 1s to 9h")?;
                flows = flows.with(Lives::of(idle));
            }
            [..] => return self.bad_flows(prop.span),
        }
        Some(Some(flows))
    }

    fn entries(&mut self, size: &'a Expr, line: Span) -> Option<u32> {
        let entries = match &size.kind {
            ExprKind::Lit(ast::Lit { kind, .. }) => match kind {
                LitKind::Int(entries) => *entries,
                LitKind::Bad => return None,
                _ => return self.bad_flows(line),
            },
            _ => return self.bad_flows(line),
        };
        if !(8..=FLOWS_MAX).contains(&entries) {
            return self.bad_value("a connection table has from 8 to 64M entries", size.span);
        }
        Some((entries as u32).next_power_of_two())
    }

    /// The entries of a table beside that of flows: from 8 to `most`, made a power of two.
    pub(super) fn table_size(&mut self, size: &Expr, most: u32, message: &str) -> Option<u32> {
        match size.kind {
            ExprKind::Lit(ast::Lit {
                kind: LitKind::Int(entries),
                ..
            }) if (8..=u128::from(most)).contains(&entries) => {
                Some((entries as u32).next_power_of_two())
            }
            _ => self.unfit(message, size),
        }
    }

    fn bad_flows<T>(&mut self, span: Span) -> Option<T> {
        let message = "`flows` is `off`, `auto`, or a number of entries";
        self.report(
            Diagnostic::error(Code::BadValue, message, span)
                .note("write `flows off`, `flows auto`, `flows 64K` or `flows 64K idle 15m`"),
        );
        None
    }

    /// A time from a second to `limit`, in seconds.
    pub(super) fn seconds(
        &mut self,
        value: &'a Expr,
        limit: Duration,
        message: &str,
    ) -> Option<u32> {
        match &value.kind {
            ExprKind::Lit(ast::Lit {
                kind: LitKind::Duration(time),
                ..
            }) if *time >= Duration::from_secs(1) && *time <= limit => Some(time.as_secs() as u32),
            _ => self.unfit(message, value),
        }
    }

    /// The connection table that the pool has: the written one, else what its scheduler needs.
    pub(super) fn table(
        &mut self,
        scheduler: (Scheduler, Span),
        persist: Option<Span>,
        written: Option<(Option<Flows>, Span)>,
        timeouts: Option<(Timeouts, Span)>,
    ) -> Option<Flows> {
        let table = self.table_of(scheduler, persist, written);
        let Some((timeouts, span)) = timeouts else {
            return table;
        };
        match table {
            Some(flows) if flows.tracking == Tracking::Every => {
                Some(flows.with(timeouts.over(flows.lives)))
            }
            Some(_) | None => {
                let message = "these timeouts are those of a table of every flow";
                let mut error = Diagnostic::error(Code::FlowsNeeded, message, span)
                    .note("write `flows 64K`, or leave `timeout` out; `flows auto idle 2h` has one time for all");
                if let Some((_, line)) = written {
                    error = error.secondary(line, "this is none");
                }
                self.report(error);
                table
            }
        }
    }

    fn table_of(
        &mut self,
        (scheduler, place): (Scheduler, Span),
        persist: Option<Span>,
        written: Option<(Option<Flows>, Span)>,
    ) -> Option<Flows> {
        let Some((written, span)) = written else {
            return Some(if scheduler.pick().needs_every() || persist.is_some() {
                every()
            } else {
                changed()
            });
        };
        let every = written.is_some_and(|flows| flows.tracking == Tracking::Every);
        if scheduler.pick().needs_every() && !every {
            let message = format!("`{scheduler}` cannot do without a table of every flow");
            let without = if scheduler.pick().counts() {
                "without it nobody knows how many flows a backend has"
            } else {
                "without it each packet of a flow would go elsewhere"
            };
            self.report(
                Diagnostic::error(Code::FlowsNeeded, message, span)
                    .label(without)
                    .secondary(place, "this scheduler counts")
                    .note("write `flows 64K`; `scheduler maglev` needs no such table"),
            );
            return None;
        }
        if let (Some(persist), Some(Tracking::Changed)) =
            (persist, written.map(|flows| flows.tracking))
        {
            let message = "`flows auto` does not go with `persist`";
            self.report(
                Diagnostic::error(Code::BadValue, message, span)
                    .label("it has flows stay where the ring had them")
                    .secondary(persist, "and this where their client is")
                    .note("write `flows 64K`, which is also what a pool with `persist` has without the line; or `flows off`"),
            );
            return None;
        }
        written
    }
}
