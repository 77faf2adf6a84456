//! Which addresses a packet must have to reach a `select`: the VIPs of the policy (for ARP, and for messages).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvsc_abi::manifest::Vip;
use lvsc_pipeline::pipeline::{Compare, Expr, Kind};

use super::known::{Known, Range};
use crate::policy::{Policy, Stmt, StmtKind};
use crate::source::Span;

/// What is known of a packet's destination at a point of the policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Destination {
    /// Its IPv4 address; none for a packet of another kind.
    pub(super) ip4: Known,
    /// Its IPv6 address; none for a packet of another kind.
    pub(super) ip6: Known,
    /// Its port.
    pub(super) port: Known,
}

/// A `select` and what is known of the packets that reach it.
pub(super) struct Reached {
    pub(super) pool: usize,
    pub(super) span: Span,
    pub(super) destination: Destination,
}

/// All `select`s of the policy, in order.
pub(super) fn selects(policy: &Policy) -> Vec<Reached> {
    let mut walk = Walk {
        policy,
        found: Vec::new(),
    };
    walk.block(&policy.body, Destination::any());
    walk.found
}

/// The VIPs that the selects give, sorted.
pub(super) fn vips(selects: &[Reached]) -> Vec<Vip> {
    let mut found = BTreeSet::new();
    for reached in selects {
        let Destination { ip4, ip6, port } = &reached.destination;
        let port = match port.ranges() {
            Some([(low, high)]) if low == high => Some(*low as u16),
            Some(_) | None => None,
        };
        for (kind, known) in [(Kind::Ip4, ip4), (Kind::Ip6, ip6)] {
            let prefixes = known.ranges().unwrap_or_default().iter();
            let prefixes = prefixes.flat_map(|range| prefixes_of(kind, *range));
            found.extend(prefixes.map(|(address, prefix)| Vip {
                address,
                prefix,
                port,
            }));
        }
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

/// The fewest prefixes that make up a range of addresses.
fn prefixes_of(kind: Kind, (low, high): Range) -> Vec<(IpAddr, u8)> {
    let bits: u32 = if kind == Kind::Ip4 { 32 } else { 128 };
    let mut found = Vec::new();
    let mut next = Some(low);
    while let Some(low) = next {
        // The largest block that begins here and does not pass the end.
        let fits = |free: &u32| {
            let size = u128::MAX.checked_shr(128 - free).unwrap_or(0);
            low & size == 0 && high - low >= size
        };
        let free = (0..=bits.min(low.trailing_zeros()))
            .rev()
            .find(fits)
            .unwrap_or(0);
        let address = match kind {
            Kind::Ip4 => IpAddr::V4(Ipv4Addr::from_bits(low as u32)),
            Kind::Ip6 | Kind::Number | Kind::Mac => IpAddr::V6(Ipv6Addr::from_bits(low)),
        };
        found.push((address, (bits - free) as u8));
        let last = low + u128::MAX.checked_shr(128 - free).unwrap_or(0);
        next = (last < high).then(|| last + 1);
    }
    found
}

/// What is known where the packets of two ways meet.
fn either(a: Option<Destination>, b: Option<Destination>) -> Option<Destination> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.or(&b)),
        (a, b) => a.or(b),
    }
}

struct Walk<'a> {
    policy: &'a Policy,
    found: Vec<Reached>,
}

