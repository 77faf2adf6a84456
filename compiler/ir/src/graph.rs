//! The shape of a program: order and predecessors. Knows where blocks jump, not what they do.

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
        graph
    }

    /// The blocks that the entry reaches, each after all that jump to it.
    pub fn order(&self) -> &[BlockId] {
        &self.order
    }

    /// All blocks of the program.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = BlockId> + use<> {
        self.nodes.ids()
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

    fn find_edges(&mut self, program: &Program) {
        // First how many lead to each block, then where they lie, then the edges themselves: `end` grows three times
        // from the begin of its range.
        for id in &self.order {
            for jump in program.blocks[*id].end.jumps() {
                self.nodes[jump.to].predecessors.end += 1;
            }
        }
        let mut total = 0;
        for node in self.nodes.values_mut() {
            let begin = total;
            total += node.predecessors.end;
            node.predecessors = begin..begin;
        }
        self.edges = vec![(Program::ENTRY, 0); total];
        for id in &self.order {
            for (which, jump) in program.blocks[*id].end.jumps().enumerate() {
                let range = &mut self.nodes[jump.to].predecessors;
                self.edges[range.end] = (*id, which);
                range.end += 1;
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
    fn a_join_has_both_arms_before_it_and_a_lone_block_has_no_place() {
        let source = "b0:\n  bounds +1 b1() else b2()\nb1:\n  jump b3()\nb2:\n  jump b3()\nb3:\n  return drop\nb4:\n  return drop\n";
        let graph = Graph::of(&text::parse(source).expect("it parses").program);
        let [left, right, join, lone] = [1, 2, 3, 4].map(BlockId);
        assert_eq!(graph.predecessors(join), [(left, 0), (right, 0)]);
        assert_eq!(graph.position(join), Some(3));
        assert_eq!(graph.position(lone), None);
        assert!(graph.predecessors(lone).is_empty());
    }
}
