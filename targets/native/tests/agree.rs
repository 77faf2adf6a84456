//! Machine code on this processor against the IR's evaluator: random programs, images and batches of frames.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "agree/machine.rs"]
mod machine;

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, Layout};
use lvsc_abi::manifest::{self, Manifest};
use lvsc_abi::native;
use lvsc_abi::place::Sources;
use lvsc_abi::verdict::{Descriptor, PENDING, Verdict};
use lvsc_ir::eval::Outcome;
use lvsc_ir::sample::{self, Case, Decided};
use lvsc_ir::target::{Target, Text};
use lvsc_ir::text;
use lvsc_ir::verify::{Verified, verify};
use lvsc_target_native::Native;
use machine::Machine;
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _};
use proptest::collection;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// Bytes between the begins of two frames: each has its headroom.
const STRIDE: usize = 512;
/// The worker whose number the code is told.
const WORKER: u32 = 5;

fn emitted(program: &Verified, layout: &Layout) -> Vec<u8> {
    let manifest = Manifest {
        version: manifest::VERSION,
        ..Manifest::default()
    };
    let artifact = Native.emit(program, layout, &manifest, &Sources::default(), None);
    artifact.unwrap().code
}

/// Emits an object, checks what it is, and runs the batch.
fn by_machine(case: &Case) -> Decided {
    let program = verify(case.program.clone(), &case.layout).unwrap();
    let object = emitted(&program, &case.layout);
    let file = ElfFile64::<LittleEndian>::parse(&*object).unwrap();
    let text = file.section_by_name(native::CODE).unwrap();
    assert_eq!(text.relocations().count(), 0);
    let function = file.symbols().find(|one| one.name() == Ok(native::BATCH));
    assert_eq!(function.unwrap().address(), 0);

    let image = case.image.as_bytes();
    let mut machine = Machine::new(text.data().unwrap(), image, case.frames.len() * STRIDE);
    let mut descriptors = Vec::new();
    for (index, (frame, ingress)) in case.frames.iter().enumerate() {
        let at = index * STRIDE + STRIDE / 2;
        machine.frames()[at..at + frame.len()].copy_from_slice(frame);
        let arrived = Descriptor {
            offset: at as u32,
            length: frame.len() as u16,
            verdict: PENDING,
            interface: *ingress,
        };
        descriptors.push(arrived.to_bits().to_le());
    }
    // In two calls: a batch may be gone on with. The longer one is taken in several parts.
    let (first, second) = descriptors.split_at_mut(case.frames.len() / 9);
    machine.decide(first, WORKER);
    machine.decide(second, WORKER);
    let decided = case.frames.iter().zip(&descriptors).enumerate();
    let decided = decided.map(|(index, ((frame, ingress), bits))| {
        let found = Descriptor::from_bits(u64::from_le(*bits));
        let verdict = Verdict::from_byte(found.verdict).unwrap();
        let sent = verdict == Verdict::Send;
        if !sent {
            assert_eq!(found.interface, *ingress, "nothing is sent");
        }
        let outcome = Outcome {
            verdict,
            interface: sent.then_some(found.interface),
        };
        let at = index * STRIDE + STRIDE / 2;
        (outcome, machine.frames()[at..at + frame.len()].to_vec())
    });
    let decided = decided.collect();
    let mut left = case.image.clone();
    for (at, bytes) in (0..).step_by(8).zip(machine.image().chunks(8)) {
        let fold = |word, byte: &u8| word << 8 | u64::from(*byte);
        left.store(at, Width::B8, bytes.iter().rev().fold(0, fold));
    }
    (decided, left)
}

