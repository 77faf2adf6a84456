//! Names for programs, maps and links in a BPF file system: what has one stays when its maker ends.

use std::ffi::CString;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{address, bpf, command, descriptor};

#[repr(C)]
#[derive(Default)]
struct Named {
    path: u64,
    fd: u32,
    flags: u32,
}

fn text(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Gives something a name that nothing has yet; a name has no dot.
pub fn pin(fd: &impl AsRawFd, path: &Path) -> Result<()> {
    let path = text(path)?;
    let mut attributes = Named {
        path: address(path.as_bytes_with_nul()),
        fd: fd.as_raw_fd() as u32,
        flags: 0,
    };
    bpf(command::PIN, &mut attributes).map(drop)
}

/// What has this name.
pub fn get(path: &Path) -> Result<OwnedFd> {
    let path = text(path)?;
    let mut attributes = Named {
        path: address(path.as_bytes_with_nul()),
        ..Named::default()
    };
    descriptor(command::GET_PINNED, &mut attributes)
}

/// Whether a folder lies in a BPF file system.
pub fn is_bpffs(path: &Path) -> Result<bool> {
    /// `BPF_FS_MAGIC` (linux/magic.h)
    const MAGIC: u32 = 0xcafe_4a11;
    let path = text(path)?;
    // SAFETY: a plain system call; zeros are an empty answer, which it fills.
    let found = unsafe {
        let mut found: libc::statfs = std::mem::zeroed();
        (libc::statfs(path.as_ptr(), &raw mut found) == 0).then_some(found)
    };
    let found = found.ok_or_else(Error::last_os_error)?;
    Ok(found.f_type as u32 == MAGIC)
}
