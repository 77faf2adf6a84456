//! The WASM engine: a module run by wasmtime over memory that we own.
//!
//! The module is all that is needed: layout and manifest travel in its custom sections. Its ABI is told in
//! [`lvsc_abi::module`].

#![expect(
    unsafe_code,
    reason = "wasmtime is promised that the memory is as it was asked for"
)]

mod memory;

use std::any::Any;
use std::io::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{Engine, EngineError, FrameMemory, Packet, Room};
use lvsc_abi::image::{self, Image, Width};
use lvsc_abi::layout::ABI_VERSION;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::module::{self, Contents, ModuleError};
use lvsc_abi::verdict::PENDING;
use wasmtime::{
    Config, Instance, MemoryCreator, Module, OptLevel, Store, Trap, TypedFunc, WasmBacktrace,
    WasmFeatures, WasmParams, WasmResults,
};

use self::memory::Creator;
use super::batch::{self, Batch};
use super::memory::{MappedImage, Mapping};

/// Why a module cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The custom sections are missing, damaged or of another version.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The memory could not be had.
    #[error("no address space for the datapath's memory (5 GiB are reserved, not used): {0}")]
    Memory(Error),
    /// wasmtime does not take the module.
    #[error("the module cannot be run: {0}")]
    Refused(String),
    /// The module wants something of its host.
    #[error(
        "the module imports `{module}.{name}`, a datapath imports nothing: it was not built by lvsc"
    )]
    Import {
        /// The module that is imported from.
        module: String,
        /// What is imported.
        name: String,
    },
    /// The module lacks an export, or has it of another type.
    #[error("the module does not export `{name}` as lvsc does: {reason}")]
    Export {
        /// The export's name.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The module says another version in its code than in its section.
    #[error("the module's code has ABI version {found}, this lvsc has {ABI_VERSION}")]
    Version {
        /// What its `version` gave.
        found: i32,
    },
}

/// A module that runs.
pub struct WasmEngine {
    running: Running,
    spent: Duration,
}

/// A module, its instance and its memory.
struct Running {
    module: Module,
    creator: Arc<Creator>,
    store: Store<()>,
    batch: TypedFunc<(i32, i32), ()>,
    contents: Contents,
    image: MappedImage,
    packets: Batch,
}

impl WasmEngine {
    /// Compiles and instantiates a module; its image is stamped and empty.
    pub fn load(bytes: &[u8]) -> Result<WasmEngine, LoadError> {
        let running = Running::load(bytes)?;
        Ok(WasmEngine {
            running,
            spent: Duration::ZERO,
        })
    }

    /// What the feeder must know.
    pub fn manifest(&self) -> &Manifest {
        &self.running.contents.manifest
    }
}

impl Running {
    fn load(bytes: &[u8]) -> Result<Running, LoadError> {
        let contents = module::read(bytes)?;
        let refused = |error: wasmtime::Error| LoadError::Refused(format!("{error:#}"));
        let memory = memory::reserve(contents.map.size()).map_err(LoadError::Memory)?;
        let creator = Creator::new(&memory);
        let engine = wasmtime::Engine::new(&config(&creator)).map_err(refused)?;
        let module = Module::new(&engine, bytes).map_err(refused)?;
        if let Some(import) = module.imports().next() {
            let (module, name) = (import.module().to_owned(), import.name().to_owned());
            return Err(LoadError::Import { module, name });
        }
        let mut running = Running::over(memory, (module, creator), contents)?;
        image::clear(&mut running.image);
        Ok(running)
    }

    /// An instance of a module over this memory, whatever that holds.
    fn over(
        memory: Arc<Mapping>,
        (module, creator): (Module, Arc<Creator>),
        contents: Contents,
    ) -> Result<Running, LoadError> {
        let refused = |error: wasmtime::Error| LoadError::Refused(format!("{error:#}"));
        creator.give(&memory);
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, &module, &[]).map_err(refused)?;
        let version: TypedFunc<(), i32> = function(&instance, &mut store, "version")?;
        let found = version.call(&mut store, ()).map_err(refused)?;
        if u32::try_from(found) != Ok(ABI_VERSION) {
            return Err(LoadError::Version { found });
        }
        let batch = function(&instance, &mut store, "batch")?;
        let exported = instance
            .get_memory(&mut store, "memory")
            .map(|found| found.data_ptr(&store));
        if exported != Some(memory.base()) {
            let reason = "there is no such memory".to_owned();
            return Err(LoadError::Export {
                name: "memory",
                reason,
            });
        }
        let begin = u64::from(contents.map.image.offset);
        let image = MappedImage::new(&memory, begin, contents.layout.clone());
        let packets = Batch {
            memory,
            descriptors: contents.map.descriptors.offset,
            frames: contents.map.slots.offset,
            lent: None,
        };
        Ok(Running {
            module,
            creator,
            store,
            batch,
            contents,
            image,
            packets,
        })
    }

    /// Memory for one more instance, which has this image.
    fn lend(&mut self) -> Result<Arc<Mapping>, Error> {
        let map = &self.contents.map;
        let memory = memory::reserve(map.size())?;
        let number = self.image.lend(&memory)?;
        memory.store(map.worker.offset.into(), Width::B4, number.into());
        Ok(memory)
    }

    /// Runs a part of the batch; where it traps, packet by packet, so that only the one that traps is lost.
    fn decide(&mut self, count: usize) -> Result<(), EngineError> {
        let mut first = Ok(());
        let numbered = (0_i32..).zip(0..count);
        let to = numbered.clone().last().map_or(0, |(last, _)| last + 1);
        if self.batch.call(&mut self.store, (0, to)).is_ok() {
            return first;
        }
        for (number, index) in numbered {
            if self.packets.descriptor(index).verdict != PENDING {
                continue;
            }
            if let Err(error) = self.batch.call(&mut self.store, (number, number + 1)) {
                first = first.and_then(|()| Err(self.trap(index, &error)));
            }
        }
        first
    }

    fn trap(&self, packet: usize, error: &wasmtime::Error) -> EngineError {
        let what = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => format!("{error:#}"),
        };
        let frame = error
            .downcast_ref::<WasmBacktrace>()
            .and_then(|trace| trace.frames().first());
        let offset = frame.and_then(wasmtime::FrameInfo::func_offset);
        let place = offset.and_then(|at| module::place_at(&self.contents.places, at as u32));
        EngineError::Trap {
            packet,
            what,
            place,
        }
    }
}

