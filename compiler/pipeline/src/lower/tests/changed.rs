//! Flows whose slots have changed, where another worker is faster with their place.

use std::cell::Cell;

use lvsc_abi::flows::{BACKEND_SHIFT, TAG_SHIFT};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{counter, slot};
use lvsc_abi::manifest::{CounterKind, Tracking};

use super::raced::{Raced, decide};
use super::*;
use crate::pipeline::Signs;

const PREVIOUS: u64 = 0;
const NEW: u64 = 1;
const THIRD: u64 = 2;

/// Packets open their flows, and all slots of the pool have changed long ago.
fn moving() -> (Pipeline, Bytes) {
    let send = Stmt::End(Outcome::Send(InterfaceRef::Ingress));
    let mut pipeline = policy(&[Stmt::Select(KEPT, vec![Stmt::End(Outcome::Pass)]), send]);
    for alternative in pipeline
        .choices
        .iter_mut()
        .flat_map(|c| &mut c.alternatives)
    {
        alternative.signs = Some(Signs::Opening(Expr::TRUE));
    }
    let pool = &mut pipeline.manifest.pools[usize::from(KEPT.0)];
    let flows = pool.flows.as_mut().unwrap();
    flows.tracking = Tracking::Changed;
    let mut image = World::new(pipeline.clone()).image;
    let ring = image.layout().named("ring.kept").unwrap().1.clone();
    for index in 0..u64::from(ring.length) {
        let word = NEW | PREVIOUS << slot::PREVIOUS_SHIFT;
        image.store(ring.at(index, 0), Width::B4, word);
    }
    (pipeline, image)
}

fn run(program: &Verified, image: &mut dyn Image) {
    decide(program, &ip4(6, &tcp(40000, 80)), image);
}

/// An opening that is not noted would go to the new backend, and what follows it to the one before.
#[test]
fn a_flow_that_another_one_was_faster_than_stays_with_the_backend_before() {
    let (pipeline, image) = moving();
    let plain = lowered(&pipeline).unwrap();
    let at = image.layout().named("flows.kept").unwrap().1.at(0, 0);
    for program in [plain.clone(), optimize(plain, &layout(&pipeline))] {
        let mut alone = image.clone();
        run(&program, &mut alone);
        let own = alone.load(at, Width::B8);
        let theirs = own ^ (NEW ^ THIRD) << BACKEND_SHIFT;
        let others = theirs ^ 1 << TAG_SHIFT;
        let cases = [(theirs, THIRD, 0), (others, PREVIOUS, 1)];
        for (winner, backend, refused) in cases {
            let mut raced = Raced {
                image: image.clone(),
                at,
                // By the searches for the flow and for a place, and for the word there.
                free: 3,
                reads: Cell::new(0),
                winner,
            };
            run(&program, &mut raced);
            assert_eq!(raced.reads.get(), 4);
            let counters = image.layout().named("counters").unwrap().1.clone();
            let count = |index: u64| {
                raced
                    .image
                    .load(counters.at(index, counter::PACKETS), Width::B8)
            };
            let first = u64::from(pipeline.pool(KEPT).counters);
            let given = [PREVIOUS, NEW, THIRD].map(|id| count(first + id));
            let expected = [PREVIOUS, NEW, THIRD].map(|id| u64::from(id == backend));
            assert_eq!(given, expected);
            let index = pipeline.manifest.counter(CounterKind::Refused, "kept");
            assert_eq!(count(index.unwrap().into()), refused);
        }
    }
}
