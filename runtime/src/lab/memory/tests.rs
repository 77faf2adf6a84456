//! Requests through a small direct-routing datapath, and through none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use lvsc_abi::mac::Mac;
use lvsc_abi::notation::describe;

use super::*;
use crate::lab::{Direction, Host as Station, judge, planted};
use crate::vip::{Arp, answer};

fn station(name: &str, last: u8) -> Station {
    let ip = Ipv4Addr::new(192, 168, 46, last);
    Station {
        name: name.to_owned(),
        ip,
        mac: Mac([2, 0, 0, 0, 0, last]),
    }
}

fn plan() -> Plan {
    Plan {
        vip: Ipv4Addr::new(192, 168, 46, 200),
        port: 80,
        prefix: 24,
        client: station("client", 135),
        director: station("director", 131),
        servers: vec![station("rs1", 130), station("rs2", 134)],
    }
}

/// Direct routing in a few lines: the flow's port chooses, the MACs change.
struct Readdress {
    plan: Plan,
    on: Cell<bool>,
    handled: usize,
}

impl Readdress {
    fn new() -> Readdress {
        Readdress {
            plan: plan(),
            on: Cell::new(true),
            handled: 0,
        }
    }
}

impl Datapath for Readdress {
    fn switch(&self, on: bool) {
        self.on.set(on);
    }
}

impl Port for Readdress {
    fn arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        answer(frame, &[self.plan.vip], self.plan.director.mac)
            .into_iter()
            .collect()
    }

    fn handle(&mut self, frame: &mut Vec<u8>) -> bool {
        let for_vip = frame.get(30..34) == Some(&self.plan.vip.octets());
        if !self.on.get() || !for_vip {
            return false;
        }
        self.handled += 1;
        let server = &self.plan.servers[usize::from(frame[35]) % self.plan.servers.len()];
        frame[..6].copy_from_slice(&server.mac.0);
        frame[6..12].copy_from_slice(&self.plan.director.mac.0);
        true
    }
}

fn ask(lab: &mut Lab, datapath: &mut Readdress, count: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        let answer = lab.ask(Exchange::Get, datapath).unwrap();
        assert_eq!(
            answer.client,
            plan().client.ip,
            "the server sees the client itself"
        );
        *answers.entry(answer.server).or_default() += 1;
    }
    answers
}

#[test]
fn every_request_is_answered_past_the_director() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
    let answers = ask(&mut lab, &mut datapath, 20);
    assert_eq!(
        answers,
        BTreeMap::from([("rs1".to_owned(), 10), ("rs2".to_owned(), 10)])
    );
    lab.transmit(Node::Server(0), &planted(&plan()), &mut datapath);

    let proof = judge(&plan(), lab.frames());
    assert_eq!(proof.faults, Vec::<String>::new());
    assert_eq!(proof.replies_through_director, 0);
    assert_eq!(
        (proof.requests, proof.unchanged),
        (datapath.handled, datapath.handled)
    );
    assert_eq!(proof.steps.len(), 4);
}

#[test]
fn without_a_datapath_nobody_answers() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
    datapath.switch(false);
    for _ in 0..3 {
        assert_eq!(
            lab.ask(Exchange::Get, &mut datapath),
            Err(Unanswered::NoConnection)
        );
    }
    assert!(judge(&plan(), lab.frames()).steps.is_empty());
    datapath.switch(true);
    assert!(
        lab.ask(Exchange::Get, &mut datapath).is_ok(),
        "the lab goes on behind the control"
    );
}

#[test]
fn a_megabyte_goes_up_and_comes_down() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
    for exchange in [Exchange::Upload(1 << 20), Exchange::Download(1 << 20)] {
        let answer = lab.ask(exchange, &mut datapath).unwrap();
        assert_eq!(answer.bytes, 1 << 20);
    }
    lab.transmit(Node::Server(0), &planted(&plan()), &mut datapath);
    let proof = judge(&plan(), lab.frames());
    assert_eq!(proof.faults, Vec::<String>::new());
    let down = lab
        .frames()
        .iter()
        .filter(|seen| seen.node == Node::Client && seen.direction == Direction::To);
    assert!(down.map(|seen| seen.frame.len()).sum::<usize>() > 1 << 20);
}

#[test]
fn the_client_resolves_the_vip_and_only_the_director_answers() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
    ask(&mut lab, &mut datapath, 1);
    let (vip, director) = (plan().vip, plan().director.mac);
    let first = lab.frames().first().unwrap();
    let asks = "/ arp 192.168.46.135 -> 192.168.46.200 tha=ff:ff:ff:ff:ff:ff";
    assert!(
        describe(&first.frame).ends_with(asks),
        "{}",
        describe(&first.frame)
    );
    assert_eq!(
        (first.node, first.direction),
        (Node::Client, Direction::From)
    );
    let told: Vec<Arp> = lab
        .frames()
        .iter()
        .filter_map(|seen| Arp::read(&seen.frame))
        .collect();
    assert!(told.iter().any(|arp| arp.sender == (director, vip)));
    assert!(
        told.iter()
            .all(|arp| arp.sender.1 != vip || arp.sender.0 == director),
        "no real server says that the VIP is its own"
    );
    let asked = |node| {
        lab.frames()
            .iter()
            .filter(|seen| seen.node == node)
            .any(|seen| {
                seen.direction == Direction::To
                    && Arp::read(&seen.frame).is_some_and(|arp| arp.target.1 == vip)
            })
    };
    assert!(
        asked(Node::Server(0)) && asked(Node::Server(1)),
        "the question reaches everybody"
    );
}

