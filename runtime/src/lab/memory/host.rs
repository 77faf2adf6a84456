//! A host: a TCP/IP stack with one network card.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use lvsc_abi::mac::Mac;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use super::switch::{Switch, is_arp};
use crate::lab::Node;

/// The longest frame of the link (bytes): 1500 and the Ethernet header.
const MTU: usize = 1514;
/// Bytes that a socket holds in each direction.
const BUFFER: usize = 64 * 1024;
/// All others are neighbours.
const ON_LINK: u8 = 0;

/// A host.
pub(super) struct Host {
    interface: Interface,
    card: Card,
    pub(super) sockets: SocketSet<'static>,
    /// An address that it has, but does not answer ARP for (the kernel's `arp_ignore`).
    hidden: Option<Ipv4Addr>,
    /// Sockets that are only there to end in order.
    retired: Vec<SocketHandle>,
}

impl Host {
    /// A host with its address, and one more about which it is silent.
    pub(super) fn new(mac: Mac, address: Ipv4Addr, hidden: Option<Ipv4Addr>) -> Host {
        let mut card = Card::default();
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac.0)));
        config.random_seed = mac.to_bits(); // initial sequence numbers differ, and are the same in each run
        let mut interface = Interface::new(config, &mut card, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::new(IpAddress::Ipv4(address), ON_LINK);
            let hidden = hidden.map(|address| IpCidr::new(IpAddress::Ipv4(address), 32));
            addresses.extend([own].into_iter().chain(hidden));
        });
        Host {
            interface,
            card,
            sockets: SocketSet::new(Vec::new()),
            hidden,
            retired: Vec::new(),
        }
    }

    /// Adds a TCP socket.
    pub(super) fn socket(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        self.sockets.add(tcp::Socket::new(buffer(), buffer()))
    }

    /// Connects a new socket; `None` where that cannot be.
    pub(super) fn connect(
        &mut self,
        from: u16,
        to: (Ipv4Addr, u16),
        timeout: Duration,
    ) -> Option<SocketHandle> {
        let handle = self.socket();
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket.set_timeout(Some(timeout.into()));
        if socket.connect(self.interface.context(), to, from).is_err() {
            self.sockets.remove(handle);
            return None;
        }
        Some(handle)
    }

    /// Removes a socket as soon as its connection has ended.
    pub(super) fn retire(&mut self, handle: SocketHandle) {
        self.retired.push(handle);
    }

    /// Takes in what waits at the host's port, and sends what is to be sent; says whether anything was.
    pub(super) fn poll(&mut self, node: Node, switch: &mut Switch, now: Duration) -> bool {
        let mut moved = false;
        while let Some(frame) = switch.receive(node) {
            moved = true;
            if !self.is_asked_for_hidden(&frame) {
                self.card.received.push_back(frame);
            }
        }
        self.interface
            .poll(instant(now), &mut self.card, &mut self.sockets);
        for frame in self.card.sent.drain(..) {
            moved = true;
            switch.forward(node, &frame);
        }
        let Host {
            retired, sockets, ..
        } = self;
        retired.retain(|handle| {
            let ended = sockets.get::<tcp::Socket<'_>>(*handle).state() == tcp::State::Closed;
            if ended {
                sockets.remove(*handle);
            }
            !ended
        });
        moved
    }

    /// When the host wants to be polled again, if nothing arrives.
    pub(super) fn next(&mut self, now: Duration) -> Option<Duration> {
        let at = self.interface.poll_at(instant(now), &self.sockets)?;
        Some(Duration::from_micros(
            u64::try_from(at.total_micros()).unwrap_or(0),
        ))
    }

    /// An ARP frame whose target is the address about which the host is silent.
    fn is_asked_for_hidden(&self, frame: &[u8]) -> bool {
        let target = frame.get(38..42).and_then(|bytes| bytes.first_chunk::<4>());
        is_arp(frame) && target.is_some_and(|bytes| self.hidden == Some(Ipv4Addr::from(*bytes)))
    }
}

/// Simulated time as the stack counts it.
fn instant(time: Duration) -> Instant {
    Instant::from_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// The host's network card: frames that arrived, frames to be sent.
#[derive(Default)]
struct Card {
    received: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
}

impl phy::Device for Card {
    type RxToken<'a> = Arrival;
    type TxToken<'a> = Departure<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Arrival, Departure<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Arrival(frame), Departure(&mut self.sent)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Departure<'_>> {
        Some(Departure(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

struct Arrival(Vec<u8>);

impl phy::RxToken for Arrival {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

struct Departure<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::TxToken for Departure<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let written = write(&mut frame);
        self.0.push_back(frame);
        written
    }
}
