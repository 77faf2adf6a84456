//! rtnetlink (rtnetlink(7)), the few messages that the director and the lab need: one blocking socket, one request, one
//! answer.
//!
//! The messages are written here and not by a library: the settings of an interface (`IFLA_INET_CONF`) must be able to
//! say 0, which the common crate leaves out.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use lvsc_abi::engine::Mode;
use lvsc_abi::mac::Mac;

mod message;
mod pair;
mod xdp;

pub use self::message::{Message, attributes};
pub use self::pair::End;

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// States of an entry whose MAC is known: reachable, stale, delay, probe, permanent (linux/neighbour.h).
const NUD_VALID: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
const NTF_USE: u8 = 1;
const NDA_IFINDEX: u16 = 8;
/// Of `linux/if_link.h`.
const IFLA_XDP: u16 = 43;

/// A netlink socket in the network namespace of the thread that made it.
pub struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC, where it has one.
    pub mac: Option<Mac>,
    /// `IFF_*`
    pub flags: u32,
    /// `IF_OPER_*`; 6 is up.
    pub operational: u8,
    /// State of a bridge's port; 3 forwards.
    pub port: Option<u8>,
    /// The longest packet that it sends (bytes).
    pub mtu: u32,
    /// What kind of device it is, where it is no card: `veth`.
    pub kind: String,
    /// The XDP programs on it, by the kernel's numbers.
    pub programs: Vec<Running>,
}

/// A program on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where.
    pub mode: Mode,
    /// The program's number.
    pub program: u32,
}

/// An address that an interface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length of its subnet.
    pub prefix: u8,
}

impl Netlink {
    /// Opens a socket.
    pub fn open() -> Result<Netlink> {
        let fd = socket()?;
        Ok(Netlink { fd, sequence: 0 })
    }

