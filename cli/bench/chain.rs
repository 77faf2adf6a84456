//! Measures the whole way of a packet: from a generator by a wire to a director and back. Each way of forwarding has a wire
//! of its own, and all stand at the same time.
//!
//! ```text
//! ways      who forwards, and what is not here
//! directed  a director of ours
//! rules     the kernel's own rules, by hand
//! rounds    how fast packets come back, and what one costs
//! swap      one engine replaces another, under load
//! report    the figures as lines and as data
//! ```

mod directed;
pub mod report;
pub mod rounds;
mod rules;
pub mod swap;
mod ways;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lvsc_abi::manifest::{Backend, Manifest, Pool};
use lvsc_abi::train::Train;
use lvsc_abi::verdict::Verdict;

pub use self::ways::check;
use super::entrants::Missing;
use super::measure::Wanted;
use super::packets::{self, Came};
use crate::args::Flows;
use crate::failure::Failure;
use crate::policy::Checked;

/// A policy, and the packets that are sent.
pub struct Subject<'a> {
    checked: &'a Checked,
    /// Those that replace it, one after the other, and are replaced by it in turn.
    next: Vec<&'a Checked>,
    train: Train,
    ingress: u8,
    /// The first packet in notation.
    packet: String,
    /// What the policy decides of each.
    verdict: Verdict,
    flows: Flows,
    /// A signal asks to end.
    stop: Arc<AtomicBool>,
}

impl<'a> Subject<'a> {
    /// A policy with the packets of its tests, or with this one. One number of flows can be asked for.
    pub fn of(
        checked: &'a Checked,
        given: Option<Came>,
        wanted: &Wanted<'_>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Subject<'a>, Failure> {
        let [flows] = wanted.flows.as_slice() else {
            return Err(Failure::Told {
                what: "one train goes over a wire, of one number of flows".to_owned(),
                remedy: Some("give `--flows` one number".to_owned()),
            });
        };
        let chosen = packets::of_policy(checked, given, flows.0)?;
        Ok(Subject {
            checked,
            next: Vec::new(),
            train: chosen.train,
            ingress: chosen.ingress,
            packet: chosen.packet,
            verdict: chosen.verdict,
            flows: *flows,
            stop: Arc::clone(stop),
        })
    }

    /// Replaced by these in turn. They are put on the same devices, so they must have the same interfaces; and nobody on the
    /// wire answers for backends, so what the first director was taught must do for all.
    pub fn replaced_by(self, next: Vec<&'a Checked>) -> Result<Subject<'a>, Failure> {
        type List = fn(&Manifest) -> Vec<String>;
        let lists: [(&str, List); 2] = [
            ("interfaces", interfaces),
            ("backends without a MAC", asked_for),
        ];
        for (noun, list) in lists {
            let own = list(&self.checked.pipeline.manifest);
            let differs = |other: &&&Checked| list(&other.pipeline.manifest) != own;
            if let Some(other) = next.iter().find(differs) {
                let (other, first) = (&other.text.path, &self.checked.text.path);
                let own = if own.is_empty() {
                    "none".to_owned()
                } else {
                    own.join(", ")
                };
                return Err(Failure::Told {
                    what: format!("{other} cannot replace {first}: it has other {noun}"),
                    remedy: Some(format!("{noun} of the first: {own}")),
                });
            }
        }
        Ok(Subject { next, ..self })
    }

    /// The policy that comes with a swap, from 0.
    fn swapped(&self, swap: u32) -> &'a Checked {
        let each = self.next.iter().copied().chain([self.checked]);
        let all = self.next.len() + 1;
        each.cycle()
            .nth(swap as usize % all)
            .unwrap_or(self.checked)
    }
}

fn interfaces(manifest: &Manifest) -> Vec<String> {
    let interfaces = manifest.interfaces.iter();
    interfaces.map(|interface| interface.name.clone()).collect()
}

/// The backends whose MACs no policy fixes, in order of their names.
fn asked_for(manifest: &Manifest) -> Vec<String> {
    let of_pool = |pool: &Pool| {
        let asked_for = pool.backends.iter().filter(|backend| backend.mac.is_none());
        let name =
            |backend: &Backend| format!("{}.{} {}", pool.name, backend.name, backend.address);
        asked_for.map(name).collect::<Vec<_>>()
    };
    let mut all: Vec<String> = manifest.pools.iter().flat_map(of_pool).collect();
    all.sort();
    all
}

/// What was found out about a policy.
pub struct Outcome<T> {
    /// What people call it.
    pub policy: String,
    /// The first packet, in notation.
    pub packet: String,
    /// Its bytes.
    pub bytes: usize,
    /// Number of flows.
    pub flows: Flows,
    /// The figures, one for each way.
    pub figures: Vec<T>,
    /// The ways that were not measured.
    pub missing: Vec<Missing>,
    /// What one must know to read the figures.
    pub notes: Vec<String>,
}

impl<T> Outcome<T> {
    fn new(subject: &Subject<'_>, figures: Vec<T>, missing: Vec<Missing>) -> Outcome<T> {
        let mut notes = Vec::new();
        if subject.verdict != Verdict::Send {
            let verdict = subject.verdict;
            notes.push(format!(
                "the policy does not send the packet: its verdict is {verdict}"
            ));
        }
        if cfg!(debug_assertions) {
            notes.push("this lvsc is not optimized (`cargo build --release`)".to_owned());
        }
        let policies = std::iter::once(&subject.checked).chain(&subject.next);
        let policies: Vec<&str> = policies.map(|one| one.text.path.as_str()).collect();
        Outcome {
            policy: policies.join(" and "),
            packet: subject.packet.clone(),
            bytes: subject.train.frame.len(),
            flows: subject.flows,
            figures,
            missing,
            notes,
        }
    }
}

/// The smallest, what lies in the middle, and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// As above.
    pub min: f64,
    /// As above.
    pub median: f64,
    /// As above.
    pub max: f64,
}

impl Spread {
    /// Of these; `None` where there are none.
    fn of(values: &[f64]) -> Option<Spread> {
        let extreme = |choose: fn(f64, f64) -> f64| values.iter().copied().reduce(choose);
        Some(Spread {
            min: extreme(f64::min)?,
            median: super::measure::median(values),
            max: extreme(f64::max)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_what_there_is() {
        let (min, median, max) = (1.0, 2.5, 9.0);
        let spread = Spread { min, median, max };
        assert_eq!(Spread::of(&[2.0, 9.0, 1.0, 3.0]), Some(spread));
        assert_eq!(Spread::of(&[]), None);
    }
}
