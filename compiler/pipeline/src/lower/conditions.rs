//! Conditions become branches. A comparison on a field of an absent header takes the side of "does not hold".

use lvsc_ir::program::Value;

use super::Lowering;
use super::state::{Path, Split};
use crate::pipeline::{ChoiceId, Compare, Expr};

impl Lowering<'_> {
    /// Splits by whether a condition holds.
    pub(super) fn branch(&mut self, condition: &Expr, path: Path) -> Split {
        let split = match condition {
            Expr::Constant { value: 0, .. } => return Split::no(path),
            Expr::Constant { .. } => return Split::yes(path),
            Expr::Not(a) => return self.branch(a, path).swapped(),
            Expr::Present(header) => return self.resolve(*header, path),
            Expr::And(a, b) => {
                let Split { yes, no } = self.branch(a, path);
                let mut split = self.branch_each(b, yes);
                split.no.extend(no);
                split
            }
            Expr::Or(a, b) => {
                let Split { yes, no } = self.branch(a, path);
                let mut split = self.branch_each(b, no);
                split.yes.extend(yes);
                split
            }
            Expr::Chosen(choice, each) => self.branch_chosen(*choice, each, path),
            Expr::In(value, set) => {
                let Split { yes, no } = self.value(value, path);
                let mut split = Split {
                    yes: Vec::new(),
                    no,
                };
                for path in yes {
                    split.extend(self.member(*set, path));
                }
                split
            }
            Expr::Compare(op @ (Compare::Eq | Compare::Ne), a, b)
                if let Some(destination) = self.arrival_at_own(a, b, &path) =>
            {
                self.branch_own(*op == Compare::Eq, destination, path)
            }
            Expr::Field(..)
            | Expr::Variable(_)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Compare(..)
            | Expr::Interface(..)
            | Expr::Backend(..) => {
                let Split { yes, no } = self.value(condition, path);
                let mut split = Split {
                    yes: Vec::new(),
                    no,
                };
                for mut path in yes {
                    let holds = path.pop().low;
                    split.extend(self.test(holds, path));
                }
                split
            }
        };
        self.join_split(split)
    }

    /// Splits each path by whether a condition holds.
    pub(super) fn branch_each(&mut self, condition: &Expr, paths: Vec<Path>) -> Split {
        let mut split = Split::default();
        for path in paths {
            split.extend(self.branch(condition, path));
        }
        split
    }

    /// Splits by a value: 0 is "no".
    pub(super) fn test(&mut self, holds: Value, path: Path) -> Split {
        let blocks = self.code.decide(path.block, holds);
        Split::from(path.fork(blocks))
    }

    /// The condition that stands for the alternative that is taken. Behind the last one that can hold, nothing more is
    /// looked at.
    fn branch_chosen(&mut self, choice: ChoiceId, each: &[Expr], path: Path) -> Split {
        let possible = each.iter().rposition(|condition| *condition != Expr::FALSE);
        let Some(last) = possible else {
            return Split::no(path);
        };
        let (decided, rest) = self.choose_up_to(choice, last, path);
        let mut split = Split {
            yes: Vec::new(),
            no: rest,
        };
        for path in decided {
            match taken(&path, choice).and_then(|index| each.get(index)) {
                Some(condition) => split.extend(self.branch(condition, path)),
                None => split.no.push(path),
            }
        }
        split
    }

    /// Decides a choice: on every path the state then names the alternative.
    pub(super) fn choose(&mut self, id: ChoiceId, path: Path) -> Vec<Path> {
        let (mut decided, mut rest) = self.choose_up_to(id, usize::MAX, path);
        for path in &mut rest {
            path.state.choose(id, None);
        }
        decided.extend(self.join(rest));
        decided
    }

    /// Decides whether one of the alternatives up to `last` is taken: the paths on which the state names one (any, if
    /// it named one before), and those on which none of these is.
    fn choose_up_to(&mut self, id: ChoiceId, last: usize, path: Path) -> (Vec<Path>, Vec<Path>) {
        if path.state.choices.contains(&id) {
            return (vec![path], Vec::new());
        }
        let mut decided = Vec::new();
        let mut rest = vec![path];
        let alternatives = self.pipeline.choice(id).alternatives.iter().enumerate();
        for (index, alternative) in alternatives.take_while(|(index, _)| *index <= last) {
            let Split { mut yes, no } = self.branch_each(&alternative.condition, rest);
            for path in &mut yes {
                path.state.choose(id, Some(index));
            }
            decided.extend(self.join(yes));
            rest = self.join(no);
        }
        (decided, rest)
    }
}

/// The alternative of a decided choice.
pub(super) fn taken(path: &Path, choice: ChoiceId) -> Option<usize> {
    path.state.choices.get(&choice).copied().flatten()
}
