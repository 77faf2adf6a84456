//! What an assignment writes, and what is decided by it: where headers stand, which alternative is taken.

use crate::pipeline::{ChoiceId, Expr, FieldId, HeaderId, Pipeline};

/// The fields that an assignment writes: its own, and the checksum of its header.
pub(super) struct Written {
    header: HeaderId,
    fields: [Option<FieldId>; 2],
}

impl Written {
    /// What an assignment to this field writes.
    pub(super) fn by(pipeline: &Pipeline, header: HeaderId, field: FieldId) -> Written {
        Written {
            header,
            fields: [Some(field), pipeline.header(header).checksum],
        }
    }

    /// Whether the place or presence of some header depends on it.
    pub(super) fn moves_headers(&self, pipeline: &Pipeline) -> bool {
        pipeline.headers.iter().any(|header| {
            let own = [&header.size, &header.valid, &header.extent];
            let own = own.into_iter().flatten();
            let before = header.after.iter().map(|after| &after.when);
            own.chain(before).any(|expr| self.is_read(pipeline, expr))
        })
    }

    /// Whether a choice may come out otherwise behind it.
    pub(super) fn turns(&self, pipeline: &Pipeline, choice: ChoiceId) -> bool {
        let mut alternatives = pipeline.choice(choice).alternatives.iter();
        alternatives.any(|alternative| self.is_read(pipeline, &alternative.condition))
    }

    fn is_read(&self, pipeline: &Pipeline, expr: &Expr) -> bool {
        let here = match expr {
            Expr::Field(header, field) => {
                *header == self.header && self.fields.contains(&Some(*field))
            }
            Expr::Chosen(choice, _) => self.turns(pipeline, *choice),
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
        let mut parts = expr.parts().into_iter();
        here || parts.any(|part| self.is_read(pipeline, part))
    }
}
