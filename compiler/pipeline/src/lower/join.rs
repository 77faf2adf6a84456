//! Paths meet: those that know the same go on as one.

use std::collections::BTreeMap;

use lvsc_ir::program::{Jump, Terminator, Value};

use super::Lowering;
use super::state::{Path, Split, State};

impl Lowering<'_> {
    /// Joins paths that, as far as `self.needs` asks, know the same. Values that differ become parameters.
    pub(super) fn join(&mut self, mut paths: Vec<Path>) -> Vec<Path> {
        if paths.len() < 2 {
            return paths;
        }
        let mut groups: Vec<Vec<Path>> = Vec::new();
        let mut known: BTreeMap<State, usize> = BTreeMap::new();
        for path in &mut paths {
            self.needs
                .restrict(self.pipeline, &self.searched, &mut path.state);
        }
        for path in paths {
            let group = *known.entry(path.state.shape()).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.push(path),
                None => groups.push(vec![path]),
            }
        }
        groups.into_iter().map(|group| self.merge(group)).collect()
    }

    /// Joins both sides, each for itself.
    pub(super) fn join_split(&mut self, split: Split) -> Split {
        Split {
            yes: self.join(split.yes),
            no: self.join(split.no),
        }
    }

    /// Makes one path of paths whose states have the same shape.
    fn merge(&mut self, mut group: Vec<Path>) -> Path {
        let first = group.swap_remove(0);
        if group.is_empty() {
            return first;
        }
        let mut state = first.state.clone();
        group.insert(0, first);
        let rows: Vec<Vec<Value>> = group
            .iter_mut()
            .map(|path| {
                path.state
                    .values_mut()
                    .into_iter()
                    .map(|value| *value)
                    .collect()
            })
            .collect();
        let mut params = Vec::new();
        let mut args: Vec<Vec<Value>> = vec![Vec::new(); rows.len()];
        for (column, value) in state.values_mut().into_iter().enumerate() {
            let each = || rows.iter().filter_map(|row| row.get(column).copied());
            if each().all(|other| other == *value) {
                continue;
            }
            *value = self.code.fresh();
            params.push(*value);
            for (args, arg) in args.iter_mut().zip(each()) {
                args.push(arg);
            }
        }
        for path in &group {
            let theirs = &path.state.proven;
            state.proven.retain(|base, _| theirs.contains_key(base));
            for (base, length) in &mut state.proven {
                *length = (*length).min(theirs.get(base).copied().unwrap_or(0));
            }
        }
        let to = self.code.open(params);
        for (path, args) in group.into_iter().zip(args) {
            self.code
                .end(path.block, Terminator::Jump(Jump { to, args }));
        }
        Path { block: to, state }
    }
}
