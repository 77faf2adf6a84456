//! What a run of the lab gave.

use std::collections::BTreeMap;

use super::NEGATIVE;
use super::proof::Proof;

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
            faults.push(format!(
                "{} of {} requests were answered: {why}",
                self.answered, self.requests
            ));
        }
        if let Some(address) = &self.foreign_client {
            faults.push(format!("a real server saw the client as {address}"));
        }
        for (whole, what) in [(self.upload, "upload"), (self.download, "download")] {
            if !whole {
                faults.push(format!("the {what} of 1 MiB did not arrive whole"));
            }
        }
        faults.extend(self.proof.faults.iter().cloned());
        faults
    }
}
