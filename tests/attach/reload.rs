//! One policy after the other over memory that is shared with the kernel (`AF_XDP`), by two threads, while frames flow.

use std::collections::BTreeMap;
use std::time::Duration;

use lvsc_abi::engine::Mode;
use lvsc_abi::mac::Mac;
use lvsc_runtime::director::Notice;
use lvsc_runtime::director::interface::{Io, Steered, Taken};
use lvsc_runtime::engine::wasm::WasmEngine;
use lvsc_runtime::io::af_xdp::Ways;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::netlink::{Message, Netlink};
use lvsc_runtime::sys::namespace::Namespace;
use lvsc_runtime::sys::ring::Ring;

use crate::child::{file, link, wait};
use crate::devices::modes;
use crate::directed::{BURST, Directed, FLOWS, Load, bursts, each_flow};
use crate::frames::{gather, packet, ring};
use crate::shared::wide;
use crate::support::{lvsc, root, said};

const DEVICE: u32 = 30;
const MAC: Mac = Mac([2, 0, 0, 0, 0, 0x30]);
const RS1: &str = "rs1 192.0.2.130 mac 02:00:00:00:00:10";
const RS2: &str = "rs2 192.0.2.134 mac 02:00:00:00:00:11";

/// Swaps, and the bursts that are sent meanwhile.
const SWAPS: usize = 12;
const BURSTS: u32 = 1000;

/// The engines that share their frames: their target, and how they are loaded.
const ENGINES: &[(&str, Load)] = &[
    ("wasm", |bytes| {
        let engine = WasmEngine::load(bytes).unwrap();
        let manifest = engine.manifest().clone();
        (Box::new(engine), manifest)
    }),
    #[cfg(feature = "native")]
    ("native", |bytes| {
        let engine = lvsc_runtime::engine::native::NativeEngine::load(bytes).unwrap();
        let manifest = engine.manifest().clone();
        (Box::new(engine), manifest)
    }),
];

fn policy(backends: [&str; 2], more: &str, size: &str) -> String {
    let [first, second] = backends;
    format!(
        "interface lan\n{more}\npool web {{ scheduler wrr\n backend {first}\n backend {second}\n flows {size} idle 15m }}\n\
         match ip.dst == 192.0.2.200 {{ select rs from web\n dr(rs) }}\n"
    )
}

/// What is built of a policy for a target.
pub fn built(target: &str, text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let policy = file(folder.path(), "web.lvs", text);
    let artifact = format!("{policy}.{target}");
    let said = said(lvsc(root()).args(["build", &policy, "--target", target, "-o", &artifact]));
    assert_eq!(said.code, 0, "{}", said.err);
    std::fs::read(artifact).unwrap()
}

/// A director with two threads.
fn start(place: &Namespace, load: Load, artifact: &[u8]) -> Directed {
    let steered = Steered {
        ways: Ways::default(),
        threads: Some(2),
    };
    let device = (Io::Steered(steered), "lan0");
    Directed::start(place, (load, artifact), device, |attached| {
        assert!(matches!(attached.taken(), Taken::Steered(_)));
        assert_eq!(attached.threads(), 2);
    })
}

/// The director's namespace, and a station on its link of two queues.
fn pair() -> [Namespace; 2] {
    let [here, station] = std::array::from_fn(|_| Namespace::new().unwrap());
    wide(&here, (DEVICE, "lan0", MAC), &station);
    [here, station]
}

/// The numbers of the frames that come, when so many have and no more do; a flow's all go to one backend.
fn numbers(ear: &mut Ring, wanted: usize, backends: &mut BTreeMap<[u8; 2], [u8; 6]>) -> Vec<u32> {
    let mut came = Vec::new();
    // What else comes on the link, as announcements do, ends no wait.
    wait(|| {
        came.extend(gather(ear, Duration::from_millis(100)));
        came.len() >= wanted
    });
    came.extend(gather(ear, Duration::from_millis(300)));
    let mut numbers = Vec::new();
    for frame in came {
        let backend = frame.bytes[..6].try_into().unwrap();
        let flow = [frame.bytes[34], frame.bytes[35]];
        let first = *backends.entry(flow).or_insert(backend);
        assert_eq!(first, backend, "a flow has changed its backend");
        numbers.push(u32::from_be_bytes(frame.bytes[42..46].try_into().unwrap()));
    }
    numbers.sort_unstable();
    numbers
}

pub fn sockets_stay_while_policies_change_and_no_frame_is_lost(_: &Lab) {
    let heavy = format!("{RS1} weight 2");
    let policies = [
        policy([RS1, RS2], "", "1K"),
        policy([&heavy, RS2], "", "1K"),
        // Another image: more counters, and ids the other way round.
        policy(
            [RS2, RS1],
            "counter a\ncounter b\ncounter c\ncounter d",
            "1K",
        ),
    ];
    let [here, station] = pair();
    for (target, load) in ENGINES {
        let artifacts = policies.each_ref().map(|text| built(target, text));
        let directed = start(&here, *load, &artifacts[0]);
        let (mut ear, mouth) = (ring(&station), ring(&station));
        let mut backends = BTreeMap::new();
        // Each flow has its place before the first swap.
        each_flow(&mouth, MAC);
        let known = numbers(&mut ear, FLOWS as usize, &mut backends);
        assert_eq!(known, (0..FLOWS).collect::<Vec<u32>>());
        let sender = bursts(mouth, MAC, BURSTS);
        for swap in 0..SWAPS {
            directed.replace(&artifacts[(swap + 1) % 3]);
            directed.replaced(swap + 1);
        }
        sender.join().unwrap();
        let sent: Vec<u32> = (FLOWS..FLOWS + BURSTS * BURST).collect();
        let came = numbers(&mut ear, sent.len(), &mut backends);
        let lost = sent.iter().filter(|n| came.binary_search(n).is_err());
        assert_eq!(lost.count(), 0, "{target}: of {}", sent.len());
        assert_eq!(came, sent, "{target}: each once");
        assert_eq!(modes(&here, DEVICE), [Mode::Native]);
        let summary = directed.end();
        let all = u64::from(FLOWS + BURSTS * BURST);
        assert_eq!((summary.send, summary.overrun), (all, 0), "{summary:?}");
        let counted = summary.backends.iter().map(|backend| backend.count.packets);
        assert_eq!(counted.sum::<u64>(), all, "{summary:?}");
        assert_eq!(summary.threads.iter().sum::<u64>(), all);
        assert!(summary.threads.iter().all(|packets| *packets > 0));
        assert_eq!(modes(&here, DEVICE), [], "nothing is left");
    }
}

