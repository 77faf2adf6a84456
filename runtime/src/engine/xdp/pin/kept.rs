//! The folder of one program: the program, its maps, and the object that it was loaded from.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use lvsc_abi::image::is_stamped;

use super::{PinError, system};
use crate::engine::xdp::loaded::{Loaded, Maps};
use crate::engine::xdp::object::{Object, ObjectError};
use crate::sys::bpf;

/// Puts a program and its maps into a folder of their own.
pub(super) fn keep(folder: &Path, loaded: &Loaded) -> Result<(), PinError> {
    fs::create_dir(folder).map_err(system(folder))?;
    let put = |fd: &OwnedFd, name: &str| {
        let path = folder.join(name);
        bpf::pin(fd, &path).map_err(system(&path))
    };
    put(&loaded.program, "program")?;
    put(&loaded.maps.data, "data")?;
    put(&loaded.maps.state, "state")?;
    if let Some(devices) = &loaded.maps.devices {
        put(devices, "devices")?;
    }
    let object = bpf::create(bpf::Map {
        kind: bpf::ARRAY,
        name: "object",
        value: loaded.bytes.len() as u32,
        entries: 1,
        flags: 0,
        types: None,
    });
    let object = object.map_err(system(folder))?;
    bpf::fill(&object, &loaded.bytes).map_err(system(folder))?;
    put(&object, "object") // the last: with it the folder is whole
}

/// Nothing depends on it. The object goes first: without it nobody takes the rest for whole.
pub(super) fn forget(folder: &Path) {
    let _ = fs::remove_file(folder.join("object"));
    let _ = fs::remove_dir_all(folder);
}

/// Takes up a program that lies in a folder, with its maps as they are.
pub(super) fn adopt(folder: &Path) -> Result<Loaded, PinError> {
    let foreign = |why: &str| PinError::Foreign {
        path: folder.to_owned(),
        why: why.to_owned(),
    };
    let get = |name: &str| bpf::get(&folder.join(name)).map_err(system(&folder.join(name)));
    let bytes = bpf::lookup(&get("object")?).map_err(|error| foreign(&error.to_string()))?;
    let object = Object::read(&bytes).map_err(|error: ObjectError| foreign(&error.to_string()))?;
    let several = object.manifest.interfaces.len() > 1;
    let maps = Maps {
        sockets: None,
        data: get("data")?,
        state: get("state")?,
        devices: several.then(|| get("devices")).transpose()?,
    };
    if !maps.are_of(&object).map_err(system(folder))? {
        return Err(foreign("the maps are not those of its object"));
    }
    let image = maps.image(&object);
    let image = image.map_err(|error| foreign(&error.to_string()))?;
    if !is_stamped(&image) {
        return Err(foreign("the image is not of its object's layout"));
    }
    Ok(Loaded {
        program: get("program")?,
        maps,
        image,
        bytes,
        object,
    })
}
