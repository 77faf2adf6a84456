//! The life of a running load balancer: frames in, verdicts, frames out; between two batches the world is kept true.
//!
//! One loop over any engine and any packet IO. What happens besides frames comes in as an [`Event`], so that the image has
//! one writer. Knows no socket and no capture: those are a [`Source`] and a [`Sink`].

mod capture;
mod clock;
mod event;
#[cfg(target_os = "linux")]
pub mod interface;
mod succession;
mod summary;
mod worker;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use lvsc_abi::engine::{Engine, EngineError, FrameMemory};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{Backend, Manifest};

use crate::engine::carry::forget_strays;
use crate::io::{Received, Sink, Source};
use crate::publish::{publish, publish_cursors, publish_time, recall};
use crate::sweep::Sweeper;
use crate::world::World;

use self::clock::Clock;
use self::succession::{Next, Successions};
use self::worker::{Crew, Hand, Worker};

pub use self::capture::{RunError, run_capture};
pub use self::event::{AnyEngine, Change, Event, Notice, Outcome, Switch};
pub use self::summary::{BackendSummary, KeyedSummary, PoolSummary, Summary};

/// Seconds until a backend without a MAC is named for the first time, and between that and the next time.
const PATIENCE: u64 = 2;
const REMIND: u64 = 15;
/// The longest wait for a frame: what stops the director or changes its world is seen at least so often.
const WAIT: Duration = Duration::from_millis(50);

/// A running load balancer. `Meta` is what travels beside a frame from its [`Source`] to its [`Sink`].
pub struct Director<Meta> {
    own: Worker<Meta>,
    /// Those that forward in threads of their own; the image is written here alone.
    crew: Crew<Meta>,
    manifest: Manifest,
    world: World,
    sweeper: Sweeper,
    remind: u64,
    /// The world has changed, and the image does not say so yet.
    stale: bool,
    enabled: Arc<AtomicBool>,
    takes: Takes,
    /// Where packets are taken from devices, whether that is switched on.
    taking: Option<Arc<AtomicBool>>,
    successions: Successions,
    notify: Box<dyn FnMut(Notice) + Send>,
    clock: Clock,
}

/// Who takes packets from devices, before the kernel gets them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nobody,
    Engine,
    Source,
}

impl<Meta> Director<Meta> {
    /// A director over an engine, whose image is filled with what the world is. Its clock goes on from the world's. Next hops
    /// that are not known are awaited.
    pub fn new(engine: AnyEngine, manifest: Manifest, mut world: World) -> Director<Meta> {
        world.awaits();
        Director::over(engine, manifest, world)
    }

    fn over(mut engine: AnyEngine, manifest: Manifest, world: World) -> Director<Meta> {
        publish(&manifest, &world, engine.image_mut());
        Director {
            sweeper: Sweeper::default(),
            remind: world.seconds + PATIENCE,
            clock: Clock::at(world.seconds),
            own: Worker::new(engine),
            crew: Crew::default(),
            manifest,
            world,
            stale: false,
            enabled: Arc::new(AtomicBool::new(true)),
            takes: Takes::Nobody,
            taking: None,
            successions: Successions::default(),
            notify: Box::new(|_| {}),
        }
    }

    /// A director that goes on where another one has ended, maybe before it had done all: the engine and its image are
    /// what that one left. With a fresh image it is a new one.
    pub fn resume(engine: AnyEngine, manifest: Manifest, world: World) -> Director<Meta> {
        if recall(&manifest, engine.image()).is_none() {
            return Director::new(engine, manifest, world);
        }
        let mut director = Director::over(engine, manifest, world);
        forget_strays(&director.manifest, director.own.engine.image_mut());
        director
    }

    /// Hands every notice to `notify`.
    #[must_use]
    pub fn telling(mut self, notify: impl FnMut(Notice) + Send + 'static) -> Director<Meta> {
        self.notify = Box::new(notify);
        self
    }

    /// The switch of the datapath.
    pub fn switch(&self) -> Switch {
        Switch {
            wanted: Arc::clone(&self.enabled),
            taking: self.taking.clone(),
        }
    }

    /// Has the engine take packets by itself from the devices that it has reserved.
    pub fn attach(&mut self) -> Result<(), EngineError> {
        self.own.engine.attach()?;
        self.taken_by(Takes::Engine);
        Ok(())
    }

    /// From now on is run with a source that takes from the devices what this policy decides, and writes it into this
    /// engine's memory.
    pub fn steer(&mut self) {
        self.taken_by(Takes::Source);
    }

    /// The memory for frames of the director's own thread.
    fn frames(&mut self) -> Result<Arc<dyn FrameMemory>, EngineError> {
        self.own.engine.frames()
    }

    /// Makes one more engine over the image, for a thread of its own: its memory for frames is for the thread's packet IO.
    fn another(&mut self) -> Result<AnyEngine, EngineError> {
        self.own.engine.another()
    }

    /// Has an engine of [`Director::another`] forward in a thread of its own.
    fn hire(&mut self, engine: AnyEngine) -> Hand<Meta> {
        let hand = self.crew.hire(engine, &self.enabled);
        let workers = self.crew.len() as u32 + 1;
        publish_cursors(workers, self.own.engine.image_mut());
        hand
    }

    fn taken_by(&mut self, takes: Takes) {
        self.takes = takes;
        self.taking = Some(Arc::new(AtomicBool::new(true)));
    }

