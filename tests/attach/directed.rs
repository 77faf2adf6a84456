//! A director that runs in this process and goes on with one policy after the other, and frames that flow meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lvsc_abi::engine::{EngineError, Placing};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;
use lvsc_runtime::director::interface::{Attached, Io, Order};
use lvsc_runtime::director::{AnyEngine, Event, Notice, Summary};
use lvsc_runtime::sys::namespace::Namespace;
use lvsc_runtime::sys::ring::Ring;

use crate::child::wait;
use crate::frames::packet;

/// Flows of the frames that are sent, and frames that come together.
pub const FLOWS: u32 = 64;
pub const BURST: u32 = 8;

/// An engine, by what somebody built.
pub type Load = fn(&[u8]) -> (AnyEngine, Manifest);

/// A director that runs, and what it told.
pub struct Directed {
    load: Load,
    pub told: Arc<Mutex<Vec<Notice>>>,
    stop: Arc<AtomicBool>,
    events: std::sync::mpsc::Sender<Event>,
    thread: JoinHandle<(Summary, Attached)>,
}

impl Directed {
    /// On a device of this place; `look` judges it before it runs.
    pub fn start(
        place: &Namespace,
        (load, artifact): (Load, &[u8]),
        (io, device): (Io, &str),
        look: impl FnOnce(&Attached),
    ) -> Directed {
        let (engine, manifest) = load(artifact);
        let order = Order {
            engine,
            before: None,
            io,
            placing: Placing::default(),
        };
        let device = device.to_owned();
        let open = move || Attached::open(order, manifest, &[device]);
        let attached = place.run(open).unwrap().unwrap();
        look(&attached);
        let told: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (ear, stopped) = (Arc::clone(&told), Arc::clone(&stop));
        let mut attached = attached.telling(move |notice| ear.lock().unwrap().push(notice));
        let events = attached.events();
        let thread = std::thread::spawn(move || {
            attached.run(&stopped).unwrap();
            (attached.summary(), attached)
        });
        Directed {
            load,
            told,
            stop,
            events,
            thread,
        }
    }

    pub fn tells(&self, times: usize, what: impl Fn(&Notice) -> bool) -> bool {
        wait(|| self.told.lock().unwrap().iter().filter(|n| what(n)).count() >= times)
    }

    pub fn replace(&self, artifact: &[u8]) {
        let (engine, manifest) = (self.load)(artifact);
        let manifest = Box::new(manifest);
        let event = Event::Replace {
            engine,
            manifest,
            asked: None,
        };
        self.events.send(event).unwrap();
    }

    pub fn replaced(&self, times: usize) {
        let taken = |notice: &Notice| matches!(notice, Notice::Replaced(_));
        assert!(self.tells(times, taken), "{:?}", self.told);
    }

    pub fn kept(&self, times: usize, reason: &str) {
        let kept = |notice: &Notice| matches!(notice, Notice::Kept(EngineError::Attach { what, .. }) if what.contains(reason));
        assert!(self.tells(times, kept), "{:?}", self.told);
    }

    pub fn end(self) -> Summary {
        self.ended().0
    }

    /// The same, and what it leaves.
    pub fn ended(self) -> (Summary, Attached) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// One frame of each flow: number 0 on.
pub fn each_flow(mouth: &Ring, to: Mac) {
    for flow in 0..FLOWS {
        mouth.send(&[], &packet(to, flow as u16, flow)).unwrap();
    }
}

/// Bursts of frames, from number [`FLOWS`] on, from a thread of its own.
pub fn bursts(mouth: Ring, to: Mac, bursts: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for burst in 0..bursts {
            for number in burst * BURST..(burst + 1) * BURST {
                let frame = packet(to, (number % FLOWS) as u16, FLOWS + number);
                mouth.send(&[], &frame).unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    })
}
