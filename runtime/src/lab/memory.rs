//! The lab in one process: simulated hosts around a simulated switch, for machines without network namespaces.
//!
//! Client and real servers are complete TCP/IP stacks (smoltcp); each real server has the VIP as an additional address and
//! is silent about it when asked by ARP. The director's port belongs to the caller, by way of [`Port`]. Time is
//! simulated: nothing sleeps, and equal input gives equal frames. The frames are recorded at the switch's ports, whole, so
//! that the same proof judges them as those of the kernel's lab. Knows no policy and no engine.

mod directed;
mod host;
mod http;
mod switch;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Captured, Datapath, NEGATIVE, Node, Plan, PlanError, Report, judge, planted};

pub use self::directed::Directed;
use self::host::Host;
pub use self::http::{Answer, Exchange, Unanswered};
use self::http::{Asking, Serving};
use self::switch::Switch;

/// How long a step of the lab takes: the way through a wire.
const STEP: Duration = Duration::from_micros(10);
/// Bytes of the upload and of the download.
const LARGE: usize = 1 << 20;
/// The longest time that one exchange may take. A client gives up earlier.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most steps of one exchange, whatever the datapath does.
const STEPS: u32 = 1_000_000;

/// What the director does with the frames at its port, as long as its datapath is on.
pub trait Port: Datapath {
    /// Takes an ARP frame, and says what to send for it. That goes on while the datapath is off.
    fn arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>>;

    /// Decides any other frame, which it may rewrite: `true` sends it.
    fn handle(&mut self, frame: &mut Vec<u8>) -> bool;
}

/// The lab.
pub struct Lab {
    plan: Plan,
    now: Duration,
    switch: Switch,
    client: Host,
    servers: Vec<(Host, Serving)>,
    /// Number of exchanges so far; the client's ports follow from it.
    asked: u16,
}

impl Lab {
    /// Sets the hosts up. No frame is sent yet.
    pub fn new(plan: Plan) -> Result<Lab, PlanError> {
        plan.check()?;
        let servers = plan.servers.iter().map(|server| {
            let host = Host::new(server.mac, server.ip, Some(plan.vip));
            (host, Serving::new(server.name.clone(), plan.port))
        });
        Ok(Lab {
            now: Duration::ZERO,
            switch: Switch::new(&plan),
            client: Host::new(plan.client.mac, plan.client.ip, None),
            servers: servers.collect(),
            asked: 0,
            plan,
        })
    }

    /// Sends the requests and judges what was on the wire: first with the datapath off, which nobody may answer, then
    /// `requests` small ones, an upload and a download. `progress` is told how many were made, and says whether to go on.
    pub fn run(
        &mut self,
        port: &mut dyn Port,
        requests: usize,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Report {
        port.switch(false);
        let unwanted = (0..NEGATIVE)
            .filter(|_| self.ask(Exchange::Get, port).is_ok())
            .count();
        port.switch(true);
        self.take_frames();
        let client = self.plan.client.ip;
        let mut report = Report::new(requests, unwanted);
        let small = report.small(client, progress, || {
            let answer = self.ask(Exchange::Get, port);
            answer
                .map(|answer| (answer.server, answer.client.to_string()))
                .map_err(|error| error.to_string())
        });
        if small.is_continue() {
            report.upload = self.ask(Exchange::Upload(LARGE), port).is_ok();
            report.download = self.ask(Exchange::Download(LARGE), port).is_ok();
        }
        self.transmit(Node::Server(0), &planted(&self.plan), port);
        report.proof = judge(&self.plan, self.frames());
        report
    }

    /// Makes one request to the VIP, on a connection of its own, and follows it to its end.
    pub fn ask(&mut self, exchange: Exchange, port: &mut dyn Port) -> Result<Answer, Unanswered> {
        let from = 32_768 + self.asked % 28_000;
        self.asked = self.asked.wrapping_add(1);
        let mut asking = Asking::new(
            &mut self.client,
            exchange,
            from,
            (self.plan.vip, self.plan.port),
        );
        let end = self.now + PATIENCE;
        for _ in 0..STEPS {
            let moved = self.step(port) | asking.advance(&mut self.client);
            if asking.is_done() || self.now > end || !moved && !self.skip() {
                break;
            }
        }
        let answer = asking.end(&mut self.client);
        self.settle(port);
        answer
    }

    /// Sends a frame from a host's port, as if the host had: an ARP request for a backend, or one that must be seen.
    pub fn transmit(&mut self, from: Node, frame: &[u8], port: &mut dyn Port) {
        self.switch.forward(from, frame);
        self.settle(port);
    }

    /// The frames so far, at every port and in order.
    pub fn frames(&self) -> &[Captured] {
        self.switch.frames()
    }

    /// Takes the frames so far out.
    pub fn take_frames(&mut self) -> Vec<Captured> {
        self.switch.take_frames()
    }

    /// Time since the lab began, as its hosts see it.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Lets every host do what it can now; says whether anything moved.
    fn step(&mut self, port: &mut dyn Port) -> bool {
        self.now += STEP;
        let mut moved = self.client.poll(Node::Client, &mut self.switch, self.now);
        for (index, (host, serving)) in self.servers.iter_mut().enumerate() {
            moved |= serving.advance(host);
            moved |= host.poll(Node::Server(index), &mut self.switch, self.now);
        }
        while let Some(mut frame) = self.switch.receive(Node::Director) {
            moved = true;
            if switch::is_arp(&frame) {
                for reply in port.arp(&frame) {
                    self.switch.forward(Node::Director, &reply);
                }
            } else if port.handle(&mut frame) {
                self.switch.forward(Node::Director, &frame);
            }
        }
        moved
    }

    /// Lets frames on their way arrive: the last acknowledgements of an exchange.
    fn settle(&mut self, port: &mut dyn Port) {
        for _ in 0..STEPS {
            if !self.step(port) {
                return;
            }
        }
    }

    /// Goes on to the next time at which a host wants to do something; there may be none.
    fn skip(&mut self) -> bool {
        let hosts = self
            .servers
            .iter_mut()
            .map(|(host, _)| host)
            .chain([&mut self.client]);
        let next = hosts.filter_map(|host| host.next(self.now)).min();
        self.now = self.now.max(next.unwrap_or(Duration::ZERO));
        next.is_some()
    }
}
