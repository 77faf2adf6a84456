//! Whether a check holds for a frame, and the frame for which it would have held.

use lvsc_abi::image::Bytes;
use lvsc_abi::mac::Mac;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::{Check, CheckKind};
use lvsc_pipeline::interp::{self, Event, Fact, Observer};
use lvsc_pipeline::layout::{Sections, layout};
use lvsc_pipeline::pipeline::{
    Binary, ChoiceId, Compare, Edge, Expr, FieldId, HeaderId, InterfaceRef, Node, Outcome,
    Pipeline, PoolId, Step,
};
use lvsc_pipeline::words;
use lvsc_runtime::publish::publish;
use lvsc_runtime::world::World;

use super::Passage;

/// Decides checks on one passage.
pub(super) struct Judge<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) world: &'a World,
    pub(super) passage: &'a Passage,
}

impl Judge<'_> {
    /// Whether the check holds if this is the frame that left.
    pub(super) fn holds(&self, check: &CheckKind, frame: &[u8]) -> bool {
        let came = &self.passage.came;
        match check {
            CheckKind::Holds(condition) => self.condition(condition, frame),
            CheckKind::PoolMac { value, pool } => self
                .macs(*pool)
                .any(|mac| self.condition(&equals(value, mac), frame)),
            CheckKind::HeaderUnchanged(headers) => {
                let before = self.header(came, headers).and_then(|at| came.get(at..));
                let after = self.header(frame, headers).and_then(|at| frame.get(at..));
                before.is_some() && before == after
            }
            CheckKind::FieldUnchanged(fields) => {
                let before = self.field(came, fields).map(|(_, value)| value);
                let after = self.field(frame, fields).map(|(_, value)| value);
                before.is_some() && before == after
            }
        }
    }

    /// What the checks rest on, in the frame that left: `ip4.ttl is 63, tcp is absent`.
    pub(super) fn why(&self, checks: &[&Check]) -> String {
        let mut facts: Vec<Fact> = Vec::new();
        for fact in checks.iter().flat_map(|check| self.facts(&check.kind)) {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        words::facts(self.pipeline, &facts)
    }

    fn facts(&self, check: &CheckKind) -> Vec<Fact> {
        let left = &self.passage.left;
        let absent = |headers: &mut dyn Iterator<Item = HeaderId>| {
            let absent = headers.map(|header| Fact::Header(header, false));
            absent.collect()
        };
        match check {
            CheckKind::Holds(condition) => self.decide(condition, left),
            CheckKind::PoolMac { value, .. } => self.decide(&equals(value, 0), left),
            CheckKind::HeaderUnchanged(headers) if self.header(left, headers).is_none() => {
                absent(&mut headers.iter().copied())
            }
            CheckKind::FieldUnchanged(fields) if self.field(left, fields).is_none() => {
                absent(&mut fields.iter().map(|(header, _)| *header))
            }
            CheckKind::HeaderUnchanged(_) | CheckKind::FieldUnchanged(_) => Vec::new(),
        }
    }

    /// The frame for which all checks would have held, where there is one way to change the one that left into it.
    pub(super) fn expected(&self, checks: &[Check]) -> Option<Vec<u8>> {
        let mut frame = self.passage.left.clone();
        for check in checks {
            if !self.holds(&check.kind, &frame) {
                self.mend(&check.kind, &mut frame);
            }
        }
        let all = checks.iter().all(|check| self.holds(&check.kind, &frame));
        all.then_some(frame)
    }

    /// Changes the frame so that the check holds, as far as there is one way to do it.
    fn mend(&self, check: &CheckKind, frame: &mut Vec<u8>) {
        let came = &self.passage.came;
        match check {
            CheckKind::Holds(condition) => self.force(condition, true, frame),
            CheckKind::PoolMac { value, pool } => {
                if let Some(mac) = self.mac(*pool) {
                    self.force(&equals(value, mac), true, frame);
                }
            }
            CheckKind::HeaderUnchanged(headers) => {
                let (before, after) = (self.header(came, headers), self.header(frame, headers));
                if let (Some(before), Some(after)) = (before, after) {
                    frame.truncate(after);
                    frame.extend(came.iter().skip(before));
                }
            }
            CheckKind::FieldUnchanged(fields) => {
                if let Some(((header, field), value)) = self.field(came, fields) {
                    self.assign(frame, (header, field), &constant(value, 128));
                }
            }
        }
    }

    /// Makes a condition hold, or not, where it says exactly how: by an equation, or by a bit.
    fn force(&self, condition: &Expr, wanted: bool, frame: &mut [u8]) {
        match (condition, wanted) {
            (Expr::And(a, b), true) | (Expr::Or(a, b), false) => {
                self.force(a, wanted, frame);
                self.force(b, wanted, frame);
            }
            (Expr::Not(inner), _) => self.force(inner, !wanted, frame),
            (Expr::Compare(Compare::Eq, a, b), true)
            | (Expr::Compare(Compare::Ne, a, b), false) => self.equate(a, b, frame),
            (Expr::Compare(Compare::Ne, masked, _), true) => {
                if let Expr::Binary(Binary::And, _, mask) = masked.as_ref() {
                    self.equate(masked, mask, frame); // `flags & 0x02 != 0`: one bit, or it will not hold
                }
            }
            (Expr::Field(..), true) => self.equate(condition, &Expr::TRUE, frame),
            (Expr::Field(..), false) => self.equate(condition, &Expr::FALSE, frame),
            (Expr::Chosen(choice, each), _) => {
                if let Some(taken) = self.taken(*choice, each, frame) {
                    self.force(taken, wanted, frame);
                }
            }
            (
                Expr::Compare(..)
                | Expr::And(..)
                | Expr::Or(..)
                | Expr::In(..)
                | Expr::Present(_)
                | Expr::Constant { .. }
                | Expr::Variable(_)
                | Expr::Binary(..)
                | Expr::Resize(..)
                | Expr::Interface(..)
                | Expr::Backend(..),
                _,
            ) => {}
        }
    }

    /// Makes two values equal, where one of them is in the frame.
    fn equate(&self, a: &Expr, b: &Expr, frame: &mut [u8]) {
        match a {
            Expr::Field(header, field) => self.assign(frame, (*header, *field), b),
            Expr::Binary(Binary::And, masked, mask) => {
                if let (Expr::Field(header, field), Expr::Constant { value, width }) =
                    (masked.as_ref(), mask.as_ref())
                {
                    let rest = Box::new(constant(!value & u128::MAX >> (128 - width), *width));
                    let rest = Expr::Binary(Binary::And, masked.clone(), rest);
                    let both = Expr::Binary(Binary::Or, Box::new(rest), Box::new(b.clone()));
                    self.assign(frame, (*header, *field), &both);
                }
            }
            Expr::Chosen(choice, each) => {
                if let Some(taken) = self.taken(*choice, each, frame) {
                    self.equate(taken, b, frame);
                }
            }
            Expr::Compare(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_) if *b == Expr::TRUE => {
                self.force(a, true, frame);
            }
            Expr::Compare(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_)
                if *b == Expr::FALSE =>
            {
                self.force(a, false, frame);
            }
            Expr::Interface(..) | Expr::Backend(..) => {
                if let Expr::Field(..) | Expr::Chosen(..) = b {
                    self.equate(b, a, frame);
                }
            }
            Expr::Compare(..)
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_)
            | Expr::Constant { .. }
            | Expr::Variable(_)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::In(..)
            | Expr::Present(_) => {}
        }
    }

    /// What stands for the alternative that the frame takes.
    fn taken<'e>(&self, choice: ChoiceId, each: &'e [Expr], frame: &[u8]) -> Option<&'e Expr> {
        let alternatives = &self.pipeline.choice(choice).alternatives;
        let mut each = alternatives.iter().zip(each);
        let taken = each.find(|(alternative, _)| self.condition(&alternative.condition, frame))?;
        Some(taken.1)
    }

    /// The MAC that is meant: of the backend that the packet got, else of the only one.
    fn mac(&self, pool: PoolId) -> Option<u64> {
        let chosen = self.passage.backend.filter(|(known, _)| *known == pool);
        if let Some((_, id)) = chosen {
            let backends = &self.pipeline.pool(pool).backends;
            let place = backends.iter().position(|backend| backend.id == id)?;
            let states = self.world.pools.get(usize::from(pool.0))?;
            return states.get(place)?.mac.map(Mac::to_bits);
        }
        let mut macs = self.macs(pool);
        macs.next().filter(|_| macs.next().is_none())
    }

    fn macs(&self, pool: PoolId) -> impl Iterator<Item = u64> {
        let backends = self.world.pools.get(usize::from(pool.0));
        let macs = backends
            .into_iter()
            .flatten()
            .filter_map(|backend| backend.mac);
        macs.map(Mac::to_bits)
    }

    /// Where the first present one of these headers begins.
    fn header(&self, frame: &[u8], headers: &[HeaderId]) -> Option<usize> {
        let mut each = headers.iter();
        each.find_map(|header| interp::offset(self.pipeline, frame, *header))
    }

    /// The first present one of these fields, and its value.
    fn field(
        &self,
        frame: &[u8],
        fields: &[(HeaderId, FieldId)],
    ) -> Option<((HeaderId, FieldId), u128)> {
        let mut each = fields.iter();
        each.find_map(|(header, field)| {
            let expr = Expr::Field(*header, *field);
            let value = interp::evaluate(self.pipeline, frame, &expr)?;
            Some(((*header, *field), value))
        })
    }

    fn condition(&self, condition: &Expr, frame: &[u8]) -> bool {
        let mut frame = frame.to_vec();
        self.ask(
            Step::Match(condition.clone()),
            &mut frame,
            &mut interp::Blind,
        )
    }

    /// The facts that decide a condition.
    fn decide(&self, condition: &Expr, frame: &[u8]) -> Vec<Fact> {
        let (mut frame, mut seen) = (frame.to_vec(), Facts(Vec::new()));
        self.ask(Step::Match(condition.clone()), &mut frame, &mut seen);
        seen.0
    }

    /// Assigns a field as a policy does: the header's checksum stays as right as it was.
    fn assign(&self, frame: &mut [u8], (header, field): (HeaderId, FieldId), value: &Expr) {
        let step = Step::Rewrite(header, field, value.clone());
        self.ask(step, frame, &mut interp::Blind);
    }

    /// Takes one step with a frame, in the state of the test: a pipeline of its own. Whether it goes on by its yes, if it
    /// asks something.
    fn ask(&self, step: Step, frame: &mut [u8], observer: &mut dyn Observer) -> bool {
        let mut question = self.pipeline.clone();
        let parse = question.step(question.entry).step.clone();
        question.graph.clear();
        let mut add = |step| {
            question.graph.add_node(Node {
                step,
                place: Place::default(),
            })
        };
        let entry = add(parse);
        let asked = add(step);
        let yes = add(Step::Verdict(Outcome::Pass));
        let no = add(Step::Verdict(Outcome::Send(InterfaceRef::Ingress)));
        question.entry = entry;
        for (from, to, edge) in [
            (entry, asked, Edge::Next),
            (asked, yes, Edge::Next),
            (asked, yes, Edge::Yes),
            (asked, no, Edge::No),
        ] {
            question.graph.add_edge(from, to, edge);
        }
        let layout = layout(&question);
        let sections = Sections::of(&question, &layout);
        let mut image = Bytes::new(layout);
        publish(&question.manifest, self.world, &mut image);
        let ingress = self.passage.ingress;
        let (verdict, _) = interp::run(&question, &sections, &mut image, frame, ingress, observer);
        verdict == Verdict::Pass
    }
}

/// Sees what decides a condition.
struct Facts(Vec<Fact>);

impl Observer for Facts {
    fn see(&mut self, _: Place, event: Event<'_>) {
        if let Event::Decided(_, _, facts) = event {
            self.0 = facts;
        }
    }
}

fn constant(value: u128, width: u16) -> Expr {
    Expr::Constant { value, width }
}

fn equals(value: &Expr, mac: u64) -> Expr {
    let mac = constant(u128::from(mac), 48);
    Expr::Compare(Compare::Eq, Box::new(value.clone()), Box::new(mac))
}
