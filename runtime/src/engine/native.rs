//! The native engine: machine code in memory of ours, called for each batch.
//!
//! The object is all that is needed: layout and manifest travel in it. Its ABI is told in [`lvsc_abi::native`]. The code
//! makes no check of its own: who loads an object trusts the one who made it, as with every program.

mod code;
mod object;

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{BATCH, Engine, EngineError, FRAMES, FrameMemory, Packet, Room};
use lvsc_abi::image::{self, Image};
use lvsc_abi::layout::{Layout, PAGE};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::verdict::Descriptor;

use self::code::Code;
use self::object::Object;
pub use self::object::ObjectError;
use super::batch::{self, Batch};
use super::memory::{MappedImage, Mapping, Shape};

/// Reserved around image and frames (bytes): further than any access with one wrong base or index that a frame could hold.
const GUARD: u64 = 1 << 20;

/// Why an object cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is damaged, of another processor or version, or none of ours.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The memory could not be had.
    #[error("no memory for the datapath: {0}")]
    Memory(io::Error),
}

/// What the object's feeder must know. Nothing is run for it.
pub fn read(bytes: &[u8]) -> Result<Manifest, ObjectError> {
    Object::read(bytes).map(|object| object.manifest)
}

/// An object that runs.
pub struct NativeEngine {
    code: Arc<Code>,
    manifest: Manifest,
    steering: Option<Arc<[u8]>>,
    state: Arc<Mapping>,
    image: MappedImage,
    packets: Batch,
    /// The number that the code has of its worker.
    worker: u32,
    spent: Duration,
}

impl NativeEngine {
    /// Loads an object; its image is stamped and empty.
    pub fn load(bytes: &[u8]) -> Result<NativeEngine, LoadError> {
        let object = Object::read(bytes)?;
        let code = Code::new(object.code).map_err(LoadError::Memory)?;
        let code = Arc::new(code);
        let mut engine = NativeEngine::over(code, object.manifest, object.layout);
        if let Ok(engine) = &mut engine {
            engine.steering = object.steering.map(Arc::from);
            image::clear(&mut engine.image);
        }
        engine.map_err(LoadError::Memory)
    }

    /// The first worker of this code, over memory that is zero.
    fn over(code: Arc<Code>, manifest: Manifest, layout: Layout) -> io::Result<NativeEngine> {
        let guarded = |real: u64| {
            Mapping::new(Shape {
                before: GUARD,
                real: real.next_multiple_of(PAGE),
                behind: GUARD,
            })
        };
        let state = guarded(layout.size())?;
        let descriptors = BATCH as u64 * u64::from(Descriptor::SIZE);
        let frames = descriptors.next_multiple_of(PAGE);
        let memory = guarded(frames + u64::from(FRAMES))?;
        Ok(NativeEngine {
            code,
            manifest,
            steering: None,
            image: MappedImage::new(&state, 0, layout),
            state,
            packets: Batch {
                memory,
                descriptors: 0,
                frames: frames as u32,
                lent: None,
            },
            worker: 0,
            spent: Duration::ZERO,
        })
    }

    /// What the feeder must know.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl Engine for NativeEngine {
    fn name(&self) -> &'static str {
        "native"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        // The code runs only on the state.
        self.packets.room(room, &mut self.state)
    }

    fn frames(&mut self) -> Result<Arc<dyn FrameMemory>, EngineError> {
        self.packets.lend()
    }

    fn steering(&self) -> Option<&[u8]> {
        self.steering.as_deref()
    }

    fn adopt(&mut self, frames: Arc<dyn FrameMemory>) -> Result<(), EngineError> {
        self.packets.adopt(frames)
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        for (index, packet) in packets.iter().enumerate() {
            self.packets.hand_over(index, *packet)?;
        }
        let begin = Instant::now();
        self.code
            .decide(&self.state, &self.packets, packets.len(), self.worker);
        self.spent += begin.elapsed();
        self.packets.take_all_back(packets)
    }

    fn inside(&self) -> Option<Duration> {
        Some(self.spent)
    }

    fn image(&self) -> &dyn Image {
        &self.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.image
    }

    fn another(&mut self) -> Result<Box<dyn Engine + Send>, EngineError> {
        let (code, manifest) = (Arc::clone(&self.code), self.manifest.clone());
        let made = NativeEngine::over(code, manifest, self.image.layout().clone());
        let made = made.and_then(|mut next| {
            next.worker = self.image.lend(&next.state)?;
            Ok(next)
        });
        match made {
            Ok(next) => Ok(Box::new(next)),
            Err(error) => Err(batch::no_memory(&error)),
        }
    }

    fn over(&self, before: &dyn Engine) -> Result<Option<Box<dyn Engine + Send>>, EngineError> {
        let Some(old) = (before as &dyn Any).downcast_ref::<NativeEngine>() else {
            return Ok(None);
        };
        if old.image.layout() != self.image.layout() || !image::is_stamped(&old.image) {
            return Ok(None);
        }
        Ok(Some(Box::new(NativeEngine {
            code: Arc::clone(&self.code),
            manifest: self.manifest.clone(),
            steering: self.steering.clone(),
            state: Arc::clone(&old.state),
            image: old.image.clone(),
            packets: old.packets.clone(),
            worker: old.worker,
            spent: old.spent,
        })))
    }
}

#[cfg(test)]
mod tests;
