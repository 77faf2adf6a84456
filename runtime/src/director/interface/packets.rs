//! How packets come to the engine and leave again: by packet sockets, by shared memory, or not at all.

use std::io;
use std::thread;
use std::time::Duration;

use lvsc_abi::engine::{Device, EngineError, Mode, Packet, Placed, Placing};

use super::fault::{AttachError, Warning};
use super::is_down;
use super::shared::{Shared, SteerError, steer};
use crate::director::{AnyEngine, Director};
use crate::io::af_packet::{Interfaces, Offload};
use crate::io::af_xdp::{Sockets, Ways};
use crate::io::{Inbox, Received, Sent, Sink, Source};
use crate::sys::xsk::Transfer;
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
            Packets::Steered(shared) => shared.dropped(),
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
            shared.follow(world);
        }
        Ok(())
    }

    fn prepare(&mut self, steering: Option<&[u8]>, world: &World) -> Result<bool, EngineError> {
        match self {
            Packets::Steered(shared) => shared.prepare(steering, world),
            Packets::Sockets(_) | Packets::Taken => Ok(true),
        }
    }

    fn retreat(&mut self) {
        if let Packets::Steered(shared) = self {
            shared.retreat();
        }
    }

    fn switch(&mut self, on: bool) -> io::Result<()> {
        match self {
            Packets::Steered(shared) => shared.switch(on).map_err(io::Error::other),
            Packets::Sockets(_) | Packets::Taken => Ok(()),
        }
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
