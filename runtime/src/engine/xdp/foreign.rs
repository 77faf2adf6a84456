//! XDP programs that others made. aya loads an object: its maps are made and are what the object says; a program that has
//! a name in a BPF file system is there already, with all that its loader has filled in.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use aya::programs::Program;
use aya::{Ebpf, EbpfError};

use crate::sys::bpf;

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// Not an eBPF object, or the kernel makes no maps for it.
    #[error("it cannot be loaded: {0}")]
    Object(EbpfError),
    /// It has no program for XDP, or none of that name.
    #[error("it has no such XDP program; it has: {}", names(.known))]
    Missing {
        /// Those that it has.
        known: Vec<String>,
    },
    /// It has several, and none was named.
    #[error("it has several XDP programs: {}", names(.known))]
    Several {
        /// Their names.
        known: Vec<String>,
    },
    /// What is pinned there is a map, a link, or another kind of program.
    #[error("it is no program for XDP")]
    Other,
    /// The kernel does not take the program.
    #[error("the kernel does not take it: {what}")]
    Refused {
        /// What the loader says; the verifier's last words are its end.
        what: String,
    },
    /// A file cannot be read, or nothing is pinned there.
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
}

/// The program of an object, by its name where it has several.
pub fn load(bytes: &[u8], program: Option<&str>) -> Result<OwnedFd, ForeignError> {
    let mut object = Ebpf::load(bytes).map_err(ForeignError::Object)?;
    let mut known: Vec<String> = object
        .programs()
        .filter(|(_, program)| matches!(program, Program::Xdp(_)))
        .map(|(name, _)| name.to_owned())
        .collect();
    known.sort();
    let name = match (program, known.as_slice()) {
        (Some(name), _) if known.iter().any(|known| known == name) => name,
        (None, [only]) => only,
        (None, [_, _, ..]) => return Err(ForeignError::Several { known }),
        (Some(_), _) | (None, []) => return Err(ForeignError::Missing { known }),
    };
    let refused = |error: &dyn std::error::Error| {
        let mut what = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            what = format!("{what}: {error}");
            source = error.source();
        }
        // A verifier's log may be long: the last line that says something is the verdict.
        let last = what.trim_end().lines().rfind(|line| !line.is_empty());
        ForeignError::Refused {
            what: last.unwrap_or_default().to_owned(),
        }
    };
    let missing = ForeignError::Missing { known: Vec::new() };
    let Some(Program::Xdp(found)) = object.program_mut(name) else {
        return Err(missing);
    };
    found.load().map_err(|error| refused(&error))?;
    let fd = found.fd().map_err(|error| refused(&error))?;
    Ok(fd.as_fd().try_clone_to_owned()?)
}

/// Whether a path is a name in a BPF file system.
pub fn is_pinned(path: &Path) -> bool {
    bpf::is_bpffs(path).unwrap_or(false)
}

/// The program that has this name in a BPF file system.
pub fn pinned(path: &Path) -> Result<OwnedFd, ForeignError> {
    let found = bpf::get(path)?;
    if !bpf::is_xdp(&found)? {
        return Err(ForeignError::Other);
    }
    Ok(found)
}

fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
