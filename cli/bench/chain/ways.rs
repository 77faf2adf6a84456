//! Who forwards: a program that only sends back, our engines by each way in which packets come to them, and the kernel's own
//! rules.

use std::os::fd::OwnedFd;

use lvsc_abi::engine::Mode;
use lvsc_abi::world::World;
use lvsc_runtime::director::interface::{Io, Steered};
use lvsc_runtime::engine::xdp::{probe, replay};
use lvsc_runtime::io::af_xdp::Ways;
use lvsc_runtime::lab::load::Load;
use lvsc_runtime::lab::wire::Wire;
use lvsc_runtime::sys::bpf;
use lvsc_target_xdp::{feeder, sink};

use super::super::entrants::{self, Asked, Missing, Role};
use super::directed::Directed;
use super::{Subject, rules};
use crate::engines::{ENGINES, Kind, LoadFailure, Takes};
use crate::failure::Failure;

/// A way that stands, on a wire of its own.
pub struct Way {
    /// What people call it.
    pub name: String,
    /// What it is to the others.
    pub role: Role,
    /// The generator.
    pub load: Load,
    /// Goes before the wire.
    _forwards: Forwards,
    _wire: Wire,
}

/// Who forwards.
enum Forwards {
    /// A program, and what holds it on the device.
    Program { _held: [OwnedFd; 2] },
    /// A director of ours.
    Director { _held: Directed },
    /// The kernel, by rules that go with the wire.
    Kernel,
}

/// An engine, and how packets come to it.
#[derive(Clone, Copy)]
pub struct Plan {
    /// The engine.
    pub kind: &'static Kind,
    io: Means,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    /// It takes them by itself.
    Own,
    Shared,
    Sockets,
}

impl Plan {
    /// All ways of the engines that are asked for. The reference is not made to be fast, and only there by its name.
    pub fn all(asked: &Asked) -> Vec<Plan> {
        let reference = ENGINES.first().map(|kind| kind.name);
        let kinds = asked.kinds.iter();
        let kinds = kinds.filter(|kind| !asked.is_all || Some(kind.name) != reference);
        let plan = |kind: &&'static Kind| {
            let means: &[Means] = match kind.takes {
                Takes::Devices => &[Means::Own],
                Takes::Handed => &[Means::Shared, Means::Sockets],
            };
            means.iter().map(|io| Plan { kind, io: *io }).collect()
        };
        kinds.flat_map(|kind| -> Vec<Plan> { plan(kind) }).collect()
    }

    /// `xdp`, `af_xdp native`
    pub fn name(&self) -> String {
        match self.io {
            Means::Own => self.kind.name.to_owned(),
            Means::Shared => format!("af_xdp {}", self.kind.name),
            Means::Sockets => format!("af_packet {}", self.kind.name),
        }
    }

    /// How the director is to open its devices: with one thread, as all others have one.
    fn io(&self) -> Io {
        match self.io {
            Means::Own | Means::Sockets => Io::Packets,
            Means::Shared => Io::Steered(Steered {
                ways: Ways::default(),
                threads: Some(1),
            }),
        }
    }
}

/// The world on a wire: that of tests.
pub fn world(subject: &Subject<'_>) -> World {
    World::for_tests(&subject.checked.pipeline.manifest)
}

/// A wire with its generator.
pub fn wire(subject: &Subject<'_>) -> Result<(Wire, Load), Failure> {
    let macs: Vec<_> = world(subject)
        .interfaces
        .iter()
        .map(|own| own.mac)
        .collect();
    let wire = Wire::up(&macs).map_err(|error| refused(&error))?;
    let train = &subject.train;
    let programs = (train, feeder(train), sink(train));
    let load = Load::open(&wire, subject.ingress, programs, cpus().0).map_err(|e| refused(&e))?;
    let load = load.map_err(|error| LoadFailure::from(error).of_ours())?;
    Ok((wire, load))
}

/// The CPUs of the generator and of a director: the last one, and the one before where there is one.
fn cpus() -> (usize, usize) {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    (count.saturating_sub(1), count.saturating_sub(2))
}

