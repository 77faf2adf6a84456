//! What a packet is predicted to cost, as text.

use std::collections::BTreeMap;

use lvsc_abi::place::Place;
use lvsc_ir::cost::{self, Model, Way};

use crate::compile::Compiled;
use crate::failure::Failure;
use crate::ui::table;

/// Numbers of flows for which a cost is told.
const FLOWS: [(&str, u64); 3] = [
    ("1 flow", 1),
    ("64K flows", 64 << 10),
    ("1M flows", 1 << 20),
];

/// The model of a target.
pub fn model(target: &str) -> Result<Model, Failure> {
    Model::of(target).ok_or_else(|| Failure::Unknown {
        kind: "target",
        name: target.to_owned(),
        known: Model::ALL.iter().map(|model| model.target).collect(),
    })
}

/// A line for each way that packets take: its steps, the lines of the image, nanoseconds.
pub fn table(compiled: &Compiled, model: Model) -> String {
    let ways = cost::ways(&compiled.program, &compiled.layout);
    let mut head = vec!["way".to_owned(), "steps".to_owned(), "lines".to_owned()];
    head.extend(FLOWS.map(|(name, _)| name.to_owned()));
    let mut rows = vec![head];
    rows.extend(ways.iter().map(|way| row(way, compiled, model)));
    let mut text = format!("ns per packet on {}, predicted\n\n", model.target);
    for line in table::align(&rows) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn row(way: &Way, compiled: &Compiled, model: Model) -> Vec<String> {
    let lines: u32 = way.lines.values().sum();
    let mut row = vec![
        way.name.to_owned(),
        way.steps.to_string(),
        lines.to_string(),
    ];
    row.extend(FLOWS.map(|(_, flows)| {
        let cost = model.packet(way, &compiled.layout, flows);
        format!("{cost:.1}")
    }));
    row
}

/// What each construct of the policy costs (ns) a packet of a flow that comes often, by its place: that of the way that such a
/// packet takes.
pub fn places(compiled: &Compiled, model: Model) -> BTreeMap<Place, f64> {
    let ways = cost::ways(&compiled.program, &compiled.layout);
    let way = ways.iter().rfind(|way| way.is_steady).or(ways.first());
    let places = way.map(|way| way.places.clone()).unwrap_or_default();
    let places = places.into_iter();
    places
        .map(|(place, steps)| (place, model.steps(steps)))
        .collect()
}
