//! Places in tables of every flow and of clients that another worker takes while this one is on its way there.

use std::cell::Cell;

use lvsc_abi::flows::{BACKEND_SHIFT, TAG_SHIFT};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::counter;
use lvsc_abi::manifest::Persist;

use super::raced::{Raced, decide};
use super::*;
use crate::pipeline::{Client, Step};

/// The backend that the packet's own turn gives.
const OWN: u64 = 0;
/// That of the other worker's packet.
const OTHERS: u64 = 2;
/// Reads of a place that is vacant: by the searches for the entry and for a place, for the word there, and by the exchange.
const READS: u32 = 4;

/// In turn, with clients where these are asked for.
fn turns(client: bool) -> Pipeline {
    let send = Stmt::End(Outcome::Send(InterfaceRef::Ingress));
    let mut pipeline = policy(&[
        Stmt::Bind(PORT, number(7, 16)),
        Stmt::Bind(OTHER, number(0, 16)),
        Stmt::Select(TURNS, vec![Stmt::End(Outcome::Pass)]),
        send,
    ]);
    if client {
        let pool = &mut pipeline.manifest.pools[usize::from(TURNS.0)];
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

/// Which backend the packet was counted for.
fn given(pipeline: &Pipeline, image: &Bytes) -> Vec<u64> {
    let counters = image.layout().named("counters").unwrap().1;
    let first = u64::from(pipeline.pool(TURNS).counters);
    let ids = 0..u64::from(BACKENDS);
    let count = |id: &u64| image.load(counters.at(first + id, counter::PACKETS), Width::B8);
    ids.filter(|id| count(id) == 1).collect()
}

/// What becomes of a packet whose first place in this table is another worker's after so many of its reads, of the same flow
/// or client or of another one.
fn raced((section, client): (&str, bool), mut judge: impl FnMut(u32, bool, Vec<u64>)) {
    let pipeline = turns(client);
    let image = World::new(pipeline.clone()).image;
    let plain = lowered(&pipeline).unwrap();
    let table = image.layout().named(section).unwrap().1.clone();
    let at = table.at(0, 0);
    for program in [plain.clone(), optimize(plain, &layout(&pipeline))] {
        let mut alone = image.clone();
        run(&program, &mut alone);
        assert_eq!(given(&pipeline, &alone), [OWN]);
        // The other worker's packet is of the same second and kind.
        let written = alone.load(at, Width::B8) ^ (OWN ^ OTHERS) << BACKEND_SHIFT;
        for (free, same) in (0..READS).flat_map(|free| [(free, true), (free, false)]) {
            let winner = if same {
                written
            } else {
                written ^ 1 << TAG_SHIFT
            };
            let mut raced = Raced {
                image: image.clone(),
                at,
                free,
                reads: Cell::new(0),
                winner,
            };
            run(&program, &mut raced);
            assert!(raced.reads.get() > free, "nobody was faster");
            judge(free, same, given(&pipeline, &raced.image));
            if !client {
                // A flow that lost its place has the next one.
                let next = raced.image.load(table.at(1, 0), Width::B8);
                let wanted = if same { 0 } else { alone.load(at, Width::B8) };
                assert_eq!(next, wanted, "{free} {same}");
            }
        }
    }
}

#[test]
fn a_flow_has_the_backend_of_the_worker_that_was_faster_and_takes_nobodys_place() {
    raced(("flows.turns", false), |free, same, given| {
        assert_eq!(given, [if same { OTHERS } else { OWN }], "{free} {same}");
    });
}

#[test]
fn a_client_has_the_backend_of_the_worker_that_was_faster_and_takes_nobodys_place() {
    raced(("persist.turns", true), |free, same, given| {
        assert_eq!(given, [if same { OTHERS } else { OWN }], "{free} {same}");
    });
}
