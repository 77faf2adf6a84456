//! What the one who fills an image must know of the policy: one versioned encoding, JSON, that travels inside the
//! artifact, so that it can be run without its source.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::flows::IDLE_MAX;
use crate::layout::{Element, Layout};
use crate::mac::Mac;
use crate::options::Xdp;
use crate::scheduler::Scheduler;

mod counter;
mod flows;
mod fragments;
mod interface;
mod keyed;
mod persist;
mod times;

pub use self::counter::{Counter, CounterKind};
pub use self::flows::{FlowKind, Flows, Lives, Tracking};
pub use self::fragments::{Fragments, NoFragments};
pub use self::interface::{Interface, Vip};
#[cfg(test)]
pub(crate) use self::keyed::clients;
pub use self::keyed::{KeyPart, KeyTable, Keyed, Shape};
pub use self::persist::Persist;

/// Version of the encoding.
pub const VERSION: u32 = 3;

/// What a policy declares, as far as running it needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// Names of the source files, without folders; places name them by index.
    pub files: Vec<String>,
    /// The interfaces, in the order of section `interfaces`. The first is where packets come in unless told.
    pub interfaces: Vec<Interface>,
    /// The pools.
    pub pools: Vec<Pool>,
    /// What section `counters` holds, in its order.
    pub counters: Vec<Counter>,
    /// The counters with keys; each has its cells in a section of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyed: Vec<Keyed>,
    /// Addresses that a packet must have to be given to a pool.
    pub vips: Vec<Vip>,
    /// Sections whose contents the policy fixes.
    pub fixed: Vec<Fixed>,
    /// What is asked of the target `xdp`.
    #[serde(default, skip_serializing_if = "Xdp::is_default")]
    pub xdp: Xdp,
}

/// A section of words that never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// Its name.
    pub section: String,
    /// One for each of its elements.
    pub words: Vec<u64>,
}

/// A pool of backends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The policy's name for it.
    pub name: String,
    /// How a backend is chosen.
    pub scheduler: Scheduler,
    /// The backends; a backend's id is its index in section `backends.<pool>`.
    pub backends: Vec<Backend>,
    /// The connection table, where the pool keeps one.
    pub flows: Option<Flows>,
    /// The table of datagrams, where the fragments of one follow its first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragments: Option<Fragments>,
    /// What becomes of fragments, where no backend gets any: the program sees to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_fragments: Option<NoFragments>,
    /// The table of clients, where all flows of one have the same backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persist: Option<Persist>,
    /// Seconds in which a backend that comes, or comes back, gets to its whole weight ([`crate::ramp`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<u32>,
    /// Index of the counter of backend 0; backend n has the one n further.
    pub counters: u32,
    /// The number of backends for which there is a place, where the policy says it: ids are below it. Else there is one for
    /// each id up to the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
}

/// A real server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Index in the pool's sections; stable for the life of an image.
    pub id: u16,
    /// The policy's name, else the address.
    pub name: String,
    /// Its own address (not the VIP).
    pub address: IpAddr,
    /// The port, where the policy gives one.
    pub port: Option<u16>,
    /// Share of new flows; 0 takes none.
    pub weight: u32,
    /// The next hop's MAC, where the policy fixes it; else it is asked for.
    pub mac: Option<Mac>,
    /// Index of the interface through which it is reached.
    pub interface: u8,
    /// It begins as if its weight were 0: it keeps the flows that it has.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drain: bool,
    /// It takes flows only where no other one can.
    #[serde(default, skip_serializing_if = "is_false")]
    pub backup: bool,
    /// How many flows it takes, where the policy says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// How many flows a backend takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// With so many it takes no more.
    pub flows: u32,
    /// Then with fewer than so many it does again; at most `flows`.
    pub reopen: u32,
}

