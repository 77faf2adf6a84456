//! The proof of direct routing, from frames that were captured at the switch's ports: it does not rest on the director's
//! word. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use lvsc_abi::mac::Mac;

use super::plan::Plan;

/// A station of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The client.
    Client,
    /// The director.
    Director,
    /// A real server, by its place in the plan.
    Server(usize),
}

/// Which way a frame passed a port of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The station sent it.
    From,
    /// The station gets it.
    To,
}

/// A frame at a port of the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Whose port.
    pub node: Node,
    /// Which way.
    pub direction: Direction,
    /// The frame, whole.
    pub frame: Vec<u8>,
    /// Its length on the wire.
    pub length: u32,
}

/// One of the four steps, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// 1 to 4.
    pub number: u8,
    /// At whose port it was seen.
    pub at: String,
    /// Ethernet source and destination.
    pub eth: (Mac, Mac),
    /// IP source and destination.
    pub ip: (Ipv4Addr, Ipv4Addr),
}

/// What the frames show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The four steps of the first flow that has all of them.
    pub steps: Vec<Step>,
    /// Frames to the VIP that reached the director.
    pub requests: usize,
    /// Frames to the VIP that left the director with the same IP bytes.
    pub unchanged: usize,
    /// Frames from the VIP on the director's port.
    pub replies_through_director: usize,
    /// What does not hold, in words; empty: proven.
    pub faults: Vec<String>,
}

/// Identification and TTL of the planted frame: a reply through the director that nobody else sends.
const PLANTED: (u16, u8) = (0xbeef, 77);

/// The parts of a frame that the proof reads.
#[derive(Clone, Copy)]
struct Packet<'a> {
    eth: (Mac, Mac),
    ip: (Ipv4Addr, Ipv4Addr),
    ports: (u16, u16),
    /// IP header and what follows.
    bytes: &'a [u8],
    length: u32,
    planted: bool,
}

