//! Making veth pairs (`linux/veth.h`).

use std::io::Result;

use lvsc_abi::mac::Mac;

use super::{Message, Netlink};

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

/// One end of a pair that is to be made.
#[derive(Clone, Copy, Debug, Default)]
pub struct End<'a> {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// Its MAC; one that the kernel draws, where none is said.
    pub mac: Option<Mac>,
    /// The descriptor of its network namespace; the socket's own, where none is said.
    pub namespace: Option<i32>,
    /// The index of the bridge that it is a port of.
    pub bridge: Option<u32>,
}

impl End<'_> {
    fn tell(&self, message: Message) -> Message {
        let mut message = message
            .link(self.index, 0, 0)
            .text(libc::IFLA_IFNAME, self.name);
        if let Some(mac) = self.mac {
            message = message.attribute(libc::IFLA_ADDRESS, &mac.0);
        }
        if let Some(namespace) = self.namespace {
            message = message.number(libc::IFLA_NET_NS_FD, namespace.cast_unsigned());
        }
        match self.bridge {
            Some(bridge) => message.number(libc::IFLA_MASTER, bridge),
            None => message,
        }
    }
}

impl Netlink {
    /// Makes a veth pair; both ends are born down.
    pub fn pair(&mut self, near: &End<'_>, far: &End<'_>) -> Result<()> {
        let peer = far.tell(Message::fragment()).into_bytes();
        let message = near
            .tell(Message::new(libc::RTM_NEWLINK, CREATE))
            .open(libc::IFLA_LINKINFO)
            .text(INFO_KIND, "veth")
            .open(INFO_DATA)
            .attribute(VETH_INFO_PEER, &peer);
        self.call(message.close().close()).map(drop)
    }
}
