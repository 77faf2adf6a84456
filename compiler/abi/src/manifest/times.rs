//! The times of a ring's slots, where they are kept.

use super::Pool;
use crate::layout::{Element, Layout};

/// Whether a pool's ring is of slots, and each has its times where there are any: both are found by one index.
pub(super) fn fit(layout: &Layout, pool: &Pool) -> bool {
    let own = |kind: &str, element| match layout.of_pool(kind, &pool.name) {
        None => Some(None),
        Some(found) => (found.element == element).then_some(Some(found.length)),
    };
    match (own("ring", Element::Slot), own("changes", Element::Change)) {
        (Some(_), Some(None)) => true,
        (Some(slots), Some(times)) => slots == times,
        (None, _) | (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::scheduler::Scheduler;

    fn fits(slots: Option<u32>, times: Option<u32>) -> bool {
        let mut layout = Layout::new();
        if let Some(slots) = slots {
            layout.add("ring.web", Element::Slot, slots);
        }
        if let Some(times) = times {
            layout.add("changes.web", Element::Change, times);
        }
        let manifest = Manifest {
            pools: vec![Pool::new("web", Scheduler::Maglev)],
            ..Manifest::default()
        };
        manifest.fits(&layout)
    }

    #[test]
    fn each_slot_has_its_times_or_none_has() {
        assert!(fits(Some(64), Some(64)));
        assert!(fits(Some(64), None) && fits(None, None));
        assert!(!fits(Some(64), Some(32)), "a slot without");
        assert!(!fits(Some(64), Some(128)), "times of no slot");
        assert!(!fits(None, Some(64)), "no slots");
    }
}
