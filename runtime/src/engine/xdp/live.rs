//! The programs at the one end of a wire of which something is measured at the other: one makes frames that really leave,
//! one counts those that come back.

use std::io;
use std::os::fd::OwnedFd;

use lvsc_abi::engine::Mode;
use lvsc_abi::train::{Feeder, Sink, Train};

use super::loaded::{PSEUDO_VALUE, refused};
use super::refusal::Step;
use super::replay::{Fed, fill_in, fits, floor, map};
use super::{LOOPBACK, LoadError, plain};
use crate::sys::bpf;

/// Frames that the kernel makes at a time: as many as a driver takes off a queue (`NAPI_POLL_WEIGHT`).
const BATCH: u32 = 64;

/// Sends a train by a device.
pub struct Generator {
    feeder: Fed,
    frame: Vec<u8>,
    device: u32,
    /// The feeder on the loopback device, on which nothing comes. A run of many frames makes a program known to the kernel's
    /// dispatcher and forgets it again, which sleeps for 20 ms each; one that is on a device is known.
    _known: OwnedFd,
}

impl Generator {
    /// Of the device with this index, in this thread's namespace.
    pub fn open(feeder: &Feeder, train: &Train, device: u32) -> Result<Generator, LoadError> {
        fits(train)?;
        let feeder = Fed::load(feeder, &floor()?)?;
        let known = bpf::attach(&feeder.program, LOOPBACK as u32, Mode::Generic);
        Ok(Generator {
            _known: known.map_err(refused(Step::Devices))?,
            feeder,
            frame: train.frame.clone(),
            device,
        })
    }

    /// Sends the next packets of the train, from a thread in the device's namespace.
    pub fn send(&self, packets: u32) -> io::Result<()> {
        bpf::live_run(
            &self.feeder.program,
            &self.frame,
            self.device,
            (packets, BATCH),
        )
    }
}

/// Counts what comes by devices, and lets nothing through.
pub struct Counter {
    count: OwnedFd,
    _links: Vec<OwnedFd>,
}

impl Counter {
    /// On these devices of this thread's namespace.
    pub fn open(sink: &Sink, devices: &[u32]) -> Result<Counter, LoadError> {
        let count = map(bpf::ARRAY, "came", 8)?;
        let mut code = sink.code.clone();
        fill_in(&mut code, sink.count, (&count, PSEUDO_VALUE));
        let program = plain("sink", &code).map_err(refused(Step::Program))?;
        let links = devices
            .iter()
            .map(|device| bpf::attach(&program, *device, Mode::Native));
        let links = links.collect::<io::Result<_>>();
        Ok(Counter {
            count,
            _links: links.map_err(refused(Step::Devices))?,
        })
    }

    /// Packets of the train so far.
    pub fn packets(&self) -> io::Result<u64> {
        let value = bpf::lookup(&self.count)?;
        let count = value.first_chunk().copied();
        Ok(count.map_or(0, u64::from_ne_bytes))
    }
}
