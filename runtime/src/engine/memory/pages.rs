//! Pages that several mappings have in common: what is written by one is seen by all.

#![expect(unsafe_code, reason = "pages are mapped over those of a mapping")]

use std::fs::File;
use std::io::{Error, Result};
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;

use super::Mapping;

/// Bytes that are looked at together: what is zero is not copied.
const PART: u64 = 1 << 16;

/// Pages in a file of no folder.
pub(in crate::engine) struct Pages {
    file: File,
    size: u64,
}

impl Pages {
    /// Makes these bytes of a mapping, whole pages, such that others can have, too. Nobody writes them meanwhile.
    pub(in crate::engine) fn of(memory: &Mapping, bytes: Range<u64>) -> Result<Pages> {
        // SAFETY: plain system call.
        let fd = unsafe { libc::memfd_create(c"lvsc".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made.
        let file = unsafe { File::from_raw_fd(fd) };
        let size = bytes.end.saturating_sub(bytes.start);
        file.set_len(size)?;
        for at in (0..size).step_by(PART as usize) {
            let length = PART.min(size - at);
            let address = place(memory, bytes.start + at, length)?;
            // SAFETY: so many mapped bytes, which nobody writes meanwhile.
            let part = unsafe { std::slice::from_raw_parts(address, length as usize) };
            if part.iter().any(|byte| *byte != 0) {
                file.write_all_at(part, at)?;
            }
        }
        let pages = Pages { file, size };
        pages.put_into(memory, bytes.start)?;
        Ok(pages)
    }

    /// Number of bytes.
    pub(in crate::engine) fn size(&self) -> u64 {
        self.size
    }

    /// Puts the pages into a mapping at `at`, in place of those that are there.
    pub(in crate::engine) fn put_into(&self, memory: &Mapping, at: u64) -> Result<()> {
        let address = place(memory, at, self.size)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        let (length, fd) = (self.size as usize, self.file.as_raw_fd());
        // SAFETY: inside of a mapping of ours, whose pages nobody has borrowed.
        let done = unsafe { libc::mmap(address.cast(), length, access, flags, fd, 0) };
        if done == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        Ok(())
    }
}

fn place(memory: &Mapping, at: u64, bytes: u64) -> Result<*mut u8> {
    let found = memory.address(at, bytes);
    found.ok_or_else(|| Error::from_raw_os_error(libc::EFAULT))
}
