//! How packets come to the engine and leave again: by packet sockets, by shared memory, or not at all.

use std::io;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use lvsc_abi::engine::{Device, EngineError, Mode, Packet, Placed, Placing};
use lvsc_abi::layout::WORKERS;

use super::fault::{AttachError, Warning};
use super::is_down;
use crate::director::{AnyEngine, Director};
use crate::engine::xdp::LoadError;
use crate::engine::xdp::steer::Steering;
use crate::io::af_packet::{Interfaces, Offload};
use crate::io::af_xdp::{OpenError, PLAIN, Port, Sockets, Ways, by_queue};
use crate::io::{Inbox, Received, Sent, Sink, Source};
use crate::sys;
use crate::sys::xsk::{Handle, Transfer};
use crate::world::World;

/// How packets are to come to an engine that does not take them by itself.
pub enum Io {
    /// By packet sockets.
    Packets,
    /// By shared memory, and not at all where that cannot be.
    Steered(Steered),
    /// By shared memory where frames surely are as on a wire, else by packet sockets, with a note that says why.
    Either(Steered),
}

/// What shared memory takes, besides the engine's own word on which packets are the kernel's.
pub struct Steered {
    /// How sockets are opened.
    pub ways: Ways,
    /// Threads that forward; `None`: one for each queue, as far as there are CPUs.
    pub threads: Option<u32>,
}

/// How packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The engine takes them by itself.
    Engine,
    /// By packet sockets.
    Packets,
    /// By shared memory, so moved.
    Steered(Transfer),
}

/// What must be known of a device to share frames with it.
pub(super) struct Wire {
    /// Its MTU (bytes).
    pub(super) mtu: u32,
    /// What makes it, as the kernel calls it: `veth`; empty for hardware.
    pub(super) kind: String,
}

/// What was opened.
pub(super) struct Opened {
    pub(super) packets: Packets,
    /// The engines of further threads, with their sockets.
    pub(super) crew: Vec<(AnyEngine, Sockets)>,
    pub(super) placed: Vec<Placed>,
    /// Why it is not the way that was tried first.
    pub(super) note: Option<Warning>,
}

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

/// Opens what was asked for, on the devices in the manifest's order. The engine's image says what the world is.
pub(super) fn open(
    io: Io,
    director: &mut Director<Offload>,
    wires: &[Wire],
    (devices, placing): (&[Device], Placing),
) -> Result<Opened, AttachError> {
    let names = || {
        let names: Vec<&str> = devices.iter().map(|device| &*device.name).collect();
        names.join(", ")
    };
    let (steered, alone) = match io {
        Io::Packets => (None, false),
        Io::Steered(steered) => (Some(steered), true),
        Io::Either(steered) => (Some(steered), false),
    };
    let tried = steered.map(|steered| {
        let placing = if alone {
            placing
        } else {
            let mut virtual_ends = devices
                .iter()
                .zip(wires)
                .filter(|(_, wire)| wire.kind == "veth");
            if let Some((device, _)) = virtual_ends.next() {
                let device = device.name.clone();
                return Err(SteerError::Unfinished { device });
            }
            Placing {
                mode: Some(Mode::Native),
                ..placing
            }
        };
        steer(&steered, director, wires, (devices, placing))
    });
    let because = match tried {
        Some(Ok(opened)) => return Ok(opened),
        Some(Err(source)) if alone => {
            let device = names();
            return Err(AttachError::Steer { device, source });
        }
        Some(Err(error)) => Some(error),
        None => None,
    };
    let indices: Vec<u32> = devices.iter().map(|device| device.index).collect();
    let opened = Interfaces::open(&indices).map_err(|source| AttachError::Socket {
        device: names(),
        source,
    })?;
    Ok(Opened {
        packets: Packets::Sockets(opened),
        crew: Vec::new(),
        placed: Vec::new(),
        note: because.map(|error| Warning::PacketSockets {
            device: names(),
            because: error.to_string(),
            remedy: error.remedy(),
        }),
    })
}

