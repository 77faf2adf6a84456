//! What the control plane pays for keeping a connection table clean: a round of the sweep, in this process, on an image in its
//! memory. A round takes fifteen seconds, a part of it each second.

use lvsc_abi::flows::Entry;
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{Element, Layout};
use lvsc_abi::manifest::{Backend, Flows, Manifest, Pool, Tracking};
use lvsc_abi::scheduler::Scheduler;
use lvsc_runtime::sweep::Sweeper;

use crate::rings::fastest;
use crate::tables::{grouped, head, row};

/// Numbers of entries.
const SIZES: [u32; 3] = [1 << 16, 1 << 20, 1 << 22];
const IDLE: u32 = 900;
/// Seconds of a round.
const ROUND: u64 = 15;

/// The table, for numbers of entries up to one. The text ends with an empty line.
pub fn table(most: u32, rounds: u32) -> String {
    let columns = ["empty, ms", "all live, ms", "all expired, ms"];
    let mut text = head(&["entries"], &columns.map(str::to_owned));
    for entries in SIZES.into_iter().filter(|entries| *entries <= most) {
        let times = [
            round(entries, rounds, None),
            round(entries, rounds, Some(1000)),
            round(entries, rounds, Some(10)),
        ];
        let times = times.map(|time| format!("{time:.2}"));
        text += &row([grouped(entries.into())].into_iter().chain(times));
    }
    format!("### A round of the sweep\n\n{text}\n")
}

/// Milliseconds of the fastest round over a table whose entries were all seen at one second, if it has any.
fn round(entries: u32, rounds: u32, seen: Option<u16>) -> f64 {
    let flows = Flows::new(Tracking::Every, entries, IDLE);
    let manifest = Manifest {
        pools: vec![Pool {
            backends: (0..8)
                .map(|id| Backend::new(id, format!("rs{id}"), [10, 0, 0, 1]))
                .collect(),
            flows: Some(flows),
            ..Pool::new("web", Scheduler::Wrr)
        }],
        ..Manifest::default()
    };
    let mut layout = Layout::new();
    layout.add("flows.web", Element::Flow, entries);
    let table = layout
        .named("flows.web")
        .map(|(_, section)| section.clone());
    let mut image = Bytes::new(layout);
    let fill = |image: &mut Bytes| {
        let (Some(seen), Some(section)) = (seen, &table) else {
            return;
        };
        for index in 0..entries {
            let entry = Entry {
                tag: index,
                backend: (index % 8) as u16,
                seconds: seen.wrapping_sub(flows.rest(IDLE) as u16),
                flags: 0,
            };
            image.store(section.at(index.into(), 0), Width::B8, entry.to_bits());
        }
    };
    let fastest = (0..rounds).map(|_| {
        fill(&mut image);
        let mut sweeper = Sweeper::default();
        fastest(1, |_| {
            sweeper.advance(&manifest, (1000, 1000 + ROUND), &mut image);
        })
    });
    fastest.min().unwrap_or_default().as_secs_f64() * 1e3
}
