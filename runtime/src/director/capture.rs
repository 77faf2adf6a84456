//! A policy over a capture: frames from a file, what is sent into another one.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use lvsc_abi::manifest::Manifest;

use super::{AnyEngine, Director, Summary};
use crate::io::pcap::{CaptureError, Replay};
use crate::world::World;

/// Why a capture was not run to its end. What was to be written is then not there.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Capture(CaptureError),
    /// Anything else that the packet IO says.
    #[error(transparent)]
    Io(io::Error),
    /// `stop` became true.
    #[error("stopped before the capture's end")]
    Stopped,
}

/// Runs a whole capture; the clock is the capture's. Without a network nobody's MAC can be asked for:
/// [`World::for_captures`] gives those that the policy does not fix.
pub fn run_capture(
    engine: AnyEngine,
    manifest: Manifest,
    world: World,
    mut replay: Replay,
    stop: &AtomicBool,
) -> Result<Summary, RunError> {
    let mut director = Director::new(engine, manifest, world);
    let (_nobody, events) = mpsc::channel();
    let ended = director.run(&mut replay, &events, stop);
    // A stop may break off a read in the middle of a packet.
    if stop.load(Ordering::Relaxed) {
        return Err(RunError::Stopped);
    }
    ended.map_err(|error| {
        let capture = error.downcast::<CaptureError>();
        capture.map_or_else(RunError::Io, RunError::Capture)
    })?;
    replay.finish().map_err(RunError::Capture)?;
    Ok(director.summary())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::path::Path;
    use std::time::Duration;

    use super::super::tests::{engine, manifest};
    use super::*;
    use crate::io::pcap::{Reader, Writer};

    /// Times and frames of a capture.
    type Frames = Vec<(Duration, Vec<u8>)>;

    fn write(path: &Path, frames: &[(u64, &[u8])]) {
        let mut writer = Writer::create(path).unwrap();
        for (second, frame) in frames {
            writer.write(Duration::from_secs(*second), frame).unwrap();
        }
        writer.finish().unwrap();
    }

    fn read(path: &Path) -> Frames {
        let frames = Reader::open(path).unwrap().map(Result::unwrap);
        frames
            .map(|captured| (captured.time, captured.frame))
            .collect()
    }

    fn run(folder: &Path, stop: bool) -> Result<Summary, RunError> {
        let [from, to] = ["in.pcap", "out.pcap"].map(|name| folder.join(name));
        let replay = Replay::new(
            Reader::open(&from).map_err(RunError::Capture)?,
            vec!["lan".to_owned()],
            Some(Writer::create(&to).map_err(RunError::Capture)?),
            None,
        );
        let world = World::for_captures(&manifest());
        run_capture(engine(), manifest(), world, replay, &AtomicBool::new(stop))
    }

    #[test]
    fn what_is_sent_is_written_in_order_with_its_times() {
        let folder = tempfile::tempdir().unwrap();
        write(
            &folder.path().join("in.pcap"),
            &[(5, &[1, 1]), (6, &[0]), (6, &[2]), (9, &[1, 2])],
        );
        let summary = run(folder.path(), false).unwrap();
        assert_eq!(
            (summary.frames, summary.send, summary.drop, summary.pass),
            (4, 2, 1, 1)
        );
        let sent = [(5, vec![0xee, 1]), (9, vec![0xee, 2])];
        let sent = sent.map(|(second, frame)| (Duration::from_secs(second), frame));
        assert_eq!(read(&folder.path().join("out.pcap")), sent);
    }

    #[test]
    fn a_run_that_is_stopped_or_fails_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("in.pcap");
        write(&from, &[(5, &[1, 1]), (6, &[1, 2])]);
        assert!(matches!(run(folder.path(), true), Err(RunError::Stopped)));
        let whole = std::fs::read(&from).unwrap();
        std::fs::write(&from, &whole[..whole.len() - 1]).unwrap();
        let error = run(folder.path(), false).unwrap_err();
        assert!(
            matches!(error, RunError::Capture(CaptureError::Packet { .. })),
            "{error}"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "only the input"
        );
    }
}
