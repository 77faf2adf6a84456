//! Choosing a backend with a table of every flow. The crate's documentation tells the steps; the numbers here are the
//! numbers there.

use lvsc_abi::flows::tcp::TELLING;
use lvsc_abi::flows::{SECONDS_SHIFT, VALID};
use lvsc_abi::manifest::Flows;
use lvsc_abi::scheduler::Pick;
use lvsc_ir::program::{Binary, BlockId, Class, Compare, Op, Value};

mod entry;

use super::flows::{Lookup, Place, pop_place, push_place};
use super::select::{pop_candidate, put_candidate};
use super::state::{Binding, Path, Split};
use super::values::binding;
use super::{Lowering, element};
use crate::pipeline::{Client, PoolId, Signs, VariableId};

/// Paths to a table of every flow.
#[derive(Default)]
pub(super) struct Every {
    /// The packet is one of the flow. On the stack: what it tells of it, and the state of its key.
    active: Vec<Path>,
    /// It only tells of the flow. On the stack: the state of its key.
    passive: Vec<Path>,
}

impl Every {
    /// A passive packet, with the state of its key on the stack.
    pub(super) fn passive(path: Path) -> Every {
        Every {
            active: Vec::new(),
            passive: vec![path],
        }
    }

    pub(super) fn extend(&mut self, other: Every) {
        self.active.extend(other.active);
        self.passive.extend(other.passive);
    }
}

/// What is asked of the table by a packet of the flow. All of its values are made before the first branch.
#[derive(Clone, Copy)]
struct Asked {
    flows: Flows,
    client: Option<Client>,
    lookup: Lookup,
    /// What [`Lowering::since`] says of the entry of such a flow that is neither new nor being closed, seen now.
    settled: Value,
    /// The flags of a segment, else 0.
    flags: Value,
    /// 0 where the packet neither opens nor closes it.
    tells: Value,
}

