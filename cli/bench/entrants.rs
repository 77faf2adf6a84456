//! Who is measured: the engines, direct routing by hand where that fits, other objects, and the floor of those in the
//! kernel. What is not here is named.

use std::fs;

use lvsc_abi::manifest::Manifest;
use lvsc_abi::world::World;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::director::AnyEngine;

use super::hand::Hand;
use super::lane::{Batches, Filled, Lane, State};
use super::packets::Measured;
use crate::args::Against;
use crate::engines::{self, Code, ENGINES, Kind, Loaded, Takes};
use crate::failure::Failure;
use crate::policy::Checked;

/// What an entrant is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Written by hand.
    Baseline,
    /// The engine that says what is right, and is not made to be fast.
    Reference,
    /// An engine that runs what a target made.
    Engine,
    /// What `--against` named.
    Object,
    /// What a program in the kernel takes that does nothing.
    Floor,
}

impl Role {
    /// As data says it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Baseline => "baseline",
            Role::Reference => "reference",
            Role::Engine => "engine",
            Role::Object => "object",
            Role::Floor => "floor",
        }
    }
}

/// One that is measured.
pub struct Entrant {
    /// What people call it.
    pub name: String,
    /// What it is to the others.
    pub role: Role,
    /// Whether its times have the floor in them.
    pub is_behind: bool,
    /// How it is measured.
    pub lane: Box<dyn Lane>,
}

/// One that is not measured, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Missing {
    /// With the remedy of what failed.
    pub fn new(name: &str, failure: &Failure) -> Missing {
        Missing {
            name: name.to_owned(),
            why: failure.to_string(),
            remedy: failure.remedy(),
        }
    }
}

/// The engines that are asked for.
pub struct Asked {
    /// Those that this machine lets run.
    pub kinds: Vec<&'static Kind>,
    /// Whatever there is: what cannot be measured is only named.
    pub is_all: bool,
    /// Those that it does not.
    pub missing: Vec<Missing>,
}

impl Asked {
    /// Those with these names; `all` is whatever there is.
    pub fn named(names: &[String]) -> Result<Asked, Failure> {
        let is_all = names.iter().any(|name| name == "all");
        let names: Vec<String> = names
            .iter()
            .filter(|name| *name != "all")
            .cloned()
            .collect();
        let kinds = engines::chosen(if is_all { &[] } else { &names })?;
        for name in &names {
            engines::find(name)?;
        }
        let absent = ENGINES.iter().filter(|_| is_all);
        let missing = absent.filter_map(|kind| {
            let failure = (kind.present)().err()?;
            Some(Missing::new(kind.name, &failure))
        });
        Ok(Asked {
            kinds,
            is_all,
            missing: missing.collect(),
        })
    }

    /// The targets that are asked for by name.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        let named = self.kinds.iter().filter(|_| !self.is_all);
        named.filter_map(|kind| kind.target())
    }
}

/// A weight is so many parts, of which percents can be taken.
const SHARES: u32 = 1000;

/// All that can be measured with these packets, and what is missing.
pub fn all(
    checked: &Checked,
    worlds: &[World],
    measured: &Measured,
    asked: &Asked,
    against: &[Against],
) -> Result<(Vec<Entrant>, Vec<Missing>), Failure> {
    let pipeline = &checked.pipeline;
    let state = (&pipeline.manifest, worlds);
    let mut missing = asked.missing.clone();
    let mut entrants: Vec<Entrant> = by_hand(pipeline, state, measured.ingress)
        .into_iter()
        .collect();
    for (index, kind) in ENGINES.iter().enumerate() {
        if !asked.kinds.iter().any(|asked| asked.name == kind.name) {
            continue;
        }
        let role = if index == 0 {
            Role::Reference
        } else {
            Role::Engine
        };
        let made = engine(kind, checked);
        let made = made.and_then(|engine| entrant(kind, role, engine, state, measured.ingress));
        match made {
            Ok(entrant) => entrants.push(entrant),
            Err(failure) if asked.is_all => missing.push(Missing::new(kind.name, &failure)),
            Err(failure) => return Err(failure),
        }
    }
    for against in against {
        entrants.push(other(against, measured.ingress)?);
    }
    if entrants.iter().any(|entrant| entrant.is_behind) {
        entrants.push(kernel::floor()?);
    }
    Ok((entrants, missing))
}

