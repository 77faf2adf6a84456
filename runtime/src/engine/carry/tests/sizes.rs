//! Tables of another size.

use lvsc_abi::flows::{self, BUCKET, TAG_SHIFT};
use lvsc_abi::loads::{self, Load};
use lvsc_abi::manifest::Persist;
use lvsc_abi::scheduler::Scheduler;

use super::*;

/// A section with entries.
type Kind = (&'static str, Element);

const KINDS: [Kind; 3] = [
    ("flows.web", Element::Flow),
    ("flows.web", Element::Noted),
    ("persist.web", Element::Client),
];

/// A policy with such a section.
fn policy(element: Element) -> Manifest {
    let mut policy = if element == Element::Noted {
        changed(&["a", "b"])
    } else {
        manifest(&["a", "b"])
    };
    if element == Element::Client {
        policy.pools[0].persist = Some(Persist {
            entries: 8,
            life: 60,
            mask: 32,
            mask6: 128,
        });
    }
    policy
}

fn table((name, element): Kind, entries: u32) -> Bytes {
    let mut layout = Layout::new();
    layout.add(name, element, entries);
    Bytes::new(layout)
}

/// Where the entries of the bucket are that a flow of this table hash has.
fn bucket(image: &Bytes, name: &str, hash: u64) -> Vec<u64> {
    let table = image.layout().named(name).unwrap().1;
    let first = hash * u64::from(BUCKET);
    let each = first..first + u64::from(BUCKET);
    each.map(|index| table.at(index, 0)).collect()
}

/// What a packet does that makes its flow an entry.
fn enter(image: &mut Bytes, name: &str, hash: u64, backend: u16, seconds: u16) {
    let entry = Entry {
        tag: flows::tag(hash) as u32,
        backend,
        seconds,
        flags: 0,
    };
    let places = bucket(image, name, hash);
    let words: Vec<u64> = places.iter().map(|at| image.load(*at, Width::B8)).collect();
    let own = flows::find(&words, flows::tag(hash)) as usize;
    let free = || words.iter().position(|word| *word == 0);
    let place = places.get(own).copied().or(free().map(|at| places[at]));
    let at = place.expect("there is a place");
    image.store(at, Width::B8, entry.to_bits());
    let loads = image.layout().of_pool("loads", "web").cloned();
    if let Some(loads) = loads {
        loads::replace(image, &loads, None, Some(entry));
    }
}

/// What a packet finds of its flow.
fn found(image: &Bytes, name: &str, hash: u64) -> Option<Entry> {
    let places = bucket(image, name, hash).into_iter();
    let words: Vec<u64> = places.map(|at| image.load(at, Width::B8)).collect();
    let found = flows::find(&words, flows::tag(hash));
    Entry::from_bits(*words.get(found as usize)?)
}

/// Table hashes of flows that meet in few buckets.
fn hashes() -> impl Iterator<Item = (u64, u16)> {
    let hashes = (1..=8).map(|number: u64| (number << TAG_SHIFT) | (number * 5));
    hashes.zip(100..)
}

#[test]
fn whoever_is_known_is_found_in_a_table_of_another_size() {
    for (name, element) in KINDS {
        let policy = policy(element);
        let table = |entries| table((name, element), entries);
        for (entries, others) in [(16, 64), (64, 16), (64, 64), (16, 1024)] {
            let (mut before, mut now, mut late) = (table(entries), table(others), table(others));
            let then = counted(&before);
            for (hash, seconds) in hashes() {
                enter(&mut before, name, hash, 1, seconds);
            }
            let carried = carry((&policy, &before, &then), (&policy, &mut now));
            assert_eq!((carried.lost, carried.fresh.len()), (0, 0));
            let mut seen = Seen::default();
            catch_up((&policy, &before, &then), (&policy, &mut late), &mut seen);
            for (hash, seconds) in hashes() {
                for image in [&now, &late] {
                    let known =
                        found(image, name, hash).map(|known| (known.backend, known.seconds));
                    assert_eq!(known, Some((1, seconds)), "{name} {entries} to {others}");
                }
            }
        }
    }
}

#[test]
fn a_flow_of_a_table_that_has_grown_and_shrinks_again_is_what_it_was_last() {
    for kind in KINDS {
        let (name, policy) = (kind.0, policy(kind.1));
        let (mut small, mut large, mut again) = (table(kind, 16), table(kind, 64), table(kind, 16));
        for (hash, seconds) in hashes() {
            enter(&mut small, name, hash, 0, seconds);
        }
        let then = counted(&small);
        carry((&policy, &small, &then), (&policy, &mut large));
        // Its backend was gone for a while; the copies in other buckets say what it had.
        for (hash, seconds) in hashes() {
            enter(&mut large, name, hash, 1, seconds + 50);
        }
        let carried = carry((&policy, &large, &then), (&policy, &mut again));
        assert_eq!(carried.lost, 0);
        for (hash, seconds) in hashes() {
            let known = found(&again, name, hash).map(|known| (known.backend, known.seconds));
            assert_eq!(known, Some((1, seconds + 50)), "{name}");
        }
    }
}

#[test]
fn what_finds_no_place_in_a_smaller_table_is_told_of_flows() {
    for (kind, told) in KINDS.into_iter().zip([8, 8, 0]) {
        let policy = policy(kind.1);
        let (mut before, mut now) = (table(kind, 16), table(kind, 8));
        for number in 0..16 {
            enter(
                &mut before,
                kind.0,
                (number << TAG_SHIFT) | (number % 2),
                0,
                5,
            );
        }
        let then = counted(&before);
        let carried = carry((&policy, &before, &then), (&policy, &mut now));
        assert_eq!(carried.lost, told, "{}", kind.0);
        assert_eq!(carried.kept, [kind.0]);
    }
}

/// What is in several buckets would count several times.
#[test]
fn a_table_by_which_flows_are_counted_shrinks_and_does_not_grow() {
    let mut policy = policy(Element::Flow);
    policy.pools[0].scheduler = Scheduler::Wlc;
    let table = |entries| {
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Flow, entries);
        layout.add("loads.web", Element::Load, 2);
        Bytes::new(layout)
    };
    let all = hashes().count() as u32;
    for (entries, others, known) in [(64, 16, all), (16, 64, 0), (16, 16, all)] {
        let (mut before, mut now) = (table(entries), table(others));
        let (early, late) = (hashes().take(5), hashes().skip(5));
        for (hash, seconds) in early {
            enter(&mut before, "flows.web", hash, 1, seconds);
        }
        let then = counted(&before);
        let carried = carry((&policy, &before, &then), (&policy, &mut now));
        assert_eq!(carried.fresh.is_empty(), known > 0, "{entries} to {others}");
        for (hash, seconds) in late {
            enter(&mut before, "flows.web", hash, 1, seconds);
        }
        let mut seen = Seen::default();
        catch_up((&policy, &before, &then), (&policy, &mut now), &mut seen);
        let (_, section) = now.layout().named("loads.web").unwrap();
        let load = Load::read(&now, section, 1);
        assert_eq!((load.active, load.inactive), (known, 0));
        let there = hashes().filter(|(hash, _)| found(&now, "flows.web", *hash).is_some());
        assert_eq!(there.count() as u32, known);
    }
}

