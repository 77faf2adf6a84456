//! The director that runs on an interface, put at the simulated director's port.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lvsc_abi::engine::Packet;
use lvsc_abi::mac::Mac;

use crate::director::{Director, Event};
use crate::io::{Inbox, Received, Sent, Sink, Source};
use crate::lab::{Datapath, Plan};
use crate::vip::{Arp, answer};
use crate::world::InterfaceState;

use super::Port;

/// ARP's operations (RFC 826).
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// A [`Director`] at the lab's port: the same loop, engine and world as over a socket, a batch for each frame. Its
/// first interface is the port; it answers ARP for the VIP and learns the real servers' MACs from their answers.
pub struct Directed {
    director: Director<()>,
    own: (Mac, Ipv4Addr),
    vip: Ipv4Addr,
}

impl Directed {
    /// Puts a director at the port of a plan's director.
    pub fn new(mut director: Director<()>, plan: &Plan) -> Directed {
        let state = InterfaceState {
            mac: Some(plan.director.mac),
            index: 1,
        };
        director.handle(Event::Interface { index: 0, state });
        Directed {
            director,
            own: (plan.director.mac, plan.director.ip),
            vip: plan.vip,
        }
    }

    /// The director.
    pub fn director(&self) -> &Director<()> {
        &self.director
    }

    /// The director, to be told what happens besides frames.
    pub fn director_mut(&mut self) -> &mut Director<()> {
        &mut self.director
    }

    /// The ARP requests for the backends whose MAC is not known.
    pub fn questions(&self) -> Vec<Vec<u8>> {
        let unknown = self
            .director
            .without_mac()
            .filter_map(|backend| match backend.address {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            });
        let ask = |address| {
            let target = (Mac([0; 6]), address);
            Arp {
                operation: REQUEST,
                sender: self.own,
                target,
            }
            .frame(Mac([0xff; 6]))
        };
        unknown.map(ask).collect()
    }
}

impl Datapath for Directed {
    fn switch(&self, on: bool) {
        self.director.switch().set(on);
    }
}

impl Port for Directed {
    fn arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        if let Some(Arp {
            operation: REPLY,
            sender: (mac, address),
            ..
        }) = Arp::read(frame)
        {
            self.director.handle(Event::Neighbour {
                address: IpAddr::V4(address),
                mac,
            });
        }
        answer(frame, &[self.vip], self.own.0).into_iter().collect()
    }

    fn handle(&mut self, frame: &mut Vec<u8>) -> bool {
        let mut wire = Wire { frame, sent: false };
        // Neither side of this wire fails.
        self.director.turn(&mut wire, Duration::ZERO).is_ok() && wire.sent
    }
}

/// One frame: received, and overwritten with what is sent.
struct Wire<'a> {
    frame: &'a mut Vec<u8>,
    sent: bool,
}

impl Source for Wire<'_> {
    type Meta = ();

    fn receive(&mut self, _wait: Duration, inbox: &mut Inbox<'_, ()>) -> io::Result<Received> {
        inbox.add(self.frame, 0, ());
        Ok(Received::More)
    }
}

