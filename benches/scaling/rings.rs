//! What the control plane pays for a change of the backends: the ring, and the whole image. Measured in this process, on an
//! image in its memory.

use std::time::{Duration, Instant};

use lvsc_abi::image::Bytes;
use lvsc_abi::layout::{Element, Layout};
use lvsc_abi::manifest::{Backend, Flows, Manifest, Pool, Tracking};
use lvsc_abi::publish::publish;
use lvsc_abi::scheduler::{Candidate, RING_MAX, Scheduler};
use lvsc_abi::world::World;

use crate::tables::{grouped, head, row};

/// Numbers of backends.
const SIZES: [u32; 4] = [10, 100, 1000, 10_000];
/// Weights from 1 to this are as many different ones as a ring has place for beside others of a thousand backends.
const WEIGHTS: u32 = 358;

/// The table, for numbers of backends up to one. The text ends with an empty line.
pub fn table(most: u32, rounds: u32) -> String {
    let columns = [
        "maglev",
        "wrr, equal",
        "wrr, weights 1 to 10",
        "wrr, 1 to 358",
        "rendezvous",
        "publish, `flows off`",
        "publish, `flows auto`",
    ];
    let mut text = head(
        &["backends"],
        &columns.map(|column| format!("{column}, ms")),
    );
    for count in SIZES.into_iter().filter(|count| *count <= most) {
        let fill = |scheduler: Scheduler, weights| {
            let candidates = candidates(count, weights);
            fastest(rounds, |_| drop(scheduler.fill(&candidates, RING_MAX)))
        };
        let times = [
            fill(Scheduler::Maglev, 1),
            fill(Scheduler::Wrr, 1),
            fill(Scheduler::Wrr, 10),
            fill(Scheduler::Wrr, WEIGHTS),
            fill(Scheduler::Rendezvous, 1),
            published(count, rounds, None),
            published(count, rounds, Some(Tracking::Changed)),
        ];
        let times = times.map(|time| format!("{:.2}", time.as_secs_f64() * 1e3));
        text += &row([grouped(count.into())].into_iter().chain(times));
    }
    format!("### Rings of 65,536 slots\n\n{text}\n")
}

fn candidates(count: u32, weights: u32) -> Vec<Candidate> {
    let each = 0..count;
    each.map(|number| Candidate {
        id: number as u16,
        name: format!("rs{number}"),
        weight: 1 + number % weights,
    })
    .collect()
}

/// The time in which an image gets to say that a backend is gone, or is back, by turns.
fn published(count: u32, rounds: u32, tracking: Option<Tracking>) -> Duration {
    let flows = tracking.map(|tracking| Flows::new(tracking, 1 << 18, 7200));
    let backends = (0..count).map(|id| {
        let [.., high, low] = id.to_be_bytes();
        Backend::new(id as u16, format!("rs{id}"), [10, 0, high, low])
    });
    let manifest = Manifest {
        pools: vec![Pool {
            backends: backends.collect(),
            flows,
            ..Pool::new("web", Scheduler::Maglev)
        }],
        ..Manifest::default()
    };
    let mut layout = Layout::new();
    layout.add("clock", Element::Clock, 1);
    layout.add("backends.web", Element::Backend, count + 1);
    layout.add("ring.web", Element::Slot, RING_MAX);
    if let Some(flows) = flows {
        layout.add("changes.web", Element::Change, RING_MAX);
        layout.add("flows.web", flows.tracking.element(), flows.entries);
    }
    let mut image = Bytes::new(layout);
    let mut world = World::for_tests(&manifest);
    publish(&manifest, &world, &mut image);
    fastest(rounds, |round| {
        if let Some(state) = world.backend_mut(&manifest, "web", "rs3") {
            state.up = round % 2 == 1;
        }
        publish(&manifest, &world, &mut image);
    })
}

/// The time of the fastest round.
pub fn fastest(rounds: u32, mut what: impl FnMut(u32)) -> Duration {
    let times = (0..rounds).map(|round| {
        let begin = Instant::now();
        what(round);
        begin.elapsed()
    });
    times.min().unwrap_or_default()
}