impl Walk<'_> {
    /// Walks through a block; gives what is known of the packets that go on behind it, `None` where none does.
    fn block(&mut self, block: &[Stmt], mut known: Destination) -> Option<Destination> {
        for stmt in block {
            known = self.stmt(stmt, known)?;
        }
        Some(known)
    }

    fn stmt(&mut self, stmt: &Stmt, known: Destination) -> Option<Destination> {
        match &stmt.kind {
            StmtKind::Match {
                branches,
                otherwise,
            } => {
                let mut known = known;
                let mut behind = None;
                for branch in branches {
                    let yes = known.and(&self.decided(&branch.condition, true, &[]));
                    known = known.and(&self.decided(&branch.condition, false, &[]));
                    behind = either(behind, self.block(&branch.then, yes));
                }
                either(behind, self.block(otherwise, known))
            }
            StmtKind::Select {
                pool, otherwise, ..
            } => {
                self.found.push(Reached {
                    pool: usize::from(pool.0),
                    span: stmt.span,
                    destination: known.clone(),
                });
                self.block(otherwise, known.clone());
                Some(known)
            }
            StmtKind::Verdict(_) => None,
            StmtKind::Let(..)
            | StmtKind::Rewrite(..)
            | StmtKind::Count(_)
            | StmtKind::CountCell(..)
            | StmtKind::CountKey(..) => Some(known),
        }
    }

    /// What it says of the destination that the condition holds, or does not. `key` is the flow's, where the condition is
    /// part of one of the flow's alternatives.
    fn decided(&self, condition: &Expr, holds: bool, key: &[Expr]) -> Destination {
        match condition {
            Expr::And(a, b) | Expr::Or(a, b) => {
                let (a, b) = (self.decided(a, holds, key), self.decided(b, holds, key));
                if matches!(condition, Expr::And(..)) == holds {
                    a.and(&b)
                } else {
                    a.or(&b)
                }
            }
            Expr::Not(a) => self.decided(a, !holds, key),
            Expr::Chosen(choice, each) => {
                let choice = self.policy.choices.get(usize::from(choice.0));
                let ways = choice.into_iter().flat_map(|choice| &choice.alternatives);
                // Where it does not hold, perhaps no alternative is taken at all.
                let mut untaken = Destination::any();
                let mut found = Destination::none();
                for (way, expr) in ways.zip(each) {
                    let mut taken = self.decided(&way.condition, true, &[]);
                    if let [.., Expr::Constant { value, .. }] = way.key.as_slice() {
                        taken.port = Known::only(vec![(*value, *value)]);
                    }
                    untaken = untaken.and(&self.decided(&way.condition, false, &[]));
                    found = found.or(&taken.and(&self.decided(expr, holds, &way.key)));
                }
                if holds { found } else { found.or(&untaken) }
            }
            Expr::Present(header) => {
                let header = self.policy.headers.get(usize::from(header.0));
                let name = header.map_or("", |header| &header.name);
                let mut found = Destination::any();
                match (name, holds) {
                    ("ip4", true) | ("ip6", false) => found.ip6 = Known::none(),
                    ("ip4", false) | ("ip6", true) => found.ip4 = Known::none(),
                    _ => {}
                }
                found
            }
            Expr::Constant { value, .. } => Destination::fixed((*value != 0) == holds),
            Expr::Compare(..) | Expr::In(..) => self.compared(condition, holds, key),
            Expr::Field(..)
            | Expr::Binary(..)
            | Expr::Resize(..)
            | Expr::Variable(_)
            | Expr::Interface(..)
            | Expr::Backend(..) => Destination::any(),
        }
    }

    /// The same of one comparison.
    fn compared(&self, condition: &Expr, holds: bool, key: &[Expr]) -> Destination {
        let mut found = Destination::any();
        let Some((value, known)) = self.operands(condition) else {
            return found;
        };
        let known = if holds { known } else { known.not() };
        if let Expr::Constant { value, .. } = value {
            let only = Known::only(vec![(*value, *value)]);
            return Destination::fixed(known.and(&only) == only);
        }
        match self.role(value, key) {
            // A packet without the field is of the other kind, or none of IP.
            Some(Role::Address(kind)) => {
                let (own, other) = match kind {
                    Kind::Ip4 => (&mut found.ip4, &mut found.ip6),
                    Kind::Ip6 | Kind::Number | Kind::Mac => (&mut found.ip6, &mut found.ip4),
                };
                *own = known;
                if holds {
                    *other = Known::none();
                }
            }
            // Without the field it may have that of another header.
            Some(Role::Port) if holds || !key.is_empty() => found.port = known,
            Some(Role::Port) | None => {}
        }
        found
    }

    /// The value that a constant or a constant set is compared with, and what it is where the comparison holds.
    fn operands<'e>(&self, condition: &'e Expr) -> Option<(&'e Expr, Known)> {
        match condition {
            Expr::Compare(op, a, b) => {
                let Expr::Constant { value, .. } = **b else {
                    return None;
                };
                let only = Known::only(vec![(value, value)]);
                match op {
                    Compare::Eq => Some((a, only)),
                    Compare::Ne => Some((a, only.not())),
                    Compare::Lt | Compare::Le | Compare::Gt | Compare::Ge => None,
                }
            }
            Expr::In(value, set) => {
                let set = self.policy.sets.get(usize::from(set.0))?;
                Some((value, Known::only(set.ranges.clone())))
            }
            _ => None,
        }
    }

    fn role(&self, value: &Expr, key: &[Expr]) -> Option<Role> {
        let Expr::Field(header, field) = value else {
            return None;
        };
        let header = self.policy.headers.get(usize::from(header.0))?;
        let field = header.fields.get(usize::from(field.0))?;
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
}

impl Destination {
    /// Nothing is known.
    fn any() -> Destination {
        let any = Known::any;
        Destination {
            ip4: any(),
            ip6: any(),
            port: any(),
        }
    }

    /// No packet comes here.
    fn none() -> Destination {
        let none = Known::none;
        Destination {
            ip4: none(),
            ip6: none(),
            port: none(),
        }
    }

    /// What a condition says that does not depend on the packet.
    fn fixed(holds: bool) -> Destination {
        if holds {
            Destination::any()
        } else {
            Destination::none()
        }
    }

    /// Packets of some address come here, and it is not known of which.
    pub(super) fn is_open(&self) -> bool {
        self.ip4.ranges().is_none() || self.ip6.ranges().is_none()
    }

    fn and(&self, other: &Destination) -> Destination {
        Destination {
            ip4: self.ip4.and(&other.ip4),
            ip6: self.ip6.and(&other.ip6),
            port: self.port.and(&other.port),
        }
    }

    fn or(&self, other: &Destination) -> Destination {
        Destination {
            ip4: self.ip4.or(&other.ip4),
            ip6: self.ip6.or(&other.ip6),
            port: self.port.or(&other.port),
        }
    }
}

enum Role {
    Address(Kind),
    Port,
}

#[cfg(test)]
mod tests;
