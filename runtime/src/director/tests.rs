#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use lvsc_abi::engine::{BATCH, Packet, Room, SLOT};
use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{Element, Layout, backend, clock, counter};
use lvsc_abi::manifest::{Counter, CounterKind, Flows, Interface, Pool};
use lvsc_abi::scheduler::Scheduler;
use lvsc_abi::verdict::Verdict;

use super::*;
use crate::io::{Inbox, Loss, Sent};
use crate::world::InterfaceState;

mod ramp;
mod replace;

/// Decides by a frame's first byte: 0 drops and counts `unlucky`, 1 sends to backend 0, 2 passes, 3 fails.
struct ByFirstByte {
    image: Bytes,
    slots: Vec<Vec<u8>>,
    /// How often somebody wanted to write into the image.
    writes: Arc<AtomicUsize>,
}

pub(super) fn engine() -> AnyEngine {
    counting(&Arc::default())
}

fn counting(writes: &Arc<AtomicUsize>) -> AnyEngine {
    let mut layout = Layout::new();
    layout.add("header", Element::Header, 1);
    layout.add("clock", Element::Clock, 1);
    layout.add("interfaces", Element::Interface, 1);
    layout.add("backends.web", Element::Backend, 4);
    layout.add("ring.web", Element::Slot, 64);
    layout.add("flows.web", Element::Flow, 8);
    layout.add("counters", Element::Counter, 4);
    Box::new(ByFirstByte {
        image: Bytes::new(layout),
        slots: vec![vec![0; SLOT as usize]; BATCH],
        writes: Arc::clone(writes),
    })
}

impl ByFirstByte {
    fn add(&mut self, id: u64, length: u16) {
        let section = self.image.layout().named("counters").unwrap().1.clone();
        for (field, more) in [(counter::PACKETS, 1), (counter::BYTES, u64::from(length))] {
            let at = section.at(id, field);
            let before = self.image.load(at, Width::B8);
            self.image.store(at, Width::B8, before + more);
        }
    }
}

impl Engine for ByFirstByte {
    fn name(&self) -> &'static str {
        "first byte"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        &mut self.slots[(room.offset / SLOT) as usize]
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        let mut result = Ok(());
        for (index, packet) in packets.iter_mut().enumerate() {
            let frame = &mut self.slots[index][packet.range()];
            packet.verdict = match frame[0] {
                1 => Verdict::Send,
                2 => Verdict::Pass,
                _ => Verdict::Drop,
            };
            match frame[0] {
                0 => self.add(0, packet.length),
                1 => {
                    frame[0] = 0xee;
                    self.add(1, packet.length);
                }
                3 => {
                    let what = "three".to_owned();
                    result = Err(EngineError::Trap {
                        packet: index,
                        what,
                        place: None,
                    });
                }
                _ => {}
            }
        }
        result
    }

    fn image(&self) -> &dyn Image {
        &self.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        self.writes.fetch_add(1, Ordering::Relaxed);
        &mut self.image
    }
}

pub(super) fn manifest() -> Manifest {
    let backend = |id: u16, mac| Backend {
        mac,
        ..Backend::new(id, format!("rs{id}"), [192, 0, 2, 10 + id as u8])
    };
    let counter = |name: &str, kind| Counter {
        name: name.to_owned(),
        kind,
    };
    Manifest {
        interfaces: vec![Interface {
            name: "lan".to_owned(),
            ..Interface::default()
        }],
        pools: vec![Pool {
            backends: vec![backend(0, Some(Mac([2, 0, 0, 0, 0, 9]))), backend(1, None)],
            flows: Some(Flows::new(lvsc_abi::manifest::Tracking::Every, 8, 10)),
            counters: 1,
            ..Pool::new("web", Scheduler::Wrr)
        }],
        counters: vec![
            counter("unlucky", CounterKind::Reason),
            counter("web.rs0", CounterKind::Backend),
            counter("web.rs1", CounterKind::Backend),
            counter("seen", CounterKind::Policy),
        ],
        ..Manifest::default()
    }
}

