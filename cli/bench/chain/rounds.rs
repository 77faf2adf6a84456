//! How fast packets come back by each way, and what one costs: in rounds, as the engines are measured.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lvsc_runtime::lab::load::Sent;

use super::super::entrants::Role;
use super::super::measure::Wanted;
use super::ways::{self, Way};
use super::{Outcome, Spread, Subject};
use crate::failure::Failure;
use crate::ui::progress::Progress;

/// How long a round of one way takes, and the most packets of it.
const TRIAL: Duration = Duration::from_millis(200);
const PACKETS: u64 = 1_000_000;
/// How long each flow is seen once before anything is timed.
const FIRST: Duration = Duration::from_millis(500);
/// Where the floor has a CPU for less of its time, something else has it, or the kernel counts otherwise.
const WHOLE: f64 = 0.7;

/// The figures of a way.
pub struct Figure {
    /// What people call it.
    pub name: String,
    /// What it is to the others.
    pub role: Role,
    /// Packets that came back in a second; `None` where none did.
    pub rate: Option<Spread>,
    /// CPU time of a packet that came back (nanoseconds); `None` where none did, or it cannot be told.
    pub cost: Option<Spread>,
    /// The floor's median cost, where this is not the floor itself.
    pub floor: Option<f64>,
    /// Packets sent in all rounds.
    pub sent: u64,
    /// Those that came back.
    pub came: u64,
}

impl Figure {
    /// The median without the floor.
    pub fn own(&self) -> Option<f64> {
        let (cost, floor) = self.cost.zip(self.floor)?;
        Some((cost.median - floor).max(0.0))
    }

    /// The share of packets that did not come back.
    pub fn lost(&self) -> f64 {
        self.sent.saturating_sub(self.came) as f64 / self.sent.max(1) as f64
    }
}

/// What is measured of a way, as it comes.
#[derive(Default)]
struct Taken {
    rates: Vec<f64>,
    costs: Vec<f64>,
    /// Of the time, the share in which this process had a CPU.
    shares: Vec<f64>,
    sent: u64,
    came: u64,
}

impl Taken {
    fn add(&mut self, sent: &Sent) {
        self.sent += sent.sent;
        self.came += sent.came;
        let (packets, seconds) = (sent.came as f64, sent.elapsed.as_secs_f64());
        if seconds <= 0.0 {
            return;
        }
        self.rates.push(packets / seconds);
        if let Some(busy) = sent.busy.filter(|_| sent.came > 0) {
            self.costs.push(busy.as_nanos() as f64 / packets);
            self.shares.push(busy.as_secs_f64() / seconds);
        }
    }
}

/// Measures all ways; `None` where a signal asks to end.
pub fn measure(
    subject: &Subject<'_>,
    wanted: &Wanted<'_>,
    progress: &mut Progress,
) -> Result<Option<Outcome<Figure>>, Failure> {
    let (ways, missing) = ways::all(subject, &wanted.engines)?;
    let flood = |way: &Way, packets, time| {
        let sent = way.load.flood(packets, time, &subject.stop);
        sent.map_err(|error| Failure::told(format_args!("{}: nothing is sent: {error}", way.name)))
    };
    for way in &ways {
        flood(way, u64::from(subject.train.flows).max(1 << 12), FIRST)?;
    }
    let mut taken: Vec<Taken> = ways.iter().map(|_| Taken::default()).collect();
    for round in 0..wanted.rounds {
        progress.at(round as usize, wanted.rounds as usize);
        for (way, taken) in ways.iter().zip(&mut taken) {
            taken.add(&flood(way, PACKETS, TRIAL)?);
            if subject.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
    }
    let floor = ways.iter().zip(&taken);
    let floor = floor
        .filter(|(way, _)| way.role == Role::Floor)
        .find_map(|(_, taken)| Spread::of(&taken.costs).zip(Spread::of(&taken.shares)));
    let each = ways.into_iter().zip(&taken).map(|(way, taken)| Figure {
        floor: floor
            .filter(|_| way.role != Role::Floor)
            .map(|(cost, _)| cost.median),
        name: way.name,
        role: way.role,
        rate: Spread::of(&taken.rates).filter(|_| taken.came > 0),
        cost: Spread::of(&taken.costs),
        sent: taken.sent,
        came: taken.came,
    });
    let mut outcome = Outcome::new(subject, each.collect(), missing);
    match floor {
        None => outcome
            .notes
            .push("CPU times are not told: the kernel's threads cannot be seen, or nothing came back".to_owned()),
        Some((_, shares)) if shares.max < WHOLE => outcome.notes.push(format!(
            "the floor had a CPU for {:.0} % of its time at most: others were at work; or the kernel counts interrupts \
             apart (CONFIG_IRQ_TIME_ACCOUNTING), then CPU times are too low",
            shares.max * 100.0
        )),
        Some(_) => {}
    }
    Ok(Some(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_in_which_nothing_comes_back_is_one() {
        let second = Duration::from_secs(1);
        let mut taken = Taken::default();
        for came in [100, 0] {
            taken.add(&Sent {
                sent: 100,
                came,
                elapsed: second,
                busy: Some(second),
            });
        }
        assert_eq!(taken.rates, [100.0, 0.0]);
        assert_eq!(taken.costs, [1e7], "no packet, no cost of one");
        assert_eq!((taken.sent, taken.came), (200, 100));
    }
}