impl<'a> Packet<'a> {
    /// The TCP packet in a captured frame.
    fn of(captured: &'a Captured) -> Option<Packet<'a>> {
        const TCP: u8 = 6;
        let frame = captured.frame.as_slice();
        let (destination, rest) = frame.split_first_chunk::<6>()?;
        let (source, rest) = rest.split_first_chunk::<6>()?;
        let bytes = rest.strip_prefix(&[0x08, 0x00])?;
        let head: &[u8; 20] = bytes.first_chunk()?;
        let [
            version,
            _,
            _,
            _,
            id_high,
            id_low,
            _,
            _,
            ttl,
            protocol,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = *head;
        if protocol != TCP {
            return None;
        }
        let transport = bytes.get(usize::from(version & 15) * 4..)?;
        let [a, b, c, d] = *transport.first_chunk::<4>()?;
        Some(Packet {
            eth: (Mac(*source), Mac(*destination)),
            ip: (Ipv4Addr::new(s0, s1, s2, s3), Ipv4Addr::new(d0, d1, d2, d3)),
            ports: (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
            bytes,
            length: captured.length,
            planted: (u16::from_be_bytes([id_high, id_low]), ttl) == PLANTED,
        })
    }
}

/// A frame that looks like a reply through the director: from the first real server to the director's port. If it is
/// not seen in the capture, the capture would not have seen a real one either.
pub fn planted(plan: &Plan) -> Vec<u8> {
    let server = plan
        .servers
        .first()
        .map_or(Mac([0; 6]), |server| server.mac);
    let mut frame = [plan.director.mac.0, server.0].concat();
    frame.extend([0x08, 0x00]);
    let (id, ttl) = PLANTED;
    let mut ip = vec![0x45, 0, 0, 40];
    ip.extend(id.to_be_bytes());
    ip.extend([0, 0, ttl, 6, 0, 0]);
    ip.extend(plan.vip.octets());
    ip.extend(plan.client.ip.octets());
    let sum = lvsc_abi::notation::checksum(&ip).to_be_bytes();
    if let Some(place) = ip.get_mut(10..12) {
        place.copy_from_slice(&sum);
    }
    frame.extend(ip);
    frame.extend(plan.port.to_be_bytes());
    frame.extend([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
    frame
}

/// Judges the frames of a run.
pub fn judge(plan: &Plan, frames: &[Captured]) -> Proof {
    let view = View { plan, frames };
    let requests: Vec<Packet<'_>> = view.at(Node::Director, Direction::To, |p| p.ip.1 == plan.vip);
    let forwarded = view.at(Node::Director, Direction::From, |p| p.ip.1 == plan.vip);
    let replies: Vec<Packet<'_>> = [Direction::To, Direction::From]
        .into_iter()
        .flat_map(|way| view.at(Node::Director, way, |p| p.ip.0 == plan.vip))
        .collect();
    let planted = replies.iter().filter(|packet| packet.planted).count();
    let mut proof = Proof {
        requests: requests.len(),
        unchanged: common(&requests, &forwarded),
        replies_through_director: replies.len() - planted,
        ..Proof::default()
    };
    let mut fault = |text: String| proof.faults.push(text);
    if requests.is_empty() {
        fault("no packet for the VIP reached the director".to_owned());
    }
    if proof.unchanged != requests.len() || proof.unchanged != forwarded.len() {
        fault(format!(
            "{} packets reached the director and {} left it, {} with the same IP bytes",
            requests.len(),
            forwarded.len(),
            proof.unchanged
        ));
    }
    if let Some(wrong) = forwarded
        .iter()
        .find(|packet| packet.eth.0 != plan.director.mac)
    {
        fault(format!(
            "a packet left the director with the source MAC {}",
            wrong.eth.0
        ));
    }
    if planted == 0 {
        fault("the planted frame was not seen: the capture may have lost others, too".to_owned());
    }
    if proof.replies_through_director > 0 {
        fault(format!(
            "{} replies passed the director",
            proof.replies_through_director
        ));
    }
    if let Some(text) = view.past_the_director() {
        fault(text);
    }
    match requests.iter().find_map(|request| view.steps(request)) {
        Some(steps) => proof.steps = steps,
        None => fault("no flow shows all four steps".to_owned()),
    }
    proof
}

/// How many packets of `a` are in `b`, each counted once. Not in order: two processors may hand neighbours on turned.
fn common(a: &[Packet<'_>], b: &[Packet<'_>]) -> usize {
    let mut bag: BTreeMap<(&[u8], u32), usize> = BTreeMap::new();
    for packet in a {
        *bag.entry((packet.bytes, packet.length)).or_default() += 1;
    }
    let mut found = 0;
    for packet in b {
        if let Some(left @ 1..) = bag.get_mut(&(packet.bytes, packet.length)) {
            *left -= 1;
            found += 1;
        }
    }
    found
}

struct View<'a> {
    plan: &'a Plan,
    frames: &'a [Captured],
}

impl<'a> View<'a> {
    fn at(
        &self,
        node: Node,
        direction: Direction,
        wanted: impl Fn(&Packet<'_>) -> bool,
    ) -> Vec<Packet<'a>> {
        let here = self
            .frames
            .iter()
            .filter(|c| c.node == node && c.direction == direction);
        here.filter_map(Packet::of)
            .filter(|packet| wanted(packet))
            .collect()
    }

    /// Packets for the VIP that a real server got and that the director did not send.
    fn past_the_director(&self) -> Option<String> {
        let past: usize = (0..self.plan.servers.len())
            .map(|server| {
                let other =
                    |p: &Packet<'_>| p.ip.1 == self.plan.vip && p.eth.0 != self.plan.director.mac;
                self.at(Node::Server(server), Direction::To, other).len()
            })
            .sum();
        (past > 0)
            .then(|| format!("{past} packets for the VIP reached a real server past the director"))
    }

    /// The four steps of the flow of a request at the director.
    fn steps(&self, request: &Packet<'a>) -> Option<Vec<Step>> {
        let plan = self.plan;
        let same = |p: &Packet<'_>| p.bytes == request.bytes && p.length == request.length;
        let sent = *self.at(Node::Director, Direction::From, same).first()?;
        let server = plan
            .servers
            .iter()
            .position(|server| server.mac == sent.eth.1)?;
        let got = *self.at(Node::Server(server), Direction::To, same).first()?;
        let answer = |p: &Packet<'_>| {
            p.ip == (plan.vip, request.ip.0)
                && p.ports == (request.ports.1, request.ports.0)
                && p.eth.0
                    == plan
                        .servers
                        .get(server)
                        .map_or(Mac([0; 6]), |server| server.mac)
        };
        self.at(Node::Server(server), Direction::From, answer)
            .first()?;
        let reply = *self.at(Node::Client, Direction::To, answer).first()?;
        let name = plan
            .servers
            .get(server)
            .map_or("", |server| server.name.as_str());
        let step = |number, at: &str, packet: &Packet<'_>| Step {
            number,
            at: at.to_owned(),
            eth: packet.eth,
            ip: packet.ip,
        };
        Some(vec![
            step(1, "director", request),
            step(2, "director", &sent),
            step(3, name, &got),
            step(4, "client", &reply),
        ])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::lab::plan::Host;

    fn host(name: &str, last: u8) -> Host {
        let ip = Ipv4Addr::new(192, 0, 2, last);
        Host {
            name: name.to_owned(),
            ip,
            mac: Mac([2, 0, 0, 0, 0, last]),
        }
    }

    fn plan() -> Plan {
        Plan {
            vip: Ipv4Addr::new(192, 0, 2, 200),
            port: 80,
            prefix: 24,
            client: host("client", 135),
            director: host("director", 131),
            servers: vec![host("rs1", 130), host("rs2", 134)],
        }
    }

    fn packet(
        eth: (Mac, Mac),
        ip: (Ipv4Addr, Ipv4Addr),
        ports: (u16, u16),
        sequence: u8,
    ) -> Vec<u8> {
        let mut frame = [eth.1.0, eth.0.0].concat();
        frame.extend([8, 0, 0x45, 0, 0, 40, 0, sequence, 0, 0, 64, 6, 0, 0]);
        frame.extend(ip.0.octets());
        frame.extend(ip.1.octets());
        frame.extend(ports.0.to_be_bytes());
        frame.extend(ports.1.to_be_bytes());
        frame.extend([0; 16]);
        frame
    }

    fn seen(node: Node, direction: Direction, frame: &[u8]) -> Captured {
        Captured {
            node,
            direction,
            frame: frame.to_vec(),
            length: frame.len() as u32,
        }
    }

    /// One request and its reply, as they should be.
    fn right() -> Vec<Captured> {
        let plan = plan();
        let (client, director, server) = (&plan.client, &plan.director, &plan.servers[1]);
        let there = (client.ip, plan.vip);
        let request = packet((client.mac, director.mac), there, (40000, 80), 1);
        let forwarded = packet((director.mac, server.mac), there, (40000, 80), 1);
        let reply = packet(
            (server.mac, client.mac),
            (plan.vip, client.ip),
            (80, 40000),
            2,
        );
        vec![
            seen(Node::Client, Direction::From, &request),
            seen(Node::Director, Direction::To, &request),
            seen(Node::Director, Direction::From, &forwarded),
            seen(Node::Server(1), Direction::To, &forwarded),
            seen(Node::Server(1), Direction::From, &reply),
            seen(Node::Client, Direction::To, &reply),
            seen(Node::Director, Direction::To, &planted(&plan)),
        ]
    }

    #[test]
    fn the_four_steps_are_found_and_nothing_is_wrong() {
        let proof = judge(&plan(), &right());
        assert_eq!(proof.faults, Vec::<String>::new());
        let places: Vec<(u8, &str)> = proof
            .steps
            .iter()
            .map(|s| (s.number, s.at.as_str()))
            .collect();
        assert_eq!(
            places,
            [(1, "director"), (2, "director"), (3, "rs2"), (4, "client")]
        );
        assert_eq!(proof.steps[1].eth.0, plan().director.mac);
    }

    fn fault(change: impl FnOnce(&mut Vec<Captured>)) -> String {
        let mut frames = right();
        change(&mut frames);
        judge(&plan(), &frames).faults.join("; ")
    }

    #[test]
    fn every_way_to_cheat_is_a_fault() {
        assert!(fault(|frames| frames[2].frame[22] = 63).contains("0 with the same IP bytes"));
        assert!(fault(|frames| frames[2].frame[11] = 9).contains("source MAC"));
        assert!(fault(|frames| drop(frames.remove(6))).contains("planted frame was not seen"));
        assert!(
            fault(|frames| frames.push(seen(Node::Director, Direction::To, &right()[4].frame)))
                .contains("replies passed")
        );
        assert!(
            fault(|frames| frames.push(seen(Node::Server(0), Direction::To, &right()[0].frame)))
                .contains("past the director")
        );
        assert!(fault(|frames| drop(frames.remove(5))).contains("no flow shows all four steps"));
        assert!(fault(Vec::clear).contains("no packet for the VIP"));
    }
}
