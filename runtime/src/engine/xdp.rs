//! The XDP engine: an object of ours, loaded into the kernel.
//!
//! The object is all that is needed: layout and manifest travel in its sections, and its own symbols tell where the image
//! lies. Maps and program are made here and not by a loader library, because the image must be mapped: the control plane
//! writes it by plain stores.

#![expect(unsafe_code, reason = "the image is mapped and the kernel writes it")]

mod attach;
pub mod foreign;
mod image;
pub mod live;
mod loaded;
mod object;
pub mod pin;
pub mod refusal;
pub mod replay;
pub mod steer;
mod tenant;
mod verifier;

use std::any::Any;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::Duration;

use lvsc_abi::engine::{Device, Engine, EngineError, FRAMES, Packet, Placed, Placing, Room};
use lvsc_abi::image::{Image, Width, is_stamped};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::verdict::Verdict;

use self::attach::{Attached, besides, failed};
use self::loaded::Loaded;
pub use self::object::ObjectError;
use self::pin::{Found, Name, PinError, Pins};
use self::refusal::{Machine, Refusal, Step};
use super::carry;
use crate::sys::{self, bpf};

/// The shortest and the longest frame that the kernel runs a program over on request (bytes): an Ethernet header; a page
/// without the room in front and the one for what goes with a frame (`net/bpf/test_run.c`).
const LENGTHS: std::ops::RangeInclusive<u16> = 14..=3520;
/// The loopback device: frames of a run on request come by it.
const LOOPBACK: u64 = 1;
/// Why an object does not run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not one of ours.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The kernel does not let us, or cannot.
    #[error(transparent)]
    Kernel(Refusal),
    /// What is kept under the name cannot be had.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The verifier does not take the program: a bug of the compiler, unless the program is too large.
    #[error("the kernel's verifier refuses the program: {message}")]
    Refused {
        /// The line of the policy, and what the verifier says.
        message: String,
        /// Whether there is nothing wrong with it but that it has too many ways for the verifier to follow.
        too_large: bool,
        /// All that it says.
        log: String,
    },
}

/// Whether this process may load XDP programs here, and why not: asked once, by loading one that passes every packet.
pub fn probe() -> Result<(), Refusal> {
    static ANSWER: OnceLock<Result<(), Refusal>> = OnceLock::new();
    let ask = || match pass() {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal::load(Step::Probe, &error, &Machine::here())),
    };
    ANSWER.get_or_init(ask).clone()
}

/// Whether this process may load XDP programs here.
pub fn allowed() -> bool {
    probe().is_ok()
}

/// What an object says of itself, all of it read as for loading: nothing is asked of the kernel.
pub fn read(bytes: &[u8]) -> Result<Manifest, ObjectError> {
    Ok(object::Object::read(bytes)?.manifest)
}

/// A program that lets every packet go to the kernel.
pub(crate) fn pass() -> io::Result<OwnedFd> {
    /// `XDP_PASS`
    const PASS: u32 = 2;
    always("pass", PASS)
}

/// A program that returns the same for every packet.
fn always(name: &str, action: u32) -> io::Result<OwnedFd> {
    // `w0 = action; exit`
    plain(name, &[u64::from(action) << 32 | 0xb4, 0x95])
}

/// A program that is nothing but instructions.
fn plain(name: &str, code: &[u64]) -> io::Result<OwnedFd> {
    let program = bpf::Program {
        name,
        code,
        license: c"GPL",
        types: None,
        functions: &[],
        lines: &[],
    };
    bpf::load(program, &mut [])
}

/// A program that the kernel runs over frames that are handed to it (`BPF_PROG_TEST_RUN`): the program as it is attached,
/// without a device.
pub struct XdpEngine {
    loaded: Loaded,
    frames: Vec<u8>,
    out: Vec<u8>,
    spent: Duration,
    attached: Attached,
    pins: Option<Pins>,
}

/// An engine that stays under a name, and what was there before.
pub struct Succession {
    /// The engine.
    pub engine: XdpEngine,
    /// What was kept under the name.
    pub before: Before,
}

/// What was kept under a name.
pub enum Before {
    /// Nothing.
    Nothing,
    /// The same object: this is the engine, as it was.
    Same,
    /// Another object, whose program is on devices now.
    Other(Box<XdpEngine>),
}

