//! How many flows backends have, while the one policy takes over from the other.

use std::cell::RefCell;

use lvsc_abi::flows::{CLOSING, empty};
use lvsc_abi::loads::Load;
use lvsc_abi::scheduler::Scheduler;

use super::*;
use crate::engine::carry::late::approach;

fn policy(names: &[&str]) -> Manifest {
    let mut policy = manifest(names);
    policy.pools[0].scheduler = Scheduler::Wlc;
    policy
}

fn image() -> Bytes {
    let mut layout = Layout::new();
    layout.add("clock", Element::Clock, 1);
    layout.add("flows.web", Element::Flow, 8);
    layout.add("loads.web", Element::Load, 4);
    at_second(10, Bytes::new(layout))
}

/// What a packet does that opens a flow, or closes it.
fn packet(image: &mut Bytes, index: u64, backend: u16, flags: u64) {
    let entry = Entry {
        tag: index as u32,
        backend,
        seconds: 5,
        flags,
    };
    let own = |kind| image.layout().named(kind).unwrap().1.clone();
    let (place, loads) = (own("flows.web").at(index, 0), own("loads.web"));
    let before = Entry::from_bits(image.load(place, Width::B8));
    image.store(place, Width::B8, entry.to_bits());
    loads::replace(image, &loads, before, Some(entry));
}

fn counts(image: &Bytes) -> [(u32, u32); 3] {
    let (_, loads) = image.layout().named("loads.web").unwrap();
    [0, 1, 2].map(|id| {
        let load = Load::read(image, loads, id);
        (load.active, load.inactive)
    })
}

/// An image in whose loads something happens whenever a table is read: nothing is counted anew there.
struct Busy(Bytes);

impl Image for Busy {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn load(&self, at: u64, width: Width) -> u64 {
        self.0.load(at, width)
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        self.0.store(at, width, value);
    }

    fn exchange(&mut self, at: u64, expected: u64, new: u64) -> bool {
        let (_, loads) = self.0.layout().named("loads.web").unwrap();
        let counted = loads.offset..loads.offset + loads.size();
        !counted.contains(&at) && self.0.exchange(at, expected, new)
    }
}

#[test]
fn what_comes_while_the_next_image_is_filled_is_counted_whether_or_not_packets_go_by_it() {
    let (old, new) = (policy(&["a", "b", "c"]), policy(&["c", "a"]));
    let (mut before, mut now) = (image(), image());
    packet(&mut before, 0, 0, 0);
    packet(&mut before, 1, 1, 0);
    packet(&mut before, 2, 2, 0);
    let then = counted(&before);
    carry((&old, &before, &then), (&new, &mut now));
    assert_eq!(counts(&now), [(1, 0), (1, 0), (0, 0)]);

    let mut now = Busy(now);
    packet(&mut before, 3, 0, 0);
    packet(&mut before, 2, 2, CLOSING);
    let mut seen = approach((&old, &mut before), (&new, &mut now));
    assert_eq!(counts(&now.0), [(0, 1), (2, 0), (0, 0)]);

    packet(&mut before, 4, 0, 0);
    packet(&mut before, 3, 0, CLOSING);
    packet(&mut now.0, 5, 0, 0);
    catch_up((&old, &before, &then), (&new, &mut now), &mut seen);
    let told = counts(&now.0);
    loads::recount(&new.pools[0], &mut now.0);
    assert_eq!(told, counts(&now.0), "each entry is counted");
    assert_eq!(told[1].0 + told[1].1, 3);
}

#[test]
fn who_is_gone_has_no_flow_and_others_have_theirs() {
    let (old, new) = (policy(&["a", "b"]), policy(&["a"]));
    let mut busy = image();
    packet(&mut busy, 0, 0, CLOSING);
    packet(&mut busy, 1, 1, 0);
    let mut busy = Busy(busy);
    turn(&old, &new, &mut busy, |_| {});
    assert_eq!(counts(&busy.0), [(0, 1), (0, 0), (0, 0)]);
}

/// An image by which packets go on: while its table is read, a flow of backend 0 begins in a place that was read, and one of it
/// ends in a place that was not.
struct Forwarding(RefCell<Bytes>, Layout);

impl Image for Forwarding {
    fn layout(&self) -> &Layout {
        &self.1
    }

    fn load(&self, at: u64, width: Width) -> u64 {
        let mut image = self.0.borrow_mut();
        let place = |index| self.1.named("flows.web").unwrap().1.at(index, 0);
        if at == place(4) && image.load(place(0), Width::B8) == 0 {
            packet(&mut image, 0, 0, 0);
            let loads = self.1.named("loads.web").unwrap().1;
            let gone = empty(&mut *image, place(7), |_| true);
            loads::forget(&mut *image, loads, gone.unwrap());
        }
        image.load(at, width)
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        self.0.get_mut().store(at, width, value);
    }
}

#[test]
fn counts_are_right_behind_a_takeover_during_which_a_flow_begins_and_another_one_ends() {
    let (old, new) = (policy(&["a", "b"]), policy(&["a", "b", "c"]));
    let mut image = image();
    packet(&mut image, 7, 0, 0);
    packet(&mut image, 5, 0, 0);
    let layout = image.layout().clone();
    let mut image = Forwarding(RefCell::new(image), layout);
    turn(&old, &new, &mut image, |_| {});
    assert_eq!(counts(&image.0.into_inner()), [(2, 0), (0, 0), (0, 0)]);
}
