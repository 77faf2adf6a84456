//! Connections stay where they are through any change of the backends, on every engine: the same decisions as a model of
//! just-enough tracking, and the law that the model is there for, which a table of every flow keeps, too.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

#[path = "fuzz/chance.rs"]
#[allow(dead_code, reason = "the tests use a part")]
mod chance;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/engines.rs"]
mod engines;
#[path = "tracking/exchange.rs"]
mod exchange;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/failure.rs"]
mod failure;
#[path = "../cli/library.rs"]
mod library;
mod machine;
#[path = "tracking/model.rs"]
mod model;
#[path = "tracking/policy.rs"]
mod policy;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/remedy.rs"]
mod remedy;
#[path = "tracking/run.rs"]
mod run;

use policy::Kind;
use run::{Case, Outcome, run};

/// Runs of each kind; `LVSC_FUZZ_RUNS` says another number.
const RUNS: u64 = 3;

fn runs() -> u64 {
    std::env::var("LVSC_FUZZ_RUNS").map_or(RUNS, |runs| {
        runs.parse().expect("LVSC_FUZZ_RUNS is a number")
    })
}

/// All runs of a case, one after the other, added up.
fn all(case: Case) -> Outcome {
    let each = (0..runs()).map(|seed| run(seed, case));
    each.fold(Outcome::default(), Outcome::and)
}

#[test]
fn no_connection_moves_while_its_backend_can_serve() {
    let outcome = all(Case::default());
    assert!(
        outcome.opened > 1500 * runs() && outcome.known > 0,
        "{outcome:?}"
    );
    assert_eq!((outcome.moved, outcome.refused), (0, 0), "{outcome:?}");
}

/// Whatever the clock does, whoever is in the next policy or is not, and whether that has tables of another size or goes on in those
/// that are there; and somebody forges openings.
#[test]
fn no_connection_moves_while_the_clock_leaps_and_policies_follow() {
    let outcome = all(Case {
        unsteady: true,
        forged: true,
        ..Case::default()
    });
    assert!(
        outcome.leaps > 5 * runs() && outcome.reloads.iter().all(|count| *count > runs()),
        "{outcome:?}"
    );
    assert!(outcome.forged > 100, "{outcome:?}");
    assert_eq!((outcome.moved, outcome.refused), (0, 0), "{outcome:?}");
}

/// The same where every flow is noted, whether it is counted or not.
#[test]
fn no_connection_moves_that_a_table_of_every_flow_knows() {
    for (scheduler, entries) in [("rr", 4096), ("wlc", 16_384)] {
        let outcome = all(Case {
            kind: Kind::Every(scheduler),
            entries,
            unsteady: true,
            forged: true,
            ..Case::default()
        });
        assert!(
            outcome.leaps > 5 * runs() && outcome.reloads.iter().all(|count| *count > 0),
            "{scheduler}: {outcome:?}"
        );
        assert!(
            outcome.opened > 1000 * runs() && outcome.forged > 100,
            "{outcome:?}"
        );
        let lost = (outcome.moved, outcome.refused);
        assert_eq!(lost, (0, 0), "{scheduler}: {outcome:?}");
    }
}

/// Those that open in the slots of a backend that drains stay with it until the exchange is over: nobody else would know them.
#[test]
fn no_connection_moves_that_opens_while_policies_are_exchanged() {
    for later in [0, 10] {
        let exchanged = exchange::exchange(later);
        assert_eq!(exchanged.moved, 0, "{later} s after a change");
        assert!(exchanged.meanwhile > 100, "{exchanged:?}");
        let learns = later < 3;
        assert_eq!(exchanged.after > 0, learns, "{exchanged:?}");
    }
}

#[test]
fn no_connection_moves_where_a_ring_gets_longer() {
    assert_eq!(exchange::grow(), 0);
}

#[test]
fn openings_that_somebody_forges_move_nothing() {
    let outcome = all(Case {
        forged: true,
        ..Case::default()
    });
    assert!(outcome.forged > 100, "{outcome:?}");
    assert_eq!(outcome.moved, 0, "{outcome:?}");
}

/// Each moved connection began without a place, and its opening was sent again when there was one.
#[test]
fn a_table_that_is_too_small_moves_only_what_opened_without_a_place_and_again() {
    let outcome = all(Case {
        entries: 16,
        ..Case::default()
    });
    assert!(outcome.refused > 0, "{outcome:?}");
    assert!(outcome.moved <= outcome.again_refused, "{outcome:?}");
}

/// The law is kept by the rules: without one of them it is not, and this would be seen.
#[test]
fn without_learning_connections_move() {
    let outcome = all(Case {
        learns: false,
        ..Case::default()
    });
    assert!(outcome.moved > 0, "{outcome:?}");
}
