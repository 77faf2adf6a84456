//! Can these conditions hold at once? A search through what a packet may be: which headers it has, which alternative of a
//! choice it takes, and what its values may be. Where it cannot tell it says yes, so its no can be relied on.

use lvsc_pipeline::pipeline::{Binary, ChoiceId, Compare, Expr, HeaderId, VariableKind};

use super::known::Known;
use super::presence::{Fact, fields};
use crate::policy::Policy;

/// Steps of one question, and of all: what takes longer is possible. A policy of usual size needs some thousands.
pub(super) const QUESTION_MAX: usize = 1 << 12;
const ALL_MAX: usize = 1 << 17;

/// A set of more ranges is not looked into: a packet is in it or is not.
const RANGES_MAX: usize = 1 << 12;

/// Something that is to hold.
#[derive(Clone, Copy)]
pub(super) enum Goal<'a> {
    /// The condition holds, or does not.
    Condition(&'a Expr, bool),
    /// The header is present, or is not.
    Header(HeaderId, bool),
}

/// Answers questions on one policy.
pub(super) struct Possible<'a> {
    policy: &'a Policy,
    /// What a member of each set may be; `None` of those that are not looked into.
    sets: Vec<Option<Known>>,
    left: usize,
}

/// What is assumed of the packet. Few things at a time: lists are fast enough.
#[derive(Clone, Default)]
struct Packet<'a> {
    headers: Vec<(HeaderId, bool)>,
    /// Conditions that can be met in several ways.
    open: Vec<(&'a Expr, bool)>,
    /// Present headers of which it was not yet asked behind what they stand.
    hanging: Vec<HeaderId>,
    choices: Vec<(ChoiceId, Option<usize>)>,
    values: Vec<(&'a Expr, Known)>,
}

impl<'a> Possible<'a> {
    pub(super) fn new(policy: &'a Policy) -> Possible<'a> {
        let sets = policy.sets.iter().map(|set| {
            let is_small = set.ranges.len() <= RANGES_MAX;
            is_small.then(|| Known::only(set.ranges.clone()))
        });
        Possible {
            policy,
            sets: sets.collect(),
            left: ALL_MAX,
        }
    }

    /// Whether every further question is answered by yes.
    pub(super) fn is_tired(&self) -> bool {
        self.left == 0
    }

    /// Whether all goals can be met by one packet.
    pub(super) fn together(&mut self, goals: impl IntoIterator<Item = Goal<'a>>) -> bool {
        if self.left == 0 {
            return true;
        }
        let mut steps = QUESTION_MAX.min(self.left);
        self.left -= steps;
        let possible = self.search(Packet::default(), goals.into_iter().collect(), &mut steps);
        self.left += steps;
        possible
    }

    /// Meets the goals one after the other, the last one first: those with one way, then conditions with several, of which
    /// each is tried. Behind what headers stand is asked last, for there are the most ways.
    fn search(&self, mut packet: Packet<'a>, mut goals: Vec<Goal<'a>>, steps: &mut usize) -> bool {
        while let Some(goal) = goals.pop() {
            if !spend(steps) {
                return true;
            }
            let ways = match goal {
                Goal::Header(id, holds) => self.header(id, holds, &mut packet),
                Goal::Condition(expr, holds) => self.condition(expr, holds, &mut packet),
            };
            match (ways.as_slice(), goal) {
                ([], _) => return false,
                ([(None, way)], _) | ([(_, way), ..], Goal::Header(..)) => goals.extend(way),
                (_, Goal::Condition(expr, holds)) => packet.open.push((expr, holds)),
            }
        }
        if !spend(steps) {
            return true;
        }
        let ways = if packet.open.is_empty() {
            match packet.hanging.pop() {
                Some(id) => self.behind(id),
                None => return true,
            }
        } else {
            let (expr, holds) = packet.open.remove(0);
            self.condition(expr, holds, &mut packet)
        };
        // What could be met in several ways may now be in one.
        let open = std::mem::take(&mut packet.open).into_iter().rev();
        let open: Vec<Goal> = open
            .map(|(expr, holds)| Goal::Condition(expr, holds))
            .collect();
        ways.into_iter().any(|(taken, way)| {
            let (mut packet, mut goals) = (packet.clone(), open.clone());
            packet.choices.extend(taken);
            goals.extend(way);
            self.search(packet, goals, steps)
        })
    }

    /// A present header is valid.
    fn header(&self, id: HeaderId, holds: bool, packet: &mut Packet<'a>) -> Vec<Way<'a>> {
        if let Some((_, known)) = packet.headers.iter().find(|(known, _)| *known == id) {
            return possible(*known == holds);
        }
        packet.headers.push((id, holds));
        let Some(header) = self.policy.headers.get(usize::from(id.0)) else {
            return possible(true);
        };
        if !holds {
            return possible(true);
        }
        if !header.after.is_empty() {
            packet.hanging.push(id);
        }
        let valid = header.valid.iter();
        let valid = valid.map(|valid| Goal::Condition(valid, true));
        vec![(None, valid.collect())]
    }

    /// It stands behind one of its predecessors.
    fn behind(&self, id: HeaderId) -> Vec<Way<'a>> {
        let header = self.policy.headers.get(usize::from(id.0));
        let behind = header.into_iter().flat_map(|header| &header.after);
        let behind = behind.map(|after| {
            let before = Goal::Header(after.header, true);
            let when = Goal::Condition(&after.when, true);
            (None, vec![when, before])
        });
        behind.collect()
    }

    fn condition(&self, expr: &'a Expr, holds: bool, packet: &mut Packet<'a>) -> Vec<Way<'a>> {
        match expr {
            Expr::And(a, b) | Expr::Or(a, b) => {
                let (a, b) = (Goal::Condition(a, holds), Goal::Condition(b, holds));
                if matches!(expr, Expr::And(..)) == holds {
                    vec![(None, vec![b, a])]
                } else {
                    vec![(None, vec![a]), (None, vec![b])]
                }
            }
            Expr::Not(a) => vec![(None, vec![Goal::Condition(a, !holds)])],
            Expr::Present(header) => vec![(None, vec![Goal::Header(*header, holds)])],
            Expr::Chosen(choice, each) => self.chosen(*choice, each, holds, packet),
            Expr::Constant { value, .. } => possible((*value != 0) == holds),
            Expr::Compare(..)
            | Expr::In(..)
            | Expr::Field(..)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Variable(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => self.compared(expr, holds, packet),
        }
    }

    /// One alternative is taken, or none and the condition does not hold.
    fn chosen(
        &self,
        choice: ChoiceId,
        each: &'a [Expr],
        holds: bool,
        packet: &Packet<'a>,
    ) -> Vec<Way<'a>> {
        if let Some((_, taken)) = packet.choices.iter().find(|(known, _)| *known == choice) {
            return match taken.map(|taken| each.get(taken)) {
                Some(Some(expr)) => vec![(None, vec![Goal::Condition(expr, holds)])],
                Some(None) => possible(true),
                None => possible(!holds),
            };
        }
        let found = self.policy.choices.get(usize::from(choice.0));
        let ways = || found.into_iter().flat_map(|choice| &choice.alternatives);
        let taken = ways().zip(each).enumerate().map(|(index, (way, expr))| {
            let condition = Goal::Condition(&way.condition, true);
            let goals = vec![Goal::Condition(expr, holds), condition];
            (Some((choice, Some(index))), goals)
        });
        let none = ways().map(|way| Goal::Condition(&way.condition, false));
        let none = (!holds).then(|| (Some((choice, None)), none.collect()));
        taken.chain(none).collect()
    }

    /// A comparison narrows what its value may be. One that does not hold says nothing where the value is absent.
    fn compared(&self, expr: &'a Expr, holds: bool, packet: &mut Packet<'a>) -> Vec<Way<'a>> {
        let (value, known) = self.operands(expr);
        let known = if holds { known } else { known.not() };
        if let Expr::Constant { value, .. } = value {
            let only = Known::only(vec![(*value, *value)]);
            return possible(known.and(&only) == only);
        }
        let at = packet.values.iter().position(|(known, _)| *known == value);
        let known = match at.map(|at| packet.values.swap_remove(at)) {
            Some((_, before)) => before.and(&known),
            None => known,
        };
        let clashes = packet
            .values
            .iter()
            .any(|(other, also)| clash((value, &known), (other, also)));
        let left = !clashes && !known.is_none(self.width(value));
        packet.values.push((value, known));
        let facts: Vec<Fact> = fields(expr).into_iter().collect();
        match (holds, left, facts.as_slice()) {
            (true, true, facts) => {
                let present = facts.iter().filter_map(|fact| match fact {
                    Fact::Header(header) => Some(Goal::Header(*header, true)),
                    Fact::Choice(_) => None,
                });
                vec![(None, present.collect())]
            }
            (true, false, _) | (false, false, []) => possible(false),
            (false, false, [Fact::Header(only)]) => {
                vec![(None, vec![Goal::Header(*only, false)])]
            }
            (false, ..) => possible(true),
        }
    }

    /// The value that is compared with a constant, and what it is where the comparison holds. Of any other condition: the
    /// condition itself, which is 1.
    fn operands(&self, expr: &'a Expr) -> (&'a Expr, Known) {
        match expr {
            Expr::Compare(op, a, b) => {
                if let Expr::Constant { value, .. } = **b {
                    return (self.narrow(a), compared_with(*op, value));
                }
            }
            Expr::In(a, set) => {
                if let Some(Some(members)) = self.sets.get(usize::from(set.0)) {
                    return (self.narrow(a), members.clone());
                }
            }
            _ => {}
        }
        (expr, Known::only(vec![(1, 1)]))
    }

    /// The value that was widened.
    fn narrow(&self, expr: &'a Expr) -> &'a Expr {
        match expr {
            Expr::Resize(width, inner) if self.width(inner) <= *width => self.narrow(inner),
            _ => expr,
        }
    }

    /// Width of a value (bits); the most that there is where it does not matter.
    fn width(&self, expr: &Expr) -> u16 {
        let found = match expr {
            Expr::Field(header, field) => {
                let header = self.policy.headers.get(usize::from(header.0));
                let field = header.and_then(|header| header.fields.get(usize::from(field.0)));
                field.map(|field| field.width)
            }
            Expr::Variable(id) => match self.policy.variables.get(usize::from(id.0)) {
                Some(variable) => match variable.kind {
                    VariableKind::Value(width) => Some(width),
                    VariableKind::Backend(_) => None,
                },
                None => None,
            },
            Expr::Binary(_, a, _) => Some(self.width(a)),
            Expr::Resize(width, _) | Expr::Constant { width, .. } => Some(*width),
            _ => None,
        };
        found.unwrap_or(128)
    }
}

/// So many numbers of a value are tried one by one.
const TRIED_MAX: usize = 16;

/// Whether these are of one value, under masks, and no number is both.
fn clash((a, known): (&Expr, &Known), (b, also): (&Expr, &Known)) -> bool {
    let ((a, mask), (b, other)) = (masked(a), masked(b));
    let lacks = |known: &Known, mask, also: &Known, other| {
        let numbers = known.numbers(TRIED_MAX);
        numbers.is_some_and(|numbers| numbers.iter().all(|n| !also.may_be(*n, mask, other)))
    };
    a == b && (lacks(known, mask, also, other) || lacks(also, other, known, mask))
}

/// The value under a mask, and the mask; all bits where it stands alone.
fn masked(expr: &Expr) -> (&Expr, u128) {
    if let Expr::Binary(Binary::And, a, b) = expr {
        match (&**a, &**b) {
            (value, Expr::Constant { value: mask, .. })
            | (Expr::Constant { value: mask, .. }, value) => return (value, *mask),
            _ => {}
        }
    }
    (expr, u128::MAX)
}

/// Takes one step; no if there is none left.
fn spend(steps: &mut usize) -> bool {
    let left = steps.checked_sub(1);
    *steps = left.unwrap_or(0);
    left.is_some()
}

/// A way to go on: the alternative that it takes, and its goals.
type Way<'a> = (Option<(ChoiceId, Option<usize>)>, Vec<Goal<'a>>);

/// The one way that asks for nothing more, or no way.
fn possible<'a>(possible: bool) -> Vec<Way<'a>> {
    possible.then(|| (None, Vec::new())).into_iter().collect()
}

/// What a value is that compares so with a constant.
fn compared_with(op: Compare, constant: u128) -> Known {
    let below = match constant.checked_sub(1) {
        Some(last) => Known::only(vec![(0, last)]),
        None => Known::none(),
    };
    let up_to = Known::only(vec![(0, constant)]);
    let equal = Known::only(vec![(constant, constant)]);
    match op {
        Compare::Eq => equal,
        Compare::Ne => equal.not(),
        Compare::Lt => below,
        Compare::Ge => below.not(),
        Compare::Le => up_to,
        Compare::Gt => up_to.not(),
    }
}
