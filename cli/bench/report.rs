//! The figures: as bars for people, as data for programs.

use lvsc_abi::engine::BATCH;
use serde_json::{Value, json};

use super::entrants::{Missing, Role};
use super::machine::Machine;
use super::measure::{Caches, Figure, Outcome};
use crate::ui::chart::{Bar, Chart, Group};

/// Bars of the figures with hot caches, and of those with cold ones.
pub fn charts(outcome: &Outcome) -> Vec<Chart> {
    [Caches::Hot, Caches::Cold]
        .into_iter()
        .map(|caches| chart(outcome, caches))
        .collect()
}

fn chart(outcome: &Outcome, caches: Caches) -> Chart {
    let figures = || {
        let all = outcome.figures.iter();
        all.filter(move |figure| figure.caches == caches)
    };
    // The reference is not made to be fast: drawn to its scale, nothing else would be seen.
    let fast = figures().filter(|figure| figure.role != Role::Reference);
    let longest = |figures: &mut dyn Iterator<Item = &Figure>| {
        let medians = figures.map(|figure| figure.median);
        medians.fold(0.0, f64::max)
    };
    let scale = Some(longest(&mut fast.into_iter())).filter(|scale| *scale > 0.0);
    let scale = scale.unwrap_or_else(|| longest(&mut figures()));
    let mut groups: Vec<Group> = Vec::new();
    let mut last = None;
    for figure in figures() {
        if last != Some(figure.flows) {
            last = Some(figure.flows);
            let noun = if figure.flows.0 == 1 { "flow" } else { "flows" };
            groups.push(Group {
                head: format!("{} {noun}, {}", figure.flows, caches.name()),
                bars: Vec::new(),
            });
        }
        if let Some(group) = groups.last_mut() {
            group.bars.push(bar(figure));
        }
    }
    let state = match caches {
        Caches::Hot => "caches as the packets before have left them",
        Caches::Cold => "caches emptied before each batch",
    };
    Chart {
        title: format!(
            "{}, {} bytes, {}: ns a packet, {state}",
            outcome.policy, outcome.bytes, outcome.verdict
        ),
        columns: vec!["min", "median", "own"],
        groups,
        scale,
    }
}

/// What a packet takes of the one that is measured, and behind it what it takes of the kernel and the feeder.
fn bar(figure: &Figure) -> Bar {
    let (own, light) = match (figure.role, figure.floor) {
        (Role::Floor, _) => (0.0, figure.median),
        (_, Some(floor)) => (own(figure), floor),
        (_, None) => (figure.median, 0.0),
    };
    let own_words = match figure.role {
        Role::Floor => "-".to_owned(),
        Role::Baseline | Role::Reference | Role::Engine | Role::Object => format!("{own:.1}"),
    };
    Bar {
        name: figure.name.clone(),
        own,
        light,
        figures: vec![
            format!("{:.1}", figure.min),
            format!("{:.1}", figure.median),
            own_words,
        ],
    }
}

/// The median without the floor.
fn own(figure: &Figure) -> f64 {
    (figure.median - figure.floor.unwrap_or(0.0)).max(0.0)
}

/// What is said below the bars.
pub fn words(outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![
        format!("packet  {}", outcome.packet),
        format!("flows   differ in {}", outcome.varies.join(", ")),
    ];
    if outcome.figures.iter().any(|figure| figure.floor.is_some()) {
        lines.push(
            "floor   what the kernel takes for a program that does nothing; `own` is the median without it"
                .to_owned(),
        );
    }
    lines.extend(outcome.notes.iter().map(|note| format!("note    {note}")));
    lines.extend(outcome.missing.iter().flat_map(Missing::lines));
    lines
}

impl Missing {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let first = format!("missing {}: {}", self.name, self.why);
        let remedy = self.remedy.iter().map(|remedy| format!("        {remedy}"));
        std::iter::once(first).chain(remedy).collect()
    }

    /// For programs.
    pub fn data(&self) -> Value {
        json!({ "name": self.name, "why": self.why, "remedy": self.remedy })
    }
}

/// The machine as data.
pub fn machine(machine: &Machine) -> Value {
    json!({
        "processor": machine.processor,
        "cpus": machine.cpus,
        "virtual": machine.is_virtual,
        "cache_bytes": machine.cache,
        "kernel": machine.kernel,
    })
}

/// All of it as data.
pub fn data(here: &Machine, rounds: u32, outcomes: &[Outcome]) -> Value {
    json!({
        "version": 1,
        "unit": "ns/packet",
        "machine": machine(here),
        "lvsc": env!("CARGO_PKG_VERSION"),
        "optimized": !cfg!(debug_assertions),
        "rounds": rounds,
        "batch": BATCH,
        "policies": outcomes.iter().map(policy).collect::<Vec<_>>(),
    })
}

fn policy(outcome: &Outcome) -> Value {
    let missing = outcome.missing.iter().map(Missing::data);
    json!({
        "policy": outcome.policy,
        "packet": outcome.packet,
        "frame_bytes": outcome.bytes,
        "verdict": outcome.verdict,
        "varies": outcome.varies,
        "results": outcome.figures.iter().map(result).collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
        "notes": outcome.notes,
    })
}

fn result(figure: &Figure) -> Value {
    let own = match figure.role {
        Role::Floor => None,
        Role::Baseline | Role::Reference | Role::Engine | Role::Object => Some(own(figure)),
    };
    json!({
        "name": figure.name,
        "role": figure.role.name(),
        "flows": figure.flows.0,
        "caches": figure.caches.name(),
        "verdict": figure.verdict,
        "packets": figure.packets,
        "min": rounded(figure.min),
        "median": rounded(figure.median),
        "floor": figure.floor.map(rounded),
        "own": own.map(rounded),
    })
}

/// To hundredths: what is behind them is noise.
fn rounded(time: f64) -> f64 {
    (time * 100.0).round() / 100.0
}