impl Backend {
    /// A backend of which the policy says no more than its name and address: weight 1, by the first interface.
    pub fn new(id: u16, name: impl Into<String>, address: impl Into<IpAddr>) -> Backend {
        Backend {
            id,
            name: name.into(),
            address: address.into(),
            port: None,
            weight: 1,
            mac: None,
            interface: 0,
            drain: false,
            backup: false,
            limit: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Pool {
    /// A pool of which nothing else is said.
    pub fn new(name: impl Into<String>, scheduler: Scheduler) -> Pool {
        Pool {
            name: name.into(),
            scheduler,
            backends: Vec::new(),
            flows: None,
            fragments: None,
            no_fragments: None,
            persist: None,
            slow_start: None,
            counters: 0,
            capacity: None,
        }
    }

    /// The backend with this id.
    pub fn backend(&self, id: u16) -> Option<&Backend> {
        // Without ids of its own a policy numbers them as they come.
        let likely = self.backends.get(usize::from(id));
        let likely = likely.filter(|backend| backend.id == id);
        likely.or_else(|| self.backends.iter().find(|backend| backend.id == id))
    }

    /// The connection table, where it is one of flows whose slots have changed.
    pub fn changed(&self) -> Option<Flows> {
        self.flows
            .filter(|flows| flows.tracking == Tracking::Changed)
    }

    /// The greatest age (seconds) of an entry that lives, in the pool's section of this kind.
    pub fn oldest(&self, kind: &str) -> Option<u32> {
        match kind {
            "flows" => self.flows.map(|flows| flows.oldest()),
            "fragments" => self.fragments.map(|fragments| fragments.life),
            "persist" => self.persist.map(|persist| persist.life),
            _ => None,
        }
    }

    /// Whether its flows are counted by backend ([`crate::loads`]).
    pub fn counts_flows(&self) -> bool {
        self.scheduler.pick().counts() || self.has_limits()
    }

    /// Whether a backend takes no more than so many flows.
    pub fn has_limits(&self) -> bool {
        self.backends.iter().any(|backend| backend.limit.is_some())
    }

    /// The number of ids that have a place: one more than the highest, or as many as the policy says.
    pub fn ids(&self) -> u32 {
        let ids = self.backends.iter().map(|backend| u32::from(backend.id));
        let needed = ids.max().map_or(0, |highest| highest + 1);
        needed.max(self.capacity.unwrap_or(0))
    }

    /// Elements of its section `backends`, a power of two: at least one more than ids, which is "none".
    pub fn records(&self) -> u32 {
        (self.ids() + 1).next_power_of_two()
    }

    /// Slots of its ring.
    pub fn slots(&self) -> u32 {
        let capacity = self.capacity.map_or(0, |capacity| capacity as usize);
        self.scheduler.ring_size(self.backends.len().max(capacity))
    }
}

/// Why a manifest could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("the manifest is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Made by another version of lvsc.
    #[error(
        "the manifest has version {found}, this lvsc reads version {VERSION}: build the policy again"
    )]
    Version {
        /// The version found.
        found: u32,
    },
}