fn steer(
    steered: &Steered,
    director: &mut Director<Offload>,
    wires: &[Wire],
    (devices, placing): (&[Device], Placing),
) -> Result<Opened, SteerError> {
    let mut memories = vec![director.frames()?];
    let object = director.engine().steering().ok_or(SteerError::Policy)?;
    let mut steering = Vec::new();
    let mut placed = Vec::new();
    for device in devices {
        let mut one = Steering::load(object)?;
        one.follow(director.world());
        placed.push(one.reserve(device, placing)?);
        steering.push(one);
    }
    let ports: Vec<Port> = (devices.iter().zip(wires))
        .map(|(device, wire)| Port {
            device: device.index,
            mtu: wire.mtu,
        })
        .collect();
    let mut engines = Vec::new();
    for _ in 1..threads(steered.threads, devices)? {
        let mut engine = director.another()?;
        memories.push(engine.frames()?);
        engines.push(engine);
    }
    let all = Sockets::open(&memories, &ports, steered.ways)?;
    let mut steered = Vec::new();
    for (number, mut one) in steering.into_iter().enumerate() {
        let handles = by_queue(&all, number);
        one.direct(&handles)?;
        one.attach()?;
        steered.push((one, handles));
    }
    let mut all = all.into_iter();
    let sockets = all.next().ok_or(OpenError::Queues)?;
    let transfer = sockets.transfer();
    let shared = Shared {
        steering: steered,
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

/// Sockets that share the engine's memory, and what gives them packets.
///
/// A packet that the engine passes all the same is lost: the world has changed since it was handed over, as when the device
/// gets another MAC, and it was for the one before.
pub(super) struct Shared {
    /// Of each device, with its sockets by queue, whichever thread has them.
    steering: Vec<(Steering, Vec<Handle>)>,
    /// Those of the director's own thread.
    sockets: Sockets,
    transfer: Transfer,
}

/// Where packets come from and go to.
pub(super) enum Packets {
    /// Packet sockets; a link that goes down is waited for ([`super::NextHops`] sees one that is gone).
    Sockets(Interfaces),
    /// Shared memory.
    Steered(Box<Shared>),
    /// The engine takes them by itself.
    Taken,
}

impl Packets {
    pub(super) fn dropped(&mut self) -> u64 {
        match self {
            Packets::Sockets(sockets) => sockets.dropped(),
            Packets::Steered(shared) => {
                let handles = shared.steering.iter().flat_map(|(_, handles)| handles);
                handles.map(Handle::dropped).sum()
            }
            Packets::Taken => 0,
        }
    }

    pub(super) fn taken(&self) -> Taken {
        match self {
            Packets::Sockets(_) => Taken::Packets,
            Packets::Steered(shared) => Taken::Steered(shared.transfer),
            Packets::Taken => Taken::Engine,
        }
    }
}

impl Source for Packets {
    type Meta = Offload;

    fn receive(&mut self, wait: Duration, inbox: &mut Inbox<'_, Offload>) -> io::Result<Received> {
        let received = match self {
            Packets::Sockets(sockets) => sockets.receive(wait, inbox),
            Packets::Steered(shared) => shared.sockets.receive(wait, inbox),
            Packets::Taken => {
                thread::sleep(wait);
                Ok(Received::More)
            }
        };
        match received {
            Err(error) if is_down(&error) => Ok(Received::More),
            other => other,
        }
    }

    fn follow(&mut self, world: &World) -> io::Result<()> {
        if let Packets::Steered(shared) = self {
            let each = shared.steering.iter_mut();
            each.for_each(|(steering, _)| steering.follow(world));
        }
        Ok(())
    }

    fn switch(&mut self, on: bool) -> io::Result<()> {
        let Packets::Steered(shared) = self else {
            return Ok(());
        };
        for (steering, handles) in &shared.steering {
            let sockets: &[Handle] = if on { handles } else { &[] };
            steering.direct(sockets).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Sink<Offload> for Packets {
    fn send(&mut self, packet: &Packet, meta: &Offload, frame: &[u8]) -> io::Result<Sent> {
        match self {
            Packets::Sockets(sockets) => sockets.send(packet, meta, frame),
            Packets::Steered(shared) => shared.sockets.send(packet, meta, frame),
            Packets::Taken => Ok(Sent::Lost),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packets::Steered(shared) => shared.sockets.flush(),
            Packets::Sockets(_) | Packets::Taken => Ok(()),
        }
    }
}
