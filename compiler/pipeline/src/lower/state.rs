//! What is known on a path through the program: which headers stand where, which alternatives were taken, and where
//! the values are that were made so far.

use lvsc_ir::assoc::Assoc;
use std::iter::once;

use lvsc_ir::program::{BlockId, Value};

use super::code::Spot;
use super::likely::Guess;
use crate::overlap::Overlap;
use crate::pipeline::{ChoiceId, HeaderId, VariableId};

/// A path: the block that is being filled, and what is known in it.
pub(super) struct Path {
    pub(super) block: BlockId,
    pub(super) state: State,
}

/// The paths on which something holds, and those on which it does not.
#[derive(Default)]
pub(super) struct Split {
    pub(super) yes: Vec<Path>,
    pub(super) no: Vec<Path>,
}

/// What is known. A header or choice that is not named is not yet resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) headers: Assoc<HeaderId, Presence>,
    /// The alternative that is taken, `None` where none is.
    pub(super) choices: Assoc<ChoiceId, Option<usize>>,
    pub(super) variables: Assoc<VariableId, Binding>,
    /// The first six bytes of the frame as it arrived, first byte lowest; kept when the frame has been changed.
    pub(super) arrival: Option<Value>,
    /// Those bytes are the MAC of the interface at which the frame arrived, as far as that is known.
    pub(super) arrives_at_own: bool,
    /// Operands that wait for the rest of their expression, the last one on top.
    pub(super) stack: Vec<Number>,
    /// What the packet is taken for.
    pub(super) guess: Guess,
    /// For each base, how many bytes behind it are proven to lie inside the frame.
    pub(super) proven: Assoc<Option<Value>, u16>,
}

/// Whether a header is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Absent,
    Present(Standing),
}

/// How a present header stands in the frame. The bases are values that dominate the path. Where paths with
/// different bases meet, the position is a parameter, and its bounds are checked anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) at: Spot,
    /// What headers behind it must know; `None` where no unresolved header stands behind it.
    pub(super) behind: Option<Behind>,
}

/// What a header tells the headers behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    /// Where they begin.
    pub(super) at: Spot,
    /// Ends of what encloses them (bytes from the frame's begin).
    pub(super) ends: Vec<Value>,
}

/// A number of up to 128 bits; `high` is there exactly when its width is above 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) low: Value,
    pub(super) high: Option<Value>,
}

impl Number {
    /// Its halves, in a fixed order.
    fn values(&self) -> impl Iterator<Item = Value> {
        once(self.low).chain(self.high)
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        once(&mut self.low).chain(&mut self.high)
    }
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    Value(Number),
    /// A backend's id, and its record in the pool's section.
    Backend {
        id: Value,
        record: Value,
    },
}

impl Path {
    pub(super) fn push(&mut self, low: Value) {
        self.state.stack.push(Number { low, high: None });
    }

    /// The operand on top: whoever pops has pushed.
    pub(super) fn pop(&mut self) -> Number {
        self.state
            .stack
            .pop()
            .expect("an operand was pushed before")
    }

    /// This path on into two blocks.
    pub(super) fn fork(self, (yes, no): (BlockId, BlockId)) -> (Path, Path) {
        (
            Path {
                block: yes,
                state: self.state.clone(),
            },
            Path {
                block: no,
                state: self.state,
            },
        )
    }
}

impl Split {
    pub(super) fn yes(path: Path) -> Split {
        Split {
            yes: vec![path],
            no: Vec::new(),
        }
    }

    pub(super) fn no(path: Path) -> Split {
        Split {
            yes: Vec::new(),
            no: vec![path],
        }
    }

    pub(super) fn swapped(self) -> Split {
        Split {
            yes: self.no,
            no: self.yes,
        }
    }

    pub(super) fn all(self) -> Vec<Path> {
        self.yes.into_iter().chain(self.no).collect()
    }

    pub(super) fn extend(&mut self, other: Split) {
        self.yes.extend(other.yes);
        self.no.extend(other.no);
    }
}

impl From<(Path, Path)> for Split {
    fn from((yes, no): (Path, Path)) -> Split {
        Split {
            yes: vec![yes],
            no: vec![no],
        }
    }
}

impl Presence {
    pub(super) fn behind(&self) -> Option<&Behind> {
        match self {
            Presence::Absent => None,
            Presence::Present(standing) => standing.behind.as_ref(),
        }
    }

    pub(super) fn behind_mut(&mut self) -> Option<&mut Behind> {
        match self {
            Presence::Absent => None,
            Presence::Present(standing) => standing.behind.as_mut(),
        }
    }
}

impl State {
    /// Notes the alternative that is taken.
    pub(super) fn choose(&mut self, choice: ChoiceId, alternative: Option<usize>) {
        self.choices.insert(choice, alternative);
    }

