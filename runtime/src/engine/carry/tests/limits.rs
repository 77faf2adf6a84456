//! Backends that are full until they have fewer flows, under another policy.

use lvsc_abi::layout::load;
use lvsc_abi::loads::{self, Load};
use lvsc_abi::manifest::Limit;
use lvsc_abi::publish::publish;
use lvsc_abi::scheduler::Scheduler;
use lvsc_abi::world::World;

use super::*;

/// Names of backends, which take so many flows, and again when they have fewer than so many.
type Lines<'a> = &'a [(&'a str, Option<(u32, u32)>)];

fn policy(backends: Lines<'_>) -> Manifest {
    let names: Vec<&str> = backends.iter().map(|(name, _)| *name).collect();
    let mut policy = manifest(&names);
    let pool = &mut policy.pools[0];
    pool.scheduler = Scheduler::Wlc;
    for (backend, (_, limit)) in pool.backends.iter_mut().zip(backends) {
        backend.limit = limit.map(|(flows, reopen)| Limit { flows, reopen });
    }
    policy
}

fn image() -> Bytes {
    let mut layout = Layout::new();
    layout.add("clock", Element::Clock, 1);
    layout.add("flows.web", Element::Flow, 16);
    layout.add("loads.web", Element::Load, 4);
    layout.add("ring.web", Element::Slot, 8);
    layout.add("backends.web", Element::Backend, 4);
    Bytes::new(layout)
}

/// An image that says so; backend `n` of the policy has `flows[n]` flows.
fn filled(policy: &Manifest, flows: &[u16]) -> Bytes {
    let mut image = image();
    let owners = (0..).zip(flows);
    let owners = owners.flat_map(|(id, flows)| (0..*flows).map(move |_| id));
    let table = image.layout().named("flows.web").unwrap().1.clone();
    for (index, backend) in (0..).zip(owners) {
        let entry = Entry {
            tag: index as u32,
            backend,
            seconds: 5,
            flags: 0,
        };
        image.store(table.at(index, 0), Width::B8, entry.to_bits());
    }
    loads::recount(&policy.pools[0], &mut image);
    publish(policy, &World::for_tests(policy), &mut image);
    image
}

/// From how many flows on the backends take none.
fn limits<const N: usize>(image: &Bytes) -> [u32; N] {
    let (_, loads) = image.layout().named("loads.web").unwrap();
    std::array::from_fn(|id| Load::read(image, loads, id as u64).limit)
}

#[test]
fn who_is_full_until_he_has_fewer_flows_is_so_under_the_next_policy() {
    let some = |flows, reopen| Some((flows, reopen));
    let old = policy(&[("a", some(4, 2)), ("b", some(4, 2)), ("c", some(4, 2))]);
    // What the next policy says, and what holds: of `a`, who has closed and has 3 flows, and of `b`, who has 3 and has not.
    let cases: [(Lines<'_>, [u32; 2]); 6] = [
        (&[("a", some(4, 2)), ("b", some(4, 2)), ("c", None)], [2, 4]),
        (&[("a", some(6, 3)), ("b", some(6, 3))], [3, 6]),
        // What has the ids, and the numbers, of others.
        (&[("b", some(4, 2)), ("a", some(4, 2))], [4, 2]),
        (&[("new", some(4, 2)), ("b", some(4, 2))], [4, 4]),
        (&[("a", some(4, 4)), ("b", some(4, 1))], [4, 4]),
        (&[("a", None), ("b", None)], [loads::UNLIMITED; 2]),
    ];
    for (number, (lines, wanted)) in cases.into_iter().enumerate() {
        let new = policy(lines);
        let mut before = filled(&old, &[4, 3]);
        loads::open_and_close(&old.pools[0], &mut before);
        let table = before.layout().named("flows.web").unwrap().1.clone();
        before.store(table.at(0, 0), Width::B8, 0);
        loads::recount(&old.pools[0], &mut before);
        loads::open_and_close(&old.pools[0], &mut before);
        assert_eq!(limits(&before), [2, 4, 4], "the first one has closed");
        let world = World::for_tests(&new);
        let mut now = image();
        let then = counted(&before);
        carry((&old, &before, &then), (&new, &mut now));
        publish(&new, &world, &mut now);
        assert_eq!(limits(&now), wanted, "{number}");
        turn(&old, &new, &mut before, |image| {
            publish(&new, &world, image);
        });
        assert_eq!(limits(&before), wanted, "{number}");
        let at = before.layout().named("loads.web").unwrap().1.clone();
        let third = before.load(at.at(2, load::LIMIT), Width::B4);
        assert_eq!(third, u64::from(loads::UNLIMITED), "{number}");
    }
}
