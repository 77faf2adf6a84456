//! Frames in memory that the engines share with the kernel: on each device a program that says which packets come, and
//! sockets of every thread.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use lvsc_abi::engine::{Device, EngineError, Placing};
use lvsc_abi::layout::WORKERS;
use lvsc_abi::world::World;

use super::packets::{Opened, Packets, Steered, Wire};
use crate::director::Director;
use crate::engine::xdp::LoadError;
use crate::engine::xdp::steer::Steering;
use crate::io::af_packet::Offload;
use crate::io::af_xdp::{self, OpenError, PLAIN, Sockets, by_queue};
use crate::sys;
use crate::sys::xsk::{Handle, Transfer};

/// Why no memory is shared.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// Only the whole policy says which packets the kernel gets.
    #[error(
        "the policy passes packets that it has counted, written to, or asked a table about, so only it can say which are the kernel's"
    )]
    Policy,
    /// The program that steers is not loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It is not put on the devices.
    #[error(transparent)]
    Attach(#[from] EngineError),
    /// There are no sockets.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Each thread needs a queue of each device.
    #[error("`{device}` has {queues} for {threads} threads, and each needs one", queues = queues_of(*.queues))]
    Queues {
        /// The device with the fewest.
        device: String,
        /// As many as it has.
        queues: u32,
        /// Threads that were asked for.
        threads: u32,
    },
    /// A sender on the same host leaves checksums to the device, and nothing says which.
    #[error(
        "frames on a veth device may have checksums that are still to be made, which AF_XDP does not tell"
    )]
    Unfinished {
        /// The device.
        device: String,
    },
}

fn queues_of(number: u32) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} queue{plural}")
}

impl From<SteerError> for EngineError {
    fn from(error: SteerError) -> EngineError {
        EngineError::Attach {
            what: error.to_string(),
            remedy: error.remedy(),
        }
    }
}

impl SteerError {
    /// What to type, where that is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            SteerError::Policy => Some(format!(
                "`pass` them before any `count`, `select` or assignment; {PLAIN}"
            )),
            SteerError::Load(LoadError::Kernel(refusal)) => refusal.remedy.clone(),
            SteerError::Attach(EngineError::Attach { remedy, .. }) => remedy.clone(),
            SteerError::Attach(EngineError::Frames { .. }) => Some(PLAIN.to_owned()),
            SteerError::Open(error) => error.remedy(),
            SteerError::Unfinished { device } => Some(format!(
                "`ethtool -K DEVICE tx off` on {device}'s peer, then `--io af_xdp`"
            )),
            SteerError::Queues {
                device,
                queues,
                threads,
            } => Some(format!(
                "`--threads {queues}`, or `sudo ethtool -L {device} combined {threads}`"
            )),
            SteerError::Load(_) | SteerError::Attach(_) => None,
        }
    }
}

/// Sockets that share the engine's memory, and what gives them packets.
///
/// A packet that the engine passes all the same is lost: the world has changed since it was handed over, as when the device
/// gets another MAC, and it was for the one before; or the policy has, and the one before did not pass it.
pub(super) struct Shared {
    ports: Arc<Mutex<Vec<Port>>>,
    /// What the ports' programs were loaded from.
    object: Vec<u8>,
    /// Puts others on the devices, and gives those that were there: to load and to exchange them takes the kernel longer than
    /// a queue has room for.
    change: Option<Change>,
    /// What is put back where the engine of the others does not take over.
    before: Option<(Vec<u8>, Vec<Steering>)>,
    is_on: bool,
    /// Those of the director's own thread.
    pub(super) sockets: Sockets,
    pub(super) transfer: Transfer,
}

/// A thread that exchanges programs, and the object that it takes them from.
type Change = (Vec<u8>, JoinHandle<Result<Vec<Steering>, EngineError>>);

/// A device: its program, and its sockets by queue, whichever thread has them.
struct Port {
    steering: Steering,
    handles: Vec<Handle>,
}

