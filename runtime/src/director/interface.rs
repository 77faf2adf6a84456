//! The director on the interfaces of a host: packet sockets, the VIPs on the wire, next hops from the kernel.
//!
//! Everything is opened in the network namespace of the thread that calls [`Attached::open`], and stays there wherever
//! it runs afterwards.

mod fault;
mod inspect;
mod next_hop;
mod packets;
mod shared;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{Device, EngineError, Mode, Placing};
use lvsc_abi::manifest::Manifest;

use super::worker::{Alarm, Hand};
use super::{AnyEngine, Director, Event, Notice, Summary, Takes, WAIT};
use crate::current::Current;
use crate::engine::carry::Carried;
use crate::io::af_packet::Offload;
use crate::io::af_xdp::Sockets;
use crate::publish::recall;
use crate::vip::{Responder, Vips};
use crate::world::{World, draw_seed};

pub use self::fault::{AttachError, Warning};
use self::next_hop::{Asked, NextHops};
pub use self::packets::{Io, Steered, Taken};
use self::packets::{Packets, Wire};

/// Between two looks at what the receive rings have lost.
const LOOK: Duration = Duration::from_secs(1);

/// A director on interfaces, ready to run.
pub struct Attached {
    director: Director<Offload>,
    io: Packets,
    /// What forwards in threads of its own, each with its sockets.
    crew: Vec<(Hand<Offload>, Sockets)>,
    responders: Vec<Responder>,
    next_hops: Vec<NextHops>,
    vips: Arc<Current<Vips>>,
    events: (Sender<Event>, Receiver<Event>),
    warnings: Vec<Warning>,
    modes: Vec<Mode>,
    carried: Option<Carried>,
}

/// What is to run on the interfaces.
pub struct Order {
    /// The engine. One whose image was published before goes on from what that says.
    pub engine: AnyEngine,
    /// The one that it succeeds, which is on devices now, with its manifest.
    pub before: Option<(Manifest, AnyEngine)>,
    /// How it is put on the devices, where it takes packets by itself, or the program that takes them for it.
    pub placing: Placing,
    /// How packets come to an engine that does not take them by itself.
    pub io: Io,
}

impl From<AnyEngine> for Order {
    fn from(engine: AnyEngine) -> Order {
        Order {
            engine,
            before: None,
            placing: Placing::default(),
            io: Io::Packets,
        }
    }
}

/// A director over an engine, which succeeds the one before it where there is one.
fn start(
    engine: AnyEngine,
    before: Option<(Manifest, AnyEngine)>,
    manifest: Manifest,
    world: World,
) -> Result<(Director<Offload>, Option<Carried>), EngineError> {
    let Some((old, old_engine)) = before else {
        return Ok((Director::resume(engine, manifest, world), None));
    };
    let was = recall(&old, old_engine.image()).unwrap_or_else(|| World::of(&old));
    let mut director = Director::resume(old_engine, old, was);
    // It is on devices, and forwards on.
    director.taken_by(Takes::Engine);
    let carried = director.succeed(engine, manifest, world)?;
    Ok((director, Some(carried)))
}

