//! What is known on a path through the program: which headers stand where, which alternatives were taken, and where
//! the values are that were made so far.

use std::collections::BTreeMap;

use lvsc_ir::program::{BlockId, Value};

use super::code::Spot;
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
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    pub(super) headers: BTreeMap<HeaderId, Presence>,
    /// The alternative that is taken, `None` where none is.
    pub(super) choices: BTreeMap<ChoiceId, Option<usize>>,
    pub(super) variables: BTreeMap<VariableId, Binding>,
    /// The first six bytes of the frame as it arrived, first byte lowest; kept when the frame has been changed.
    pub(super) arrival: Option<Value>,
    /// Operands that wait for the rest of their expression, the last one on top.
    pub(super) stack: Vec<Number>,
    /// For each base, how many bytes behind it are proven to lie inside the frame.
    pub(super) proven: BTreeMap<Option<Value>, u16>,
}

/// Whether a header is present.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Presence {
    Absent,
    Present(Standing),
}

/// How a present header stands in the frame. The bases are values that dominate the path; paths with different bases
/// are different paths, so that a bounds check holds for every access behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    pub(super) at: Spot,
    /// What headers behind it must know; `None` where no unresolved header stands behind it.
    pub(super) behind: Option<Behind>,
}

/// What a header tells the headers behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Behind {
    /// Where they begin.
    pub(super) at: Spot,
    /// Ends of what encloses them (bytes from the frame's begin).
    pub(super) ends: Vec<Value>,
}

/// A number of up to 128 bits; `high` is there exactly when its width is above 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    pub(super) low: Value,
    pub(super) high: Option<Value>,
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binding {
    Value(Value),
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

impl State {
    /// Notes the alternative that is taken.
    pub(super) fn choose(&mut self, choice: ChoiceId, alternative: Option<usize>) {
        self.choices.insert(choice, alternative);
    }

    /// Where a header stands, if it is known to be present.
    pub(super) fn standing(&self, header: HeaderId) -> Option<&Standing> {
        match self.headers.get(&header)? {
            Presence::Absent => None,
            Presence::Present(standing) => Some(standing),
        }
    }

    /// The values that may differ between paths that are joined, in a fixed order.
    pub(super) fn values_mut(&mut self) -> Vec<&mut Value> {
        let State {
            headers,
            variables,
            arrival,
            stack,
            ..
        } = self;
        let ends = headers.values_mut().flat_map(|presence| match presence {
            Presence::Absent | Presence::Present(Standing { behind: None, .. }) => [].iter_mut(),
            Presence::Present(Standing {
                behind: Some(behind),
                ..
            }) => behind.ends.iter_mut(),
        });
        let variables = variables.values_mut().flat_map(|binding| match binding {
            Binding::Value(value) => vec![value],
            Binding::Backend { id, record } => vec![id, record],
        });
        let stack = stack
            .iter_mut()
            .flat_map(|Number { low, high }| Some(low).into_iter().chain(high));
        ends.chain(variables).chain(arrival).chain(stack).collect()
    }

    /// What must be equal on paths that are joined: all but those values and the proven bytes.
    pub(super) fn shape(&self) -> State {
        let mut shape = State {
            proven: BTreeMap::new(),
            ..self.clone()
        };
        for value in shape.values_mut() {
            *value = Value(0);
        }
        shape
    }
}
