//! The lab's network: a bridge in the process's own namespace, each station in one of its own, joined by a veth pair.
//!
//! Every setting that matters is made explicitly: for the interface by rtnetlink, which works where /proc/sys is
//! read-only, and for all interfaces in /proc/sys, where that can be written. Forwarding is off everywhere: what reaches a
//! real server was sent there by the director.

use std::io::{Error, ErrorKind, Result};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use lvsc_abi::engine::Mode;
use lvsc_abi::mac::Mac;

use super::plan::{Host, Plan};
use crate::engine::xdp;
use crate::netlink::{End, Message, Netlink};
use crate::sys::bpf;
use crate::sys::namespace::Namespace;
use crate::sys::{Offload, offload, tags_inside};

/// Index of the bridge; its ports follow.
const BRIDGE: u32 = 10;
/// Index of `eth0` in every station.
pub(super) const ETH0: u32 = 2;
const LOOPBACK: u32 = 1;

/// `IPV4_DEVCONF_*` of linux/ip.h.
pub(super) mod setting {
    pub const FORWARDING: u16 = 1;
    pub const SEND_REDIRECTS: u16 = 6;
    pub const RP_FILTER: u16 = 8;
    pub const ARP_ANNOUNCE: u16 = 18;
    pub const ARP_IGNORE: u16 = 19;
    pub const ACCEPT_LOCAL: u16 = 23;
}

/// The stations' namespaces, in the order of [`Plan::hosts`].
pub(super) struct Topology {
    pub(super) stations: Vec<Namespace>,
    /// What keeps a program on the director's port.
    receivers: Vec<OwnedFd>,
}

/// The step at which building failed, and on what.
#[derive(Debug, thiserror::Error)]
#[error("{what} of {on}: {source}")]
struct Step {
    what: &'static str,
    on: String,
    source: Error,
}

fn step<T>(what: &'static str, on: &str, result: Result<T>) -> Result<T> {
    result.map_err(|source| {
        let on = on.to_owned();
        Error::new(source.kind(), Step { what, on, source })
    })
}

/// The port of a station on the bridge.
pub(super) fn port(station: usize) -> u32 {
    BRIDGE + 1 + station as u32
}

fn port_name(station: usize) -> String {
    format!("port{station}")
}

impl Topology {
    /// Builds the network in the calling thread's namespace, which is empty.
    pub(super) fn build(plan: &Plan) -> Result<Topology> {
        quiet_bridge_filter();
        let mut switch = Netlink::open()?;
        step("making the bridge", "the lab", bridge(&mut switch))?;
        let mut stations = Vec::new();
        for (number, host) in plan.hosts().enumerate() {
            let station = step("making the namespace", &host.name, Namespace::new())?;
            step(
                "making the link",
                &host.name,
                join(&mut switch, number, host, &station),
            )?;
            stations.push(station);
        }
        let ports: Vec<u32> = (0..stations.len()).map(port).collect();
        for index in std::iter::once(BRIDGE).chain(ports.iter().copied()) {
            // Where IPv6 is off altogether there is nothing to switch off.
            let _ = switch.without_ipv6(index);
            step("switching on the port", "the lab", switch.up(index))?;
        }
        for (number, (host, station)) in plan.hosts().zip(&stations).enumerate() {
            let (plan, own, is_server) = (plan.clone(), host.clone(), number >= 2);
            let done = station.run(move || configure(&plan, &own, is_server))?;
            step("configuring the station", &host.name, done)?;
            step(
                "naming the port's station",
                &host.name,
                learn(&mut switch, port(number), host.mac),
            )?;
        }
        wait_until_forwarding(&mut switch, &ports)?;
        Ok(Topology {
            stations,
            receivers: Vec::new(),
        })
    }
}

impl Topology {
    /// Has every frame look on the links as it would on a wire: an XDP program sees no checksums that are still to be
    /// made, no frames that are still to be cut, and no tag that lies beside its frame. The director's port takes what such a program sends back: a veth
    /// device does only where it runs one, too (drivers/net/veth.c).
    pub(super) fn plain_frames(&mut self) -> Result<()> {
        for station in &self.stations {
            station.run(|| {
                let all = [Offload::Checksums, Offload::Segments, Offload::LateSegments];
                all.into_iter()
                    .try_for_each(|kind| offload("eth0", kind, false))
            })??;
        }
        for number in 0..self.stations.len() {
            tags_inside(&port_name(number))?;
        }
        let pass = xdp::pass()?;
        let link = bpf::attach(&pass, port(1), Mode::Native)?;
        self.receivers.extend([pass, link]);
        Ok(())
    }
}

/// With `br_netfilter` loaded, bridged packets would pass the host's iptables; each namespace has a switch of its own.
fn quiet_bridge_filter() {
    for family in ["iptables", "ip6tables", "arptables"] {
        // The file is not there without `br_netfilter`.
        let _ = std::fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{family}"), "0");
    }
}

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;