/// What this machine must let us do.
pub fn check() -> Result<(), Failure> {
    Wire::up(&[]).map_err(|error| refused(&error))?;
    Ok(probe()?)
}

fn refused(error: &std::io::Error) -> Failure {
    let is_permission = error.kind() == std::io::ErrorKind::PermissionDenied;
    let remedy = if is_permission {
        "run it as root (`sudo lvsc bench ...`): network namespaces are made for it, and programs loaded"
    } else {
        lvsc_runtime::lab::namespaces::remedy(error)
    };
    Failure::Told {
        what: format!("no wire to measure on: {error}"),
        remedy: Some(remedy.to_owned()),
    }
}

/// A director with this engine on its wire.
pub fn directed(subject: &Subject<'_>, plan: Plan) -> Result<(Wire, Load, Directed), Failure> {
    let engine = entrants::engine(plan.kind, subject.checked)?;
    let (wire, load) = wire(subject)?;
    let state = (&subject.checked.pipeline.manifest, &world(subject));
    let directed = Directed::start(&wire, engine, state, plan.io(), cpus().1)?;
    Ok((wire, load, directed))
}

/// Who is missing, where these ways stand and those failed. An engine that was asked for by name must have one that stands.
pub fn missing(
    asked: &Asked,
    stand: &[Plan],
    failed: Vec<(Plan, Failure)>,
) -> Result<Vec<Missing>, Failure> {
    let mut missing = asked.missing.clone();
    for (plan, failure) in failed {
        let stands = stand.iter().any(|other| other.kind.name == plan.kind.name);
        if !(asked.is_all || stands) {
            return Err(failure);
        }
        missing.push(Missing::new(&plan.name(), &failure));
    }
    Ok(missing)
}

/// All ways that can be had, and those that cannot.
pub fn all(subject: &Subject<'_>, asked: &Asked) -> Result<(Vec<Way>, Vec<Missing>), Failure> {
    let mut ways = vec![floor(subject)?];
    let (mut stand, mut failed) = (Vec::new(), Vec::new());
    for plan in Plan::all(asked) {
        match directed(subject, plan) {
            Ok((wire, load, directed)) => {
                stand.push(plan);
                ways.push(Way {
                    name: plan.name(),
                    role: Role::Engine,
                    load,
                    _forwards: Forwards::Director { _held: directed },
                    _wire: wire,
                });
            }
            Err(failure) => failed.push((plan, failure)),
        }
    }
    let mut missing = missing(asked, &stand, failed)?;
    if asked.is_all {
        match kernel(subject) {
            Ok(way) => ways.push(way),
            Err(failure) => missing.push(Missing::new(rules::NAME, &failure)),
        }
    }
    Ok((ways, missing))
}

/// A program on the director's device that sends every packet back as it came.
fn floor(subject: &Subject<'_>) -> Result<Way, Failure> {
    let (wire, load) = wire(subject)?;
    let program = replay::floor().map_err(|error| LoadFailure::from(error).of_ours())?;
    let device = wire.indices().get(usize::from(subject.ingress)).copied();
    let device = device.unwrap_or_default();
    let attached = wire.director.run(move || {
        let link = bpf::attach(&program, device, Mode::Native)?;
        Ok::<_, std::io::Error>([program, link])
    });
    let held = attached.flatten().map_err(Failure::told)?;
    Ok(Way {
        name: "floor".to_owned(),
        role: Role::Floor,
        load,
        _forwards: Forwards::Program { _held: held },
        _wire: wire,
    })
}

/// The kernel's own rules, where they can say what the policy says.
fn kernel(subject: &Subject<'_>) -> Result<Way, Failure> {
    let text = rules::of(subject)?;
    let (wire, load) = wire(subject)?;
    rules::apply(&wire, text)?;
    Ok(Way {
        name: rules::NAME.to_owned(),
        role: Role::Baseline,
        load,
        _forwards: Forwards::Kernel,
        _wire: wire,
    })
}
