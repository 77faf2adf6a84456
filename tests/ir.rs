//! Programs as text, `ir/*.lvsi`: what each pass makes of them, what the verifier says, what they decide. The first line
//! of a file says how its cases are judged; `tests/README.md` shows a case of each kind.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::fmt::Write;

use lvsc_abi::engine::{Engine, HEADROOM, Packet, Room};
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::{self, Manifest};
use lvsc_abi::place::Sources;
use lvsc_abi::verdict::Verdict;
use lvsc_ir::eval;
use lvsc_ir::passes::{PASSES, Pass, optimize};
use lvsc_ir::target::Target;
use lvsc_ir::text::{self, Source};
use lvsc_ir::verify::{Verified, verify};
use support::{files, short};

/// The passes that tidy up behind each of the others.
const TIDY: [&str; 2] = ["dce", "numbers"];

/// A program and what is said of it.
struct Case {
    /// File and title, for messages.
    place: String,
    /// The sections, as text.
    sections: String,
    /// The program, as text.
    program: String,
    /// The lines that begin with `; `, without it.
    said: Vec<String>,
    /// The program that a pass makes of it, as text.
    after: String,
}

impl Case {
    fn source(&self) -> Source {
        let text = format!("{}{}", self.sections, self.program);
        text::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", self.place))
    }

    fn verified(&self) -> (Verified, Layout) {
        let Source { program, layout } = self.source();
        match verify(program, &layout) {
            Ok(program) => (program, layout),
            Err(error) => panic!("{}: {error}", self.place),
        }
    }
}

/// The cases of all files whose first line is `; WORD` or `; WORD: ...`, each with what follows the colon.
fn cases(word: &str) -> Vec<(String, Case)> {
    let mut found = Vec::new();
    for path in files("tests/ir", "lvsi") {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let mut parts = text.split("\n;; ");
        let (first, rest) = parts
            .next()
            .and_then(|head| head.split_once('\n'))
            .expect("a head");
        let first = first.trim_start_matches("; ");
        let (judged, of) = first.split_once(": ").unwrap_or((first, ""));
        assert!(
            ["pass", "verify", "run"].contains(&judged),
            "{}: {first}",
            short(&path)
        );
        if judged == word {
            let sections = format!("{}\n\n", rest.trim());
            found.extend(parts.map(|part| (of.to_owned(), case(part, &short(&path), &sections))));
        }
    }
    assert!(!found.is_empty(), "no file begins with `; {word}`");
    found
}

fn case(text: &str, file: &str, sections: &str) -> Case {
    let (title, body) = text.split_once('\n').expect("a title, then a program");
    let mut case = Case {
        place: format!("{file}: {title}"),
        sections: sections.to_owned(),
        program: String::new(),
        said: Vec::new(),
        after: String::new(),
    };
    for line in body.trim_end().lines() {
        if let Some(said) = line.strip_prefix("; ") {
            case.said.push(said.to_owned());
            continue;
        }
        let text = if case.said.is_empty() {
            &mut case.program
        } else {
            &mut case.after
        };
        text.push_str(line);
        text.push('\n');
    }
    assert!(
        !case.said.is_empty(),
        "{} says nothing of its program",
        case.place
    );
    case
}

#[test]
fn each_pass_makes_what_its_cases_say() {
    for (name, case) in cases("pass") {
        let (program, layout) = case.verified();
        let mut program = program.into_program();
        for (found, pass) in PASSES {
            if found == name || TIDY.contains(&found) {
                program = pass(program);
                let valid = verify(program.clone(), &layout);
                assert!(valid.is_ok(), "{}: {found} broke it: {valid:?}", case.place);
            }
        }
        let text = text::print(&program, &layout);
        let found = text
            .strip_prefix(&case.sections)
            .expect("the sections come first");
        let expected = match case.said[0].as_str() {
            "unchanged" => &case.program,
            "becomes" => &case.after,
            other => panic!("{}: `{other}`", case.place),
        };
        assert_eq!(found, expected, "{}\n{found}", case.place);
    }
}

#[test]
fn every_pass_has_its_cases() {
    let tried: Vec<String> = cases("pass").into_iter().map(|(name, _)| name).collect();
    let without = |(name, _): &&(&str, Pass)| !tried.iter().any(|tried| tried == name);
    let without: Vec<&str> = PASSES
        .iter()
        .filter(without)
        .map(|(name, _)| *name)
        .collect();
    assert!(
        without.is_empty(),
        "no file in tests/ir begins with `; pass: {}`",
        without[0]
    );
    assert!(
        tried
            .iter()
            .all(|name| PASSES.iter().any(|(known, _)| known == name))
    );
}

#[test]
fn the_verifier_says_what_its_cases_say() {
    for (_, case) in cases("verify") {
        let Source { program, layout } = case.source();
        let found = match verify(program, &layout) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("refused: {error}"),
        };
        assert_eq!(found, case.said[0], "{}", case.place);
    }
}

/// What becomes of frames, one after the other, and the image behind the last one.
type Decided = (Vec<String>, Vec<u64>);