impl XdpEngine {
    /// Loads an object.
    pub fn load(bytes: &[u8]) -> Result<XdpEngine, LoadError> {
        let loaded = Loaded::load(bytes)?;
        // Nothing is redirected in a run on request, but the map must know the device.
        if let Some(devices) = &loaded.maps.devices {
            for interface in 0..loaded.manifest().interfaces.len() as u32 {
                let named = bpf::update(devices, interface, LOOPBACK as u32);
                named.map_err(loaded::refused(Step::Devices))?;
            }
        }
        Ok(XdpEngine::of(loaded, Attached::default(), None))
    }

    /// Loads an object whose program stays on its devices under a name when this process ends. One of the same object that
    /// is kept there is taken up as it is.
    pub fn pinned(bytes: &[u8], name: &Name) -> Result<Succession, LoadError> {
        let pins = Pins::open(name)?;
        let Some(Found { loaded, links }) = pins.found()? else {
            let mut engine = XdpEngine::load_to_keep(bytes)?;
            engine.pins = Some(pins);
            let before = Before::Nothing;
            return Ok(Succession { engine, before });
        };
        let same = loaded.bytes == bytes;
        let kept = XdpEngine::of(loaded, Attached::adopted(links), Some(pins));
        Ok(if same {
            Succession {
                engine: kept,
                before: Before::Same,
            }
        } else {
            Succession {
                engine: XdpEngine::load_to_keep(bytes)?,
                before: Before::Other(Box::new(kept)),
            }
        })
    }

    /// Loads an object that is taken up again by the header of its image.
    fn load_to_keep(bytes: &[u8]) -> Result<XdpEngine, LoadError> {
        let engine = XdpEngine::load(bytes)?;
        if !is_stamped(&engine.loaded.image) {
            return Err(ObjectError::Image.into());
        }
        Ok(engine)
    }

    fn of(loaded: Loaded, attached: Attached, pins: Option<Pins>) -> XdpEngine {
        XdpEngine {
            loaded,
            frames: vec![0; FRAMES as usize],
            out: vec![0; usize::from(*LENGTHS.end())],
            spent: Duration::ZERO,
            attached,
            pins,
        }
    }

    /// The program in the kernel, once more.
    pub fn program(&self) -> io::Result<OwnedFd> {
        self.loaded.program.try_clone()
    }

    /// What the feeder must know.
    pub fn manifest(&self) -> &Manifest {
        self.loaded.manifest()
    }

    /// Has the program on the devices that are reserved, and kept where it is to stay.
    fn cover(&mut self) -> Result<(), EngineError> {
        self.loaded.name_devices()?;
        let pins = self.pins.as_ref();
        let is_new = pins.map_or(Ok(false), |pins| pins.keep(&self.loaded))?;
        let covered = self.attached.cover(&self.loaded.program, pins);
        if let (Err(_), true, Some(pins)) = (&covered, is_new, pins) {
            pins.forget(&self.loaded);
        }
        covered
    }

    /// Has the devices go on with `next`, whose program is kept from now on where this one's was.
    fn hand_over(&self, next: &Loaded) -> Result<(), EngineError> {
        if let Some(pins) = &self.pins {
            pins.keep(next)?;
        }
        // While it is switched off, another program is on the devices, and stays there.
        let done = if self.attached.is_aside() {
            Ok(())
        } else {
            self.attached.exchange(&next.program, &self.loaded.program)
        };
        if let Some(pins) = &self.pins {
            pins.forget(if done.is_ok() { &self.loaded } else { next });
        }
        done.map_err(|error| failed("the program on the devices cannot be exchanged", &error))
    }

    fn run(&mut self, index: usize, packet: &mut Packet, cpu: usize) -> Result<(), EngineError> {
        let room = packet.room.range().unwrap_or_default();
        let room = self.frames.get_mut(room).unwrap_or_default();
        let (Some(frame), true) = (
            room.get_mut(packet.range()),
            LENGTHS.contains(&packet.length),
        ) else {
            packet.verdict = Verdict::Drop;
            return Err(EngineError::Length {
                packet: index,
                least: *LENGTHS.start(),
                most: *LENGTHS.end(),
            });
        };
        let ran = bpf::test_run(&self.loaded.program, frame, &mut self.out, 1);
        let trap = |what: String| EngineError::Trap {
            packet: index,
            what,
            place: None,
        };
        packet.verdict = Verdict::Drop;
        let ran = ran.map_err(|error| trap(error.to_string()))?;
        self.spent += Duration::from_nanos(u64::from(ran.nanoseconds));
        packet.verdict = match ran.verdict {
            1 => Verdict::Drop,
            2 => Verdict::Pass,
            3 => Verdict::Send,
            4 => {
                packet.interface = self.loaded.image.egress(cpu as u32) as u8;
                Verdict::Send
            }
            other => return Err(trap(format!("the program returned {other}"))),
        };
        let made = self.out.get(..ran.length as usize).unwrap_or_default();
        if made.len() != frame.len() {
            return Err(trap("the frame's length has changed".to_owned()));
        }
        frame.copy_from_slice(made);
        Ok(())
    }
}

