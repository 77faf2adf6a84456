//! Judges what was found before, then one input after the other. A panic, an answer that is wrong, and one that does not
//! come are findings; of an input that ends the process, the file that holds it tells.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use crate::chance::Chance;
use crate::corpus::read;
use crate::support::{number, root, short};

/// So long may one input take, not optimized and on a busy machine; most take less than a millisecond.
const PATIENCE: Duration = Duration::from_mins(1);
/// The seed of a run of which nobody wants more.
const SEED: u64 = 0x6c76_7363;
/// Most attempts to make an input shorter.
const SHORTER: usize = 2000;

/// What is wrong with the answer to an input.
pub type Judged = Result<(), String>;

/// How an input is made.
pub type Make = dyn Fn(&mut Chance) -> Vec<u8>;

/// Something that reads what others wrote.
pub struct Target {
    /// Its name, and that of its folder in `found/`.
    pub name: &'static str,
    /// Inputs of a usual run.
    pub cases: u64,
    /// Makes an input.
    pub make: Box<Make>,
    /// Judges the answer to it.
    pub judge: fn(&[u8]) -> Judged,
}

impl Target {
    /// Hunts: as many cases as the target says, or as many seconds as `LVSC_FUZZ_SECONDS` says, from the seed
    /// `LVSC_FUZZ_SEED` on. Case n has the n-th seed from there.
    #[expect(
        clippy::print_stderr,
        reason = "whoever hunts for long wants to see how far it is"
    )]
    pub fn hunt(self) {
        let mut judge = Judge::new(self.name, self.judge);
        for path in known(self.name) {
            if let Err(why) = judge.ask(&read(&path)) {
                panic!("{}: {why}", short(&path));
            }
        }
        let seconds = number("LVSC_FUZZ_SECONDS");
        let fresh = || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(SEED, |since| Chance::new(since.as_nanos() as u64).word())
        };
        let usual = || if seconds.is_some() { fresh() } else { SEED };
        let seed = number("LVSC_FUZZ_SEED").unwrap_or_else(usual);
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        if end.is_some() {
            eprintln!("{}: from seed {seed:#x} on", self.name);
        }
        let (mut case, mut slowest) = (0, (Duration::ZERO, 0));
        while end.map_or(case < self.cases, |end| Instant::now() < end) {
            let seed = seed.wrapping_add(case);
            let input = (self.make)(&mut Chance::new(seed));
            let began = Instant::now();
            if let Err(why) = judge.ask(&input) {
                panic!("{}", judge.finding(seed, input, why));
            }
            slowest = slowest.max((began.elapsed(), seed));
            case += 1;
        }
        if end.is_some() {
            let (took, seed) = slowest;
            let name = self.name;
            eprintln!("{name}: {case} inputs, the slowest took {took:?} (seed {seed:#x})");
        }
    }
}

/// The inputs that were a finding once.
fn known(name: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/fuzz/found").join(name);
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the entry can be read").path())
        .collect();
    paths.sort();
    paths
}

/// A judge in a thread of its own, whom one need not wait for.
struct Judge {
    name: &'static str,
    inputs: Sender<Vec<u8>>,
    answers: Receiver<Judged>,
    /// The file that holds the input which is judged.
    now: PathBuf,
    /// It does not answer any more.
    is_stuck: bool,
}

impl Judge {
    fn new(name: &'static str, judge: fn(&[u8]) -> Judged) -> Judge {
        let (inputs, receiver) = channel::<Vec<u8>>();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for input in receiver {
                let judged = catch_unwind(AssertUnwindSafe(|| judge(&input)));
                let judged = judged.unwrap_or_else(|panic| Err(said(panic.as_ref())));
                if sender.send(judged).is_err() {
                    break;
                }
            }
        });
        Judge {
            name,
            inputs,
            answers,
            now: Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}")),
            is_stuck: false,
        }
    }

    fn ask(&mut self, input: &[u8]) -> Judged {
        std::fs::write(&self.now, input).expect("the input can be written down");
        self.inputs.send(input.to_vec()).expect("the judge waits");
        match self.answers.recv_timeout(PATIENCE) {
            Ok(judged) => judged,
            Err(RecvTimeoutError::Timeout) => {
                self.is_stuck = true;
                Err(format!("no answer in {PATIENCE:?}"))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the judge is gone".to_owned()),
        }
    }

    /// What to say of a finding, of which the shortest input is left in the file.
    fn finding(&mut self, seed: u64, mut input: Vec<u8>, mut why: String) -> String {
        let mut size = input.len() / 2;
        let mut attempts = 0;
        while size > 0 && attempts < SHORTER && !self.is_stuck {
            let mut at = 0;
            while at < input.len() && attempts < SHORTER && !self.is_stuck {
                let mut shorter = input.clone();
                shorter.drain(at..input.len().min(at + size));
                attempts += 1;
                match self.ask(&shorter) {
                    Ok(()) => at += size,
                    Err(still) => (input, why) = (shorter, still),
                }
            }
            size /= 2;
        }
        std::fs::write(&self.now, &input).expect("the input can be written down");
        let shown = String::from_utf8_lossy(&input[..input.len().min(2000)]).into_owned();
        let (name, now) = (self.name, short(&self.now));
        format!(
            "{name}, seed {seed:#x}: {why}\n--- the input, made shorter ({} bytes)\n{shown}\n---\n\
             again: LVSC_FUZZ_SEED={seed:#x} cargo test --test fuzz {name}\n\
             keep it: cp {now} tests/fuzz/found/{name}/",
            input.len(),
        )
    }
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a word"))
}

#[test]
fn hunt_tells_a_finding_and_makes_it_shorter() {
    let answers = |judge| {
        let target = Target {
            name: "hunt",
            cases: 200,
            make: Box::new(|chance| chance.bytes(40)),
            judge,
        };
        let hunted = catch_unwind(AssertUnwindSafe(|| target.hunt()));
        hunted.map_err(|panic| said(panic.as_ref()))
    };
    assert_eq!(answers(|_| Ok(())), Ok(()));
    let told = answers(|input| match input.iter().find(|byte| **byte > 200) {
        Some(_) => Err("a large byte".to_owned()),
        None => Ok(()),
    });
    let told = told.expect_err("there are large bytes");
    assert!(told.contains(": a large byte\n"), "{told}");
    assert!(told.contains("(1 bytes)"), "{told}");
    let told = answers(|input| panic!("{} bytes", input.len()));
    let told = told.expect_err("it panics");
    assert!(told.contains(": panicked: "), "{told}");
}
