//! Frames at the ports of the switch, as they pass.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::proof::{Captured, Direction, Node};
use super::topology::port;
use crate::sys::ring::{ETH_P_ALL, Options, PACKET_OUTGOING, Ring};

/// A capture at all ports that runs.
pub(super) struct Capture {
    stop: Arc<AtomicBool>,
    ports: Vec<JoinHandle<Result<Seen>>>,
}

/// Frames, and how many were lost.
type Seen = (Vec<Timed>, u32);

struct Timed {
    time: Duration,
    captured: Captured,
}

impl Capture {
    /// Begins at the ports of this many stations; runs in the switch's namespace.
    pub(super) fn begin(stations: usize) -> Result<Capture> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut ports = Vec::new();
        for station in 0..stations {
            let ring = Ring::open(Options {
                index: port(station),
                protocol: ETH_P_ALL,
                vnet: true,
                ignore_outgoing: false,
                frame: 2048,
                frames: 8192,
            })?;
            let stop = Arc::clone(&stop);
            ports.push(std::thread::spawn(move || watch(ring, station, &stop)));
        }
        Ok(Capture { stop, ports })
    }

    /// Ends it: the frames since `since` in the order of their times, and how many the kernel could not keep.
    pub(super) fn end(self, since: Duration) -> Result<(Vec<Captured>, u32)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        let mut dropped = 0;
        for port in self.ports {
            let (frames, lost) = port
                .join()
                .unwrap_or_else(|_| Err(std::io::Error::other("the capture died")))?;
            all.extend(frames.into_iter().filter(|frame| frame.time >= since));
            dropped += lost;
        }
        all.sort_by_key(|frame| frame.time);
        Ok((
            all.into_iter().map(|frame| frame.captured).collect(),
            dropped,
        ))
    }
}

/// The clock of the frames' times.
pub(super) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn watch(mut ring: Ring, station: usize, stop: &AtomicBool) -> Result<Seen> {
    let node = match station {
        0 => Node::Client,
        1 => Node::Director,
        server => Node::Server(server - 2),
    };
    let mut frames = Vec::new();
    loop {
        // Read before the last look, so that what came in time is kept.
        let last = stop.load(Ordering::Relaxed);
        ring.wait(Duration::from_millis(20))?;
        while let Some(timed) = ring.take(|frame| Timed {
            time: frame.time,
            captured: Captured {
                node,
                // The switch sends what the station gets.
                direction: if frame.kind == PACKET_OUTGOING {
                    Direction::To
                } else {
                    Direction::From
                },
                frame: frame.bytes.to_vec(),
                length: frame.length,
            },
        }) {
            frames.push(timed);
        }
        if last {
            return Ok((frames, ring.dropped()));
        }
    }
}
