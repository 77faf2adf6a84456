//! What wasmtime is told of the module's memory: 4 GiB of reserved address space with a guard behind it, of which the
//! module's pages are real.
//!
//! Generated code needs no explicit bounds check where a load's or store's static offset is smaller than the guard: that
//! is so up to an image of 1 GiB. Behind that each access is one compare dearer.

use std::io::Error;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::engine::memory::{Mapping, Shape};

/// Reserved for the memory itself (bytes): all that 32 bits can name.
pub(super) const RESERVED: u64 = 4 << 30;
/// Reserved behind it (bytes).
pub(super) const GUARD: u64 = 1 << 30;

/// Reserves a module's memory, `size` bytes of it real.
pub(super) fn reserve(size: u64) -> Result<Arc<Mapping>, Error> {
    Mapping::new(Shape {
        before: 0,
        real: size,
        behind: (RESERVED + GUARD).saturating_sub(size),
    })
}

/// Gives wasmtime the memory that the next instance is to have.
pub(super) struct Creator {
    memory: Mutex<Arc<Mapping>>,
}

impl Creator {
    pub(super) fn new(memory: &Arc<Mapping>) -> Arc<Creator> {
        Arc::new(Creator {
            memory: Mutex::new(Arc::clone(memory)),
        })
    }

    /// From now on instances have this memory.
    pub(super) fn give(&self, memory: &Arc<Mapping>) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(memory);
    }
}

struct Linear(Arc<Mapping>);

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
        let size = memory.size() as usize;
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
        self.0.size() as usize
    }

    fn byte_capacity(&self) -> usize {
        self.0.size() as usize
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
        self.0.base()
    }
}