    /// Sends a request and gives the messages before its end: `{type, payload}`. What is left over of the answer to an
    /// earlier request, which ended in an error, is skipped.
    pub fn call(&mut self, message: Message) -> Result<Vec<(u16, Vec<u8>)>> {
        self.sequence += 1;
        let bytes = message.finish(self.sequence);
        send(&self.fd, &bytes)?;
        let mut answers = Vec::new();
        loop {
            let datagram = receive(&self.fd)?;
            let mut rest = datagram.as_slice();
            while let Some((header, behind)) = rest.split_first_chunk::<16>() {
                let [a, b, c, d, e, f, _, _, i, j, k, l, ..] = *header;
                let length = u32::from_ne_bytes([a, b, c, d]) as usize;
                let kind = u16::from_ne_bytes([e, f]);
                let ours = u32::from_ne_bytes([i, j, k, l]) == self.sequence;
                let payload = behind.get(..length.saturating_sub(16)).unwrap_or_default();
                match i32::from(kind) {
                    _ if !ours => {}
                    libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                        let code = payload
                            .first_chunk()
                            .map_or(0, |code| i32::from_ne_bytes(*code));
                        if code < 0 {
                            return Err(Error::from_raw_os_error(-code));
                        }
                        return Ok(answers);
                    }
                    _ => answers.push((kind, payload.to_vec())),
                }
                rest = rest
                    .get(length.next_multiple_of(4).max(16)..)
                    .unwrap_or_default();
            }
        }
    }

    /// All interfaces.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let request = Message::new(libc::RTM_GETLINK, libc::NLM_F_DUMP as u16).link(0, 0, 0);
        let answers = self.call(request)?;
        Ok(answers
            .iter()
            .filter_map(|(_, payload)| link(payload))
            .collect())
    }

    /// The interface with this name.
    pub fn link(&mut self, name: &str) -> Result<Link> {
        let found = self.links()?.into_iter().find(|link| link.name == name);
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no interface `{name}`"),
            )
        })
    }

    /// The addresses of all interfaces.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let request = Message::new(libc::RTM_GETADDR, libc::NLM_F_DUMP as u16).raw(&[0; 8]);
        let answers = self.call(request)?;
        Ok(answers
            .iter()
            .filter_map(|(_, payload)| address(payload))
            .collect())
    }

    /// Switches an interface on.
    pub fn up(&mut self, index: u32) -> Result<()> {
        let flag = libc::IFF_UP as u32;
        self.call(Message::new(libc::RTM_SETLINK, 0).link(index, flag, flag))
            .map(drop)
    }

    /// Gives an interface an address.
    pub fn address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> Result<()> {
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        let mut head = vec![libc::AF_INET as u8, prefix, 0, 0];
        head.extend(index.to_ne_bytes());
        let mut message = Message::new(libc::RTM_NEWADDR, flags)
            .raw(&head)
            .attribute(libc::IFA_LOCAL, &address.octets())
            .attribute(libc::IFA_ADDRESS, &address.octets());
        if prefix < 31 {
            let broadcast = Ipv4Addr::from_bits(address.to_bits() | u32::MAX >> prefix);
            message = message.attribute(libc::IFA_BROADCAST, &broadcast.octets());
        }
        self.call(message).map(drop)
    }

    /// Sets IPv4 settings of an interface by their numbers (`IPV4_DEVCONF_*`, linux/ip.h), without /proc/sys.
    pub fn settings(&mut self, index: u32, values: &[(u16, u32)]) -> Result<()> {
        const IFLA_INET_CONF: u16 = 1;
        let mut message = Message::new(libc::RTM_SETLINK, 0)
            .link(index, 0, 0)
            .open(libc::IFLA_AF_SPEC)
            .open(libc::AF_INET as u16)
            .open(IFLA_INET_CONF);
        for (setting, value) in values {
            message = message.number(*setting, *value);
        }
        self.call(message.close().close().close()).map(drop)
    }

    /// No link-local address on an interface: no noise of IPv6.
    pub fn without_ipv6(&mut self, index: u32) -> Result<()> {
        const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
        let message = Message::new(libc::RTM_SETLINK, 0)
            .link(index, 0, 0)
            .open(libc::IFLA_AF_SPEC)
            .open(libc::AF_INET6 as u16)
            .attribute(IFLA_INET6_ADDR_GEN_MODE, &[1]);
        self.call(message.close().close()).map(drop)
    }

    /// The neighbours of an interface whose MAC is known.
    pub fn neighbours(&mut self, index: u32) -> Result<Vec<(IpAddr, Mac)>> {
        // A kernel before 4.4 gives the neighbours of all interfaces.
        let request = Message::new(libc::RTM_GETNEIGH, libc::NLM_F_DUMP as u16)
            .raw(&[0; 12])
            .number(NDA_IFINDEX, index);
        let answers = self.call(request)?;
        Ok(answers
            .iter()
            .filter_map(|(_, payload)| neighbour(payload, index))
            .collect())
    }

    /// Has the kernel ask for a neighbour, as if it had a packet for it.
    pub fn solicit(&mut self, index: u32, address: IpAddr) -> Result<()> {
        let (family, bytes) = match address {
            IpAddr::V4(address) => (libc::AF_INET as u8, address.octets().to_vec()),
            IpAddr::V6(address) => (libc::AF_INET6 as u8, address.octets().to_vec()),
        };
        let mut head = vec![family, 0, 0, 0];
        head.extend(index.to_ne_bytes());
        head.extend([0, 0, NTF_USE, 0]);
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        let message = Message::new(libc::RTM_NEWNEIGH, flags)
            .raw(&head)
            .attribute(NDA_DST, &bytes);
        self.call(message).map(drop)
    }
}

