//! What a change of policy does to flows: both images are filled as the director fills them, one after the other, and
//! compared. All backends are up, and their MACs known. Says nothing and reads nothing.

mod lines;
mod pool;

use std::collections::BTreeSet;

use lvsc_abi::image::{Bytes, Image};
use lvsc_abi::layout::{Element, Layout};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::Manifest;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::engine::carry::{Carried, agree, carry, counted, turn};
use lvsc_runtime::publish::publish;
use lvsc_runtime::world::World;
use serde::Serialize;

pub use self::lines::Line;
pub use self::pool::{Asked, Change, Connections, Life, Otherwise, PoolPlan, Slots, otherwise};
use crate::compile::Compiled;

/// A policy on one side of the change.
pub struct Side<'a> {
    /// What it means.
    pub pipeline: &'a Pipeline,
    /// Its program.
    pub compiled: &'a Compiled,
}

/// What a change does.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Both are the same program; over the same image it goes on, and what differs is filled in.
    pub same_program: bool,
    /// The same image goes on; else there is a new one, to which state is carried.
    pub same_image: bool,
    /// Why a director that runs does not go on with it.
    pub restart: Option<&'static str>,
    /// The pools of both, in the order of the new policy; those that are gone come last.
    pub pools: Vec<PoolPlan>,
    /// Sections that go on.
    pub carried: Vec<String>,
    /// Sections that begin anew.
    pub anew: Vec<Anew>,
    /// Sections and counters that the new policy does not have.
    pub gone: Vec<String>,
}

/// A section that begins anew.
#[derive(Debug, Serialize)]
pub struct Anew {
    /// Its name.
    pub section: String,
    /// Why.
    pub why: String,
}

/// What happens when the second policy takes over from the first.
pub fn plan(old: &Side<'_>, new: &Side<'_>) -> Plan {
    let (before, after) = (&old.pipeline.manifest, &new.pipeline.manifest);
    let world = World::for_tests(before);
    let mut image = Bytes::new(old.compiled.layout.clone());
    publish(before, &world, &mut image);
    let rings: Vec<_> = (before.pools.iter())
        .map(|pool| pool::ring(pool, &image))
        .collect();
    let (image, carried) = taken_over((before, &world, image), (after, &new.compiled.layout));
    let same_image = old.compiled.layout == new.compiled.layout && agree(before, after);
    let mut pools: Vec<PoolPlan> = Vec::new();
    for pool in &after.pools {
        let was = (before.pools.iter().zip(&rings)).find(|(was, _)| was.name == pool.name);
        pools.push(match was {
            None => PoolPlan::of_one(pool, pool::Life::Added),
            Some((was, ring)) => {
                let asked = [old, new].map(|side| pool::Asked::of(side.pipeline, &pool.name));
                let now = pool::ring(pool, &image);
                pool::compared((was, ring), (pool, &now), &asked, &carried)
            }
        });
    }
    let lost = before
        .pools
        .iter()
        .filter(|pool| after.pool(&pool.name).is_none());
    pools.extend(lost.map(|pool| PoolPlan::of_one(pool, pool::Life::Removed)));
    Plan {
        same_program: is_same(old.compiled, new.compiled),
        same_image,
        restart: restart(before, after),
        pools,
        anew: anew(&carried, &old.compiled.layout, &new.compiled.layout),
        gone: gone(
            (before, &old.compiled.layout),
            (after, &new.compiled.layout),
        ),
        carried: carried.kept,
    }
}

/// The image of the new policy, after it has taken over.
fn taken_over(
    (before, world, mut image): (&Manifest, &World, Bytes),
    (after, layout): (&Manifest, &Layout),
) -> (Bytes, Carried) {
    let mut next = world.follow(before, after);
    let unknown = next.pools.iter_mut().flatten();
    for (state, number) in unknown.filter(|state| state.mac.is_none()).zip(1..) {
        // Whichever: nobody's is compared.
        state.mac = Some(Mac::from_bits(0x0200_0001_0000 + number));
        state.awaited = false;
    }
    if image.layout() == layout {
        let carried = turn(before, after, &mut image, |image| {
            publish(after, &next, image);
        });
        return (image, carried);
    }
    let mut fresh = Bytes::new(layout.clone());
    let then = counted(&image);
    let carried = carry((before, &image, &then), (after, &mut fresh));
    publish(after, &next, &mut fresh);
    (fresh, carried)
}

/// What is compiled, and where it goes on: `the same goes on: what is new is filled into its image`.
pub fn words(same_program: bool, same_image: bool) -> &'static str {
    match (same_program, same_image) {
        (true, true) => "the same goes on: what is new is filled into its image",
        (true, false) => "the same, with an image of its own: what stands in it has other numbers",
        (false, true) => "another one is compiled, and goes on with the image",
        (false, false) => "another one is compiled, with an image of its own",
    }
}

/// Whether both are the same program, from whatever lines.
pub fn is_same(old: &Compiled, new: &Compiled) -> bool {
    let text = |side: &Compiled| lvsc_ir::text::print(side.program.program(), &side.layout);
    text(old) == text(new)
}

/// As the director judges it before it takes a policy.
fn restart(old: &Manifest, new: &Manifest) -> Option<&'static str> {
    let names = |manifest: &Manifest| -> Vec<String> {
        let each = manifest.interfaces.iter();
        each.map(|interface| interface.name.clone()).collect()
    };
    (names(old) != names(new))
        .then_some("the interfaces are not the same, and devices are opened once")
}

fn anew(carried: &Carried, old: &Layout, new: &Layout) -> Vec<Anew> {
    let why = |name: &str| {
        let (Some((_, before)), Some((_, now))) = (old.named(name), new.named(name)) else {
            return "there was none".to_owned();
        };
        if before.element != now.element {
            "it is of another kind".to_owned()
        } else if before.length != now.length {
            format!("{} places before, {} now", before.length, now.length)
        } else if now.element == Element::Slot {
            "the ring remembered nothing".to_owned()
        } else if now.element == Element::Noted {
            "the ring is smaller".to_owned()
        } else {
            "it is declared otherwise".to_owned()
        }
    };
    let each = carried.fresh.iter().map(|name| Anew {
        why: why(name),
        section: name.clone(),
    });
    each.collect()
}

/// State that nobody takes over.
fn gone((old, before): (&Manifest, &Layout), (new, now): (&Manifest, &Layout)) -> Vec<String> {
    let state = |element: Element| match element {
        Element::Flow
        | Element::Noted
        | Element::Client
        | Element::Change
        | Element::Cursor
        | Element::Counter
        | Element::Cell
        | Element::Key => true,
        Element::Header
        | Element::Clock
        | Element::Interface
        | Element::Backend
        | Element::Slot
        | Element::Load
        | Element::Datagram
        | Element::Word => false,
    };
    let sections = before.sections().map(|(_, section)| section);
    let sections =
        sections.filter(|section| state(section.element) && now.named(&section.name).is_none());
    let kept: BTreeSet<_> = new
        .counters
        .iter()
        .map(|known| (known.kind as u8, &known.name))
        .collect();
    let counters = old
        .counters
        .iter()
        .filter(|known| !known.is_of_nobody() && !kept.contains(&(known.kind as u8, &known.name)));
    let counters = counters.map(|known| format!("counter {}", known.name));
    sections
        .map(|section| section.name.clone())
        .chain(counters)
        .collect()
}