fn by_hand(pipeline: &Pipeline, state: State<'_>, ingress: u8) -> Option<Entrant> {
    let hand = Hand::of(pipeline)?;
    Some(Entrant {
        name: "rust".to_owned(),
        role: Role::Baseline,
        is_behind: false,
        lane: Box::new(Batches::new(Box::new(hand), state, ingress)),
    })
}

/// An engine that runs the policy, which may be for others only.
pub fn engine(kind: &Kind, checked: &Checked) -> Result<AnyEngine, Failure> {
    let other = kind
        .target()
        .and_then(|target| checked.policy.other_target(target));
    match other {
        Some((message, _)) => Err(Failure::told(message)),
        None => kind.make(&checked.pipeline),
    }
}

/// An engine; one that takes packets from devices is measured where it does that, in the kernel.
fn entrant(
    kind: &Kind,
    role: Role,
    engine: AnyEngine,
    state: State<'_>,
    ingress: u8,
) -> Result<Entrant, Failure> {
    let lane: Box<dyn Lane> = match kind.takes {
        Takes::Handed => Box::new(Batches::new(engine, state, ingress)),
        Takes::Devices => kernel::behind(engine, state)?,
    };
    Ok(Entrant {
        name: kind.name.to_owned(),
        role,
        is_behind: kind.takes == Takes::Devices,
        lane,
    })
}

/// What `--against` names. What lvsc made has its own manifest, and a world as of tests.
fn other(against: &Against, ingress: u8) -> Result<Entrant, Failure> {
    if let Some(pinned) = kernel::pinned(against)? {
        return Ok(pinned);
    }
    let bytes = fs::read(&against.path).map_err(|source| Failure::Read {
        path: against.path.clone(),
        because: None,
        source,
    })?;
    let Some(kind) = engines::of(&bytes) else {
        return Err(Failure::Told {
            what: format!("{} is no object that can be measured", against.text),
            remedy: Some(
                "give what `lvsc build` or `clang -target bpf` makes; policies go in front of `--against`"
                    .to_owned(),
            ),
        });
    };
    if kind.takes == Takes::Devices && kernel::is_foreign(&bytes) {
        return kernel::foreign(against, &bytes);
    }
    (kind.present)()?;
    let path = against.path.display().to_string();
    let code = Code::Artifact {
        path: &path,
        bytes: &bytes,
    };
    let Loaded {
        engine, manifest, ..
    } = kind.load(&code, None)?;
    let worlds = [world(&manifest, ingress)];
    let entrant = entrant(kind, Role::Object, engine, (&manifest, &worlds), ingress)?;
    Ok(Entrant {
        name: against.text.clone(),
        ..entrant
    })
}

/// The world of tests, in which packets come by the one device that there is.
pub fn world(manifest: &Manifest, ingress: u8) -> World {
    let mut world = World::for_tests(manifest);
    if let Some(interface) = world.interfaces.get_mut(usize::from(ingress)) {
        interface.index = kernel::INGRESS;
    }
    world
}

