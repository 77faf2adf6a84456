#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use lvsc_abi::image::{Bytes, count};
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::{Backend, Counter, CounterKind, Flows, KeyPart, Keyed};
use lvsc_abi::scheduler::Scheduler;

fn manifest(names: &[&str]) -> Manifest {
    let backend = |(id, name): (usize, &&str)| Backend::new(id as u16, *name, [192, 0, 2, 1]);
    let counter = |name: &&str| Counter {
        name: (*name).to_owned(),
        kind: CounterKind::Backend,
    };
    Manifest {
        pools: vec![Pool {
            name: "web".to_owned(),
            scheduler: Scheduler::Wrr,
            backends: names.iter().enumerate().map(backend).collect(),
            flows: Some(Flows {
                entries: 8,
                idle: 10,
            }),
            counters: 0,
        }],
        counters: names.iter().map(counter).collect(),
        ..Manifest::default()
    }
}

fn image() -> Bytes {
    let mut layout = Layout::new();
    layout.add("clock", Element::Clock, 1);
    layout.add("flows.web", Element::Flow, 8);
    layout.add("counters", Element::Counter, 4);
    Bytes::new(layout)
}

#[test]
fn flows_and_counters_follow_names_not_the_order_of_lines() {
    let (old, new) = (manifest(&["a", "b", "c"]), manifest(&["c", "a"]));
    let (mut before, mut now) = (image(), image());
    let at = |image: &Bytes, index| image.layout().named("flows.web").unwrap().1.at(index, 0);
    for backend in 0..3 {
        let entry = Entry {
            tag: 7,
            backend,
            seconds: 5,
        };
        let place = at(&before, u64::from(backend));
        before.store(place, Width::B8, entry.to_bits());
    }
    let counters = before.layout().named("counters").unwrap().1.clone();
    before.store(counters.at(2, counter::PACKETS), Width::B8, 42);

    before.store(counters.at(0, counter::BYTES), Width::B8, 7);

    let then = counted(&before);
    let carried = carry((&old, &before, &then), (&new, &mut now));
    let turned = turn(&old, &new, &mut before);
    assert_eq!(carried, turned);
    assert_eq!(carried.lost, 1, "the flow of `b` is left out");
    for image in [now, before] {
        let word = |index| image.load(at(&image, index), Width::B8);
        let id = |index| Entry::from_bits(word(index)).map(|entry| entry.backend);
        assert_eq!([id(0), id(1), id(2)], [Some(1), None, Some(0)]);
        assert_eq!(count(&image, 0).packets, 42, "`c` is first now");
        assert_eq!(count(&image, 1).bytes, 7, "`a` is second");
        assert_eq!(count(&image, 0).bytes, 0);
    }
}

#[test]
fn cells_follow_their_counter_behind_the_single_ones() {
    let keyed = |name: &str| Keyed {
        name: name.to_owned(),
        key: vec![KeyPart {
            name: "ip.ecn".to_owned(),
            bits: 1,
        }],
    };
    let with = |names: &[&str], cells: &[&str]| Manifest {
        keyed: cells.iter().map(|name| keyed(name)).collect(),
        ..manifest(names)
    };
    let (old, new) = (with(&["a"], &["x", "y"]), with(&["a", "b"], &["y"]));
    assert!(!agree(&old, &new));
    assert!(agree(&old, &old) && !agree(&old, &with(&["a"], &["y", "x"])));
    let mut layout = Layout::new();
    layout.add("counters", Element::Counter, 8);
    let (mut before, mut now) = (Bytes::new(layout.clone()), Bytes::new(layout));
    let counters = before.layout().named("counters").unwrap().1.clone();
    // a, x[0], x[1], y[0], y[1]
    for index in 0..5 {
        before.store(counters.at(index, counter::PACKETS), Width::B8, index + 1);
    }
    let then = counted(&before);
    carry((&old, &before, &then), (&new, &mut now));
    let packets = |index| count(&now, index).packets;
    // a, b, y[0], y[1]
    assert_eq!([0, 1, 2, 3, 4].map(packets), [1, 0, 4, 5, 0]);
    before.add(counters.at(4, counter::PACKETS), 7);
    catch_up((&old, &before, &then), (&new, &mut now));
    assert_eq!(count(&now, 3).packets, 12, "y[1] went on");
}

#[test]
fn what_comes_while_it_is_carried_over_is_not_lost() {
    let (old, new) = (manifest(&["a", "b"]), manifest(&["b", "a"]));
    let (mut before, mut now) = (image(), image());
    let at = |index| image().layout().named("flows.web").unwrap().1.at(index, 0);
    let counters = before.layout().named("counters").unwrap().1.clone();
    let packets = counters.at(0, counter::PACKETS);
    let entry = |backend| Entry {
        tag: 7,
        backend,
        seconds: 5,
    };
    before.store(packets, Width::B8, 10);
    let then = counted(&before);
    before.store(packets, Width::B8, 13);
    carry((&old, &before, &then), (&new, &mut now));
    assert_eq!(count(&now, 1).packets, 10, "as it was then");
    // The new image counts and learns, too.
    now.add(counters.at(1, counter::PACKETS), 100);
    let other = Entry { tag: 8, ..entry(0) };
    now.store(at(1), Width::B8, other.to_bits());
    now.store(at(2), Width::B8, entry(0).to_bits());
    for index in 0..3 {
        before.store(at(index), Width::B8, entry(0).to_bits());
    }
    catch_up((&old, &before, &then), (&new, &mut now));
    assert_eq!(count(&now, 1).packets, 113);
    let backend = |index| {
        let entry = Entry::from_bits(now.load(at(index), Width::B8));
        entry.unwrap().backend
    };
    assert_eq!(backend(0), 1, "`a` is second now");
    assert_eq!(backend(1), 0, "another flow stays");
    assert_eq!(backend(2), 1, "it was given to `a` first");
}

#[test]
fn what_the_policy_names_no_more_is_forgotten() {
    let mut image = image();
    let at = |index| image.layout().named("flows.web").unwrap().1.at(index, 0);
    let places = [at(0), at(1), at(2)];
    for (place, backend) in places.into_iter().zip(0..) {
        let entry = Entry {
            tag: 7,
            backend,
            seconds: 5,
        };
        image.store(place, Width::B8, entry.to_bits());
    }
    forget_strays(&manifest(&["a", "b"]), &mut image);
    let known = places.map(|at| Entry::from_bits(image.load(at, Width::B8)).is_some());
    assert_eq!(known, [true, true, false]);
    let counters = image.layout().named("counters").unwrap().1.clone();
    for index in 0..4 {
        image.store(counters.at(index, counter::PACKETS), Width::B8, 9);
    }
    forget_strays(&manifest(&["a", "b"]), &mut image);
    assert_eq!(
        [0, 1, 2, 3].map(|index| count(&image, index).packets),
        [9, 9, 0, 0]
    );
}

#[test]
fn an_image_goes_on_where_every_id_means_the_same() {
    let same = |old: &[&str], new: &[&str]| agree(&manifest(old), &manifest(new));
    assert!(same(&["a", "b"], &["a", "b"]));
    assert!(same(&["a", "b"], &["a", "b", "c"]), "one more");
    assert!(same(&["a", "b"], &["a"]), "one less");
    assert!(!same(&["a", "b"], &["b", "a"]));
    assert!(!same(&["a", "b"], &["b"]));
    assert!(!same(&["a", "b"], &["a", "c"]), "another one has its id");
    let mut other = manifest(&["a"]);
    other
        .interfaces
        .push(lvsc_abi::manifest::Interface::default());
    assert!(!agree(&manifest(&["a"]), &other));
}
