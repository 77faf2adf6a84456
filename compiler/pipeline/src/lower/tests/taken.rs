//! Places in tables of every flow and of clients that another worker takes while this one is on its way there.

use std::cell::Cell;

use lvsc_abi::flows::{BACKEND_SHIFT, TAG_SHIFT};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{counter, load};
use lvsc_abi::manifest::{CounterKind, Limit, Persist};

use super::raced::{Raced, decide};
use super::*;
use crate::pipeline::{Client, Step};

/// The backend that the packet's own turn gives.
const OWN: u64 = 0;
/// That of its slot in the ring.
const RINGS: u64 = 1;
/// That of the other worker's packet.
const OTHERS: u64 = 2;
/// Reads of a place that is vacant: by the searches for the entry and for a place, for the word there, and by the exchange.
const READS: u32 = 4;

/// In turn, with limits, so that flows are counted, and with clients where these are asked for.
fn turns(client: bool) -> Pipeline {
    let send = Stmt::End(Outcome::Send(InterfaceRef::Ingress));
    let mut pipeline = policy(&[
        Stmt::Bind(PORT, number(7, 16)),
        Stmt::Bind(OTHER, number(0, 16)),
        Stmt::Select(TURNS, vec![Stmt::End(Outcome::Pass)]),
        send,
    ]);
    let pool = &mut pipeline.manifest.pools[usize::from(TURNS.0)];
    pool.backends[0].limit = Some(Limit {
        flows: 100,
        reopen: 100,
    });
    if client {
        pool.persist = Some(Persist {
            entries: 8,
            life: 60,
            mask: 32,
            mask6: 128,
        });
        for node in pipeline.graph.node_weights_mut() {
            if let Step::Select { client, .. } = &mut node.step {
                *client = Some(Client {
                    own: PORT,
                    quoted: OTHER,
                });
            }
        }
    }
    pipeline
}

fn run(program: &Verified, image: &mut dyn Image) {
    decide(program, &ip4(6, &tcp(40000, 80)), image);
}

/// Which backends this was counted for: packets in `counters`, or flows in `loads.turns`.
fn counted(pipeline: &Pipeline, image: &Bytes, section: &str) -> Vec<u64> {
    let (first, field) = match section {
        "counters" => (pipeline.pool(TURNS).counters, counter::PACKETS),
        _ => (0, load::COUNTS),
    };
    let section = image.layout().named(section).unwrap().1;
    let ids = 0..u64::from(BACKENDS);
    let count = |id: &u64| image.load(section.at(u64::from(first) + id, field), Width::B8);
    ids.filter(|id| count(id) == 1).collect()
}

fn given(pipeline: &Pipeline, image: &Bytes) -> Vec<u64> {
    counted(pipeline, image, "counters")
}

/// What becomes of a packet whose first place in this table is another worker's after so many of its reads, of the same flow
/// or client or of another one. The judge is shown the image without a winner, and the one behind the race.
fn raced(
    (section, client): (&str, bool),
    reads: u32,
    prepare: impl Fn(&mut Bytes, u64),
    mut judge: impl FnMut(&Pipeline, (u32, bool), [&Bytes; 2]),
) {
    let pipeline = turns(client);
    let mut image = World::new(pipeline.clone()).image;
    let loads = image.layout().named("loads.turns").unwrap().1.clone();
    for id in 0..u64::from(BACKENDS) {
        image.store(loads.at(id, load::LIMIT), Width::B4, 100);
    }
    let plain = lowered(&pipeline).unwrap();
    let at = image.layout().named(section).unwrap().1.at(0, 0);
    for program in [plain.clone(), optimize(plain, &layout(&pipeline))] {
        let mut alone = image.clone();
        run(&program, &mut alone);
        assert_eq!(given(&pipeline, &alone), [OWN]);
        // The other worker's packet is of the same second and kind.
        let written = alone.load(at, Width::B8) ^ (OWN ^ OTHERS) << BACKEND_SHIFT;
        let others = written ^ 1 << TAG_SHIFT;
        let mut image = image.clone();
        prepare(&mut image, others);
        for (free, same) in (0..reads).flat_map(|free| [(free, true), (free, false)]) {
            let mut raced = Raced {
                image: image.clone(),
                at,
                free,
                reads: Cell::new(0),
                winner: if same { written } else { others },
            };
            run(&program, &mut raced);
            assert!(raced.reads.get() > free, "nobody was faster");
            judge(&pipeline, (free, same), [&alone, &raced.image]);
        }
    }
}

#[test]
fn a_flow_has_the_backend_of_the_worker_that_was_faster_or_another_place() {
    let table = ("flows.turns", false);
    raced(
        table,
        READS,
        |_, _| {},
        |pipeline, (free, same), [alone, image]| {
            let backend = if same { OTHERS } else { OWN };
            assert_eq!(given(pipeline, image), [backend], "{free} {same}");
            // Who writes an entry counts it.
            let own: &[u64] = if same { &[] } else { &[OWN] };
            assert_eq!(
                counted(pipeline, image, "loads.turns"),
                own,
                "{free} {same}"
            );
            let entries = image.layout().named(table.0).unwrap().1;
            let next = image.load(entries.at(1, 0), Width::B8);
            let wanted = if same {
                0
            } else {
                alone.load(entries.at(0, 0), Width::B8)
            };
            assert_eq!(next, wanted, "{free} {same}");
        },
    );
}

#[test]
fn a_flow_that_loses_the_last_place_is_refused_and_goes_where_it_was_to_go() {
    let table = ("flows.turns", false);
    let fill = |image: &mut Bytes, others| {
        let entries = image.layout().named(table.0).unwrap().1.clone();
        for index in 1..u64::from(entries.length) {
            image.store(entries.at(index, 0), Width::B8, others);
        }
    };
    raced(table, READS, fill, |pipeline, (free, same), [_, image]| {
        let backend = match (same, free) {
            (true, _) => OTHERS,
            // Its turn is not asked for.
            (false, 0 | 1) => RINGS,
            (false, _) => OWN,
        };
        assert_eq!(given(pipeline, image), [backend], "{free} {same}");
        assert_eq!(counted(pipeline, image, "loads.turns"), [0; 0]);
        let refused = pipeline.manifest.counter(CounterKind::Refused, "turns");
        let counters = image.layout().named("counters").unwrap().1;
        let refused = counters.at(refused.unwrap().into(), counter::PACKETS);
        let refused = image.load(refused, Width::B8);
        assert_eq!(refused, u64::from(!same), "{free} {same}");
    });
}

#[test]
fn a_client_has_the_backend_of_the_worker_that_was_faster_and_takes_nobodys_place() {
    // It is looked for once more when its backend is chosen.
    let table = ("persist.turns", true);
    raced(
        table,
        READS + 1,
        |_, _| {},
        |pipeline, (free, same), [_, image]| {
            let backend = if same { OTHERS } else { OWN };
            assert_eq!(given(pipeline, image), [backend], "{free} {same}");
        },
    );
}
