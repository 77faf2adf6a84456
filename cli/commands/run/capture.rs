//! Over a capture: its frames in, those that are sent into another one.

use lvsc_runtime::director::{RunError, run_capture};
use lvsc_runtime::io::pcap::{Reader, Replay, Writer};
use lvsc_runtime::world::World;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::args::{Format, Run};
use crate::engines::Loaded;
use crate::failure::{Failure, Status};
use crate::interrupt;
use crate::subject::Subject;
use crate::ui::Ui;

/// Forwards a capture and prints what became of its frames.
pub fn run(path: &Path, args: &Run, subject: &Subject, ui: &mut Ui) -> Result<Status, Failure> {
    let Loaded {
        engine, manifest, ..
    } = subject.load(None)?;
    let stop = interrupt::flag()?;
    let reader = match Reader::open_until(path, &stop) {
        Err(_) if stop.load(Ordering::Relaxed) => return Ok(Status::Interrupted),
        opened => opened?,
    };
    let write = |path: Option<&Path>| path.map(Writer::create).transpose();
    let (sent, passed) = (
        write(args.out.as_deref())?,
        write(args.out_pass.as_deref())?,
    );
    let names = manifest
        .interfaces
        .iter()
        .map(|interface| interface.name.clone());
    let replay = Replay::new(reader, names.collect(), sent, passed);
    let world = World::for_captures(&manifest);
    let summary = match run_capture(engine, manifest, world, replay, &stop) {
        Ok(summary) => summary,
        Err(RunError::Stopped) => return Ok(Status::Interrupted),
        Err(RunError::Capture(error)) => return Err(error.into()),
        Err(RunError::Io(error)) => return Err(Failure::told(error)),
    };
    match args.output.format {
        Format::Text => ui.print(super::counts(&summary)),
        Format::Json => ui.json(&json!({
            "version": 1,
            "engine": subject.kind.name,
            "frames": summary.frames,
            "send": summary.send,
            "drop": summary.drop,
            "pass": summary.pass,
            "reasons": summary.reasons,
        })),
    }
    super::failed(&summary)
}
