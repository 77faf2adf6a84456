//! Runs a program over a train of packets, in the kernel and on no device, as often as it is to be measured.
//!
//! A [`Feeder`] goes first and calls the program: `BPF_PROG_TEST_RUN` does not restore a frame from one repeat to the next.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

use lvsc_abi::train::{Feeder, Train};

use super::loaded::{PSEUDO_MAP, PSEUDO_VALUE, refused};
use super::refusal::{Refusal, Step};
use super::{LoadError, always, plain};
use crate::sys::{self, bpf};

/// The index that interfaces have by which a train comes: that of the loopback device.
pub const INGRESS: u32 = super::LOOPBACK as u32;
/// A frame of some length that is allowed (bytes).
const FRAME: usize = 64;
/// `XDP_TX`
const SEND: u32 = 3;

/// A program behind a feeder.
pub struct Replay {
    feeder: Fed,
    /// What a call takes besides the packets.
    call: Duration,
    frame: Vec<u8>,
    out: Vec<u8>,
}

/// What became of the last packet of a run, and how long the run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// What the program returned (`enum xdp_action`).
    pub returned: u32,
    /// The frame as it is then.
    pub frame: &'a [u8],
    /// The time of all packets.
    pub taken: Duration,
}

impl Replay {
    /// Puts a program behind a feeder, which is of this train. The next packet is the train's first.
    pub fn new(
        feeder: &Feeder,
        train: &Train,
        program: &impl AsRawFd,
    ) -> Result<Replay, LoadError> {
        fits(train)?;
        Ok(Replay {
            feeder: Fed::load(feeder, program)?,
            call: call()?,
            frame: train.frame.clone(),
            out: vec![0; usize::from(*super::LENGTHS.end())],
        })
    }

    /// Runs the program over the next packets.
    pub fn run(&mut self, packets: u32) -> io::Result<Run<'_>> {
        let begin = sys::cpu_time();
        let ran = bpf::test_run(&self.feeder.program, &self.frame, &mut self.out, packets)?;
        let taken = sys::cpu_time().saturating_sub(begin + self.call);
        // The kernel times the packets alone, but says it in whole nanoseconds each.
        let least = Duration::from_nanos(u64::from(ran.nanoseconds) * u64::from(packets));
        let most = least + Duration::from_nanos(u64::from(packets));
        Ok(Run {
            returned: ran.verdict,
            frame: self.out.get(..ran.length as usize).unwrap_or_default(),
            taken: taken.clamp(least, most),
        })
    }
}

/// Whether the kernel runs programs over frames of this length.
pub(super) fn fits(train: &Train) -> Result<(), LoadError> {
    let (length, known) = (train.frame.len(), &super::LENGTHS);
    if !(usize::from(*known.start())..=usize::from(*known.end())).contains(&length) {
        let (least, most) = (known.start(), known.end());
        return Err(LoadError::Kernel(Refusal {
            what: format!("the kernel runs no program over a frame of {length} bytes on request"),
            remedy: Some(format!(
                "take frames of {least} to {most} bytes, or other targets"
            )),
        }));
    }
    Ok(())
}

/// A feeder in the kernel, in front of a program.
pub(super) struct Fed {
    pub(super) program: OwnedFd,
    /// It holds the program behind, which would go with it.
    _programs: OwnedFd,
}

impl Fed {
    pub(super) fn load(feeder: &Feeder, program: &impl AsRawFd) -> Result<Fed, LoadError> {
        let number = map(bpf::ARRAY, "number", 4)?;
        let programs = map(bpf::PROGRAMS, "programs", 4)?;
        let mut code = feeder.code.clone();
        fill_in(&mut code, feeder.number, (&number, PSEUDO_VALUE));
        fill_in(&mut code, feeder.programs, (&programs, PSEUDO_MAP));
        let fed = plain("feeder", &code).map_err(refused(Step::Program))?;
        bpf::update(&programs, 0, program.as_raw_fd().unsigned_abs())
            .map_err(refused(Step::Calling))?;
        Ok(Fed {
            program: fed,
            _programs: programs,
        })
    }
}

/// A map of one value of so many bytes.
pub(super) fn map(kind: u32, name: &str, value: u32) -> Result<OwnedFd, LoadError> {
    let made = bpf::create(bpf::Map {
        kind,
        name,
        value,
        entries: 1,
        flags: 0,
        types: None,
    });
    made.map_err(refused(Step::Maps))
}

/// Fills the address of a map, or of its value, into an instruction.
pub(super) fn fill_in(code: &mut [u64], index: usize, (map, source): (&OwnedFd, u64)) {
    if let Some(insn) = code.get_mut(index) {
        let map = u64::from(map.as_raw_fd().unsigned_abs());
        *insn = *insn & 0x0fff | source << 12 | map << 32;
    }
}

/// A program that sends every packet back as it came: what the kernel and the feeder take by themselves.
pub fn floor() -> Result<OwnedFd, LoadError> {
    always("floor", SEND).map_err(refused(Step::Program))
}

/// CPU time of a call that runs hardly anything: the least of several, asked for once. The kernel makes a program known to
/// its dispatcher before it repeats it (`bpf_prog_change_xdp` in `net/bpf/test_run.c`): 150 us, and it sleeps for 20 ms.
fn call() -> Result<Duration, LoadError> {
    const CALLS: u32 = 5;
    /// One packet alone is not repeated.
    const PACKETS: u32 = 2;
    static ANSWER: OnceLock<Duration> = OnceLock::new();
    if let Some(answer) = ANSWER.get() {
        return Ok(*answer);
    }
    let program = floor()?;
    let mut least = Duration::MAX;
    for _ in 0..CALLS {
        let begin = sys::cpu_time();
        let ran = bpf::test_run(&program, &[0; FRAME], &mut [0; FRAME], PACKETS);
        ran.map_err(refused(Step::Program))?;
        least = least.min(sys::cpu_time().saturating_sub(begin));
    }
    Ok(*ANSWER.get_or_init(|| least))
}
