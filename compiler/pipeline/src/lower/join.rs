//! Paths meet: those that know the same go on as one.

use std::collections::BTreeMap;

use lvsc_ir::program::{Jump, Terminator, Value};

use super::Lowering;
use super::state::{Path, Split};

impl Lowering<'_> {
    /// Joins paths that, as far as `self.needs` asks, know the same. Values that differ become parameters.
    pub(super) fn join(&mut self, paths: Vec<Path>) -> Vec<Path> {
        if paths.len() < 2 {
            return paths;
        }
        let mut groups: Vec<(Path, Vec<Path>)> = Vec::with_capacity(paths.len());
        let mut known: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
        for mut path in paths {
            self.needs
                .restrict(self.pipeline, &self.searched, &mut path.state);
            let group = *known.entry(path.state.shape()).or_insert(groups.len());
            match groups.get_mut(group) {
                Some((_, others)) => others.push(path),
                None => groups.push((path, Vec::new())),
            }
        }
        let joined = groups.into_iter();
        joined
            .map(|(first, others)| self.merge(first, others))
            .collect()
    }

    /// Joins both sides, each for itself.
    pub(super) fn join_split(&mut self, split: Split) -> Split {
        Split {
            yes: self.join(split.yes),
            no: self.join(split.no),
        }
    }

    /// Makes one path of paths whose states have the same shape.
    fn merge(&mut self, first: Path, others: Vec<Path>) -> Path {
        if others.is_empty() {
            return first;
        }
        let mut state = first.state.clone();
        let mut values = state.values();
        let group: Vec<(Path, Vec<Value>)> = std::iter::once(first)
            .chain(others)
            .map(|path| {
                let row = path.state.values();
                (path, row)
            })
            .collect();
        let mut params = Vec::new();
        let mut args: Vec<Vec<Value>> = vec![Vec::new(); group.len()];
        for (column, value) in values.iter_mut().enumerate() {
            let each = || group.iter().filter_map(|(_, row)| row.get(column).copied());
            if each().all(|other| other == *value) {
                continue;
            }
            *value = self.code.fresh();
            params.push(*value);
            for (args, arg) in args.iter_mut().zip(each()) {
                args.push(arg);
            }
        }
        if !params.is_empty() {
            state.replace(&values);
        }
        for (path, _) in &group {
            state
                .proven
                .meet(&path.state.proven, |a, b| Some(*a.min(b)));
        }
        let to = self.code.open(params);
        for ((path, _), args) in group.into_iter().zip(args) {
            self.code
                .end(path.block, Terminator::Jump(Jump { to, args }));
        }
        Path { block: to, state }
    }
}
