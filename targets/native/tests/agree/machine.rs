//! Runs the code of an object: in pages that can be executed, on an image and frames with nothing behind them.

#![expect(unsafe_code, reason = "machine code is called")]

use std::ptr;

/// The size of every page, or a multiple (bytes).
const PAGE: usize = 1 << 16;

/// Pages of our own, with one behind them that nobody may touch; what is put in ends where that begins.
struct Pages {
    begin: *mut u8,
    /// Size of the real pages (bytes).
    real: usize,
    used: usize,
}

impl Pages {
    fn new(used: usize, align: usize) -> Pages {
        let used = used.next_multiple_of(align);
        let real = used.next_multiple_of(PAGE).max(PAGE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping where the kernel likes, its last page taken away again.
        let begin = unsafe {
            let begin = libc::mmap(ptr::null_mut(), real + PAGE, access, flags, -1, 0);
            assert_ne!(begin, libc::MAP_FAILED);
            let begin = begin.cast::<u8>();
            let guard = begin.wrapping_add(real);
            assert_eq!(libc::mprotect(guard.cast(), PAGE, libc::PROT_NONE), 0);
            begin
        };
        Pages { begin, real, used }
    }

    fn address(&self) -> *mut u8 {
        self.begin.wrapping_add(self.real - self.used)
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped as long as this lives, and lent to one at a time.
        unsafe { std::slice::from_raw_parts_mut(self.address(), self.used) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: all that was mapped; nobody holds it any more.
        unsafe { libc::munmap(self.begin.cast(), self.real + PAGE) };
    }
}

/// Code with what it works on.
pub struct Machine {
    code: Pages,
    image: Pages,
    frames: Pages,
    image_size: usize,
}

impl Machine {
    /// Code, a copy of the image, and so many bytes for frames.
    pub fn new(code: &[u8], image: &[u8], frames: usize) -> Machine {
        let mut pages = Pages::new(code.len(), 64);
        pages.bytes()[..code.len()].copy_from_slice(code);
        let access = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: our own pages.
        let done = unsafe { libc::mprotect(pages.begin.cast(), pages.real, access) };
        assert_eq!(done, 0);
        let mut copy = Pages::new(image.len(), 64);
        copy.bytes()[..image.len()].copy_from_slice(image);
        Machine {
            code: pages,
            image: copy,
            frames: Pages::new(frames, 1),
            image_size: image.len(),
        }
    }

    pub fn frames(&mut self) -> &mut [u8] {
        self.frames.bytes()
    }

    pub fn image(&mut self) -> &[u8] {
        let size = self.image_size;
        &self.image.bytes()[..size]
    }

    /// Calls the packet function.
    pub fn decide(&mut self, descriptors: &mut [u64], worker: u32) {
        type Function = unsafe extern "C" fn(*mut u8, *mut u8, *mut u64, usize, u32);
        let (image, frames) = (self.image.address(), self.frames.address());
        let (at, count) = (descriptors.as_mut_ptr(), descriptors.len());
        // SAFETY: the code's first byte is the packet function; what it is given is ours.
        unsafe {
            let function: Function = std::mem::transmute(self.code.address());
            function(image, frames, at, count, worker);
        }
    }
}
