//! Keeps the director told of a link: its own MAC, and those of the backends behind it, which the kernel resolves when it
//! is asked to.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::mac::Mac;

use crate::director::{Event, Notice};
use crate::neighbour::Neighbours;
use crate::netlink::{Link, Netlink};
use crate::vip::OwnMac;
use crate::world::InterfaceState;

/// Between two looks into the kernel's table: while one is missing, and otherwise.
const HASTE: Duration = Duration::from_millis(20);
const CALM: Duration = Duration::from_millis(250);
/// Between two questions for a MAC: one that is missing, and one that is known (forwarded frames confirm nothing to the
/// kernel, so it would forget).
const ASK: Duration = Duration::from_secs(1);
const CONFIRM: Duration = Duration::from_secs(20);

/// A link of the director, and the backends that are reached by it.
pub(super) struct NextHops {
    neighbours: Neighbours,
    netlink: Netlink,
    link: Link,
    /// Index of the interface in the manifest.
    number: u8,
    own: Arc<OwnMac>,
    wanted: BTreeMap<IpAddr, Hop>,
}

#[derive(Default)]
struct Hop {
    mac: Option<Mac>,
    /// The kernel knows it now; a MAC that it forgot stays in use.
    known: bool,
    asked: Option<Instant>,
}

impl NextHops {
    /// Watches these addresses on a link, and the link's own MAC, which `own` tells.
    pub(super) fn open(
        link: Link,
        number: u8,
        own: Arc<OwnMac>,
        wanted: Vec<IpAddr>,
    ) -> Result<NextHops> {
        let wanted = wanted.into_iter();
        Ok(NextHops {
            neighbours: Neighbours::open(link.index)?,
            netlink: Netlink::open()?,
            link,
            number,
            own,
            wanted: wanted.map(|address| (address, Hop::default())).collect(),
        })
    }

    /// Whether there is anybody to ask for.
    pub(super) fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Asks for those that are due; whether this process may.
    pub(super) fn ask(&mut self) -> bool {
        let mut allowed = true;
        for (address, hop) in &mut self.wanted {
            let pause = if hop.known { CONFIRM } else { ASK };
            if hop.asked.is_none_or(|asked| asked.elapsed() >= pause) {
                hop.asked = Some(Instant::now());
                // Refused while the link is down, too: asked again, and the director names what is missing.
                let refused = self.neighbours.solicit(*address).err();
                allowed &= refused.is_none_or(|error| error.kind() != ErrorKind::PermissionDenied);
            }
        }
        allowed
    }

    /// Tells of every MAC that is found or changes, until `ended`. A MAC that the kernel forgets stays. An error where the
    /// interface is gone.
    pub(super) fn watch(&mut self, events: &Sender<Event>, ended: &AtomicBool) -> Result<()> {
        let mut checked = Instant::now();
        while !ended.load(Ordering::Relaxed) {
            self.ask();
            let mut news = self.look()?;
            if checked.elapsed() >= ASK {
                checked = Instant::now();
                news.extend(self.check()?);
            }
            // A director that has ended wants no news.
            if news.into_iter().any(|event| events.send(event).is_err()) {
                return Ok(());
            }
            let missing = self.wanted.values().any(|hop| !hop.known);
            thread::sleep(if missing { HASTE } else { CALM });
        }
        Ok(())
    }

    /// The news in the kernel's table. One that it forgot is asked for at once: its host may have another MAC by now.
    fn look(&mut self) -> Result<Vec<Event>> {
        let known: BTreeMap<IpAddr, Mac> = self.neighbours.known()?.into_iter().collect();
        let mut news = Vec::new();
        for (address, hop) in &mut self.wanted {
            let mac = known.get(address).copied();
            if hop.known && mac.is_none() {
                hop.asked = None;
            }
            hop.known = mac.is_some();
            if let Some(mac) = mac.filter(|mac| hop.mac != Some(*mac)) {
                hop.mac = Some(mac);
                let address = *address;
                news.push(Event::Neighbour { address, mac });
            }
        }
        Ok(news)
    }

    /// The news of the link itself: another MAC is what its clients must send to from now on.
    fn check(&mut self) -> Result<Vec<Event>> {
        let links = self.netlink.links()?;
        let found = links.iter().find(|link| link.index == self.link.index);
        let Some(link) = found else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "an interface of the director is gone",
            ));
        };
        let Some(mac) = link.mac.filter(|mac| *mac != self.own.get()) else {
            return Ok(Vec::new());
        };
        self.own.set(mac);
        let state = InterfaceState {
            mac: Some(mac),
            index: link.index,
        };
        let device = link.name.clone();
        Ok(vec![
            Event::Interface {
                index: self.number,
                state,
            },
            Event::Tell(Notice::Interface { device, mac }),
        ])
    }
}
