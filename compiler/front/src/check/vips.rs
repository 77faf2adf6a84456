//! Which addresses a packet must have to reach a `select`: the VIPs of the policy (for ARP, and for messages).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvsc_abi::manifest::Vip;
use lvsc_abi::place::Place;
use lvsc_pipeline::pipeline::{Compare, Expr, Kind};

use crate::policy::{Policy, Stmt, StmtKind};

/// What is known of a packet's destination at a point of the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Destination {
    /// The addresses and prefix lengths that it may have; `None`: any.
    pub(super) addresses: Option<BTreeSet<(IpAddr, u8)>>,
    /// The ports that it may have; `None`: any.
    pub(super) ports: Option<BTreeSet<u16>>,
}

/// A `select` and what is known of the packets that reach it.
pub(super) struct Reached {
    pub(super) pool: usize,
    pub(super) place: Place,
    pub(super) destination: Destination,
}

/// All `select`s of the policy, in order.
pub(super) fn selects(policy: &Policy) -> Vec<Reached> {
    let mut found = Vec::new();
    walk(policy, &policy.body, &Destination::default(), &mut found);
    found
}

/// The VIPs that the selects give, sorted.
pub(super) fn vips(selects: &[Reached]) -> Vec<Vip> {
    let mut found = BTreeSet::new();
    for Destination { addresses, ports } in selects.iter().map(|reached| &reached.destination) {
        let port = match ports.iter().flatten().collect::<Vec<_>>().as_slice() {
            [port] => Some(**port),
            _ => None,
        };
        found.extend(addresses.iter().flatten().map(|(address, prefix)| Vip {
            address: *address,
            prefix: *prefix,
            port,
        }));
    }
    // One entry an address: where several services share it, no single port is the VIP's.
    let mut vips: Vec<Vip> = Vec::new();
    for vip in found {
        match vips.last_mut() {
            Some(last) if (last.address, last.prefix) == (vip.address, vip.prefix) => {
                last.port = None;
            }
            Some(_) | None => vips.push(vip),
        }
    }
    vips
}

fn walk(policy: &Policy, block: &[Stmt], known: &Destination, found: &mut Vec<Reached>) {
    for stmt in block {
        match &stmt.kind {
            StmtKind::Match {
                branches,
                otherwise,
            } => {
                for branch in branches {
                    let here = known.and(Destination::of(policy, &branch.condition, &[]));
                    walk(policy, &branch.then, &here, found);
                }
                walk(policy, otherwise, known, found);
            }
            StmtKind::Select {
                pool, otherwise, ..
            } => {
                let (pool, destination) = (usize::from(pool.0), known.clone());
                found.push(Reached {
                    pool,
                    place: stmt.place,
                    destination,
                });
                walk(policy, otherwise, known, found);
            }
            StmtKind::Let(..)
            | StmtKind::Rewrite(..)
            | StmtKind::Count(_)
            | StmtKind::Verdict(_) => {}
        }
    }
}

