//! The shape of a program: order, predecessors, dominators. Knows where blocks jump, not what they do.

use crate::arena::Arena;
use crate::program::{BlockId, Jump, Program};

/// An edge: the block that jumps, and which of its jumps it is, in the order in which they are written.
pub type Edge = (BlockId, usize);

/// The shape of a program whose jumps name existing blocks and make no cycle.
#[derive(Clone, Debug)]
pub struct Graph {
    order: Vec<BlockId>,
    nodes: Arena<BlockId, Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Place in the order; none for a block that the entry does not reach.
    position: Option<usize>,
    predecessors: Vec<Edge>,
    /// The nearest block that every way from the entry passes; the entry's is itself.
    dominator: Option<BlockId>,
    /// Times of entering and leaving in a walk over the dominator tree.
    entered: usize,
    left: usize,
}

impl Graph {
    /// The shape of `program`.
    pub fn of(program: &Program) -> Graph {
        let order = program.reverse_postorder();
        let mut nodes: Arena<BlockId, Node> =
            program.blocks.ids().map(|_| Node::default()).collect();
        for (position, id) in order.iter().enumerate() {
            if let Some(node) = nodes.get_mut(*id) {
                node.position = Some(position);
            }
        }
        for id in &order {
            for (which, jump) in program.blocks[*id].end.jumps().into_iter().enumerate() {
                if let Some(node) = nodes.get_mut(jump.to) {
                    node.predecessors.push((*id, which));
                }
            }
        }
        let mut graph = Graph { order, nodes };
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
        self.nodes.get(block).map_or(&[], |node| &node.predecessors)
    }

    /// Whether every way from the entry to `below` passes `above`; a block dominates itself.
    pub fn dominates(&self, above: BlockId, below: BlockId) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(above), self.nodes.get(below)) else {
            return false;
        };
        let reached = a.position.is_some() && b.position.is_some();
        reached && a.entered <= b.entered && b.left <= a.left
    }

    // Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001); one round, for there is no cycle.
    fn find_dominators(&mut self) {
        for id in self.order.clone() {
            let edges = self.nodes[id].predecessors.iter();
            let found = edges
                .map(|(from, _)| *from)
                .reduce(|a, b| self.common(a, b));
            self.nodes[id].dominator = Some(found.unwrap_or(id));
        }
    }

    fn common(&self, mut a: BlockId, mut b: BlockId) -> BlockId {
        while a != b {
            let (node_a, node_b) = (&self.nodes[a], &self.nodes[b]);
            if node_a.position > node_b.position {
                a = node_a.dominator.unwrap_or(Program::ENTRY);
            } else {
                b = node_b.dominator.unwrap_or(Program::ENTRY);
            }
        }
        a
    }

    fn number_tree(&mut self) {
        let mut children: Arena<BlockId, Vec<BlockId>> =
            self.nodes.ids().map(|_| Vec::new()).collect();
        for id in &self.order {
            match self.nodes[*id].dominator {
                Some(above) if above != *id => children[above].push(*id),
                Some(_) | None => {}
            }
        }
        let mut time = 0;
        let mut stack: Vec<BlockId> = self.order.first().copied().into_iter().collect();
        for root in &stack {
            self.nodes[*root].entered = time;
        }
        while let Some(id) = stack.last().copied() {
            time += 1;
            if let Some(child) = children[id].pop() {
                self.nodes[child].entered = time;
                stack.push(child);
            } else {
                self.nodes[id].left = time;
                stack.pop();
            }
        }
    }
}

/// The jump that an edge is.
pub fn jump(program: &Program, (from, which): Edge) -> &Jump {
    let jumps = program.blocks[from].end.jumps();
    jumps
        .get(which)
        .copied()
        .expect("an edge is one of its block's jumps")
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
