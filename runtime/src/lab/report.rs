//! What a run of the lab gave.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;

use super::NEGATIVE;
use super::proof::Proof;

/// Requests in a row without an answer after which the client gives up.
const PATIENCE: usize = 3;

/// What a run of the lab gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Small requests sent.
    pub requests: usize,
    /// Small requests answered.
    pub answered: usize,
    /// Answers by the name of the server that gave them.
    pub servers: BTreeMap<String, usize>,
    /// The first failure of a request.
    pub failure: Option<String>,
    /// The client gave up: so many requests in a row were not answered.
    pub gave_up: Option<usize>,
    /// Another address than the client's, as a server saw it.
    pub foreign_client: Option<String>,
    /// The upload arrived whole.
    pub upload: bool,
    /// The download arrived whole.
    pub download: bool,
    /// Requests that were answered with the datapath off.
    pub negative_answered: usize,
    /// What the frames show.
    pub proof: Proof,
}

impl Report {
    /// Before the first request: how many there are to be, and how many were answered with the datapath off.
    pub(super) fn new(requests: usize, negative_answered: usize) -> Report {
        Report {
            requests,
            negative_answered,
            ..Report::default()
        }
    }

    /// The small requests, one after the other; `ask` makes one and gives the server's name and the client's address as
    /// that saw it. Breaks off where `progress` does, or where nobody answers.
    pub(super) fn small(
        &mut self,
        client: Ipv4Addr,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
        mut ask: impl FnMut() -> Result<(String, String), String>,
    ) -> ControlFlow<()> {
        let mut silent = 0;
        for number in 1..=self.requests {
            match ask() {
                Ok((server, seen)) => {
                    silent = 0;
                    self.answered += 1;
                    *self.servers.entry(server).or_default() += 1;
                    if seen != client.to_string() {
                        self.foreign_client = Some(seen);
                    }
                }
                Err(error) => {
                    silent += 1;
                    self.failure.get_or_insert(error);
                }
            }
            progress(number)?;
            if silent == PATIENCE {
                self.gave_up = Some(silent);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// All that does not hold, in words; none: direct routing happened, and by this datapath.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.negative_answered > 0 {
            faults.push(format!(
                "with the datapath off {} of {NEGATIVE} requests were answered: the network itself forwards, the proof is void",
                self.negative_answered
            ));
        }
        if self.answered < self.requests {
            let why = self.failure.as_deref().unwrap_or("no reason was seen");
            let after = self.gave_up.map_or(String::new(), |silent| {
                format!(" (the client gave up after {silent} without an answer in a row)")
            });
            faults.push(format!(
                "{} of {} requests were answered: {why}{after}",
                self.answered, self.requests
            ));
        }
        if let Some(address) = &self.foreign_client {
            faults.push(format!("a real server saw the client as {address}"));
        }
        for (whole, what) in [(self.upload, "upload"), (self.download, "download")] {
            if !whole && self.gave_up.is_none() {
                faults.push(format!("the {what} of 1 MiB did not arrive whole"));
            }
        }
        faults.extend(self.proof.faults.iter().cloned());
        faults
    }
}