impl Attached {
    /// Opens the devices, one for each interface of the manifest in its order. The VIPs are announced when it runs.
    ///
    /// A MAC that the policy gives an interface must be the device's.
    pub fn open(
        order: Order,
        manifest: Manifest,
        devices: &[String],
    ) -> Result<Attached, AttachError> {
        let links = inspect::find(&manifest, devices)?;
        let Order {
            mut engine,
            mut before,
            placing,
            io,
        } = order;
        let mut world = before
            .as_ref()
            .and_then(|(old, engine)| Some(recall(old, engine.image())?.follow(old, &manifest)))
            .or_else(|| recall(&manifest, engine.image()))
            .unwrap_or_else(|| World {
                seconds: 1,
                seed: draw_seed(),
                ..World::of(&manifest)
            });
        for (state, (link, mac)) in world.interfaces.iter_mut().zip(&links) {
            state.index = link.index;
            state.mac = Some(*mac);
        }
        let unseen = inspect::backends(&manifest, &world, &links)?;
        let places: Vec<Device> = (links.iter())
            .map(|(link, _)| Device {
                index: link.index,
                name: link.name.clone(),
            })
            .collect();
        let wires: Vec<Wire> = (links.iter())
            .map(|(link, _)| Wire {
                mtu: link.mtu,
                kind: link.kind.clone(),
            })
            .collect();
        let vips = inspect::announced(&manifest);
        let mut warnings = inspect::warnings(&manifest, devices, &vips);
        warnings.extend(unseen);
        let vips = Arc::new(Current::new(vips));
        let (mut responders, mut next_hops) = (Vec::new(), Vec::new());
        for (number, (link, mac)) in (0..).zip(links) {
            let socket = |source| AttachError::Socket {
                device: link.name.clone(),
                source,
            };
            let responder = Responder::open(link.index, mac, Arc::clone(&vips)).map_err(socket)?;
            let asked = inspect::asked(&manifest, number);
            let hops = NextHops::open(link.clone(), number, responder.own(), asked);
            let mut hops = hops.map_err(socket)?;
            if !hops.ask() {
                let device = link.name.clone();
                warnings.push(Warning::MayNotAsk { device });
            }
            responders.push(responder);
            next_hops.push(hops);
        }
        let refused = |source| AttachError::Engine { source };
        // What forwards now is not touched before every device is in hand.
        let running = before.as_mut().map_or(&mut engine, |(_, old)| old);
        let placed = running.reserve(&places, placing).map_err(refused)?;
        let (mut director, carried) = start(engine, before, manifest, world).map_err(refused)?;
        let mut crew = Vec::new();
        let (io, placed) = if let Some(placed) = placed {
            director.attach().map_err(refused)?;
            (Packets::Taken, placed)
        } else {
            let opened = packets::open(io, &mut director, &wires, (&places, placing))?;
            if matches!(opened.packets, Packets::Steered(_)) {
                director.steer();
            }
            let hired = opened.crew.into_iter();
            crew.extend(hired.map(|(engine, sockets)| (director.hire(engine), sockets)));
            warnings.extend(opened.note);
            (opened.packets, opened.placed)
        };
        for (device, placed) in devices.iter().zip(&placed) {
            warnings.extend(Warning::of(device, placed));
        }
        let modes = placed.iter().map(|placed| placed.mode).collect();
        Ok(Attached {
            director,
            io,
            crew,
            responders,
            next_hops,
            vips,
            events: mpsc::channel(),
            warnings,
            modes,
            carried,
        })
    }

    /// Hands every notice to `notify`.
    #[must_use]
    pub fn telling(self, notify: impl FnMut(Notice) + Send + 'static) -> Attached {
        Attached {
            director: self.director.telling(notify),
            ..self
        }
    }

    /// What is likely to stand in the way, found on opening.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How a program of ours is on each device; none where there is none.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// How packets come.
    pub fn taken(&self) -> Taken {
        self.io.taken()
    }

    /// Threads that forward.
    pub fn threads(&self) -> usize {
        1 + self.crew.len()
    }

    /// What was carried over from the engine before, where there was one.
    pub fn carried(&self) -> Option<&Carried> {
        self.carried.as_ref()
    }

    /// The director.
    pub fn director(&self) -> &Director<Offload> {
        &self.director
    }

    /// Where to tell the running director of events.
    pub fn events(&self) -> Sender<Event> {
        self.events.0.clone()
    }

    /// What happened so far.
    pub fn summary(&mut self) -> Summary {
        Summary {
            overrun: self.io.dropped(),
            ..self.director.summary()
        }
    }