impl Shared {
    fn ports(&self) -> MutexGuard<'_, Vec<Port>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn dropped(&self) -> u64 {
        let ports = self.ports();
        let handles = ports.iter().flat_map(|port| &port.handles);
        handles.map(Handle::dropped).sum()
    }

    pub(super) fn follow(&mut self, world: &World) {
        for port in self.ports().iter_mut() {
            port.steering.follow(world);
        }
    }

    /// Hands packets to the sockets, or leaves all to the kernel.
    pub(super) fn switch(&mut self, on: bool) -> Result<(), EngineError> {
        for port in self.ports().iter() {
            port.steering.direct(port.wanted(on))?;
        }
        self.is_on = on;
        Ok(())
    }

    /// Has each device take packets for another policy: whether it does by now.
    pub(super) fn prepare(
        &mut self,
        steering: Option<&[u8]>,
        world: &World,
    ) -> Result<bool, EngineError> {
        match self.change.take() {
            Some((object, change)) if change.is_finished() => {
                let before = change.join().map_err(|_| aborted())??;
                self.before = Some((std::mem::replace(&mut self.object, object), before));
                // Whatever has changed while it was done.
                self.follow(world);
                self.switch(self.is_on)?;
                return Ok(true);
            }
            Some(change) => {
                self.change = Some(change);
                return Ok(false);
            }
            None => self.before = None,
        }
        let Some(object) = steering else {
            return Err(SteerError::Policy.into());
        };
        // Most policies that follow another one hand over what that did.
        if object == self.object {
            return Ok(true);
        }
        let ports = self.ports();
        let wanted: Vec<Vec<Handle>> = (ports.iter())
            .map(|port| port.wanted(self.is_on).to_vec())
            .collect();
        drop(ports);
        let (ports, next, world) = (Arc::clone(&self.ports), object.to_vec(), world.clone());
        let change = thread::spawn(move || {
            let load = |handles: &Vec<Handle>| {
                let mut one = Steering::load(&next)?;
                one.follow(&world);
                one.direct(handles)?;
                Ok::<_, EngineError>(one)
            };
            // Meanwhile the director may ask the ports, and does not wait.
            let loaded = wanted.iter().map(load).collect::<Result<Vec<_>, _>>()?;
            let mut ports = ports.lock().unwrap_or_else(PoisonError::into_inner);
            exchange(&mut ports, loaded)
        });
        self.change = Some((object.to_vec(), change));
        Ok(false)
    }

    /// Takes packets for the policy before the one that was prepared.
    pub(super) fn retreat(&mut self) {
        if let Some((object, before)) = self.before.take() {
            // What took the new ones has the old ones' room still.
            let _ = exchange(&mut self.ports(), before);
            self.object = object;
            // Whether they were on is from before, too.
            let _ = self.switch(self.is_on);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((_, change)) = self.change.take() {
            let _ = change.join(); // the devices are left as they were
        }
    }
}

fn aborted() -> EngineError {
    EngineError::Attach {
        what: "the programs on the devices were not exchanged: their thread ended".to_owned(),
        remedy: None,
    }
}

/// Puts these on the devices, without a packet in between; on none where one does not take it. Gives those before.
fn exchange(ports: &mut [Port], next: Vec<Steering>) -> Result<Vec<Steering>, EngineError> {
    let mut before = Vec::new();
    let each = ports.iter_mut().zip(next);
    let done = each
        .map(|(port, next)| port.steering.exchange(next))
        .try_for_each(|old| old.map(|old| before.push(old)));
    match done {
        Ok(()) => Ok(before),
        Err(error) => {
            for (port, old) in ports.iter_mut().zip(before) {
                let _ = port.steering.exchange(old); // what took the new one has the old one's room still
            }
            Err(error)
        }
    }
}

impl Port {
    fn wanted(&self, on: bool) -> &[Handle] {
        if on { &self.handles } else { &[] }
    }
}

/// Opens sockets on the devices, in the manifest's order, and has the programs hand packets to them.
pub(super) fn steer(
    steered: &Steered,
    director: &mut Director<Offload>,
    wires: &[Wire],
    (devices, placing): (&[Device], Placing),
) -> Result<Opened, SteerError> {
    let mut memories = vec![director.frames()?];
    let object = director.engine().steering().ok_or(SteerError::Policy)?;
    let object = object.to_vec();
    let mut steering = Vec::new();
    let mut placed = Vec::new();
    for device in devices {
        let mut one = Steering::load(&object)?;
        one.follow(director.world());
        placed.push(one.reserve(device, placing)?);
        steering.push(one);
    }
    let places: Vec<af_xdp::Port<'_>> = (devices.iter().zip(wires))
        .map(|(device, wire)| af_xdp::Port {
            device,
            mtu: wire.mtu,
        })
        .collect();
    let mut engines = Vec::new();
    for _ in 1..threads(steered.threads, devices)? {
        let mut engine = director.another()?;
        memories.push(engine.frames()?);
        engines.push(engine);
    }
    let all = Sockets::open(&memories, &places, steered.ways)?;
    let mut ports = Vec::new();
    for (number, mut steering) in steering.into_iter().enumerate() {
        let handles = by_queue(&all, number);
        steering.direct(&handles)?;
        steering.attach()?;
        ports.push(Port { steering, handles });
    }
    let mut all = all.into_iter();
    let sockets = all.next().ok_or(OpenError::Queues)?;
    let transfer = sockets.transfer();
    let shared = Shared {
        ports: Arc::new(Mutex::new(ports)),
        object,
        change: None,
        before: None,
        is_on: true,
        sockets,
        transfer: transfer.map_err(|source| OpenError::Socket { source })?,
    };
    Ok(Opened {
        packets: Packets::Steered(Box::new(shared)),
        crew: engines.into_iter().zip(all).collect(),
        placed,
        note: None,
    })
}

/// Threads that forward: each needs a queue of each device. A device that does not tell how many it has counts as one.
fn threads(wanted: Option<u32>, devices: &[Device]) -> Result<u32, SteerError> {
    let queues = |device: &Device| sys::queues(&device.name).unwrap_or(1);
    let each = devices.iter().map(|device| (queues(device), device));
    let (queues, fewest) = match each.min_by_key(|(queues, _)| *queues) {
        Some((queues, device)) => (queues, device.name.clone()),
        None => (1, String::new()),
    };
    match wanted {
        Some(threads) if threads > queues => Err(SteerError::Queues {
            device: fewest,
            queues,
            threads,
        }),
        Some(threads) => Ok(threads),
        None => {
            let cpus = thread::available_parallelism().map_or(1, NonZero::get);
            Ok(queues.min(cpus as u32).min(WORKERS))
        }
    }
}
