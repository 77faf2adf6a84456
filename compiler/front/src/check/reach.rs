//! Which packets reach what: a `match` that can never be true, one whose packets an earlier one takes, and a `select` that the
//! ICMP errors of its flows do not reach.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use lvsc_pipeline::pipeline::{ChoiceId, Expr, FieldId, HeaderId};

use super::Checker;
use super::overlay::Overlays;
use super::possible::{Goal, Possible, QUESTION_MAX};
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::{Branch, Policy, Stmt, StmtKind};
use crate::source::Span;

/// So many causes are shown.
const CAUSES_MAX: usize = 3;

impl Checker<'_> {
    /// Warns of what packets do not reach.
    pub(super) fn reach(&mut self) {
        let mut walk = Walk {
            policy: &self.policy,
            possible: Possible::new(&self.policy),
            path: Vec::new(),
            from: 0,
            rewrites: 0,
            unsure: false,
            found: BTreeMap::new(),
        };
        walk.block(&self.policy.body);
        let never = |known: &&Diagnostic| known.code == Code::NeverTrue;
        let known = self.diagnostics.iter().filter(never);
        let known: BTreeSet<Span> = known.filter_map(Diagnostic::span).collect();
        let inside = |found: Span| {
            let mut begins = known.range(found.before()..=found.after());
            begins.any(|known| known.end <= found.end)
        };
        let found = walk.found.into_values().flatten();
        let found = found.filter(|found| !found.span().is_some_and(inside));
        self.diagnostics.extend(found);
    }
}

/// A condition on the way to a statement, and whether it holds there.
#[derive(Clone, Copy)]
struct Step<'a> {
    condition: &'a Expr,
    holds: bool,
    span: Span,
}

/// How much is known at a place.
#[derive(Clone, Copy)]
struct Mark {
    length: usize,
    from: usize,
    rewrites: usize,
    unsure: bool,
}

struct Walk<'a> {
    policy: &'a Policy,
    possible: Possible<'a>,
    path: Vec<Step<'a>>,
    /// What stands before this in the path was asked of another packet: a rewrite came since.
    from: usize,
    /// So many rewrites were seen on ways that lead here.
    rewrites: usize,
    /// One of them wrote what says where headers stand: that is still asked of the packet as it arrived.
    unsure: bool,
    /// What is wrong at a place; `None` where it is fine in one of the uses of the action that it is in.
    found: BTreeMap<Span, Option<Diagnostic>>,
}