/// Gives batches of frames, each with its number beside it, and keeps what is sent.
#[derive(Default)]
struct Wire {
    batches: VecDeque<Vec<Vec<u8>>>,
    number: u32,
    seconds: Option<u64>,
    refuse: bool,
    sent: Vec<(u32, Vec<u8>)>,
    passed: Vec<u32>,
}

impl Wire {
    fn of(batches: &[&[&[u8]]]) -> Wire {
        let owned = |batch: &&[&[u8]]| batch.iter().map(|frame| frame.to_vec()).collect();
        Wire {
            batches: batches.iter().map(owned).collect(),
            ..Wire::default()
        }
    }
}

impl Source for Wire {
    type Meta = u32;

    fn receive(&mut self, _: Duration, inbox: &mut Inbox<'_, u32>) -> io::Result<Received> {
        for frame in self.batches.pop_front().unwrap_or_default() {
            self.number += 1;
            inbox.add(&frame, 0, self.number);
        }
        Ok(if self.batches.is_empty() {
            Received::End
        } else {
            Received::More
        })
    }

    fn seconds(&self) -> Option<u64> {
        self.seconds
    }
}

impl Sink<u32> for Wire {
    fn send(&mut self, _: &Packet, meta: &u32, frame: &[u8]) -> io::Result<Sent> {
        if self.refuse {
            return Ok(Sent::Lost);
        }
        self.sent.push((*meta, frame.to_vec()));
        Ok(Sent::Gone)
    }

    fn pass(&mut self, meta: &u32, _: &[u8]) -> io::Result<()> {
        self.passed.push(*meta);
        Ok(())
    }
}

fn director() -> Director<u32> {
    Director::new(engine(), manifest(), World::of(&manifest()))
}

fn run(director: &mut Director<u32>, wire: &mut Wire) {
    let (_keep, events) = mpsc::channel();
    director
        .run(wire, &events, &AtomicBool::new(false))
        .unwrap();
}

fn load(director: &Director<u32>, section: &str, index: u64, field: u16) -> u64 {
    let image = director.engine().image();
    image.load(
        image.layout().named(section).unwrap().1.at(index, field),
        Width::B8,
    )
}

#[test]
fn frames_go_where_their_verdict_says_with_what_travels_beside_them() {
    let mut wire = Wire::of(&[&[&[1, 7], &[0], &[2]], &[&[1, 8, 8]]]);
    let mut director = director();
    run(&mut director, &mut wire);
    assert_eq!(wire.sent, [(1, vec![0xee, 7]), (4, vec![0xee, 8, 8])]);
    assert_eq!(wire.passed, [3]);
    let summary = director.summary();
    assert_eq!(
        (summary.frames, summary.send, summary.drop, summary.pass),
        (4, 2, 1, 1)
    );
    assert_eq!(summary.reasons, [("unlucky".to_owned(), 1)].into());
    assert_eq!(summary.backends[0].count.packets, 2);
    assert_eq!(summary.backends[0].count.bytes, 5);
    assert_eq!(summary.decided, 4);
    assert!(summary.nanoseconds_per_packet().unwrap() > 0.0);
    let missing: Vec<&str> = summary
        .without_mac()
        .map(|backend| backend.name.as_str())
        .collect();
    assert_eq!(missing, ["rs1"]);
}

#[test]
fn frames_that_never_reach_the_engine_are_counted_by_reason() {
    let (whole, long) = (vec![1; 65_535], vec![1; 65_536]);
    let mut wire = Wire::of(&[&[&whole, &long]]);
    let mut director = director();
    run(&mut director, &mut wire);
    assert_eq!(wire.sent.len(), 1);
    let summary = director.summary();
    assert_eq!((summary.frames, summary.drop, summary.decided), (2, 1, 1));
    assert_eq!(
        summary.reasons,
        [(Loss::Oversize.name().to_owned(), 1)].into()
    );
}

