//! The lab in network namespaces: the director of `run -i`, between hosts with the kernel's TCP.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lvsc_runtime::director::interface::{AttachError, Attached};
use lvsc_runtime::director::{Notice, Summary};
use lvsc_runtime::lab::Datapath;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::sys::namespace;

use super::{Order, Outcome, Refused};
use crate::args::LabKind;
use crate::failure::Failure;
use crate::interrupt;
use crate::ui::Ui;

/// The director's device in its namespace.
const DEVICE: &str = "eth0";
/// The longest wait for the real servers' MACs.
const PATIENCE: Duration = Duration::from_secs(3);

/// A lab that stands, its director running.
pub(super) struct Standing {
    lab: Lab,
    stop: Arc<AtomicBool>,
    director: JoinHandle<io::Result<Summary>>,
}

impl Standing {
    /// Ends the director; everything made goes with the process.
    pub(super) fn down(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        joined(self.director)?;
        Ok(())
    }
}

/// The switch of the director's datapath.
struct Switch(Arc<AtomicBool>);

impl Datapath for Switch {
    fn switch(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

/// Builds the lab, sends the requests and judges. No thread may exist before; no handler of signals is installed, so
/// that Ctrl-C ends the process, and with it everything that was made.
pub(super) fn up(
    order: &Order<'_>,
    ui: &Ui,
) -> Result<Result<(Outcome, Standing), Refused>, Failure> {
    if let Err(refused) = namespace::isolate() {
        return Ok(Err(Refused {
            what: refused.to_string(),
            remedy: refused.remedy().to_owned(),
        }));
    }
    let lab = match Lab::up(order.plan.clone()) {
        Ok(lab) => lab,
        Err(error) => {
            return Ok(Err(Refused {
                what: format!("the lab's network cannot be built: {error}"),
                remedy: "a kernel with bridge, veth and packet sockets".to_owned(),
            }));
        }
    };
    let (attached, notices) = attach(order, &lab)?;
    let switch = Switch(attached.director().switch());
    let mut missing: BTreeSet<String> =
        attached.director().without_mac().map(|backend| backend.name.clone()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let director = start(attached, Arc::clone(&stop));
    await_macs(&mut missing, &notices);
    let report = lab.run(&switch, order.requests(), &mut order.progress(ui)).map_err(broken)?;
    // The figures are of a director that has ended; one that is held is started anew by nobody, so it is asked last.
    let summary = Summary::default();
    let outcome = Outcome {
        lab: LabKind::Namespaces,
        plan: order.plan.clone(),
        report,
        summary,
    };
    let standing = Standing {
        lab,
        stop,
        director,
    };
    Ok(Ok((outcome, standing)))
}

fn attach(order: &Order<'_>, lab: &Lab) -> Result<(Attached, Receiver<Notice>), Failure> {
    let engine = (order.kind.make)(&order.checked.pipeline)?;
    let manifest = order.manifest();
    let (sender, notices) = mpsc::channel();
    let opened: Result<Attached, AttachError> = lab
        .director()
        .and_then(|place| place.run(move || Attached::open(engine, manifest, &[DEVICE.to_owned()])))
        .map_err(broken)?;
    let attached = opened?.telling(move |notice| {
        let _ = sender.send(notice); // nobody listens any more when the MACs are known
    });
    Ok((attached, notices))
}
