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
    /// Under masks: the kind, the bits, their mask.
    masked: Vec<(Masked, Span)>,
    /// The patterns of this arm.
    arm: Vec<(Pattern, Span)>,
}

/// What a pattern takes.
enum Pattern {
    Members(Rc<[Member]>),
    Masked(Masked),
}

/// All values that have these bits under the mask.
#[derive(Clone, Copy)]
struct Masked {
    kind: Kind,
    bits: u128,
    mask: u128,
}

/// So many masks are looked at for a pattern.
const MASKED_MAX: usize = 256;

impl Taken {
    /// A pattern of this arm.
    pub(super) fn note(&mut self, constant: &Constant, span: Span) {
        self.arm.push((Pattern::Members(constant.members()), span));
    }

    /// The same of `bits & mask`.
    pub(super) fn note_masked(&mut self, kind: Kind, (bits, mask): (u128, u128), span: Span) {
        let masked = Masked { kind, bits, mask };
        self.arm.push((Pattern::Masked(masked), span));
    }

    /// Ends the arm; `takes` where no guard may refuse its packets. Gives the patterns that take nothing, each with one that
    /// takes its packets; none where that is so of all.
    fn end(&mut self, takes: bool) -> Vec<(Span, Span)> {
        let arm = std::mem::take(&mut self.arm);
        let count = arm.len();
        let mut swallowed = Vec::new();
        for (pattern, span) in arm {
            let by = match &pattern {
                Pattern::Members(members) => {
                    let by: Option<Vec<Span>> = members.iter().map(|one| self.by(*one)).collect();
                    by.and_then(|by| by.first().copied())
                }
                Pattern::Masked(masked) => self.by_masked(*masked),
            };
            match pattern {
                _ if by.is_some() => swallowed.extend(by.map(|by| (span, by))),
                Pattern::Members(members) if takes => {
                    for one in &*members {
                        self.take(*one, span);
                    }
                }
                Pattern::Masked(masked) if takes && self.masked.len() < MASKED_MAX => {
                    self.masked.push((masked, span));
                }
                Pattern::Members(_) | Pattern::Masked(_) => {}
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
        let range = before.next_back();
        let range =
            range.filter(|((kind, _), (high, _))| *kind == member.kind && *high >= member.high);
        let by = range.map(|(_, (_, span))| *span);
        by.or_else(|| {
            let whole = Masked {
                kind: member.kind,
                bits: member.low,
                mask: u128::MAX,
            };
            (member.low == member.high).then(|| self.by_masked(whole))?
        })
    }

    /// What has looked at no other bits, and wanted these.
    fn by_masked(&self, wanted: Masked) -> Option<Span> {
        let mut masked = self.masked.iter();
        let by = masked.find(|(by, _)| {
            let inside = by.mask & !wanted.mask == 0;
            by.kind == wanted.kind && inside && wanted.bits & by.mask == by.bits
        });
        by.map(|(_, span)| *span)
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