/// A full bucket of flows that have expired, and one of flows that live: those alone are carried, and those that come meanwhile.
#[test]
fn what_has_expired_takes_nobodys_place() {
    const NOW: u64 = 50_000;
    let table = |(name, element): Kind, entries| {
        let mut layout = Layout::new();
        layout.add("clock", Element::Clock, 1);
        layout.add(name, element, entries);
        at_second(NOW, Bytes::new(layout))
    };
    let hashes =
        |bucket: u64| (1..=8).map(move |number: u64| (number + bucket * 8) << TAG_SHIFT | bucket);
    let live = NOW as u16;
    for kind in KINDS {
        let (name, policy) = (kind.0, policy(kind.1));
        let mut before = table(kind, 16);
        hashes(0).for_each(|hash| enter(&mut before, name, hash, 0, live.wrapping_sub(40_000)));
        hashes(1).for_each(|hash| enter(&mut before, name, hash, 1, live));
        let then = counted(&before);

        let mut small = table(kind, 8);
        let carried = carry((&policy, &before, &then), (&policy, &mut small));
        assert_eq!(carried.lost, 0, "{name}");
        for hash in hashes(1) {
            assert!(found(&small, name, hash).is_some(), "{name}");
        }

        let mut now = table(kind, 16);
        carry((&policy, &before, &then), (&policy, &mut now));
        let first = bucket(&before, name, 0)[0];
        before.store(first, Width::B8, 0);
        let new = 99 << TAG_SHIFT;
        enter(&mut before, name, new, 1, live);
        let mut seen = Seen::default();
        catch_up((&policy, &before, &then), (&policy, &mut now), &mut seen);
        assert!(found(&now, name, new).is_some(), "{name}");
    }
}