impl Destination {
    /// What the condition, where it holds, says of the destination. `key` is the flow's, where the condition is part
    /// of one of the flow's alternatives.
    fn of(policy: &Policy, condition: &Expr, key: &[Expr]) -> Destination {
        match condition {
            Expr::And(a, b) => Destination::of(policy, a, key).and(Destination::of(policy, b, key)),
            Expr::Or(a, b) => Destination::of(policy, a, key).or(Destination::of(policy, b, key)),
            Expr::Chosen(choice, each) => {
                let keys = policy
                    .choices
                    .get(usize::from(choice.0))
                    .map(|c| &c.alternatives);
                let ways = keys
                    .into_iter()
                    .flatten()
                    .zip(each)
                    .filter(|(_, expr)| **expr != Expr::FALSE);
                let ways = ways.map(|(way, expr)| Destination::of(policy, expr, &way.key));
                ways.reduce(Destination::or).unwrap_or_default()
            }
            Expr::Compare(..) | Expr::In(..) => Destination::compared(policy, condition, key),
            Expr::Not(_)
            | Expr::Present(_)
            | Expr::Field(..)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Constant { .. }
            | Expr::Variable(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => Destination::default(),
        }
    }

    /// The same of one comparison.
    fn compared(policy: &Policy, condition: &Expr, key: &[Expr]) -> Destination {
        let (value, ranges) = match condition {
            Expr::Compare(Compare::Eq, a, b) => match (&**a, &**b) {
                (value, Expr::Constant { value: only, .. }) => (value, vec![(*only, *only)]),
                _ => return Destination::default(),
            },
            Expr::In(value, set) => match policy.sets.get(usize::from(set.0)) {
                Some(set) => (&**value, set.ranges.clone()),
                None => return Destination::default(),
            },
            _ => return Destination::default(),
        };
        let mut found = Destination::default();
        match Destination::role(policy, value, key) {
            Some(Role::Address(kind)) => {
                found.addresses = ranges.iter().map(|range| prefix(kind, *range)).collect();
            }
            Some(Role::Port) => {
                let ports = ranges.iter().filter(|(low, high)| high - low < 64);
                let all = ports.clone().count() == ranges.len();
                let each = || ports.flat_map(|(low, high)| (*low..=*high).map(|port| port as u16));
                found.ports = all.then(|| each().collect());
            }
            None => {}
        }
        found
    }

    fn role(policy: &Policy, value: &Expr, key: &[Expr]) -> Option<Role> {
        let kind = |value: &Expr| match value {
            Expr::Field(header, field) => {
                let header = policy.headers.get(usize::from(header.0))?;
                Some((header, header.fields.get(usize::from(field.0))?))
            }
            _ => None,
        };
        let (header, field) = kind(value)?;
        if !key.is_empty() {
            return match key {
                [_, dst, ..] if dst == value => Some(Role::Address(field.kind)),
                [.., dport] if dport == value => Some(Role::Port),
                _ => None,
            };
        }
        match (header.name.as_str(), field.name.as_str()) {
            ("ip4" | "ip6", "dst") => Some(Role::Address(field.kind)),
            ("tcp" | "udp" | "sctp", "dst") => Some(Role::Port),
            _ => None,
        }
    }

    /// Both hold.
    fn and(&self, other: Destination) -> Destination {
        Destination {
            addresses: both(self.addresses.as_ref(), other.addresses),
            ports: both(self.ports.as_ref(), other.ports),
        }
    }

    /// One of them holds.
    fn or(self, other: Destination) -> Destination {
        let join = |a: Option<BTreeSet<_>>, b: Option<BTreeSet<_>>| Some(&a? | &b?);
        Destination {
            addresses: self.addresses.zip(other.addresses).map(|(a, b)| &a | &b),
            ports: join(self.ports, other.ports),
        }
    }
}

enum Role {
    Address(Kind),
    Port,
}

fn both<T: Ord + Clone>(a: Option<&BTreeSet<T>>, b: Option<BTreeSet<T>>) -> Option<BTreeSet<T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & &b),
        (Some(a), None) => Some(a.clone()),
        (None, b) => b,
    }
}

/// A range of addresses that is one prefix; `None` where it is not.
fn prefix(kind: Kind, (low, high): (u128, u128)) -> Option<(IpAddr, u8)> {
    let size = high - low;
    let aligned = size & size.wrapping_add(1) == 0 && low & size == 0;
    let free = size.count_ones() as u8;
    match kind {
        Kind::Ip4 if aligned => Some((IpAddr::V4(Ipv4Addr::from_bits(low as u32)), 32 - free)),
        Kind::Ip6 if aligned => Some((IpAddr::V6(Ipv6Addr::from_bits(low)), 128 - free)),
        Kind::Ip4 | Kind::Ip6 | Kind::Number | Kind::Mac => None,
    }
}
