//! The connection table of a pool: what its `flows` line says, else what its scheduler needs.

use std::time::Duration;

use lvsc_abi::flows::IDLE_MAX;
use lvsc_abi::manifest::{Flows, Tracking};
use lvsc_abi::scheduler::{Pick, Scheduler};

use super::Checker;
use super::pools::word_of;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, LitKind, Prop};

/// Most entries of a connection table: 512 MiB.
const FLOWS_MAX: u128 = 1 << 26;
/// The table of a counting scheduler that has no `flows` line.
const EVERY: Flows = Flows {
    entries: 1 << 16,
    idle: 900,
    tracking: Tracking::Every,
};
/// The table of a scheduler that picks by hash and has no `flows` line: it is asked only while something changes, and then
/// for as long as a connection may be silent (RFC 5382, section 5).
const CHANGED: Flows = Flows {
    entries: 1 << 18,
    idle: 7200,
    tracking: Tracking::Changed,
};

impl<'a> Checker<'a> {
    /// `flows off`, `flows auto`, `flows auto 1M idle 2h`, `flows 64K idle 15m`. `Some(None)` is `off`.
    pub(super) fn flows(&mut self, prop: &'a Prop) -> Option<Option<Flows>> {
        let word = |value| word_of(value).map_or("", |name| &name.text);
        let mut rest = prop.values.as_slice();
        let mut flows = EVERY;
        match rest {
            [] => return self.bad_flows(prop.span),
            [only] if word(only) == "off" => return Some(None),
            [first, behind @ ..] if word(first) == "auto" => (flows, rest) = (CHANGED, behind),
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
                flows.idle = self.seconds(value, limit, "`idle` is a time from 1s to 9h")?;
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
        (scheduler, place): (Scheduler, Span),
        written: Option<(Option<Flows>, Span)>,
    ) -> Option<Flows> {
        let Some((written, span)) = written else {
            return Some(match scheduler.pick() {
                Pick::Hash => CHANGED,
                Pick::Cursor => EVERY,
            });
        };
        let every = written.is_some_and(|flows| flows.tracking == Tracking::Every);
        if scheduler.pick() == Pick::Cursor && !every {
            let message = format!("`{scheduler}` cannot do without a table of every flow");
            self.report(
                Diagnostic::error(Code::FlowsNeeded, message, span)
                    .label("without it each packet of a flow would go elsewhere")
                    .secondary(place, "this scheduler counts")
                    .note("write `flows 64K`; `scheduler maglev` needs no such table"),
            );
            return None;
        }
        written
    }
}
