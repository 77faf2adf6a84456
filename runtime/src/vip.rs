//! Owns a VIP on the wire: answers ARP for it and announces it (RFC 826, RFC 5227), so that the kernel need not have the
//! address and never answers in its place.

use std::io::Result;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lvsc_abi::mac::Mac;

#[cfg(target_os = "linux")]
use crate::current::Current;
#[cfg(target_os = "linux")]
use crate::sys::ring::{Only, Options, PACKET_OUTGOING, Ring, is_passing};

/// Length of an ARP frame (bytes), without padding.
pub const ARP_LENGTH: usize = 42;
/// The Ethernet type of ARP.
pub const ETH_P_ARP: u16 = 0x0806;

const REQUEST: u16 = 1;
const REPLY: u16 = 2;
/// Hardware Ethernet, protocol IPv4, address lengths 6 and 4.
const ETHERNET_IP4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// An ARP frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// Whose MAC this is about.
    pub sender: (Mac, Ipv4Addr),
    /// Who is asked for, or answered.
    pub target: (Mac, Ipv4Addr),
}

impl Arp {
    /// The ARP part of an Ethernet frame; `None` for anything else.
    pub fn read(frame: &[u8]) -> Option<Arp> {
        let body = frame.get(12..ARP_LENGTH)?;
        let body = body
            .strip_prefix(&ETH_P_ARP.to_be_bytes())?
            .strip_prefix(&ETHERNET_IP4)?;
        let (operation, body) = body.split_first_chunk::<2>()?;
        let (sender_mac, body) = body.split_first_chunk::<6>()?;
        let (sender_ip, body) = body.split_first_chunk::<4>()?;
        let (target_mac, body) = body.split_first_chunk::<6>()?;
        let target_ip = body.first_chunk::<4>()?;
        Some(Arp {
            operation: u16::from_be_bytes(*operation),
            sender: (Mac(*sender_mac), Ipv4Addr::from(*sender_ip)),
            target: (Mac(*target_mac), Ipv4Addr::from(*target_ip)),
        })
    }

    /// The Ethernet frame from the sender to `to`.
    pub fn frame(&self, to: Mac) -> Vec<u8> {
        let mut frame = Vec::with_capacity(ARP_LENGTH);
        frame.extend(to.0);
        frame.extend(self.sender.0.0);
        frame.extend(ETH_P_ARP.to_be_bytes());
        frame.extend(ETHERNET_IP4);
        frame.extend(self.operation.to_be_bytes());
        for (mac, ip) in [self.sender, self.target] {
            frame.extend(mac.0);
            frame.extend(ip.octets());
        }
        frame
    }
}

/// The answer to a frame that asks for one of the VIPs; `None` where it does not.
pub fn answer(frame: &[u8], vips: &[Ipv4Addr], own: Mac) -> Option<Vec<u8>> {
    let asked = Arp::read(frame).filter(|arp| arp.operation == REQUEST)?;
    let vip = asked.target.1;
    if !vips.contains(&vip) || asked.sender.0.is_group() {
        return None;
    }
    let reply = Arp {
        operation: REPLY,
        sender: (own, vip),
        target: asked.sender,
    };
    Some(reply.frame(asked.sender.0))
}

/// The announcement of a VIP to everybody: an ARP request for itself (RFC 5227, section 3).
pub fn announcement(vip: Ipv4Addr, own: Mac) -> Vec<u8> {
    let nobody = Mac([0; 6]);
    let everybody = Mac([0xff; 6]);
    Arp {
        operation: REQUEST,
        sender: (own, vip),
        target: (nobody, vip),
    }
    .frame(everybody)
}

/// A frame with a VLAN tag `{TPID, TCI}` behind its addresses.
pub fn tagged(mut frame: Vec<u8>, (tpid, tci): (u16, u16)) -> Vec<u8> {
    const ADDRESSES: usize = 12;
    let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
    let at = frame.len().min(ADDRESSES);
    frame.splice(at..at, tag);
    frame
}

/// VIPs, in any order.
pub type Vips = Arc<[Ipv4Addr]>;

