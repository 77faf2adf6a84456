//! A program in the kernel with the maps that it works on, on no device yet.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Element, interface};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::{DEVICES, Part, QUEUES, SOCKETS};

use super::image::KernelImage;
use super::object::{Address, Object, ObjectError};
use super::refusal::{self, Machine, Step};
use super::{LoadError, verifier};
use crate::sys::bpf::{self, Mapped};

/// An instruction's source register says what kind of address it takes (linux/bpf.h): a map, or a map's first value.
pub(super) const PSEUDO_MAP: u64 = 1;
pub(super) const PSEUDO_VALUE: u64 = 2;

/// A program in the kernel.
pub(super) struct Loaded {
    pub(super) program: OwnedFd,
    pub(super) maps: Maps,
    pub(super) image: KernelImage,
    /// What it was made of, as bytes and as they were read.
    pub(super) bytes: Vec<u8>,
    pub(super) object: Object,
}

/// The maps that a program works on.
pub(super) struct Maps {
    pub(super) data: OwnedFd,
    pub(super) state: OwnedFd,
    /// By the number of the interface, where there are several.
    pub(super) devices: Option<OwnedFd>,
    /// By the number of the queue, where packets are handed to sockets.
    pub(super) sockets: Option<OwnedFd>,
}

pub(super) fn refused(step: Step) -> impl FnOnce(io::Error) -> LoadError {
    move |error| LoadError::Kernel(refusal::load(step, &error, &Machine::here()))
}

impl Maps {
    /// New ones: the image is all zeros.
    fn make(object: &Object, types: &OwnedFd) -> Result<Maps, LoadError> {
        let map = |name, size: u64| {
            let made = bpf::create(bpf::Map {
                kind: bpf::ARRAY,
                name,
                value: size as u32,
                entries: 1,
                flags: bpf::MAPPABLE,
                types: verifier::section(&object.types, name).map(|id| (types.as_raw_fd(), id)),
            });
            made.map_err(refused(Step::Maps))
        };
        let [data, state] = object.sizes();
        let interfaces = object.manifest.interfaces.len() as u32;
        let by_number = |kind, name, entries| {
            let made = bpf::create(bpf::Map {
                kind,
                name,
                value: 4,
                entries,
                flags: 0,
                types: None,
            });
            made.map_err(refused(Step::Maps))
        };
        let devices = (interfaces > 1).then(|| by_number(bpf::DEVMAP, DEVICES, interfaces));
        let mut addresses = object.addresses.iter();
        let steers = addresses.any(|(_, address)| *address == Address::Sockets);
        let sockets = steers.then(|| by_number(bpf::XSKMAP, SOCKETS, QUEUES));
        Ok(Maps {
            data: map(".data", data)?,
            state: map(".bss", state)?,
            devices: devices.transpose()?,
            sockets: sockets.transpose()?,
        })
    }

    /// Whether they have the shapes that an object asks for.
    pub(super) fn are_of(&self, object: &Object) -> io::Result<bool> {
        for (map, size) in [&self.data, &self.state].into_iter().zip(object.sizes()) {
            let found = bpf::map_info(map)?;
            let same = (found.kind, found.value, found.entries) == (bpf::ARRAY, size as u32, 1);
            if !same || found.flags & bpf::MAPPABLE == 0 {
                return Ok(false);
            }
        }
        let Some(devices) = &self.devices else {
            return Ok(true);
        };
        let found = bpf::map_info(devices)?;
        let interfaces = object.manifest.interfaces.len() as u32;
        Ok((found.kind, found.value, found.entries) == (bpf::DEVMAP, 4, interfaces))
    }

    /// The same maps once more.
    fn again(&self) -> io::Result<Maps> {
        let again = |map: &Option<OwnedFd>| map.as_ref().map(OwnedFd::try_clone).transpose();
        Ok(Maps {
            data: self.data.try_clone()?,
            state: self.state.try_clone()?,
            devices: again(&self.devices)?,
            sockets: again(&self.sockets)?,
        })
    }

