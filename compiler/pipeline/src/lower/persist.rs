//! Clients that keep their backends. The crate's documentation tells the steps; the numbers here are the numbers there.

use lvsc_ir::program::{Binary, Op, Value};

use super::flows::{Lookup, Place, pop_place, push_place};
use super::select::{pop_candidate, put_candidate};
use super::state::{Binding, Path, Split};
use super::values::binding;
use super::{Lowering, element};
use crate::pipeline::{Client, PoolId, VariableId};

impl Lowering<'_> {
    /// What is asked inside of a select: what is behind it, its home, and who its client is.
    pub(super) fn ask_for(&mut self, home: Option<VariableId>, client: Option<Client>) {
        self.needs = self.behind.clone();
        let client = client.iter().flat_map(|client| client.variables());
        self.needs.ask(client.chain(home));
    }

    /// Splits by whether the client's backend, else `slot(h)` of a key that was absorbed into `state`, is usable; if so, the
    /// candidate is on the stack.
    pub(super) fn kept_or_slot(
        &mut self,
        (pool, client): (PoolId, Option<Client>),
        state: Value,
        path: Path,
    ) -> Split {
        self.kept_or((pool, client), path, |lowering, mut path| {
            lowering.push_ring_slot(pool, state, &mut path);
            vec![path]
        })
    }

    /// The same with what `choose` chooses, which leaves its candidate on the stack: the client has it from then on.
    pub(super) fn kept_or(
        &mut self,
        (pool, client): (PoolId, Option<Client>),
        path: Path,
        choose: impl Fn(&mut Self, Path) -> Vec<Path>,
    ) -> Split {
        let Some(client) = client else {
            let mut split = Split::default();
            for path in choose(self, path) {
                split.extend(self.usable(path));
            }
            return split;
        };
        let Split { yes: mut given, no } = self.kept(pool, client, path);
        let (mut chosen, mut none) = (Vec::new(), Vec::new());
        for path in self.join(no) {
            for path in choose(self, path) {
                let Split { yes, no } = self.usable(path);
                chosen.extend(yes);
                none.extend(no);
            }
        }
        for path in self.join(chosen) {
            given.extend(self.note_client(pool, client, path));
        }
        Split {
            yes: self.join(given),
            no: none,
        }
    }

    /// 1. Splits by whether the client has a backend that takes flows; if so, its entry is seen now and the candidate is on the
    ///    stack.
    fn kept(&mut self, pool: PoolId, client: Client, path: Path) -> Split {
        let [own, quoted] = client.variables().map(|id| value(&path, id));
        let state = self.code.binary(path.block, Binary::Or, own, quoted);
        let mut split = Split::default();
        let Split { yes: asked, no } = self.test(state, path);
        split.no.extend(no);
        for mut path in asked {
            path.push(state);
            let lookup = self.client(pool, &mut path);
            let Split { yes: live, no } = self.living(&lookup, path);
            split.no.extend(no);
            for mut path in live {
                let place = pop_place(&mut path);
                let Split { yes, no } = self.takes_in(pool, place.word, path);
                split.no.extend(no);
                for path in yes {
                    split.yes.extend(self.see_client(&lookup, own, place, path));
                }
            }
        }
        split
    }

    /// Splits by whether the backend of a client's entry is usable and not full; if so, the candidate is on the stack.
    fn takes_in(&mut self, pool: PoolId, word: Value, mut path: Path) -> Split {
        let id = self.entry_backend(path.block, word);
        self.push_candidate(pool, id, &mut path);
        let mut split = self.usable(path);
        if self.pipeline.pool(pool).has_limits() {
            for mut path in std::mem::take(&mut split.yes) {
                let (id, record) = pop_candidate(&mut path);
                let full = self.is_full(pool, id, path.block);
                let Split { yes: full, no } = self.test(full, path);
                split.no.extend(full);
                split.yes.extend(no.into_iter().map(|mut path| {
                    put_candidate(&mut path, (id, record));
                    path
                }));
            }
        }
        split
    }

    /// Writes a client's entry anew where that changes it and the client has sent the packet: once a second.
    fn see_client(
        &mut self,
        lookup: &Lookup,
        own: Value,
        place: Place,
        mut path: Path,
    ) -> Vec<Path> {
        let candidate = pop_candidate(&mut path);
        let block = path.block;
        let new = self.entry(lookup, candidate.0, block);
        let differs = self.code.binary(block, Binary::Xor, new, place.word);
        let zero = self.code.constant(block, 0);
        let differs = self.code.value(block, Op::Select(own, differs, zero));
        let Split { yes, no } = self.test(differs, path);
        for path in &yes {
            let to = element(lookup.section, place.at, 0, 8);
            self.code
                .value(path.block, Op::Exchange(to, new, place.word));
        }
        let mut seen: Vec<Path> = yes.into_iter().chain(no).collect();
        for path in &mut seen {
            put_candidate(path, candidate);
        }
        seen
    }

    /// 2. With the candidate on the stack: the client has it, where it has sent the packet and there is a place. Where another
    ///    worker has given it one meanwhile, that takes the candidate's place.
    fn note_client(&mut self, pool: PoolId, client: Client, mut path: Path) -> Vec<Path> {
        let (id, record) = pop_candidate(&mut path);
        let own = value(&path, client.own);
        let Split { yes, no: mut plain } = self.test(own, path);
        let mut noted = Vec::new();
        for mut path in yes {
            path.push(own);
            let lookup = self.client(pool, &mut path);
            let (Split { yes: places, no }, theirs) = self.client_place(&lookup, path);
            plain.extend(no);
            noted.extend(theirs);
            for mut path in places {
                let place = pop_place(&mut path);
                let new = self.entry(&lookup, id, path.block);
                let made = self.take_place(&lookup, place, new, path);
                plain.extend(made.nobody);
                for mut path in made.own {
                    path.pop();
                    plain.push(path);
                }
                for mut path in made.theirs {
                    let word = path.pop().low;
                    let Split { yes, no } = self.takes_in(pool, word, path);
                    noted.extend(yes);
                    plain.extend(no);
                }
            }
        }
        for mut path in plain {
            put_candidate(&mut path, (id, record));
            noted.push(path);
        }
        self.join(noted)
    }

    /// Splits by whether there is a place for the client's entry; if so, it is on the stack. Apart are those where another worker
    /// has given it a backend that takes flows meanwhile, with the candidate on the stack.
    fn client_place(&mut self, lookup: &Lookup, path: Path) -> (Split, Vec<Path>) {
        let find = Op::Find(lookup.section, lookup.table_hash, lookup.tag);
        let Split { yes: found, no } = self.seek(lookup, find, path);
        let (mut split, mut theirs) = (Split::default(), Vec::new());
        for path in no {
            split.extend(self.seek_place(lookup, Self::lives, path));
        }
        for mut path in found {
            let place = pop_place(&mut path);
            let lives = self.lives(lookup, place.word, path.block);
            let Split { yes: live, no } = self.test(lives, path);
            let mut stale = no;
            for path in live {
                let Split { yes, no } = self.takes_in(lookup.pool, place.word, path);
                theirs.extend(yes);
                stale.extend(no);
            }
            for path in &mut stale {
                push_place(path, place);
            }
            split.yes.extend(stale);
        }
        split.yes = self.join(split.yes);
        (split, theirs)
    }

    /// A client's way into its table, with what it was absorbed into on the stack.
    fn client(&mut self, pool: PoolId, path: &mut Path) -> Lookup {
        let persist = self.pipeline.pool(pool).persist;
        let life = persist.map_or(0, |persist| persist.life);
        let section = self.sections.pool(pool).persist;
        self.lookup_in(pool, (section, life), path)
    }
}

fn value(path: &Path, variable: VariableId) -> Value {
    match binding(path, variable) {
        Binding::Value(number) => number.low,
        Binding::Backend { id, .. } => id,
    }
}
