//! Modules in a real engine against the IR's evaluator: random programs, images and batches of frames.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::engine::{BATCH, HEADROOM, SLOT};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::ABI_VERSION;
use lvsc_abi::manifest::{self, Manifest};
use lvsc_abi::module::{self, Contents};
use lvsc_abi::place::Sources;
use lvsc_abi::verdict::{Descriptor, PENDING, Verdict};
use lvsc_ir::eval::Outcome;
use lvsc_ir::sample::{self, Case, Decided};
use lvsc_ir::target::{EmitError, Target};
use lvsc_ir::text;
use lvsc_ir::verify::verify;
use lvsc_target_wasm::Wasm;
use proptest::collection;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use wasmparser::{Validator, WasmFeatures};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, WasmBacktrace};

/// A module with its memory filled.
struct Loaded {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    contents: Contents,
    figures: Vec<(&'static str, u64)>,
}

impl Loaded {
    fn slot(&self, index: usize) -> usize {
        self.contents.map.slots.offset as usize + index * SLOT as usize + HEADROOM as usize
    }

    fn descriptor(&self, index: usize) -> usize {
        self.contents.map.descriptors.offset as usize + index * 8
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.memory.data_mut(&mut self.store)[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn read(&self, at: usize, length: usize) -> Vec<u8> {
        self.memory.data(&self.store)[at..at + length].to_vec()
    }

    fn found(&self, index: usize) -> Descriptor {
        let bits = self.read(self.descriptor(index), 8).try_into().unwrap();
        Descriptor::from_bits(u64::from_le_bytes(bits))
    }

    fn arrive(&mut self, index: usize, frame: &[u8], ingress: u8) {
        self.write(self.slot(index), frame);
        let arrived = Descriptor {
            offset: self.slot(index) as u32,
            length: frame.len() as u16,
            verdict: PENDING,
            interface: ingress,
        };
        self.write(self.descriptor(index), &arrived.to_bits().to_le_bytes());
    }

    fn batch(&mut self, from: i32, to: i32) -> wasmtime::Result<()> {
        let batch = self
            .instance
            .get_typed_func::<(i32, i32), ()>(&mut self.store, "batch")?;
        batch.call(&mut self.store, (from, to))
    }
}

/// Emits a module, checks what it is, and instantiates it.
fn load(case: &Case) -> Loaded {
    let program = verify(case.program.clone(), &case.layout).unwrap();
    let manifest = Manifest {
        version: manifest::VERSION,
        ..Manifest::default()
    };
    let artifact = Wasm
        .emit(&program, &case.layout, &manifest, &Sources::default(), None)
        .unwrap();
    let contents = module::read(&artifact.code).unwrap();
    assert_eq!(contents.layout, case.layout);
    assert_eq!(contents.places, artifact.places);
    let features = WasmFeatures::default() | WasmFeatures::THREADS;
    Validator::new_with_features(features)
        .validate_all(&artifact.code)
        .unwrap();

    let mut config = Config::new();
    config.wasm_features(wasmtime::WasmFeatures::THREADS, true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, &artifact.code).unwrap();
    assert_eq!(module.imports().len(), 0);
    assert_eq!(
        module
            .exports()
            .map(|export| export.name())
            .collect::<Vec<_>>(),
        ["memory", "batch", "version"]
    );
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let version = instance
        .get_typed_func::<(), i32>(&mut store, "version")
        .unwrap();
    let version = version.call(&mut store, ()).unwrap();
    assert_eq!(version, ABI_VERSION.cast_signed());
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    assert_eq!(memory.size(&store), u64::from(contents.map.pages));
    Loaded {
        store,
        instance,
        memory,
        contents,
        figures: artifact.figures,
    }
}

/// Runs the batch.
fn by_module(case: &Case) -> (Decided, Vec<(&'static str, u64)>) {
    let mut loaded = load(case);
    let begin = loaded.contents.map.image.offset as usize;
    loaded.write(begin, case.image.as_bytes());
    for (index, (frame, ingress)) in case.frames.iter().enumerate() {
        loaded.arrive(index, frame, *ingress);
    }
    // In two calls: a batch may be gone on with.
    let count = i32::try_from(case.frames.len()).unwrap();
    loaded.batch(0, count / 2).unwrap();
    loaded.batch(count / 2, count).unwrap();
    let decided = case
        .frames
        .iter()
        .enumerate()
        .map(|(index, (frame, ingress))| {
            let found = loaded.found(index);
            let verdict = Verdict::from_byte(found.verdict).unwrap();
            let sent = verdict == Verdict::Send;
            if !sent {
                assert_eq!(
                    found.interface, *ingress,
                    "the interface stays where nothing is sent"
                );
            }
            let outcome = Outcome {
                verdict,
                interface: sent.then_some(found.interface),
            };
            (outcome, loaded.read(loaded.slot(index), frame.len()))
        });
    let decided = decided.collect();
    let mut image = case.image.clone();
    let bytes = loaded.read(begin, case.image.as_bytes().len());
    for (at, bytes) in (0..).step_by(8).zip(bytes.chunks(8)) {
        let word = bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        image.store(at, Width::B8, word);
    }
    ((decided, image), loaded.figures)
}

fn agree(case: &Case) {
    let expected = case.decided(0);
    for case in [case.clone(), case.optimized()] {
        let (found, _) = by_module(&case);
        let text = text::print(&case.program, &case.layout);
        assert_eq!(found.0, expected.0, "{text}");
        assert!(found.1 == expected.1, "the images differ\n{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_module_decides_what_the_program_means(choices in collection::vec(any::<u8>(), 0..1200)) {
        agree(&sample::case(&choices).repeated());
    }
}

proptest! {
    #[test]
    fn a_module_finds_what_a_search_means(choices in collection::vec(any::<u8>(), 300)) {
        for entries in [64, 1 << 16] {
            agree(&sample::search(&choices, entries));
        }
    }
}

#[test]
fn a_connection_table_is_looked_up_in_three_loops() {
    for (element, entries) in [("flow", 64), ("flow", 1 << 16), ("noted", 64)] {
        let case = sample::director(element, entries);
        let (_, figures) = by_module(&case);
        assert!(figures.contains(&("loops", 3)), "{figures:?}");
        agree(&case);
        let (outcomes, image) = case.decided(0);
        let sent = outcomes
            .iter()
            .filter(|(outcome, _)| outcome.verdict == Verdict::Send)
            .count();
        assert!(sent > 50, "{sent}");
        let (_, table) = image.layout().named("flows.web").unwrap();
        let words = (0..u64::from(table.length)).map(|at| image.load(table.at(at, 0), Width::B8));
        assert!(words.filter(|word| *word != 0).count() > 8);
    }
}

#[test]
fn every_kind_of_program_occurs_among_the_samples() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let choices = collection::vec(any::<u8>(), 200..1200);
    let (mut staged, mut sent, mut stored) = (0, 0, 0);
    for _ in 0..300 {
        let case = sample::case(&choices.new_tree(&mut runner).unwrap().current());
        let ((outcomes, image), figures) = by_module(&case);
        staged += usize::from(figures.contains(&("loops", 3)));
        sent += outcomes
            .iter()
            .filter(|(found, _)| found.verdict == Verdict::Send)
            .count();
        stored += usize::from(image != case.image);
    }
    assert!(
        staged >= 3 && sent >= 50 && stored >= 50,
        "{staged} staged, {sent} sent, {stored} stored"
    );
}

#[test]
fn what_is_no_part_of_the_batch_is_refused() {
    let case = sample::director("flow", 64);
    let mut loaded = load(&case);
    let (frame, ingress) = &case.frames[0];
    loaded.arrive(0, frame, *ingress);
    let many = i32::try_from(BATCH + 1).unwrap();
    loaded.batch(0, many).unwrap_err();
    loaded.batch(0, -1).unwrap_err();
    loaded.batch(0, 0).unwrap();
    loaded.batch(5, 3).unwrap();
    assert_eq!(loaded.found(0).verdict, PENDING, "nothing was decided");
    loaded.batch(0, 1).unwrap();
    assert_ne!(loaded.found(0).verdict, PENDING);
}

#[test]
fn a_trap_has_the_place_of_its_construct_and_spares_the_others() {
    let text = "b0:\n  bounds +60 b1() else b2() ; 3:1\nb1:\n  v0 = frame.be4 +0 ; 4:1\n  \
        v1 = swap.4 v0 ; 5:1\n  return send v1 ; 6:1\nb2:\n  return drop ; 7:1\n";
    let source = text::parse(text).unwrap();
    let image = Bytes::new(source.layout.clone());
    let frames = vec![(vec![0; 60], 0); 3];
    let case = Case {
        program: source.program,
        layout: source.layout,
        image,
        frames,
    };
    let mut loaded = load(&case);
    for (index, (frame, ingress)) in case.frames.iter().enumerate() {
        loaded.arrive(index, frame, *ingress);
    }
    // A frame outside the memory: no host writes this, and no verified program traps without it.
    let astray = Descriptor {
        offset: u32::MAX,
        ..loaded.found(1)
    };
    loaded.write(loaded.descriptor(1), &astray.to_bits().to_le_bytes());
    let error = loaded.batch(0, 3).unwrap_err();
    let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
    let offset = trace.frames()[0].func_offset().unwrap() as u32;
    let place = module::place_at(&loaded.contents.places, offset).unwrap();
    assert_eq!(place.line, 4);
    let verdicts = |loaded: &Loaded| [0, 1, 2].map(|index| loaded.found(index).verdict);
    assert_eq!(verdicts(&loaded), [1, PENDING, PENDING]);
    loaded.batch(2, 3).unwrap();
    assert_eq!(verdicts(&loaded), [1, PENDING, 1]);
}

/// Who asks for nothing is decided; of the others nothing is done but counting.
#[test]
fn a_trap_in_the_first_of_three_loops_spares_the_others() {
    const ASTRAY: usize = 8;
    let mut case = sample::director("flow", 64);
    case.frames.truncate(12);
    let mut loaded = load(&case);
    let begin = loaded.contents.map.image.offset as usize;
    loaded.write(begin, case.image.as_bytes());
    for (index, (frame, ingress)) in case.frames.iter().enumerate() {
        loaded.arrive(index, frame, *ingress);
    }
    let astray = Descriptor {
        offset: u32::MAX,
        ..loaded.found(ASTRAY)
    };
    loaded.write(loaded.descriptor(ASTRAY), &astray.to_bits().to_le_bytes());
    let flows = case.layout.named("flows.web").unwrap().1;
    let table = |loaded: &Loaded| loaded.read(begin + flows.offset as usize, flows.size() as usize);
    let before = table(&loaded);
    loaded.batch(0, 12).unwrap_err();
    let pending = |loaded: &Loaded| -> Vec<usize> {
        let all = 0..12;
        all.filter(|index| loaded.found(*index).verdict == PENDING)
            .collect()
    };
    assert_eq!(pending(&loaded), [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]);
    assert!(table(&loaded) == before, "nothing else is done");
    for index in pending(&loaded) {
        let from = i32::try_from(index).unwrap();
        let done = loaded.batch(from, from + 1);
        assert_eq!(done.is_err(), index == ASTRAY);
    }
    assert_eq!(pending(&loaded), [ASTRAY]);

    let mut others = case.clone();
    others.frames.remove(ASTRAY);
    let (expected, image) = others.decided(0);
    let each = (0..12).filter(|index| *index != ASTRAY);
    for (index, (outcome, frame)) in each.zip(expected) {
        assert_eq!(
            loaded.found(index).verdict,
            outcome.verdict as u8,
            "{index}"
        );
        assert_eq!(loaded.read(loaded.slot(index), frame.len()), frame);
    }
    let known = &image.as_bytes()[flows.offset as usize..][..flows.size() as usize];
    assert!(table(&loaded) == known);
}

#[test]
fn an_image_that_does_not_fit_is_a_limit() {
    let text = "section flows.web flow 0x20000000\nb0:\n  return drop\n";
    let source = text::parse(text).unwrap();
    let program = verify(source.program, &source.layout).unwrap();
    let error = Wasm
        .emit(
            &program,
            &source.layout,
            &Manifest::default(),
            &Sources::default(),
            None,
        )
        .unwrap_err();
    let EmitError::Limit { what, limit, .. } = error;
    assert_eq!((what, limit), ("the memory (bytes)", 1 << 32));
}
