//! Branches: conditions in a row, of which the first that holds decides. `match` and `switch` are both.

use lvsc_pipeline::pipeline::Expr;

use super::Checker;
use super::scope::Scope;
use super::stmts::Checked;
use crate::policy::{Branch, StmtKind};
use crate::source::Span;
use crate::syntax::ast;

/// The branches so far.
pub(super) struct Branches {
    /// Where none of the conditions holds.
    pub(super) rest: Scope,
    found: Vec<Branch>,
    /// Behind the blocks that go on.
    behind: Option<Scope>,
    /// A condition is wrong, and was reported.
    broken: bool,
}

impl Branches {
    pub(super) fn new(scope: &Scope) -> Branches {
        Branches {
            rest: scope.clone(),
            found: Vec::new(),
            behind: None,
            broken: false,
        }
    }

    /// A way on: what holds behind the branches holds at the end of each.
    fn goes_on(&mut self, way: &Scope) {
        let behind = self.behind.get_or_insert_with(|| way.clone());
        behind.facts = &behind.facts & &way.facts;
        behind.broken |= way.broken;
    }
}

impl<'a> Checker<'a> {
    /// The next branch. `None` is a condition that was reported: its block is checked all the same.
    pub(super) fn branch(
        &mut self,
        all: &mut Branches,
        condition: Option<Expr>,
        block: &'a ast::Block,
        span: Span,
    ) {
        let mut yes = all.rest.clone();
        if let Some(condition) = &condition {
            let shapes = self.shapes();
            yes.facts.extend(shapes.holding(condition));
            all.rest.facts.extend(shapes.failing(condition));
        } else {
            (yes.broken, all.rest.broken, all.broken) = (true, true, true);
        }
        let checked = self.block(block.stmts.iter(), &mut yes);
        if !checked.ends {
            all.goes_on(&yes);
        }
        all.found.extend(condition.map(|condition| Branch {
            condition,
            then: checked.block,
            place: self.place(span),
            span,
        }));
    }

    /// All branches, with what is done where no condition holds.
    pub(super) fn chosen(
        &mut self,
        mut all: Branches,
        otherwise: Option<&'a ast::Block>,
        scope: &mut Scope,
    ) -> Option<Checked> {
        let mut last = Checked::default();
        if let Some(block) = otherwise {
            let mut rest = all.rest.clone();
            last = self.block(block.stmts.iter(), &mut rest);
            all.rest = rest;
        }
        if !last.ends {
            let rest = all.rest.clone();
            all.goes_on(&rest);
        }
        let ends = all.behind.is_none();
        let behind = all.behind.unwrap_or(all.rest);
        (scope.facts, scope.broken) = (behind.facts, behind.broken);
        if all.broken {
            return None;
        }
        let block = match all.found.first().map(|first| first.span) {
            Some(span) => {
                let kind = StmtKind::Match {
                    branches: all.found,
                    otherwise: last.block,
                };
                vec![self.stmt(kind, span)]
            }
            None => last.block,
        };
        Some(Checked { block, ends })
    }
}