fn function<Parameters, Results>(
    instance: &Instance,
    store: &mut Store<()>,
    name: &'static str,
) -> Result<TypedFunc<Parameters, Results>, LoadError>
where
    Parameters: WasmParams,
    Results: WasmResults,
{
    let found = instance.get_typed_func(store, name);
    found.map_err(|error| LoadError::Export {
        name,
        reason: format!("{error:#}"),
    })
}

/// Settings under which generated code has no explicit bounds checks: its whole 32-bit address space is reserved.
fn config(creator: &Arc<Creator>) -> Config {
    let mut config = Config::new();
    config
        .memory_init_cow(false)
        .memory_may_move(false)
        .memory_reservation(memory::RESERVED)
        .memory_guard_size(memory::GUARD)
        .memory_reservation_for_growth(0)
        .with_host_memory(Arc::clone(creator) as Arc<dyn MemoryCreator>)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_features(WasmFeatures::THREADS | WasmFeatures::SIMD, true)
        .wasm_features(WasmFeatures::MULTI_MEMORY, false);
    config
}

impl Engine for WasmEngine {
    fn name(&self) -> &'static str {
        "wasm"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        self.running.packets.room(room, &mut self.running.store)
    }

    fn frames(&mut self) -> Result<Arc<dyn FrameMemory>, EngineError> {
        self.running.packets.lend()
    }

    fn steering(&self) -> Option<&[u8]> {
        self.running.contents.steering.as_deref()
    }

    fn adopt(&mut self, frames: Arc<dyn FrameMemory>) -> Result<(), EngineError> {
        self.running.packets.adopt(frames)
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        for (index, packet) in packets.iter().enumerate() {
            self.running.packets.hand_over(index, *packet)?;
        }
        let begin = Instant::now();
        let decided = self.running.decide(packets.len());
        self.spent += begin.elapsed();
        let taken = self.running.packets.take_all_back(packets);
        decided.and(taken)
    }

    fn inside(&self) -> Option<Duration> {
        Some(self.spent)
    }

    fn image(&self) -> &dyn Image {
        &self.running.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.running.image
    }

    fn another(&mut self) -> Result<Box<dyn Engine + Send>, EngineError> {
        let first = &mut self.running;
        let memory = first.lend().map_err(|error| batch::no_memory(&error))?;
        let code = (first.module.clone(), Arc::clone(&first.creator));
        let running = Running::over(memory, code, first.contents.clone())
            .map_err(|error| no_instance(&error))?;
        Ok(Box::new(WasmEngine {
            running,
            spent: Duration::ZERO,
        }))
    }

    /// A new instance over the same memory: the module was compiled when this was loaded.
    fn over(&self, before: &dyn Engine) -> Result<Option<Box<dyn Engine + Send>>, EngineError> {
        let Some(before) = (before as &dyn Any).downcast_ref::<WasmEngine>() else {
            return Ok(None);
        };
        let (old, new) = (&before.running, &self.running);
        if new.contents.layout != old.contents.layout || !image::is_stamped(&old.image) {
            return Ok(None);
        }
        let code = (new.module.clone(), Arc::clone(&new.creator));
        let memory = Arc::clone(&old.packets.memory);
        let mut running = Running::over(memory, code, new.contents.clone())
            .map_err(|error| no_instance(&error))?;
        // As it was, with what it has in common with others.
        running.image = old.image.clone();
        running.packets.lent.clone_from(&old.packets.lent);
        let spent = before.spent;
        Ok(Some(Box::new(WasmEngine { running, spent })))
    }
}

fn no_instance(error: &LoadError) -> EngineError {
    EngineError::Attach {
        what: error.to_string(),
        remedy: None,
    }
}

#[cfg(test)]
mod tests;
