//! The lab in network namespaces, with the kernel's own TCP.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::capture::{Capture, now};
use super::plan::{Host, Plan};
use super::proof::{Proof, judge, planted};
use super::report::Report;
use super::topology::{ETH0, Topology, resolve};
use super::{Datapath, NEGATIVE, http};
use crate::io::exhausted;
use crate::sys::namespace::{self, Isolated, Namespace};
use crate::sys::ring::{Only, Options, Ring};

/// The longest wait for one small request.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wait for a request that nobody should answer.
const UNANSWERED: Duration = Duration::from_millis(200);

/// A lab that stands. Everything in it belongs to the process and goes with it.
pub struct Lab {
    plan: Plan,
    topology: Topology,
    stop: Arc<AtomicBool>,
    servers: Vec<JoinHandle<()>>,
    fault: Fault,
}

/// The first thing that keeps the lab itself from working.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    fn set(&self, error: Error) {
        self.lock().get_or_insert(error);
    }

    /// An error where there was a fault.
    fn check(&self) -> Result<()> {
        self.lock().take().map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person can do where the lab's network cannot be built or breaks down.
pub fn remedy(error: &Error) -> &'static str {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    advice(error, is_root)
}

fn advice(error: &Error, is_root: bool) -> &'static str {
    let kind = error.kind();
    if let Some(remedy) = exhausted(error) {
        remedy
    } else if kind == ErrorKind::WouldBlock {
        "end some processes, or raise their limit: `ulimit -u unlimited`"
    } else if kind == ErrorKind::PermissionDenied && is_root {
        "something keeps even root from it: allow CAP_SYS_ADMIN and CAP_NET_ADMIN, in a container also \
         `--security-opt seccomp=unconfined`"
    } else {
        namespace::remedy(error)
    }
}

impl Lab {
    /// Builds the network and starts the servers. The process is in a namespace of its own:
    /// [`crate::sys::namespace::isolate`].
    pub fn up(plan: Plan) -> Result<Lab> {
        let topology = Topology::build(&plan)?;
        let stop = Arc::new(AtomicBool::new(false));
        let fault = Fault::default();
        let mut servers = Vec::new();
        for (server, station) in plan.servers.iter().zip(topology.stations.iter().skip(2)) {
            let (name, stop) = (server.name.clone(), Arc::clone(&stop));
            let broken = fault.clone();
            let fail = move |error| broken.set(error);
            servers.push(http::serve(station, name, plan.port, stop, fail)?);
        }
        Ok(Lab {
            plan,
            topology,
            stop,
            servers,
            fault,
        })
    }

    /// Has every frame look on the links as it would on a wire, for a datapath that sees them before the kernel does.
    pub fn plain_frames(&mut self) -> Result<()> {
        self.topology.plain_frames()
    }

    /// Who is in it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The namespace of the client; its interface is `eth0`.
    pub fn client(&self) -> Result<&Namespace> {
        self.station(0)
    }

    /// The namespace of the director; its interface is `eth0`.
    pub fn director(&self) -> Result<&Namespace> {
        self.station(1)
    }

    /// The namespace of a real server, by its place in the plan; its interface is `eth0`.
    pub fn server(&self, number: usize) -> Result<&Namespace> {
        self.station(number + 2)
    }

    /// How a person enters each station: an ordinary user by way of the user namespace that was made.
    pub fn doors(&self, isolated: Isolated) -> Vec<(String, String)> {
        let pid = std::process::id();
        let first = match isolated {
            Isolated::Network => String::new(),
            Isolated::UserAndNetwork => {
                format!("--user=/proc/{pid}/ns/user --preserve-credentials ")
            }
        };
        let each = self.plan.hosts().zip(&self.topology.stations);
        let door = |(host, station): (&Host, &Namespace)| {
            let net = format!("--net=/proc/{pid}/fd/{}", station.number());
            (host.name.clone(), format!("nsenter {first}{net}"))
        };
        each.map(door).collect()
    }

    fn station(&self, number: usize) -> Result<&Namespace> {
        self.topology
            .stations
            .get(number)
            .ok_or_else(|| Error::other("no such station"))
    }

    fn target(&self) -> SocketAddr {
        SocketAddr::from((self.plan.vip, self.plan.port))
    }

    /// Sends the requests and judges what was on the wire: first with the datapath off, which nobody may answer, then
    /// `requests` small ones, an upload and a download. `progress` is told how many were made, and says whether to go on.
    pub fn run(
        &self,
        datapath: &dyn Datapath,
        requests: usize,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Report> {
        let client = self.client()?;
        resolve(client, IpAddr::V4(self.plan.vip))?;
        let capture = Capture::begin(self.topology.stations.len())?;
        let target = self.target();
        datapath.switch(false);
        let unwanted = client.run(move || {
            (0..NEGATIVE)
                .filter(|_| http::get(target, UNANSWERED).is_ok())
                .count()
        })?;
        datapath.switch(true);
        let since = now();
        let mut report = Report::new(requests, unwanted);
        let small = report.small(self.plan.client.ip, progress, || {
            let answer = client.run(move || http::get(target, PATIENCE)).flatten();
            let answer = answer.map(|answer| (answer.server, answer.client));
            answer.map_err(|error| {
                let text = error.to_string();
                if exhausted(&error).is_some() {
                    self.fault.set(error);
                }
                text
            })
        });
        self.fault.check()?;
        if small.is_continue() {
            report.upload = client.run(move || http::upload(target))?.unwrap_or(false);
            report.download = client.run(move || http::download(target))?.unwrap_or(false);
        }
        // The last acknowledgements are still on their way.
        std::thread::sleep(Duration::from_millis(30));
        self.plant()?;
        std::thread::sleep(Duration::from_millis(30));
        let (frames, lost) = capture.end(since)?;
        report.proof = self.judged(&frames, lost);
        Ok(report)
    }

    fn judged(&self, frames: &[super::proof::Captured], lost: u64) -> Proof {
        let mut proof = judge(&self.plan, frames);
        if lost > 0 {
            proof.faults.push(format!("the capture lost {lost} frames"));
        }
        proof
    }

    /// Sends the planted frame from the first real server to the director.
    fn plant(&self) -> Result<()> {
        let frame = planted(&self.plan);
        self.station(2)?.run(move || {
            let options = Options {
                index: ETH0,
                only: Only::All,
                vnet: false,
                ignore_outgoing: true,
                frame: 2048,
                frames: 0,
            };
            Ring::open(options)?.send(&[], &frame)
        })?
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for server in self.servers.drain(..) {
            drop(server.join()); // a server that failed has said so
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_for_whoever_is_refused() {
        let told = |code, is_root| advice(&Error::from_raw_os_error(code), is_root);
        assert!(told(libc::EPERM, false).starts_with("run as root"));
        let root = told(libc::EPERM, true);
        assert!(
            !root.contains("as root") && root.contains("seccomp"),
            "{root}"
        );
        for (code, word) in [
            (libc::EAGAIN, "ulimit -u"),
            (libc::EMFILE, "ulimit -n"),
            (libc::ENFILE, "fs.file-max"),
            (libc::ENOSPC, "user.max_net_namespaces"),
            (libc::EINVAL, "CONFIG_NET_NS"),
        ] {
            assert!(told(code, true).contains(word), "{code}");
        }
    }
}
