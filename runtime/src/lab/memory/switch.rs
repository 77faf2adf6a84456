//! A switch that knows who is where and does not learn; it records every frame at every port it passes.

use std::collections::VecDeque;

use lvsc_abi::mac::Mac;

use crate::lab::{Captured, Direction, Node, Plan};

/// The switch.
pub(super) struct Switch {
    ports: Vec<Port>,
    frames: Vec<Captured>,
}

struct Port {
    node: Node,
    mac: Mac,
    /// What the host has not received yet.
    queue: VecDeque<Vec<u8>>,
}

impl Switch {
    /// A switch with a port for each host.
    pub(super) fn new(plan: &Plan) -> Switch {
        let servers = (0..).map(Node::Server);
        let nodes = [Node::Client, Node::Director].into_iter().chain(servers);
        let ports = nodes.zip(plan.hosts()).map(|(node, host)| {
            let queue = VecDeque::new();
            Port {
                node,
                mac: host.mac,
                queue,
            }
        });
        Switch {
            ports: ports.collect(),
            frames: Vec::new(),
        }
    }

    /// Takes a frame from a host to the port of its destination; to all others where it is for a group, or for nobody
    /// here. What is shorter than an Ethernet header goes nowhere.
    pub(super) fn forward(&mut self, from: Node, frame: &[u8]) {
        self.frames.push(captured(from, Direction::From, frame));
        let destination = frame
            .first_chunk::<14>()
            .map(|[a, b, c, d, e, f, ..]| Mac([*a, *b, *c, *d, *e, *f]));
        let known = self.ports.iter().any(|port| Some(port.mac) == destination);
        for port in &mut self.ports {
            let wanted = destination.is_some() && (!known || Some(port.mac) == destination);
            if port.node != from && wanted {
                self.frames.push(captured(port.node, Direction::To, frame));
                port.queue.push_back(frame.to_vec());
            }
        }
    }

    /// The next frame for a host.
    pub(super) fn receive(&mut self, node: Node) -> Option<Vec<u8>> {
        self.ports
            .iter_mut()
            .find(|port| port.node == node)?
            .queue
            .pop_front()
    }

    pub(super) fn frames(&self) -> &[Captured] {
        &self.frames
    }

    pub(super) fn take_frames(&mut self) -> Vec<Captured> {
        std::mem::take(&mut self.frames)
    }
}

fn captured(node: Node, direction: Direction, frame: &[u8]) -> Captured {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    Captured {
        node,
        direction,
        frame: frame.to_vec(),
        length,
    }
}

/// An ARP frame (RFC 826), untagged.
pub(super) fn is_arp(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x08, 0x06])
}
