//! A director of ours on a wire, on a thread of its own: it knows where its backends are, and goes on with other engines.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;
use lvsc_runtime::director::interface::{Attached, Io, Order};
use lvsc_runtime::director::{AnyEngine, Event, Notice};
use lvsc_runtime::lab::wire::Wire;
use lvsc_runtime::sys;
use lvsc_runtime::world::World;

use crate::failure::Failure;

/// The longest wait for the director.
const PATIENCE: Duration = Duration::from_secs(10);

/// A director that has ended, and how.
type Ended = (Attached, io::Result<()>);

/// A director that runs; it ends when dropped.
pub struct Directed {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<Ended>>>,
    events: Sender<Event>,
    told: Receiver<Told>,
}

/// What the director says.
enum Told {
    /// A backend's MAC is known.
    Learnt,
    /// Another engine has taken over, or not.
    Replaced(Result<Duration, String>),
}

/// What the director does with a notice.
fn listen(tell: Sender<Told>) -> impl FnMut(Notice) + Send {
    move |notice| {
        let told = match notice {
            Notice::Neighbour { .. } => Told::Learnt,
            Notice::Replaced(carried) => Told::Replaced(Ok(carried.took)),
            Notice::Kept(error) => Told::Replaced(Err(error.to_string())),
            Notice::OwnMac { .. }
            | Notice::Missing(_)
            | Notice::Overrun(_)
            | Notice::Tagged(_)
            | Notice::Interface { .. }
            | Notice::Unknown { .. }
            | Notice::Failed(_) => return,
        };
        let _ = tell.send(told); // nobody asks any more
    }
}

impl Directed {
    /// Puts an engine on the wire, and waits until it forwards.
    pub fn start(
        wire: &Wire,
        engine: AnyEngine,
        (manifest, world): (&Manifest, &World),
        io: Io,
        cpu: usize,
    ) -> Result<Directed, Failure> {
        let order = Order {
            io,
            ..Order::from(engine)
        };
        let (owned, devices) = (manifest.clone(), wire.devices());
        let open = move || Attached::open(order, owned, &devices);
        let attached = wire.director.run(open).map_err(Failure::told)??;
        let events = attached.events();
        let (tell, told) = mpsc::channel();
        let mut attached = attached.telling(listen(tell));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // A program that takes over names its devices by their indices, which are those of the thread's namespace.
        let thread = wire.director.spawn(move || {
            let _here = sys::on_cpu(cpu);
            let done = attached.run(&stopped);
            (attached, done)
        });
        let directed = Directed {
            stop,
            thread: Some(thread),
            events,
            told,
        };
        directed.teach(manifest, world)?;
        Ok(directed)
    }

    /// Tells the director the MACs that no policy fixes: nobody on the wire would answer for them.
    fn teach(&self, manifest: &Manifest, world: &World) -> Result<(), Failure> {
        let pools = manifest.pools.iter().zip(&world.pools);
        let backends = pools.flat_map(|(pool, states)| pool.backends.iter().zip(states));
        let unknown = backends.filter(|(backend, _)| backend.mac.is_none());
        let all: Vec<(IpAddr, Option<Mac>)> = unknown
            .map(|(backend, state)| (backend.address, state.mac))
            .collect();
        let macs: BTreeMap<IpAddr, Option<Mac>> = all.iter().copied().collect();
        for (address, mac) in macs {
            let Some(mac) = mac else { continue };
            let _ = self.events.send(Event::Neighbour { address, mac }); // one that has ended is noticed below
        }
        for _ in all {
            self.answer()?;
        }
        Ok(())
    }

    fn answer(&self) -> Result<Told, Failure> {
        let told = self.told.recv_timeout(PATIENCE);
        told.map_err(|_| Failure::told("the director on the wire does not answer"))
    }

    /// Goes on with another engine: how long the exchange took, or why it was refused.
    pub fn replace(
        &self,
        engine: AnyEngine,
        manifest: Manifest,
    ) -> Result<Result<Duration, String>, Failure> {
        let manifest = Box::new(manifest);
        let event = Event::Replace {
            engine,
            manifest,
            asked: None,
        };
        let _ = self.events.send(event); // one that has ended is noticed below
        loop {
            match self.answer()? {
                Told::Replaced(answer) => return Ok(answer),
                Told::Learnt => {}
            }
        }
    }

    /// Ends it; gives the packets that were lost before it saw them.
    pub fn end(mut self) -> Result<u64, Failure> {
        match self.halt() {
            Some((mut attached, Ok(()))) => Ok(attached.summary().overrun),
            Some((_, Err(error))) => Err(Failure::told(format_args!(
                "the director on the wire stopped: {error}"
            ))),
            None => Err(Failure::Bug {
                what: "the director's thread ended by itself".to_owned(),
            }),
        }
    }

    fn halt(&mut self) -> Option<Ended> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()?.ok()
    }
}

impl Drop for Directed {
    fn drop(&mut self) {
        drop(self.halt());
    }
}
