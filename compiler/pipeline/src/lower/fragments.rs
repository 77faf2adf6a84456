//! Datagrams that are in fragments. The crate's documentation tells the steps; the numbers here are the numbers there.

use super::Lowering;
use super::conditions::taken;
use super::flows::{Lookup, pop_place};
use super::likely::Guess;
use super::state::{Binding, Path, Split};
use super::values::binding;
use crate::pipeline::{ChoiceId, Expr, PoolId, VariableId};

impl Lowering<'_> {
    /// Binds what the key was absorbed into; 0 where no alternative is taken.
    pub(super) fn hash(
        &mut self,
        variable: VariableId,
        key: ChoiceId,
        paths: Vec<Path>,
    ) -> Vec<Path> {
        let alternatives = &self.pipeline.choice(key).alternatives;
        let mut hashed = Vec::new();
        for path in paths {
            for mut path in self.choose(key, path) {
                let alternative = taken(&path, key).and_then(|index| alternatives.get(index));
                let Some(alternative) = alternative else {
                    let none = self.code.constant(path.block, 0);
                    path.push(none);
                    hashed.push(path);
                    continue;
                };
                for mut path in self.key_words(&alternative.key, path) {
                    let state = self.absorbed(&mut path);
                    path.push(state);
                    hashed.push(path);
                }
            }
        }
        self.needs = self.behind.clone();
        let mut hashed = self.join(hashed);
        for path in &mut hashed {
            let state = path.pop();
            path.state.variables.insert(variable, Binding::Value(state));
        }
        hashed
    }

    /// 1. Splits by whether a usable backend is remembered of the datagram; if so, the packet is counted and the variable
    ///    bound.
    pub(super) fn follow(
        &mut self,
        pool: PoolId,
        variable: VariableId,
        datagram: VariableId,
        paths: Vec<Path>,
    ) -> Split {
        let Split { yes, no } = self.datagrams(datagram, paths);
        let mut split = Split {
            yes: Vec::new(),
            no,
        };
        for mut path in self.join(yes) {
            let lookup = self.datagram(pool, &mut path);
            let Split { yes: live, no } = self.living(&lookup, path);
            split.no.extend(no);
            for mut path in live {
                let place = pop_place(&mut path);
                let id = self.entry_backend(path.block, place.word);
                self.push_candidate(pool, id, &mut path);
                split.extend(self.usable(path));
            }
        }
        self.needs = self.behind.clone();
        let mut split = self.join_split(split);
        for path in &mut split.yes {
            self.give(pool, variable, path);
        }
        split
    }

    /// 2. Remembers the backend that is bound, where there is a place.
    pub(super) fn remember(
        &mut self,
        pool: PoolId,
        variable: VariableId,
        datagram: VariableId,
        paths: Vec<Path>,
    ) -> Vec<Path> {
        let Split { yes, no: mut paths } = self.datagrams(datagram, paths);
        for mut path in self.join(yes) {
            let lookup = self.datagram(pool, &mut path);
            let Split { yes: places, no } = self.place_of(&lookup, path);
            paths.extend(no);
            for mut path in places {
                let place = pop_place(&mut path);
                let id = match binding(&path, variable) {
                    Binding::Backend { id, .. } => id,
                    Binding::Value(value) => value.low,
                };
                let new = self.entry(&lookup, id, path.block);
                let made = self.make_entry(&lookup, place, new, path);
                paths.extend(made.nobody);
                for mut path in made.own.into_iter().chain(made.theirs) {
                    path.pop();
                    paths.push(path);
                }
            }
        }
        self.needs = self.behind.clone();
        self.join(paths)
    }

    /// Splits by whether there is a datagram; if so, what its key was absorbed into is on the stack.
    fn datagrams(&mut self, datagram: VariableId, mut paths: Vec<Path>) -> Split {
        for path in &mut paths {
            path.state.guess = Guess::General;
        }
        let mut split = Split::default();
        for mut path in self.value_or_zero(&Expr::Variable(datagram), paths) {
            let state = path.pop().low;
            let mut found = self.test(state, path);
            for path in &mut found.yes {
                path.push(state);
            }
            split.extend(found);
        }
        split
    }

    /// A datagram's way into its table, with the key's state on the stack.
    fn datagram(&mut self, pool: PoolId, path: &mut Path) -> Lookup {
        let fragments = self.pipeline.pool(pool).fragments;
        let life = fragments.map_or(0, |fragments| fragments.life);
        let section = self.sections.pool(pool).fragments;
        self.lookup_in(pool, (section, life), path)
    }
}