impl Sink<()> for Wire<'_> {
    fn send(&mut self, _packet: &Packet, _meta: &(), frame: &[u8]) -> io::Result<Sent> {
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        self.sent = true;
        Ok(Sent::Gone)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::ops::ControlFlow;

    use lvsc_abi::engine::{BATCH, Engine, EngineError, Room, SLOT};
    use lvsc_abi::image::{Bytes, Image, Width};
    use lvsc_abi::layout::{Element, Layout};
    use lvsc_abi::manifest::{Backend, Interface, Manifest, Pool};
    use lvsc_abi::scheduler::Scheduler;
    use lvsc_abi::verdict::Verdict;

    use super::*;
    use crate::lab::memory::{Exchange, Lab};
    use crate::lab::{Host, NEGATIVE, Node};
    use crate::world::World;

    /// Readdresses what is for the VIP with the MACs of the image, as a compiled policy does.
    struct Readdress {
        image: Bytes,
        slots: Vec<Vec<u8>>,
        vip: Ipv4Addr,
    }

    impl Engine for Readdress {
        fn name(&self) -> &'static str {
            "readdress"
        }

        fn room(&mut self, room: Room) -> &mut [u8] {
            &mut self.slots[(room.offset / SLOT) as usize]
        }

        fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
            let at = |name| self.image.layout().named(name).unwrap().1.clone();
            let (backends, interfaces) = (at("backends.web"), at("interfaces"));
            for (packet, slot) in packets.iter_mut().zip(&mut self.slots) {
                let frame = &mut slot[packet.range()];
                packet.verdict = Verdict::Pass;
                if frame.get(30..34) == Some(&self.vip.octets()) {
                    let record = self
                        .image
                        .load(backends.at(u64::from(frame[35] & 1), 0), Width::B8);
                    let port = lvsc_abi::layout::interface::RECORD;
                    let own = self.image.load(interfaces.at(0, port), Width::B8);
                    frame[..6].copy_from_slice(&Mac::from_record(record).0);
                    frame[6..12].copy_from_slice(&Mac::from_record(own).0);
                    packet.verdict = Verdict::Send;
                }
            }
            Ok(())
        }

        fn image(&self) -> &dyn Image {
            &self.image
        }

        fn image_mut(&mut self) -> &mut dyn Image {
            &mut self.image
        }
    }

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
            client: host("client", 7),
            director: host("director", 1),
            servers: vec![host("rs1", 11), host("rs2", 12)],
        }
    }

    fn director() -> Director<()> {
        let backends = plan()
            .servers
            .into_iter()
            .zip(0..)
            .map(|(server, id)| Backend::new(id, server.name, server.ip));
        let pool = Pool {
            backends: backends.collect(),
            ..Pool::new("web", Scheduler::Wrr)
        };
        let manifest = Manifest {
            interfaces: vec![Interface::default()],
            pools: vec![pool],
            ..Manifest::default()
        };
        let mut layout = Layout::new();
        layout.add("header", Element::Header, 1);
        layout.add("clock", Element::Clock, 1);
        layout.add("interfaces", Element::Interface, 1);
        layout.add("backends.web", Element::Backend, 2);
        layout.add("ring.web", Element::Slot, 64);
        layout.add("counters", Element::Counter, 4);
        let slots = vec![vec![0; SLOT as usize]; BATCH];
        let engine = Readdress {
            image: Bytes::new(layout),
            slots,
            vip: plan().vip,
        };
        let world = World::of(&manifest);
        Director::new(Box::new(engine), manifest, world)
    }

    #[test]
    fn a_director_asks_for_its_backends_and_forwards_to_them() {
        let mut lab = Lab::new(plan()).unwrap();
        let mut directed = Directed::new(director(), &plan());
        let questions = directed.questions();
        assert_eq!(questions.len(), 2);
        for question in questions {
            lab.transmit(Node::Director, &question, &mut directed);
        }
        assert!(directed.questions().is_empty(), "both have answered");

        let report = lab.run(&mut directed, 6, &mut |_| ControlFlow::Continue(()));
        assert_eq!(report.faults(), Vec::<String>::new());
        assert_eq!(report.servers.values().copied().collect::<Vec<_>>(), [3, 3]);
        let summary = directed.director().summary();
        assert!(
            summary.ignored >= NEGATIVE as u64,
            "the control's packets were received"
        );
        assert_eq!(summary.send, report.proof.requests as u64);
    }

    #[test]
    fn a_director_that_is_off_forwards_nothing() {
        let mut lab = Lab::new(plan()).unwrap();
        let mut directed = Directed::new(director(), &plan());
        directed.switch(false);
        assert!(lab.ask(Exchange::Get, &mut directed).is_err());
        assert_eq!(directed.director().summary().send, 0);
    }
}
