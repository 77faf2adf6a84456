//! A look at the host before the director is put on its interfaces: do the devices, the addresses and the policy fit?

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;

use super::fault::{AttachError, Warning};
use super::next_hop::Asked;
use crate::netlink::{Address, Link, Netlink};
use crate::vip::Vips;
use crate::world::World;

/// The links of the devices with their MACs. A MAC that the policy fixes must be the device's: it takes no other frames.
pub(super) fn find(
    manifest: &Manifest,
    devices: &[String],
) -> Result<Vec<(Link, Mac)>, AttachError> {
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
    let found = devices.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    for (interface, (link, mac)) in manifest.interfaces.iter().zip(&found) {
        if let Some(wanted) = interface.mac.filter(|wanted| wanted != mac) {
            return Err(AttachError::ForeignMac {
                interface: interface.name.clone(),
                wanted,
                device: link.name.clone(),
                mac: *mac,
            });
        }
    }
    Ok(found)
}

/// A backend is another host than the director, on one of its links. Warns of those where that cannot be seen.
pub(super) fn backends(
    manifest: &Manifest,
    world: &World,
    links: &[(Link, Mac)],
) -> Result<Vec<Warning>, AttachError> {
    let netlink = Netlink::open().and_then(|mut netlink| netlink.addresses());
    let addresses = netlink.map_err(|source| AttachError::Netlink { source })?;
    for backend in manifest.pools.iter().flat_map(|pool| &pool.backends) {
        let name = backend.name.clone();
        let mut own = world.interfaces.iter().zip(links);
        if let (Some(mac), Some((_, (link, _)))) =
            (backend.mac, own.find(|(state, _)| state.mac == backend.mac))
        {
            let device = link.name.clone();
            return Err(AttachError::OwnMac {
                backend: name,
                device,
                mac,
            });
        }
        if addresses.iter().any(|own| own.address == backend.address) {
            return Err(AttachError::OwnAddress {
                backend: name,
                address: backend.address,
            });
        }
        let link = links.get(usize::from(backend.interface));
        if let (None, Some((link, _))) = (backend.mac, link)
            && is_off(backend.address, &subnets(link, &addresses))
        {
            return Err(AttachError::OffLink {
                backend: name,
                address: backend.address,
                device: link.name.clone(),
            });
        }
    }
    let unseen = (0..).zip(links).filter(|(number, (link, _))| {
        subnets(link, &addresses).is_empty() && asked(manifest, *number).iter().any(IpAddr::is_ipv4)
    });
    let unseen = unseen.map(|(_, (link, _))| Warning::Unaddressed {
        device: link.name.clone(),
    });
    Ok(unseen.collect())
}

/// A device's IPv4 addresses with their prefix lengths.
fn subnets(link: &Link, addresses: &[Address]) -> Vec<(Ipv4Addr, u8)> {
    let own = addresses.iter().filter(|own| own.index == link.index);
    own.filter_map(|own| match own.address {
        IpAddr::V4(known) => Some((known, own.prefix)),
        IpAddr::V6(_) => None,
    })
    .collect()
}

/// Whether there are subnets, and none of them holds this address.
fn is_off(address: IpAddr, subnets: &[(Ipv4Addr, u8)]) -> bool {
    let IpAddr::V4(address) = address else {
        return false;
    };
    let near = |(known, prefix): &(Ipv4Addr, u8)| {
        let free = 32_u32.saturating_sub((*prefix).into());
        let subnet = |address: Ipv4Addr| address.to_bits().checked_shr(free);
        subnet(*known) == subnet(address)
    };
    !subnets.is_empty() && !subnets.iter().any(near)
}

/// The VIPs that can be answered for: single IPv4 addresses.
pub(super) fn announced(manifest: &Manifest) -> Vips {
    let mut vips: Vec<Ipv4Addr> = (manifest.vips.iter())
        .filter_map(|vip| match vip.address {
            IpAddr::V4(address) if vip.prefix == 32 => Some(address),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
        .collect();
    vips.sort_unstable();
    vips.dedup();
    vips.into()
}

/// The addresses of the backends on an interface whose next hop the policy does not fix.
pub(super) fn asked(manifest: &Manifest, interface: u8) -> Asked {
    let backends = manifest.pools.iter().flat_map(|pool| &pool.backends);
    let mut asked: Vec<IpAddr> = backends
        .filter(|backend| backend.interface == interface && backend.mac.is_none())
        .map(|backend| backend.address)
        .collect();
    asked.sort_unstable();
    asked.dedup();
    asked.into()
}

/// An address that no host has (RFC 5737, TEST-NET-3's first).
const NOBODY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 0);

pub(super) fn warnings(manifest: &Manifest, devices: &[String], vips: &[Ipv4Addr]) -> Vec<Warning> {
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
    // With ip_nonlocal_bind, or where the host has no address yet, every address can be bound to, and nothing is learnt.
    let binds_all = UdpSocket::bind((NOBODY, 0)).is_ok();
    if setting("ip_nonlocal_bind") == Some(false) && !binds_all {
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
