//! Frames that a program makes and that really leave (`BPF_F_TEST_XDP_LIVE_FRAMES`,
//! `Documentation/bpf/bpf_prog_run.rst`).

use std::io::Result;
use std::os::fd::AsRawFd;

use super::{TestRun, address, bpf, command};

const LIVE_FRAMES: u32 = 1 << 1;

/// `struct xdp_md` (linux/bpf.h)
#[repr(C)]
struct Context {
    data: u32,
    end: u32,
    meta: u32,
    device: u32,
    queue: u32,
    egress: u32,
}

/// Runs a program over so many frames, `batch` at a time (256 at most), as if they had come by a device of this thread's
/// namespace, by its first queue: with `XDP_TX` a frame leaves by that device. A frame begins as `frame`, but one that comes
/// again is as it was left.
pub fn live_run(
    program: &impl AsRawFd,
    frame: &[u8],
    device: u32,
    (packets, batch): (u32, u32),
) -> Result<()> {
    let context = Context {
        data: 0,
        end: frame.len() as u32,
        meta: 0,
        device,
        queue: 0,
        egress: 0,
    };
    let mut attributes = TestRun {
        program: program.as_raw_fd() as u32,
        size_in: frame.len() as u32,
        data_in: address(frame),
        repeat: packets,
        context_size_in: size_of::<Context>() as u32,
        context_in: address(&context),
        flags: LIVE_FRAMES,
        batch,
        ..TestRun::default()
    };
    bpf(command::PROGRAM_TEST_RUN, &mut attributes).map(drop)
}