impl<'a> Walk<'a> {
    /// Walks through a block; says whether packets go on behind it.
    fn block(&mut self, block: &'a [Stmt]) -> bool {
        let before = self.mark();
        let goes_on = block.iter().all(|stmt| self.stmt(stmt));
        self.leave(before, goes_on);
        goes_on
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> bool {
        match &stmt.kind {
            StmtKind::Match {
                branches,
                otherwise,
            } => self.branches(branches, otherwise),
            StmtKind::Select { key, otherwise, .. } => {
                if self.sees_through(*key) {
                    let lost = self.lost_errors(stmt.span);
                    self.note(stmt.span, lost);
                }
                self.block(otherwise);
                true
            }
            StmtKind::Rewrite(header, field, _) => {
                self.from = self.path.len();
                self.rewrites += 1;
                self.unsure |= self.shapes(*header, *field);
                true
            }
            StmtKind::Verdict(_) => false,
            StmtKind::Let(..)
            | StmtKind::Count(_)
            | StmtKind::CountCell(..)
            | StmtKind::CountKey(..) => true,
        }
    }

    fn branches(&mut self, branches: &'a [Branch], otherwise: &'a [Stmt]) -> bool {
        let before = self.mark();
        // What is known behind, as long as no way but the last one leads there.
        let mut behind = Vec::new();
        let mut ways = 0;
        let mut left = true;
        for branch in branches {
            let step = |holds| Step {
                condition: &branch.condition,
                holds,
                span: branch.span,
            };
            let (yes, no) = (self.can(step(true)), self.can(step(false)));
            let is_written = branch.span.start < branch.span.end;
            if is_written && decided(&branch.condition).is_none() {
                let dead = (!yes).then(|| self.dead(&branch.condition, branch.span));
                self.note(branch.span, dead);
            }
            let goes_on = yes && self.block_behind(step(true), &branch.then);
            ways += usize::from(goes_on);
            match (goes_on, ways) {
                (true, 1) => behind.extend((yes && no).then(|| step(true))),
                (false, 0) => behind.extend((yes && no).then(|| step(false))),
                _ => {}
            }
            left = no;
            if !left {
                break;
            }
            if yes {
                self.path.push(step(false)); // else it says nothing, and is no cause of anything
            }
        }
        ways += usize::from(left && self.block(otherwise));
        self.leave(before, ways > 0);
        if ways == 1 && before.rewrites == self.rewrites {
            self.path.extend(behind);
        }
        ways > 0
    }

    fn block_behind(&mut self, step: Step<'a>, block: &'a [Stmt]) -> bool {
        let before = self.mark();
        self.path.push(step);
        let goes_on = self.block(block);
        self.leave(before, goes_on);
        goes_on
    }

    fn mark(&self) -> Mark {
        Mark {
            length: self.path.len(),
            from: self.from,
            rewrites: self.rewrites,
            unsure: self.unsure,
        }
    }

    /// Forgets what was asked since, and what was written where no packet goes on. Behind a packet that was written and goes
    /// on, nothing is known.
    fn leave(&mut self, before: Mark, goes_on: bool) {
        self.path.truncate(before.length);
        if goes_on && self.rewrites != before.rewrites {
            self.from = before.length;
        } else {
            (self.from, self.rewrites, self.unsure) = (before.from, before.rewrites, before.unsure);
        }
    }

    /// Whether a header's presence is asked of this field, or of one that it may lie on.
    fn shapes(&self, header: HeaderId, field: FieldId) -> bool {
        let mut overlays = Overlays::new(self.policy);
        let mut written = |expr: &Expr| {
            matches!(expr, Expr::Field(of, asked)
                if (*of, *asked) == (header, field) || overlays.may_share(header, *of))
        };
        let headers = self.policy.headers.iter();
        let mut asked: Vec<&Expr> = headers
            .flat_map(|header| {
                let edges = header.after.iter().map(|after| &after.when);
                edges.chain(&header.valid)
            })
            .collect();
        while let Some(expr) = asked.pop() {
            if written(expr) {
                return true;
            }
            asked.extend(expr.parts());
        }
        false
    }

    fn note(&mut self, span: Span, found: Option<Diagnostic>) {
        let found = found.filter(|_| !self.unsure);
        match (self.found.entry(span), found) {
            (Entry::Vacant(place), found) => {
                place.insert(found);
            }
            (Entry::Occupied(mut place), None) => {
                place.insert(None);
            }
            (Entry::Occupied(_), Some(_)) => {}
        }
    }

    fn can(&mut self, step: Step<'a>) -> bool {
        let path = recent(&self.path, self.from);
        together(&mut self.possible, path, goal(step))
    }

    /// The least part of the path that leaves no packet for the goal.
    fn causes(&mut self, last: Goal<'a>) -> Vec<Step<'a>> {
        let mut causes = recent(&self.path, self.from).to_vec();
        let mut at = 0;
        while at < causes.len() && !self.possible.is_tired() {
            let one = causes.remove(at);
            if together(&mut self.possible, &causes, last) {
                causes.insert(at, one);
                at += 1;
            }
        }
        causes
    }

    fn dead(&mut self, condition: &'a Expr, span: Span) -> Diagnostic {
        let causes = self.causes(Goal::Condition(condition, true));
        let taken = causes.iter().any(|cause| !cause.holds);
        let mut found = if taken {
            Diagnostic::warning(
                Code::TakenEarlier,
                "no packet is left for this condition",
                span,
            )
        } else {
            Diagnostic::warning(Code::NeverTrue, "this can never be true", span)
        };
        for cause in causes.iter().take(CAUSES_MAX) {
            let text = if cause.holds {
                "only packets of this kind come in"
            } else {
                "packets of this kind ended here"
            };
            found = found.secondary(cause.span, text);
        }
        found
    }

    /// Whether ICMP errors have this key of the packet that they quote: of what only the policy knows they do not tell.
    fn sees_through(&self, key: ChoiceId) -> bool {
        let key = self.policy.choices.get(usize::from(key.0));
        key.is_some_and(|key| key.alternatives.iter().any(|way| way.passive))
    }

    /// An ICMP error must reach the `select` of the flow that it tells of. It does not where a condition on the way asks for a
    /// header that it does not have.
    fn lost_errors(&mut self, select: Span) -> Option<Diagnostic> {
        let mut causes = Vec::new();
        for (family, quoted) in [("ip4", "quoted4"), ("ip6", "quoted6")] {
            let [family, quoted] = [family, quoted].map(|name| self.header(name));
            let (family, quoted) = (Goal::Header(family?, true), Goal::Header(quoted?, true));
            let path = recent(&self.path, self.from);
            if !together(&mut self.possible, path, family) {
                continue;
            }
            if together(&mut self.possible, path, quoted) {
                return None;
            }
            let earlier = path.iter().copied().filter(|step| !step.holds);
            let earlier: Vec<Step<'_>> = earlier.collect();
            if !together(&mut self.possible, &earlier, quoted) {
                return None; // they ended earlier, as the policy says
            }
            causes = self.causes(quoted);
        }
        let cause = causes.last()?;
        let found = Diagnostic::warning(
            Code::IcmpErrorsLost,
            "ICMP errors do not find the flow that they tell of",
            cause.span,
        );
        Some(
            found
                .label("they have no such header of their own")
                .secondary(select, "so they do not come here")
                .note("path MTU discovery needs them: without \"fragmentation needed\" large packets vanish")
                .note("`flow.dport` and `flow.protocol` are the flow's, for its packets and for ICMP errors alike"),
        )
    }

    fn header(&self, name: &str) -> Option<HeaderId> {
        let mut headers = self.policy.headers.iter();
        let found = headers.position(|header| header.name == name);
        found.map(|id| HeaderId(id as u16))
    }
}

/// As much of the path, from this place on, as one question looks at.
fn recent<'p, 'a>(path: &'p [Step<'a>], from: usize) -> &'p [Step<'a>] {
    let old = path.len().saturating_sub(QUESTION_MAX);
    path.get(old.max(from)..).unwrap_or_default()
}

/// Whether a packet may come by this path and meet the goal.
fn together<'a>(possible: &mut Possible<'a>, path: &[Step<'a>], last: Goal<'a>) -> bool {
    let path = path.iter().map(|step| goal(*step));
    possible.together(path.chain([last]))
}

fn goal(step: Step<'_>) -> Goal<'_> {
    Goal::Condition(step.condition, step.holds)
}

/// What a condition is that constants decide: meant so, or said where they are compared.
fn decided(condition: &Expr) -> Option<bool> {
    match condition {
        Expr::Constant { value, .. } => Some(*value != 0),
        Expr::Not(a) => decided(a).map(|holds| !holds),
        Expr::And(a, b) | Expr::Or(a, b) => {
            let whole = matches!(condition, Expr::Or(..)); // one such part decides
            let parts = [decided(a), decided(b)];
            let one = parts.contains(&Some(whole)).then_some(whole);
            one.or((parts == [Some(!whole); 2]).then_some(!whole))
        }
        _ => None,
    }
}
