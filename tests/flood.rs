//! A flood of openings costs no established flow its backend, on any engine, and what is refused is counted. More of them come in
//! `cargo bench --bench flood`.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/engines.rs"]
mod engines;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/failure.rs"]
mod failure;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/remedy.rs"]
mod remedy;
#[path = "../benches/flood/run.rs"]
mod run;

use std::time::Duration;

use run::{Flood, Outcome};

/// Every engine comes to the same as the first one, which is the reference.
fn flooded(flood: Flood) -> Outcome {
    let mut all = engines::ENGINES.iter().filter(|kind| {
        let present = (kind.present)().is_ok();
        let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
        assert!(present || !required, "{}", kind.name);
        present
    });
    let run = |kind| Outcome {
        taken: Duration::ZERO,
        ..run::run(kind, flood).unwrap_or_else(|error| panic!("{error}"))
    };
    let wanted = run(all.next().expect("the reference"));
    for kind in all {
        assert_eq!(run(kind), wanted, "{}, {flood:?}", kind.name);
    }
    assert!(!wanted.is_wrong(), "{flood:?}: {wanted:?}");
    wanted
}

#[test]
fn a_small_table_that_is_flooded_refuses_and_loses_nobody() {
    for scheduler in ["rr", "wlc"] {
        let outcome = flooded(Flood {
            scheduler,
            entries: 1 << 10,
            openings: 200_000,
        });
        assert_eq!(outcome.established, 64);
        // In each ten seconds of sixty no more openings than there is room for have a place.
        assert!(outcome.refused > 190_000, "{outcome:?}");
    }
}

#[test]
fn a_large_table_has_room_for_all() {
    let outcome = flooded(Flood {
        scheduler: "wlc",
        entries: 1 << 20,
        openings: 20_000,
    });
    assert_eq!((outcome.established, outcome.refused), (1 << 16, 0));
}