pub fn the_kernel_keeps_what_the_policy_in_force_passes(_: &Lab) {
    const HALF: usize = FLOWS as usize / 2;
    let all = policy([RS1, RS2], "", "1K");
    let half = all.replace("192.0.2.200 {", "192.0.2.200 and udp.src < 10032 {");
    let [here, station] = pair();
    for (target, load) in ENGINES {
        let [half, all] = [&half, &all].map(|text| built(target, text));
        let directed = start(&here, *load, &half);
        let (mut ear, mouth) = (ring(&station), ring(&station));
        let mut swaps = 0;
        for (next, wanted) in [(None, HALF), (Some(&all), 2 * HALF), (Some(&half), HALF)] {
            if let Some(artifact) = next {
                swaps += 1;
                directed.replace(artifact);
                directed.replaced(swaps);
            }
            each_flow(&mouth, MAC);
            let came = numbers(&mut ear, wanted, &mut BTreeMap::new());
            assert_eq!(came, (0..wanted as u32).collect::<Vec<u32>>(), "{target}");
        }
        let summary = directed.end();
        let wanted = (4 * HALF as u64, 0);
        assert_eq!((summary.send, summary.pass), wanted, "{summary:?}");
    }
}

pub fn what_cannot_be_steered_does_not_take_over(_: &Lab) {
    let first = policy([RS1, RS2], "", "1K");
    let counts = format!(
        "{}count seen\n",
        policy([RS1, RS2], "counter seen\ncount seen", "1K")
    );
    let foreign = first.replace("interface lan", "interface wan");
    let [here, station] = pair();
    for (target, load) in ENGINES {
        let directed = start(&here, *load, &built(target, &first));
        let (mut ear, mouth) = (ring(&station), ring(&station));
        let before = link(&here, DEVICE).programs;
        directed.replace(&built(target, &counts));
        directed.kept(1, "passes packets that it has counted");
        directed.replace(&built(target, &foreign));
        directed.kept(1, "interfaces are not those of the one that runs");
        assert_eq!(link(&here, DEVICE).programs, before);
        each_flow(&mouth, MAC);
        let came = numbers(&mut ear, FLOWS as usize, &mut BTreeMap::new());
        assert_eq!(came.len(), FLOWS as usize, "the old one goes on");
        assert_eq!(directed.end().send, u64::from(FLOWS));
    }
}

pub fn a_device_with_another_mac_goes_on_and_so_does_the_next_policy(_: &Lab) {
    const NEXT: Mac = Mac([2, 0, 0, 0, 0, 0x40]);
    let policies = [policy([RS1, RS2], "", "1K"), policy([RS1, RS2], "", "64K")];
    let [here, station] = pair();
    let address = |mac: Mac| {
        let change = Message::new(libc::RTM_NEWLINK, 0)
            .link(DEVICE, 0, 0)
            .attribute(libc::IFLA_ADDRESS, &mac.0);
        here.run(|| Netlink::open()?.call(change)).unwrap().unwrap();
    };
    for (target, load) in ENGINES {
        let artifacts = policies.each_ref().map(|text| built(target, text));
        let directed = start(&here, *load, &artifacts[0]);
        let (mut ear, mouth) = (ring(&station), ring(&station));
        address(NEXT);
        let moved =
            |notice: &Notice| matches!(notice, Notice::Interface { mac, .. } if *mac == NEXT);
        assert!(directed.tells(1, moved), "{:?}", directed.told);
        let mut answered = |from: Mac, to: Mac| {
            // The world is published at the next turn of the director, 50 ms later at most.
            std::thread::sleep(Duration::from_millis(200));
            for flow in 0..FLOWS {
                mouth.send(&[], &packet(to, flow as u16, flow)).unwrap();
                mouth
                    .send(&[], &packet(from, flow as u16, FLOWS + flow))
                    .unwrap();
            }
            let came = numbers(&mut ear, FLOWS as usize, &mut BTreeMap::new());
            assert_eq!(came, (0..FLOWS).collect::<Vec<u32>>(), "{target}");
        };
        answered(MAC, NEXT);
        directed.replace(&artifacts[1]);
        directed.replaced(1);
        answered(MAC, NEXT);
        address(MAC);
        let back = |notice: &Notice| matches!(notice, Notice::Interface { mac, .. } if *mac == MAC);
        assert!(directed.tells(1, back), "{:?}", directed.told);
        answered(NEXT, MAC);
        let summary = directed.end();
        assert_eq!(
            (summary.send, summary.frames),
            (3 * 64, 3 * 64),
            "{summary:?}"
        );
    }
}
