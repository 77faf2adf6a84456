//! One policy after the other, while frames flow.

use std::collections::BTreeMap;
use std::time::Duration;

use lvsc_runtime::director::Notice;
use lvsc_runtime::director::interface::Io;
use lvsc_runtime::engine::xdp::XdpEngine;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::sys::bpf;

use crate::child::{ETH0, RS1, RS2, build, file, link, plan, policy};
use crate::directed::{BURST, Directed, FLOWS, Load, bursts, each_flow};
use crate::frames::{gather, ring};

/// Swaps, and the bursts that are sent meanwhile.
const SWAPS: usize = 40;
const BURSTS: u32 = 1200;

/// A director that knows its backends.
fn start(lab: &Lab, object: &[u8]) -> Directed {
    let load: Load = |object| {
        let engine = XdpEngine::load(object).unwrap();
        let manifest = engine.manifest().clone();
        (Box::new(engine), manifest)
    };
    let (place, device) = (lab.director().unwrap(), (Io::Packets, "eth0"));
    let directed = Directed::start(place, (load, object), device, |_| {});
    let learnt = |notice: &Notice| matches!(notice, Notice::Neighbour { .. });
    assert!(directed.tells(2, learnt), "{:?}", directed.told);
    directed
}

/// The objects of a policy, of one with the same image, and of one with another.
fn objects() -> [Vec<u8>; 3] {
    let folder = tempfile::tempdir().unwrap();
    let heavy = format!("{RS1} weight 2");
    let seen = "counter seen\ncounter more\ncounter again\ncounter another\n\
                match ip.dst == 192.0.2.200 { count seen }";
    [
        policy(&[RS1, RS2], ""),
        policy(&[&heavy, RS2], ""),
        policy(&[RS2, RS1], seen),
    ]
    .map(|text| std::fs::read(build(&file(folder.path(), "web.lvs", text))).unwrap())
}

pub fn no_frame_is_lost_and_none_miscounted_while_policies_change(lab: &Lab) {
    let objects = objects();
    let directed = start(lab, &objects[0]);
    let mouth = ring(lab.client().unwrap());
    let mut ears = [0, 1].map(|number| ring(lab.server(number).unwrap()));
    let to = plan().director.mac;
    // Each flow has its place before the first swap.
    each_flow(&mouth, to);
    std::thread::sleep(Duration::from_millis(100));
    let sender = bursts(mouth, to, BURSTS);
    for swap in 0..SWAPS {
        directed.replace(&objects[(swap + 1) % 3]);
        directed.replaced(swap + 1);
    }
    sender.join().unwrap();
    let mut servers: BTreeMap<[u8; 2], usize> = BTreeMap::new();
    let mut numbers = Vec::new();
    for (server, ear) in ears.iter_mut().enumerate() {
        for frame in gather(ear, Duration::from_millis(300)) {
            let first = *servers
                .entry([frame.bytes[34], frame.bytes[35]])
                .or_insert(server);
            assert_eq!(first, server, "a flow has changed its server");
            numbers.push(u32::from_be_bytes(frame.bytes[42..46].try_into().unwrap()));
        }
    }
    numbers.sort_unstable();
    let sent = FLOWS + BURSTS * BURST;
    let lost: Vec<u32> = (0..sent)
        .filter(|n| numbers.binary_search(n).is_err())
        .collect();
    assert_eq!(lost, [0; 0], "of {sent}");
    assert_eq!(numbers.len(), sent as usize, "none comes twice");
    let told = directed.told.lock().unwrap().clone();
    let lost = told.iter().map(|notice| {
        if let Notice::Replaced(carried) = notice {
            carried.lost
        } else {
            0
        }
    });
    assert_eq!(lost.sum::<u64>(), 0);
    let summary = directed.end();
    assert_eq!(summary.send, u64::from(sent), "{summary:?}");
    let flows: Vec<Option<u64>> = summary
        .backends
        .iter()
        .map(|backend| backend.flows)
        .collect();
    assert_eq!(
        flows.iter().flatten().sum::<u64>(),
        u64::from(FLOWS),
        "{summary:?}"
    );
}

pub fn a_policy_that_cannot_take_over_leaves_the_old_one(lab: &Lab) {
    let [first, _, other] = objects();
    let directed = start(lab, &first);
    let place = lab.director().unwrap();
    let before = link(place, ETH0).programs;
    // Somebody else puts a program into the link: it no longer has the one that is to be exchanged.
    let links: Vec<_> = bpf::links().flatten().collect();
    let is_here = |fd: &&std::os::fd::OwnedFd| {
        bpf::link_info(*fd).is_ok_and(|info| info.program == before[0].program)
    };
    let held = links.iter().find(is_here).unwrap();
    let program = bpf::program(before[0].program).unwrap();
    let stranger = crate::child::foreign();
    bpf::exchange(held, &stranger, &program).unwrap();
    for object in [&first, &other] {
        directed.replace(object);
    }
    directed.kept(2, "cannot be exchanged");
    bpf::exchange(held, &program, &stranger).unwrap();
    assert_eq!(link(place, ETH0).programs, before, "the old one goes on");
    directed.replace(&other);
    directed.replaced(1);
    assert_ne!(link(place, ETH0).programs, before);
    drop(links);
    directed.end();
    assert_eq!(link(place, ETH0).programs, []);
}