    /// Forwards until `stop` is true; an error where an interface goes away.
    pub fn run(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let Attached {
            director,
            io,
            crew,
            responders,
            next_hops,
            vips,
            events,
            ..
        } = self;
        let asked: Vec<_> = next_hops.iter().map(NextHops::asked).collect();
        let ended = &AtomicBool::new(false);
        let failure = Mutex::new(None);
        let fail = &|error| {
            ended.store(true, Ordering::Relaxed);
            failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
        };
        thread::scope(|scope| {
            for (responder, asked) in responders.iter_mut().zip(&asked) {
                let met = meet(asked, events.0.clone());
                scope.spawn(move || {
                    let _alarm = Alarm(ended);
                    serve(responder, ended, met).unwrap_or_else(fail);
                });
            }
            for hops in next_hops {
                let events = events.0.clone();
                scope.spawn(move || {
                    let _alarm = Alarm(ended);
                    hops.watch(&events, ended).unwrap_or_else(fail);
                });
            }
            for (hand, sockets) in crew {
                let events = events.0.clone();
                scope.spawn(move || {
                    let _alarm = Alarm(ended);
                    work(hand, sockets, &events, ended).unwrap_or_else(fail);
                });
            }
            let _alarm = Alarm(ended);
            let over = || stop.load(Ordering::Relaxed) || ended.load(Ordering::Relaxed);
            let forwarded = forward(director, io, &events.1, over, |manifest| {
                vips.set(inspect::announced(manifest));
                for (number, asked) in (0..).zip(&asked) {
                    asked.set(inspect::asked(manifest, number));
                }
            });
            ended.store(true, Ordering::Relaxed);
            forwarded
        })?;
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Forwards until it is `over`; each policy that takes over is told by its manifest.
fn forward(
    director: &mut Director<Offload>,
    io: &mut Packets,
    events: &Receiver<Event>,
    over: impl Fn() -> bool,
    tell: impl Fn(&Manifest),
) -> io::Result<()> {
    let mut looked = Instant::now();
    let mut lost = 0;
    let mut successions = director.successions();
    while !over() {
        for event in events.try_iter() {
            director.handle(event);
        }
        director.turn(io, WAIT)?;
        if director.successions() != successions {
            successions = director.successions();
            tell(director.manifest());
        }
        if lost == 0 && looked.elapsed() >= LOOK {
            looked = Instant::now();
            lost = io.dropped();
            if lost > 0 {
                director.handle(Event::Tell(Notice::Overrun(lost)));
            }
        }
    }
    Ok(())
}

/// Forwards until `ended` is true.
fn work(
    hand: &Hand<Offload>,
    sockets: &mut Sockets,
    events: &Sender<Event>,
    ended: &AtomicBool,
) -> io::Result<()> {
    while !ended.load(Ordering::Relaxed) {
        let (came, failure) = hand.turn(sockets)?;
        if let Some(error) = failure {
            let _ = events.send(Event::Tell(Notice::Failed(error))); // a director that has ended wants no news
        }
        if !came {
            sockets.wait(WAIT)?;
        }
    }
    Ok(())
}

/// Tells of the first VLAN that a VIP is asked for from, where backends are asked for: they are, without a tag.
fn meet(asked: &Current<Asked>, events: Sender<Event>) -> impl FnMut(u16) + Send {
    const VID: u16 = 0x0fff;
    let mut told = false;
    move |tci| {
        let vid = tci & VID;
        if vid != 0 && !told && !asked.get().is_empty() {
            told = true;
            let _ = events.send(Event::Tell(Notice::Tagged(vid))); // a director that has ended wants no news
        }
    }
}

/// Answers for the VIPs; a link that goes down comes back.
fn serve(
    responder: &mut Responder,
    ended: &AtomicBool,
    mut met: impl FnMut(u16),
) -> io::Result<()> {
    loop {
        match responder.serve(ended, &mut met) {
            Err(error) if is_down(&error) => thread::sleep(WAIT),
            other => return other,
        }
    }
}

fn is_down(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENETDOWN)
}
