//! Machine code in pages of its own: written, then made executable, and never both at a time.

#![expect(
    unsafe_code,
    reason = "machine code is called, and its pages are mapped by us"
)]

use std::ffi::c_void;
use std::io::Error;

use crate::engine::batch::Batch;
use crate::engine::memory::Mapping;

/// The packet function, as [`lvsc_abi::native`] tells it.
type Function = unsafe extern "C" fn(
    image: *mut u8,
    frames: *mut u8,
    descriptors: *mut u8,
    count: usize,
    worker: u32,
);

/// Code that can be called; unmapped when it is dropped.
pub(super) struct Code {
    begin: *mut c_void,
    length: usize,
}

// SAFETY: nobody writes the pages any more.
unsafe impl Send for Code {}
// SAFETY: as above; the code keeps nothing between two calls.
unsafe impl Sync for Code {}

impl Code {
    /// Makes the packet function callable.
    pub(super) fn new(bytes: &[u8]) -> Result<Code, Error> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let length = bytes.len();
        // SAFETY: a new anonymous mapping where the kernel likes; nothing is mapped over.
        let begin = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, -1, 0) };
        if begin == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let code = Code { begin, length };
        // SAFETY: `length` bytes were mapped, which nobody else knows of. Making pages executable also makes the
        // instruction cache see them: the kernel does that where a processor does not by itself (on arm64 in
        // `__sync_icache_dcache`).
        let done = unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), begin.cast(), length);
            libc::mprotect(begin, length, libc::PROT_READ | libc::PROT_EXEC)
        };
        if done != 0 {
            return Err(Error::last_os_error());
        }
        Ok(code)
    }

    /// Where the code begins.
    #[cfg(test)]
    pub(super) fn begin(&self) -> usize {
        self.begin as usize
    }

    /// Decides the first `count` packets of a batch; at most as many as were handed over.
    pub(super) fn decide(&self, image: &Mapping, packets: &Batch, count: usize, worker: u32) {
        let memory = packets.memory.base();
        let descriptors = memory.wrapping_add(packets.descriptors as usize);
        // SAFETY: the object says that this is the packet function, its seal that it is whole. It has no relocations and
        // touches the image, the frames and the descriptors, which are mapped; the frames lie in their slots.
        unsafe {
            let function: Function = std::mem::transmute(self.begin);
            function(image.base(), memory, descriptors, count, worker);
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that `new` made; a call borrows it.
        unsafe { libc::munmap(self.begin, self.length) };
    }
}
