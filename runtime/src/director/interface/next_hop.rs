//! Keeps the director told of its backends' MACs: the kernel resolves them, this asks it to.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::mac::Mac;

use crate::director::Event;
use crate::neighbour::Neighbours;
use crate::netlink::Netlink;

/// Between two looks into the kernel's table: while one is missing, and otherwise.
const HASTE: Duration = Duration::from_millis(20);
const CALM: Duration = Duration::from_millis(250);
/// Between two questions for a MAC: one that is missing, and one that is known (forwarded frames confirm nothing to the
/// kernel, so it would forget).
const ASK: Duration = Duration::from_secs(1);
const CONFIRM: Duration = Duration::from_secs(20);

/// The backends that are reached by one interface.
pub(super) struct NextHops {
    neighbours: Neighbours,
    netlink: Netlink,
    index: u32,
    wanted: BTreeMap<IpAddr, Hop>,
}

#[derive(Default)]
struct Hop {
    mac: Option<Mac>,
    asked: Option<Instant>,
}

impl NextHops {
    /// Watches these addresses on the interface (kernel index).
    pub(super) fn open(index: u32, wanted: Vec<IpAddr>) -> Result<NextHops> {
        let wanted = wanted
            .into_iter()
            .map(|address| (address, Hop::default()))
            .collect();
        let (neighbours, netlink) = (Neighbours::open(index)?, Netlink::open()?);
        Ok(NextHops {
            neighbours,
            netlink,
            index,
            wanted,
        })
    }

    /// Tells of every MAC that is found or changes, until `ended`. A MAC that the kernel forgets stays. An error where the
    /// interface is gone.
    pub(super) fn watch(&mut self, events: &Sender<Event>, ended: &AtomicBool) -> Result<()> {
        let mut checked = Instant::now();
        while !ended.load(Ordering::Relaxed) {
            self.ask();
            for (address, mac) in self.neighbours.known()? {
                let Some(hop) = self.wanted.get_mut(&address) else {
                    continue;
                };
                let news = hop.mac != Some(mac);
                hop.mac = Some(mac);
                // A director that has ended wants no news.
                if news && events.send(Event::Neighbour { address, mac }).is_err() {
                    return Ok(());
                }
            }
            if checked.elapsed() >= ASK {
                checked = Instant::now();
                self.check()?;
            }
            let missing = self.wanted.values().any(|hop| hop.mac.is_none());
            thread::sleep(if missing { HASTE } else { CALM });
        }
        Ok(())
    }

    fn ask(&mut self) {
        for (address, hop) in &mut self.wanted {
            let pause = if hop.mac.is_some() { CONFIRM } else { ASK };
            if hop.asked.is_none_or(|asked| asked.elapsed() >= pause) {
                hop.asked = Some(Instant::now());
                // Refused while the link is down: asked again, and the director names what is missing.
                let _ = self.neighbours.solicit(*address);
            }
        }
    }

    fn check(&mut self) -> Result<()> {
        let there = self
            .netlink
            .links()?
            .iter()
            .any(|link| link.index == self.index);
        if there {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NotFound,
            "an interface of the director is gone",
        ))
    }
}