/// `01 02 by 3: send 3, 01 02`
fn sentence(came: &[u8], ingress: u8, verdict: Verdict, interface: u8, left: &[u8]) -> String {
    let mut text = hex(came);
    let blank = if came.is_empty() { "" } else { " " };
    write!(text, "{blank}by {ingress}: {verdict}").expect("a string takes it");
    if verdict == Verdict::Send {
        write!(text, " {interface}").expect("a string takes it");
    }
    if !left.is_empty() {
        write!(text, ", {}", hex(left)).expect("a string takes it");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

fn words(image: &dyn Image) -> Vec<u64> {
    let size = image.layout().size();
    (0..size)
        .step_by(8)
        .map(|at| image.load(at, Width::B8))
        .collect()
}

fn by_evaluator(program: &Verified, layout: &Layout, frames: &[(Vec<u8>, u8)]) -> Decided {
    let mut image = Bytes::new(layout.clone());
    let decide = |(came, ingress): &(Vec<u8>, u8)| {
        let mut frame = came.clone();
        let mut packet = eval::Packet {
            frame: &mut frame,
            ingress: *ingress,
            worker: 0,
        };
        let outcome = eval::run(program, &mut packet, &mut image);
        let interface = outcome.interface.unwrap_or_default();
        sentence(came, *ingress, outcome.verdict, interface, &frame)
    };
    (frames.iter().map(decide).collect(), words(&image))
}

/// A target, and what runs its artifacts.
type Runs = (&'static dyn Target, fn(&[u8]) -> Box<dyn Engine>);

const ENGINES: &[Runs] = &[
    #[cfg(all(feature = "wasm", unix))]
    (&lvsc_target_wasm::Wasm, |code| {
        let engine = lvsc_runtime::engine::wasm::WasmEngine::load(code);
        Box::new(engine.expect("the module can be run"))
    }),
    #[cfg(all(feature = "native", target_os = "linux"))]
    (&lvsc_target_native::Native, |code| {
        let engine = lvsc_runtime::engine::native::NativeEngine::load(code);
        Box::new(engine.expect("the object can be run"))
    }),
];

fn by_engine(
    (target, load): Runs,
    program: &Verified,
    layout: &Layout,
    frames: &[(Vec<u8>, u8)],
) -> Decided {
    let manifest = Manifest {
        version: manifest::VERSION,
        ..Manifest::default()
    };
    let artifact = target
        .emit(program, layout, &manifest, &Sources::default(), None)
        .expect("it is small");
    let mut engine = load(&artifact.code);
    let mut packets = Vec::new();
    for (index, (frame, ingress)) in frames.iter().enumerate() {
        let begin = HEADROOM as usize;
        engine.slot(index)[begin..begin + frame.len()].copy_from_slice(frame);
        packets.push(Packet::arrived(
            Room::slot(index),
            frame.len() as u16,
            *ingress,
        ));
    }
    engine
        .process(&mut packets)
        .expect("a verified program does not trap");
    let decided = packets.iter().zip(frames).enumerate();
    let decided = decided.map(|(index, (packet, (came, ingress)))| {
        let left = &engine.slot(index)[packet.range()];
        sentence(came, *ingress, packet.verdict, packet.interface, left)
    });
    (decided.collect(), words(engine.image()))
}

/// The evaluator's answer, which the optimized program and the engines must give too.
fn decided(case: &Case, frames: &[(Vec<u8>, u8)]) -> Vec<String> {
    let (program, layout) = case.verified();
    let decided = by_evaluator(&program, &layout, frames);
    let optimized = optimize(program.clone(), &layout);
    let found = by_evaluator(&optimized, &layout, frames);
    assert_eq!(found, decided, "{}, optimized", case.place);
    for engine in ENGINES {
        for (program, what) in [(&program, "plain"), (&optimized, "optimized")] {
            let found = by_engine(*engine, program, &layout, frames);
            let name = engine.0.name();
            assert_eq!(found, decided, "{}, {name}, {what}", case.place);
        }
    }
    decided.0
}

#[test]
fn programs_decide_what_their_cases_say() {
    for (_, case) in cases("run") {
        let frames = case.said.iter().map(|said| {
            let (came, _) = said
                .split_once(':')
                .expect("a frame, then what becomes of it");
            let (bytes, ingress) = came
                .split_once("by ")
                .expect("a frame comes by an interface");
            let byte = |text: &str| u8::from_str_radix(text, 16).expect("two hexadecimal digits");
            let bytes = bytes.split_whitespace().map(byte).collect();
            (bytes, ingress.parse().expect("the number of an interface"))
        });
        let frames: Vec<(Vec<u8>, u8)> = frames.collect();
        assert_eq!(decided(&case, &frames), case.said, "{}", case.place);
    }
}

#[test]
fn a_program_decides_the_same_optimized_and_on_each_engine() {
    let accepted = |(_, case): &(String, Case)| case.said[0] == "accepted";
    let cases = cases("pass")
        .into_iter()
        .chain(cases("verify").into_iter().filter(accepted));
    // Frames of any length, with bytes that repeat so that comparisons hold now and then.
    let frames: Vec<(Vec<u8>, u8)> = (0..64_u8)
        .map(|number| {
            let length = usize::from(number) * 5 % 81;
            let byte = |at: usize| {
                (at as u8).wrapping_mul(number) & if number % 3 == 0 { 1 } else { 0x4f }
            };
            ((0..length).map(byte).collect(), number % 4)
        })
        .collect();
    for (_, case) in cases {
        decided(&case, &frames);
    }
}