#[test]
fn a_frame_that_cannot_be_sent_is_a_drop() {
    let mut wire = Wire {
        refuse: true,
        ..Wire::of(&[&[&[1]]])
    };
    let mut director = director();
    run(&mut director, &mut wire);
    let summary = director.summary();
    assert_eq!(
        (summary.send, summary.drop, summary.reasons["unsent"]),
        (0, 1, 1)
    );
}

#[test]
fn with_the_switch_off_frames_are_received_and_ignored() {
    let mut wire = Wire::of(&[&[&[1]], &[&[1]]]);
    let mut director = director();
    let switch = director.switch();
    switch.set(false);
    director.turn(&mut wire, Duration::ZERO).unwrap();
    switch.set(true);
    director.turn(&mut wire, Duration::ZERO).unwrap();
    assert_eq!(wire.sent, [(2, vec![0xee])]);
    let summary = director.summary();
    assert_eq!(
        (
            summary.frames,
            summary.ignored,
            summary.backends[0].count.packets
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_failure_loses_its_packet_and_is_told_once() {
    let mut wire = Wire::of(&[&[&[1], &[3], &[1]], &[&[3]]]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let mut director = director().telling(move |notice| ear.lock().unwrap().push(notice));
    run(&mut director, &mut wire);
    assert_eq!(wire.sent.len(), 2);
    assert_eq!(director.summary().failures, 2);
    let (packet, what, place) = (1, "three".to_owned(), None);
    let first = EngineError::Trap {
        packet,
        what,
        place,
    };
    assert_eq!(*told.lock().unwrap(), [Notice::Failed(first)]);
}

#[test]
fn a_neighbour_that_is_found_makes_its_backend_usable() {
    let mut director = director();
    assert_eq!(load(&director, "backends.web", 1, 0), 0);
    assert_eq!(director.without_mac().count(), 1);
    let mac = Mac([2, 0, 0, 0, 0, 0x11]);
    director.handle(Event::Neighbour {
        address: [192, 0, 2, 11].into(),
        mac,
    });
    director.settle();
    let record = load(&director, "backends.web", 1, 0);
    assert_eq!(Mac::from_record(record), mac);
    assert_eq!(record >> backend::FLAGS_SHIFT, backend::USABLE);
    assert_eq!(director.without_mac().count(), 0);
}

#[test]
fn a_crowd_of_events_fills_the_image_once_and_before_the_next_frame() {
    let writes = Arc::new(AtomicUsize::new(0));
    let mut director = Director::new(counting(&writes), manifest(), World::of(&manifest()));
    let before = writes.load(Ordering::Relaxed);
    let (sender, events) = mpsc::channel();
    for last in 1..=9 {
        let mac = Mac([2, 0, 0, 0, 0, last]);
        let address = [192, 0, 2, 11].into();
        sender.send(Event::Neighbour { address, mac }).unwrap();
    }
    let (mut wire, stop) = (Wire::of(&[&[&[1]]]), AtomicBool::new(false));
    director.run(&mut wire, &events, &stop).unwrap();
    assert_eq!(writes.load(Ordering::Relaxed) - before, 1);
    let record = load(&director, "backends.web", 1, 0);
    assert_eq!(Mac::from_record(record), Mac([2, 0, 0, 0, 0, 9]));
}

#[test]
fn backends_without_a_mac_are_named_now_and_then() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let mut director = director().telling(move |notice| ear.lock().unwrap().push(notice));
    for (now, times) in [(1, 0), (2, 1), (3, 1), (17, 2)] {
        director.handle(Event::Second(now));
        let missing = vec![Notice::Missing(vec!["rs1".to_owned()]); times];
        assert_eq!(*told.lock().unwrap(), missing, "{now} s");
    }
}

#[test]
fn a_mac_that_the_policy_fixes_is_not_learnt_over() {
    let mut director = director();
    let before = load(&director, "backends.web", 0, 0);
    let mac = Mac([2, 0, 0, 0, 0, 0x66]);
    director.handle(Event::Neighbour {
        address: [192, 0, 2, 10].into(),
        mac,
    });
    director.settle();
    assert_eq!(load(&director, "backends.web", 0, 0), before);
}

#[test]
fn a_mac_that_no_other_host_can_have_is_not_learnt() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let mut director = director().telling(move |notice| ear.lock().unwrap().push(notice));
    let own = Mac([2, 0, 0, 0, 0, 1]);
    let state = InterfaceState {
        mac: Some(own),
        index: 3,
    };
    director.handle(Event::Interface { index: 0, state });
    for mac in [Mac([0; 6]), Mac([0xff; 6]), own] {
        director.handle(Event::Neighbour {
            address: [192, 0, 2, 11].into(),
            mac,
        });
        director.settle();
        assert_eq!(load(&director, "backends.web", 1, 0), 0, "{mac}");
    }
    let (pool, backend, mac) = ("web".to_owned(), "rs1".to_owned(), own);
    let notice = Notice::OwnMac { pool, backend, mac };
    assert_eq!(*told.lock().unwrap(), [notice]);
}

#[test]
fn an_operator_takes_a_backend_down_and_an_unknown_one_is_told() {
    let told = Arc::new(Mutex::new(0));
    let ear = Arc::clone(&told);
    let mut director = director().telling(move |_| *ear.lock().unwrap() += 1);
    let down = |backend: &str| Event::Backend {
        pool: "web".to_owned(),
        backend: backend.to_owned(),
        change: Change::Down,
    };
    director.handle(down("rs0"));
    director.settle();
    assert_eq!(load(&director, "backends.web", 0, 0), 0);
    director.handle(down("rs9"));
    assert_eq!(*told.lock().unwrap(), 1);
}

#[test]
fn the_clock_never_goes_back_and_sweeps_silent_flows() {
    let mut director = director();
    let at = director
        .engine()
        .image()
        .layout()
        .named("flows.web")
        .unwrap()
        .1
        .at(0, 0);
    let flows = director.manifest.pools[0].flows.unwrap();
    let rest = flows.rest(flows.idle);
    let entry = Entry {
        tag: 1,
        backend: 0,
        seconds: 5_u16.wrapping_sub(rest as u16),
        flags: 0,
    };
    director
        .own
        .engine
        .image_mut()
        .store(at, Width::B8, entry.to_bits());
    for (now, shown) in [(5, 5), (3, 5)] {
        director.handle(Event::Second(now));
        assert_eq!(load(&director, "clock", 0, clock::SECONDS), shown);
    }
    let live = |director: &Director<u32>| director.summary().backends[0].flows;
    director.handle(Event::Second(15));
    assert_eq!(live(&director), Some(1));
    director.handle(Event::Second(16));
    assert_eq!(live(&director), Some(0));
    director.handle(Event::Second(31));
    assert_eq!(load(&director, "flows.web", 0, 0), 0);
}

#[test]
fn the_clock_of_a_source_is_the_datapaths() {
    let mut wire = Wire {
        seconds: Some(77),
        ..Wire::of(&[&[&[1]]])
    };
    let mut director = director();
    run(&mut director, &mut wire);
    assert_eq!(load(&director, "clock", 0, clock::SECONDS), 77);
}

#[test]
fn a_capture_may_begin_at_second_0() {
    let mut wire = Wire {
        seconds: Some(5),
        ..Wire::of(&[&[&[1]]])
    };
    let mut director = Director::new(engine(), manifest(), World::for_captures(&manifest()));
    run(&mut director, &mut wire);
    assert_eq!(load(&director, "clock", 0, clock::SECONDS), 5);
}
