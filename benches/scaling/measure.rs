//! Asks `lvsc` what a policy costs: each figure is of a process of its own, as users start it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::policies::Policy;

/// The engines that are shown; the last one without its floor.
pub const ENGINES: [&str; 4] = ["rust", "wasm", "native", "xdp"];
/// The targets that are built for.
pub const TARGETS: [&str; 3] = ["wasm", "xdp", "native"];
/// Builds of one policy take no longer than this, but for the first one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How it is measured.
pub struct Asked {
    /// The compiler.
    pub lvsc: PathBuf,
    /// Where policies and artifacts are written.
    pub folder: PathBuf,
    /// Rounds of `lvsc bench`.
    pub rounds: u32,
    /// Number of flows.
    pub flows: u32,
    /// Most starts of a build.
    pub starts: u32,
}

/// Why there are no figures.
#[derive(Debug)]
pub enum Failure {
    /// `lvsc` said so: its first error.
    Refused(String),
    /// Anything else; the run ends.
    Broken(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Broken(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::Broken(format!("lvsc does not answer in JSON: {error}"))
    }
}

/// What a target makes of a policy.
pub struct Built {
    /// What `lvsc build --format json` says.
    pub data: Value,
    /// The median of the whole process.
    pub taken: Duration,
}

/// Times of a packet.
pub struct Times {
    /// Nanoseconds in the order of [`ENGINES`], of the fastest round; none where it was not measured.
    pub least: [Option<f64>; 4],
    /// Who was not measured, and why.
    pub missing: Vec<(String, String)>,
}

impl Asked {
    /// Writes the text of a policy, for all that follows.
    pub fn write(&self, policy: &Policy) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder)?;
        Ok(fs::write(self.folder.join("policy.lvs"), &policy.text)?)
    }

    /// Builds the policy that was written.
    pub fn build(&self, target: &str) -> Result<Built, Failure> {
        let begin = Instant::now();
        let mut data = Value::Null;
        let mut taken = Vec::new();
        while taken.is_empty() || (taken.len() < self.starts as usize && begin.elapsed() < PATIENCE)
        {
            let start = Instant::now();
            let output = self.lvsc(&["build", "--target", target, "-o", "policy.out"])?;
            taken.push(start.elapsed());
            data = answer(&output)?;
        }
        taken.sort_unstable();
        let taken = taken.get(taken.len() / 2).copied().unwrap_or_default();
        Ok(Built { data, taken })
    }

    /// Measures the policy that was written with a packet.
    pub fn bench(&self, packet: &str) -> Result<Times, Failure> {
        let (rounds, flows) = (self.rounds.to_string(), self.flows.to_string());
        let numbers = ["--rounds", &rounds, "--flows", &flows];
        let asked = ["bench", "--target", "all", "--packet", packet];
        let data = answer(&self.lvsc(&[&asked[..], &numbers].concat())?)?;
        Ok(times(&data))
    }

    fn lvsc(&self, arguments: &[&str]) -> Result<Output, Failure> {
        let mut command = Command::new(&self.lvsc);
        command.current_dir(&self.folder).args(arguments);
        command.args(["policy.lvs", "--no-config", "--format", "json"]);
        let output = command.env("NO_COLOR", "1").output();
        output.map_err(|error| {
            let lvsc = self.lvsc.display();
            Failure::Broken(format!("cannot start {lvsc}: {error}"))
        })
    }
}

/// The document that `lvsc` prints, or its first error.
fn answer(output: &Output) -> Result<Value, Failure> {
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout)?);
    }
    // A policy's faults are told in the document, all else where people look.
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if let Some(told) = document.pointer("/diagnostics/0") {
        let (code, message) = (text(told, "code"), text(told, "message"));
        return Err(Failure::Refused(format!("error[{code}]: {message}")));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines = said.lines();
    let error = lines.find(|line| line.starts_with("error"));
    Err(match error {
        Some(error) => Failure::Refused(error.to_owned()),
        None => Failure::Broken(format!("lvsc ended with {}: {said}", output.status)),
    })
}

/// The times with hot caches; of the kernel's program what is over the floor.
fn times(data: &Value) -> Times {
    let list = |path: &str| {
        let list = data.pointer(path).and_then(Value::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    };
    let least = |name: &str| {
        let mut results = list("/policies/0/results").iter();
        let hot = results.find(|one| text(one, "name") == name && text(one, "caches") == "hot");
        hot?.get("min")?.as_f64()
    };
    Times {
        least: ENGINES.map(|name| match name {
            "xdp" => Some((least("xdp")? - least("floor")?).max(0.0)),
            _ => least(name),
        }),
        missing: list("/policies/0/missing")
            .iter()
            .map(|one| (text(one, "name").to_owned(), text(one, "why").to_owned()))
            .collect(),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
