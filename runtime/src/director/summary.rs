//! What a director did, in numbers: its own, and those of the image's counters.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use lvsc_abi::cells;
use lvsc_abi::engine::{Engine, EngineError};
use lvsc_abi::image::{Count, count};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{CounterKind, Manifest};

use crate::io::Loss;
use crate::sweep;
use crate::world::World;

/// The reason of frames that the packet IO could not send.
const UNSENT: &str = "unsent";

/// What the director counts itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) send: u64,
    pub(super) drop: u64,
    pub(super) pass: u64,
    pub(super) unsent: u64,
    pub(super) ignored: u64,
    lost: BTreeMap<Loss, u64>,
    spent: Duration,
    decided: u64,
    failures: u64,
    failure: Option<EngineError>,
}

impl Tally {
    pub(super) fn losses(&mut self, losses: &[Loss]) {
        for loss in losses {
            *self.lost.entry(*loss).or_default() += 1;
        }
    }

    pub(super) fn spent(&mut self, time: Duration, packets: usize) {
        self.spent += time;
        self.decided += packets as u64;
    }

    /// Adds what another one counted.
    fn add(&mut self, other: &Tally) {
        self.send += other.send;
        self.drop += other.drop;
        self.pass += other.pass;
        self.unsent += other.unsent;
        self.ignored += other.ignored;
        for (loss, packets) in &other.lost {
            *self.lost.entry(*loss).or_default() += packets;
        }
        self.spent += other.spent;
        self.decided += other.decided;
        self.failures += other.failures;
        if self.failure.is_none() {
            self.failure.clone_from(&other.failure);
        }
    }

    /// Notes a failure; says whether it was the first.
    pub(super) fn failed(&mut self, error: &EngineError) -> bool {
        self.failures += 1;
        let first = self.failure.is_none();
        self.failure.get_or_insert_with(|| error.clone());
        first
    }
}

/// What a director did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Frames that arrived while the datapath was on: `send + drop + pass`.
    pub frames: u64,
    /// Frames sent.
    pub send: u64,
    /// Frames dropped: by the policy, by an engine that failed, or as one of the losses among [`Summary::reasons`].
    pub drop: u64,
    /// Frames left to the kernel.
    pub pass: u64,
    /// Frames that arrived while the datapath was off.
    pub ignored: u64,
    /// Frames that were lost before the director saw them, because it was too slow; not among [`Summary::frames`].
    pub overrun: u64,
    /// Dropped frames by reason; reasons that did not occur are left out. Besides those of the policy: `oversize`,
    /// `truncated`, `unsent` (the IO could not send it).
    pub reasons: BTreeMap<String, u64>,
    /// What the policy's own counters say, in its order.
    pub counters: Vec<(String, Count)>,
    /// The cells that counted something, of the policy's counters with keys, in its order.
    pub keyed: Vec<KeyedSummary>,
    /// The backends, in the order of the policy.
    pub backends: Vec<BackendSummary>,
    /// The pools that note flows whose slots have changed, in the order of the policy.
    pub pools: Vec<PoolSummary>,
    /// Packets given to the engine.
    pub decided: u64,
    /// Packets that each thread gave to its engine, the director's own first; none where the engine takes them by itself.
    pub threads: Vec<u64>,
    /// Time that the decisions took, without handing the packets to the engine where it can tell.
    pub spent: Duration,
    /// Batches in which the engine failed on a packet.
    pub failures: u64,
    /// The first failure.
    pub failure: Option<EngineError>,
}

/// What a counter with keys counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedSummary {
    /// Its name.
    pub name: String,
    /// What its cells are told apart by: `tcp.dst`.
    pub key: Vec<String>,
    /// The values of each cell that is not 0, as people read them, and what it counted.
    pub cells: Vec<(String, Count)>,
    /// What was counted without a cell, because none was free; `None` where each value has one.
    pub others: Option<Count>,
}

/// What a backend was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendSummary {
    /// Its pool's name.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// Its own address.
    pub address: IpAddr,
    /// The MAC of its next hop; without it the backend gets no packets.
    pub mac: Option<Mac>,
    /// Packets and bytes given to it.
    pub count: Count,
    /// Flows that name it and have not expired; `None` where its pool has no connection table.
    pub flows: Option<u64>,
}

/// How far a pool is with changes of its backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSummary {
    /// Its name.
    pub name: String,
    /// Slots of the ring some of whose flows may be noted for another backend.
    pub changing: u64,
    /// All slots of the ring.
    pub slots: u32,
}

