//! Rounds: in each, everyone is measured once, so a machine that gets slower for a while gets slower for all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lvsc_abi::engine::BATCH;
use lvsc_abi::notation::describe;
use lvsc_abi::train::Train;
use lvsc_abi::verdict::Verdict;

use super::entrants::{self, Asked, Entrant, Missing, Role};
use super::machine::Eviction;
use super::packets::{self, Came, TRIED};
use crate::args::{Against, Flows};
use crate::failure::Failure;
use crate::policy::Checked;
use crate::ui::progress::Progress;

/// Numbers of flows, rounds and swaps, where nobody says them.
const FLOWS: &[Flows] = &[Flows(1), Flows(1 << 16), Flows(1 << 20)];
const WIRE: &[Flows] = &[Flows(1 << 16)];
const ROUNDS: u32 = 11;
const SWAPS: u32 = 50;
/// How long a round of one takes with full caches, and how much of it goes before (nanoseconds).
const TRIAL: u128 = 16_000_000;
const BEFORE: u32 = 4;
/// So many packets at a time each flow is seen once before anything is timed, for so long at most: the reference takes
/// seconds for a million.
const SOME: u32 = 1 << 16;
const FIRST: Duration = Duration::from_millis(500);
/// Packets that are timed to know how many a trial takes.
const ESTIMATE: u32 = 8 * BATCH as u32;
/// Most packets of a trial.
const TRIAL_MAX: u32 = 1 << 22;
/// So many times a round the caches are emptied for each.
const EVICTIONS: u32 = 2;

/// What is asked for.
pub struct Wanted<'a> {
    /// The engines.
    pub engines: Asked,
    /// What else.
    pub against: &'a [Against],
    /// Numbers of flows, rising.
    pub flows: Vec<Flows>,
    /// Rounds.
    pub rounds: u32,
    /// Packets sent each second while engines are replaced.
    pub rate: u64,
    /// Percent of each ring's slots that have just changed.
    pub changed: u8,
}

impl Wanted<'_> {
    /// What these arguments ask for.
    pub fn of(args: &crate::args::Bench) -> Result<Wanted<'_>, Failure> {
        let mut flows = args.flows.clone();
        if flows.is_empty() {
            flows.extend(if args.on_wire() { WIRE } else { FLOWS });
        }
        flows.sort_unstable();
        flows.dedup();
        Ok(Wanted {
            engines: Asked::named(&args.target)?,
            against: &args.against,
            flows,
            rate: args.rate,
            changed: args.changed,
            rounds: args
                .rounds
                .unwrap_or(if args.swap { SWAPS } else { ROUNDS }),
        })
    }
}

/// What the caches hold when packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caches {
    /// What the packets before have left there.
    Hot,
    /// Nothing of ours: emptied before each batch.
    Cold,
}

impl Caches {
    /// As it is said.
    pub const fn name(self) -> &'static str {
        match self {
            Caches::Hot => "hot",
            Caches::Cold => "cold",
        }
    }
}

/// The times of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What people call it.
    pub name: String,
    /// What it is to the others.
    pub role: Role,
    /// Number of flows.
    pub flows: Flows,
    /// The caches.
    pub caches: Caches,
    /// What it makes of the last packet.
    pub verdict: Verdict,
    /// Packets of a trial.
    pub packets: u32,
    /// Nanoseconds a packet: the shortest of all rounds, and the median.
    pub min: f64,
    /// As above.
    pub median: f64,
    /// The floor's median, where its time is in these.
    pub floor: Option<f64>,
}

/// What was measured of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What people call it.
    pub policy: String,
    /// The first packet, in notation.
    pub packet: String,
    /// Its bytes.
    pub bytes: usize,
    /// What the policy decides of it.
    pub verdict: Verdict,
    /// Fields in which flows differ.
    pub varies: Vec<&'static str>,
    /// The figures: by flows, then hot before cold.
    pub figures: Vec<Figure>,
    /// Who was not measured.
    pub missing: Vec<Missing>,
    /// What one must know to read the figures.
    pub notes: Vec<String>,
}

