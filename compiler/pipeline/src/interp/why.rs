//! Why a condition holds or does not: the facts without which it would have been decided otherwise.

use super::Fact;
use super::packet::Running;
use crate::pipeline::Expr;

impl Running<'_> {
    /// The facts that decided a condition, in the order of the policy, each once.
    pub(super) fn facts(&self, condition: &Expr) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.decide(condition, &mut facts);
        facts
    }

    fn decide(&self, condition: &Expr, facts: &mut Vec<Fact>) {
        match condition {
            Expr::And(a, b) => self.decide_both(a, b, false, facts),
            Expr::Or(a, b) => self.decide_both(a, b, true, facts),
            Expr::Not(a) => self.decide(a, facts),
            Expr::Constant { .. }
            | Expr::Field(..)
            | Expr::Variable(_)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::Present(_)
            | Expr::Chosen(..)
            | Expr::Interface(..)
            | Expr::Backend(..) => self.weigh(condition, facts),
        }
    }

    /// Where one part is enough to settle it with `settles`, only the first such part decides.
    fn decide_both(&self, a: &Expr, b: &Expr, settles: bool, facts: &mut Vec<Fact>) {
        let settling = [a, b].into_iter().find(|part| self.holds(part) == settles);
        match settling {
            Some(part) => self.decide(part, facts),
            None => [a, b].into_iter().for_each(|part| self.decide(part, facts)),
        }
    }

    /// The facts on which a value rests.
    fn weigh(&self, expr: &Expr, facts: &mut Vec<Fact>) {
        let fact = match expr {
            Expr::Constant { .. } => return,
            Expr::Present(header) => Fact::Header(*header, self.offset(*header).is_some()),
            Expr::Field(header, _) => match self.value(expr) {
                Some(value) => Fact::Value(expr.clone(), value),
                None => Fact::Header(*header, false),
            },
            Expr::Variable(_) | Expr::Interface(..) | Expr::Backend(..) => {
                Fact::Value(expr.clone(), self.value_or_zero(expr))
            }
            Expr::Chosen(choice, each) => {
                let taken = self.alternative(*choice);
                note(Fact::Alternative(*choice, taken), facts);
                if let Some(taken) = taken.and_then(|taken| each.get(taken)) {
                    self.decide(taken, facts);
                }
                return;
            }
            Expr::And(..) | Expr::Or(..) | Expr::Not(_) => return self.decide(expr, facts),
            Expr::Binary(..) | Expr::Resize(..) | Expr::Compare(..) | Expr::In(..) => {
                expr.parts()
                    .into_iter()
                    .for_each(|part| self.weigh(part, facts));
                return;
            }
        };
        note(fact, facts);
    }
}

fn note(fact: Fact, facts: &mut Vec<Fact>) {
    if !facts.contains(&fact) {
        facts.push(fact);
    }
}
