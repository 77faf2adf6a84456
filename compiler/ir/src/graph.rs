//! The shape of a program: order, predecessors, dominators. Knows where blocks jump, not what they do.

use std::ops::Range;

use crate::arena::Arena;
use crate::program::{BlockId, Jump, Program};

/// An edge: the block that jumps, and which of its jumps it is, in the order in which they are written.
pub type Edge = (BlockId, usize);

/// The shape of a program whose jumps name existing blocks and make no cycle.
#[derive(Clone, Debug)]
pub struct Graph {
    order: Vec<BlockId>,
    nodes: Arena<BlockId, Node>,
    /// The edges to all blocks, those to one of them side by side.
    edges: Vec<Edge>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Place in the order; none for a block that the entry does not reach.
    position: Option<usize>,
    /// Which of the edges lead here.
    predecessors: Range<usize>,
    /// The nearest block that every way from the entry passes; the entry's is itself.
    dominator: Option<BlockId>,
    /// Number of blocks above in the dominator tree, and of those below.
    depth: usize,
    below: usize,
    /// Place in a walk over the dominator tree.
    entered: usize,
}

impl Graph {
    /// The shape of `program`.
    pub fn of(program: &Program) -> Graph {
        let order = program.reverse_postorder();
        let nodes = program.blocks.ids().map(|_| Node::default()).collect();
        let mut graph = Graph {
            order,
            nodes,
            edges: Vec::new(),
        };
        for (position, id) in graph.order.iter().enumerate() {
            graph.nodes[*id].position = Some(position);
        }
        graph.find_edges(program);
        graph.find_dominators();
        graph.number_tree();
        graph
    }

    /// The blocks that the entry reaches, each after all that jump to it.
    pub fn order(&self) -> &[BlockId] {
        &self.order
    }

    /// Place in the order; `None` for a block that the entry does not reach.
    pub fn position(&self, block: BlockId) -> Option<usize> {
        self.nodes.get(block).and_then(|node| node.position)
    }

    /// The edges by which the block is reached, from reached blocks only.
    pub fn predecessors(&self, block: BlockId) -> &[Edge] {
        let node = self.nodes.get(block);
        node.and_then(|node| self.edges.get(node.predecessors.clone()))
            .unwrap_or_default()
    }

    /// Whether every way from the entry to `below` passes `above`; a block dominates itself.
    pub fn dominates(&self, above: BlockId, below: BlockId) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(above), self.nodes.get(below)) else {
            return false;
        };
        let reached = a.position.is_some() && b.position.is_some();
        reached && (a.entered..=a.entered + a.below).contains(&b.entered)
    }

    fn find_edges(&mut self, program: &Program) {
        let mut found: Vec<(BlockId, Edge)> = Vec::with_capacity(2 * self.order.len());
        for id in &self.order {
            let jumps = program.blocks[*id].end.jumps().enumerate();
            found.extend(jumps.map(|(which, jump)| (jump.to, (*id, which))));
        }
        // Stable: the edges to one block keep the order of the blocks that they come from.
        found.sort_by_key(|(to, _)| *to);
        for (index, (to, _)) in found.iter().enumerate() {
            let range = &mut self.nodes[*to].predecessors;
            *range = if range.end == 0 {
                index..index + 1
            } else {
                range.start..index + 1
            };
        }
        self.edges = found.into_iter().map(|(_, edge)| edge).collect();
    }

    // Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001); one round, for there is no cycle.
    fn find_dominators(&mut self) {
        for index in 0..self.order.len() {
            let id = self.order[index];
            let edges = self.predecessors(id).iter();
            let found = edges
                .map(|(from, _)| *from)
                .reduce(|a, b| self.common(a, b));
            let depth = found.map_or(0, |above| self.nodes[above].depth + 1);
            let node = &mut self.nodes[id];
            (node.dominator, node.depth) = (Some(found.unwrap_or(id)), depth);
        }
    }

    fn common(&self, mut a: BlockId, mut b: BlockId) -> BlockId {
        while a != b {
            // The deeper one goes up.
            let (node_a, node_b) = (&self.nodes[a], &self.nodes[b]);
            if node_a.depth < node_b.depth {
                b = node_b.dominator.unwrap_or(Program::ENTRY);
            } else {
                a = node_a.dominator.unwrap_or(Program::ENTRY);
            }
        }
        a
    }

    /// Numbers the dominator tree so that what is below a block has the numbers behind its own.
    fn number_tree(&mut self) {
        for id in self.order.iter().rev() {
            let below = self.nodes[*id].below + 1;
            match self.nodes[*id].dominator {
                Some(above) if above != *id => self.nodes[above].below += below,
                Some(_) | None => {}
            }
        }
        // A block's first number that is still free for what is below it.
        let mut free: Arena<BlockId, usize> = self.nodes.ids().map(|_| 1).collect();
        for id in &self.order {
            match self.nodes[*id].dominator {
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

/// The jump that an edge is.
pub fn jump(program: &Program, (from, which): Edge) -> &Jump {
    let found = program.blocks[from].end.jumps().nth(which);
    found.expect("an edge is one of its block's jumps")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn a_join_is_dominated_by_the_fork_and_not_by_the_arms() {
        let source = "b0:\n  bounds +1 b1() else b2()\nb1:\n  jump b3()\nb2:\n  jump b3()\nb3:\n  return drop\nb4:\n  return drop\n";
        let graph = Graph::of(&text::parse(source).expect("it parses").program);
        let [fork, left, right, join, lone] = [0, 1, 2, 3, 4].map(BlockId);
        assert!(graph.dominates(fork, join) && graph.dominates(join, join));
        assert!(!graph.dominates(left, join) && !graph.dominates(right, join));
        assert!(!graph.dominates(fork, lone) && !graph.dominates(lone, lone));
        assert_eq!(graph.predecessors(join).len(), 2);
        assert_eq!(graph.position(lone), None);
    }
}
