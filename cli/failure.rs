//! Why a command could not do what it was asked: one message, one remedy, an exit status.

use std::io;
use std::path::{Path, PathBuf};

use lvsc_runtime::io::pcap::CaptureError;

use crate::compile::CompileError;
use crate::remedy;

/// How a command that could do its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Fine,
    /// Something was found: an error in a policy, a failed test or proof.
    Findings,
    /// The arguments make no sense, which was said.
    Refused,
    /// A signal ended it.
    Interrupted,
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file cannot be read.
    #[error("cannot read {}{}: {}", path.display(), in_brackets(because.as_deref()), plain(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it is this one, where nobody named it.
        because: Option<String>,
        /// The system's reason.
        source: io::Error,
    },
    /// A policy that is no text.
    #[error("{} is no text: byte {byte:#04x} at line {line}, byte {column} (offset {at})", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// First byte that is no text.
        byte: u8,
        /// Its offset.
        at: usize,
        /// Its line.
        line: usize,
        /// Its number in the line, from 1.
        column: usize,
        /// It begins as UTF-16 does.
        wide: bool,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {}", path.display(), plain(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file would be written over that is needed.
    #[error("`{flag}` would overwrite {what}, {}", path.display())]
    Overwrite {
        /// What would write: `--out`.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// A configuration that cannot be read.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A name that a registry does not have.
    #[error("this build has no {kind} `{name}`")]
    Unknown {
        /// `target`, `engine`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names that it has.
        known: Vec<&'static str>,
    },
    /// A diagnostic that is not there.
    #[error("no diagnostic is called `{name}`")]
    NoCode {
        /// The name.
        name: String,
    },
    /// A name that the policy does not have.
    #[error("the policy has no interface `{name}`")]
    NoInterface {
        /// The name.
        name: String,
        /// The names that it has.
        known: Vec<String>,
    },
    /// A stage that the target does not pass through.
    #[error("target `{target}` has no stage `{stage}`")]
    NoStage {
        /// The target.
        target: &'static str,
        /// The stage.
        stage: &'static str,
    },
    /// A checked policy has no artifact.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A capture is not what it should be.
    #[error(transparent)]
    Capture(CaptureError),
    /// There is no address space for a datapath's memory.
    #[error("no address space for the datapath's memory: {}", plain(.0))]
    #[cfg_attr(
        not(all(feature = "wasm", unix)),
        expect(dead_code, reason = "only the module's engine reserves it")
    )]
    Memory(io::Error),
    /// Something below, in its own words, with its remedy.
    #[error("{what}")]
    Told {
        /// What went wrong.
        what: String,
        /// What to do.
        remedy: Option<String>,
    },
    /// The kernel's verifier does not take the program.
    #[error("{what}")]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "there is no such kernel")
    )]
    Verifier {
        /// The policy's line, and what the verifier says last.
        what: String,
        /// All that it says.
        log: String,
        /// What to do, where it is no fault of ours.
        remedy: Option<String>,
    },
    /// A fault of lvsc itself.
    #[error("{what}")]
    Bug {
        /// What went wrong.
        what: String,
    },
}

impl Failure {
    /// Something below, without a remedy.
    pub fn told(what: impl std::fmt::Display) -> Failure {
        Failure::Told {
            what: what.to_string(),
            remedy: None,
        }
    }

    /// The exit status: a policy that is too large is a finding.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Compile(CompileError::TooLarge { .. } | CompileError::Emit { .. }) => 1,
            Failure::Compile(CompileError::Verify(_))
            | Failure::Read { .. }
            | Failure::NotText { .. }
            | Failure::Write { .. }
            | Failure::Overwrite { .. }
            | Failure::Config { .. }
            | Failure::Unknown { .. }
            | Failure::NoCode { .. }
            | Failure::NoInterface { .. }
            | Failure::NoStage { .. }
            | Failure::Capture(_)
            | Failure::Memory(_)
            | Failure::Told { .. }
            | Failure::Verifier { .. }
            | Failure::Bug { .. } => 2,
        }
    }

    /// What only who asks for more wants to read.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Failure::Verifier { log, .. } => Some(log.trim_end()),
            Failure::Compile(_)
            | Failure::Read { .. }
            | Failure::NotText { .. }
            | Failure::Write { .. }
            | Failure::Overwrite { .. }
            | Failure::Config { .. }
            | Failure::Unknown { .. }
            | Failure::NoCode { .. }
            | Failure::NoInterface { .. }
            | Failure::NoStage { .. }
            | Failure::Capture(_)
            | Failure::Memory(_)
            | Failure::Told { .. }
            | Failure::Bug { .. } => None,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Failure::Read { path, source, .. } => remedy::unread(path, source),
            Failure::Write { path, source } => remedy::unwritten(path, source),
            Failure::NotText {
                path, byte, wide, ..
            } => Some(remedy::no_text(path, *byte, *wide)),
            Failure::Overwrite { flag, .. } => Some(format!("name another file with `{flag}`")),
            Failure::Capture(error) => remedy::capture(error),
            Failure::Memory(_) => Some(
                "5 GiB of address space are reserved (not used): raise the limit with \
                 `ulimit -v unlimited`, or take the interpreter, `interp`"
                    .to_owned(),
            ),
            Failure::Unknown { kind, known, .. } => Some(format!("{kind}s: {}", known.join(", "))),
            Failure::NoCode { name } => Some(remedy::code(name)),
            Failure::NoInterface { known, .. } => {
                Some(format!("interfaces of the policy: {}", known.join(", ")))
            }
            Failure::Told { remedy, .. } => remedy.clone(),
            Failure::Verifier {
                remedy: Some(remedy),
                ..
            } => Some(remedy.clone()),
            Failure::Verifier { .. } => Some(
                "`-v` shows all that it says; where `lvsc build` made the object as it is, this is a fault of lvsc: please \
                 report it"
                    .to_owned(),
            ),
            Failure::Bug { .. } | Failure::Compile(CompileError::Verify(_)) => {
                Some("this is a fault of lvsc, not of the policy: please report it".to_owned())
            }
            Failure::Config { .. }
            | Failure::NoStage { .. }
            => None,
            Failure::Compile(CompileError::Emit { most, .. }) if !most.is_empty() => {
                Some(format!("most of it comes from {most}"))
            }
            Failure::Compile(CompileError::Emit { .. }) => Some(
                "make the tables (`flows`, `counter ... by`) smaller, or use fewer of them".to_owned(),
            ),
            Failure::Compile(CompileError::TooLarge { .. }) => Some(
                "every `match` doubles the ways to what follows it unless both sides know the same: \
                 end a side early, or make two policies"
                    .to_owned(),
            ),
        }
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Failure {
        match error {
            CaptureError::Open { path, source } => Failure::Read {
                path,
                because: None,
                source,
            },
            CaptureError::Write { path, source } => Failure::Write { path, source },
            other @ (CaptureError::Format { .. }
            | CaptureError::Link { .. }
            | CaptureError::Packet { .. }
            | CaptureError::Interface { .. }
            | CaptureError::Unwritable { .. }) => Failure::Capture(other),
        }
    }
}

/// The folder of a file: `.` for a name alone.
pub fn folder(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn in_brackets(because: Option<&str>) -> String {
    because.map_or_else(String::new, |because| format!(" ({because})"))
}

/// The system's words in our manner: `no such file or directory`.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
