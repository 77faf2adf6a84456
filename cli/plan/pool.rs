//! One pool before and after a change: its shares, the slots that move, and what becomes of its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::slot;
use lvsc_abi::manifest::{Backend, Limit, Pool};
use lvsc_abi::scheduler::Pick;
use lvsc_pipeline::pipeline::{Pipeline, Step};
use lvsc_pipeline::words;
use lvsc_runtime::engine::carry::{self, Carried};
use serde::Serialize;

use super::lines::{self, Line};

/// Whether a pool is in both policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// In the new one alone.
    Added,
    /// In the old one alone.
    Removed,
    /// In both.
    Kept,
}

/// What a change does to a pool. Shares are from 0 to 1.
#[derive(Debug, Serialize)]
pub struct PoolPlan {
    /// Its name.
    pub name: String,
    /// Whether it is in both policies.
    pub life: Life,
    /// The scheduler, and the table: `maglev, flows auto`.
    pub kind: String,
    /// What is said otherwise of it as a whole.
    pub lines: Vec<Line>,
    /// What the backends' shares are of, where they are not of the flows that come.
    pub shares: Option<&'static str>,
    /// Where packets go that name their backend.
    pub named: Option<&'static str>,
    /// The backends of both policies.
    pub backends: Vec<Change>,
    /// Slots of the ring that name another backend, and of how many; `None` where a slot says nothing of a flow.
    pub slots: Option<Slots>,
    /// What becomes of the connections that there are.
    pub connections: Option<Connections>,
}

/// A backend before and after.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// What is said of it otherwise than before.
    pub what: Vec<What>,
    /// Its share of flows before, where there is one.
    pub before: Option<f64>,
    /// Its share of new flows.
    pub after: Option<f64>,
}

/// What is said otherwise of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// Its weight.
    Weight(u32, u32),
    /// By what packets name it.
    Id(u16, u16),
    /// How many flows it takes.
    Limit(Option<Limit>, Option<Limit>),
    /// It drains.
    Drained,
    /// It does not drain any more.
    Undrained,
    /// It is for need alone, or no longer.
    Backup(bool),
    /// Its address: it is another host.
    Address,
    /// Its MAC, port or interface.
    Way,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Added => "added",
            What::Removed => "removed",
            What::Weight(before, after) => return write!(f, "weight {before} -> {after}"),
            What::Id(before, after) => return write!(f, "id {before} -> {after}"),
            What::Limit(before, after) => {
                return write!(f, "{} -> {}", limit(*before), limit(*after));
            }
            What::Drained => "drains",
            What::Undrained => "drains no more",
            What::Backup(true) => "only where no other can",
            What::Backup(false) => "serves as others do",
            What::Address => "another address",
            What::Way => "another MAC, port or interface",
        })
    }
}

/// As a policy says it.
fn limit(limit: Option<Limit>) -> String {
    limit.map_or_else(
        || "no limit".to_owned(),
        |Limit { flows, reopen }| format!("limit {flows} reopen {reopen}"),
    )
}

/// Slots that move.
#[derive(Debug, Serialize)]
pub struct Slots {
    /// All of them.
    pub all: usize,
    /// Those that name another backend.
    pub moved: usize,
    /// From which backend to which, by name; `None` is nobody.
    pub moves: Vec<Move>,
}

/// Slots that go from one backend to another.
#[derive(Debug, Serialize)]
pub struct Move {
    /// Whose they were.
    pub from: Option<String>,
    /// Whose they are.
    pub to: Option<String>,
    /// How many.
    pub slots: usize,
}

/// What becomes of connections, each slot with as many: shares of all.
#[derive(Debug, Default, Serialize)]
pub struct Connections {
    /// They stay, for the ring says so.
    pub stay: f64,
    /// They stay, for a table has them.
    pub held: f64,
    /// They break.
    pub breaks: f64,
    /// Why they break.
    pub why: BTreeSet<String>,
    /// Flows that an earlier change has noted are forgotten.
    pub forgets: bool,
}

impl PoolPlan {
    /// A pool that only one of the policies has.
    pub fn of_one(pool: &Pool, life: Life) -> PoolPlan {
        PoolPlan {
            name: pool.name.clone(),
            life,
            kind: kind(pool),
            lines: Vec::new(),
            shares: None,
            named: None,
            backends: Vec::new(),
            slots: None,
            connections: None,
        }
    }
}

/// The scheduler, and the table: `maglev, flows auto`.
fn kind(pool: &Pool) -> String {
    let flows = lines::said(pool.flows);
    let persist = pool.persist.map_or("", |_| ", persist");
    format!("{}, flows {flows}{persist}", pool.scheduler)
}

/// The backend of each slot of a pool's ring, by its name.
pub fn ring(pool: &Pool, image: &Bytes) -> Vec<Option<String>> {
    let Some(section) = image.layout().of_pool("ring", &pool.name) else {
        return Vec::new();
    };
    let each = 0..u64::from(section.length);
    let name = |index| {
        let word = image.load(section.at(index, 0), Width::B4);
        let known = pool.backend((word & slot::BACKEND) as u16)?;
        Some(known.name.clone())
    };
    each.map(name).collect()
}