    /// Maps the image.
    pub(super) fn image(&self, object: &Object) -> Result<KernelImage, LoadError> {
        let [data, state] = object.sizes();
        let map = |map, size: u64| Mapped::of(map, size as usize).map_err(refused(Step::Mapping));
        Ok(KernelImage::new(
            object.layout.clone(),
            object.placement.clone(),
            map(&self.data, data)?,
            map(&self.state, state)?,
        ))
    }

    /// The code with the addresses of these maps.
    fn code(&self, object: &Object) -> Result<Vec<u64>, ObjectError> {
        let mut code = object.code.clone();
        for (index, address) in &object.addresses {
            let (map, source, offset) = match address {
                Address::Data(Part::Data, offset) => (Some(&self.data), PSEUDO_VALUE, *offset),
                Address::Data(Part::Bss, offset) => (Some(&self.state), PSEUDO_VALUE, *offset),
                Address::Devices => (self.devices.as_ref(), PSEUDO_MAP, 0),
                Address::Sockets => (self.sockets.as_ref(), PSEUDO_MAP, 0),
            };
            let missing = ObjectError::Code {
                what: "it redirects to devices, and has no more than one",
            };
            let map = u64::from(map.ok_or(missing)?.as_raw_fd().unsigned_abs());
            if let Some([first, second]) = code.get_mut(*index..index + 2) {
                let behind = *first >> 32;
                *first = *first & 0x0fff | source << 12 | map << 32;
                *second = (u64::from(offset) + behind) << 32;
            }
        }
        Ok(code)
    }
}

impl Loaded {
    /// Loads an object. Its image is what the object says: stamped, rings empty unless given.
    pub(super) fn load(bytes: &[u8]) -> Result<Loaded, LoadError> {
        let object = Object::read(bytes)?;
        let types = types(&object)?;
        let maps = Maps::make(&object, &types)?;
        let image = maps.image(&object)?;
        image.fill(&object.data);
        Loaded::of(bytes, object, &types, maps, image)
    }

    /// The same object over the maps of another one, whose image has the same layout and means the same.
    pub(super) fn over(&self, maps: &Maps) -> Result<Loaded, LoadError> {
        let maps = maps.again().map_err(refused(Step::Maps))?;
        let image = maps.image(&self.object)?;
        let types = types(&self.object)?;
        Loaded::of(&self.bytes, self.object.clone(), &types, maps, image)
    }

    fn of(
        bytes: &[u8],
        object: Object,
        types: &OwnedFd,
        maps: Maps,
        image: KernelImage,
    ) -> Result<Loaded, LoadError> {
        let code = maps.code(&object)?;
        Ok(Loaded {
            program: verifier::load(&object, &code, types)?,
            maps,
            image,
            bytes: bytes.to_vec(),
            object,
        })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.object.manifest
    }

    /// Where the kernel's index of each interface stands in the image, and which it is.
    pub(super) fn indices(&self) -> Vec<(u64, u64)> {
        let mut sections = self.image.layout().sections();
        let found = sections.find(|(_, section)| section.element == Element::Interface);
        let each = found.into_iter().flat_map(|(_, section)| {
            (0..u64::from(section.length)).map(|index| section.at(index, interface::INDEX))
        });
        each.map(|at| (at, self.image.load(at, Width::B4)))
            .collect()
    }

    /// Has frames go out by the devices that the image names.
    pub(super) fn name_devices(&self) -> Result<(), LoadError> {
        let Some(map) = &self.maps.devices else {
            return Ok(());
        };
        let count = self.manifest().interfaces.len();
        for (interface, (_, device)) in (0..).zip(self.indices().into_iter().take(count)) {
            if device != 0 {
                bpf::update(map, interface, device as u32).map_err(refused(Step::Devices))?;
            }
        }
        Ok(())
    }
}

fn types(object: &Object) -> Result<OwnedFd, LoadError> {
    bpf::load_types(&object.types).map_err(refused(Step::Types))
}