fn link(payload: &[u8]) -> Option<Link> {
    const IFLA_INFO_SLAVE_DATA: u16 = 5;
    const IFLA_BRPORT_STATE: u16 = 1;
    const IFLA_INFO_KIND: u16 = 1;
    let (head, rest) = payload.split_first_chunk::<16>()?;
    let word = |at: usize| {
        head.get(at..at + 4)
            .and_then(|w| w.first_chunk())
            .map_or(0, |w| u32::from_ne_bytes(*w))
    };
    let mut link = Link {
        index: word(4),
        flags: word(8),
        ..Link::default()
    };
    for (kind, value) in attributes(rest) {
        match kind {
            libc::IFLA_IFNAME => link.name = text(value),
            libc::IFLA_ADDRESS => link.mac = value.try_into().ok().map(Mac),
            libc::IFLA_MTU => {
                link.mtu = value
                    .first_chunk()
                    .map_or(0, |mtu| u32::from_ne_bytes(*mtu));
            }
            IFLA_XDP => link.programs = xdp::programs(value),
            libc::IFLA_OPERSTATE => link.operational = value.first().copied().unwrap_or(0),
            libc::IFLA_LINKINFO => {
                let parts = attributes(value);
                let part = |wanted| parts.iter().find(|(kind, _)| *kind == wanted);
                let kind = part(IFLA_INFO_KIND).map_or(&[] as &[u8], |(_, kind)| kind);
                link.kind = text(kind);
                let data = part(IFLA_INFO_SLAVE_DATA);
                let states = data.map(|(_, data)| attributes(data)).unwrap_or_default();
                let state = states
                    .into_iter()
                    .find(|(kind, _)| *kind == IFLA_BRPORT_STATE);
                link.port = state.and_then(|(_, value)| value.first().copied());
            }
            _ => {}
        }
    }
    Some(link)
}

/// A text that ends with a zero.
fn text(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.trim_end_matches('\0').to_owned()
}

fn address(payload: &[u8]) -> Option<Address> {
    let (head, rest) = payload.split_first_chunk::<8>()?;
    let [_, prefix, _, _, a, b, c, d] = *head;
    // On a point-to-point link `IFA_ADDRESS` is the other end's.
    let found = attributes(rest);
    let of = |wanted| found.iter().find(|(kind, _)| *kind == wanted);
    let (_, value) = of(libc::IFA_LOCAL).or_else(|| of(libc::IFA_ADDRESS))?;
    Some(Address {
        index: u32::from_ne_bytes([a, b, c, d]),
        address: ip(value)?,
        prefix,
    })
}

/// An address of four or sixteen bytes.
fn ip(value: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
        .ok()
}

fn neighbour(payload: &[u8], index: u32) -> Option<(IpAddr, Mac)> {
    let (head, rest) = payload.split_first_chunk::<12>()?;
    let [_, _, _, _, a, b, c, d, low, high, ..] = *head;
    let known = u16::from_ne_bytes([low, high]) & NUD_VALID != 0;
    if u32::from_ne_bytes([a, b, c, d]) != index || !known {
        return None;
    }
    let mut address = None;
    let mut mac = None;
    for (kind, value) in attributes(rest) {
        match kind {
            NDA_DST => address = ip(value),
            NDA_LLADDR => mac = value.try_into().ok().map(Mac),
            _ => {}
        }
    }
    Some((address?, mac?))
}

fn socket() -> Result<OwnedFd> {
    crate::sys::netlink_socket()
}

fn send(fd: &OwnedFd, bytes: &[u8]) -> Result<()> {
    crate::sys::send(fd.as_raw_fd(), bytes)
}

fn receive(fd: &OwnedFd) -> Result<Vec<u8>> {
    crate::sys::receive(fd.as_raw_fd())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A message with this type and sequence number.
    fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        Message::new(kind, 0).raw(payload).finish(sequence)
    }

    #[test]
    fn what_answers_an_earlier_request_is_skipped() {
        let (own, kernel) = UnixDatagram::pair().unwrap();
        let mut netlink = Netlink {
            fd: own.into(),
            sequence: 6,
        };
        let (error, done) = (libc::NLMSG_ERROR as u16, libc::NLMSG_DONE as u16);
        let refused = (-libc::ENODEV).to_ne_bytes();
        for datagram in [
            message(error, 5, &refused),
            message(done, 6, &[0; 4]),
            [message(20, 6, &[6; 4]), message(20, 7, &[7; 4])].concat(),
            message(done, 7, &[0; 4]),
        ] {
            kernel.send(&datagram).unwrap();
        }
        let answers = netlink.call(Message::new(22, 0)).unwrap();
        assert_eq!(answers, [(20, vec![7; 4])]);
        kernel.send(&message(error, 8, &refused)).unwrap();
        let error = netlink.call(Message::new(22, 0)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
