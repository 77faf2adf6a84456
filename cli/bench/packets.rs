//! The packets that a policy is measured with, made of the policy itself.

use lvsc_abi::engine::{BATCH, Engine};
use lvsc_abi::train::{SHORTEST, Train};
use lvsc_abi::verdict::Verdict;
use lvsc_abi::world::World;
use lvsc_front::policy::{Policy, TestKind};
use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::publish::publish;

use super::lane::{Batches, Decided, Lane};
use crate::failure::Failure;
use crate::testing;

/// So many packets are decided by all before anything is timed.
pub const TRIED: u32 = 2 * BATCH as u32;

/// A frame that may be measured, and the interface by which it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// The frame.
    pub frame: Vec<u8>,
    /// Index of the interface.
    pub ingress: u8,
}

/// The packets that a policy is measured with.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The frames, of the most flows that were asked for.
    pub train: Train,
    /// Index of the interface by which they come.
    pub ingress: u8,
    /// What the policy decides of each.
    pub verdict: Verdict,
}

/// The packets of the `test` blocks, in their order, padded as on a wire.
pub fn of_tests(policy: &Policy, world: &World) -> Vec<Came> {
    let steps = policy.tests.iter().flat_map(|test| &test.steps);
    let came = steps.filter_map(|step| match &step.kind {
        TestKind::Send { layers, interface } => {
            let ingress = interface.0 as u8;
            let frame = testing::frame(layers, world, ingress).ok()?;
            Some(padded(frame, ingress))
        }
        TestKind::Expect { .. }
        | TestKind::SameBackend
        | TestKind::Backend { .. }
        | TestKind::Advance(_) => None,
    });
    came.collect()
}

/// A frame as long as one on a wire is at least.
pub fn padded(mut frame: Vec<u8>, ingress: u8) -> Came {
    frame.resize(frame.len().max(SHORTEST), 0);
    Came { frame, ingress }
}

/// The first of the frames, and of its ways to become those of many flows, of which all packets get one verdict: this
/// one, where it is given.
pub fn choose(
    pipeline: &Pipeline,
    world: &World,
    frames: &[Came],
    flows: u32,
    wanted: Option<Verdict>,
) -> Result<Option<Measured>, Failure> {
    for Came { frame, ingress } in frames {
        for train in Train::ways(frame, flows) {
            let decided = decided(pipeline, world, &train, *ingress)?;
            let Some(first) = decided.first().map(|first| first.verdict) else {
                continue;
            };
            let alike = decided.iter().all(|one| one.verdict == first);
            if alike && wanted.is_none_or(|wanted| wanted == first) {
                return Ok(Some(Measured {
                    train,
                    ingress: *ingress,
                    verdict: first,
                }));
            }
        }
    }
    Ok(None)
}

/// What the reference decides of the first packets of a train.
pub fn decided(
    pipeline: &Pipeline,
    world: &World,
    train: &Train,
    ingress: u8,
) -> Result<Vec<Decided>, Failure> {
    let mut engine = Interpreter::new(pipeline.clone());
    publish(&pipeline.manifest, world, engine.image_mut());
    let state = (&pipeline.manifest, world);
    let mut lane = Batches::new(Box::new(engine), state, ingress);
    lane.begin(train)?;
    (0..TRIED).map(|_| lane.next()).collect()
}
