//! Members of a set that others have already: an access list that says less than it seems to.

use super::Checker;
use super::constant::{Constant, Member};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::Expr;

/// A member and where it stands.
type Placed = (Member, Span);

impl Checker<'_> {
    /// Warns of each member of a set literal that lies in another one. Two that only cross are two.
    pub(super) fn overlaps(&mut self, exprs: &[Expr], parts: &[Constant]) {
        let each = exprs.iter().zip(parts);
        let mut placed: Vec<Placed> = each
            .flat_map(|(expr, part)| {
                let members = part.members().to_vec().into_iter();
                members.map(|member| (member, expr.span))
            })
            .collect();
        // The outer one before what lies in it, the first of equals before the second.
        placed.sort_by_key(|(member, span)| {
            (member.kind, member.low, u128::MAX - member.high, *span)
        });
        let mut open: Option<Placed> = None;
        for (member, span) in placed {
            let holds = |outer: &Placed| outer.0.kind == member.kind && member.high <= outer.0.high;
            match open.filter(holds) {
                Some((_, outer)) if outer != span => self.swallowed(span, outer),
                Some(_) => {}
                None => open = Some((member, span)),
            }
        }
    }

    fn swallowed(&mut self, span: Span, outer: Span) {
        let (inner, whole) = (self.sources.snippet(span), self.sources.snippet(outer));
        let message = if inner == whole {
            format!("`{inner}` stands in this set twice")
        } else {
            format!("`{inner}` lies in `{whole}`, which this set has already")
        };
        self.report(
            Diagnostic::warning(Code::OverlappingPrefixes, message, span)
                .label("changes nothing")
                .secondary(outer, "this has it"),
        );
    }
}