impl Engine for XdpEngine {
    fn name(&self) -> &'static str {
        "xdp"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        let range = room.range().unwrap_or_default();
        self.frames.get_mut(range).unwrap_or_default()
    }

    /// Frames come by the loopback device, so it lends its index to the interface by which a packet comes.
    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        if packets.is_empty() {
            return Ok(());
        }
        let indices = self.loaded.indices();
        let mut first = Ok(());
        // The first CPU, so that whoever compares images finds what is counted for each CPU in one place.
        let on_one = sys::on_cpu(0);
        for (index, packet) in packets.iter_mut().enumerate() {
            if packet.range().end > packet.room.size as usize {
                first = first.and(Err(EngineError::Room { packet: index }));
                continue;
            }
            if indices.len() > 1 {
                for (interface, (at, _)) in indices.iter().enumerate() {
                    let here = interface == usize::from(packet.interface);
                    let number = if here { LOOPBACK } else { 0 };
                    self.loaded.image.store(*at, Width::B4, number);
                }
            }
            let ran = self.run(index, packet, on_one.cpu);
            first = first.and(ran);
        }
        drop(on_one);
        if indices.len() > 1 {
            for (at, number) in indices {
                self.loaded.image.store(at, Width::B4, number);
            }
        }
        first
    }

    fn reserve(
        &mut self,
        devices: &[Device],
        placing: Placing,
    ) -> Result<Option<Vec<Placed>>, EngineError> {
        let name = self.pins.as_ref().map(Pins::name);
        self.attached.reserve(devices, placing, name).map(Some)
    }

    fn attach(&mut self) -> Result<(), EngineError> {
        let attached = self.cover();
        attached.map_err(|error| besides(error, &self.attached.give_back()))
    }

    /// One that stays on its devices after a crash is not switched off: nobody would switch it on again.
    fn switch(&mut self, on: bool) -> Result<(), EngineError> {
        if let (false, Some(pins)) = (on, &self.pins) {
            return Err(EngineError::Attach {
                what: format!("what is kept as `{}` is not switched off", pins.name()),
                remedy: None,
            });
        }
        self.attached.switch(on, &self.loaded.program)
    }

    fn lengths(&self) -> std::ops::RangeInclusive<u16> {
        LENGTHS
    }

    fn inside(&self) -> Option<Duration> {
        Some(self.spent)
    }

    fn image(&self) -> &dyn Image {
        &self.loaded.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.loaded.image
    }

    /// This program over the same maps, where both mean the same by what lies there: nothing is copied, no count is lost.
    fn over(&self, before: &dyn Engine) -> Result<Option<Box<dyn Engine + Send>>, EngineError> {
        let Some(old) = (before as &dyn Any).downcast_ref::<XdpEngine>() else {
            return Ok(None);
        };
        let image = &old.loaded.image;
        let same = self.loaded.image.layout() == image.layout()
            && is_stamped(image)
            && carry::agree(old.manifest(), self.manifest());
        if !same {
            return Ok(None);
        }
        let loaded = self.loaded.over(&old.loaded.maps)?;
        let mut engine = XdpEngine::of(loaded, Attached::default(), None);
        engine.spent = old.spent;
        Ok(Some(Box::new(engine)))
    }

    fn succeed(&mut self, before: &mut dyn Engine) -> Result<(), EngineError> {
        let Some(before) = (before as &mut dyn Any).downcast_mut::<XdpEngine>() else {
            return Ok(());
        };
        self.loaded.name_devices()?;
        let done = before.hand_over(&self.loaded);
        done.map_err(|error| besides(error, &before.attached.give_back()))?;
        self.attached = std::mem::take(&mut before.attached);
        self.pins = before.pins.take();
        Ok(())
    }
}

impl From<LoadError> for EngineError {
    fn from(error: LoadError) -> EngineError {
        match error {
            LoadError::Kernel(refusal) => refusal.into(),
            LoadError::Pin(error) => error.into(),
            other @ (LoadError::Object(_) | LoadError::Refused { .. }) => EngineError::Attach {
                what: other.to_string(),
                remedy: None,
            },
        }
    }
}