    /// What the policy declares.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What is true now.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        self.own.engine.as_ref()
    }

    /// The backends that get no packets because their next hop is not known.
    pub fn without_mac(&self) -> impl Iterator<Item = &Backend> {
        let pools = self.manifest.pools.iter().zip(&self.world.pools);
        pools
            .flat_map(|(pool, states)| pool.backends.iter().zip(states))
            .filter(|(_, state)| state.mac.is_none())
            .map(|(backend, _)| backend)
    }

    /// What happened so far.
    pub fn summary(&self) -> Summary {
        let engine = self.engine();
        let mut threads = vec![self.own.tally.clone()];
        threads.extend(self.crew.tallies());
        let summary = summary::of(&threads, &self.manifest, &self.world, engine);
        if self.takes == Takes::Engine {
            summary.of_counters()
        } else {
            summary
        }
    }

    /// Forwards until `stop` is true, the source ends, or the packet IO fails.
    pub fn run<Io>(
        &mut self,
        io: &mut Io,
        events: &Receiver<Event>,
        stop: &AtomicBool,
    ) -> io::Result<()>
    where
        Io: Source<Meta = Meta> + Sink<Meta>,
    {
        while !stop.load(Ordering::Relaxed) {
            for event in events.try_iter() {
                self.handle(event);
            }
            if self.turn(io, WAIT)? == Received::End {
                break;
            }
        }
        Ok(())
    }

    /// Settles, receives a batch, waiting `wait` at most, and forwards it.
    pub fn turn<Io>(&mut self, io: &mut Io, wait: Duration) -> io::Result<Received>
    where
        Io: Source<Meta = Meta> + Sink<Meta>,
    {
        self.successions.tell();
        if self.stale {
            self.publish();
            io.follow(&self.world)?;
        }
        self.replace(io);
        let received = self.own.receive(io, wait)?;
        let now = io
            .seconds()
            .unwrap_or_else(|| self.clock.on(self.world.seconds));
        self.handle(Event::Second(now));
        let on = self.enabled.load(Ordering::Relaxed);
        if let Some(taking) = &self.taking
            && taking.load(Ordering::Relaxed) != on
        {
            match self.takes {
                Takes::Source => io.switch(on)?,
                Takes::Engine | Takes::Nobody => {
                    self.own.engine.switch(on).map_err(io::Error::other)?;
                }
            }
            taking.store(on, Ordering::Relaxed);
        }
        if !on {
            self.own.ignore();
        } else if let Some(error) = self.own.forward(io)? {
            (self.notify)(Notice::Failed(error));
        }
        Ok(received)
    }

    /// Takes in what happened. The image says so from the next [`Director::settle`] on: filling the rings of a thousand
    /// backends takes milliseconds, and events come in crowds.
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Second(now) => self.second(now),
            Event::Neighbour { address, mac } => self.neighbour(address, mac),
            Event::Interface { index, state } => {
                if let Some(known) = self.world.interfaces.get_mut(usize::from(index)) {
                    *known = state;
                    self.stale = true;
                }
            }
            Event::Backend {
                pool,
                backend,
                change,
            } => self.change(pool, backend, change),
            Event::Tell(notice) => (self.notify)(notice),
            Event::Replace {
                engine,
                manifest,
                asked,
            } => self.successions.add(Next {
                engine,
                manifest: *manifest,
                asked,
            }),
        }
    }

    /// Has the image say what the events have changed.
    pub fn settle(&mut self) {
        if self.stale {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.stale = false;
        publish(&self.manifest, &self.world, self.own.engine.image_mut());
    }

    fn second(&mut self, now: u64) {
        if now <= self.world.seconds {
            return;
        }
        let (before, image) = (self.world.seconds, self.own.engine.image_mut());
        self.sweeper.advance(&self.manifest, (before, now), image);
        self.world.seconds = now;
        publish_time(&self.world, image);
        self.stale |= self.world.ramps(&self.manifest, before);
        if now >= self.remind {
            self.remind = now + REMIND;
            self.stale |= self.world.gives_up();
            let missing: Vec<String> = self.without_mac().map(|known| known.name.clone()).collect();
            if !missing.is_empty() {
                (self.notify)(Notice::Missing(missing));
            }
        }
    }

    fn neighbour(&mut self, address: IpAddr, mac: Mac) {
        // A host on the link may say anything.
        if !mac.is_station() {
            return;
        }
        let own = (self.world.interfaces.iter()).any(|interface| interface.mac == Some(mac));
        let mut news = Vec::new();
        let now = self.world.seconds;
        for (known, states) in self.manifest.pools.iter().zip(&mut self.world.pools) {
            for (backend, state) in known.backends.iter().zip(states) {
                let learnt = backend.address == address && backend.mac.is_none();
                if !learnt || state.mac == Some(mac) {
                    continue;
                }
                let (pool, backend) = (known.name.clone(), backend.name.clone());
                if own {
                    news.push(Notice::OwnMac { pool, backend, mac });
                } else {
                    if state.mac.is_none() && !state.awaited {
                        state.comes(known, now);
                    }
                    state.mac = Some(mac);
                    news.push(Notice::Neighbour { pool, backend, mac });
                }
            }
        }
        self.stale |= !news.is_empty();
        news.into_iter().for_each(&mut self.notify);
    }

    fn change(&mut self, pool: String, backend: String, change: Change) {
        let Some(state) = self.world.backend_mut(&self.manifest, &pool, &backend) else {
            return (self.notify)(Notice::Unknown { pool, backend });
        };
        match change {
            Change::Weight(weight) => state.weight = weight,
            Change::Up | Change::Down => {
                let up = change == Change::Up;
                self.world.turn(&self.manifest, (&pool, &backend), up);
            }
        }
        self.stale = true;
    }
}

#[cfg(test)]
mod tests;
