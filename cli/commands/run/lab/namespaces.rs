//! The lab in network namespaces: the director of `run -i`, between hosts with the kernel's TCP.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lvsc_runtime::director::Notice;
use lvsc_runtime::director::interface::{self as runtime, AttachError, Attached, Io};
use lvsc_runtime::io::exhausted;
use lvsc_runtime::lab::namespaces::{Lab, remedy};
use lvsc_runtime::sys::namespace::{self, Isolated};

use super::{Order, Outcome, Refused};
use crate::args::{LabKind, Way};
use crate::commands::run::way::{self, Place};
use crate::engines::Takes;
use crate::failure::Failure;
use crate::ui::Ui;

/// The director's device in its namespace.
const DEVICE: &str = "eth0";
/// The longest wait for the real servers' MACs.
const PATIENCE: Duration = Duration::from_secs(3);

/// A lab that stands, and its director, which rests.
pub(super) struct Standing {
    lab: Lab,
    director: Attached,
    isolated: Isolated,
}

impl Standing {
    /// Says how to enter the nodes, and forwards until a signal. Everything made goes with the process.
    pub(super) fn hold(mut self, stop: &AtomicBool, ui: &mut Ui) -> Result<(), Failure> {
        ui.talk("the lab stays up until Ctrl-C; to enter a node:");
        for (name, command) in self.lab.doors(self.isolated) {
            ui.talk(format_args!("  {name}: {command}"));
        }
        self.director.run(stop).map_err(broken)
    }
}

/// Builds the lab, sends the requests and judges. No thread may exist before. Everything made goes with the process.
pub(super) fn up(
    order: &Order<'_>,
    ui: &Ui,
) -> Result<Result<(Outcome, Standing), Refused>, Failure> {
    // What this process may do is asked as long as it is in the host's own namespaces.
    let io = way::choose(order.args, Way::AfPacket)?;
    let isolated = match namespace::isolate() {
        Ok(isolated) => isolated,
        Err(refused) => {
            return Ok(Err(Refused {
                what: refused.to_string(),
                remedy: remedy(&refused.source).to_owned(),
            }));
        }
    };
    let mut lab = match Lab::up(order.plan.clone()) {
        Ok(lab) => lab,
        Err(error) => {
            return Ok(Err(Refused {
                what: format!("the lab's network cannot be built: {error}"),
                remedy: remedy(&error).to_owned(),
            }));
        }
    };
    if order.kind.takes == Takes::Devices || !matches!(io, Io::Packets) {
        lab.plain_frames().map_err(broken)?;
    }
    let (director, notices) = attach(order, io, &lab)?;
    let switch = director.director().switch();
    let is_there = |address| order.plan.servers.iter().any(|host| host.ip == address);
    let missing = director
        .director()
        .without_mac()
        .filter(|backend| is_there(backend.address))
        .map(|backend| backend.name.clone())
        .collect();
    let running = Running::start(director);
    await_macs(missing, &notices);
    let report = lab
        .run(&switch, order.requests(), &mut order.progress(ui))
        .map_err(broken)?;
    let mut director = running.end()?;
    let place = Place::all(&[DEVICE.to_owned()], &director).pop();
    let outcome = Outcome {
        lab: LabKind::Namespaces,
        plan: order.plan.clone(),
        report,
        summary: director.summary(),
        io: place.as_ref().and_then(Place::io),
        moved: place.as_ref().and_then(Place::moved),
    };
    let standing = Standing {
        lab,
        director,
        isolated,
    };
    Ok(Ok((outcome, standing)))
}

fn attach(order: &Order<'_>, io: Io, lab: &Lab) -> Result<(Attached, Receiver<Notice>), Failure> {
    let engine = order.kind.make(&order.checked.pipeline)?;
    let manifest = order.manifest();
    let order = runtime::Order {
        io,
        ..runtime::Order::from(engine)
    };
    let (sender, notices) = mpsc::channel();
    let opened: Result<Attached, AttachError> = lab
        .director()
        .and_then(|place| place.run(move || Attached::open(order, manifest, &[DEVICE.to_owned()])))
        .map_err(broken)?;
    let attached = opened?.telling(move |notice| {
        let _ = sender.send(notice); // nobody listens any more when the MACs are known
    });
    Ok((attached, notices))
}

/// A director on a thread of its own.
struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Attached, io::Result<()>)>,
}

impl Running {
    fn start(mut director: Attached) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let done = director.run(&stopped);
            (director, done)
        });
        Running { stop, thread }
    }

    fn end(self) -> Result<Attached, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let (director, done) = self.thread.join().map_err(|_| Failure::Bug {
            what: "the director's thread ended by itself".to_owned(),
        })?;
        done.map_err(broken)?;
        Ok(director)
    }
}

/// Waits until every real server has answered for its MAC: the first request is to find them all. One that does not
/// answer shows in the report.
fn await_macs(mut missing: BTreeSet<String>, notices: &Receiver<Notice>) {
    let end = Instant::now() + PATIENCE;
    while !missing.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        match notices.recv_timeout(left) {
            Ok(Notice::Neighbour { backend, .. }) => {
                missing.remove(&backend);
            }
            Ok(
                Notice::OwnMac { .. }
                | Notice::Missing(_)
                | Notice::Overrun(_)
                | Notice::Tagged(_)
                | Notice::Interface { .. }
                | Notice::Replaced(_)
                | Notice::Kept(_)
                | Notice::Unknown { .. }
                | Notice::Failed(_),
            ) => {}
            Err(_) => return,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it goes into `map_err`")]
fn broken(error: io::Error) -> Failure {
    Failure::Told {
        what: format!("the lab broke down: {error}"),
        remedy: exhausted(&error).map(str::to_owned),
    }
}