fn agree(case: &Case) {
    let expected = case.decided(WORKER);
    for case in [case.clone(), case.optimized()] {
        let found = by_machine(&case);
        let text = text::print(&case.program, &case.layout);
        assert_eq!(found.0, expected.0, "{text}");
        assert!(found.1 == expected.1, "the images differ\n{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_processor_decides_what_the_program_means(choices in collection::vec(any::<u8>(), 0..1200)) {
        agree(&sample::case(&choices).repeated());
    }
}

proptest! {
    #[test]
    fn a_processor_finds_what_a_search_means(choices in collection::vec(any::<u8>(), 300)) {
        for entries in [64, 1 << 16] {
            agree(&sample::search(&choices, entries));
        }
    }
}

#[test]
fn a_connection_table_is_looked_up_in_three_loops() {
    for (element, entries) in [("flow", 64), ("flow", 1 << 16), ("noted", 64)] {
        let mut case = sample::director(element, entries);
        // More than are taken through the loops together.
        case.frames = case.frames.into_iter().cycle().take(400).collect();
        assert_eq!(loops(&case), 3);
        agree(&case);
        let (_, image) = case.decided(WORKER);
        let (_, table) = image.layout().named("flows.web").unwrap();
        let words = (0..u64::from(table.length)).map(|at| image.load(table.at(at, 0), Width::B8));
        assert!(words.filter(|word| *word != 0).count() > 8);
    }
}

fn loops(case: &Case) -> u64 {
    let program = verify(case.program.clone(), &case.layout).unwrap();
    let (manifest, sources) = (Manifest::default(), Sources::default());
    let artifact = Native.emit(&program, &case.layout, &manifest, &sources, None);
    let figures = artifact.unwrap().figures;
    let loops = figures.into_iter().find(|(name, _)| *name == "loops");
    loops.unwrap().1
}

#[test]
fn every_kind_of_program_occurs_among_the_samples() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let choices = collection::vec(any::<u8>(), 200..1200);
    let (mut staged, mut sent, mut stored, mut searched) = (0, 0, 0, 0);
    for _ in 0..300 {
        let case = sample::case(&choices.new_tree(&mut runner).unwrap().current());
        let (outcomes, image) = by_machine(&case);
        staged += usize::from(loops(&case) == 3);
        let to = outcomes.iter().filter_map(|(found, _)| found.interface);
        sent += to.count();
        stored += usize::from(image != case.image);
        let text = text::print(&case.program, &case.layout);
        searched += usize::from(text.contains("find ") && text.contains("place "));
    }
    assert!(
        staged >= 3 && sent >= 50 && stored >= 50 && searched >= 20,
        "{staged} staged, {sent} sent, {stored} stored, {searched} searched"
    );
}

/// Behind the first GiB of an image, an offset is no longer part of an access.
#[test]
fn the_offset_of_a_section_that_lies_far_behind_is_added() {
    let text = "section flows.web flow 0x10000000\nsection counters counter 8\n\
        b0:\n  v0 = ingress\n  v1 = const 9\n  v2 = load.shared8 flows.web[v1]+0\n  count counters[v0]\n  return send v2\n";
    let source = text::parse(text).unwrap();
    let program = verify(source.program, &source.layout).unwrap();
    let shown = Native.text(
        Text::Clif,
        &program,
        &source.layout,
        &Manifest::default(),
        &Sources::default(),
    );
    let shown = shown.unwrap().unwrap();
    let (_, counters) = source.layout.named("counters").unwrap();
    assert_eq!(counters.element, Element::Counter);
    assert_eq!(counters.offset, 1 << 31);
    assert!(shown.contains("iconst.i64 0x8000_0000"), "{shown}");
    assert!(!emitted(&program, &source.layout).is_empty());
}

#[test]
fn equal_programs_give_equal_objects() {
    let choices: Vec<u8> = (0..800_u32).map(|at| (at * at % 251) as u8).collect();
    let objects = [(); 2].map(|()| {
        let case = sample::case(&choices);
        let program = verify(case.program, &case.layout).unwrap();
        emitted(&program, &case.layout)
    });
    assert!(objects[0] == objects[1]);
}
