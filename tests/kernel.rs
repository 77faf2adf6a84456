//! Random programs of the IR as eBPF objects: the kernel's verifier takes each of them, and each decides what the evaluator
//! says, in the kernel and on the machine of the tests.
//!
//! Without the permission to load programs only the machine is asked; where `LVSC_REQUIRE_KERNEL` is set, that is a failure.

#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod machine;

use std::ops::Range;

use lvsc_abi::engine::{Engine, Packet, Room};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::manifest::{self, Manifest};
use lvsc_abi::place::Sources;
use lvsc_abi::verdict::Verdict;
use lvsc_ir::eval::{self, Outcome};
use lvsc_ir::passes::optimize;
use lvsc_ir::sample::{self, Case};
use lvsc_ir::target::{EmitError, Target};
use lvsc_ir::text;
use lvsc_ir::verify::{Verified, verify};
use lvsc_runtime::engine::xdp::{LoadError, XdpEngine, allowed};
use lvsc_target_xdp::Xdp;
use machine::engine::Machine;
use proptest::collection;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// Random programs, each plain and optimized.
const PROGRAMS: u32 = 2000;
/// Programs that do nothing but search.
const SEARCHES: u32 = 200;
/// The plain ones have jumps that go no further (instructions), so that they are relayed as in a large program.
const NEAR: u16 = 256;

fn is_allowed() -> bool {
    let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
    assert!(allowed() || !required, "this kernel loads no XDP program");
    allowed()
}

/// Verdicts and frames, and the words of the image.
type Decided = (Vec<(Verdict, Vec<u8>)>, Vec<u64>);

fn words(image: &dyn Image) -> Vec<u64> {
    let places = (0..image.layout().size()).step_by(8);
    places.map(|at| image.load(at, Width::B8)).collect()
}

fn by_evaluator(program: &Verified, case: &Case, frames: &[Vec<u8>]) -> Decided {
    let mut image: Bytes = case.image.clone();
    let decided = frames.iter().map(|frame| {
        let mut frame = frame.clone();
        let mut packet = eval::Packet {
            frame: &mut frame,
            ingress: 0,
            worker: 0,
        };
        let Outcome { verdict, .. } = eval::run(program, &mut packet, &mut image);
        (verdict, frame)
    });
    (decided.collect(), words(&image))
}

/// Makes an engine of an object.
type Load = fn(&[u8]) -> Result<Box<dyn Engine>, String>;

fn in_kernel(object: &[u8]) -> Result<Box<dyn Engine>, String> {
    match XdpEngine::load(object) {
        Ok(engine) => Ok(Box::new(engine)),
        Err(LoadError::Refused { message, log, .. }) => Err(format!("{message}\n{log}")),
        Err(other @ (LoadError::Object(_) | LoadError::Kernel(_) | LoadError::Pin(_))) => {
            Err(other.to_string())
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the kernel")]
fn on_machine(object: &[u8]) -> Result<Box<dyn Engine>, String> {
    Ok(Box::new(Machine::load(object)))
}

fn by_object(
    load: Load,
    target: Xdp,
    program: &Verified,
    case: &Case,
    frames: &[Vec<u8>],
) -> Result<Decided, String> {
    let manifest = Manifest {
        version: manifest::VERSION,
        ..Manifest::default()
    };
    let sources = Sources::default();
    let object = match target.emit(program, &case.layout, &manifest, &sources, None) {
        Ok(artifact) => artifact,
        Err(EmitError::Limit { what, .. }) => return Err(format!("limit: {what}")),
    };
    let again = target
        .emit(program, &case.layout, &manifest, &sources, None)
        .unwrap();
    assert_eq!(object, again, "equal input gives equal bytes");
    let mut engine = load(&object.code)?;
    for at in (0..case.layout.size()).step_by(8) {
        let word = case.image.load(at, Width::B8);
        engine.image_mut().store(at, Width::B8, word);
    }
    let mut packets: Vec<Packet> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let packet = Packet::arrived(Room::slot(index), frame.len() as u16, 0);
        engine.slot(index)[packet.range()].copy_from_slice(frame);
        packets.push(packet);
    }
    engine
        .process(&mut packets)
        .map_err(|error| error.to_string())?;
    let decided = packets.iter().enumerate().map(|(index, packet)| {
        let frame = engine.slot(index)[packet.range()].to_vec();
        (packet.verdict, frame)
    });
    Ok((decided.collect(), words(engine.image())))
}

fn agree(load: Load, case: &Case) -> TestCaseResult {
    let plain = verify(case.program.clone(), &case.layout).unwrap();
    let optimized = optimize(plain.clone(), &case.layout);
    // No frame is shorter than its Ethernet header.
    let lengthen = |(frame, _): &(Vec<u8>, u8)| {
        let mut frame = frame.clone();
        frame.resize(frame.len().max(14), 0);
        frame
    };
    let frames: Vec<Vec<u8>> = case.frames.iter().map(lengthen).collect();
    for (program, target) in [(&plain, Xdp::with_reach(NEAR)), (&optimized, Xdp::NEW)] {
        let expected = by_evaluator(program, case, &frames);
        let found = by_object(load, target, program, case, &frames);
        let text = text::print(program.program(), &case.layout);
        prop_assert_eq!(found.as_ref(), Ok(&expected), "{}", text);
    }
    Ok(())
}

#[test]
fn the_kernel_takes_every_program_and_decides_what_it_means() {
    if is_allowed() {
        all_agree(in_kernel);
    }
}

#[test]
fn every_object_decides_what_its_program_means() {
    all_agree(on_machine);
}

fn all_agree(load: Load) {
    each_agrees(load, PROGRAMS, 0..1200, sample::case);
    let search = |choices: &[u8]| sample::search(choices, 64);
    each_agrees(load, SEARCHES, 300..301, search);
}

/// Cases of so many choices.
fn each_agrees(load: Load, cases: u32, choices: Range<usize>, make: impl Fn(&[u8]) -> Case) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let choices = collection::vec(any::<u8>(), choices);
    let done = runner.run(&choices, |choices| agree(load, &make(&choices)));
    done.unwrap_or_else(|error| panic!("{error}"));
}