/// Damages the request's bytes on the way.
struct Breaking(Readdress);

impl Datapath for Breaking {
    fn switch(&self, on: bool) {
        self.0.switch(on);
    }
}

impl Port for Breaking {
    fn arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        self.0.arp(frame)
    }
    fn handle(&mut self, frame: &mut Vec<u8>) -> bool {
        let sends = self.0.handle(frame);
        if let Some(ttl) = frame.get_mut(22) {
            *ttl -= 1; // and not the checksum
        }
        sends
    }
}

#[test]
fn a_datapath_that_breaks_packets_is_noticed() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Breaking(Readdress::new()));
    assert_eq!(
        lab.ask(Exchange::Get, &mut datapath),
        Err(Unanswered::NoConnection)
    );
}

#[test]
fn a_datapath_that_sends_everything_back_ends_too() {
    struct Echo(Readdress);
    impl Datapath for Echo {
        fn switch(&self, on: bool) {
            self.0.switch(on);
        }
    }
    impl Port for Echo {
        fn arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
            self.0.arp(frame)
        }
        fn handle(&mut self, frame: &mut Vec<u8>) -> bool {
            frame[..6].copy_from_slice(&self.0.plan.client.mac.0);
            true
        }
    }
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Echo(Readdress::new()));
    assert!(lab.ask(Exchange::Get, &mut datapath).is_err());
}

#[test]
fn a_whole_run_proves_direct_routing() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
    let mut told = Vec::new();
    let report = lab.run(&mut datapath, 10, &mut |count| {
        told.push(count);
        ControlFlow::Continue(())
    });
    assert_eq!(report.faults(), Vec::<String>::new());
    assert_eq!(
        (report.requests, report.answered, report.negative_answered),
        (10, 10, 0)
    );
    assert_eq!(report.servers.values().sum::<usize>(), 10);
    assert_eq!(told, (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_run_whose_datapath_cannot_be_switched_off_proves_nothing() {
    struct Stuck(Readdress);
    impl Datapath for Stuck {
        fn switch(&self, _on: bool) {}
    }
    impl Port for Stuck {
        fn arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
            self.0.arp(frame)
        }
        fn handle(&mut self, frame: &mut Vec<u8>) -> bool {
            self.0.handle(frame)
        }
    }
    let mut lab = Lab::new(plan()).unwrap();
    let report = lab.run(&mut Stuck(Readdress::new()), 1, &mut |_| {
        ControlFlow::Continue(())
    });
    assert_eq!(report.negative_answered, NEGATIVE);
    assert!(report.faults().join(" ").contains("the proof is void"));
}

#[test]
fn the_same_run_gives_the_same_frames() {
    let run = || {
        let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
        ask(&mut lab, &mut datapath, 5);
        (lab.now(), lab.take_frames())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_plan_that_cannot_be_is_refused() {
    let refused = |change: fn(&mut Plan)| {
        let mut plan = plan();
        change(&mut plan);
        Lab::new(plan).err().unwrap().to_string()
    };
    assert!(refused(|plan| plan.servers[0].mac = Mac([1; 6])).contains("rs1 cannot have the MAC"));
    assert!(refused(|plan| plan.client.mac = plan.servers[1].mac).contains("that of two hosts"));
    assert!(refused(|plan| plan.servers[0].ip = plan.vip).contains("192.168.46.200"));
    assert!(refused(|plan| plan.port = 0).contains("port 0"));
}

#[test]
fn a_client_that_nobody_answers_gives_up_soon() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Breaking(Readdress::new()));
    let mut sent = 0;
    let report = lab.run(&mut datapath, 100, &mut |count| {
        sent = count;
        ControlFlow::Continue(())
    });
    assert_eq!((sent, report.gave_up), (3, Some(3)));
    let faults = report.faults().join("; ");
    assert!(
        faults.contains("0 of 100 requests were answered"),
        "{faults}"
    );
    assert!(!faults.contains("upload"), "{faults}");
}

#[test]
fn a_run_that_is_stopped_sends_nothing_more() {
    let (mut lab, mut datapath) = (Lab::new(plan()).unwrap(), Readdress::new());
    let report = lab.run(&mut datapath, 100, &mut |count| match count {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(
        (report.answered, report.upload, report.gave_up),
        (2, false, None)
    );
}
