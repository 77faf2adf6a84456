//! The order of a program's blocks: each after all that jump to it.

use crate::arena::{Arena, Id};
use crate::program::{Block, BlockId, Program};

impl Program {
    /// Without what the entry does not reach; each block after all that jump to it.
    #[must_use]
    pub fn pruned(mut self) -> Program {
        let order = self.reverse_postorder();
        if order.len() == self.blocks.len() && order.is_sorted() {
            return self;
        }
        let mut numbers: Arena<BlockId, BlockId> = self.blocks.ids().collect();
        for (index, id) in order.iter().enumerate() {
            numbers[*id] = BlockId::at(index);
        }
        let mut blocks: Arena<BlockId, Option<Block>> =
            self.blocks.into_values().map(Some).collect();
        self.blocks = order.iter().filter_map(|id| blocks[*id].take()).collect();
        for block in self.blocks.values_mut() {
            for jump in block.end.jumps_mut() {
                jump.to = numbers[jump.to];
            }
        }
        self
    }

    /// The blocks that the entry reaches, each after all that jump to it.
    pub fn reverse_postorder(&self) -> Vec<BlockId> {
        let mut seen: Arena<BlockId, bool> = self.blocks.ids().map(|_| false).collect();
        let mut order = Vec::with_capacity(self.blocks.len());
        // An explicit stack, for chains may be long. A block is there twice: to be entered, and to be left.
        let mut stack = vec![(Program::ENTRY, Step::Enter)];
        while let Some((id, step)) = stack.pop() {
            match (step, seen.get_mut(id)) {
                (Step::Leave, _) => order.push(id),
                (Step::Enter, Some(seen)) if !*seen => {
                    *seen = true;
                    stack.push((id, Step::Leave));
                    // The last successor is entered first: the first one then follows its predecessor in the order.
                    for jump in self.blocks[id].end.jumps() {
                        stack.push((jump.to, Step::Enter));
                    }
                }
                (Step::Enter, _) => {}
            }
        }
        order.reverse();
        order
    }
}

/// What a walk does at a block.
#[derive(Clone, Copy)]
enum Step {
    Enter,
    Leave,
}