impl Lowering<'_> {
    /// Pushes what a packet tells of its flow, which lives `life` seconds, below the state of its key.
    pub(super) fn tell_every(
        &mut self,
        flows: Flows,
        life: u32,
        signs: Option<&Signs>,
        mut path: Path,
    ) -> Every {
        let state = path.pop().low;
        let settled = (u64::from(flows.rest(life)) << SECONDS_SHIFT) | (entry::FLAGS - VALID);
        let settled = self.code.constant(path.block, settled);
        path.push(settled);
        let mut paths = match signs {
            Some(Signs::Segment { flags, .. }) => self.value_or_zero(flags, vec![path]),
            Some(Signs::Opening(_)) | None => {
                let none = self.code.constant(path.block, 0);
                path.push(none);
                vec![path]
            }
        };
        for path in &mut paths {
            path.push(state);
        }
        Every {
            active: paths,
            passive: Vec::new(),
        }
    }

    /// Splits by whether the flow has or gets a usable backend.
    pub(super) fn by_every(
        &mut self,
        (pool, home, client): (PoolId, Option<VariableId>, Option<Client>),
        flows: Flows,
        every: Every,
    ) -> Split {
        let mut split = Split::default();
        for mut path in self.join(every.passive) {
            let lookup = self.lookup_at((pool, home), flows, &mut path);
            split.extend(self.passive(&lookup, client, path));
        }
        for mut path in self.join(every.active) {
            let lookup = self.lookup_at((pool, home), flows, &mut path);
            let [flags, settled] = [(); 2].map(|()| path.pop().low);
            let block = path.block;
            let asked = Asked {
                flows,
                client,
                lookup,
                settled,
                flags,
                tells: self.code.with(block, Binary::And, flags, TELLING),
            };
            split.extend(self.of_flow(&asked, path));
        }
        split
    }

    /// With the key's state on the stack; the ring is asked by what is bound to `home`, if that is one.
    fn lookup_at(
        &mut self,
        (pool, home): (PoolId, Option<VariableId>),
        flows: Flows,
        path: &mut Path,
    ) -> Lookup {
        let lookup = self.lookup(pool, flows, path);
        match home.map(|home| binding(path, home)) {
            Some(Binding::Value(home)) => Lookup {
                state: home.low,
                ..lookup
            },
            Some(Binding::Backend { .. }) | None => lookup,
        }
    }

    /// 2. A passive packet.
    fn passive(&mut self, lookup: &Lookup, client: Option<Client>, path: Path) -> Split {
        let pool = lookup.pool;
        let Split {
            yes: live,
            no: mut unknown,
        } = self.living(lookup, path);
        let mut split = Split::default();
        for mut path in live {
            let place = pop_place(&mut path);
            let id = self.entry_backend(path.block, place.word);
            self.push_candidate(pool, id, &mut path);
            let Split { yes, no } = self.usable(path);
            split.yes.extend(yes);
            unknown.extend(no);
        }
        for path in self.join(unknown) {
            split.extend(self.kept_or_slot((pool, client), lookup.state, path));
        }
        split
    }

    /// A packet of the flow.
    fn of_flow(&mut self, asked: &Asked, path: Path) -> Split {
        let lookup = &asked.lookup;
        let find = Op::Find(lookup.section, lookup.table_hash, lookup.tag);
        let Split {
            yes: found,
            no: missed,
        } = self.seek(lookup, find, path);
        let (mut split, mut stale) = (Split::default(), Vec::new());
        for path in found {
            let known = self.known(asked, path);
            split.yes.extend(known.yes);
            stale.extend(known.no);
        }
        for path in missed {
            let Split { yes, no: full } = self.seek_place(lookup, Self::lives, path);
            stale.extend(yes);
            for path in full {
                split.extend(self.refused(asked, path));
            }
        }
        for path in self.join(stale) {
            split.extend(self.enter(asked, path));
        }
        split
    }

    /// 1. Splits by whether the flow's entry is not too old and its backend is usable. If so, the backend is on the stack
    ///    and the entry is written anew; else the place still is.
    fn known(&mut self, asked: &Asked, mut path: Path) -> Split {
        let place = pop_place(&mut path);
        push_place(&mut path, place);
        let since = self.since(&asked.lookup, place.word, path.block);
        let young = self.recent(asked, since, path.block);
        let Split { yes: live, no } = self.test(young, path);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in live {
            let id = self.entry_backend(path.block, place.word);
            self.push_candidate(asked.lookup.pool, id, &mut path);
            let Split { yes, no } = self.usable(path);
            split.no.extend(no);
            for mut path in yes {
                let candidate = pop_candidate(&mut path);
                pop_place(&mut path);
                let Split { yes: mut seen, no } =
                    self.see(asked, candidate.0, (place, since), path);
                for path in &mut seen {
                    put_candidate(path, candidate);
                }
                split.yes.extend(seen);
                split.no.extend(no.into_iter().map(|mut path| {
                    push_place(&mut path, place);
                    path
                }));
            }
        }
        Split {
            yes: self.join(split.yes),
            no: split.no,
        }
    }

    /// Writes the flow's entry anew, where that changes it: so a flow costs one write a second and not one a packet. On the no
    /// side there is none any more: the sweep has emptied it since it was found.
    fn see(
        &mut self,
        asked: &Asked,
        id: Value,
        (place, since): (Place, Value),
        path: Path,
    ) -> Split {
        // Nearly every packet is one of a flow that is neither new nor being closed, and changes nothing.
        let differs = self.differs(asked, since, path.block);
        let Split {
            yes,
            no: mut settled,
        } = self.test(differs, path);
        let mut gone = Vec::new();
        for path in yes {
            let used = self.code.with(path.block, Binary::And, place.word, VALID);
            let Split { yes, no } = self.test(used, path);
            gone.extend(no);
            for path in yes {
                let new = self.again(asked, place.word, path.block);
                let differs = (self.code).compare(path.block, Compare::Ne, new, place.word);
                let Split { yes, no } = self.test(differs, path);
                settled.extend(no);
                for path in yes {
                    let to = element(asked.lookup.section, place.at, 0, 8);
                    let exchange = Op::Exchange(to, new, place.word);
                    let before = self.code.value(path.block, exchange);
                    let pool = asked.lookup.pool;
                    settled.extend(self.count_again(pool, before, (id, new, place.word), path));
                }
            }
        }
        Split {
            yes: settled,
            no: gone,
        }
    }

    /// 3. No place: the flow is counted as refused and goes where its client does, or the ring says.
    fn refused(&mut self, asked: &Asked, path: Path) -> Split {
        let lookup = &asked.lookup;
        self.count_refused(lookup.pool, path.block);
        self.kept_or_slot((lookup.pool, asked.client), lookup.state, path)
    }

    /// 3. With a place on the stack: a new entry, where the scheduler finds a usable backend.
    fn enter(&mut self, asked: &Asked, mut path: Path) -> Split {
        let pool = asked.lookup.pool;
        let place = pop_place(&mut path);
        let choose = |lowering: &mut Self, path| {
            let mut picked = lowering.pick(&asked.lookup, path);
            for path in &mut picked {
                let id = path.pop().low;
                lowering.push_candidate(pool, id, path);
            }
            picked
        };
        let Split { yes, no } = self.kept_or((pool, asked.client), path, choose);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for path in yes {
            split.extend(self.exchange(asked, place, path));
        }
        split
    }

    /// Pushes the id of a new flow's backend.
    fn pick(&mut self, lookup: &Lookup, mut path: Path) -> Vec<Path> {
        let (pool, block) = (lookup.pool, path.block);
        let id = match self.pipeline.pool(pool).scheduler.pick() {
            Pick::Hash => {
                let slot = self.ring_slot(block, pool, lookup.state);
                self.slot_id(pool, slot, block)
            }
            Pick::Cursor => {
                let worker = self.code.value(block, Op::Worker);
                let cursor = element(self.sections.pool(pool).cursor, worker, 0, 8);
                let now = self.code.load(block, Class::Shared, cursor);
                let next = self.code.with(block, Binary::Add, now, 1);
                self.code.effect(block, Op::Store(cursor, next));
                self.slot_id(pool, now, block)
            }
            Pick::Least(measure) => return self.least(pool, measure, path),
            Pick::Two => self.lesser_of_two(lookup, block),
            Pick::Home => {
                let slot = self.ring_slot(block, pool, lookup.state);
                let home = self.slot_id(pool, slot, block);
                return self.at_home(pool, home, path);
            }
            Pick::Homes => {
                let home = self.lesser_of_two(lookup, block);
                return self.at_home(pool, home, path);
            }
        };
        path.push(id);
        self.within_limits(pool, path)
    }

    /// Of the backends in the slots of the hash's halves the one that has less to do.
    fn lesser_of_two(&mut self, lookup: &Lookup, block: BlockId) -> Value {
        let slots = self.ring_slots(block, lookup.pool, lookup.state);
        let ids = slots.map(|index| self.slot_id(lookup.pool, index, block));
        self.lesser(lookup.pool, ids, block)
    }

    /// Exchanges a new entry for what was found, with its candidate on the stack; another worker's entry for the same flow
    /// wins. A flow that gets no place after all keeps its candidate for this packet.
    fn exchange(&mut self, asked: &Asked, place: Place, mut path: Path) -> Split {
        let candidate = pop_candidate(&mut path);
        let (pool, lookup) = (asked.lookup.pool, &asked.lookup);
        let new = self.first(asked, candidate.0, path.block);
        let made = self.make_entry(lookup, place, new, path);
        let mut given = Vec::new();
        for path in made.own {
            given.extend(self.count_first(pool, (candidate.0, new), path));
        }
        for path in made.nobody {
            self.count_refused(pool, path.block);
            given.push(path);
        }
        let mut split = Split::default();
        for mut path in self.join(given) {
            put_candidate(&mut path, candidate);
            split.yes.push(path);
        }
        for path in made.theirs {
            split.extend(self.theirs(lookup, path));
        }
        split
    }
}
