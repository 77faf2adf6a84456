//! Connections that open while one policy takes over from another in the kernel: between the last look at the old image and
//! the exchange, and between the exchange and the time at which all is carried.

use lvsc_runtime::engine::carry::late::approach;
use lvsc_runtime::engine::carry::{carry, catch_up, counted};
use lvsc_runtime::publish::{publish, publish_time};

use crate::engines;
use crate::model::Sent;
use crate::policy::{BACKENDS, Kind, everybody, policy, policy_for, world};
use crate::run::{decide, sent};

/// Connections of each kind.
const FLOWS: u64 = 2000;
/// The backend that drains.
const DRAINED: u16 = 3;

/// What came of it.
#[derive(Debug)]
pub struct Exchanged {
    /// Connections that have changed their backends.
    pub moved: usize,
    /// Openings that a backend got that drains, while policies were exchanged and after that.
    pub meanwhile: usize,
    pub after: usize,
}

/// Drains a backend, and has another policy take over so many seconds later, while connections open.
pub fn exchange(later: u64) -> Exchanged {
    let policies = [4096, 8192].map(|entries| policy(Kind::Changed, entries, &everybody()));
    let [old, new] = policies.each_ref().map(|pipeline| &pipeline.manifest);
    let made = policies
        .each_ref()
        .map(|pipeline| engines::ENGINES[0].make(pipeline));
    let [mut before, mut after] = made.map(|engine| engine.unwrap_or_else(|e| panic!("{e}")));
    let mut world = world(old);
    world.seconds = 1000;
    publish(old, &world, before.image_mut());
    world.pools[0][usize::from(DRAINED)].weight = 0;
    publish(old, &world, before.image_mut());
    world.seconds += later;
    publish_time(&world, before.image_mut());

    let then = counted(before.image());
    carry((old, before.image(), &then), (new, after.image_mut()));
    publish(new, &world, after.image_mut());
    let mut seen = approach((old, before.image_mut()), (new, after.image_mut()));
    let first = decide(&mut before, &flows(0, true));
    // Some are heard of before all is carried, all after that.
    let half = flows(0, false);
    let soon = decide(&mut after, &half[..half.len() / 2]);
    catch_up(
        (old, before.image(), &then),
        (new, after.image_mut()),
        &mut seen,
    );
    let all = decide(&mut after, &flows(0, false));
    let fresh = decide(&mut after, &flows(FLOWS, true));
    Exchanged {
        moved: differ(&first, &soon) + differ(&first, &all),
        meanwhile: drained(&first),
        after: drained(&fresh),
    }
}

/// Has a policy take over whose ring is longer, in images that are empty: how many connections have changed their backends that
/// opened before a change which the slots have not forgotten.
pub fn grow() -> usize {
    let capacities = [BACKENDS, 32];
    let policies = capacities.map(|places| policy_for(places, Kind::Changed, 4096, &everybody()));
    let [old, new] = policies.each_ref().map(|pipeline| &pipeline.manifest);
    assert!(old.pools[0].slots() < new.pools[0].slots());
    let mut world = world(old);
    world.seconds = 1000;
    let mut moved = 0;
    for kind in engines::present() {
        let made = policies.each_ref().map(|pipeline| kind.make(pipeline));
        let [mut before, mut after] = made.map(|engine| engine.unwrap_or_else(|e| panic!("{e}")));
        let mut world = world.clone();
        publish(old, &world, before.image_mut());
        let first = decide(&mut before, &flows(0, true));
        world.pools[0][usize::from(DRAINED)].weight = 0;
        publish(old, &world, before.image_mut());
        world.seconds += 10;
        publish_time(&world, before.image_mut());
        let then = counted(before.image());
        carry((old, before.image(), &then), (new, after.image_mut()));
        publish(new, &world, after.image_mut());
        let mut seen = approach((old, before.image_mut()), (new, after.image_mut()));
        catch_up(
            (old, before.image(), &then),
            (new, after.image_mut()),
            &mut seen,
        );
        let later = decide(&mut after, &flows(0, false));
        moved += differ(&first, &later);
        assert!(drained(&later) > 100, "{}", kind.name);
    }
    moved
}

/// Packets of [`FLOWS`] connections.
fn flows(first: u64, opens: bool) -> Vec<Sent> {
    let each = first..first + FLOWS;
    each.map(|flow| sent(flow << 16 | flow, opens, 7)).collect()
}

fn differ(one: &[Option<u16>], other: &[Option<u16>]) -> usize {
    one.iter().zip(other).filter(|(a, b)| a != b).count()
}

fn drained(got: &[Option<u16>]) -> usize {
    got.iter()
        .filter(|backend| **backend == Some(DRAINED))
        .count()
}
