//! Who is in the lab: addresses from the policy, free ones beside them.

use std::collections::BTreeSet;
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
    /// The real servers.
    pub servers: Vec<Host>,
}

/// Why a policy cannot be tried in the lab.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No VIP of one address.
    #[error("the policy has no single IPv4 VIP that the lab's client could ask")]
    NoVip,
    /// More than one interface.
    #[error("the lab has one segment, the policy has the interfaces {0}")]
    Interfaces(String),
    /// No pool with backends of that family.
    #[error("no pool of the policy has IPv4 backends")]
    NoServers,
    /// A backend that is on another segment.
    #[error(
        "backend {name} ({address}) is not on the VIP's segment {segment}/24, the only one that the lab has"
    )]
    Elsewhere {
        /// Its name.
        name: String,
        /// Its address.
        address: Ipv4Addr,
        /// The first address of the segment.
        segment: Ipv4Addr,
    },
    /// Too many real servers for one lab.
    #[error("the lab takes up to 16 real servers, the policy has {0}")]
    Many(usize),
    /// A host has a group address as its MAC.
    #[error("{name} cannot have the MAC {mac}, which is a group address")]
    Group {
        /// The host.
        name: String,
        /// Its MAC.
        mac: Mac,
    },
    /// Two hosts have one MAC.
    #[error("the MAC {0} is that of two hosts")]
    Mac(Mac),
    /// Two hosts have one address, or one has the VIP as its own.
    #[error("the address {0} is that of two hosts, or of a host and the service")]
    Address(Ipv4Addr),
    /// Port 0 cannot be asked.
    #[error("the service has the port 0, which nobody can ask")]
    Port,
}

impl PlanError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        const OTHERS: &str = "`lvsc trace` and `lvsc test` follow its packets without a lab";
        match self {
            PlanError::NoVip => {
                format!("the lab asks one address, as in `match ip.dst == 192.0.2.200`; {OTHERS}")
            }
            PlanError::Interfaces(_) => {
                format!("{OTHERS}, `lvsc run -i NAME=DEVICE` forwards them")
            }
            PlanError::NoServers => format!("give a pool a backend with an IPv4 address; {OTHERS}"),
            PlanError::Elsewhere { name, segment, .. } => format!(
                "give {name} an address of {segment}/24 to try the rest of the policy; {OTHERS}"
            ),
            PlanError::Many(_) => format!("try it with fewer backends; {OTHERS}"),
            PlanError::Group { .. } => "give it the MAC of one host".to_owned(),
            PlanError::Mac(_) => "give each host a `mac` of its own".to_owned(),
            PlanError::Address(_) => "give each host, and the service, its own address".to_owned(),
            PlanError::Port => "take another port in the policy".to_owned(),
        }
    }
}

/// Real servers that one lab can have.
const SERVERS_MAX: usize = 16;

impl Plan {
    /// The lab of a policy: its first IPv4 VIP; the backends of all pools, since which pool a packet is given to is the
    /// policy's to say; and beside them on the VIP's /24 the director `.131` and the client `.135`, or the next free
    /// addresses.
    pub fn of(manifest: &Manifest) -> Result<Plan, PlanError> {
        if manifest.interfaces.len() > 1 {
            let names = manifest.interfaces.iter().map(|known| known.name.as_str());
            return Err(PlanError::Interfaces(names.collect::<Vec<_>>().join(", ")));
        }
        let found = manifest.vips.iter().find_map(|vip| match vip.address {
            IpAddr::V4(address) if vip.prefix == 32 => Some((address, vip.port)),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        });
        let (vip, port) = found.ok_or(PlanError::NoVip)?;
        let servers = servers(manifest, vip)?;
        let mut taken: Vec<Ipv4Addr> = servers.iter().map(|server| server.ip).collect();
        taken.push(vip);
        let interface = manifest.interfaces.first();
        let fixed = interface.and_then(|interface| match interface.ip {
            Some(IpAddr::V4(address)) if segment(address) == segment(vip) => Some(address),
            Some(IpAddr::V4(_) | IpAddr::V6(_)) | None => None,
        });
        let own = fixed.unwrap_or_else(|| free(vip, 131, &taken));
        taken.push(own);
        let other = free(vip, 135, &taken);
        let mac = interface.and_then(|interface| interface.mac);
        let plan = Plan {
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
        };
        plan.check()?;
        Ok(plan)
    }

    /// Whether its hosts can be told apart.
    pub fn check(&self) -> Result<(), PlanError> {
        let (mut macs, mut addresses) = (BTreeSet::new(), BTreeSet::from([self.vip]));
        for host in self.hosts() {
            if host.mac.is_group() {
                return Err(PlanError::Group {
                    name: host.name.clone(),
                    mac: host.mac,
                });
            }
            if !addresses.insert(host.ip) {
                return Err(PlanError::Address(host.ip));
            }
            if !macs.insert(host.mac) {
                return Err(PlanError::Mac(host.mac));
            }
        }
        if self.port == 0 {
            return Err(PlanError::Port);
        }
        Ok(())
    }

