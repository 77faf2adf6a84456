//! Backends that come, or come back, in a pool with a slow start.

use lvsc_abi::layout::slot;

use super::*;

/// Slots of the test's ring that name a backend, out of `64`.
fn slots(director: &Director<u32>, id: u16) -> usize {
    let image = director.engine().image();
    let ring = image.layout().named("ring.web").unwrap().1.clone();
    let named = |index| image.load(ring.at(index, 0), lvsc_abi::image::Width::B4) & slot::BACKEND;
    let ids = (0..ring.length.into()).map(named);
    ids.filter(|named| *named == u64::from(id)).count() * 64 / ring.length as usize
}

fn slow() -> Manifest {
    let mut manifest = manifest();
    manifest.pools[0].slow_start = Some(60);
    manifest.pools[0].backends[1].mac = Some(Mac([2, 0, 0, 0, 0, 8]));
    manifest
}

fn after(director: &mut Director<u32>, seconds: u64) {
    let now = director.world().seconds + seconds;
    director.handle(Event::Second(now));
    director.settle();
}

fn change(director: &mut Director<u32>, change: Change) {
    director.handle(Event::Backend {
        pool: "web".to_owned(),
        backend: "rs1".to_owned(),
        change,
    });
    director.settle();
}

#[test]
fn a_backend_that_comes_back_gets_its_weight_step_by_step() {
    let writes = Arc::new(AtomicUsize::new(0));
    let mut director: Director<u32> = Director::new(counting(&writes), slow(), World::of(&slow()));
    assert_eq!(slots(&director, 1), 32, "who is there from the beginning");
    change(&mut director, Change::Up);
    assert_eq!(slots(&director, 1), 32, "it was never down");
    change(&mut director, Change::Down);
    assert_eq!(slots(&director, 1), 0);
    change(&mut director, Change::Up);
    let shares: Vec<usize> = (0..=60)
        .map(|_| {
            let share = slots(&director, 1);
            after(&mut director, 1);
            share
        })
        .collect();
    // 1 of 11, 2 of 12 .. 10 of 20.
    assert_eq!(
        [0, 6, 7, 14, 54, 59, 60].map(|second| shares[second]),
        [6, 6, 11, 15, 30, 30, 32]
    );
    assert!(shares.is_sorted());
    assert_eq!(director.world().pools[0][1].since, None, "it is over");
    change(&mut director, Change::Weight(3));
    assert_eq!(
        slots(&director, 1),
        48,
        "a weight that is given is given at once"
    );
}

#[test]
fn a_next_hop_that_answers_late_begins_small_and_one_that_answers_at_once_does_not() {
    let mut manifest = slow();
    manifest.pools[0].backends[1].mac = None;
    let answer = || Event::Neighbour {
        address: [192, 0, 2, 11].into(),
        mac: Mac([2, 0, 0, 0, 0, 8]),
    };
    let world = World::of(&manifest);
    for (seconds, share) in [(0, 32), (100, 6)] {
        let mut director: Director<u32> = Director::new(engine(), manifest.clone(), world.clone());
        after(&mut director, seconds);
        director.handle(answer());
        director.settle();
        assert_eq!(slots(&director, 1), share, "after {seconds} s");
    }
}

#[test]
fn what_a_reload_adds_begins_small_and_what_was_there_goes_on() {
    let mut before = slow();
    let added = before.pools[0].backends.pop().unwrap();
    let mut director: Director<u32> = Director::new(engine(), before.clone(), World::of(&before));
    after(&mut director, 1000);
    let mut next = before.clone();
    next.pools[0].backends.push(added);
    for (manifest, seconds, share) in [(&next, 0, 6), (&next, 30, 21), (&before, 0, 0)] {
        after(&mut director, seconds);
        director.handle(Event::Replace {
            engine: engine(),
            manifest: Box::new(manifest.clone()),
            asked: None,
        });
        run(&mut director, &mut Wire::default());
        assert_eq!(slots(&director, 1), share);
    }
}

#[test]
fn all_that_come_together_share_among_themselves() {
    let mut director: Director<u32> = Director::new(engine(), slow(), World::of(&slow()));
    for change in [Change::Down, Change::Up] {
        for backend in ["rs0", "rs1"] {
            director.handle(Event::Backend {
                pool: "web".to_owned(),
                backend: backend.to_owned(),
                change,
            });
        }
        director.settle();
    }
    assert_eq!([slots(&director, 0), slots(&director, 1)], [32, 32]);
    after(&mut director, 30);
    change(&mut director, Change::Down);
    assert_eq!([slots(&director, 0), slots(&director, 1)], [64, 0]);
}
