//! How packets come to the engine and leave again: by packet sockets, by shared memory, or not at all.

use std::io;
use std::thread;
use std::time::Duration;

use lvsc_abi::engine::{Device, EngineError, Mode, Packet, Placed, Placing};

use super::fault::{AttachError, Warning};
use super::is_down;
use crate::director::Director;
use crate::engine::xdp::LoadError;
use crate::engine::xdp::steer::Steering;
use crate::io::af_packet::{Interfaces, Offload};
use crate::io::af_xdp::{OpenError, Port, Sockets, Ways};
use crate::io::{Inbox, Received, Sent, Sink, Source};
use crate::sys::xsk::{Socket, Transfer};
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

/// What shared memory takes.
pub struct Steered {
    /// The object that says which packets are the kernel's.
    pub object: Vec<u8>,
    /// How sockets are opened.
    pub ways: Ways,
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
    pub(super) placed: Vec<Placed>,
    /// Why it is not the way that was tried first.
    pub(super) note: Option<Warning>,
}

/// Why no memory is shared.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// The program that steers is not loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It is not put on the devices.
    #[error(transparent)]
    Attach(#[from] EngineError),
    /// There are no sockets.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A sender on the same host leaves checksums to the device, and nothing says which.
    #[error(
        "frames on a veth device may have checksums that are still to be made, which AF_XDP does not tell"
    )]
    Unfinished {
        /// The device.
        device: String,
    },
}

impl SteerError {
    /// What to type, where that is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            SteerError::Load(LoadError::Kernel(refusal)) => refusal.remedy.clone(),
            SteerError::Attach(EngineError::Attach { remedy, .. }) => remedy.clone(),
            SteerError::Open(error) => error.remedy(),
            SteerError::Unfinished { device } => Some(format!(
                "`ethtool -K DEVICE tx off` on {device}'s peer, then `--io af_xdp`"
            )),
            SteerError::Load(_) | SteerError::Attach(_) => None,
        }
    }
}

/// Opens what was asked for, on the devices in the manifest's order. The engine's image says what the world is.
pub(super) fn open(
    io: Io,
    director: &Director<Offload>,
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
        Some(Ok((shared, placed))) => {
            return Ok(Opened {
                packets: Packets::Steered(Box::new(shared)),
                placed,
                note: None,
            });
        }
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
    director: &Director<Offload>,
    wires: &[Wire],
    (devices, placing): (&[Device], Placing),
) -> Result<(Shared, Vec<Placed>), SteerError> {
    let memory = director.engine().frames().ok_or(OpenError::Engine)?;
    let mut steering = Vec::new();
    let mut placed = Vec::new();
    for device in devices {
        let mut one = Steering::load(&steered.object)?;
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
    let sockets = Sockets::open(memory, &ports, steered.ways)?;
    let transfer = sockets.transfer();
    let transfer = transfer.map_err(|source| OpenError::Socket { source })?;
    for (one, sockets) in steering.iter_mut().zip(sockets.ports()) {
        one.direct(sockets)?;
        one.attach()?;
    }
    let shared = Shared {
        steering,
        sockets,
        transfer,
    };
    Ok((shared, placed))
}

/// Sockets that share the engine's memory, and what gives them packets.
///
/// A packet that the engine passes all the same is lost: the world has changed since it was handed over, as when the device
/// gets another MAC, and it was for the one before.
pub(super) struct Shared {
    steering: Vec<Steering>,
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
            Packets::Steered(shared) => shared.sockets.dropped(),
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
            each.for_each(|steering| steering.follow(world));
        }
        Ok(())
    }

    fn switch(&mut self, on: bool) -> io::Result<()> {
        let Packets::Steered(shared) = self else {
            return Ok(());
        };
        for (steering, sockets) in shared.steering.iter().zip(shared.sockets.ports()) {
            let sockets: &[Socket] = if on { sockets } else { &[] };
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
