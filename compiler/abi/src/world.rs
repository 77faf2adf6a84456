//! What is true now: the control plane's picture, from which the image is filled.

use std::net::IpAddr;

use crate::mac::Mac;
use crate::manifest::{Manifest, Pool};
use crate::ramp;

/// What is true now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The interfaces, in the manifest's order.
    pub interfaces: Vec<InterfaceState>,
    /// The backends of each pool, in the manifest's order.
    pub pools: Vec<Vec<BackendState>>,
    /// Seconds of a clock that never goes back.
    pub seconds: u64,
    /// Seed of the table hash, drawn at start.
    pub seed: u64,
}

/// An interface as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceState {
    /// Its MAC, where it is known.
    pub mac: Option<Mac>,
    /// The kernel's index; 0 where there is none.
    pub index: u32,
}

/// A backend as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendState {
    /// The MAC of its next hop; without it the backend gets no packets.
    pub mac: Option<Mac>,
    /// Its next hop was asked for a short while ago, for the first time: an answer is likely. Where that keeps
    /// connections where they are, the backend has its place among the others meanwhile.
    pub awaited: bool,
    /// It may be given packets.
    pub up: bool,
    /// Its share of new flows; 0 gives it none, and it keeps those that it has.
    pub weight: u32,
    /// The second at which it came, or came back, where it has not its whole weight yet ([`crate::ramp`]).
    pub since: Option<u64>,
}

impl BackendState {
    /// It comes, or comes back, at `now`: where its pool has a slow start, that begins.
    pub fn comes(&mut self, pool: &Pool, now: u64) {
        self.since = pool.slow_start.map(|_| now);
    }
}

impl World {
    /// What the policy itself says: the MACs that it fixes, all backends up, time 0.
    pub fn of(manifest: &Manifest) -> World {
        let interfaces = manifest.interfaces.iter();
        let pools = manifest.pools.iter().map(|pool| {
            let backends = pool.backends.iter();
            backends
                .map(|backend| BackendState {
                    mac: backend.mac,
                    awaited: false,
                    up: true,
                    weight: if backend.drain { 0 } else { backend.weight },
                    since: None,
                })
                .collect()
        });
        World {
            interfaces: interfaces
                .map(|interface| InterfaceState {
                    mac: interface.mac,
                    index: 0,
                })
                .collect(),
            pools: pools.collect(),
            seconds: 0,
            seed: 0,
        }
    }

    /// The world of a capture, which has no neighbours: backends have the MACs of [`World::for_tests`] where the policy
    /// fixes none, and interfaces only what the policy fixes, so that every unicast frame counts as addressed to us. The
    /// clock is the capture's, whose times may begin at 0.
    pub fn for_captures(manifest: &Manifest) -> World {
        World {
            interfaces: World::of(manifest).interfaces,
            seconds: 0,
            ..World::for_tests(manifest)
        }
    }

    /// The world of a policy that takes over from another: backends and interfaces of the same name stay as they are,
    /// with the weights that the new policy gives. Clock and seed go on.
    #[must_use]
    pub fn follow(&self, old: &Manifest, new: &Manifest) -> World {
        let mut next = World {
            seconds: self.seconds,
            seed: self.seed,
            ..World::of(new)
        };
        for (state, interface) in next.interfaces.iter_mut().zip(&new.interfaces) {
            let before = old
                .interfaces
                .iter()
                .position(|known| known.name == interface.name);
            if let Some(before) = before.and_then(|index| self.interfaces.get(index)) {
                state.mac = state.mac.or(before.mac);
                state.index = before.index;
            }
        }
        for (states, pool) in next.pools.iter_mut().zip(&new.pools) {
            for (state, backend) in states.iter_mut().zip(&pool.backends) {
                if let Some(before) = self.backend(old, &pool.name, &backend.name) {
                    // At another address there is another host.
                    let same = address(old, &pool.name, &backend.name) == Some(backend.address);
                    let known = before.mac.filter(|_| same);
                    state.mac = state.mac.or(known);
                    state.awaited = state.mac.is_none() && (before.awaited || !same);
                    state.up = before.up;
                    state.since = before.since.filter(|_| pool.slow_start.is_some());
                    if !same {
                        state.comes(pool, self.seconds);
                    }
                } else {
                    state.awaited = state.mac.is_none();
                    state.comes(pool, self.seconds);
                }
            }
        }
        next
    }

    /// Has backends awaited whose next hop is not known.
    pub fn awaits(&mut self) {
        for state in self.pools.iter_mut().flatten() {
            state.awaited = state.mac.is_none();
        }
    }

    /// Has no backend awaited any more that has not answered; whether there was one.
    pub fn gives_up(&mut self) -> bool {
        let mut given_up = false;
        for state in self.pools.iter_mut().flatten() {
            given_up |= std::mem::take(&mut state.awaited) && state.mac.is_none();
        }
        given_up
    }

    /// Has a backend be given packets, or none; nothing where the manifest has none of these names.
    pub fn turn(&mut self, manifest: &Manifest, (pool, backend): (&str, &str), up: bool) {
        let now = self.seconds;
        if let Some(known) = manifest.pool(pool)
            && let Some(state) = self.backend_mut(manifest, pool, backend)
        {
            if up && !state.up {
                state.comes(known, now);
            }
            state.up = up;
        }
    }

    /// Whether the weight of a backend that came a while ago is another one now than at `before`. One that has its whole
    /// weight is as if it had always been there.
    pub fn ramps(&mut self, manifest: &Manifest, before: u64) -> bool {
        let mut changed = false;
        for (pool, states) in manifest.pools.iter().zip(&mut self.pools) {
            let time = pool.slow_start.unwrap_or(0);
            for state in states {
                let Some(since) = state.since else { continue };
                let now = ramp::steps(since, self.seconds, time);
                changed |= now != ramp::steps(since, before, time);
                state.since = (now < ramp::STEPS).then_some(since);
            }
        }
        changed
    }

