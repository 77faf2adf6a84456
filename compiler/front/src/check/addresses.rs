//! Addresses of backends: which ones no real server can have.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use lvsc_abi::manifest::Vip;

use super::Checker;
use super::known::Known;
use super::vips::Reached;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

impl Checker<'_> {
    /// The address of a backend, where one machine of the network can have it.
    pub(super) fn backend_address(&mut self, address: IpAddr, span: Span) -> Option<()> {
        let Some(what) = no_machine(address) else {
            self.backends.push((address, span));
            return Some(());
        };
        self.report(
            Diagnostic::error(
                Code::ImpossibleBackend,
                format!("{address} is {what}: no backend can have it"),
                span,
            )
            .note(
                "a backend is named by its own address, which the director asks its neighbours for",
            ),
        );
        None
    }

    /// A VIP is the director's towards the network: what is asked for it would lead back. A prefix that clients use may
    /// have backends in it.
    pub(super) fn backends_are_no_vips(&mut self, selects: &[Reached], declared: &[Vip]) {
        let single = |known: &Known| {
            let ranges = known.ranges().unwrap_or_default().iter();
            let single = ranges.filter(|(low, high)| low == high);
            single.map(|(low, _)| *low).collect::<Vec<u128>>()
        };
        let (mut ip4, mut ip6) = (BTreeSet::new(), BTreeSet::new());
        for reached in selects {
            ip4.extend(single(&reached.destination.ip4));
            ip6.extend(single(&reached.destination.ip6));
        }
        for (address, span) in std::mem::take(&mut self.backends) {
            let derived = match address {
                IpAddr::V4(address) => ip4.contains(&address.to_bits().into()),
                IpAddr::V6(address) => ip6.contains(&address.to_bits()),
            };
            if !derived && !declared.iter().any(|vip| vip.address == address) {
                continue;
            }
            self.report(
                Diagnostic::error(
                    Code::ImpossibleBackend,
                    format!("{address} is a VIP of this policy, not the address of a backend"),
                    span,
                )
                .label("packets for it come to the director itself")
                .note("a real server has the VIP on its loopback; name it here by its own address, another one"),
            );
        }
    }
}

/// What an address is that no single machine has.
fn no_machine(address: IpAddr) -> Option<&'static str> {
    let limited = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() {
        Some("no address at all")
    } else if limited {
        Some("the broadcast address")
    } else if address.is_multicast() {
        Some("a group's (multicast)")
    } else if address.is_loopback() {
        Some("every machine's own (loopback)")
    } else {
        None
    }
}
