//! Just-enough tracking as a map of flows and a list of slots: what it means, without a word of an image. Shares with the
//! compiler only which slot a flow has, and whom the scheduler would give each slot to.

use std::collections::BTreeMap;

use lvsc_abi::scheduler::{Candidate, Scheduler};

/// Seconds for which an opening, too, stays with the previous backend.
const LEARN: u64 = 3;
/// Seconds that an opening is remembered which nothing has confirmed.
const OPENING: u64 = 10;
/// Seconds in which all slots are looked at, a part of them each second.
const ROUND: usize = 15;

pub type Backend = u16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Steady,
    /// LEARN is its first seconds.
    Move,
    Tail,
}

struct Slot {
    current: Option<Backend>,
    previous: Option<Backend>,
    phase: Phase,
    since: u64,
}

struct Entry {
    slot: usize,
    backend: Backend,
    seen: u64,
    /// The opening's sequence number, until a later packet confirms it.
    opening: Option<u32>,
}

/// A packet of a flow.
#[derive(Clone, Copy)]
pub struct Sent {
    pub flow: u64,
    pub slot: usize,
    pub opens: bool,
    pub sequence: u32,
    /// It is of somebody else.
    pub forged: bool,
}

/// What is known of a backend.
#[derive(Clone, Copy)]
pub struct Known {
    pub weight: u32,
    pub up: bool,
}

pub struct Model {
    pub backends: Vec<Known>,
    pub now: u64,
    idle: u64,
    slots: Vec<Slot>,
    entries: BTreeMap<u64, Entry>,
    /// The part of the slots that was looked at last.
    part: usize,
    /// Without it the law does not hold.
    learns: bool,
}

impl Model {
    pub fn new(backends: Vec<Known>, slots: usize, idle: u64, learns: bool) -> Model {
        let mut model = Model {
            backends,
            now: 0,
            idle,
            slots: Vec::new(),
            entries: BTreeMap::new(),
            part: 0,
            learns,
        };
        let steady = |current| Slot {
            current,
            previous: None,
            phase: Phase::Steady,
            since: 0,
        };
        model.slots = model.target(slots).into_iter().map(steady).collect();
        model
    }

    pub fn serves(&self, backend: Backend) -> bool {
        self.backends[usize::from(backend)].up
    }

    fn target(&self, slots: usize) -> Vec<Option<Backend>> {
        let usable = self.backends.iter().enumerate();
        let usable = usable.filter(|(_, known)| known.up && known.weight > 0);
        let candidates: Vec<Candidate> = usable
            .map(|(id, known)| Candidate {
                id: id as u16,
                name: format!("b{id}"),
                weight: known.weight,
            })
            .collect();
        let ring = Scheduler::Maglev.fill(&candidates, slots as u32);
        (0..slots).map(|slot| ring.get(slot).copied()).collect()
    }

    /// Policies go on without these backends.
    pub fn remove(&mut self, gone: impl Fn(Backend) -> bool) {
        let is_gone = |backend: &mut Backend| gone(*backend);
        for slot in &mut self.slots {
            slot.current.take_if(is_gone);
            if slot.previous.take_if(is_gone).is_some() {
                slot.phase = Phase::Tail;
            }
        }
    }

    /// The backends have changed.
    pub fn change(&mut self) {
        let target = self.target(self.slots.len());
        let Model {
            slots,
            backends,
            now,
            ..
        } = self;
        let serves =
            |backend: Option<Backend>| backend.is_some_and(|b| backends[usize::from(b)].up);
        for (slot, new) in slots.iter_mut().zip(target) {
            let moved = new != slot.current;
            let old = std::mem::replace(&mut slot.current, new);
            if slot.phase == Phase::Move {
                if moved {
                    slot.since = *now;
                }
                if !serves(slot.previous) {
                    (slot.previous, slot.phase) = (None, Phase::Tail);
                }
            } else if moved && serves(old) {
                (slot.previous, slot.phase, slot.since) = (old, Phase::Move, *now);
            }
        }
    }

    /// Where a packet goes.
    pub fn forward(&mut self, sent: &Sent) -> Option<Backend> {
        let slot = &self.slots[sent.slot];
        let (current, previous, phase) = (slot.current, slot.previous, slot.phase);
        if phase == Phase::Steady {
            return current;
        }
        let learns = self.learns && self.now - slot.since < LEARN;
        let (now, idle) = (self.now, self.idle);
        let known = self.entries.get_mut(&sent.flow);
        if let Some(entry) = known.filter(|entry| entry.lives(now, idle)) {
            if !sent.opens
                && let Some(opening) = entry.opening.take()
                && let (Some(previous), false) = (previous, goes_on(opening, sent.sequence))
            {
                entry.backend = previous;
            }
            if self.backends[usize::from(entry.backend)].up {
                entry.seen = now;
                return Some(entry.backend);
            }
        }
        if phase == Phase::Tail {
            return current;
        }
        let new = sent.opens && !learns;
        let backend = if new { current } else { previous };
        if let Some(backend) = backend.filter(|backend| self.serves(*backend)) {
            let entry = Entry {
                slot: sent.slot,
                backend,
                seen: now,
                opening: sent.opens.then_some(sent.sequence),
            };
            self.entries.insert(sent.flow, entry);
        }
        backend
    }

    /// So many seconds have passed: forgets what is over, and lets so many parts of the slots go on.
    pub fn sweep(&mut self, passed: u64) {
        let (now, idle) = (self.now, self.idle);
        let backends = &self.backends;
        self.entries
            .retain(|_, entry| entry.lives(now, idle) && backends[usize::from(entry.backend)].up);
        let mut elsewhere = vec![false; self.slots.len()];
        for entry in self.entries.values() {
            elsewhere[entry.slot] |= Some(entry.backend) != self.slots[entry.slot].current;
        }
        let mut due = vec![false; self.slots.len()];
        for _ in 0..passed.min(ROUND as u64) {
            self.part = (self.part + 1) % ROUND;
            let border = |part| self.slots.len() * part / ROUND;
            due[border(self.part)..border(self.part + 1)].fill(true);
        }
        let slots = self.slots.iter_mut().zip(elsewhere.iter().zip(due));
        for (slot, (elsewhere, _)) in slots.filter(|(_, (_, due))| *due) {
            if slot.phase == Phase::Move && now - slot.since > idle + LEARN {
                (slot.previous, slot.phase) = (None, Phase::Tail);
            }
            if slot.phase == Phase::Tail && !elsewhere {
                slot.phase = Phase::Steady;
            }
        }
        let slots = &self.slots;
        self.entries
            .retain(|_, entry| slots[entry.slot].phase != Phase::Steady);
    }

    /// Slots that are not steady, and flows that are noted.
    pub fn left(&self) -> (usize, usize) {
        let changing = self.slots.iter().filter(|slot| slot.phase != Phase::Steady);
        (changing.count(), self.entries.len())
    }
}

impl Entry {
    fn lives(&self, now: u64, idle: u64) -> bool {
        let life = self.opening.map_or(idle, |_| OPENING);
        now - self.seen <= life
    }
}

/// Whether a packet is of the connection that this sequence number opened: it is less than two times 4 MiB further.
fn goes_on(opening: u32, sequence: u32) -> bool {
    (sequence >> 22).wrapping_sub(opening >> 22) & 0x3ff <= 1
}
