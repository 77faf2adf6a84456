//! Frames at the ports of the switch, as they pass.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::proof::{Captured, Direction, Node};
use super::topology::port;
use crate::io::tap::{TAG, Tap, retag};
use crate::sys::ring::{Frame, PACKET_OUTGOING};

/// A capture at all ports that runs.
pub(super) struct Capture {
    stop: Arc<AtomicBool>,
    ports: Vec<JoinHandle<Result<Seen>>>,
}

/// Frames, and how many were lost.
type Seen = (Vec<Timed>, u64);

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
            let tap = Tap::open(port(station), false)?;
            let stop = Arc::clone(&stop);
            ports.push(std::thread::spawn(move || watch(tap, station, &stop)));
        }
        Ok(Capture { stop, ports })
    }

    /// Ends it: the frames since `since` in the order of their times, and how many the kernel could not keep.
    pub(super) fn end(self, since: Duration) -> Result<(Vec<Captured>, u64)> {
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

fn watch(mut tap: Tap, station: usize, stop: &AtomicBool) -> Result<Seen> {
    let node = match station {
        0 => Node::Client,
        1 => Node::Director,
        server => Node::Server(server - 2),
    };
    let mut frames = Vec::new();
    loop {
        // Read before the last look, so that what came in time is kept.
        let last = stop.load(Ordering::Relaxed);
        Tap::wait([&tap], Duration::from_millis(20))?;
        while let Some(timed) = tap.take(|frame| Timed {
            time: frame.time,
            captured: Captured {
                node,
                // The switch sends what the station gets.
                direction: if frame.kind == PACKET_OUTGOING {
                    Direction::To
                } else {
                    Direction::From
                },
                frame: whole(&frame),
                length: frame.length,
            },
        }) {
            frames.push(timed);
        }
        if last {
            return Ok((frames, tap.dropped()));
        }
    }
}

/// The frame as it was on the wire, with a tag that the kernel took out.
fn whole(frame: &Frame<'_>) -> Vec<u8> {
    match frame.tag.filter(|_| frame.bytes.len() >= 12) {
        None => frame.bytes.to_vec(),
        Some(tag) => {
            let mut room = vec![0; frame.bytes.len() + TAG];
            retag(&mut room, frame.bytes, tag);
            room
        }
    }
}
