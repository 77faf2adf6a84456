//! Headers that lie on each other: a user's header may stand where another one does. Then what is written into the one
//! changes the other, and what a checksum covers there.

use std::collections::BTreeMap;

use lvsc_pipeline::pipeline::HeaderId;

use super::possible::{Goal, Possible};
use crate::policy::Policy;

/// Finds them. Where it cannot tell they do, so its no can be relied on.
pub(super) struct Overlays<'a> {
    policy: &'a Policy,
    possible: Possible<'a>,
    /// Pairs of headers, and whether the second stands behind the first wherever both are.
    behind: BTreeMap<(HeaderId, HeaderId), bool>,
}

impl<'a> Overlays<'a> {
    pub(super) fn new(policy: &'a Policy) -> Overlays<'a> {
        Overlays {
            policy,
            possible: Possible::new(policy),
            behind: BTreeMap::new(),
        }
    }

    /// Whether two headers may have bytes in common: one packet has both, and neither stands behind the other.
    pub(super) fn may_share(&mut self, a: HeaderId, b: HeaderId) -> bool {
        let both = [a, b].map(|header| Goal::Header(header, true));
        a != b && !self.is_behind(a, b) && !self.is_behind(b, a) && self.possible.together(both)
    }

    /// Each step goes on to a predecessor, whose number is smaller.
    fn is_behind(&mut self, first: HeaderId, second: HeaderId) -> bool {
        if let Some(known) = self.behind.get(&(first, second)) {
            return *known;
        }
        let header = self.policy.headers.get(usize::from(second.0));
        let edges = header.map_or(&[][..], |header| &header.after);
        let behind = !edges.is_empty()
            && edges.iter().all(|edge| {
                let taken = [
                    Goal::Condition(&edge.when, true),
                    Goal::Header(edge.header, true),
                    Goal::Header(first, true),
                ];
                edge.header == first
                    || self.is_behind(first, edge.header)
                    || !self.possible.together(taken)
            });
        self.behind.insert((first, second), behind);
        behind
    }
}
