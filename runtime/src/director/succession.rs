//! One policy after the other: the next one is made ready, takes over between two turns, and who asked for it is told.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Instant;

use lvsc_abi::engine::EngineError;
use lvsc_abi::manifest::Manifest;

use super::event::{AnyEngine, Notice, Outcome};
use super::worker::Paused;
use super::{Director, PATIENCE, Takes};
use crate::engine::carry::late::{Seen, approach};
use crate::engine::carry::{Carried, Rings, carry, catch_up, counted, turn};
use crate::io::Source;
use crate::publish::{publish, publish_cursors};
use crate::world::World;

/// A policy that is to take over.
pub(super) struct Next {
    pub(super) engine: AnyEngine,
    pub(super) manifest: Manifest,
    pub(super) asked: Option<Sender<Outcome>>,
}

/// The policies that are to take over, and those that have.
#[derive(Default)]
pub(super) struct Successions {
    /// One after the other, each once the source takes its packets.
    next: VecDeque<Next>,
    done: u64,
    untold: Vec<(Sender<Outcome>, Outcome)>,
}

impl Successions {
    pub(super) fn add(&mut self, next: Next) {
        self.next.push_back(next);
    }

    /// Tells those who have asked what came of it.
    pub(super) fn tell(&mut self) {
        for (asked, outcome) in self.untold.drain(..) {
            let _ = asked.send(outcome); // who has gone wants no answer
        }
    }
}

impl<Meta> Director<Meta> {
    /// How many policies have taken over.
    pub fn successions(&self) -> u64 {
        self.successions.done
    }

    /// The next policy takes over, once the source takes its packets.
    pub(super) fn replace<Io>(&mut self, io: &mut Io)
    where
        Io: Source<Meta = Meta>,
    {
        let Some(next) = self.successions.next.pop_front() else {
            return;
        };
        if let Err(error) = self.has_devices(&next.manifest) {
            return self.told(next.asked, Err(error));
        }
        let world = self.world.follow(&self.manifest, &next.manifest);
        let taken = match io.prepare(next.engine.steering(), &world) {
            Ok(false) => return self.successions.next.push_front(next),
            Ok(true) => self.succeed(next.engine, next.manifest, world),
            Err(error) => Err(error),
        };
        if taken.is_err() {
            io.retreat();
            // What has changed meanwhile was told to others.
            self.stale = true;
        }
        self.told(next.asked, taken);
    }

    /// Whether the devices that are open are those of another policy.
    fn has_devices(&self, manifest: &Manifest) -> Result<(), EngineError> {
        let unfit = |what, remedy: &str| EngineError::Attach {
            what,
            remedy: Some(remedy.to_owned()),
        };
        if !interfaces(manifest).eq(interfaces(&self.manifest)) {
            return Err(unfit(
                "the policy's interfaces are not those of the one that runs".to_owned(),
                "give it the same ones, in the same order",
            ));
        }
        for (known, state) in manifest.interfaces.iter().zip(&self.world.interfaces) {
            if let (Some(wanted), Some(mac)) = (known.mac, state.mac)
                && wanted != mac
            {
                let what = format!(
                    "the policy gives {} the MAC {wanted}, its device has {mac}",
                    known.name
                );
                return Err(unfit(what, "leave the interface's `mac` out"));
            }
        }
        Ok(())
    }

    fn told(&mut self, asked: Option<Sender<Outcome>>, taken: Outcome) {
        let untold = asked.map(|asked| (asked, taken.clone()));
        self.successions.untold.extend(untold);
        (self.notify)(match taken {
            Ok(carried) => Notice::Replaced(carried),
            Err(error) => Notice::Kept(error),
        });
    }

    /// Goes on with another policy, with the flows and counters of the one before, and another picture of the world. The
    /// old one goes on, in all threads, where the new one cannot.
    pub fn succeed(
        &mut self,
        mut engine: AnyEngine,
        manifest: Manifest,
        world: World,
    ) -> Result<Carried, EngineError> {
        let begin = Instant::now();
        // What can fail comes before anybody stands still, or goes on with another policy than the others.
        let over = over_all(&engine, &self.own.engine, &self.crew.pause())?;
        let (before, is_over) = (&self.manifest, over.is_some());
        let mut next;
        if let Some(over) = over {
            (engine, next) = over;
        } else {
            let each = 0..self.crew.len();
            let made: Result<_, _> = each.map(|_| engine.another()).collect();
            next = made?;
        }
        let rings = Rings::of(before, self.own.engine.image());
        let mut others = self.crew.pause();
        let mut carried = if is_over {
            engine.succeed(self.own.engine.as_mut())?;
            turn(before, &manifest, engine.image_mut(), |image| {
                publish(&manifest, &world, image);
            })
        } else {
            for (worker, next) in others.workers.iter_mut().zip(&mut next) {
                next.adopt(worker.engine.frames()?)?;
            }
            // What the kernel and several threads work on is exchanged as a whole: the new one has its own image.
            if self.takes == Takes::Source {
                engine.adopt(self.own.engine.frames()?)?;
            }
            let then = counted(self.own.engine.image());
            let old = (before, self.own.engine.image(), &then);
            let carried = carry(old, (&manifest, engine.image_mut()));
            publish(&manifest, &world, engine.image_mut());
            publish_cursors(self.crew.len() as u32 + 1, engine.image_mut());
            // Where the kernel has gone on all the while. Nobody else has.
            let mut seen = if self.takes == Takes::Engine {
                let old = (before, self.own.engine.image_mut());
                approach(old, (&manifest, engine.image_mut()))
            } else {
                Seen::default()
            };
            if let Err(error) = engine.succeed(self.own.engine.as_mut()) {
                seen.give_up(self.own.engine.image_mut());
                return Err(error);
            }
            let old = (before, self.own.engine.image(), &then);
            catch_up(old, (&manifest, engine.image_mut()), &mut seen);
            carried
        };
        self.own.engine = engine;
        for (worker, next) in others.workers.iter_mut().zip(next) {
            worker.engine = next;
        }
        drop(others);
        carried.moved = rings.moved(before, (&manifest, self.own.engine.image()));
        (self.world, self.manifest) = (world, manifest);
        self.remind = self.remind.min(self.world.seconds + PATIENCE);
        self.stale = false;
        self.successions.done += 1;
        carried.took = begin.elapsed();
        Ok(carried)
    }
}

/// The program of `next` over what the director's own engine has, and over what those of the others have; `None` where it
/// cannot go on with their image. They run on as they are.
fn over_all<Meta>(
    next: &AnyEngine,
    own: &AnyEngine,
    others: &Paused<'_, Meta>,
) -> Result<Option<(AnyEngine, Vec<AnyEngine>)>, EngineError> {
    let Some(first) = next.over(own.as_ref())? else {
        return Ok(None);
    };
    let each = others.workers.iter();
    let more: Result<Option<_>, _> = each
        .map(|worker| next.over(worker.engine.as_ref()))
        .collect();
    Ok(more?.map(|more| (first, more)))
}

/// The names of the interfaces: packet IO has a device for each, in their order.
fn interfaces(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest.interfaces.iter().map(|known| &*known.name)
}
