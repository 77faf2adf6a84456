//! Choosing a backend with a table of the flows whose slots have changed.

use lvsc_abi::flows::{self, CLOSING, Entry, MARK_SHIFT, OPENING, OPENING_MASK};
use lvsc_abi::hash;
use lvsc_abi::image::Width;
use lvsc_abi::layout::{change, slot};
use lvsc_abi::manifest::Flows;
use lvsc_abi::slots::LEARN;

use super::flows::Bucket;
use super::packet::Running;
use super::told::Told;
use super::{Selected, Table};
use crate::pipeline::PoolId;

impl Running<'_> {
    /// The key was absorbed into `state`.
    pub(super) fn changed(&mut self, flows: Flows, state: u64, selected: &mut Selected) -> u16 {
        let pool = selected.pool;
        let ring = self.section(self.sections.pool(pool).ring);
        let index = hash::slot(selected.hash, ring.length);
        let backend = self.slot(index, selected);
        let previous = self.image.load(ring.at(index, 0), Width::B4) >> slot::PREVIOUS_SHIFT;
        let previous = previous as u16;
        // 1.
        if previous == slot::NONE {
            selected.table = Table::Steady;
            return backend;
        }
        let kept = previous != slot::TAIL && self.is_usable(pool, previous);
        let told = self.told(selected);
        let bucket = self.bucket(pool, state);
        let idle = u64::from(flows.idle);
        // 2.
        let found = flows::find(&bucket.words, bucket.tag);
        let known = bucket.entry(found);
        let live = known.filter(|entry| entry.is_live(bucket.now, idle));
        if let Some(mut entry) = live {
            let forged = entry.is_opening() && !told.opening && !told.passive;
            let fits = flows::fits(entry.mark(), told.mark.unwrap_or(0));
            if forged && kept && !fits {
                entry.backend = previous;
            }
            if self.is_usable(pool, entry.backend) {
                selected.table = Table::Hit;
                selected.entry = Some(bucket.first + found);
                if !told.passive {
                    let entry = seen(entry, bucket.now, told, flows);
                    self.note(&bucket, found, entry, (index, backend), pool);
                }
                return entry.backend;
            }
        }
        // 3.
        if !kept {
            selected.table = Table::Tail;
            return backend;
        }
        if told.passive {
            selected.table = Table::Passive;
            return previous;
        }
        // 4.
        let changes = self.section(self.sections.pool(pool).changes);
        let since = changes.at(index, change::SINCE);
        let passed = bucket.now.wrapping_sub(self.image.load(since, Width::B4)) & change::MASK;
        let opens = told.opening && passed >= LEARN;
        let place = bucket.place(idle);
        if place == flows::ABSENT {
            selected.table = Table::Full;
            self.count(u64::from(self.sections.pool(pool).refused));
            if passed > LEARN {
                let begun = bucket.now.wrapping_sub(LEARN) & change::MASK;
                self.image.store(since, Width::B4, begun);
            }
            return previous;
        }
        selected.table = if opens { Table::New } else { Table::Kept };
        let chosen = if opens { backend } else { previous };
        if self.is_usable(pool, chosen) {
            let mark = told.mark.filter(|_| told.opening);
            let entry = Entry {
                tag: bucket.tag as u32,
                backend: chosen,
                seconds: (mark.unwrap_or(0) << MARK_SHIFT) as u16,
                flags: mark.map_or(0, |_| OPENING),
            };
            let entry = seen(entry, bucket.now, told, flows);
            self.note(&bucket, place, entry, (index, backend), pool);
            selected.entry = Some(bucket.first + place);
        }
        chosen
    }

    /// Writes an entry of a flow whose slot names `backend`. 5.
    fn note(
        &mut self,
        bucket: &Bucket,
        place: u64,
        entry: Entry,
        (index, backend): (u64, u16),
        pool: PoolId,
    ) {
        let at = bucket.at(place);
        self.image.store(at, Width::B8, entry.to_bits());
        if entry.backend != backend {
            let changes = self.section(self.sections.pool(pool).changes);
            let elsewhere = changes.at(index, change::ELSEWHERE);
            self.image
                .store(elsewhere, Width::B4, bucket.now & change::MASK);
        }
    }
}

/// The entry behind a packet of its flow.
fn seen(entry: Entry, now: u64, told: Told, flows: Flows) -> Entry {
    let closing = told.closing || !told.opening && entry.flags & CLOSING != 0;
    let (seconds, flags) = if closing {
        let rest = flows.rest(flows.lives.closing);
        (now.wrapping_sub(rest.into()), CLOSING)
    } else if told.opening && entry.is_opening() {
        let seconds = entry.mark() << MARK_SHIFT | now & OPENING_MASK;
        (seconds, OPENING)
    } else {
        (now, 0)
    };
    Entry {
        seconds: seconds as u16,
        flags,
        ..entry
    }
}