impl Manifest {
    /// The encoding: equal manifests give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has string keys and finite numbers only")
    }

    /// Reads an encoding.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let manifest: Manifest = serde_json::from_slice(bytes)?;
        if manifest.version != VERSION {
            return Err(ManifestError::Version {
                found: manifest.version,
            });
        }
        Ok(manifest)
    }

    /// Whether everything that is numbered here is in the layout, each section of the element that it should be: one
    /// that was read from outside may say anything.
    pub fn fits(&self, layout: &Layout) -> bool {
        // Missing is fine: a policy may have no use for a section.
        let section = |name: &str, element| match layout.named(name) {
            None => Some(0),
            Some((_, found)) => (found.element == element).then_some(found.length as usize),
        };
        let holds = |name: &str, element, count| section(name, element) >= Some(count);
        section("header", Element::Header).is_some()
            && section("clock", Element::Clock).is_some()
            && holds("interfaces", Element::Interface, self.interfaces.len())
            && holds("counters", Element::Counter, self.counters.len())
            && self.keyed.iter().all(|keyed| {
                let same = self.keyed.iter().filter(|other| other.name == keyed.name);
                same.count() == 1 && keyed.fits(layout)
            })
            && layout.sections().all(|(_, section)| {
                let mut fixed = self.fixed.iter();
                let words = fixed.find(|fixed| fixed.section == section.name);
                let words = words.map(|fixed| fixed.words.len() as u32);
                words == (section.element == Element::Word).then_some(section.length)
            })
            && self.pools.iter().all(|pool| {
                let own = |kind: &str| format!("{kind}.{}", pool.name);
                let same = self.pools.iter().filter(|other| other.name == pool.name);
                let ids: BTreeSet<u16> = pool.backends.iter().map(|backend| backend.id).collect();
                let first = pool.counters as usize;
                let fits = |backend: &Backend| {
                    let id = usize::from(backend.id);
                    // One element more than backends: the last one is that of "none".
                    holds(&own("backends"), Element::Backend, id + 2)
                        && first + id < self.counters.len()
                        && usize::from(backend.interface) < self.interfaces.len()
                };
                same.count() == 1
                    && ids.len() == pool.backends.len()
                    && pool.backends.iter().all(fits)
                    && times::fit(layout, pool)
                    && section(&own("cursor"), Element::Cursor).is_some()
                    && (!pool.counts_flows()
                        || holds(&own("loads"), Element::Load, pool.ids() as usize + 1))
                    && (pool.fragments).is_none_or(|known| known.fits(&pool.name, layout))
                    && (pool.persist).is_none_or(|known| known.fits(&pool.name, layout))
                    && pool.flows.is_none_or(|flows| {
                        let element = flows.tracking.element();
                        section(&own("flows"), element).is_some()
                            && flows.idle <= IDLE_MAX
                            && flows.idle == flows.lives.longest()
                    })
            })
    }

    /// The name of the policy's own file: the first one that is not of the prelude, which alone has folders.
    pub fn policy(&self) -> Option<&str> {
        let mut own = self.files.iter().filter(|file| !file.contains('/'));
        own.next().map(String::as_str)
    }

    /// The pool with this name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// Index of the counter with this name and kind.
    pub fn counter(&self, kind: CounterKind, name: &str) -> Option<u32> {
        let found = self
            .counters
            .iter()
            .position(|c| c.kind == kind && c.name == name);
        found.map(|index| index as u32)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::kind::Kind;

    fn layout() -> Layout {
        let mut layout = Layout::new();
        layout.add("clock", Element::Clock, 1);
        layout.add("interfaces", Element::Interface, 1);
        layout.add("backends.web", Element::Backend, 4);
        layout.add("ring.web", Element::Slot, 64);
        layout.add("flows.web", Element::Flow, 8);
        layout.add("fragments.web", Element::Datagram, 16);
        layout.add("persist.web", Element::Client, 16);
        layout.add("changes.web", Element::Change, 64);
        layout.add("counters", Element::Counter, 4);
        layout.add("set.VIPS", Element::Word, 4);
        layout.add("counts.clients", Element::Counter, 8);
        layout.add("cells.clients", Element::Cell, 8);
        layout.add("keys.clients", Element::Key, 8);
        layout
    }

    fn manifest() -> Manifest {
        let backend = |id| Backend::new(id, format!("rs{id}"), [192, 0, 2, 1]);
        let counter = Counter {
            name: String::new(),
            kind: CounterKind::Backend,
        };
        Manifest {
            interfaces: vec![Interface::default()],
            pools: vec![Pool {
                name: "web".to_owned(),
                scheduler: Scheduler::Wrr,
                backends: vec![backend(0), backend(2)],
                flows: Some(Flows::new(Tracking::Every, 8, 60)),
                fragments: Some(Fragments {
                    entries: 16,
                    life: 30,
                }),
                no_fragments: None,
                persist: Some(super::persist::of(16)),
                slow_start: None,
                counters: 1,
                capacity: None,
            }],
            counters: vec![counter; 4],
            keyed: vec![clients(8)],
            fixed: vec![Fixed {
                section: "set.VIPS".to_owned(),
                words: vec![7; 4],
            }],
            ..Manifest::default()
        }
    }

    fn part(bits: u16) -> Shape {
        let kind = Kind::Number;
        Shape { bits, kind }
    }

    fn refused(what: &str, change: impl Fn(&mut Manifest)) {
        let mut changed = manifest();
        change(&mut changed);
        assert!(!changed.fits(&layout()), "{what}");
    }

    #[test]
    fn a_capacity_is_place_for_more_backends_than_there_are() {
        let mut pool = manifest().pools[0].clone();
        assert_eq!(
            (pool.ids(), pool.slots()),
            (3, 16_384),
            "the highest id is 2"
        );
        pool.capacity = Some(40);
        assert_eq!((pool.ids(), pool.slots()), (40, 65_536));
        let text = serde_json::to_string(&pool).unwrap();
        assert_eq!(serde_json::from_str::<Pool>(&text).unwrap(), pool);
        pool.capacity = None;
        assert!(!serde_json::to_string(&pool).unwrap().contains("capacity"));
    }

    #[test]
    fn what_a_manifest_numbers_must_be_in_the_layout() {
        assert!(manifest().fits(&layout()));
        refused("the record of none", |m| m.pools[0].backends[1].id = 3);
        refused("one id twice", |m| m.pools[0].backends[1].id = 0);
        refused("an interface", |m| m.pools[0].backends[0].interface = 1);
        refused("a counter", |m| m.pools[0].counters = 2);
        refused("a counter far behind", |m| m.pools[0].counters = u32::MAX);
        refused("more counters than elements", |m| {
            m.counters.extend(manifest().counters);
        });
        refused("more interfaces than elements", |m| {
            m.interfaces.extend(manifest().interfaces);
        });
        refused("more words than elements", |m| m.fixed[0].words.push(7));
        refused("fewer words than elements", |m| {
            m.fixed[0].words.truncate(3);
        });
        refused("no words", |m| m.fixed.clear());
        refused("words for another section", |m| {
            m.fixed[0].section = "ring.web".to_owned();
        });
        refused("one name twice", |m| m.pools.extend(manifest().pools));
        refused("a counter twice", |m| m.keyed.extend(manifest().keyed));
        refused("more cells than elements", |m| m.keyed[0] = clients(16));
        refused("fewer cells than elements", |m| m.keyed[0] = clients(4));
        refused("longer keys than words", |m| {
            let table = m.keyed[0].table.as_mut();
            table.expect("a table").shapes[0].extend([part(64), part(64)]);
        });
        refused("a wide key without a table", |m| m.keyed[0].table = None);
        refused("a datagram's age that cannot be told", |m| {
            let fragments = m.pools[0].fragments.as_mut();
            fragments.expect("a table").life = IDLE_MAX + 1;
        });
        refused("a client's age that cannot be told", |m| {
            let persist = m.pools[0].persist.as_mut();
            persist.expect("a table").life = IDLE_MAX + 1;
        });
        refused("an age that cannot be told", |m| {
            m.pools[0].flows = Some(Flows::new(Tracking::Every, 8, IDLE_MAX + 1));
        });
    }

    #[test]
    fn a_section_of_another_element_does_not_fit() {
        let all = layout();
        for (_, wrong) in all.sections() {
            let mut changed = Layout::new();
            for (_, section) in all.sections() {
                let element = match section.element {
                    own if section != wrong => own,
                    Element::Flow | Element::Noted | Element::Datagram | Element::Client => {
                        Element::Backend
                    }
                    Element::Header
                    | Element::Clock
                    | Element::Interface
                    | Element::Backend
                    | Element::Slot
                    | Element::Load
                    | Element::Cursor
                    | Element::Counter
                    | Element::Word
                    | Element::Cell
                    | Element::Change
                    | Element::Key => Element::Flow,
                };
                changed.add(&section.name, element, section.length);
            }
            assert!(!manifest().fits(&changed), "{}", wrong.name);
        }
    }
}
