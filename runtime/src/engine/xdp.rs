//! The XDP engine: an object of ours, loaded into the kernel.
//!
//! The object is all that is needed: layout and manifest travel in its sections, and its own symbols tell where the image
//! lies. Maps and program are made here and not by a loader library, because the image must be mapped: the control plane
//! writes it by plain stores.

#![expect(unsafe_code, reason = "the image is mapped and the kernel writes it")]

mod attach;
mod image;
mod object;
mod verifier;

use std::io::{self, Error};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

use lvsc_abi::engine::{BATCH, Engine, EngineError, Packet, SLOT};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, interface};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::Part;
use lvsc_abi::verdict::Verdict;

use self::attach::Attached;
use self::image::KernelImage;
pub use self::object::ObjectError;
use self::object::{Address, Object};
use crate::sys;
use crate::sys::bpf::{self, Mapped};

/// The shortest and the longest frame that the kernel runs a program over on request (bytes): an Ethernet header; a page
/// without the room in front and the one for what goes with a frame (`net/bpf/test_run.c`).
const LENGTHS: std::ops::RangeInclusive<u16> = 14..=3520;
/// The loopback device: frames of a run on request come by it.
const LOOPBACK: u64 = 1;
/// An instruction's source register says what kind of address it takes (linux/bpf.h): a map, or a map's first value.
const PSEUDO_MAP: u64 = 1;
const PSEUDO_VALUE: u64 = 2;

/// Why an object does not run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not one of ours.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The kernel does not let us, or cannot.
    #[error("{what}: {source}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        source: Error,
    },
    /// The verifier does not take the program: a bug of the compiler.
    #[error("the kernel's verifier refuses the program: {message}")]
    Refused {
        /// The line of the policy, and what the verifier says.
        message: String,
        /// All that it says.
        log: String,
    },
}

/// Whether this process may load XDP programs here: asked once, by loading one that passes every packet.
pub fn allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| pass().is_ok())
}

/// A program that lets every packet go to the kernel.
pub(crate) fn pass() -> io::Result<OwnedFd> {
    /// `w0 = 2; exit`
    const PASS: [u64; 2] = [0x0000_0002_0000_00b4, 0x95];
    let program = bpf::Program {
        name: "pass",
        code: &PASS,
        license: c"GPL",
        types: None,
        functions: &[],
        lines: &[],
    };
    bpf::load(program, &mut [])
}

/// A program in the kernel, attached to nothing.
struct Loaded {
    program: OwnedFd,
    image: KernelImage,
    manifest: Manifest,
    devices: Option<OwnedFd>,
}

impl Loaded {
    /// Loads an object. Its image is what the object says: stamped, rings empty unless given.
    fn load(bytes: &[u8]) -> Result<Loaded, LoadError> {
        let mut object = Object::read(bytes)?;
        let failed = |what| move |source| LoadError::Kernel { what, source };
        let types = bpf::load_types(&object.types).map_err(failed("loading the types"))?;
        let [data_size, state_size] = object.placement.sizes;
        let map = |name, size: u64| {
            let made = bpf::create(bpf::Map {
                kind: bpf::ARRAY,
                name,
                value: size as u32,
                entries: 1,
                flags: bpf::MAPPABLE,
                types: verifier::section(&object.types, name).map(|id| (types.as_raw_fd(), id)),
            });
            made.map_err(failed("making the maps of the image"))
        };
        let (data, state) = (map(".data", data_size)?, map(".bss", state_size)?);
        let mapped = |map: &OwnedFd, size: u64| {
            let mapped = Mapped::of(map, size as usize);
            mapped.map_err(failed("mapping the image"))
        };
        let (data_memory, state_memory) = (mapped(&data, data_size)?, mapped(&state, state_size)?);
        data_memory.fill(&object.data);
        let interfaces = object.manifest.interfaces.len() as u32;
        let devices = (interfaces > 1).then(|| {
            bpf::create(bpf::Map {
                kind: bpf::DEVMAP,
                name: lvsc_abi::object::DEVICES,
                value: 4,
                entries: interfaces,
                flags: 0,
                types: None,
            })
        });
        let devices = devices
            .transpose()
            .map_err(failed("making the map of devices"))?;
        for (index, address) in std::mem::take(&mut object.addresses) {
            let (map, source, offset) = match address {
                Address::Data(Part::Data, offset) => (Some(&data), PSEUDO_VALUE, offset),
                Address::Data(Part::Bss, offset) => (Some(&state), PSEUDO_VALUE, offset),
                Address::Devices => (devices.as_ref(), PSEUDO_MAP, 0),
            };
            let missing = ObjectError::Code {
                what: "it redirects to devices, and has no more than one",
            };
            let map = u64::from(map.ok_or(missing)?.as_raw_fd().unsigned_abs());
            if let Some([first, second]) = object.code.get_mut(index..index + 2) {
                let behind = *first >> 32;
                *first = *first & 0x0fff | source << 12 | map << 32;
                *second = (u64::from(offset) + behind) << 32;
            }
        }
        let program = verifier::load(&object, &types)?;
        Ok(Loaded {
            program,
            image: KernelImage::new(object.layout, object.placement, data_memory, state_memory),
            manifest: object.manifest,
            devices,
        })
    }
}