/// How a policy asks a pool.
#[derive(Default)]
pub struct Asked {
    /// By what flows are told apart wherever a backend of it is selected. When it is by which of these is no part of it: that a
    /// pool takes fragments otherwise tells whole packets no other way apart.
    keys: BTreeSet<String>,
    /// Somewhere packets name their backend.
    by_id: bool,
}

impl Asked {
    /// How this one asks the pool of this name.
    pub fn of(pipeline: &Pipeline, name: &str) -> Asked {
        let is_it = |pool| pipeline.pool(pool).name == name;
        let mut asked = Asked::default();
        for node in pipeline.graph.node_weights() {
            match &node.step {
                Step::Select { pool, key, .. } if is_it(*pool) => {
                    let words = pipeline.choice(*key).alternatives.iter().map(|known| {
                        let parts = known.key.iter();
                        let parts = parts.map(|part| words::expression(pipeline, part));
                        parts.collect::<Vec<_>>().join(", ")
                    });
                    asked.keys.extend(words);
                }
                Step::Named { pool, .. } => asked.by_id |= is_it(*pool),
                Step::Select { .. }
                | Step::Parse(_)
                | Step::Match(_)
                | Step::Let(..)
                | Step::Hash(..)
                | Step::Follow { .. }
                | Step::Remember { .. }
                | Step::Rewrite(..)
                | Step::Count(_)
                | Step::CountCell(..)
                | Step::CountKey(..)
                | Step::Verdict(_) => {}
            }
        }
        asked
    }
}

type Ring = [Option<String>];
/// How many slots, or pairs of them, lead from whom to whom.
type Pairs<'a> = BTreeMap<(Option<&'a str>, Option<&'a str>), usize>;

/// A pool of both policies, with its rings.
pub fn compared(
    (was, before): (&Pool, &Ring),
    (pool, after): (&Pool, &Ring),
    asked: &[Asked; 2],
    carried: &Carried,
) -> PoolPlan {
    let [old, new] = asked;
    let same_key = old.keys.is_subset(&new.keys);
    let named = asked.each_ref().map(|asked| asked.by_id);
    let by_hash = [was, pool].map(|pool| pool.scheduler.pick() == Pick::Hash) == [true; 2];
    let slots = (same_key && by_hash).then(|| side_by_side(before, after));
    // Who is not found by a slot may get any backend.
    let pairs = slots.clone().unwrap_or_else(|| crossed(before, after));
    let Otherwise { lines, backends } = otherwise(was, pool, asked, carried);
    PoolPlan {
        name: pool.name.clone(),
        life: Life::Kept,
        kind: kind(pool),
        lines,
        shares: lines::of_shares(pool.scheduler),
        named: lines::of_named(named),
        backends: changes((was, before), (pool, after), backends),
        connections: Some(connections((was, pool), &pairs, same_key, carried)),
        slots: slots.map(|pairs| moved(&pairs)),
    }
}

/// Whether the pool's table of this kind goes on.
fn is_kept(carried: &Carried, kind: &str, pool: &Pool) -> bool {
    carried.kept.contains(&format!("{kind}.{}", pool.name))
}

/// Each slot of the longer ring, in both.
fn side_by_side<'a>(before: &'a Ring, after: &'a Ring) -> Pairs<'a> {
    let mut pairs = Pairs::new();
    for (from, to) in carry::side_by_side(before, after) {
        *pairs.entry((from.as_deref(), to.as_deref())).or_default() += 1;
    }
    pairs
}

/// Each slot of one with each of the other.
fn crossed<'a>(before: &'a Ring, after: &'a Ring) -> Pairs<'a> {
    let [before, after] = [before, after].map(|ring| {
        let mut shares: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for backend in ring {
            *shares.entry(backend.as_deref()).or_default() += 1;
        }
        shares
    });
    let mut pairs = Pairs::new();
    for (from, slots) in &before {
        pairs.extend(
            after
                .iter()
                .map(|(to, others)| ((*from, *to), slots * others)),
        );
    }
    pairs
}

fn moved(pairs: &Pairs<'_>) -> Slots {
    let moves = pairs.iter().filter(|((from, to), _)| from != to);
    let moves: Vec<Move> = moves
        .map(|((from, to), slots)| Move {
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            slots: *slots,
        })
        .collect();
    Slots {
        all: pairs.values().sum(),
        moved: moves.iter().map(|one| one.slots).sum(),
        moves,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "far fewer than 2^52 pairs of slots"
)]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

/// The backends of both pools, with their shares.
fn changes(
    (was, before): (&Pool, &Ring),
    (pool, after): (&Pool, &Ring),
    backends: Vec<(String, Vec<What>)>,
) -> Vec<Change> {
    let part = |pool: &Pool, ring: &Ring, name: &str| {
        let own = ring
            .iter()
            .filter(|backend| backend.as_deref() == Some(name));
        lines::has_shares(pool.scheduler).then(|| share(own.count(), ring.len()))
    };
    let each = backends.into_iter().map(|(name, what)| Change {
        before: part(was, before, &name),
        after: part(pool, after, &name),
        name,
        what,
    });
    each.collect()
}

