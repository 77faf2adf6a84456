//! What happens on the director's wire besides frames for the VIP: tags, full queues, bursts, other MACs.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lvsc_abi::mac::Mac;
use lvsc_runtime::director::interface::Attached;
use lvsc_runtime::director::{Event, Notice, Summary};
use lvsc_runtime::io::tap::Tap;
use lvsc_runtime::lab::Host;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::netlink::{Message, Netlink};
use lvsc_runtime::sys::namespace::Namespace;
use lvsc_runtime::sys::ring::{Only, Options, Ring};
use lvsc_runtime::vip::{Arp, tagged};

use crate::linux::{engine, manifest, open, plan, sleepy, wait};

/// A director that runs, and what it told.
struct Running {
    told: Arc<Mutex<Vec<Notice>>>,
    events: Sender<Event>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(std::io::Result<()>, Summary)>,
}

impl Running {
    fn start(attached: Attached) -> Running {
        let told: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (ear, stopped) = (Arc::clone(&told), Arc::clone(&stop));
        let mut attached = attached.telling(move |notice| ear.lock().unwrap().push(notice));
        let events = attached.events();
        let thread = std::thread::spawn(move || {
            let ended = attached.run(&stopped);
            (ended, attached.summary())
        });
        Running {
            told,
            events,
            stop,
            thread,
        }
    }

    /// Waits until it has told something of this kind.
    fn tells(&self, what: impl Fn(&Notice) -> bool) -> bool {
        wait(|| self.told.lock().unwrap().iter().any(&what))
    }

    fn end(self) -> Summary {
        self.stop.store(true, Ordering::Relaxed);
        let (ended, summary) = self.thread.join().unwrap();
        ended.unwrap();
        summary
    }
}

/// A socket on `eth0` of a station that takes ARP.
fn ear(station: &Namespace) -> Ring {
    let options = Options {
        index: 2,
        only: Only::Type(0x0806),
        vnet: false,
        ignore_outgoing: true,
        frame: 2048,
        frames: 64,
    };
    station.run(move || Ring::open(options)).unwrap().unwrap()
}

fn question(vip: Ipv4Addr) -> Vec<u8> {
    let plan = plan();
    let arp = Arp {
        operation: 1,
        sender: (plan.client.mac, plan.client.ip),
        target: (Mac([0; 6]), vip),
    };
    arp.frame(Mac([0xff; 6]))
}

/// Asks for the VIP, with or without a tag: the MAC and the tag of the answer.
fn ask(ring: &mut Ring, tag: Option<(u16, u16)>) -> Option<(Mac, Option<(u16, u16)>)> {
    let question = question(plan().vip);
    let question = tag.map_or_else(|| question.clone(), |tag| tagged(question.clone(), tag));
    ring.send(&[], &question).unwrap();
    hear(ring, 2, plan().vip)
}

/// Waits for an answer about an address (operation 2), or for an announcement (1): the MAC and the tag.
fn hear(ring: &mut Ring, operation: u16, vip: Ipv4Addr) -> Option<(Mac, Option<(u16, u16)>)> {
    for _ in 0..30 {
        Ring::wait([&*ring], Duration::from_millis(20)).unwrap();
        while let Some(read) = ring.take(|frame| Arp::read(frame.bytes).zip(Some(frame.tag))) {
            if let Some((arp, tag)) = read
                && arp.operation == operation
                && arp.sender.1 == vip
            {
                return Some((arp.sender.0, tag));
            }
        }
    }
    None
}

pub(super) fn frames_come_whole_and_in_order(lab: &Lab) {
    let mut tap = lab
        .director()
        .unwrap()
        .run(|| Tap::open(1, true))
        .unwrap()
        .unwrap();
    let lengths = [60, 5000, 1920, 1921, 60, 65_000, 1500];
    let none = [0; 10];
    for length in lengths {
        tap.send(&none, &vec![0; length]).unwrap();
    }
    let mut came = Vec::new();
    for _ in 0..100 {
        Tap::wait([&tap], Duration::from_millis(20)).unwrap();
        while let Some(length) = tap.take(|frame| (frame.bytes.len(), frame.length as usize)) {
            came.push(length);
        }
        if came.len() == lengths.len() {
            break;
        }
    }
    assert_eq!(came, lengths.map(|length| (length, length)));
    assert_eq!(tap.dropped(), 0);
}

pub(super) fn a_question_is_answered_with_its_tag(lab: &Lab) {
    let station = lab.director().unwrap();
    let running = Running::start(open(station, &plan().servers, &["eth0"]).unwrap());
    let mut client = ear(lab.client().unwrap());
    let own = plan().director.mac;
    assert_eq!(ask(&mut client, None), Some((own, None)));
    let tag = Some((0x8100, 0x6014));
    assert_eq!(ask(&mut client, tag), Some((own, tag)));
    assert!(running.tells(|notice| *notice == Notice::Tagged(0x14)));
    running.end();
}

pub(super) fn a_full_queue_is_no_reason_to_end(lab: &Lab) {
    let station = lab.director().unwrap();
    let mut client = ear(lab.client().unwrap());
    queue(station, 36, libc::NLM_F_CREATE as u16);
    let running = Running::start(open(station, &plan().servers, &["eth0"]).unwrap());
    assert_eq!(ask(&mut client, None), None, "the queue takes nothing");
    queue(station, 37, 0);
    assert_eq!(
        ask(&mut client, None),
        Some((plan().director.mac, None)),
        "the director goes on"
    );
    running.end();
}

