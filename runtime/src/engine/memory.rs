//! Memory of ours that generated code works on: real pages, with address space around them that nobody may touch.

#![expect(
    unsafe_code,
    reason = "memory that generated code writes has no owner that the compiler knows"
)]

use std::io::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use lvsc_abi::image::Width;

pub(super) use self::image::MappedImage;
pub(super) use self::pages::Pages;

mod image;
mod pages;

/// Sizes of a mapping, each a multiple of a page (bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Reserved before the real pages.
    pub(super) before: u64,
    /// Real pages.
    pub(super) real: u64,
    /// Reserved behind them.
    pub(super) behind: u64,
}

impl Shape {
    fn whole(self) -> Option<usize> {
        let sum = self.before.checked_add(self.real)?.checked_add(self.behind);
        usize::try_from(sum?).ok()
    }
}

/// A mapping with its real pages; unmapped when the last one lets go of it.
pub(super) struct Mapping {
    /// Where all of it begins.
    begin: *mut u8,
    shape: Shape,
}

// SAFETY: the mapping is process-wide; every access goes through atomics or a slice whose owner is borrowed.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves the address space and makes the real pages, zero.
    pub(super) fn new(shape: Shape) -> Result<Arc<Mapping>, Error> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let length = shape
            .whole()
            .ok_or_else(|| Error::from_raw_os_error(libc::ENOMEM))?;
        // SAFETY: a new anonymous mapping where the kernel likes; nothing is mapped over.
        let begin =
            unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        if begin == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let mapping = Arc::new(Mapping {
            begin: begin.cast(),
            shape,
        });
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: inside the mapping made above, which nobody uses yet.
        let done = unsafe { libc::mprotect(mapping.base().cast(), shape.real as usize, access) };
        if done != 0 {
            return Err(Error::last_os_error());
        }
        // A batch's frames lie on a page each, and tables on many: with huge pages their addresses are found at once.
        // Where there are none, all goes on as it is.
        // SAFETY: advice about the same bytes.
        unsafe {
            libc::madvise(
                mapping.base().cast(),
                shape.real as usize,
                libc::MADV_HUGEPAGE,
            )
        };
        Ok(mapping)
    }

    /// Where the real pages begin.
    pub(super) fn base(&self) -> *mut u8 {
        self.begin.wrapping_add(self.shape.before as usize)
    }

    /// Number of real bytes.
    pub(super) fn size(&self) -> u64 {
        self.shape.real
    }

    /// The address of `bytes` bytes at `at`, if they lie in the real pages.
    fn address(&self, at: u64, bytes: u64) -> Option<*mut u8> {
        let inside = at.checked_add(bytes).is_some_and(|end| end <= self.size());
        inside.then(|| self.base().wrapping_add(at as usize))
    }

    /// Reads at `at`; 0 where that is not aligned to its width, or not there.
    pub(super) fn load(&self, at: u64, width: Width) -> u64 {
        let bytes = width.bytes() as u64;
        let Some(address) = self.address(at, bytes).filter(|_| at.is_multiple_of(bytes)) else {
            return 0;
        };
        // SAFETY: `address` is mapped for `bytes` bytes and aligned to them; writers use single accesses, too.
        unsafe {
            match width {
                Width::B1 => AtomicU8::from_ptr(address).load(Ordering::Acquire).into(),
                Width::B2 => AtomicU16::from_ptr(address.cast())
                    .load(Ordering::Acquire)
                    .into(),
                Width::B4 => AtomicU32::from_ptr(address.cast())
                    .load(Ordering::Acquire)
                    .into(),
                Width::B8 => AtomicU64::from_ptr(address.cast()).load(Ordering::Acquire),
            }
        }
    }

    /// Reads neighbouring words from `at` on; all are 0 where `at` is not aligned to them, or one of them is not there.
    pub(super) fn words(&self, at: u64, into: &mut [u64]) {
        let bytes = size_of_val(into) as u64;
        let address = self.address(at, bytes).filter(|_| at.is_multiple_of(8));
        for (number, word) in into.iter_mut().enumerate() {
            *word = address.map_or(0, |address| {
                // SAFETY: as in `load`: all words lie in the mapping.
                let one = unsafe { AtomicU64::from_ptr(address.add(number * 8).cast()) };
                one.load(Ordering::Acquire)
            });
        }
    }

    /// Writes at `at`; nothing happens where [`Mapping::load`] gives 0.
    pub(super) fn store(&self, at: u64, width: Width, value: u64) {
        let bytes = width.bytes() as u64;
        let Some(address) = self.address(at, bytes).filter(|_| at.is_multiple_of(bytes)) else {
            return;
        };
        // SAFETY: as in `load`.
        unsafe {
            match width {
                Width::B1 => AtomicU8::from_ptr(address).store(value as u8, Ordering::Release),
                Width::B2 => {
                    let word = AtomicU16::from_ptr(address.cast());
                    word.store(value as u16, Ordering::Release);
                }
                Width::B4 => {
                    let word = AtomicU32::from_ptr(address.cast());
                    word.store(value as u32, Ordering::Release);
                }
                Width::B8 => AtomicU64::from_ptr(address.cast()).store(value, Ordering::Release),
            }
        }
    }

    /// Writes the word at `at` unless it is another one than expected; tells whether it did.
    fn exchange(&self, at: u64, expected: u64, new: u64) -> bool {
        let address = self.address(at, 8).filter(|_| at.is_multiple_of(8));
        address.is_some_and(|address| {
            // SAFETY: as in `load`.
            let word = unsafe { AtomicU64::from_ptr(address.cast()) };
            let (done, seen) = (Ordering::AcqRel, Ordering::Acquire);
            word.compare_exchange(expected, new, done, seen).is_ok()
        })
    }

    /// Adds to the word at `at`, in one step.
    fn add(&self, at: u64, value: u64) {
        let address = self.address(at, 8).filter(|_| at.is_multiple_of(8));
        if let Some(address) = address {
            // SAFETY: as in `load`.
            let word = unsafe { AtomicU64::from_ptr(address.cast()) };
            word.fetch_add(value, Ordering::AcqRel);
        }
    }

    /// Bytes that only the code and its owner touch; empty where they do not lie in the memory. The owner holds this
    /// mapping, and the code runs only through it.
    pub(super) fn slice_mut<'a, Owner>(
        &self,
        at: u64,
        length: usize,
        _owner: &'a mut Owner,
    ) -> &'a mut [u8] {
        match self.address(at, length as u64) {
            // SAFETY: mapped as long as the owner lives, for it holds the mapping; the code runs only through the
            // owner, which the caller has borrowed.
            Some(address) => unsafe { std::slice::from_raw_parts_mut(address, length) },
            None => &mut [],
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that `new` made; nobody holds it any more.
        unsafe { libc::munmap(self.begin.cast(), self.shape.whole().unwrap_or_default()) };
    }
}