/// Measures a policy, with the packets of its tests or with this one.
pub fn policy(
    checked: &Checked,
    given: Option<Came>,
    wanted: &Wanted<'_>,
    eviction: &mut Eviction,
    progress: &mut Progress,
) -> Result<Outcome, Failure> {
    let (pipeline, path) = (&checked.pipeline, &checked.text.path);
    let manifest = &pipeline.manifest;
    let most = wanted.flows.last().map_or(1, |flows| flows.0);
    let chosen = packets::of_policy(checked, given, most)?;
    let worlds = entrants::changed(manifest, chosen.ingress, wanted.changed);
    let (mut entrants, missing) =
        entrants::all(checked, &worlds, &chosen, &wanted.engines, wanted.against)?;
    let mut figures = Vec::new();
    for (done, flows) in wanted.flows.iter().enumerate() {
        let train = Train {
            flows: flows.0,
            ..chosen.train.clone()
        };
        let right = packets::decided(pipeline, &worlds, &train, chosen.ingress)?;
        agree(&mut entrants, &train, &right)?;
        let steps = (done as u32 * wanted.rounds, wanted.flows.len() as u32);
        let mut at = |round: u32| {
            let all = steps.1 * wanted.rounds;
            progress.at((steps.0 + round) as usize, all as usize);
        };
        figures.extend(rounds(
            &mut entrants,
            (*flows, &train),
            wanted.rounds,
            eviction,
            &mut at,
        )?);
    }
    Ok(Outcome {
        policy: path.clone(),
        packet: chosen.packet,
        bytes: chosen.train.frame.len(),
        verdict: chosen.verdict,
        varies: chosen.train.marks.iter().map(|mark| mark.field).collect(),
        notes: notes(checked, wanted, &figures, chosen.verdict),
        figures,
        missing,
    })
}

/// Has everyone decide the first packets. An engine that decides otherwise than the reference is a fault; what was
/// written by hand then does not fit the policy, and goes.
fn agree(
    entrants: &mut Vec<Entrant>,
    train: &Train,
    right: &[super::lane::Decided],
) -> Result<(), Failure> {
    let mut strangers = Vec::new();
    for entrant in entrants.iter_mut() {
        entrant.lane.begin(train)?;
        if matches!(entrant.role, Role::Floor | Role::Object) {
            continue;
        }
        for (number, right) in right.iter().enumerate() {
            let found = entrant.lane.next()?;
            if found == *right {
                continue;
            }
            if entrant.role == Role::Baseline {
                strangers.push(entrant.name.clone());
                break;
            }
            return Err(Failure::Bug {
                what: format!(
                    "{} decides packet {number} otherwise than the reference, so its times mean nothing: {}, {}; and not {}, {}",
                    entrant.name,
                    found.verdict,
                    describe(&found.frame),
                    right.verdict,
                    describe(&right.frame),
                ),
            });
        }
    }
    entrants.retain(|entrant| !strangers.contains(&entrant.name));
    Ok(())
}

/// The times of one, as they come.
struct Times {
    packets: u32,
    verdict: Verdict,
    hot: Vec<f64>,
    cold: Vec<f64>,
}