    /// All stations: the client, the director, the real servers.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        [&self.client, &self.director]
            .into_iter()
            .chain(&self.servers)
    }
}

/// A host for each address that a pool's backend has. What is not IPv4 has no host, and gets no packets.
fn servers(manifest: &Manifest, vip: Ipv4Addr) -> Result<Vec<Host>, PlanError> {
    let mut servers: Vec<Host> = Vec::new();
    for backend in manifest.pools.iter().flat_map(|pool| &pool.backends) {
        let IpAddr::V4(ip) = backend.address else {
            continue;
        };
        if segment(ip) != segment(vip) {
            return Err(PlanError::Elsewhere {
                name: backend.name.clone(),
                address: ip,
                segment: Ipv4Addr::from_bits(segment(vip) << 8),
            });
        }
        let mac = backend.mac.unwrap_or(mac_of(ip));
        if !servers
            .iter()
            .any(|known| (known.ip, known.mac) == (ip, mac))
        {
            let name = backend.name.clone();
            servers.push(Host { name, ip, mac });
        }
    }
    match servers.len() {
        0 => Err(PlanError::NoServers),
        1..=SERVERS_MAX => Ok(servers),
        many => Err(PlanError::Many(many)),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use lvsc_abi::manifest::{Backend, Interface, Pool, Vip};
    use lvsc_abi::scheduler::Scheduler;

    use super::*;

    /// A policy of these pools of `{name, last byte}`, with one VIP and one interface.
    fn manifest(pools: &[&[(&str, u8)]]) -> Manifest {
        let backend = |(name, last): &(&str, u8)| Backend::new(0, *name, [192, 0, 2, *last]);
        let pool = |backends: &&[(&str, u8)]| Pool {
            backends: backends.iter().map(backend).collect(),
            ..Pool::new("pool", Scheduler::Maglev)
        };
        Manifest {
            interfaces: vec![Interface::default()],
            pools: pools.iter().map(pool).collect(),
            vips: vec![Vip {
                address: [192, 0, 2, 200].into(),
                prefix: 32,
                port: None,
            }],
            ..Manifest::default()
        }
    }

    fn refused(change: fn(&mut Manifest)) -> String {
        let mut manifest = manifest(&[&[("rs1", 130), ("rs2", 134)]]);
        change(&mut manifest);
        Plan::of(&manifest).unwrap_err().to_string()
    }

    #[test]
    fn every_pools_backends_have_a_host_and_a_shared_one_has_one() {
        let spare: &[(&str, u8)] = &[("old", 150), ("rs1", 130)];
        let plan = Plan::of(&manifest(&[spare, &[("rs1", 130), ("rs2", 131)]])).unwrap();
        let names: Vec<&str> = plan.hosts().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["client", "director", "old", "rs1", "rs2"]);
        assert_eq!(plan.director.ip, Ipv4Addr::new(192, 0, 2, 132));
    }

    #[test]
    fn a_policy_that_one_segment_cannot_hold_is_refused() {
        assert!(refused(|m| m.vips.clear()).contains("no single IPv4 VIP"));
        assert!(refused(|m| m.pools.clear()).contains("no pool"));
        let second = refused(|m| m.interfaces.push(Interface::default()));
        assert!(second.contains("one segment"), "{second}");
        let far = refused(|m| m.pools[0].backends[1].address = [198, 51, 100, 1].into());
        assert!(far.contains("rs2 (198.51.100.1) is not on"), "{far}");
        let many = refused(|m| {
            let pool = m.pools[0].clone();
            m.pools = (0..9)
                .map(|number| {
                    let mut pool = pool.clone();
                    for (backend, at) in pool.backends.iter_mut().zip(0..) {
                        backend.address = [192, 0, 2, number * 2 + at].into();
                    }
                    pool
                })
                .collect();
        });
        assert!(many.contains("has 18"), "{many}");
    }

    #[test]
    fn hosts_that_cannot_be_told_apart_are_refused() {
        let fixed = Some(Mac([2, 0, 0, 0, 0, 9]));
        let mut manifest = manifest(&[&[("rs1", 130), ("rs2", 134)]]);
        for backend in manifest
            .pools
            .iter_mut()
            .flat_map(|pool| &mut pool.backends)
        {
            backend.mac = fixed;
        }
        let error = Plan::of(&manifest).unwrap_err();
        assert_eq!(Some(error), fixed.map(PlanError::Mac));
        let own = refused(|m| m.interfaces[0].ip = Some([192, 0, 2, 130].into()));
        assert!(own.contains("192.0.2.130 is that of two"), "{own}");
    }
}