/// Answers for VIPs on one interface, with the VLAN tag of whoever asks.
#[cfg(target_os = "linux")]
pub struct Responder {
    ring: Ring,
    vips: Arc<Current<Vips>>,
    own: Arc<Current<Mac>>,
    /// Those that were announced last, and with which MAC.
    announced: Option<(Mac, Vips)>,
}

#[cfg(target_os = "linux")]
impl Responder {
    /// Opens a socket on the interface (kernel index). `vips` are those that count at the time: others that are set are
    /// announced at once, and those that are gone are answered for no more.
    pub fn open(index: u32, own: Mac, vips: Arc<Current<Vips>>) -> Result<Responder> {
        let ring = Ring::open(Options {
            index,
            only: Only::Type(ETH_P_ARP),
            vnet: false,
            ignore_outgoing: true,
            frame: 2048,
            frames: 64,
        })?;
        Ok(Responder {
            ring,
            vips,
            own: Arc::new(Current::new(own)),
            announced: None,
        })
    }

    /// The MAC that is told: one that is set is announced at once.
    pub fn own(&self) -> Arc<Current<Mac>> {
        Arc::clone(&self.own)
    }

    /// Announces the VIPs, and answers until it is stopped. `met` is told the VLAN tag's TCI of every question that has one.
    pub fn serve(&mut self, stop: &AtomicBool, mut met: impl FnMut(u16)) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            Ring::wait([&self.ring], Duration::from_millis(50))?;
            let (own, vips) = (self.own.get(), self.vips.get());
            self.announce(own, &vips)?;
            while let Some(reply) = self.ring.take(|frame| {
                let ours = frame.kind != PACKET_OUTGOING;
                let reply = ours.then(|| answer(frame.bytes, &vips, own)).flatten()?;
                Some((reply, frame.tag))
            }) {
                match reply {
                    Some((reply, None)) => self.offer(&reply)?,
                    Some((reply, Some(tag))) => {
                        met(tag.1);
                        self.offer(&tagged(reply, tag))?;
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Announces the VIPs that were not with this MAC.
    fn announce(&mut self, own: Mac, vips: &Vips) -> Result<()> {
        let known = match self.announced.take() {
            Some((mac, known)) if mac == own => known,
            _ => Vips::default(),
        };
        self.announced = Some((own, Arc::clone(vips)));
        if Arc::ptr_eq(&known, vips) {
            return Ok(());
        }
        let mut news = vips.iter().filter(|vip| !known.contains(vip));
        news.try_for_each(|vip| self.offer(&announcement(*vip, own)))
    }

    /// Sends where it can be sent now; who did not hear asks again. That the device is gone is told by the kernel's events,
    /// with its name.
    fn offer(&self, frame: &[u8]) -> Result<()> {
        match self.ring.send(&[], frame) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(()),
            Err(error) if !is_passing(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 200);
    const CLIENT: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 7]), Ipv4Addr::new(192, 0, 2, 7));
    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn request(ip: Ipv4Addr) -> Vec<u8> {
        let arp = Arp {
            operation: REQUEST,
            sender: CLIENT,
            target: (Mac([0; 6]), ip),
        };
        arp.frame(Mac([0xff; 6]))
    }

    #[test]
    fn who_asks_for_the_vip_is_told_our_mac() {
        let reply = answer(&request(VIP), &[VIP], OWN).unwrap();
        assert_eq!(reply[..6], CLIENT.0.0);
        let read = Arp::read(&reply).unwrap();
        assert_eq!(
            read,
            Arp {
                operation: REPLY,
                sender: (OWN, VIP),
                target: CLIENT
            }
        );
    }

    #[test]
    fn what_is_not_a_question_for_the_vip_is_not_answered() {
        assert_eq!(
            answer(&request(Ipv4Addr::new(192, 0, 2, 201)), &[VIP], OWN),
            None
        );
        assert_eq!(answer(&announcement(VIP, OWN)[..41], &[VIP], OWN), None);
        let reply = answer(&request(VIP), &[VIP], OWN).unwrap();
        assert_eq!(answer(&reply, &[VIP], OWN), None);
        for length in 0..ARP_LENGTH {
            assert_eq!(answer(&request(VIP)[..length], &[VIP], OWN), None);
        }
    }
}
