//! Why something under a name cannot be had, and what to do.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use lvsc_abi::engine::EngineError;

use super::{FILE_SYSTEM, FOLDER, Name};

/// Why something under a name cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no BPF file system.
    #[error("there is no BPF file system at {FILE_SYSTEM}")]
    NoFileSystem,
    /// Another process has it.
    #[error("`{name}` is in use by another process")]
    InUse {
        /// The name.
        name: Name,
    },
    /// There is no such name.
    #[error("nothing is pinned as `{name}`")]
    Unknown {
        /// The name.
        name: Name,
        /// The names that there are.
        known: Vec<String>,
    },
    /// It is not what lvsc puts there, or not whole.
    #[error("{} is not what lvsc keeps there: {why}", path.display())]
    Foreign {
        /// What lies there.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is on the device of another network namespace.
    #[error("`{name}` is on a device of another network namespace")]
    Elsewhere {
        /// The name.
        name: Name,
    },
    /// The system refuses something.
    #[error("{}: {source}", path.display())]
    System {
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: Error,
    },
}

impl PinError {
    /// What to do.
    pub fn remedy(&self) -> Option<String> {
        match self {
            PinError::NoFileSystem => Some(format!("`sudo mount -t bpf bpf {FILE_SYSTEM}`")),
            PinError::InUse { .. } => Some("end it first, or take another name".to_owned()),
            PinError::Unknown { known, .. } if known.is_empty() => None,
            PinError::Unknown { known, .. } => Some(format!("names: {}", known.join(", "))),
            PinError::Foreign { path, .. } => Some(format!(
                "take another name, or take it off, and its flows with it: `sudo rm -r {}`",
                whole(path).display()
            )),
            PinError::Elsewhere { .. } => Some("take another name here".to_owned()),
            PinError::System { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Some("run it with sudo".to_owned())
            }
            PinError::System { source, .. } => crate::io::exhausted(source).map(str::to_owned),
        }
    }
}

/// The folder of a name, of something in it.
fn whole(path: &Path) -> &Path {
    let mut steps = path.ancestors();
    let found = steps.find(|step| step.parent() == Some(Path::new(FOLDER)));
    found.unwrap_or(path)
}

impl From<PinError> for EngineError {
    fn from(error: PinError) -> EngineError {
        EngineError::Attach {
            what: error.to_string(),
            remedy: error.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foreign_is_taken_off_by_its_whole_name() {
        let error = PinError::Foreign {
            path: "/sys/fs/bpf/lvsc/web/run_7/object".into(),
            why: String::new(),
        };
        let remedy = error.remedy().unwrap_or_default();
        assert!(
            remedy.ends_with("`sudo rm -r /sys/fs/bpf/lvsc/web`"),
            "{remedy}"
        );
    }
}