    /// The backend of these names; `None` where the manifest has none.
    pub fn backend(&self, manifest: &Manifest, pool: &str, backend: &str) -> Option<&BackendState> {
        let (pool, backend) = position(manifest, pool, backend)?;
        self.pools.get(pool)?.get(backend)
    }

    /// As [`World::backend`], to be changed.
    pub fn backend_mut(
        &mut self,
        manifest: &Manifest,
        pool: &str,
        backend: &str,
    ) -> Option<&mut BackendState> {
        let (pool, backend) = position(manifest, pool, backend)?;
        self.pools.get_mut(pool)?.get_mut(backend)
    }

    /// The world of a policy's tests and of traces: what the policy does not fix has the MACs `02:00:00:00:00:01` on,
    /// interfaces first, then the backends of all pools in the order of the file. The clock begins at 1000 s.
    pub fn for_tests(manifest: &Manifest) -> World {
        let mut world = World::of(manifest);
        let mut next = 0x0200_0000_0000_u64;
        let interfaces = world
            .interfaces
            .iter_mut()
            .map(|interface| &mut interface.mac);
        let backends = world
            .pools
            .iter_mut()
            .flatten()
            .map(|backend| &mut backend.mac);
        for mac in interfaces.chain(backends) {
            next += 1;
            mac.get_or_insert(Mac::from_bits(next));
        }
        world.seconds = 1000;
        world.seed = 0x6c76_7363;
        world
    }
}

fn position(manifest: &Manifest, pool: &str, backend: &str) -> Option<(usize, usize)> {
    let at = manifest.pools.iter().position(|known| known.name == pool)?;
    let backends = &manifest.pools.get(at)?.backends;
    Some((at, backends.iter().position(|known| known.name == backend)?))
}

fn address(manifest: &Manifest, pool: &str, backend: &str) -> Option<IpAddr> {
    let (pool, backend) = position(manifest, pool, backend)?;
    Some(manifest.pools.get(pool)?.backends.get(backend)?.address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use crate::manifest::{Backend, Interface, Pool};
    use crate::scheduler::Scheduler;

    use super::*;

    fn manifest(backends: &[(&str, Option<Mac>)]) -> Manifest {
        let backend = |(id, (name, mac)): (usize, &(&str, Option<Mac>))| Backend {
            weight: 5,
            mac: *mac,
            ..Backend::new(id as u16, *name, [192, 0, 2, 1])
        };
        Manifest {
            interfaces: vec![Interface {
                name: "lan".to_owned(),
                ..Interface::default()
            }],
            pools: vec![Pool {
                backends: backends.iter().enumerate().map(backend).collect(),
                ..Pool::new("web", Scheduler::Wrr)
            }],
            ..Manifest::default()
        }
    }

    const LEARNT: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
    const FIXED: Mac = Mac([2, 0, 0, 0, 0, 0x22]);

    #[test]
    fn what_was_learnt_follows_names_into_another_policy() {
        let (old, new) = (
            manifest(&[("a", None), ("b", None)]),
            manifest(&[("b", None), ("c", None)]),
        );
        let mut world = World::of(&old);
        *world.backend_mut(&old, "web", "b").unwrap() = BackendState {
            mac: Some(LEARNT),
            awaited: false,
            up: false,
            weight: 0,
            since: Some(940),
        };
        world.interfaces[0] = InterfaceState {
            mac: Some(FIXED),
            index: 3,
        };
        world.seed = 9;
        let next = world.follow(&old, &new);
        assert_eq!(
            next.pools[0][0],
            BackendState {
                mac: Some(LEARNT),
                awaited: false,
                up: false,
                weight: 5,
                since: None,
            }
        );
        assert_eq!(
            next.pools[0][1],
            BackendState {
                mac: None,
                awaited: true,
                up: true,
                weight: 5,
                since: None,
            }
        );
        assert_eq!(next.interfaces, world.interfaces);
        assert_eq!(next.seed, 9);
    }

    #[test]
    fn a_mac_that_the_new_policy_fixes_counts_more_than_the_one_learnt() {
        let (old, new) = (manifest(&[("a", None)]), manifest(&[("a", Some(FIXED))]));
        let mut world = World::of(&old);
        world.pools[0][0].mac = Some(LEARNT);
        assert_eq!(world.follow(&old, &new).pools[0][0].mac, Some(FIXED));
    }

    #[test]
    fn a_mac_that_was_learnt_is_that_of_an_address() {
        let old = manifest(&[("a", None), ("b", None)]);
        let mut new = old.clone();
        new.pools[0].backends[1].address = IpAddr::from([192, 0, 2, 99]);
        let mut world = World::of(&old);
        for state in &mut world.pools[0] {
            state.mac = Some(LEARNT);
        }
        let next = world.follow(&old, &new);
        let macs: Vec<_> = next.pools[0].iter().map(|state| state.mac).collect();
        assert_eq!(macs, [Some(LEARNT), None]);
    }

    #[test]
    fn a_capture_has_backends_but_no_interface_of_its_own() {
        let manifest = manifest(&[("a", None), ("b", Some(FIXED))]);
        let world = World::for_captures(&manifest);
        assert_eq!(world.interfaces[0].mac, None);
        let macs: Vec<String> = world.pools[0]
            .iter()
            .map(|b| b.mac.unwrap().to_string())
            .collect();
        assert_eq!(macs, ["02:00:00:00:00:02", "02:00:00:00:00:22"]);
    }
}
