//! Who is in the lab: addresses from the policy, free ones beside them.

use std::net::{IpAddr, Ipv4Addr};

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;

/// A station on the lab's one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `client`, `director`, or the backend's name.
    pub name: String,
    /// Its own address.
    pub ip: Ipv4Addr,
    /// Its MAC.
    pub mac: Mac,
}

/// Who is in the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The address that clients use.
    pub vip: Ipv4Addr,
    /// The port that clients use.
    pub port: u16,
    /// Prefix length of the segment.
    pub prefix: u8,
    /// The client.
    pub client: Host,
    /// The director.
    pub director: Host,
    /// The real servers, with their ids in the pool.
    pub servers: Vec<Host>,
}

/// Why a policy cannot be tried in the lab.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No VIP of one address.
    #[error("the policy has no single IPv4 VIP that the lab's client could ask")]
    NoVip,
    /// No pool with backends of that family on that segment.
    #[error("no pool of the policy has IPv4 backends on the VIP's segment {0}.0/24")]
    NoServers(String),
    /// Too many real servers for one lab.
    #[error("the lab takes up to 16 real servers, the pool `{pool}` has {count}")]
    Many {
        /// The pool.
        pool: String,
        /// Its backends.
        count: usize,
    },
}

/// Real servers that one lab can have.
const SERVERS_MAX: usize = 16;

impl Plan {
    /// The lab of a policy: its first IPv4 VIP, the first pool with a backend on the VIP's /24, and beside them the
    /// director `.131` and the client `.135`, or the next free addresses.
    pub fn of(manifest: &Manifest) -> Result<Plan, PlanError> {
        let found = manifest.vips.iter().find_map(|vip| match vip.address {
            IpAddr::V4(address) if vip.prefix == 32 => Some((address, vip.port)),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        });
        let (vip, port) = found.ok_or(PlanError::NoVip)?;
        let near = |address: IpAddr| match address {
            IpAddr::V4(address) if segment(address) == segment(vip) => Some(address),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        let pool = manifest.pools.iter().find(|pool| {
            !pool.backends.is_empty() && pool.backends.iter().all(|b| near(b.address).is_some())
        });
        let [a, b, c, _] = vip.octets();
        let pool = pool.ok_or_else(|| PlanError::NoServers(format!("{a}.{b}.{c}")))?;
        if pool.backends.len() > SERVERS_MAX {
            return Err(PlanError::Many {
                pool: pool.name.clone(),
                count: pool.backends.len(),
            });
        }
        let servers = pool.backends.iter().filter_map(|backend| {
            let ip = near(backend.address)?;
            Some(Host {
                name: backend.name.clone(),
                ip,
                mac: backend.mac.unwrap_or(mac_of(ip)),
            })
        });
        let servers: Vec<Host> = servers.collect();
        let mut taken: Vec<Ipv4Addr> = servers.iter().map(|server| server.ip).collect();
        taken.push(vip);
        let interface = manifest.interfaces.first();
        let fixed = interface.and_then(|interface| interface.ip).and_then(near);
        let own = fixed.unwrap_or_else(|| free(vip, 131, &taken));
        taken.push(own);
        let other = free(vip, 135, &taken);
        let mac = interface.and_then(|interface| interface.mac);
        Ok(Plan {
            vip,
            port: port.unwrap_or(80),
            prefix: 24,
            client: Host {
                name: "client".to_owned(),
                ip: other,
                mac: mac_of(other),
            },
            director: Host {
                name: "director".to_owned(),
                ip: own,
                mac: mac.unwrap_or(mac_of(own)),
            },
            servers,
        })
    }

    /// All stations: the client, the director, the real servers.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        [&self.client, &self.director]
            .into_iter()
            .chain(&self.servers)
    }
}

fn segment(address: Ipv4Addr) -> u32 {
    address.to_bits() >> 8
}

/// A locally administered MAC that shows the address.
fn mac_of(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    Mac([0x02, 0, a, b, c, d])
}

/// The first free address of the VIP's segment from `.last` on.
fn free(vip: Ipv4Addr, last: u32, taken: &[Ipv4Addr]) -> Ipv4Addr {
    let base = segment(vip) << 8;
    let candidates = (last..255)
        .chain(1..last)
        .map(|last| Ipv4Addr::from_bits(base | last));
    let mut free = candidates.filter(|address| !taken.contains(address));
    free.next().unwrap_or(Ipv4Addr::from_bits(base | last))
}
