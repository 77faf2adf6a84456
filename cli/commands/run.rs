//! `lvsc run`: forwards packets: in a lab, over a capture, on an interface.

mod capture;
#[cfg(target_os = "linux")]
mod change;
#[cfg(target_os = "linux")]
mod control;
mod device;
mod lab;
#[cfg(target_os = "linux")]
pub mod notice;
#[cfg(target_os = "linux")]
mod reload;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod way;

use lvsc_runtime::director::Summary;

use crate::args::{Global, Run};
use crate::failure::{Failure, Status};
use crate::policy;
use crate::subject::Subject;
use crate::ui::{Ui, file, number};
use crate::watch;

/// Forwards packets.
pub fn run(args: &Run, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let chosen = policy::choose(&args.source, global, ui)?;
    let read = [
        ("the policy", chosen.file()),
        ("what `--pcap` reads", args.pcap.as_deref()),
    ];
    let written = [
        ("--out", args.out.as_deref()),
        ("--out-pass", args.out_pass.as_deref()),
    ];
    file::apart(&read, &written)?;
    let target = args.target.as_deref();
    if args.watch {
        watch::file(&chosen, "lvsc run web.lvs -i eth0 --watch")?;
    }
    let reading = Subject::open(&chosen, target, args.output.format, ui)?;
    let Some(subject) = reading.subject else {
        return Ok(Status::Findings);
    };
    if let Some(path) = &args.pcap {
        return capture::run(path, args, &subject, ui);
    }
    if !args.interfaces.is_empty() {
        return device::run(args, (&chosen, reading.files), subject, ui);
    }
    lab::run(args, &subject, ui)
}

/// A trap is a fault of ours, whatever the packet.
fn failed(summary: &Summary) -> Result<Status, Failure> {
    match &summary.failure {
        None => Ok(Status::Fine),
        Some(error) => Err(Failure::Bug {
            what: error.to_string(),
        }),
    }
}

/// `7 frames: 5 sent, 1 dropped (no_backend 1), 1 passed to the kernel`
fn counts(summary: &Summary) -> String {
    let reasons = summary.reasons.iter();
    let reasons: Vec<String> = reasons
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let reasons = if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join(", "))
    };
    let Summary {
        send, drop, pass, ..
    } = summary;
    let frames = number(summary.frames as usize, "frame");
    format!("{frames}: {send} sent, {drop} dropped{reasons}, {pass} passed to the kernel")
}