/// What a policy says otherwise of a pool.
pub struct Otherwise {
    /// Of it as a whole.
    pub lines: Vec<Line>,
    /// Of each backend of both policies by its name, those that are gone last.
    pub backends: Vec<(String, Vec<What>)>,
}

/// What the second policy says otherwise of a pool than the first, once it has taken over. A backend's id is told where packets
/// name it by that in both.
pub fn otherwise(was: &Pool, pool: &Pool, asked: &[Asked; 2], carried: &Carried) -> Otherwise {
    let named = asked.iter().all(|asked| asked.by_id);
    let of = |pool: &Pool, name: &str| -> Option<Backend> {
        let mut known = pool.backends.iter();
        known.find(|known| known.name == name).cloned()
    };
    let gone = was
        .backends
        .iter()
        .filter(|known| of(pool, &known.name).is_none());
    let all = pool.backends.iter().chain(gone);
    let each = all.map(|backend| {
        let both = [was, pool].map(|pool| of(pool, &backend.name));
        (backend.name.clone(), told(&both, named))
    });
    Otherwise {
        lines: lines::lines(was, pool, |kind| is_kept(carried, kind, pool)),
        backends: each.collect(),
    }
}

fn told(both: &[Option<Backend>; 2], named: bool) -> Vec<What> {
    let (before, after) = match both {
        [None, _] => return vec![What::Added],
        [_, None] => return vec![What::Removed],
        [Some(before), Some(after)] => (before, after),
    };
    let way = |backend: &Backend| (backend.mac, backend.port, backend.interface);
    let mut told = Vec::new();
    if before.weight != after.weight {
        told.push(What::Weight(before.weight, after.weight));
    }
    if before.limit != after.limit {
        told.push(What::Limit(before.limit, after.limit));
    }
    match (before.drain, after.drain) {
        (false, true) => told.push(What::Drained),
        (true, false) => told.push(What::Undrained),
        (true, true) | (false, false) => {}
    }
    if before.backup != after.backup {
        told.push(What::Backup(after.backup));
    }
    if before.address != after.address {
        told.push(What::Address);
    } else if way(before) != way(after) {
        told.push(What::Way);
    }
    if named && before.id != after.id {
        told.push(What::Id(before.id, after.id));
    }
    told
}

fn connections(
    (was, pool): (&Pool, &Pool),
    pairs: &Pairs<'_>,
    same_key: bool,
    carried: &Carried,
) -> Connections {
    let kept = |kind: &str| is_kept(carried, kind, pool);
    let remembers = was.changed().is_some() && pool.changed().is_some() && kept("ring");
    let has_all = |pool: &Pool| pool.flows.is_some() && pool.changed().is_none();
    let masks = |pool: &Pool| Some((pool.persist?.mask, pool.persist?.mask6));
    let same_clients = masks(was).is_some() && masks(was) == masks(pool) && kept("persist");
    let by_client = [was, pool].map(|pool| pool.flows.is_none()) == [true; 2] && same_clients;
    let by_flow = remembers || has_all(was) && has_all(pool) && kept("flows");
    let holds = by_client || same_key && by_flow;
    let mut found = Connections {
        forgets: remembers && !kept("flows"),
        ..Connections::default()
    };
    let all = pairs.iter().filter(|((from, _), _)| from.is_some());
    let all: usize = all.map(|(_, slots)| slots).sum();
    for ((from, to), slots) in pairs {
        let Some(from) = from else { continue };
        let part = share(*slots, all);
        let one = |pool: &Pool| {
            pool.backends
                .iter()
                .find(|known| known.name == *from)
                .map(|known| known.address)
        };
        let why = match (one(was), one(pool)) {
            (_, None) => Some(format!("{from} is gone")),
            (before, now) if before != now => Some(format!("{from} is another host")),
            _ if Some(*from) == *to => None,
            _ if holds => {
                found.held += part;
                continue;
            }
            _ => Some(unheld((was, pool), same_key).to_owned()),
        };
        match why {
            None => found.stay += part,
            Some(why) => {
                found.breaks += part;
                found.why.insert(why);
            }
        }
    }
    found
}

/// Why no table keeps connections where they are.
fn unheld((was, pool): (&Pool, &Pool), same_key: bool) -> &'static str {
    if !same_key {
        "flows are told apart by something else"
    } else if pool.flows.is_none() {
        "there is no table of flows"
    } else if was.flows.is_none() {
        "there was no table of flows"
    } else if was.changed().is_some() != pool.changed().is_some() {
        "the table is of another kind"
    } else if pool.changed().is_some() {
        "the ring is smaller"
    } else {
        "the table is larger, and says how many flows backends have"
    }
}