/// Makes (`RTM_NEWQDISC`, 36) or removes (`RTM_DELQDISC`, 37) a queue at the station's `eth0` that has room for nothing.
fn queue(station: &Namespace, kind: u16, flags: u16) {
    const ROOT: u32 = 0xffff_ffff;
    let words = [2, 0x0001_0000, ROOT, 0].map(u32::to_ne_bytes).concat();
    let message = Message::new(kind, flags)
        .raw(&[[0; 4].as_slice(), &words].concat())
        .text(1, "pfifo")
        .attribute(2, &0_u32.to_ne_bytes());
    let done = station.run(|| Netlink::open()?.call(message));
    done.unwrap().unwrap();
}

pub(super) fn a_burst_has_room_and_what_has_none_is_told(lab: &Lab) {
    let station = lab.director().unwrap();
    let frame = {
        let plan = plan();
        let mut frame = [plan.director.mac.0, plan.client.mac.0].concat();
        frame.resize(60, 0);
        frame
    };
    for (burst, room) in [(3000, true), (20_000, false)] {
        let running = Running::start(sleepy(station, Duration::from_secs(1)));
        let (frame, client) = (frame.clone(), ear(lab.client().unwrap()));
        for _ in 0..burst {
            client.send(&[], &frame).unwrap();
        }
        if !room {
            let lost = |notice: &Notice| matches!(notice, Notice::Overrun(1..));
            assert!(running.tells(lost));
        }
        std::thread::sleep(Duration::from_millis(1500));
        let summary = running.end();
        assert!(summary.frames + summary.overrun >= burst, "{summary:?}");
        assert_eq!(summary.overrun == 0, room, "{summary:?}");
    }
}

pub(super) fn a_forgotten_backend_is_asked_for_at_once(lab: &Lab) {
    let station = lab.director().unwrap();
    let running = Running::start(open(station, &plan().servers, &["eth0"]).unwrap());
    let learnt = |notice: &Notice| matches!(notice, Notice::Neighbour { .. });
    assert!(wait(|| running
        .told
        .lock()
        .unwrap()
        .iter()
        .filter(|n| learnt(n))
        .count()
        == 2));
    let first = plan().servers[0].clone();
    let known = move || {
        let found = station.run(|| Netlink::open()?.neighbours(2));
        found
            .unwrap()
            .unwrap()
            .contains(&(first.ip.into(), first.mac))
    };
    assert!(known());
    // RTM_DELNEIGH
    let mut head = vec![libc::AF_INET as u8, 0, 0, 0];
    head.extend([2_u32.to_ne_bytes(), [0; 4]].concat());
    let forget = Message::new(29, 0)
        .raw(&head)
        .attribute(1, &plan().servers[0].ip.octets());
    station
        .run(|| Netlink::open()?.call(forget))
        .unwrap()
        .unwrap();
    assert!(!known());
    assert!(wait(known));
    running.end();
}

pub(super) fn another_mac_of_the_device_is_told_to_clients(lab: &Lab) {
    let station = lab.director().unwrap();
    let running = Running::start(open(station, &plan().servers, &["eth0"]).unwrap());
    let mut client = ear(lab.client().unwrap());
    let mac = Mac([2, 0, 0, 0, 0, 0x99]);
    address(station, mac);
    let device = "eth0".to_owned();
    assert!(running.tells(|notice| *notice
        == Notice::Interface {
            device: device.clone(),
            mac
        }));
    assert_eq!(ask(&mut client, None), Some((mac, None)));
    address(station, plan().director.mac);
    running.end();
}

pub(super) fn another_policy_has_other_vips_and_backends(lab: &Lab) {
    let station = lab.director().unwrap();
    let [first, second] = [0, 1].map(|number| plan().servers[number].clone());
    let attached = open(station, std::slice::from_ref(&first), &["eth0"]).unwrap();
    let running = Running::start(attached);
    let learnt = |name: &str, host: &Host| {
        let (pool, backend) = ("web".to_owned(), name.to_owned());
        let mac = host.mac;
        running.tells(|notice| {
            *notice
                == Notice::Neighbour {
                    pool: pool.clone(),
                    backend: backend.clone(),
                    mac,
                }
        })
    };
    assert!(learnt("rs1", &first));
    let mut client = ear(lab.client().unwrap());
    assert!(ask(&mut client, None).is_some());

    let (old, new) = (plan().vip, Ipv4Addr::new(192, 0, 2, 201));
    let again = Host {
        name: "again".to_owned(),
        ..first.clone()
    };
    let mut next = manifest(&[again, second.clone()]);
    next.vips[0].address = new.into();
    let replace = |manifest| {
        let event = Event::Replace {
            engine: engine(Duration::ZERO),
            manifest: Box::new(manifest),
            asked: None,
        };
        running.events.send(event).unwrap();
    };
    replace(next);
    let own = Some((plan().director.mac, None));
    assert_eq!(hear(&mut client, 1, new), own, "it is announced");
    assert!(learnt("rs2", &second), "it is asked for");
    assert!(learnt("again", &first), "what is known is told again");
    client.send(&[], &question(new)).unwrap();
    assert_eq!(hear(&mut client, 2, new), own);
    assert_eq!(ask(&mut client, None), None, "the old one is nobody's");

    replace(manifest(&plan().servers));
    assert_eq!(hear(&mut client, 1, old), own, "it comes back");
    assert_eq!(ask(&mut client, None), own);
    running.end();
}

/// Gives the station's `eth0` a MAC.
fn address(station: &Namespace, mac: Mac) {
    let message = Message::new(libc::RTM_SETLINK, 0)
        .link(2, 0, 0)
        .attribute(libc::IFLA_ADDRESS, &mac.0);
    let done = station.run(|| Netlink::open()?.call(message));
    done.unwrap().unwrap();
}
