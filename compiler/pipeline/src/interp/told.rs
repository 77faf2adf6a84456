//! What a packet tells of its flow, whichever table knows it.

use lvsc_abi::flows;

use super::Selected;
use super::packet::Running;
use crate::pipeline::Signs;

/// What a packet tells of its flow.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) passive: bool,
    pub(super) opening: bool,
    pub(super) closing: bool,
    /// It has a sequence number, and this is its mark.
    pub(super) mark: Option<u64>,
}

impl Running<'_> {
    pub(super) fn told(&self, selected: &Selected) -> Told {
        let Some(alternative) = self.taken(selected) else {
            return Told::default();
        };
        let index = selected.alternative;
        let mut signs = self.pipeline.signs(selected.pool, selected.key);
        let signs = signs.find(|(asked, _)| Some(*asked) == index);
        let Some((_, signs)) = signs else {
            return Told {
                passive: alternative.passive,
                ..Told::default()
            };
        };
        let told = Told {
            passive: alternative.passive,
            ..Told::default()
        };
        match signs {
            Signs::Segment { flags, sequence } => {
                let flags = self.value_or_zero(flags) as u64;
                Told {
                    opening: flows::tcp::opens(flags),
                    closing: flows::tcp::closes(flags),
                    mark: Some(flows::mark(self.value_or_zero(sequence) as u64)),
                    ..told
                }
            }
            Signs::Opening(condition) => Told {
                opening: self.holds(condition),
                ..told
            },
        }
    }
}