fn bridge(switch: &mut Netlink) -> Result<()> {
    const IFLA_BR_STP_STATE: u16 = 5;
    const IFLA_BR_MCAST_SNOOPING: u16 = 23;
    let message = Message::new(libc::RTM_NEWLINK, CREATE)
        .link(BRIDGE, 0, 0)
        .text(libc::IFLA_IFNAME, "switch")
        .open(libc::IFLA_LINKINFO)
        .text(INFO_KIND, "bridge")
        .open(INFO_DATA)
        .number(IFLA_BR_STP_STATE, 0)
        .attribute(IFLA_BR_MCAST_SNOOPING, &[0]);
    switch.call(message.close().close()).map(drop)
}

/// A veth pair: one end is a port of the bridge, the other is born as `eth0` in the station.
fn join(switch: &mut Netlink, number: usize, host: &Host, station: &Namespace) -> Result<()> {
    let port = End {
        index: port(number),
        name: &port_name(number),
        bridge: Some(BRIDGE),
        ..End::default()
    };
    let own = End {
        index: ETH0,
        name: "eth0",
        mac: Some(host.mac),
        namespace: Some(station.number()),
        ..End::default()
    };
    switch.pair(&port, &own)
}

/// Settings, addresses and links of one station; runs inside of it.
fn configure(plan: &Plan, host: &Host, is_server: bool) -> Result<()> {
    let mut own = Netlink::open()?;
    for index in [LOOPBACK, ETH0] {
        let _ = own.without_ipv6(index);
    }
    // Without both of these a real server answers ARP for the VIP, and clients go past the director.
    let (ignore, announce) = if is_server { (1, 2) } else { (0, 0) };
    let settings = [
        ("forwarding", setting::FORWARDING, 0),
        ("send_redirects", setting::SEND_REDIRECTS, 0),
        ("rp_filter", setting::RP_FILTER, 0),
        ("accept_local", setting::ACCEPT_LOCAL, 0),
        ("arp_ignore", setting::ARP_IGNORE, ignore),
        ("arp_announce", setting::ARP_ANNOUNCE, announce),
    ];
    for (name, _, value) in settings {
        // The kernel takes the greater of this and the interface's, and a new namespace has what the host has.
        let _ = std::fs::write(
            format!("/proc/sys/net/ipv4/conf/all/{name}"),
            value.to_string(),
        );
    }
    own.settings(ETH0, &settings.map(|(_, number, value)| (number, value)))?;
    own.up(LOOPBACK)?;
    if is_server {
        own.address(LOOPBACK, plan.vip, 32)?;
    }
    own.address(ETH0, host.ip, plan.prefix)?;
    own.up(ETH0)
}

/// A static entry in the switch's table: no frame is flooded to a port that it is not for.
fn learn(switch: &mut Netlink, port: u32, mac: Mac) -> Result<()> {
    const NUD_NOARP: u16 = 0x40;
    const NTF_MASTER: u8 = 4;
    const NDA_LLADDR: u16 = 2;
    let mut head = vec![libc::AF_BRIDGE as u8, 0, 0, 0];
    head.extend(port.to_ne_bytes());
    head.extend(NUD_NOARP.to_ne_bytes());
    head.extend([NTF_MASTER, 0]);
    let flags = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
    let message = Message::new(libc::RTM_NEWNEIGH, flags)
        .raw(&head)
        .attribute(NDA_LLADDR, &mac.0);
    switch.call(message).map(drop)
}

fn wait_until_forwarding(switch: &mut Netlink, ports: &[u32]) -> Result<()> {
    const UP: u8 = 6;
    const FORWARDING: u8 = 3;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(5) {
        let links = switch.links()?;
        let ready = |index: &u32| {
            let found = links.iter().find(|link| link.index == *index);
            found.is_some_and(|link| link.operational == UP && link.port == Some(FORWARDING))
        };
        if ports.iter().all(ready) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(Error::new(
        ErrorKind::TimedOut,
        "the lab's links did not come up within 5 s",
    ))
}

/// Has a station resolve an address, and waits until it knows the MAC.
pub(super) fn resolve(station: &Namespace, address: IpAddr) -> Result<Mac> {
    station.run(move || -> Result<Mac> {
        let mut own = Netlink::open()?;
        let begin = Instant::now();
        own.solicit(ETH0, address)?;
        while begin.elapsed() < Duration::from_secs(3) {
            let known = own.neighbours(ETH0)?;
            if let Some((_, mac)) = known.iter().find(|(known, _)| *known == address) {
                return Ok(*mac);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(Error::new(
            ErrorKind::TimedOut,
            format!("nobody answered for {address} within 3 s"),
        ))
    })?
}
