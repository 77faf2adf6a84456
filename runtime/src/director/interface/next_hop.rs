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

use crate::current::Current;
use crate::director::{Event, Notice};
use crate::neighbour::Neighbours;
use crate::netlink::{Link, Netlink};
use crate::world::InterfaceState;

/// Between two looks into the kernel's table: while an answer is about to come, and otherwise.
const HASTE: Duration = Duration::from_millis(20);
const CALM: Duration = Duration::from_millis(250);
/// Whoever has not answered for so long may never do.
const HOPE: Duration = Duration::from_secs(3);
/// Between two questions for a MAC: one that is missing, and one that is known (forwarded frames confirm nothing to the
/// kernel, so it would forget).
const ASK: Duration = Duration::from_secs(1);
const CONFIRM: Duration = Duration::from_secs(20);

/// Addresses whose MACs are asked for.
pub(super) type Asked = Arc<[IpAddr]>;

/// A link of the director, and the backends that are reached by it.
pub(super) struct NextHops {
    neighbours: Neighbours,
    netlink: Netlink,
    link: Link,
    /// Index of the interface in the manifest.
    number: u8,
    own: Arc<Current<Mac>>,
    asked: Arc<Current<Asked>>,
    /// Those of `asked` when it was looked at last.
    seen: Asked,
    wanted: BTreeMap<IpAddr, Hop>,
}

#[derive(Default)]
struct Hop {
    mac: Option<Mac>,
    /// The kernel knows it now; a MAC that it forgot stays in use.
    known: bool,
    asked: Option<Instant>,
    /// The first question since it was known.
    missed: Option<Instant>,
}

impl Hop {
    /// Whether its answer is about to come.
    fn is_due(&self) -> bool {
        !self.known && self.missed.is_none_or(|missed| missed.elapsed() < HOPE)
    }
}

impl NextHops {
    /// Watches these addresses on a link, and the link's own MAC, which `own` tells.
    pub(super) fn open(
        link: Link,
        number: u8,
        own: Arc<Current<Mac>>,
        asked: Asked,
    ) -> Result<NextHops> {
        let mut hops = NextHops {
            neighbours: Neighbours::open(link.index)?,
            netlink: Netlink::open()?,
            link,
            number,
            own,
            asked: Arc::new(Current::new(asked)),
            seen: Asked::default(),
            wanted: BTreeMap::new(),
        };
        hops.turn();
        Ok(hops)
    }

    /// The addresses that are watched: others may be set.
    pub(super) fn asked(&self) -> Arc<Current<Asked>> {
        Arc::clone(&self.asked)
    }

    /// Turns to the addresses that are to be watched now. Whose MAC is known is told anew: another policy may have another
    /// backend there.
    fn turn(&mut self) {
        let asked = self.asked.get();
        if Arc::ptr_eq(&asked, &self.seen) {
            return;
        }
        let mut before = std::mem::take(&mut self.wanted);
        let each = asked.iter().map(|address| {
            let known = before.remove(address).unwrap_or_default();
            (*address, Hop { mac: None, ..known })
        });
        self.wanted = each.collect();
        self.seen = asked;
    }

    /// Asks for those that are due; whether this process may.
    pub(super) fn ask(&mut self) -> bool {
        let mut allowed = true;
        for (address, hop) in &mut self.wanted {
            let pause = if hop.known { CONFIRM } else { ASK };
            if hop.asked.is_none_or(|asked| asked.elapsed() >= pause) {
                let now = Instant::now();
                hop.asked = Some(now);
                hop.missed.get_or_insert(now);
                // Refused while the link is down, too: asked again, and the director names what is missing.
                let refused = self.neighbours.solicit(*address).err();
                allowed &= refused.is_none_or(|error| error.kind() != ErrorKind::PermissionDenied);
            }
        }
        allowed
    }