impl Summary {
    /// Of an engine that takes packets by itself: what the policy's counters tell. Packets left to the kernel are not
    /// counted there.
    pub(super) fn of_counters(self) -> Summary {
        let send = self
            .backends
            .iter()
            .map(|backend| backend.count.packets)
            .sum();
        let drop = self.reasons.values().sum();
        Summary {
            frames: send + drop,
            send,
            drop,
            threads: Vec::new(),
            ..self
        }
    }

    /// Nanoseconds that the decision on a packet took; `None` before the first.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn nanoseconds_per_packet(&self) -> Option<f64> {
        (self.decided > 0).then(|| self.spent.as_nanos() as f64 / self.decided as f64)
    }

    /// The backends that get no packets because their next hop is not known.
    pub fn without_mac(&self) -> impl Iterator<Item = &BackendSummary> {
        self.backends.iter().filter(|backend| backend.mac.is_none())
    }
}

/// The summary of what was counted by each thread and in the image.
pub(super) fn of(
    threads: &[Tally],
    manifest: &Manifest,
    world: &World,
    engine: &dyn Engine,
) -> Summary {
    let mut tally = Tally::default();
    for thread in threads {
        tally.add(thread);
    }
    let lost: u64 = tally.lost.values().sum();
    let drop = tally.drop + tally.unsent + lost;
    let policy = manifest
        .counters
        .iter()
        .zip(0..)
        .filter(|(c, _)| c.kind == CounterKind::Policy);
    Summary {
        frames: tally.send + drop + tally.pass,
        send: tally.send,
        drop,
        pass: tally.pass,
        ignored: tally.ignored,
        overrun: 0,
        reasons: reasons(&tally, manifest, engine),
        counters: policy
            .map(|(c, id)| (c.name.clone(), count(engine.image(), id)))
            .collect(),
        keyed: keyed(manifest, engine),
        backends: backends(manifest, world, engine),
        pools: pools(manifest, engine),
        decided: tally.decided,
        threads: threads.iter().map(|thread| thread.decided).collect(),
        spent: tally.spent,
        failures: tally.failures,
        failure: tally.failure,
    }
}

fn reasons(tally: &Tally, manifest: &Manifest, engine: &dyn Engine) -> BTreeMap<String, u64> {
    let counted = (manifest.counters.iter().zip(0..))
        .filter(|(counter, _)| counter.kind == CounterKind::Reason)
        .map(|(counter, id)| (counter.name.as_str(), count(engine.image(), id).packets));
    let lost = tally
        .lost
        .iter()
        .map(|(loss, packets)| (loss.name(), *packets));
    let mut reasons = BTreeMap::new();
    for (name, packets) in counted.chain(lost).chain([(UNSENT, tally.unsent)]) {
        if packets > 0 {
            *reasons.entry(name.to_owned()).or_default() += packets;
        }
    }
    reasons
}

fn keyed(manifest: &Manifest, engine: &dyn Engine) -> Vec<KeyedSummary> {
    let each = manifest.keyed.iter().map(|keyed| {
        let others = manifest.counter(CounterKind::Others, &keyed.name);
        KeyedSummary {
            name: keyed.name.clone(),
            key: keyed.key.iter().map(|part| part.name.clone()).collect(),
            cells: cells::counted(engine.image(), keyed),
            others: others.map(|others| count(engine.image(), others)),
        }
    });
    each.collect()
}

fn pools(manifest: &Manifest, engine: &dyn Engine) -> Vec<PoolSummary> {
    let each = manifest.pools.iter();
    each.filter(|pool| pool.changed().is_some())
        .map(|pool| PoolSummary {
            name: pool.name.clone(),
            changing: sweep::changing(pool, engine.image()),
            slots: pool.slots(),
        })
        .collect()
}

fn backends(manifest: &Manifest, world: &World, engine: &dyn Engine) -> Vec<BackendSummary> {
    let pools = manifest.pools.iter().zip(&world.pools);
    let each = pools.flat_map(|(pool, states)| {
        let live = sweep::live(pool, world.seconds, engine.image());
        let rows = pool.backends.iter().zip(states);
        rows.map(move |(backend, state)| BackendSummary {
            pool: pool.name.clone(),
            name: backend.name.clone(),
            address: backend.address,
            mac: state.mac,
            count: count(engine.image(), pool.counters + u32::from(backend.id)),
            flows: (live.as_ref()).map(|live| live.get(&backend.id).copied().unwrap_or(0)),
        })
    });
    each.collect()
}