    /// Whether a header is present that no frame has together with this one.
    pub(super) fn excludes(&self, overlap: &Overlap, header: HeaderId) -> bool {
        self.present().any(|known| overlap.exclusive(known, header))
    }

    /// Whether a header is present that no frame has where this one follows its predecessor with this index.
    pub(super) fn closes(&self, overlap: &Overlap, header: HeaderId, index: usize) -> bool {
        (self.present()).any(|known| overlap.closes(known, header, index))
    }

    fn present(&self) -> impl Iterator<Item = HeaderId> {
        let present = |(header, presence): &(HeaderId, Presence)| {
            (*presence != Presence::Absent).then_some(*header)
        };
        self.headers.iter().filter_map(present)
    }

    /// Where a header stands, if it is known to be present.
    pub(super) fn standing(&self, header: HeaderId) -> Option<&Standing> {
        match self.headers.get(&header)? {
            Presence::Absent => None,
            Presence::Present(standing) => Some(standing),
        }
    }

    /// Where what is present stands, and what stands behind it: outer headers first.
    pub(super) fn spots(&self) -> Vec<Spot> {
        let mut spots = Vec::with_capacity(2 * self.headers.len());
        for (_, presence) in self.headers.iter() {
            if let Presence::Present(Standing { at, behind }) = presence {
                spots.extend(once(*at).chain(behind.as_ref().map(|behind| behind.at)));
            }
        }
        spots
    }

    /// Puts others in the place of those spots, in the same order.
    pub(super) fn put_spots(&mut self, spots: &[Spot]) {
        let mut spots = spots.iter().copied();
        for presence in self.headers.values_mut() {
            if let Presence::Present(Standing { at, behind }) = presence {
                for spot in once(at).chain(behind.as_mut().map(|behind| &mut behind.at)) {
                    *spot = spots.next().unwrap_or(*spot);
                }
            }
        }
    }

    /// The values that may differ between paths that are joined, in a fixed order.
    pub(super) fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for (_, presence) in self.headers.iter() {
            values.extend(
                presence
                    .behind()
                    .into_iter()
                    .flat_map(|behind| &behind.ends),
            );
        }
        for (_, binding) in self.variables.iter() {
            match binding {
                Binding::Value(number) => values.extend(number.values()),
                Binding::Backend { id, record } => values.extend([*id, *record]),
            }
        }
        values.extend(self.arrival);
        values.extend(self.stack.iter().flat_map(Number::values));
        values
    }

    /// Puts others in the place of those values, in the same order.
    pub(super) fn replace(&mut self, values: &[Value]) {
        let mut values = values.iter().copied();
        let mut put = |place: &mut Value| *place = values.next().unwrap_or(*place);
        for presence in self.headers.values_mut() {
            if let Some(behind) = presence.behind_mut() {
                behind.ends.iter_mut().for_each(&mut put);
            }
        }
        for binding in self.variables.values_mut() {
            match binding {
                Binding::Value(number) => number.values_mut().for_each(&mut put),
                Binding::Backend { id, record } => [id, record].into_iter().for_each(&mut put),
            }
        }
        self.arrival.iter_mut().for_each(&mut put);
        for number in &mut self.stack {
            number.values_mut().for_each(&mut put);
        }
    }

    /// What must be equal on paths that are joined: all but those spots and values, the proven bytes and whose the destination is. As words, each part
    /// behind its length, so that equal words are equal knowledge.
    pub(super) fn shape(&self) -> Vec<u64> {
        let mut words = Vec::with_capacity(64);
        words.extend([
            self.headers.len() as u64,
            self.choices.len() as u64,
            self.variables.len() as u64,
            self.stack.len() as u64,
            u64::from(self.arrival.is_some()),
            self.guess.word(),
        ]);
        for (header, presence) in self.headers.iter() {
            words.push(u64::from(header.0));
            match presence {
                Presence::Absent => words.push(0),
                Presence::Present(Standing { behind: None, .. }) => words.push(1),
                Presence::Present(Standing {
                    behind: Some(behind),
                    ..
                }) => words.push(2 + behind.ends.len() as u64),
            }
        }
        for (choice, alternative) in self.choices.iter() {
            let alternative = alternative.map_or(0, |index| 1 + index as u64);
            words.extend([u64::from(choice.0), alternative]);
        }
        for (variable, binding) in self.variables.iter() {
            let kind = match binding {
                Binding::Value(Number { high: None, .. }) => 0,
                Binding::Value(Number { high: Some(_), .. }) => 1,
                Binding::Backend { .. } => 2,
            };
            words.extend([u64::from(variable.0), kind]);
        }
        words.extend(self.stack.iter().map(|it| u64::from(it.high.is_some())));
        words
    }
}
