//! Which bytes of the frame are known to be there. Knows the `bounds` edges of a program, nothing else.

use crate::arena::Arena;
use crate::assoc::Assoc;
use crate::graph::{Edge, Graph};
use crate::program::{BlockId, FrameAccess, Program, Terminator, Value};

/// For each base, how many bytes from it on are known to lie inside the frame: every way from the entry has asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proven(Assoc<Option<Value>, u16>);

impl Proven {
    /// Whether `length` bytes from `base` on are known to be there.
    pub fn covers(&self, base: Option<Value>, length: u32) -> bool {
        self.0
            .get(&base)
            .is_some_and(|known| length <= u32::from(*known))
    }

    /// Whether the access lies in what is known.
    pub fn allows(&self, access: FrameAccess) -> bool {
        self.covers(
            access.base,
            u32::from(access.offset) + u32::from(access.bytes),
        )
    }

    /// Each base with the number of bytes from it on that are known to be there.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Value>, u16)> {
        self.0.iter().copied()
    }
}

/// What is known at the beginning of each block.
pub fn at_begin(program: &Program, graph: &Graph) -> Arena<BlockId, Proven> {
    let nothing = Proven::default();
    let mut known: Arena<BlockId, Proven> = program.blocks.ids().map(|_| nothing.clone()).collect();
    for id in graph.order() {
        let edges = graph.predecessors(*id).iter();
        let met = edges
            .map(|edge| behind(program, *edge, &known))
            .reduce(|mut a, b| {
                a.0.meet(&b.0, |x, y| Some(*x.min(y)));
                a
            });
        known[*id] = met.unwrap_or_default();
    }
    known
}

fn behind(program: &Program, (from, which): Edge, known: &Arena<BlockId, Proven>) -> Proven {
    let mut proven = known[from].clone();
    if let (Terminator::Bounds { base, length, .. }, 0) = (&program.blocks[from].end, which) {
        proven.0.learn(*base, *length, |known, new| new.max(*known));
    }
    proven
}
