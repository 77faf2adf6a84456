//! The packets that a policy is measured with, made of the policy itself.

use lvsc_abi::engine::BATCH;
use lvsc_abi::notation::{decode, describe};
use lvsc_abi::train::{SHORTEST, Train};
use lvsc_abi::verdict::Verdict;
use lvsc_abi::world::World;
use lvsc_front::policy::{Policy, TestKind};
use lvsc_pipeline::interp::Interpreter;
use lvsc_pipeline::pipeline::Pipeline;

use super::entrants;
use super::lane::{Batches, Decided, Lane};
use crate::failure::Failure;
use crate::policy::Checked;
use crate::testing;

/// Flags of TCP.
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
/// So many packets are decided by all before anything is timed.
pub const TRIED: u32 = 2 * BATCH as u32;

/// A frame that may be measured, and the interface by which it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// The frame.
    pub frame: Vec<u8>,
    /// The same in notation, without padding.
    pub packet: String,
    /// Index of the interface.
    pub ingress: u8,
}

/// The packets that a policy is measured with.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The frames, of the most flows that were asked for.
    pub train: Train,
    /// The first one in notation.
    pub packet: String,
    /// Index of the interface by which they come.
    pub ingress: u8,
    /// What the policy decides of each.
    pub verdict: Verdict,
}

/// The packets of the `test` blocks, in their order, padded as on a wire. Before one that opens a connection comes the same of
/// one that is there: nearly all packets are.
fn of_tests(policy: &Policy, world: &World) -> Vec<Came> {
    let steps = policy.tests.iter().flat_map(|test| &test.steps);
    let came = steps.filter_map(|step| match &step.kind {
        TestKind::Send { layers, interface } => {
            let ingress = interface.0 as u8;
            let frame = testing::frame(layers, world, ingress).ok()?;
            Some([confirmed(&frame), Some(frame)].map(|frame| Some(padded(frame?, ingress))))
        }
        TestKind::Expect { .. }
        | TestKind::SameBackend
        | TestKind::Backend { .. }
        | TestKind::Advance(_) => None,
    });
    came.flatten().flatten().collect()
}

/// The frame with ACK where it has SYN alone (RFC 9293, section 3.1); `None` where it is no such segment.
fn confirmed(frame: &[u8]) -> Option<Vec<u8>> {
    let headers = decode(frame);
    let tcp = headers.iter().find(|header| header.name == "tcp")?;
    let mut frame = frame.to_vec();
    let segment = frame.get_mut(tcp.offset..)?;
    let flags = segment.get_mut(13)?;
    if *flags != SYN {
        return None;
    }
    *flags = ACK;
    let sum = segment.get_mut(16..)?.first_chunk_mut::<2>()?;
    // RFC 1624, equation 3.
    let mended = u32::from(!u16::from_be_bytes(*sum)) + u32::from(!u16::from(SYN)) + u32::from(ACK);
    let mended = (mended & 0xffff) + (mended >> 16);
    *sum = (!((mended & 0xffff) + (mended >> 16)) as u16).to_be_bytes();
    Some(frame)
}

/// A frame as long as one on a wire is at least.
pub fn padded(mut frame: Vec<u8>, ingress: u8) -> Came {
    let packet = describe(&frame);
    frame.resize(frame.len().max(SHORTEST), 0);
    Came {
        frame,
        packet,
        ingress,
    }
}

/// The packets that a policy is measured with: those of this one, else of the first in its tests that will do.
pub fn of_policy(checked: &Checked, given: Option<Came>, flows: u32) -> Result<Measured, Failure> {
    let (pipeline, is_given) = (&checked.pipeline, given.is_some());
    let frames = match given {
        Some(came) => vec![came],
        None => of_tests(&checked.policy, &entrants::world(&pipeline.manifest, 0)),
    };
    let chosen = choose(pipeline, &frames, flows)?;
    chosen.ok_or_else(|| no_packet(&checked.text.path, is_given, frames.is_empty()))
}

fn no_packet(path: &str, is_given: bool, has_none: bool) -> Failure {
    let (what, remedy) = if has_none {
        (
            "there is no packet to measure with: the policy has no `test` block that sends one",
            "give one: `--packet \"eth / ip 192.0.2.7 -> VIP / tcp 40000 -> 80\"`",
        )
    } else if is_given {
        (
            "the packet cannot be that of many flows: it has no IP header, or is decided otherwise for some",
            "give another packet, or fewer `--flows`",
        )
    } else {
        (
            "no packet of the `test` blocks can be that of many flows: none has an IP header, or all are decided \
             otherwise for some",
            "give one with `--packet`, or fewer `--flows`",
        )
    };
    Failure::Told {
        what: format!("{path}: {what}"),
        remedy: Some(remedy.to_owned()),
    }
}

/// The first of the frames, and of its ways to become those of many flows, of which all packets are sent; else of which
/// all get one verdict.
fn choose(pipeline: &Pipeline, frames: &[Came], flows: u32) -> Result<Option<Measured>, Failure> {
    let mut other = None;
    for came in frames {
        let world = entrants::world(&pipeline.manifest, came.ingress);
        for train in Train::ways(&came.frame, flows) {
            let worlds = std::slice::from_ref(&world);
            let decided = decided(pipeline, worlds, &train, came.ingress)?;
            let mut verdicts = decided.iter().map(|one| one.verdict);
            let first = verdicts.next();
            let Some(verdict) = first.filter(|_| verdicts.all(|one| Some(one) == first)) else {
                continue;
            };
            let measured = Measured {
                train,
                packet: came.packet.clone(),
                ingress: came.ingress,
                verdict,
            };
            if verdict == Verdict::Send {
                return Ok(Some(measured));
            }
            other.get_or_insert(measured);
        }
    }
    Ok(other)
}

/// What the reference decides of the first packets of a train.
pub fn decided(
    pipeline: &Pipeline,
    worlds: &[World],
    train: &Train,
    ingress: u8,
) -> Result<Vec<Decided>, Failure> {
    let engine = Interpreter::new(pipeline.clone());
    let state = (&pipeline.manifest, worlds);
    let mut lane = Batches::new(Box::new(engine), state, ingress);
    lane.begin(train)?;
    (0..TRIED).map(|_| lane.next()).collect()
}
