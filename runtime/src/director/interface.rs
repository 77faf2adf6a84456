//! The director on the interfaces of a host: packet sockets, the VIPs on the wire, next hops from the kernel.
//!
//! Everything is opened in the network namespace of the thread that calls [`Attached::open`], and stays there wherever
//! it runs afterwards.

mod fault;
mod next_hop;

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;

use super::{AnyEngine, Director, Event, Notice, Summary, WAIT};
use crate::io::af_packet::{Interfaces, Offload};
use crate::io::{Inbox, Received, Sent, Sink, Source};
use crate::netlink::{Link, Netlink};
use crate::vip::Responder;
use crate::world::{World, draw_seed};

pub use self::fault::{AttachError, Warning};
use self::next_hop::NextHops;

/// A director on interfaces, ready to run.
pub struct Attached {
    director: Director<Offload>,
    io: Sockets,
    responders: Vec<Responder>,
    next_hops: Vec<NextHops>,
    events: (Sender<Event>, Receiver<Event>),
    warnings: Vec<Warning>,
}

impl Attached {
    /// Opens the devices, one for each interface of the manifest in its order, and announces the VIPs on them.
    ///
    /// A MAC that the policy gives an interface counts more than the device's.
    pub fn open(
        engine: AnyEngine,
        manifest: Manifest,
        devices: &[String],
    ) -> Result<Attached, AttachError> {
        let links = find(&manifest, devices)?;
        let mut world = World {
            seconds: 1,
            seed: draw_seed(),
            ..World::of(&manifest)
        };
        for (state, (link, mac)) in world.interfaces.iter_mut().zip(&links) {
            state.index = link.index;
            state.mac = state.mac.or(Some(*mac));
        }
        own_macs(&manifest, &world, devices)?;
        let indices: Vec<u32> = links.iter().map(|(link, _)| link.index).collect();
        let socket = |source| AttachError::Socket {
            device: devices.join(", "),
            source,
        };
        let io = Sockets(Interfaces::open(&indices).map_err(socket)?);
        let vips = announced(&manifest);
        let (mut responders, mut next_hops) = (Vec::new(), Vec::new());
        for (number, ((link, _), state)) in (0..).zip(links.iter().zip(&world.interfaces)) {
            let own = state.mac.unwrap_or(Mac([0; 6]));
            let socket = |source| AttachError::Socket {
                device: link.name.clone(),
                source,
            };
            responders.push(Responder::open(link.index, own, vips.clone()).map_err(socket)?);
            next_hops.push(NextHops::open(link.index, asked(&manifest, number)).map_err(socket)?);
        }
        let warnings = warnings(&manifest, devices, &vips);
        let director = Director::new(engine, manifest, world);
        Ok(Attached {
            director,
            io,
            responders,
            next_hops,
            events: mpsc::channel(),
            warnings,
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
            overrun: self.io.0.dropped(),
            ..self.director.summary()
        }
    }

    /// Forwards until `stop` is true; an error where an interface goes away.
    pub fn run(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let Attached {
            director,
            io,
            responders,
            next_hops,
            events,
            ..
        } = self;
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
            for responder in responders {
                scope.spawn(move || serve(responder, ended).unwrap_or_else(fail));
            }
            for hops in next_hops {
                let events = events.0.clone();
                scope.spawn(move || hops.watch(&events, ended).unwrap_or_else(fail));
            }
            let forwarded = forward(director, io, &events.1, || {
                stop.load(Ordering::Relaxed) || ended.load(Ordering::Relaxed)
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

fn forward(
    director: &mut Director<Offload>,
    io: &mut Sockets,
    events: &Receiver<Event>,
    over: impl Fn() -> bool,
) -> io::Result<()> {
    while !over() {
        for event in events.try_iter() {
            director.handle(event);
        }
        director.turn(io, WAIT)?;
    }
    Ok(())
}

/// Answers for the VIPs; a link that goes down comes back.
fn serve(responder: &mut Responder, ended: &AtomicBool) -> io::Result<()> {
    loop {
        match responder.serve(ended) {
            Err(error) if is_down(&error) => thread::sleep(WAIT),
            other => return other,
        }
    }
}

/// The packet sockets; a link that goes down is waited for ([`NextHops`] sees one that is gone).
struct Sockets(Interfaces);

impl Source for Sockets {
    type Meta = Offload;

    fn receive(&mut self, wait: Duration, inbox: &mut Inbox<'_, Offload>) -> io::Result<Received> {
        match self.0.receive(wait, inbox) {
            Err(error) if is_down(&error) => Ok(Received::More),
            other => other,
        }
    }
}

impl Sink<Offload> for Sockets {
    fn send(&mut self, interface: u8, meta: &Offload, frame: &[u8]) -> io::Result<Sent> {
        self.0.send(interface, meta, frame)
    }
}

fn is_down(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENETDOWN)
}

/// The links of the devices with their MACs.
fn find(manifest: &Manifest, devices: &[String]) -> Result<Vec<(Link, Mac)>, AttachError> {
    let wanted: Vec<String> = manifest
        .interfaces
        .iter()
        .map(|known| known.name.clone())
        .collect();
    if wanted.len() != devices.len() {
        return Err(AttachError::Count {
            wanted,
            given: devices.len(),
        });
    }
    let links = Netlink::open().and_then(|mut netlink| netlink.links());
    let links = links.map_err(|source| AttachError::Netlink { source })?;
    let find = |device: &String| {
        let Some(link) = links.iter().find(|link| link.name == *device) else {
            let known = links.iter().map(|link| link.name.clone()).collect();
            return Err(AttachError::Unknown {
                device: device.clone(),
                known,
            });
        };
        let loopback = link.flags & libc::IFF_LOOPBACK as u32 != 0;
        let mac = link.mac.filter(|_| !loopback);
        let mac = mac.ok_or_else(|| AttachError::NotEthernet {
            device: device.clone(),
        })?;
        if link.flags & libc::IFF_UP as u32 == 0 {
            return Err(AttachError::Down {
                device: device.clone(),
            });
        }
        Ok((link.clone(), mac))
    };
    devices.iter().map(find).collect()
}

/// A backend is another host than the director.
fn own_macs(manifest: &Manifest, world: &World, devices: &[String]) -> Result<(), AttachError> {
    for backend in manifest.pools.iter().flat_map(|pool| &pool.backends) {
        let own = |(state, _): &(&crate::world::InterfaceState, &String)| state.mac == backend.mac;
        let mut interfaces = world.interfaces.iter().zip(devices);
        if let (Some(mac), Some((_, device))) = (backend.mac, interfaces.find(own)) {
            let (backend, device) = (backend.name.clone(), device.clone());
            return Err(AttachError::OwnMac {
                backend,
                device,
                mac,
            });
        }
    }
    Ok(())
}

/// The VIPs that can be answered for: single IPv4 addresses.
fn announced(manifest: &Manifest) -> Vec<Ipv4Addr> {
    let mut vips: Vec<Ipv4Addr> = (manifest.vips.iter())
        .filter_map(|vip| match vip.address {
            IpAddr::V4(address) if vip.prefix == 32 => Some(address),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
        .collect();
    vips.sort_unstable();
    vips.dedup();
    vips
}

/// The addresses of the backends on an interface whose next hop the policy does not fix.
fn asked(manifest: &Manifest, interface: u8) -> Vec<IpAddr> {
    let backends = manifest.pools.iter().flat_map(|pool| &pool.backends);
    let mut asked: Vec<IpAddr> = backends
        .filter(|backend| backend.interface == interface && backend.mac.is_none())
        .map(|backend| backend.address)
        .collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}

fn warnings(manifest: &Manifest, devices: &[String], vips: &[Ipv4Addr]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for vip in &manifest.vips {
        let answered = matches!(vip.address, IpAddr::V4(address) if vips.contains(&address));
        if !answered {
            warnings.push(Warning::NotAnnounced {
                address: vip.address,
                prefix: vip.prefix,
            });
        }
    }
    // With ip_nonlocal_bind every address can be bound to, and nothing is learnt.
    if setting("ip_nonlocal_bind") == Some(false) {
        let local = vips
            .iter()
            .filter(|vip| UdpSocket::bind((**vip, 0)).is_ok());
        warnings.extend(local.map(|vip| Warning::LocalVip {
            address: (*vip).into(),
        }));
    }
    for device in devices {
        if setting(&format!("conf/{device}/forwarding")) == Some(true) {
            warnings.push(Warning::KernelForwards {
                device: device.clone(),
            });
        }
    }
    warnings
}

/// A switch under /proc/sys/net/ipv4; `None` where it cannot be read.
fn setting(name: &str) -> Option<bool> {
    let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
    Some(text.trim() != "0")
}
