//! The value of a map, mapped into this process.

use std::io::{Error, Result};
use std::os::fd::AsRawFd;

/// The one value of a map of kind [`ARRAY`](super::ARRAY) that is [`MAPPABLE`](super::MAPPABLE), mapped.
#[derive(Debug)]
pub struct Mapped {
    base: *mut u8,
    size: usize,
}

// SAFETY: the mapping belongs to this value alone, and is accessed by single loads and stores.
unsafe impl Send for Mapped {}

impl Mapped {
    /// Maps the value of so many bytes.
    pub fn of(map: &impl AsRawFd, size: usize) -> Result<Mapped> {
        // SAFETY: a new mapping at a place that the kernel chooses.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let base = base.cast();
        Ok(Mapped { base, size })
    }

    /// Writes the first bytes.
    pub fn fill(&self, bytes: &[u8]) {
        let size = bytes.len().min(self.size);
        // SAFETY: inside the mapping; nobody reads it yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base, size) };
    }

    /// The address of `bytes` bytes at `offset`, if they lie inside.
    pub fn at(&self, offset: usize, bytes: usize) -> Option<*mut u8> {
        let end = offset.checked_add(bytes)?;
        // SAFETY: inside the mapping.
        (end <= self.size).then(|| unsafe { self.base.add(offset) })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping of `of`, with its size.
        unsafe { libc::munmap(self.base.cast(), self.size) };
    }
}
