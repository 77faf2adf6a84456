//! Next hops: the MACs that the kernel's neighbour table has, and asking for those that it lacks.

use std::io::Result;
use std::net::IpAddr;

use lvsc_abi::mac::Mac;

use crate::netlink::Netlink;

/// The neighbours of one interface.
pub struct Neighbours {
    netlink: Netlink,
    index: u32,
}

impl Neighbours {
    /// Opens the neighbour table of an interface (kernel index) of the calling thread's namespace.
    pub fn open(index: u32) -> Result<Neighbours> {
        Ok(Neighbours {
            netlink: Netlink::open()?,
            index,
        })
    }

    /// All neighbours whose MAC is known.
    pub fn known(&mut self) -> Result<Vec<(IpAddr, Mac)>> {
        self.netlink.neighbours(self.index)
    }

    /// Has the kernel ask for a neighbour, or make sure of it.
    pub fn solicit(&mut self, address: IpAddr) -> Result<()> {
        self.netlink.solicit(self.index, address)
    }
}
