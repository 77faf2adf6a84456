//! Which headers are surely present where: a field used as a value needs its header (language reference, "Presence").
//! Works on expressions alone, knows no syntax.

use std::collections::BTreeSet;

use lvsc_pipeline::pipeline::{Choice, ChoiceId, Expr, Header, HeaderId};

/// Something that surely holds for the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// The header is present.
    Header(HeaderId),
    /// One of the alternatives is taken.
    Choice(ChoiceId),
}

/// All that surely holds at a point of the policy.
pub(super) type Facts = BTreeSet<Fact>;

/// What a present header implies, for each header. Kept until a header or a choice is added: without a memory, headers
/// with two predecessors each take twice the time at every step.
#[derive(Default)]
pub(super) struct Implied {
    facts: Vec<Facts>,
    choices: usize,
}

impl Implied {
    /// Takes in what was added.
    pub(super) fn refresh(&mut self, headers: &[Header], choices: &[Choice]) {
        if (self.facts.len(), self.choices) == (headers.len(), choices.len()) {
            return;
        }
        self.choices = choices.len();
        self.facts = (0..headers.len())
            .map(|id| Facts::from([Fact::Header(HeaderId(id as u16))]))
            .collect();
        for (id, choice) in choices.iter().enumerate() {
            for way in &choice.alternatives {
                if let Expr::Present(header) = way.condition
                    && let Some(facts) = self.facts.get_mut(usize::from(header.0))
                {
                    facts.insert(Fact::Choice(ChoiceId(id as u16)));
                }
            }
        }
        // Predecessors come first. A present header has a present one.
        for (id, header) in headers.iter().enumerate() {
            let before = header.after.iter().map(|after| usize::from(after.header.0));
            let common = before
                .filter_map(|before| self.facts.get(before).cloned())
                .reduce(|a, b| &a & &b);
            if let (Some(facts), Some(common)) = (self.facts.get_mut(id), common) {
                facts.extend(common);
            }
        }
    }
}

/// Choices, of which facts speak, and what headers imply.
#[derive(Clone, Copy)]
pub(super) struct Shapes<'a> {
    pub(super) choices: &'a [Choice],
    pub(super) implied: &'a Implied,
}

