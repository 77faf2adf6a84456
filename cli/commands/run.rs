//! `lvsc run`: forwards packets: in a lab, over a capture, on an interface.

mod capture;
mod device;
mod lab;

use crate::args::{Global, Run};
use crate::failure::{Failure, Status};
use crate::ui::Ui;
use crate::{engines, policy};

/// Forwards packets.
pub fn run(args: &Run, global: &Global, ui: &mut Ui) -> Result<Status, Failure> {
    let kind = engines::find(&args.target)?;
    let Some(checked) = policy::open(&args.source, global, args.output.format, ui)? else {
        return Ok(Status::Findings);
    };
    if let Some(path) = &args.pcap {
        return capture::run(path, args, &checked, kind, ui);
    }
    if !args.interfaces.is_empty() {
        return device::run(args, &checked, kind, ui);
    }
    lab::run(args, &checked, kind, ui)
}
