//! Patterns of a `switch` that earlier ones swallow, in an arm that others of its patterns reach. (An arm that nothing reaches
//! is found by `reach`.)

use std::collections::BTreeMap;
use std::rc::Rc;

use lvsc_pipeline::pipeline::Kind;

use super::Checker;
use super::constant::{Constant, Member};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

/// What the arms so far take.
#[derive(Default)]
pub(super) struct Taken {
    /// From a first value to the last one; none lies in another.
    ranges: BTreeMap<(Kind, u128), (u128, Span)>,
    /// The patterns of this arm.
    arm: Vec<(Rc<[Member]>, Span)>,
}

impl Taken {
    /// A pattern of this arm.
    pub(super) fn note(&mut self, constant: &Constant, span: Span) {
        self.arm.push((constant.members(), span));
    }

    /// Ends the arm; `takes` where no guard may refuse its packets. Gives the patterns that take nothing, each with one that
    /// takes its packets; none where that is so of all.
    fn end(&mut self, takes: bool) -> Vec<(Span, Span)> {
        let arm = std::mem::take(&mut self.arm);
        let count = arm.len();
        let mut swallowed = Vec::new();
        for (members, span) in arm {
            let by: Option<Vec<Span>> = members.iter().map(|one| self.by(*one)).collect();
            if let Some(first) = by.and_then(|by| by.first().copied()) {
                swallowed.push((span, first));
            } else if takes {
                for one in &*members {
                    self.take(*one, span);
                }
            }
        }
        if swallowed.len() == count {
            swallowed.clear();
        }
        swallowed
    }

    /// What takes all of this.
    fn by(&self, member: Member) -> Option<Span> {
        let mut before = self.ranges.range(..=(member.kind, member.low));
        let ((kind, _), (high, span)) = before.next_back()?;
        (*kind == member.kind && *high >= member.high).then_some(*span)
    }

    fn take(&mut self, member: Member, span: Span) {
        if self.by(member).is_some() {
            return;
        }
        let inside = (member.kind, member.low)..=(member.kind, member.high);
        let inside = self.ranges.range(inside);
        let inside = inside.filter(|(_, (high, _))| *high <= member.high);
        let inside: Vec<_> = inside.map(|(first, _)| *first).collect();
        for first in inside {
            self.ranges.remove(&first);
        }
        let first = (member.kind, member.low);
        self.ranges.insert(first, (member.high, span));
    }
}

impl Checker<'_> {
    /// Warns of the patterns of an arm that earlier ones swallow.
    pub(super) fn end_arm(&mut self, taken: &mut Taken, takes: bool) {
        for (span, by) in taken.end(takes) {
            let message = "no packet is left for this pattern";
            self.report(
                Diagnostic::warning(Code::TakenEarlier, message, span)
                    .secondary(by, "this takes it"),
            );
        }
    }
}
