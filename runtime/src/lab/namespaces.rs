//! The lab in network namespaces, with the kernel's own TCP.

use std::io::{Error, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::capture::{Capture, now};
use super::plan::Plan;
use super::proof::{Proof, judge, planted};
use super::report::Report;
use super::topology::{ETH0, Topology, resolve};
use super::{Datapath, NEGATIVE, http};
use crate::sys::namespace::Namespace;
use crate::sys::ring::{Options, Ring};

/// The longest wait for one small request.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wait for a request that nobody should answer.
const UNANSWERED: Duration = Duration::from_millis(200);

/// A lab that stands. Everything in it belongs to the process and goes with it.
pub struct Lab {
    plan: Plan,
    topology: Topology,
    stop: Arc<AtomicBool>,
    servers: Vec<JoinHandle<Result<()>>>,
}

impl Lab {
    /// Builds the network and starts the servers. The process is in a namespace of its own:
    /// [`crate::sys::namespace::isolate`].
    pub fn up(plan: Plan) -> Result<Lab> {
        let topology = Topology::build(&plan)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut servers = Vec::new();
        for (server, station) in plan.servers.iter().zip(topology.stations.iter().skip(2)) {
            let (name, stop) = (server.name.clone(), Arc::clone(&stop));
            servers.push(http::serve(station, name, plan.port, stop)?);
        }
        Ok(Lab {
            plan,
            topology,
            stop,
            servers,
        })
    }

    /// Who is in it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The namespace of the director; its interface is `eth0`.
    pub fn director(&self) -> Result<&Namespace> {
        self.station(1)
    }

    /// How a person enters each station.
    pub fn doors(&self) -> Vec<(String, String)> {
        let pid = std::process::id();
        let each = self.plan.hosts().zip(&self.topology.stations);
        each.map(|(host, station)| {
            (
                host.name.clone(),
                format!("nsenter --net=/proc/{pid}/fd/{}", station.number()),
            )
        })
        .collect()
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
    /// `requests` small ones, an upload and a download.
    pub fn run(
        &self,
        datapath: &dyn Datapath,
        requests: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Report> {
        let client = self.station(0)?;
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
        let mut report = Report {
            requests,
            negative_answered: unwanted,
            ..Report::default()
        };
        for number in 0..requests {
            let answer = client.run(move || http::get(target, PATIENCE))?;
            match answer {
                Ok(answer) => {
                    report.answered += 1;
                    *report.servers.entry(answer.server).or_default() += 1;
                    if answer.client != self.plan.client.ip.to_string() {
                        report.foreign_client = Some(answer.client);
                    }
                }
                Err(error) => {
                    report.failure.get_or_insert_with(|| error.to_string());
                }
            }
            progress(number + 1);
        }
        report.upload = client.run(move || http::upload(target))?.unwrap_or(false);
        report.download = client.run(move || http::download(target))?.unwrap_or(false);
        // The last acknowledgements are still on their way.
        std::thread::sleep(Duration::from_millis(30));
        self.plant()?;
        std::thread::sleep(Duration::from_millis(30));
        let (frames, lost) = capture.end(since)?;
        report.proof = self.judged(&frames, lost);
        Ok(report)
    }

    fn judged(&self, frames: &[super::proof::Captured], lost: u32) -> Proof {
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
                protocol: 0,
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
            // A server that failed has shown it by not answering.
            drop(server.join());
        }
    }
}
