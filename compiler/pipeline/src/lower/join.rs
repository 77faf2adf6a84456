//! Paths meet: those that know the same go on as one.
//!
//! Where a header stands is worth a path of its own: offsets that are constants cost nothing. Where the same headers stand in
//! too many places, their positions become values.

use std::collections::BTreeMap;

use lvsc_abi::verdict::Verdict;
use lvsc_ir::program::{Jump, Terminator, Value};

use super::Lowering;
use super::code::Spot;
use super::state::{Path, Split};

/// With more different places than this the paths are joined all the same: IP behind no, one or two tags is three.
const PLACES_MAX: usize = 2;

impl Lowering<'_> {
    /// Joins paths that, as far as `self.needs` asks, know the same. Values that differ become parameters.
    pub(super) fn join(&mut self, paths: Vec<Path>) -> Vec<Path> {
        if paths.len() < 2 {
            return paths;
        }
        let mut groups: Groups<Vec<u64>> = Groups::default();
        for mut path in paths {
            let (needs, searched) = (&self.needs, &self.searched);
            needs.restrict(self.pipeline, &self.overlap, searched, &mut path.state);
            groups.add(path.state.shape(), path);
        }
        let mut joined = Vec::new();
        for group in groups.found {
            let mut places: Groups<Vec<Spot>> = Groups::default();
            for path in group {
                places.add(path.state.spots(), path);
            }
            if places.found.len() > PLACES_MAX {
                let all = places.found.into_iter().flatten().collect();
                joined.push(self.merge(all));
            } else {
                joined.extend(places.found.into_iter().map(|group| self.merge(group)));
            }
        }
        joined
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
        if group.len() == 1
            && let Some(path) = group.pop()
        {
            return path;
        }
        let mut meeting = Meeting::of(&group);
        let spots = self.same_spots(&group, &mut meeting);
        let values = self.same_values(&group, &mut meeting);
        let mut state = group[0].state.clone();
        state.put_spots(&spots);
        if !meeting.params.is_empty() {
            state.replace(&values);
        }
        for path in &group {
            state
                .proven
                .meet(&path.state.proven, |a, b| Some(*a.min(b)));
            state.arrives_at_own &= path.state.arrives_at_own;
        }
        let to = self.code.open(meeting.params);
        for (path, args) in group.into_iter().zip(meeting.args) {
            self.code
                .end(path.block, Terminator::Jump(Jump { to, args }));
        }
        self.prove(&meeting.proven, Path { block: to, state })
    }

    /// What was proven of each position that is now a value is proven anew: a check counts for the value that it names. No
    /// packet fails it.
    fn prove(&mut self, proven: &[(Value, u16)], mut path: Path) -> Path {
        for (base, length) in proven {
            let never = self.code.open(Vec::new());
            let end = Terminator::Return {
                verdict: Verdict::Pass,
                interface: None,
            };
            self.code.end(never, end);
            let spot = Spot {
                base: Some(*base),
                offset: *length,
            };
            path.block = self.code.bounds_or(path.block, spot, never);
            path.state.proven.insert(spot.base, *length);
        }
        path
    }

    /// The spots behind the meeting. One that differs lies behind a parameter; the spots that have the same distance from it on
    /// every path go with it.
    fn same_spots(&mut self, group: &[Path], meeting: &mut Meeting) -> Vec<Spot> {
        let rows: Vec<Vec<Spot>> = group.iter().map(|path| path.state.spots()).collect();
        let column = |at: usize| rows.iter().filter_map(move |row| row.get(at).copied());
        let mut moved: Vec<(usize, Value)> = Vec::new();
        let mut spots = rows.first().cloned().unwrap_or_default();
        for (at, spot) in spots.iter_mut().enumerate() {
            if column(at).all(|other| other == *spot) {
                continue;
            }
            let with = moved.iter().find_map(|(before, base)| {
                let offset = distance(column(*before).zip(column(at)))?;
                Some(Spot {
                    base: Some(*base),
                    offset,
                })
            });
            *spot = with.unwrap_or_else(|| {
                let each = group.iter().zip(column(at));
                let each = each.map(|(path, spot)| self.code.absolute(path.block, spot));
                let args = each.collect();
                let base = self.code.fresh();
                meeting.add(base, args);
                let known = group.iter().zip(column(at)).map(|(path, spot)| {
                    let proven = path.state.proven.get(&spot.base).copied();
                    proven.unwrap_or(0).saturating_sub(spot.offset)
                });
                let known = known.min().filter(|length| *length > 0);
                meeting.proven.extend(known.map(|length| (base, length)));
                moved.push((at, base));
                Spot {
                    base: Some(base),
                    offset: 0,
                }
            });
        }
        spots
    }

    /// The values behind the meeting: those that differ are parameters.
    fn same_values(&mut self, group: &[Path], meeting: &mut Meeting) -> Vec<Value> {
        let rows: Vec<Vec<Value>> = group.iter().map(|path| path.state.values()).collect();
        let mut values = rows.first().cloned().unwrap_or_default();
        for (at, value) in values.iter_mut().enumerate() {
            let column: Vec<Value> = rows.iter().filter_map(|row| row.get(at).copied()).collect();
            if column.iter().any(|other| other != value) {
                *value = self.code.fresh();
                meeting.add(*value, column);
            }
        }
        values
    }
}

/// The parameters of a block where paths meet, and what each path hands over.
struct Meeting {
    params: Vec<Value>,
    args: Vec<Vec<Value>>,
    /// Positions among the parameters, and how many bytes behind each are inside the frame.
    proven: Vec<(Value, u16)>,
}

impl Meeting {
    fn of(group: &[Path]) -> Meeting {
        Meeting {
            params: Vec::new(),
            args: vec![Vec::new(); group.len()],
            proven: Vec::new(),
        }
    }

    fn add(&mut self, param: Value, args: Vec<Value>) {
        self.params.push(param);
        for (all, arg) in self.args.iter_mut().zip(args) {
            all.push(arg);
        }
    }
}

/// Paths with equal keys, in the order in which the keys were met.
struct Groups<K> {
    known: BTreeMap<K, usize>,
    found: Vec<Vec<Path>>,
}

impl<K> Default for Groups<K> {
    fn default() -> Groups<K> {
        Groups {
            known: BTreeMap::new(),
            found: Vec::new(),
        }
    }
}

impl<K: Ord> Groups<K> {
    fn add(&mut self, key: K, path: Path) {
        let group = *self.known.entry(key).or_insert(self.found.len());
        match self.found.get_mut(group) {
            Some(paths) => paths.push(path),
            None => self.found.push(vec![path]),
        }
    }
}

/// Bytes from the first of each pair to the second, if they lie behind one base and are the same for each.
fn distance(pairs: impl Iterator<Item = (Spot, Spot)>) -> Option<u16> {
    let mut each = pairs.map(|(a, b)| {
        let same = a.base == b.base;
        b.offset.checked_sub(a.offset).filter(|_| same)
    });
    let first = each.next()??;
    each.all(|other| other == Some(first)).then_some(first)
}