/// A program that the kernel runs over frames that are handed to it (`BPF_PROG_TEST_RUN`): the program as it is attached,
/// without a device.
pub struct XdpEngine {
    loaded: Loaded,
    slots: Vec<u8>,
    out: Vec<u8>,
    spent: Duration,
    attached: Option<Attached>,
}

impl XdpEngine {
    /// Loads an object.
    pub fn load(bytes: &[u8]) -> Result<XdpEngine, LoadError> {
        let loaded = Loaded::load(bytes)?;
        // Nothing is redirected in a run on request, but the map must know the device.
        if let Some(devices) = &loaded.devices {
            for interface in 0..loaded.manifest.interfaces.len() as u32 {
                bpf::update(devices, interface, LOOPBACK as u32).map_err(|source| {
                    let what = "filling the map of devices";
                    LoadError::Kernel { what, source }
                })?;
            }
        }
        Ok(XdpEngine {
            loaded,
            slots: vec![0; BATCH * SLOT as usize],
            out: vec![0; usize::from(*LENGTHS.end())],
            spent: Duration::ZERO,
            attached: None,
        })
    }

    fn run(&mut self, index: usize, packet: &mut Packet) -> Result<(), EngineError> {
        let begin = index * SLOT as usize;
        let range = begin + packet.range().start..begin + packet.range().end;
        let (Some(frame), true) = (self.slots.get_mut(range), LENGTHS.contains(&packet.length))
        else {
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
                packet.interface = self.loaded.image.egress(0) as u8;
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

    /// The kernel's index of each interface.
    fn indices(&self) -> Vec<(u64, u64)> {
        let image = &self.loaded.image;
        let mut sections = image.layout().sections();
        let found = sections.find(|(_, section)| section.element == Element::Interface);
        let each = found.into_iter().flat_map(|(_, section)| {
            (0..u64::from(section.length)).map(|index| section.at(index, interface::INDEX))
        });
        each.map(|at| (at, image.load(at, Width::B4))).collect()
    }
}

impl Engine for XdpEngine {
    fn name(&self) -> &'static str {
        "xdp"
    }

    fn slot(&mut self, index: usize) -> &mut [u8] {
        let begin = index * SLOT as usize;
        self.slots
            .get_mut(begin..begin + SLOT as usize)
            .expect("a batch has no more packets than slots")
    }

    /// Frames come by the loopback device, so it lends its index to the interface by which a packet comes.
    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        if packets.is_empty() {
            return Ok(());
        }
        let indices = self.indices();
        let mut first = Ok(());
        let on_one = sys::on_cpu(0);
        for (index, packet) in packets.iter_mut().enumerate() {
            if packet.range().end > SLOT as usize {
                first = first.and(Err(EngineError::Slot { packet: index }));
                continue;
            }
            if indices.len() > 1 {
                for (interface, (at, _)) in indices.iter().enumerate() {
                    let here = interface == usize::from(packet.interface);
                    let number = if here { LOOPBACK } else { 0 };
                    self.loaded.image.store(*at, Width::B4, number);
                }
            }
            let ran = self.run(index, packet);
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

    fn attach(&mut self, devices: &[u32]) -> Result<bool, EngineError> {
        if let Some(map) = &self.loaded.devices {
            for (interface, device) in (0..).zip(devices) {
                bpf::update(map, interface, *device).map_err(|error| attach::refused(&error))?;
            }
        }
        self.attached = Some(Attached::to(devices, &self.loaded.program)?);
        Ok(true)
    }

    fn switch(&mut self, on: bool) -> Result<(), EngineError> {
        match &mut self.attached {
            Some(attached) => attached.switch(on, &self.loaded.program),
            None => Ok(()),
        }
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
}
