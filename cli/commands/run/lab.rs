//! In a lab: client, director and real servers of its own, and the proof of what happened between them.

mod client;
mod memory;
#[cfg(target_os = "linux")]
mod namespaces;
mod record;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use lvsc_runtime::director::Summary;
use lvsc_runtime::lab::{Plan, PlanError, Report};

use crate::args::{Format, LabKind, Run};
use crate::engines::{Kind, Takes};
use crate::failure::{Failure, Status};
use crate::interrupt;
use crate::policy::Checked;
use crate::subject::Subject;
use crate::ui::Ui;
use crate::ui::progress::Progress;

/// What came of a lab.
struct Outcome {
    lab: LabKind,
    plan: Plan,
    report: Report,
    summary: Summary,
    /// How packets came to the director, where it took them from a device itself.
    io: Option<&'static str>,
    /// The same with how frames were moved, where that is not the lab's own way.
    moved: Option<String>,
}

impl Outcome {
    /// All that does not hold, in words.
    fn faults(&self) -> Vec<String> {
        let trap = self.summary.failure.iter().map(ToString::to_string);
        self.report.faults().into_iter().chain(trap).collect()
    }
}

/// A lab to be made.
struct Order<'a> {
    args: &'a Run,
    checked: &'a Checked,
    kind: &'a Kind,
    plan: &'a Plan,
    /// A signal asks to end.
    stop: &'a AtomicBool,
}

impl Order<'_> {
    /// What the policy declares.
    fn manifest(&self) -> lvsc_abi::manifest::Manifest {
        self.checked.pipeline.manifest.clone()
    }

    /// Number of the client's requests.
    fn requests(&self) -> usize {
        self.args.requests as usize
    }

    /// A line that says how far the requests are; breaks off where a signal asks to end.
    fn progress(&self, ui: &Ui) -> impl FnMut(usize) -> ControlFlow<()> {
        let mut progress = Progress::new(ui, "requests");
        let all = self.requests();
        move |done| {
            progress.at(done, all);
            if self.is_stopped() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Tries a policy in a lab. Fine only where everything holds.
pub fn run(args: &Run, subject: &Subject, ui: &mut Ui) -> Result<Status, Failure> {
    let (checked, kind) = (subject.policy()?, subject.kind);
    let plan = Plan::of(&checked.pipeline.manifest)?;
    client::check(checked, &plan)?;
    let stop = interrupt::flag()?;
    let order = Order {
        args,
        checked,
        kind,
        plan: &plan,
        stop: &stop,
    };
    let way = [
        ("--io", args.io.is_some()),
        ("--transfer", args.transfer.is_some()),
        ("--busy-poll", args.busy_poll.is_some()),
        ("--threads", args.threads.is_some()),
    ];
    let way = way.into_iter().find(|(_, given)| *given);
    if let (Some((flag, _)), Takes::Devices) = (way, kind.takes) {
        return Err(kind.has_no(flag));
    }
    if let (Some((flag, _)), Some(LabKind::Memory)) = (way, args.lab) {
        return Err(Failure::Told {
            what: format!("`{flag}` means nothing to the lab in memory: it has no devices"),
            remedy: Some("leave it out, or take `--lab namespaces`".to_owned()),
        });
    }
    match args.lab {
        Some(LabKind::Memory) => in_memory(&order, ui),
        Some(LabKind::Namespaces) => in_namespaces(&order, ui)?.map_err(Failure::from),
        None => match in_namespaces(&order, ui)? {
            Ok(status) => Ok(status),
            Err(refused) if way.is_some() => Err(refused.into()),
            Err(refused) => {
                ui.say(format_args!(
                    "note: no network namespaces here ({}); the hosts are simulated instead\n\
                     help: for real ones {}",
                    refused.what, refused.remedy
                ));
                in_memory(&order, ui)
            }
        },
    }
}

/// Why no namespaces can be had.
struct Refused {
    what: String,
    remedy: String,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        Failure::Told {
            what: format!("no network namespaces can be had: {}", refused.what),
            remedy: Some(format!("{}; `--lab memory` needs none", refused.remedy)),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Failure {
        Failure::Told {
            what: format!("the lab cannot try this policy: {error}"),
            remedy: Some(error.remedy()),
        }
    }
}

#[cfg(target_os = "linux")]
fn in_namespaces(order: &Order<'_>, ui: &mut Ui) -> Result<Result<Status, Refused>, Failure> {
    match namespaces::up(order, ui)? {
        Err(refused) => Ok(Err(refused)),
        Ok((outcome, standing)) => {
            let status = say(order, &outcome, ui);
            if order.args.hold && !order.is_stopped() {
                standing.hold(order.stop, ui)?;
            }
            Ok(Ok(status))
        }
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it may fail")]
fn in_namespaces(_: &Order<'_>, _: &mut Ui) -> Result<Result<Status, Refused>, Failure> {
    Ok(Err(Refused {
        what: "they need Linux".to_owned(),
        remedy: "run it on Linux".to_owned(),
    }))
}

fn in_memory(order: &Order<'_>, ui: &mut Ui) -> Result<Status, Failure> {
    let outcome = memory::run(order, ui)?;
    let status = say(order, &outcome, ui);
    if order.args.hold {
        ui.say("note: simulated hosts cannot be entered, so there is nothing to hold");
    }
    Ok(status)
}

/// Says what came of it; of a lab that was stopped there is nothing to say.
fn say(order: &Order<'_>, outcome: &Outcome, ui: &mut Ui) -> Status {
    if order.is_stopped() {
        return Status::Interrupted;
    }
    match order.args.output.format {
        Format::Text => ui.print(record::words(order, outcome)),
        Format::Json => ui.json(&record::data(order, outcome)),
    }
    let faults = outcome.faults();
    for fault in &faults {
        ui.fault(fault);
    }
    if outcome.report.gave_up.is_some() {
        ui.talk(format_args!(
            "the director: {}",
            super::counts(&outcome.summary)
        ));
    }
    if faults.is_empty() {
        Status::Fine
    } else {
        Status::Findings
    }
}
