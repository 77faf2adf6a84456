//! What an assignment writes, and what is decided by it: where headers stand, which alternative is taken.

use crate::overlap::Overlap;
use crate::pipeline::{ChoiceId, Expr, FieldId, HeaderId, Pipeline};

/// The fields that an assignment writes: its own, and the checksum of its header.
pub(super) struct Written<'a> {
    pipeline: &'a Pipeline,
    overlap: &'a Overlap,
    header: HeaderId,
    fields: [Option<FieldId>; 2],
}

impl<'a> Written<'a> {
    /// What an assignment to this field writes.
    pub(super) fn by(
        pipeline: &'a Pipeline,
        overlap: &'a Overlap,
        header: HeaderId,
        field: FieldId,
    ) -> Written<'a> {
        Written {
            pipeline,
            overlap,
            header,
            fields: [
                Some(field),
                pipeline.header(header).checksum.map(|sum| sum.field),
            ],
        }
    }

    /// Whether the place or presence of some header depends on it.
    pub(super) fn moves_headers(&self) -> bool {
        self.pipeline.headers.iter().any(|header| {
            let own = [&header.size, &header.valid, &header.extent];
            let own = own.into_iter().flatten();
            let before = header.after.iter().map(|after| &after.when);
            own.chain(before).any(|expr| self.is_read(expr))
        })
    }

    /// Whether a choice may come out otherwise behind it.
    pub(super) fn turns(&self, choice: ChoiceId) -> bool {
        let mut alternatives = self.pipeline.choice(choice).alternatives.iter();
        alternatives.any(|alternative| self.is_read(&alternative.condition))
    }

    fn is_read(&self, expr: &Expr) -> bool {
        let here = match expr {
            Expr::Field(header, field) if *header == self.header => {
                self.fields.contains(&Some(*field))
            }
            Expr::Field(header, _) => self.overlap.may(*header, self.header),
            Expr::Chosen(choice, _) => self.turns(*choice),
            Expr::Constant { .. }
            | Expr::Variable(_)
            | Expr::Present(_)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => false,
        };
        here || expr.parts().into_iter().any(|part| self.is_read(part))
    }
}
