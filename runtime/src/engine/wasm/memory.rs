//! The module's memory: 4 GiB of reserved address space with a guard behind it, of which the module's pages are real.
//!
//! Generated code needs no explicit bounds check where a load's or store's static offset is smaller than the guard: that
//! is so up to an image of 1 GiB. Behind that each access is one compare dearer.

use std::io::Error;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::Layout;
use lvsc_abi::module::{PAGE, Region};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Store};

/// Reserved for the memory itself (bytes): all that 32 bits can name.
pub(super) const RESERVED: u64 = 4 << 30;
/// Reserved behind it (bytes).
pub(super) const GUARD: u64 = 1 << 30;

/// A reservation with its real pages; unmapped when the last one lets go of it.
pub(super) struct Reservation {
    base: *mut u8,
    size: u64,
}

// SAFETY: the mapping is process-wide; every access goes through atomics or a slice that needs `&mut Store`.
unsafe impl Send for Reservation {}
// SAFETY: as above.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves the address space and makes `size` bytes of it real, zero.
    pub(super) fn new(size: u64) -> Result<Arc<Reservation>, Error> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let length = (RESERVED + GUARD) as usize;
        // SAFETY: a new anonymous mapping where the kernel likes; nothing is mapped over.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let reservation = Arc::new(Reservation {
            base: base.cast(),
            size,
        });
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: inside the mapping made above, which nobody uses yet.
        let done = unsafe { libc::mprotect(reservation.base.cast(), size as usize, access) };
        if done != 0 {
            return Err(Error::last_os_error());
        }
        Ok(reservation)
    }

    /// Where the memory begins.
    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// The address of `bytes` bytes at `at`, if they lie in the real pages.
    fn address(&self, at: u64, bytes: u64) -> Option<*mut u8> {
        let inside = at >= PAGE && at.checked_add(bytes).is_some_and(|end| end <= self.size);
        inside.then(|| self.base.wrapping_add(at as usize))
    }

    fn load(&self, at: u64, width: Width) -> u64 {
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

    fn store(&self, at: u64, width: Width, value: u64) {
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

    /// Reads eight aligned bytes.
    pub(super) fn load_u64(&self, at: u64) -> u64 {
        self.load(at, Width::B8)
    }

    /// Writes eight aligned bytes.
    pub(super) fn store_u64(&self, at: u64, value: u64) {
        self.store(at, Width::B8, value);
    }

    /// Bytes that only the module and the holder of its store touch; empty where they do not lie in the memory.
    pub(super) fn slice_mut<'a>(
        &self,
        at: u64,
        length: usize,
        _store: &'a mut Store<()>,
    ) -> &'a mut [u8] {
        match self.address(at, length as u64) {
            // SAFETY: mapped as long as the store lives, for its instance holds the reservation; the module runs only
            // through the store, which the caller has borrowed.
            Some(address) => unsafe { std::slice::from_raw_parts_mut(address, length) },
            None => &mut [],
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that `new` made; nobody holds it any more.
        unsafe { libc::munmap(self.base.cast(), (RESERVED + GUARD) as usize) };
    }
}

/// Gives wasmtime the memory that the next instance is to have.
pub(super) struct Creator {
    memory: Mutex<Arc<Reservation>>,
}

impl Creator {
    pub(super) fn new(memory: &Arc<Reservation>) -> Arc<Creator> {
        Arc::new(Creator {
            memory: Mutex::new(Arc::clone(memory)),
        })
    }

    /// From now on instances have this memory.
    pub(super) fn give(&self, memory: &Arc<Reservation>) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(memory);
    }
}

struct Linear(Arc<Reservation>);

// SAFETY: the memory that is given has the size, reservation and guard that are asked for, else an error.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let size = memory.size as usize;
        let fits = minimum == size
            && maximum == Some(size)
            && reserved.is_none_or(|bytes| bytes as u64 <= RESERVED)
            && guard as u64 <= GUARD;
        if !fits {
            return Err(format!(
                "the memory is not the one that its section tells: {minimum} bytes, not {size}"
            ));
        }
        Ok(Box::new(Linear(Arc::clone(&memory))))
    }
}

// SAFETY: base and size never change.
unsafe impl LinearMemory for Linear {
    fn byte_size(&self) -> usize {
        self.0.size as usize
    }

    fn byte_capacity(&self) -> usize {
        self.0.size as usize
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        if size == self.byte_size() {
            return Ok(());
        }
        Err(wasmtime::format_err!(
            "the memory of a datapath does not grow"
        ))
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base
    }
}

/// The state image inside the module's memory.
pub(super) struct MappedImage {
    memory: Arc<Reservation>,
    region: Region,
    layout: Layout,
}

impl MappedImage {
    pub(super) fn new(memory: &Arc<Reservation>, region: Region, layout: Layout) -> MappedImage {
        MappedImage {
            memory: Arc::clone(memory),
            region,
            layout,
        }
    }

    fn place(&self, at: u64, width: Width) -> Option<u64> {
        let end = at.checked_add(width.bytes() as u64)?;
        (end <= u64::from(self.region.size)).then(|| u64::from(self.region.offset) + at)
    }
}

impl Image for MappedImage {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn load(&self, at: u64, width: Width) -> u64 {
        self.place(at, width)
            .map_or(0, |at| self.memory.load(at, width))
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        if let Some(at) = self.place(at, width) {
            self.memory.store(at, width, value);
        }
    }
}