/// The worlds of a pool whose backends have changed, the last one is that of tests: before, the first backend's share of each
/// pool was larger by so many percent of the ring's slots.
pub fn changed(manifest: &Manifest, ingress: u8, percent: u8) -> Vec<World> {
    let now = world(manifest, ingress);
    if percent == 0 {
        return vec![now];
    }
    let mut before = now.clone();
    for states in &mut before.pools {
        let all: u32 = states.iter().map(|state| state.weight).sum();
        for state in states.iter_mut() {
            state.weight *= SHARES;
        }
        if let Some(first) = states.first_mut() {
            // (w + x) / (all + x) = w / all + percent / 100
            let wanted = first.weight + all * SHARES * u32::from(percent) / 100;
            let rest = all * SHARES - first.weight;
            let left = (all * SHARES).saturating_sub(wanted).max(1);
            first.weight = (u64::from(wanted) * u64::from(rest) / u64::from(left)) as u32;
        }
    }
    vec![before, now]
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::any::Any;

    use lvsc_runtime::director::AnyEngine;
    use lvsc_runtime::engine::xdp::foreign::{self, ForeignError};
    pub(super) use lvsc_runtime::engine::xdp::replay::INGRESS;
    use lvsc_runtime::engine::xdp::{ObjectError, XdpEngine, probe, read, replay};

    use super::super::lane::Behind;
    use super::{Against, Entrant, Failure, Filled, Lane, Role, State};
    use crate::engines::LoadFailure;

    pub(super) fn behind(engine: AnyEngine, state: State<'_>) -> Result<Box<dyn Lane>, Failure> {
        let program = (engine.as_ref() as &dyn Any).downcast_ref::<XdpEngine>();
        let program = program.map(XdpEngine::program).transpose();
        let program = program
            .map_err(Failure::told)?
            .ok_or_else(|| Failure::Bug {
                what: "an engine that takes packets from devices has no program".to_owned(),
            })?;
        Ok(Box::new(Behind::new(
            program,
            Some(Filled::new(engine, state)),
        )))
    }

    pub(super) fn floor() -> Result<Entrant, Failure> {
        let program = replay::floor().map_err(|error| LoadFailure::from(error).of_ours())?;
        Ok(Entrant {
            name: "floor".to_owned(),
            role: Role::Floor,
            is_behind: true,
            lane: Box::new(Behind::new(program, None)),
        })
    }

    /// Whether an object is none of ours.
    pub(super) fn is_foreign(bytes: &[u8]) -> bool {
        matches!(read(bytes), Err(ObjectError::Section { .. }))
    }

    pub(super) fn foreign(against: &Against, bytes: &[u8]) -> Result<Entrant, Failure> {
        probe()?;
        object(against, foreign::load(bytes, against.program.as_deref()))
    }

    pub(super) fn pinned(against: &Against) -> Result<Option<Entrant>, Failure> {
        if !foreign::is_pinned(&against.path) {
            return Ok(None);
        }
        object(against, foreign::pinned(&against.path)).map(Some)
    }

    fn object(
        against: &Against,
        program: Result<std::os::fd::OwnedFd, ForeignError>,
    ) -> Result<Entrant, Failure> {
        let program = program.map_err(|error| {
            let remedy = match &error {
                ForeignError::Missing { .. } | ForeignError::Several { .. } => Some(format!(
                    "name one: `--against {}:PROGRAM`",
                    against.path.display()
                )),
                ForeignError::Object(_)
                | ForeignError::Other
                | ForeignError::Refused { .. }
                | ForeignError::Read(_) => None,
            };
            Failure::Told {
                what: format!("{}: {error}", against.path.display()),
                remedy,
            }
        })?;
        Ok(Entrant {
            name: against.text.clone(),
            role: Role::Object,
            is_behind: true,
            lane: Box::new(Behind::new(program, None)),
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use lvsc_runtime::director::AnyEngine;

    use super::{Against, Entrant, Failure, Lane, State};

    pub(super) const INGRESS: u32 = 1;

    fn nowhere<T>() -> Result<T, Failure> {
        Err(Failure::told("programs in the kernel need Linux"))
    }

    pub(super) fn behind(_: AnyEngine, _: State<'_>) -> Result<Box<dyn Lane>, Failure> {
        nowhere()
    }

    pub(super) fn floor() -> Result<Entrant, Failure> {
        nowhere()
    }

    pub(super) fn is_foreign(_: &[u8]) -> bool {
        true
    }

    pub(super) fn foreign(_: &Against, _: &[u8]) -> Result<Entrant, Failure> {
        nowhere()
    }

    pub(super) fn pinned(_: &Against) -> Result<Option<Entrant>, Failure> {
        Ok(None)
    }
}