    /// Tells of every MAC that is found or changes, until `ended`. A MAC that the kernel forgets stays. An error where the
    /// interface is gone; a kernel that only has no memory or no room for an answer is asked again.
    pub(super) fn watch(&mut self, events: &Sender<Event>, ended: &AtomicBool) -> Result<()> {
        let mut checked = Instant::now();
        while !ended.load(Ordering::Relaxed) {
            self.turn();
            self.ask();
            let known = self.neighbours.known();
            let mut news = known.map_or_else(|_| Vec::new(), |known| self.look(known));
            if checked.elapsed() >= ASK {
                checked = Instant::now();
                news.extend(self.check()?);
            }
            // A director that has ended wants no news.
            if news.into_iter().any(|event| events.send(event).is_err()) {
                return Ok(());
            }
            thread::sleep(self.pause());
        }
        Ok(())
    }

    /// Until the next look.
    fn pause(&self) -> Duration {
        if self.wanted.values().any(Hop::is_due) {
            HASTE
        } else {
            CALM
        }
    }

    /// The news in the kernel's table. One that it forgot is asked for at once: its host may have another MAC by now.
    fn look(&mut self, known: Vec<(IpAddr, Mac)>) -> Vec<Event> {
        let known: BTreeMap<IpAddr, Mac> = known.into_iter().collect();
        let mut news = Vec::new();
        for (address, hop) in &mut self.wanted {
            let mac = known.get(address).copied();
            if hop.known && mac.is_none() {
                hop.asked = None;
            }
            hop.known = mac.is_some();
            if hop.known {
                hop.missed = None;
            }
            if let Some(mac) = mac.filter(|mac| hop.mac != Some(*mac)) {
                hop.mac = Some(mac);
                let address = *address;
                news.push(Event::Neighbour { address, mac });
            }
        }
        news
    }

    /// The news of the link itself: another MAC is what its clients must send to from now on.
    fn check(&mut self) -> Result<Vec<Event>> {
        let Ok(links) = self.netlink.links() else {
            return Ok(Vec::new());
        };
        let found = links.iter().find(|link| link.index == self.link.index);
        let Some(link) = found else {
            let gone = format!("the interface `{}` is gone", self.link.name);
            return Err(Error::new(ErrorKind::NotFound, gone));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const BACKEND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

    /// The next hop of one backend, on an interface that no host has.
    fn hops() -> NextHops {
        let link = Link {
            index: i32::MAX.cast_unsigned(),
            ..Link::default()
        };
        NextHops::open(link, 0, Arc::new(Current::new(MAC)), [BACKEND].into()).unwrap()
    }

    #[test]
    fn one_that_never_answers_is_looked_for_without_haste() {
        let mut hops = hops();
        hops.ask();
        assert_eq!(hops.pause(), HASTE);
        let long_ago = Instant::now().checked_sub(HOPE).unwrap();
        for hop in hops.wanted.values_mut() {
            (hop.asked, hop.missed) = (Some(long_ago), Some(long_ago));
        }
        hops.ask();
        assert_eq!(hops.pause(), CALM, "asked again, but hardly there");
        assert_eq!(hops.look(vec![(BACKEND, MAC)]).len(), 1);
        assert_eq!(hops.pause(), CALM);
        hops.look(Vec::new());
        assert_eq!(hops.pause(), HASTE, "forgotten, and asked for at once");
    }

    #[test]
    fn another_policys_backends_are_told_whether_they_were_known_or_not() {
        const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 11));
        let mut hops = hops();
        assert_eq!(hops.look(vec![(BACKEND, MAC), (OTHER, MAC)]).len(), 1);
        for (asked, news) in [
            (vec![BACKEND, OTHER], 2),
            (vec![OTHER], 1),
            (vec![], 0),
            (vec![BACKEND], 1),
        ] {
            hops.asked.set(asked.into());
            for news in [news, 0] {
                hops.turn();
                let told = hops.look(vec![(BACKEND, MAC), (OTHER, MAC)]);
                assert_eq!(told.len(), news);
            }
        }
    }

    #[test]
    fn an_interface_that_is_gone_is_an_error() {
        let error = hops().check().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