fn rounds(
    entrants: &mut [Entrant],
    (flows, train): (Flows, &Train),
    rounds: u32,
    eviction: &mut Eviction,
    at: &mut dyn FnMut(u32),
) -> Result<Vec<Figure>, Failure> {
    let mut times = Vec::with_capacity(entrants.len());
    for entrant in entrants.iter_mut() {
        times.push(prepare(entrant, train)?);
    }
    for round in 0..rounds {
        at(round);
        for (entrant, times) in entrants.iter_mut().zip(&mut times) {
            entrant.lane.run(times.packets / BEFORE, &mut || {})?;
            let taken = entrant.lane.run(times.packets, &mut || {})?;
            times.hot.push(each(taken, times.packets));
        }
        for (entrant, times) in entrants.iter_mut().zip(&mut times) {
            let mut taken = Duration::ZERO;
            for _ in 0..EVICTIONS {
                taken += entrant.lane.run(BATCH as u32, &mut || eviction.evict())?;
            }
            times.cold.push(each(taken, EVICTIONS * BATCH as u32));
        }
    }
    let floor = entrants
        .iter()
        .zip(&times)
        .find(|(entrant, _)| entrant.role == Role::Floor)
        .map(|(_, times)| (median(&times.hot), median(&times.cold)));
    let mut figures = Vec::new();
    for caches in [Caches::Hot, Caches::Cold] {
        for (entrant, times) in entrants.iter().zip(&times) {
            let (all, packets) = match caches {
                Caches::Hot => (&times.hot, times.packets),
                Caches::Cold => (&times.cold, EVICTIONS * BATCH as u32),
            };
            let floor = floor.filter(|_| entrant.is_behind && entrant.role != Role::Floor);
            figures.push(Figure {
                name: entrant.name.clone(),
                role: entrant.role,
                flows,
                caches,
                verdict: times.verdict,
                packets,
                min: all.iter().copied().fold(f64::INFINITY, f64::min),
                median: median(all),
                floor: floor.map(|(hot, cold)| match caches {
                    Caches::Hot => hot,
                    Caches::Cold => cold,
                }),
            });
        }
    }
    Ok(figures)
}

/// Begins anew, sees each flow, and finds out how many packets a trial takes.
fn prepare(entrant: &mut Entrant, train: &Train) -> Result<Times, Failure> {
    let lane = &mut entrant.lane;
    lane.begin(train)?;
    let (begin, mut seen) = (Instant::now(), 0);
    while seen < train.flows.max(TRIED) && begin.elapsed() < FIRST {
        let some = (train.flows - seen.min(train.flows)).clamp(TRIED, SOME);
        lane.run(some, &mut || {})?;
        seen += some;
    }
    let estimate = lane.run(ESTIMATE, &mut || {})?.as_nanos().max(1);
    let packets = TRIAL * u128::from(ESTIMATE) / estimate;
    let batches = packets.min(u128::from(TRIAL_MAX)) as u32 / BATCH as u32;
    Ok(Times {
        packets: batches.max(1) * BATCH as u32,
        verdict: lane.next()?.verdict,
        hot: Vec::new(),
        cold: Vec::new(),
    })
}

/// Nanoseconds a packet.
fn each(taken: Duration, packets: u32) -> f64 {
    taken.as_nanos() as f64 / f64::from(packets)
}

/// What lies in the middle.
pub(super) fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let (low, high) = (times.len().saturating_sub(1) / 2, times.len() / 2);
    let at = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(low), at(high))
}

fn notes(
    checked: &Checked,
    wanted: &Wanted<'_>,
    figures: &[Figure],
    verdict: Verdict,
) -> Vec<String> {
    let mut notes = Vec::new();
    if wanted.changed > 0 {
        notes.push(format!(
            "the backends have just changed, {} percent of each ring's slots have moved",
            wanted.changed
        ));
    }
    let most = wanted.flows.last().copied().unwrap_or(Flows(1));
    for pool in &checked.pipeline.manifest.pools {
        let asked = match pool.changed() {
            Some(_) => most.0 / 100 * u32::from(wanted.changed),
            None => most.0,
        };
        if let Some(table) = pool.flows.filter(|table| table.entries < asked) {
            notes.push(format!(
                "pool `{}` remembers {} flows: of {most} the others are looked for in vain",
                pool.name, table.entries
            ));
        }
    }
    let others: BTreeMap<&str, Verdict> = figures
        .iter()
        .filter(|figure| figure.role == Role::Object && figure.verdict != verdict)
        .map(|figure| (figure.name.as_str(), figure.verdict))
        .collect();
    notes.extend(others.iter().map(|(name, other)| {
        format!("{name} does not {verdict} the packet: its verdict is {other}")
    }));
    if cfg!(debug_assertions) {
        notes.push(
            "this lvsc is not optimized (`cargo build --release`): interp and rust are slower than they need be"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
