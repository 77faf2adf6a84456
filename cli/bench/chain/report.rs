//! The figures of a chain: as lines for people, as data for programs.

use serde_json::{Value, json};

use super::super::entrants::Missing;
use super::super::report::machine;
use super::{Outcome, Spread, rounds, swap};
use crate::bench::machine::Machine;
use crate::ui::table::align_right;

/// A figure as a row and as data.
pub trait Figure {
    /// What the measurement is called in data.
    const KIND: &'static str;
    /// What stands above the rows.
    const COLUMNS: &'static [&'static str];
    /// The words above all.
    const TITLE: &'static str;

    /// The cells of its row.
    fn cells(&self) -> Vec<String>;
    /// The same as data.
    fn data(&self) -> Value;
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

/// In hundredths of a percent; what is less is not nothing.
fn share(share: f64) -> String {
    if share > 0.0 && share < 0.0001 {
        "<0.01 %".to_owned()
    } else {
        format!("{:.2} %", share * 100.0)
    }
}

/// To hundredths: what is behind them is noise.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn spread(spread: Option<Spread>) -> Value {
    spread.map_or(Value::Null, |Spread { min, median, max }| {
        json!({ "min": rounded(min), "median": rounded(median), "max": rounded(max) })
    })
}

impl Figure for rounds::Figure {
    const KIND: &'static str = "chain";
    const TITLE: &'static str =
        "from a generator to the director and back; 1000 packets a second, ns of CPU a packet";
    const COLUMNS: &'static [&'static str] =
        &["best", "median", "CPU min", "median", "own", "lost"];

    fn cells(&self) -> Vec<String> {
        let thousands = |of: fn(Spread) -> f64| cell(self.rate.map(|rate| of(rate) / 1000.0), 0);
        vec![
            self.name.clone(),
            thousands(|rate| rate.max),
            thousands(|rate| rate.median),
            cell(self.cost.map(|cost| cost.min), 1),
            cell(self.cost.map(|cost| cost.median), 1),
            cell(self.own(), 1),
            share(self.lost()),
        ]
    }

    fn data(&self) -> Value {
        json!({
            "name": self.name,
            "role": self.role.name(),
            "packets_per_second": spread(self.rate),
            "cpu": spread(self.cost),
            "floor": self.floor.map(rounded),
            "own": self.own().map(rounded),
            "sent": self.sent,
            "came": self.came,
        })
    }
}

impl Figure for swap::Figure {
    const KIND: &'static str = "swap";
    const TITLE: &'static str = "replaced under load; ms a swap, minimum/median/maximum";
    const COLUMNS: &'static [&'static str] = &[
        "swaps", "packets", "1000/s", "lost", "overrun", "compile", "load", "exchange",
    ];

    fn cells(&self) -> Vec<String> {
        let times = |times: Option<Spread>| {
            times.map_or("-".to_owned(), |Spread { min, median, max }| {
                format!("{min:.2}/{median:.2}/{max:.2}")
            })
        };
        vec![
            self.name.clone(),
            self.swaps.to_string(),
            self.sent.to_string(),
            format!("{:.0}", self.rate / 1000.0),
            self.lost().to_string(),
            self.overrun.to_string(),
            times(self.compile),
            times(self.load),
            times(self.exchange),
        ]
    }

    fn data(&self) -> Value {
        json!({
            "name": self.name,
            "swaps": self.swaps,
            "sent": self.sent,
            "came": self.came,
            "packets_per_second": rounded(self.rate),
            "lost": self.lost(),
            "overrun": self.overrun,
            "compile": spread(self.compile),
            "load": spread(self.load),
            "exchange": spread(self.exchange),
        })
    }
}

/// All of a policy as lines.
pub fn lines<T: Figure>(outcome: &Outcome<T>) -> Vec<String> {
    let flows = if outcome.flows.0 == 1 {
        "flow"
    } else {
        "flows"
    };
    let mut lines = vec![format!(
        "{}, {} bytes, {} {flows}: {}",
        outcome.policy,
        outcome.bytes,
        outcome.flows,
        T::TITLE
    )];
    let head = std::iter::once("").chain(T::COLUMNS.iter().copied());
    let mut rows = vec![head.map(str::to_owned).collect()];
    rows.extend(outcome.figures.iter().map(Figure::cells));
    let table = align_right(&rows).into_iter();
    lines.extend(table.map(|row| format!("  {row}")));
    lines.push(String::new());
    lines.push(format!("packet  {}", outcome.packet));
    lines.extend(outcome.notes.iter().map(|note| format!("note    {note}")));
    lines.extend(outcome.missing.iter().flat_map(Missing::lines));
    lines
}

/// All of them as data.
pub fn data<T: Figure>(here: &Machine, rounds: u32, outcomes: &[Outcome<T>]) -> Value {
    let policy = |outcome: &Outcome<T>| {
        json!({
            "policy": outcome.policy,
            "packet": outcome.packet,
            "frame_bytes": outcome.bytes,
            "flows": outcome.flows.0,
            "results": outcome.figures.iter().map(Figure::data).collect::<Vec<_>>(),
            "missing": outcome.missing.iter().map(Missing::data).collect::<Vec<_>>(),
            "notes": outcome.notes,
        })
    };
    json!({
        "version": 1,
        "kind": T::KIND,
        "machine": machine(here),
        "lvsc": env!("CARGO_PKG_VERSION"),
        "optimized": !cfg!(debug_assertions),
        "rounds": rounds,
        "policies": outcomes.iter().map(policy).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_a_million_is_not_nothing() {
        let shares = [0.0, 1e-6, 0.0544, 1.0].map(share);
        assert_eq!(shares, ["0.00 %", "<0.01 %", "5.44 %", "100.00 %"]);
    }
}