impl<'a> Shapes<'a> {
    /// What holds where the condition holds.
    pub(super) fn holding(self, condition: &Expr) -> Facts {
        match condition {
            Expr::And(a, b) => &self.holding(a) | &self.holding(b),
            Expr::Or(a, b) if **a == Expr::FALSE => self.holding(b),
            Expr::Or(a, b) if **b == Expr::FALSE => self.holding(a),
            Expr::Or(a, b) => &self.holding(a) & &self.holding(b),
            Expr::Not(a) => self.failing(a),
            Expr::Present(header) => self.header(*header),
            Expr::Chosen(choice, each) => self.chosen(*choice, each),
            Expr::Compare(_, a, b) => self.close_all(&needs(a) | &needs(b)),
            Expr::In(a, _) => self.close_all(needs(a)),
            Expr::Field(..)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Constant { .. }
            | Expr::Variable(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => self.close_all(needs(condition)),
        }
    }

    /// What holds where the condition does not hold.
    pub(super) fn failing(self, condition: &Expr) -> Facts {
        match condition {
            Expr::And(a, b) => &self.failing(a) & &self.failing(b),
            Expr::Or(a, b) => &self.failing(a) | &self.failing(b),
            Expr::Not(a) => self.holding(a),
            Expr::Present(_)
            | Expr::Chosen(..)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::Field(..)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Constant { .. }
            | Expr::Variable(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => Facts::new(),
        }
    }

    /// The first need that the facts do not meet.
    pub(super) fn missing(self, facts: &Facts, needs: &Facts) -> Option<Fact> {
        needs.iter().copied().find(|need| !self.meets(facts, *need))
    }

    fn meets(self, facts: &Facts, need: Fact) -> bool {
        if facts.contains(&need) {
            return true;
        }
        let Fact::Choice(wanted) = need else {
            return false;
        };
        let offers = |header: HeaderId| {
            self.alternatives(wanted)
                .any(|condition| *condition == Expr::Present(header))
        };
        facts.iter().any(|fact| match fact {
            Fact::Header(header) => offers(*header),
            Fact::Choice(choice) => self.alternatives(*choice).all(|condition| match condition {
                Expr::Present(header) => offers(*header),
                _ => false,
            }),
        })
    }

    fn alternatives(self, choice: ChoiceId) -> impl Iterator<Item = &'a Expr> {
        let found = self.choices.get(usize::from(choice.0));
        found
            .into_iter()
            .flat_map(|choice| choice.alternatives.iter().map(|a| &a.condition))
    }

    fn chosen(self, choice: ChoiceId, each: &[Expr]) -> Facts {
        let Some(found) = self.choices.get(usize::from(choice.0)) else {
            return Facts::new();
        };
        let ways = found
            .alternatives
            .iter()
            .zip(each)
            .filter(|(_, expr)| **expr != Expr::FALSE);
        let common = ways
            .map(|(way, expr)| &self.holding(&way.condition) | &self.holding(expr))
            .reduce(|a, b| &a & &b)
            .unwrap_or_default();
        &common | &self.close(Fact::Choice(choice))
    }

    fn close(self, fact: Fact) -> Facts {
        match fact {
            Fact::Header(header) => self.header(header),
            Fact::Choice(choice) => {
                let found = self.choices.get(usize::from(choice.0));
                let ways = found.into_iter().flat_map(|choice| &choice.alternatives);
                let common = ways
                    .map(|way| self.holding(&way.condition))
                    .reduce(|a, b| &a & &b);
                let mut facts = common.unwrap_or_default();
                facts.insert(fact);
                facts
            }
        }
    }

    fn header(self, header: HeaderId) -> Facts {
        let known = self.implied.facts.get(usize::from(header.0));
        known.cloned().unwrap_or_default()
    }

    fn close_all(self, facts: Facts) -> Facts {
        facts
            .into_iter()
            .flat_map(|fact| self.close(fact))
            .collect()
    }
}

/// What a value needs to have a meaning. A condition needs nothing: without its fields it is false.
pub(super) fn needs(value: &Expr) -> Facts {
    match value {
        Expr::Field(header, _) => Facts::from([Fact::Header(*header)]),
        // A comparison of a group's field; a computed field, which has one header, needs that.
        Expr::Chosen(_, each) if each.len() > 1 && each.iter().all(decides) => Facts::new(),
        Expr::Chosen(choice, _) => Facts::from([Fact::Choice(*choice)]),
        Expr::Compare(..)
        | Expr::In(..)
        | Expr::And(..)
        | Expr::Or(..)
        | Expr::Not(_)
        | Expr::Present(_) => Facts::new(),
        Expr::Binary(..)
        | Expr::Resize(..)
        | Expr::Constant { .. }
        | Expr::Variable(_)
        | Expr::Interface(..)
        | Expr::Backend(..) => value.parts().into_iter().flat_map(needs).collect(),
    }
}

/// A condition: a comparison, what is made of them, or a truth that is constant.
fn decides(expr: &Expr) -> bool {
    match expr {
        Expr::Compare(..)
        | Expr::In(..)
        | Expr::And(..)
        | Expr::Or(..)
        | Expr::Not(_)
        | Expr::Present(_)
        | Expr::Constant { width: 1, .. } => true,
        Expr::Chosen(_, each) => each.iter().all(decides),
        Expr::Field(..)
        | Expr::Binary(..)
        | Expr::Resize(..)
        | Expr::Constant { .. }
        | Expr::Variable(_)
        | Expr::Interface(..)
        | Expr::Backend(..) => false,
    }
}

/// The fields that it is made of: without them it has no value, and does not hold.
pub(super) fn fields(value: &Expr) -> Facts {
    match value {
        Expr::Field(header, _) => Facts::from([Fact::Header(*header)]),
        Expr::Chosen(choice, _) => Facts::from([Fact::Choice(*choice)]),
        Expr::And(..) | Expr::Or(..) | Expr::Not(_) | Expr::Present(_) => Facts::new(),
        Expr::Compare(..)
        | Expr::In(..)
        | Expr::Binary(..)
        | Expr::Resize(..)
        | Expr::Constant { .. }
        | Expr::Variable(_)
        | Expr::Interface(..)
        | Expr::Backend(..) => {
            // A comparison inside of another one is a value that is always there.
            let compares = |part: &&Expr| matches!(part, Expr::Compare(..) | Expr::In(..));
            let parts = value.parts().into_iter().filter(|part| !compares(part));
            parts.flat_map(fields).collect()
        }
    }
}

/// Asks whether the value is there; `None` where it always is, as what decides is.
pub(super) fn there(value: &Expr) -> Option<Expr> {
    match value {
        Expr::Field(header, _) => Some(Expr::Present(*header)),
        Expr::Chosen(choice, each) => {
            let each = each.iter().map(|one| there(one).unwrap_or(Expr::TRUE));
            Some(Expr::Chosen(*choice, each.collect()))
        }
        Expr::Compare(..)
        | Expr::In(..)
        | Expr::And(..)
        | Expr::Or(..)
        | Expr::Not(_)
        | Expr::Present(_) => None,
        Expr::Binary(..)
        | Expr::Resize(..)
        | Expr::Constant { .. }
        | Expr::Variable(_)
        | Expr::Interface(..)
        | Expr::Backend(..) => {
            let mut parts: Vec<Expr> = Vec::new();
            for part in value.parts().into_iter().filter_map(there) {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            parts
                .into_iter()
                .reduce(|a, b| Expr::And(Box::new(a), Box::new(b)))
        }
    }
}
