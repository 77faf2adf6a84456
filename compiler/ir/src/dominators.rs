//! Which blocks every way to a block passes.

use std::ops::Range;

use crate::arena::Arena;
use crate::graph::Graph;
use crate::program::{BlockId, Program};

/// The dominator tree of a program.
#[derive(Clone, Debug)]
pub struct Dominators {
    nodes: Arena<BlockId, Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The nearest block that every way from the entry passes; the entry's is itself. None for a block that the entry
    /// does not reach.
    parent: Option<BlockId>,
    /// Number of blocks above in the tree, and of those below.
    depth: usize,
    below: usize,
    /// Place in a walk over the tree.
    entered: usize,
}

impl Dominators {
    /// The tree of the program whose shape this is.
    pub fn of(graph: &Graph) -> Dominators {
        let mut dominators = Dominators {
            nodes: graph.blocks().map(|_| Node::default()).collect(),
        };
        dominators.find(graph);
        dominators.number(graph);
        dominators
    }

    /// Whether every way from the entry to `below` passes `above`; a block dominates itself. Never for a block that
    /// the entry does not reach.
    pub fn dominates(&self, above: BlockId, below: BlockId) -> bool {
        let below = self.span(below);
        !below.is_empty() && self.span(above).contains(&below.start)
    }

    // Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001); one round, for there is no cycle.
    /// The places in a walk over the tree of the block and of all below it: two blocks' are apart unless one dominates
    /// the other. Empty for a block that the entry does not reach.
    pub fn span(&self, block: BlockId) -> Range<usize> {
        match self.nodes.get(block) {
            Some(node) if node.parent.is_some() => node.entered..node.entered + node.below + 1,
            Some(_) | None => 0..0,
        }
    }

    fn find(&mut self, graph: &Graph) {
        for id in graph.order().iter().copied() {
            let edges = graph.predecessors(id).iter();
            let found = edges
                .map(|(from, _)| *from)
                .reduce(|a, b| self.common(a, b));
            let depth = found.map_or(0, |above| self.nodes[above].depth + 1);
            let node = &mut self.nodes[id];
            (node.parent, node.depth) = (Some(found.unwrap_or(id)), depth);
        }
    }

    /// The nearest block that every way to either of two blocks passes; both are reached.
    pub fn common(&self, mut a: BlockId, mut b: BlockId) -> BlockId {
        while a != b {
            // The deeper one goes up.
            let (node_a, node_b) = (&self.nodes[a], &self.nodes[b]);
            if node_a.depth < node_b.depth {
                b = node_b.parent.unwrap_or(Program::ENTRY);
            } else {
                a = node_a.parent.unwrap_or(Program::ENTRY);
            }
        }
        a
    }

    /// Numbers the tree so that what is below a block has the numbers behind its own.
    fn number(&mut self, graph: &Graph) {
        for id in graph.order().iter().rev() {
            let below = self.nodes[*id].below + 1;
            match self.nodes[*id].parent {
                Some(above) if above != *id => self.nodes[above].below += below,
                Some(_) | None => {}
            }
        }
        // A block's first number that is still free for what is below it.
        let mut free: Arena<BlockId, usize> = self.nodes.ids().map(|_| 1).collect();
        for id in graph.order() {
            match self.nodes[*id].parent {
                Some(above) if above != *id => {
                    self.nodes[*id].entered = free[above];
                    free[above] += self.nodes[*id].below + 1;
                    free[*id] = self.nodes[*id].entered + 1;
                }
                Some(_) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn a_join_is_dominated_by_the_fork_and_not_by_the_arms() {
        let source = "b0:\n  bounds +1 b1() else b2()\nb1:\n  jump b3()\nb2:\n  jump b3()\nb3:\n  return drop\nb4:\n  return drop\n";
        let program = text::parse(source).expect("it parses").program;
        let tree = Dominators::of(&Graph::of(&program));
        let [fork, left, right, join, lone] = [0, 1, 2, 3, 4].map(BlockId);
        assert!(tree.dominates(fork, join) && tree.dominates(join, join));
        assert!(!tree.dominates(left, join) && !tree.dominates(right, join));
        assert!(!tree.dominates(fork, lone) && !tree.dominates(lone, lone));
    }
}
