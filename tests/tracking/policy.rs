//! Policies one after the other: backends come and go, in any order of their lines, so that their ids are others each time.

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::world::World;

use crate::chance::Chance;
use crate::library::Disk;
use crate::model::{Backend, Known};

/// Backends that there may be.
pub const BACKENDS: u64 = 12;
/// Seconds that a connection may be silent.
pub const IDLE: u64 = 60;
/// Fewer there are not.
const FEW: usize = 2;

/// All of them, each in its line.
pub fn everybody() -> Vec<Backend> {
    (0..BACKENDS as Backend).collect()
}

/// How a pool chooses, and what it notes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By hash; of flows whose slots have changed.
    Changed,
    /// By this scheduler; of every flow.
    Every(&'static str),
}

/// A policy with a table of so many entries, and a line for each of these backends.
pub fn policy(kind: Kind, entries: u32, lines: &[Backend]) -> Pipeline {
    policy_for(BACKENDS, kind, entries, lines)
}

/// The same with place for so many backends: where there are more than 16 the ring is longer.
pub fn policy_for(capacity: u64, kind: Kind, entries: u32, lines: &[Backend]) -> Pipeline {
    let (scheduler, auto) = match kind {
        Kind::Changed => ("maglev", "auto "),
        Kind::Every(scheduler) => (scheduler, ""),
    };
    let backend = |id: &Backend| {
        let address = id + 1;
        format!("  backend b{id} 192.0.2.{address}\n")
    };
    let backends: String = lines.iter().map(backend).collect();
    let text = format!(
        "pool web {{\n  scheduler {scheduler}\n  capacity {capacity}\n{backends}  flows {auto}{entries} idle {IDLE}s\n}}\n\
         match ip.dst == 192.0.2.200 {{\n  select rs from web\n  dr(rs)\n}}\n",
    );
    let compiled = lvsc_front::compile_with("tracking.lvs", &text, &Disk);
    compiled.pipeline.expect("the policy is right")
}

/// Whom a frame is sent to.
pub fn receiver(frame: &[u8]) -> Backend {
    assert_eq!(frame[..5], [2, 0, 0, 0, 1]);
    frame[5].into()
}

/// The lines of the next policy: some are gone, some are new, and they stand in another order.
pub fn next(lines: &[Backend], chance: &mut Chance) -> Vec<Backend> {
    let mut next = lines.to_vec();
    for id in everybody() {
        match next.iter().position(|known| *known == id) {
            Some(at) if next.len() > FEW && chance.one_in(6) => drop(next.remove(at)),
            None if chance.one_in(3) => next.push(id),
            Some(_) | None => {}
        }
    }
    for last in (1..next.len()).rev() {
        next.swap(last, chance.below(last + 1));
    }
    next
}

/// The world before anything is known of backends but their MACs.
pub fn world(manifest: &Manifest) -> World {
    let mut world = World::for_tests(manifest);
    tell(manifest, &mut world, |_| Known {
        weight: 1,
        up: true,
    });
    world
}

/// Has each backend of a policy be what is known of it.
pub fn tell(manifest: &Manifest, world: &mut World, known: impl Fn(Backend) -> Known) {
    for (state, backend) in world.pools[0].iter_mut().zip(&manifest.pools[0].backends) {
        let id: Backend = backend.name[1..].parse().expect("a number");
        state.mac = Some(Mac([2, 0, 0, 0, 1, id as u8]));
        (state.up, state.weight) = (known(id).up, known(id).weight);
    }
}
