#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use lvsc_abi::cells::{self, Cell};
use lvsc_abi::image::{Bytes, count};
use lvsc_abi::kind::Kind;
use lvsc_abi::layout::{Layout, clock};
use lvsc_abi::manifest::{
    Backend, Counter, CounterKind, Flows, KeyPart, KeyTable, Keyed, Shape, Tracking,
};

mod clients;
mod counts;
mod datagrams;
mod kinds;
mod limits;
mod sizes;
mod times;

fn manifest(names: &[&str]) -> Manifest {
    let backend = |(id, name): (usize, &&str)| Backend::new(id as u16, *name, [192, 0, 2, 1]);
    let counter = |name: &&str| Counter {
        name: (*name).to_owned(),
        kind: CounterKind::Backend,
    };
    Manifest {
        pools: vec![Pool {
            backends: names.iter().enumerate().map(backend).collect(),
            flows: Some(Flows::new(Tracking::Every, 8, 10)),
            ..Pool::new("web", lvsc_abi::scheduler::Scheduler::Wrr)
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
    at_second(10, Bytes::new(layout))
}

/// The image with a clock that says so.
fn at_second(seconds: u64, mut image: Bytes) -> Bytes {
    let (_, clock) = image.layout().named("clock").unwrap();
    let at = clock.at(0, clock::SECONDS);
    image.store(at, Width::B8, seconds);
    image
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
            flags: 0,
        };
        let place = at(&before, u64::from(backend));
        before.store(place, Width::B8, entry.to_bits());
    }
    let counters = before.layout().named("counters").unwrap().1.clone();
    before.store(counters.at(2, counter::PACKETS), Width::B8, 42);

    before.store(counters.at(0, counter::BYTES), Width::B8, 7);

    let then = counted(&before);
    let carried = carry((&old, &before, &then), (&new, &mut now));
    let turned = turn(&old, &new, &mut before, |_| {});
    assert_eq!((&carried.kept, carried.lost), (&turned.kept, turned.lost));
    assert_eq!((carried.same_image, turned.same_image), (false, true));
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

/// A policy with these counters by a key of one bit, and clients by IPv4 source in so many cells.
fn with(names: &[&str], narrow: &[&str], clients: &[u32]) -> Manifest {
    let part = |name: &str, bits| KeyPart {
        name: name.to_owned(),
        bits,
    };
    let narrow = narrow.iter().map(|name| Keyed {
        name: (*name).to_owned(),
        key: vec![part("ip.ecn", 1)],
        table: None,
    });
    let wide = clients.iter().map(|capacity| Keyed {
        name: "clients".to_owned(),
        key: vec![part("ip4.src", 32)],
        table: Some(KeyTable {
            capacity: *capacity,
            shapes: vec![vec![Shape {
                bits: 32,
                kind: Kind::Ip4,
            }]],
        }),
    });
    let mut manifest = Manifest {
        keyed: narrow.chain(wide).collect(),
        ..manifest(names)
    };
    manifest.counters.push(Counter {
        name: "clients".to_owned(),
        kind: CounterKind::Others,
    });
    manifest
}

/// The image of such a policy.
fn image_of(manifest: &Manifest) -> Bytes {
    let mut layout = Layout::new();
    layout.add("counters", Element::Counter, manifest.counters.len() as u32);
    for keyed in &manifest.keyed {
        if let Some(table) = &keyed.table {
            layout.add(&keyed.section("cells"), Element::Cell, table.capacity);
            layout.add(&keyed.section("keys"), Element::Key, table.capacity);
        }
        layout.add(&keyed.section("counts"), Element::Counter, keyed.cells());
    }
    Bytes::new(layout)
}

fn add(image: &mut Bytes, section: &str, index: u64, packets: u64) {
    let section = image.layout().named(section).unwrap().1.clone();
    image.add(section.at(index, counter::PACKETS), packets);
}

/// What the cells of a counter counted, by their keys.
fn told(image: &Bytes, manifest: &Manifest, name: &str) -> Vec<(String, u64)> {
    let keyed = manifest.keyed.iter().find(|keyed| keyed.name == name);
    let mut told: Vec<_> = cells::counted(image, keyed.unwrap())
        .into_iter()
        .map(|(key, count)| (key, count.packets))
        .collect();
    told.sort();
    told
}

/// A packet of this client; all of them meet in the first bucket.
fn packet(image: &mut Bytes, manifest: &Manifest, client: u8) {
    let keyed = manifest.keyed.iter().find(|keyed| keyed.name == "clients");
    let cell = Cell {
        index: 0,
        identity: cells::identity(u64::from(client) << 40),
        key: vec![u64::from(u32::from_le_bytes([192, 0, 2, client]))],
    };
    let at = cells::give(image, keyed.unwrap(), &cell).expect("a cell is free");
    add(image, "counts.clients", at, 1);
}

fn client(number: u8, packets: u64) -> (String, u64) {
    (format!("192.0.2.{number}"), packets)
}

#[test]
fn cells_follow_their_counter() {
    let value = |value: &str, packets| (value.to_owned(), packets);
    let (old, new) = (
        with(&["a"], &["x", "y"], &[]),
        with(&["a", "b"], &["y"], &[]),
    );
    assert!(!agree(&old, &new));
    assert!(agree(&old, &old) && !agree(&old, &with(&["a"], &["y", "x"], &[])));
    let (mut before, mut now) = (image_of(&old), image_of(&new));
    for (section, index) in [
        ("counters", 0),
        ("counts.x", 1),
        ("counts.y", 0),
        ("counts.y", 1),
    ] {
        add(&mut before, section, index, 3 + index);
    }
    let then = counted(&before);
    carry((&old, &before, &then), (&new, &mut now));
    assert_eq!([0, 1].map(|index| count(&now, index).packets), [3, 0]);
    assert_eq!(told(&now, &new, "y"), [value("0", 3), value("1", 4)]);
    add(&mut before, "counts.y", 1, 7);
    catch_up(
        (&old, &before, &then),
        (&new, &mut now),
        &mut Seen::default(),
    );
    assert_eq!(told(&now, &new, "y"), [value("0", 3), value("1", 11)]);
}

#[test]
fn a_client_keeps_its_cell_and_its_count() {
    let (old, new) = (with(&["a"], &[], &[16]), with(&["b"], &["x"], &[16]));
    let (mut before, mut now) = (image_of(&old), image_of(&new));
    for number in [1, 2, 2] {
        packet(&mut before, &old, number);
    }
    let then = counted(&before);
    let carried = carry((&old, &before, &then), (&new, &mut now));
    assert!(carried.kept.contains(&"cells.clients".to_owned()));
    assert_eq!(told(&now, &new, "clients"), [client(1, 1), client(2, 2)]);
    packet(&mut now, &new, 2);
    assert_eq!(told(&now, &new, "clients"), [client(1, 1), client(2, 3)]);
}

#[test]
fn a_client_that_comes_while_it_is_carried_over_is_counted_once() {
    let (old, new) = (with(&["a"], &[], &[8]), with(&["b"], &[], &[8]));
    let (mut before, mut now) = (image_of(&old), image_of(&new));
    packet(&mut before, &old, 1);
    let then = counted(&before);
    carry((&old, &before, &then), (&new, &mut now));
    // Both go on, and give their cells in another order.
    for number in [2, 3, 1] {
        packet(&mut before, &old, number);
    }
    for number in [3, 4] {
        packet(&mut now, &new, number);
    }
    catch_up(
        (&old, &before, &then),
        (&new, &mut now),
        &mut Seen::default(),
    );
    let expected = [client(1, 2), client(2, 1), client(3, 2), client(4, 1)];
    assert_eq!(told(&now, &new, "clients"), expected);
    // Where no cell is free, it is one of the others.
    let then = counted(&before);
    for number in 5..=8 {
        packet(&mut now, &new, number);
    }
    for number in [1, 9] {
        packet(&mut before, &old, number);
    }
    catch_up(
        (&old, &before, &then),
        (&new, &mut now),
        &mut Seen::default(),
    );
    assert_eq!(told(&now, &new, "clients")[0], client(1, 3));
    assert_eq!(count(&now, 1).packets, 1, "192.0.2.9");
}

#[test]
fn cells_of_another_key_begin_anew() {
    let (old, mut new) = (with(&["a"], &[], &[8]), with(&["a"], &[], &[8]));
    new.keyed[0].key[0].name = "ip4.dst".to_owned();
    let mut before = image_of(&old);
    packet(&mut before, &old, 1);
    let then = counted(&before);
    let mut now = image_of(&new);
    let carried = carry((&old, &before, &then), (&new, &mut now));
    assert!(carried.fresh.contains(&"cells.clients".to_owned()));
    assert_eq!(told(&now, &new, "clients"), []);
    assert!(!agree(&old, &new), "no program goes on with them");
    // The same memory, as an engine has it that stands still meanwhile.
    turn(&old, &old, &mut before, |_| {});
    assert_eq!(told(&before, &old, "clients"), [client(1, 1)]);
    turn(&old, &new, &mut before, |_| {});
    assert_eq!(told(&before, &new, "clients"), []);
    let table = new.keyed[0].table.as_ref().unwrap();
    assert_eq!(cells::taken(&before, &new.keyed[0], table).count(), 0);
}

#[test]
fn what_comes_while_it_is_carried_over_is_not_lost() {
    let (old, new) = (manifest(&["a", "b"]), manifest(&["b", "a"]));
    let (mut before, mut now) = (image(), image());
    let at = |index| image().layout().named("flows.web").unwrap().1.at(index, 0);
    let counters = before.layout().named("counters").unwrap().1.clone();
    let packets = counters.at(0, counter::PACKETS);
    let entry = |tag, backend| Entry {
        tag,
        backend,
        seconds: 5,
        flags: 0,
    };
    before.store(packets, Width::B8, 10);
    let then = counted(&before);
    before.store(packets, Width::B8, 13);
    carry((&old, &before, &then), (&new, &mut now));
    assert_eq!(count(&now, 1).packets, 10, "as it was then");
    // The new image counts and learns, too.
    now.add(counters.at(1, counter::PACKETS), 100);
    now.store(at(1), Width::B8, entry(9, 0).to_bits());
    now.store(at(2), Width::B8, entry(2, 0).to_bits());
    for (index, tag) in (0..3).zip(0..) {
        before.store(at(index), Width::B8, entry(tag, 0).to_bits());
    }
    catch_up(
        (&old, &before, &then),
        (&new, &mut now),
        &mut Seen::default(),
    );
    assert_eq!(count(&now, 1).packets, 113);
    let backend = |index| {
        let entry = Entry::from_bits(now.load(at(index), Width::B8));
        entry.unwrap().backend
    };
    assert_eq!(backend(0), 1, "`a` is second now");
    assert_eq!(backend(1), 0, "another flow stays");
    assert_eq!(backend(2), 1, "it was given to `a` first");
    assert_eq!(backend(3), 1, "whose place is taken gets another one");
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
            flags: 0,
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
    let (mut before, mut now) = (manifest(&["a"]), manifest(&["a", "b"]));
    before.counters.push(Counter::of_nobody("web", 1));
    for manifest in [&mut before, &mut now] {
        manifest.counters.push(Counter {
            name: "seen".to_owned(),
            kind: CounterKind::Policy,
        });
    }
    assert!(agree(&before, &now), "there was a place for it");
    assert!(agree(&now, &before), "its place is left");
    let mut other = before.clone();
    other.counters.remove(1);
    assert!(!agree(&other, &before), "a counter has moved");
    let mut other = manifest(&["a"]);
    other
        .interfaces
        .push(lvsc_abi::manifest::Interface::default());
    assert!(!agree(&manifest(&["a"]), &other));
}

/// The policy of `names`, whose flows are noted where their slots have changed.
fn changed(names: &[&str]) -> Manifest {
    let mut manifest = manifest(names);
    let flows = manifest.pools[0].flows.as_mut().unwrap();
    flows.tracking = Tracking::Changed;
    manifest
}

fn image_of_changed() -> Bytes {
    let mut layout = Layout::new();
    layout.add("flows.web", Element::Noted, 8);
    Bytes::new(layout)
}

fn noted(image: &mut Bytes, backend: u16) {
    let entry = Entry {
        tag: 7,
        backend,
        seconds: 5,
        flags: 0,
    };
    let at = image.layout().named("flows.web").unwrap().1.at(0, 0);
    image.store(at, Width::B8, entry.to_bits());
}

fn first(image: &Bytes) -> Option<u16> {
    let at = image.layout().named("flows.web").unwrap().1.at(0, 0);
    Entry::from_bits(image.load(at, Width::B8)).map(|entry| entry.backend)
}

/// It would be found when the new host answers, and take a flow from where it went meanwhile.
#[test]
fn a_flow_of_a_backend_that_has_another_address_is_left_out() {
    let (old, mut new) = (changed(&["a", "b"]), changed(&["a", "b"]));
    new.pools[0].backends[1].address = [192, 0, 2, 99].into();
    for (backend, kept) in [(0, Some(0)), (1, None)] {
        let (mut before, mut now) = (image_of_changed(), image_of_changed());
        let then = counted(&before);
        noted(&mut before, backend);
        let carried = carry((&old, &before, &then), (&new, &mut now));
        assert_eq!(carried.lost, u64::from(kept.is_none()));
        catch_up(
            (&old, &before, &then),
            (&new, &mut now),
            &mut Seen::default(),
        );
        assert_eq!(first(&now), kept);
        turn(&old, &new, &mut before, |_| {});
        assert_eq!(first(&before), kept);
    }
}

/// Its slots begin anew, and flows go where these say.
#[test]
fn nothing_is_noted_any_more_where_a_ring_has_got_shorter() {
    let policy = changed(&["a"]);
    let image = |slots| {
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Noted, 8);
        layout.add("ring.web", Element::Slot, slots);
        layout.add("changes.web", Element::Change, slots);
        Bytes::new(layout)
    };
    for (slots, others, kept) in [(64, 32, None), (32, 64, Some(0)), (64, 64, Some(0))] {
        let (mut before, mut now) = (image(slots), image(others));
        noted(&mut before, 0);
        let then = counted(&before);
        let carried = carry((&policy, &before, &then), (&policy, &mut now));
        catch_up(
            (&policy, &before, &then),
            (&policy, &mut now),
            &mut Seen::default(),
        );
        assert_eq!(first(&now), kept, "{slots} to {others}");
        let begun = ["flows.web", "ring.web", "changes.web"].map(str::to_owned);
        let begun = begun.iter().filter(|_| kept.is_none());
        assert!(carried.fresh.iter().eq(begun), "{:?}", carried.fresh);
    }
}
