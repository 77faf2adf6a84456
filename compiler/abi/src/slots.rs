//! Ring slots that remember whom they named before: just-enough tracking.
//!
//! A ring names a backend for each slot, and nearly all flows need no more. Where a change of the backends gives a slot to
//! another one while the one before can still serve, the slot keeps both for a while, and only its flows are noted in a
//! table: what is tracked is what a change endangers (Mendelson, Vargaftik, Barabash, Lorenz, Keslassy and Orda, `CoNEXT`
//! 2020; previous and current backend of a bucket: Olteanu, Agache, Voinescu and Raiciu, NSDI 2018). A slot is
//!
//! - **steady**: every flow is its backend's, and none is noted;
//! - in **LEARN**, [`LEARN`] seconds from the change on: a flow that is not noted is `previous`'s, and is noted;
//! - in **MOVE**, until the pool's idle time has passed: the same, but an opening is the backend's, and is noted;
//! - in **TAIL**: every flow of `previous` that still sends is noted by now. A flow that is not is the backend's, and not
//!   noted. Where no flow has been seen for the idle time that is noted for another backend, the slot is steady.
//!
//! While one program is exchanged for another with tables of its own, slots in MOVE are in LEARN once more: a flow that opens
//! just then is `previous`'s in both, whether it is known to the next one by then or not.
//!
//! Time alone ends a phase, and each change of the slot begins its time anew. Where `previous` cannot serve any more, the
//! slot is in TAIL at once. What the datapath does is told in `lvsc_pipeline`.
//!
//! The law: a flow that sends within the idle time stays where it is while its backend can serve, as long as the table has
//! place; a flow that finds none stays with `previous`, and the slot's time is prolonged.

use crate::image::{Image, Width};
use crate::layout::{Section, change, slot};

/// Seconds for which openings, too, stay with the previous backend: a SYN that is sent again may be of a flow that began
/// before the change.
pub const LEARN: u64 = 3;

/// A slot, with its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The backend of new flows; [`slot::NONE`] where no backend takes any.
    pub backend: u16,
    /// The backend before, [`slot::TAIL`], or [`slot::NONE`] for a steady slot.
    pub previous: u16,
    /// When its time began (low 32 bits of the clock, seconds).
    pub since: u32,
    /// When a flow that is noted for another backend was last seen (low 32 bits of the clock, seconds).
    pub elsewhere: u32,
}

impl Slot {
    /// Whether some of its flows may be noted.
    pub const fn is_steady(self) -> bool {
        self.previous == slot::NONE
    }

    /// Whether it is in LEARN or MOVE.
    pub const fn is_moving(self) -> bool {
        !self.is_steady() && self.previous != slot::TAIL
    }

    /// The ring names `backend` from `now` on; `serves` tells of an id whether it can still serve.
    #[must_use]
    pub fn change(self, backend: u16, now: u64, serves: impl Fn(u16) -> bool) -> Slot {
        let begun = |previous| Slot {
            backend,
            previous,
            since: now as u32,
            elsewhere: now as u32,
        };
        let moved = backend != self.backend;
        if self.is_moving() {
            let slot = if moved { begun(self.previous) } else { self };
            let previous = if serves(self.previous) {
                self.previous
            } else {
                slot::TAIL
            };
            return Slot { previous, ..slot };
        }
        if moved && serves(self.backend) {
            return begun(self.backend);
        }
        Slot { backend, ..self }
    }

    /// What it is at `now`, where flows may be silent for `idle` seconds.
    #[must_use]
    pub fn at(self, now: u64, idle: u64) -> Slot {
        let passed = |then: u32| u64::from((now as u32).wrapping_sub(then));
        let mut slot = self;
        if slot.is_moving() && passed(slot.since) > idle + LEARN {
            slot.previous = slot::TAIL;
        }
        if slot.previous == slot::TAIL && passed(slot.elsewhere) > idle {
            slot.previous = slot::NONE;
        }
        slot
    }

    /// What lies in an image, where the pool's sections `ring` and `changes` are these.
    pub fn load(image: &dyn Image, (ring, changes): (&Section, &Section), index: u64) -> Slot {
        let word = image.load(ring.at(index, 0), Width::B4);
        let time = |field| image.load(changes.at(index, field), Width::B4) as u32;
        let is_steady = word >> slot::PREVIOUS_SHIFT == u64::from(slot::NONE);
        Slot {
            backend: (word & slot::BACKEND) as u16,
            previous: (word >> slot::PREVIOUS_SHIFT) as u16,
            // A steady slot's times mean nothing: they are not looked at.
            since: if is_steady { 0 } else { time(change::SINCE) },
            elsewhere: if is_steady {
                0
            } else {
                time(change::ELSEWHERE)
            },
        }
    }

    /// Writes what differs from `before`, the times first: whoever sees the change sees when it was.
    pub fn store(
        self,
        before: Slot,
        image: &mut dyn Image,
        (ring, changes): (&Section, &Section),
        index: u64,
    ) {
        let mut time = |field, old: u32, new: u32| {
            if old != new {
                image.store(changes.at(index, field), Width::B4, u64::from(new));
            }
        };
        time(change::SINCE, before.since, self.since);
        time(change::ELSEWHERE, before.elsewhere, self.elsewhere);
        let word = |slot: Slot| u64::from(slot::word(slot.backend, slot.previous));
        if word(self) != word(before) {
            image.store(ring.at(index, 0), Width::B4, word(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Slot = Slot {
        backend: 1,
        previous: slot::NONE,
        since: 0,
        elsewhere: 0,
    };

    fn all(_: u16) -> bool {
        true
    }

    #[test]
    fn a_slot_that_changes_keeps_whom_it_named_until_time_has_passed() {
        let moving = STEADY.change(2, 100, all);
        assert_eq!((moving.backend, moving.previous), (2, 1));
        assert_eq!(moving.at(100 + 60 + LEARN, 60), moving);
        let tail = moving.at(100 + 60 + LEARN + 1, 60);
        assert!(tail.is_steady(), "nobody was seen elsewhere");
        let seen = Slot {
            elsewhere: 150,
            ..moving
        };
        assert_eq!(seen.at(164, 60).previous, slot::TAIL);
        assert_eq!(seen.at(210, 60).previous, slot::TAIL);
        assert!(seen.at(211, 60).is_steady());
    }

    #[test]
    fn each_change_begins_the_time_anew_and_keeps_the_first_one() {
        let again = STEADY.change(2, 100, all).change(3, 130, all);
        assert_eq!((again.backend, again.previous, again.since), (3, 1, 130));
        let same = again.change(3, 140, all);
        assert_eq!(same, again, "nothing has changed");
    }

    #[test]
    fn nothing_is_kept_of_those_who_cannot_serve() {
        let others = |id| id != 1;
        let dead = STEADY.change(2, 100, others);
        assert!(dead.is_steady() && dead.backend == 2);
        let moving = STEADY.change(2, 100, all);
        assert_eq!(moving.change(2, 110, others).previous, slot::TAIL);
        let back = moving.change(2, 110, others).change(1, 120, all);
        assert_eq!((back.backend, back.previous), (1, 2));
    }

    #[test]
    fn a_ring_that_gets_empty_keeps_whom_it_named() {
        let empty = STEADY.change(slot::NONE, 100, all);
        assert_eq!((empty.backend, empty.previous), (slot::NONE, 1));
    }

    #[test]
    fn times_survive_the_end_of_their_bits() {
        let moving = STEADY.change(2, 0xffff_fff0, all);
        assert_eq!(moving.at(0x1_0000_0010, 60).previous, 1);
    }
}
