//! Headers are found when they are first asked for: where one stands on each path, or that it is absent.

use lvsc_ir::program::{Binary, BlockId, Compare, Op, Value};

use super::code::{Code, Spot};
use super::likely::{Guess, is_tag};
use super::state::{Behind, Path, Presence, Split, Standing, State};
use super::{BLOCKS_MAX, Lowering};
use crate::pipeline::HeaderId;

impl Lowering<'_> {
    /// Splits by whether a header is present; on both sides the state then says so. Where the program has too many
    /// blocks already, nothing more is looked for: it comes to nothing.
    pub(super) fn resolve(&mut self, header: HeaderId, path: Path) -> Split {
        if self.code.len() > BLOCKS_MAX {
            return Split::no(path);
        }
        match path.state.headers.get(&header) {
            Some(Presence::Present(_)) => Split::yes(path),
            Some(Presence::Absent) => Split::no(path),
            None if path.state.excludes(&self.overlap, header) => {
                let mut path = path;
                path.state.headers.insert(header, Presence::Absent);
                Split::no(path)
            }
            None => {
                let mut split = Split::default();
                for path in self.guess(header, path) {
                    split.extend(self.search(header, path));
                }
                self.join_split(split)
            }
        }
    }

    fn search(&mut self, id: HeaderId, path: Path) -> Split {
        self.searched.push(id);
        let header = self.pipeline.header(id);
        let mut found = Split::default();
        if header.after.is_empty() {
            let begin = Behind {
                at: Spot::BEGIN,
                ends: Vec::new(),
            };
            found = self.stand(id, &begin, path);
        } else {
            found.no.push(path);
        }
        for (index, after) in header.after.iter().enumerate() {
            let ways = std::mem::take(&mut found.no).into_iter();
            let (closed, open) = ways.partition(|path| path.state.closes(&self.overlap, id, index));
            found.no = closed;
            for path in open {
                let predecessor = self.resolve(after.header, path);
                found.no.extend(predecessor.no);
                let fits = self.branch_each(&after.when, predecessor.yes);
                found.no.extend(fits.no);
                for path in fits.yes {
                    let standing = path.state.standing(after.header);
                    let behind = standing.and_then(|standing| standing.behind.clone());
                    let behind =
                        behind.expect("a searched header's predecessors are known in full");
                    found.extend(self.stand(id, &behind, path));
                }
            }
            found.no = self.join(found.no);
        }
        self.searched.pop();
        for path in &mut found.no {
            path.state.headers.insert(id, Presence::Absent);
        }
        self.join_split(found)
    }

    /// Whether the header holds where it would stand: inside the frame and what encloses it, large enough, valid.
    /// Only on the yes side the state then knows it.
    fn stand(&mut self, id: HeaderId, behind: &Behind, path: Path) -> Split {
        let header = self.pipeline.header(id);
        let guess = path.state.guess;
        if let Guess::Likely(general) = guess
            && is_tag(self.pipeline, id)
        {
            self.give_up(&path, general);
            return Split::default();
        }
        let Some(end) = behind.at.behind(header.fixed) else {
            return Split::no(path);
        };
        let mut exit = Exit::of(&path);
        let mut path = self.inside_or(end, path, &mut exit);
        let next = Behind {
            at: end,
            ends: behind.ends.clone(),
        };
        let standing = Standing {
            at: behind.at,
            behind: Some(next),
        };
        path.state.headers.insert(id, Presence::Present(standing));
        let Split { yes, mut no } = self.sized(id, path, &mut exit);
        let mut held = Vec::new();
        for path in yes {
            for path in self.enclosing(id, path) {
                match &header.valid {
                    None => held.push(path),
                    Some(valid) => {
                        let valid = self.branch(valid, path);
                        held.extend(valid.yes);
                        no.extend(valid.no);
                    }
                }
            }
        }
        if let Guess::Likely(general) = guess {
            no.drain(..).for_each(|path| self.give_up(&path, general));
        }
        for path in &mut no {
            path.state.headers.remove(&id);
        }
        no.extend(exit.path());
        self.join_split(Split { yes: held, no })
    }

    /// Splits by whether everything up to `end` lies inside the frame.
    pub(super) fn inside(&mut self, end: Spot, path: Path) -> Split {
        let mut exit = Exit::of(&path);
        let path = self.inside_or(end, path, &mut exit);
        Split {
            yes: vec![path],
            no: exit.path().into_iter().collect(),
        }
    }

    /// Goes on where everything up to `end` lies inside the frame.
    fn inside_or(&mut self, end: Spot, mut path: Path, exit: &mut Exit) -> Path {
        let known = path.state.proven.get(&end.base);
        if known.is_none_or(|proven| *proven < end.offset) {
            let no = exit.block(&mut self.code);
            path.block = self.code.bounds_or(path.block, end, no);
            path.state.proven.insert(end.base, end.offset);
        }
        path
    }

    /// The whole header lies inside the frame and what encloses it; with a size of its own, that is where the next
    /// one begins, and it is not smaller than the fixed fields.
    fn sized(&mut self, id: HeaderId, path: Path, exit: &mut Exit) -> Split {
        let header = self.pipeline.header(id);
        let standing = path
            .state
            .standing(id)
            .cloned()
            .expect("the fixed fields were found");
        let Standing {
            at,
            behind: Some(Behind { at: end, ends }),
        } = standing
        else {
            return Split::yes(path);
        };
        let Some(size) = &header.size else {
            if ends.is_empty() {
                return Split::yes(path);
            }
            let end = self.code.absolute(path.block, end);
            return Split::yes(self.all_le(end, &ends, path, exit));
        };
        let Split { yes, no } = self.value(size, path);
        let mut held = Vec::new();
        for mut path in yes {
            let size = path.pop().low;
            let fixed = self.code.constant(path.block, u64::from(header.fixed));
            if exit.is_general() && self.has_likely_size(id) {
                let is_smallest = self.code.compare(path.block, Compare::Eq, size, fixed);
                let no = exit.block(&mut self.code);
                path.block = self.code.decide_or(path.block, is_smallest, no);
                let end = self.code.absolute(path.block, end);
                held.push(self.all_le(end, &ends, path, exit));
                continue;
            }
            let path = self.all_le(fixed, &[size], path, exit);
            let begin = self.code.absolute(path.block, at);
            let end = self.code.binary(path.block, Binary::Add, begin, size);
            let length = self.code.value(path.block, Op::FrameLength);
            let limits: Vec<Value> = std::iter::once(length)
                .chain(ends.iter().copied())
                .collect();
            let mut path = self.all_le(end, &limits, path, exit);
            let next = Behind {
                at: Spot {
                    base: Some(end),
                    offset: 0,
                },
                ends: ends.clone(),
            };
            let standing = Standing {
                at,
                behind: Some(next),
            };
            path.state.headers.insert(id, Presence::Present(standing));
            held.push(path);
        }
        Split { yes: held, no }
    }

    /// Goes on where `value` is not above any of the limits.
    fn all_le(&mut self, value: Value, limits: &[Value], mut path: Path, exit: &mut Exit) -> Path {
        for limit in limits {
            let holds = self.code.compare(path.block, Compare::Le, value, *limit);
            let no = exit.block(&mut self.code);
            path.block = self.code.decide_or(path.block, holds, no);
        }
        path
    }

    /// Notes the end of what the header encloses.
    fn enclosing(&mut self, id: HeaderId, path: Path) -> Vec<Path> {
        let Some(extent) = &self.pipeline.header(id).extent else {
            return vec![path];
        };
        let mut paths = self.value_or_zero(extent, vec![path]);
        for path in &mut paths {
            let extent = path.pop().low;
            if let Some(Presence::Present(standing)) = path.state.headers.get_mut(&id) {
                let begin = self.code.absolute(path.block, standing.at);
                let end = self.code.binary(path.block, Binary::Add, begin, extent);
                standing
                    .behind
                    .iter_mut()
                    .for_each(|behind| behind.ends.push(end));
            }
        }
        paths
    }
}

/// Where all of several questions go that are asked one behind the other and are answered with no. What is known there
/// is what was known before the first.
struct Exit {
    block: Option<BlockId>,
    /// `None` where that is the general path.
    state: Option<State>,
}

impl Exit {
    fn of(path: &Path) -> Exit {
        match path.state.guess {
            Guess::Likely(general) => Exit {
                block: Some(general),
                state: None,
            },
            Guess::Open | Guess::General => Exit {
                block: None,
                state: Some(path.state.clone()),
            },
        }
    }

    /// Whether it is the way on to the general path.
    fn is_general(&self) -> bool {
        self.state.is_none()
    }

    fn block(&mut self, code: &mut Code) -> BlockId {
        *self.block.get_or_insert_with(|| code.open(Vec::new()))
    }

    /// The path from there on, if a question was asked.
    fn path(self) -> Option<Path> {
        let Exit { block, state } = self;
        Some(Path {
            block: block?,
            state: state?,
        })
    }
}
