//! A wire: a director alone with a generator of load, a veth pair for each of its interfaces. Nobody else is there: what the
//! director sends comes back to the generator, whatever MAC it is for.

use std::io::Result;

use lvsc_abi::mac::Mac;

use super::topology::{ETH0, setting};
use crate::netlink::{End, Netlink};
use crate::sys::namespace::Namespace;
use crate::sys::{Offload, offload, tags_inside};

/// A wire that stands; it goes with the process.
pub struct Wire {
    /// Where packets are made and counted.
    pub generator: Namespace,
    /// Where they are forwarded.
    pub director: Namespace,
    count: usize,
}

/// The name of an interface's device, the same at both ends.
fn name(number: usize) -> String {
    format!("eth{number}")
}

/// Its index, the same at both ends.
fn index(number: usize) -> u32 {
    ETH0 + number as u32
}

impl Wire {
    /// One with a pair for each of the director's interfaces, which have these MACs.
    pub fn up(macs: &[Option<Mac>]) -> Result<Wire> {
        let (generator, director) = (Namespace::new()?, Namespace::new()?);
        let (far, macs) = (generator.number(), macs.to_vec());
        let count = macs.len();
        director.run(move || join(&macs, far))??;
        generator.run(move || settle(count))??;
        director.run(move || {
            settle(count)?;
            // Frames become the kernel's as from a card: in the driver's poll, and not one by one in the sender's call.
            (0..count).try_for_each(|number| offload(&name(number), Offload::Merging, true))
        })??;
        Ok(Wire {
            generator,
            director,
            count,
        })
    }

    /// The director's devices, in the order of its interfaces.
    pub fn devices(&self) -> Vec<String> {
        (0..self.count).map(name).collect()
    }

    /// The indices of the devices, the same at both ends.
    pub fn indices(&self) -> Vec<u32> {
        (0..self.count).map(index).collect()
    }
}

fn join(macs: &[Option<Mac>], far: i32) -> Result<()> {
    let mut netlink = Netlink::open()?;
    for (number, mac) in macs.iter().enumerate() {
        let name = name(number);
        let own = End {
            index: index(number),
            name: &name,
            mac: *mac,
            ..End::default()
        };
        let peer = End {
            mac: None,
            namespace: Some(far),
            ..own
        };
        netlink.pair(&own, &peer)?;
    }
    Ok(())
}

/// Switches the ends on; what comes is not routed, and tags stay in the frames.
fn settle(count: usize) -> Result<()> {
    let mut netlink = Netlink::open()?;
    for number in 0..count {
        let index = index(number);
        // Where IPv6 is off altogether there is nothing to switch off.
        let _ = netlink.without_ipv6(index);
        netlink.settings(index, &[(setting::FORWARDING, 0)])?;
        tags_inside(&name(number))?;
        netlink.up(index)?;
    }
    Ok(())
}
