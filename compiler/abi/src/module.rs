//! The ABI of a WebAssembly datapath: its memory map, and the custom sections that travel inside the module.
//!
//! The module exports `memory`, `batch(from: i32, to: i32)` and `version() -> i32` (the [`ABI_VERSION`]); it imports
//! nothing, has no data and no start function, so a memory that is not zero does no harm. The host writes
//! [`Descriptor`]s with verdict [`PENDING`](crate::verdict::PENDING) and calls `batch`, which decides the descriptors
//! from `from` up to, not including, `to`, at most [`BATCH`]. After a trap every descriptor that is not pending any
//! more is decided and its effects are done. The packet that trapped is not certain from that alone: call `batch` for
//! each of the pending ones by itself.

use serde::{Deserialize, Serialize};

use crate::engine::{BATCH, FRAMES};
use crate::layout::{ABI_VERSION, Layout};
use crate::manifest::{Manifest, ManifestError};
use crate::place::Place;
use crate::steering::{self, STEERING};
use crate::verdict::Descriptor;

/// Name of the section with the [`Layout`], JSON.
pub const LAYOUT: &str = "lvsc.layout";
/// Name of the section with the [`Manifest`], JSON.
pub const MANIFEST: &str = "lvsc.manifest";
/// Name of the section with the [`Map`], JSON.
pub const MEMORY: &str = "lvsc.memory";
/// Name of the section with the places, JSON: `[[offset, file, line, column], ...]`.
pub const PLACES: &str = "lvsc.places";

/// Size of a page of WebAssembly's memory (bytes).
pub const PAGE: u64 = 65_536;
/// The most pages of a 32-bit memory: 4 GiB.
pub const PAGES_MAX: u64 = 65_536;
/// Bytes that the code may keep for a packet between two loops over a batch.
pub const SAVED: u32 = 128;

/// Bytes that the code keeps of a batch: where it ends.
pub const END: u32 = 4;

/// A range of the module's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// First byte, from the memory's begin.
    pub offset: u32,
    /// Number of bytes.
    pub size: u32,
}

/// What lies where in the module's memory. The first page is unused: no address is 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// [`ABI_VERSION`].
    pub version: u32,
    /// The worker's number, u32; 0 unless the host writes it.
    pub worker: Region,
    /// [`BATCH`] descriptors of [`Descriptor::SIZE`] bytes.
    pub descriptors: Region,
    /// Kept by the code: [`SAVED`] bytes a packet between two loops, then [`END`] bytes. Nobody else's.
    pub saved: Region,
    /// The state image; begins at a page.
    pub image: Region,
    /// Memory for frames, as much as [`BATCH`] slots of [`SLOT`](crate::engine::SLOT) bytes; begins at a page.
    pub slots: Region,
    /// Size of the memory, least and most (pages of 64 KiB).
    pub pages: u32,
}

/// An image that leaves no room in a 32-bit memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the datapath needs {needed} bytes of memory, a module has at most {}", PAGES_MAX * PAGE)]
pub struct TooLarge {
    /// Size of the memory that would be needed (bytes).
    pub needed: u64,
}

impl Map {
    /// The map of a module with this image.
    pub fn of(layout: &Layout) -> Result<Map, TooLarge> {
        let worker = PAGE;
        let descriptors = worker + 64;
        let saved = descriptors + BATCH as u64 * u64::from(Descriptor::SIZE);
        let saved_size = BATCH as u64 * u64::from(SAVED) + u64::from(END);
        let image = (saved + saved_size).next_multiple_of(PAGE);
        let slots = (image + layout.size()).next_multiple_of(PAGE);
        let slots_size = u64::from(FRAMES);
        let pages = (slots + slots_size).div_ceil(PAGE);
        if pages > PAGES_MAX {
            return Err(TooLarge {
                needed: pages * PAGE,
            });
        }
        let region = |offset: u64, size: u64| Region {
            offset: offset as u32,
            size: size as u32,
        };
        Ok(Map {
            version: ABI_VERSION,
            worker: region(worker, 4),
            descriptors: region(descriptors, saved - descriptors),
            saved: region(saved, saved_size),
            image: region(image, layout.size()),
            slots: region(slots, slots_size),
            pages: pages as u32,
        })
    }

    /// Size of the memory (bytes).
    pub fn size(&self) -> u64 {
        u64::from(self.pages) * PAGE
    }
}

/// What the custom sections of a module say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// What lies where in the memory.
    pub map: Map,
    /// What lies where in the image.
    pub layout: Layout,
    /// What the feeder must know.
    pub manifest: Manifest,
    /// Offset in the body of `batch` to the policy's place, by rising offset.
    pub places: Vec<(u32, Place)>,
    /// The object that says which packets are the kernel's: see [`steering`].
    pub steering: Option<Vec<u8>>,
}

/// Why a module cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Not a WebAssembly module of version 1.
    #[error("this is not a WebAssembly module")]
    NoModule,
    /// A section that ends behind the module's end, or a length that is no number.
    #[error("the module is damaged at byte {offset}")]
    Damaged {
        /// Where (bytes from the module's begin).
        offset: usize,
    },
    /// A module that lvsc did not make.
    #[error("the module has no section `{name}`: it was not built by lvsc")]
    Missing {
        /// The section's name.
        name: &'static str,
    },
    /// A module that would write into its memory by being instantiated.
    #[error("the module has a section `{name}`, a datapath has none: it was not built by lvsc")]
    Writes {
        /// The section's name.
        name: &'static str,
    },
    /// A section that cannot be read.
    #[error("the module's section `{name}` is damaged: {source}")]
    Section {
        /// The section's name.
        name: &'static str,
        /// What the decoder says.
        source: serde_json::Error,
    },
    /// A layout, memory map or manifest that no policy of this version of lvsc has.
    #[error("the module's section `{name}` is not sound")]
    Unsound {
        /// The section's name.
        name: &'static str,
    },
    /// Made by another version of lvsc.
    #[error(
        "the module has ABI version {found}, this lvsc has {ABI_VERSION}: build the policy again"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// A manifest that cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Reads the custom sections of a module. What it gives is sound: sections lie inside the image, regions inside the
/// memory, and what the manifest numbers is in the layout.
pub fn read(module: &[u8]) -> Result<Contents, ModuleError> {
    let sections = sections(module)?;
    let find = |name: &'static str| {
        let found = sections.iter().find(|(found, _)| *found == name.as_bytes());
        found
            .map(|(_, data)| *data)
            .ok_or(ModuleError::Missing { name })
    };
    let map: Map = decode(MEMORY, find(MEMORY)?)?;
    if map.version != ABI_VERSION {
        return Err(ModuleError::Version { found: map.version });
    }
    let told = find(LAYOUT)?;
    let layout: Layout = decode(LAYOUT, told)?;
    if !layout.is_sound() {
        return Err(ModuleError::Unsound { name: LAYOUT });
    }
    if Map::of(&layout).as_ref() != Ok(&map) {
        return Err(ModuleError::Unsound { name: MEMORY });
    }
    let manifest = Manifest::decode(find(MANIFEST)?)?;
    if !manifest.fits(&layout) {
        return Err(ModuleError::Unsound { name: MANIFEST });
    }
    let steering = match find(STEERING) {
        Ok(section) => {
            let object = steering::open(section, told, find(MANIFEST)?);
            Some(
                object
                    .ok_or(ModuleError::Unsound { name: STEERING })?
                    .to_vec(),
            )
        }
        Err(_) => None,
    };
    let rows: Vec<(u32, u16, u32, u32)> = decode(PLACES, find(PLACES)?)?;
    let places = rows
        .into_iter()
        .map(|(offset, file, line, column)| (offset, Place { file, line, column }))
        .collect();
    Ok(Contents {
        map,
        layout,
        manifest,
        places,
        steering,
    })
}

/// The custom sections, by name, that [`read`] reads.
pub fn write(contents: &Contents) -> Vec<(&'static str, Vec<u8>)> {
    let rows: Vec<(u32, u16, u32, u32)> = (contents.places.iter())
        .map(|(offset, Place { file, line, column })| (*offset, *file, *line, *column))
        .collect();
    let (layout, manifest) = (contents.layout.encode(), contents.manifest.encode());
    let steering = contents.steering.as_ref();
    let steering = steering.map(|object| (STEERING, steering::seal(object, &layout, &manifest)));
    let sections = [
        (MEMORY, encode(&contents.map)),
        (LAYOUT, layout),
        (MANIFEST, manifest),
        (PLACES, encode(&rows)),
    ];
    // What may be absent stands before what may not: a module that was cut lacks that, too.
    steering.into_iter().chain(sections).collect()
}

/// The place of the construct at `offset` in the body of `batch`: that of the greatest offset not behind it.
pub fn place_at(places: &[(u32, Place)], offset: u32) -> Option<Place> {
    let behind = places.partition_point(|(begin, _)| *begin <= offset);
    let (_, place) = places.get(behind.checked_sub(1)?)?;
    (place.line > 0).then_some(*place)
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("string keys and whole numbers only")
}

fn decode<'a, T: Deserialize<'a>>(name: &'static str, data: &'a [u8]) -> Result<T, ModuleError> {
    serde_json::from_slice(data).map_err(|source| ModuleError::Section { name, source })
}

/// Name and data of a custom section.
type Named<'a> = (&'a [u8], &'a [u8]);

/// What would write into the memory before the first batch (WebAssembly 1.0, 5.5.2): a start function, data.
const WRITING: [(u8, &str); 3] = [(8, "start"), (11, "data"), (12, "data count")];

/// The custom sections of a module (WebAssembly 1.0, 5.5.2 and 5.5.3).
fn sections(module: &[u8]) -> Result<Vec<Named<'_>>, ModuleError> {
    let mut rest = module
        .strip_prefix(b"\0asm\x01\0\0\0")
        .ok_or(ModuleError::NoModule)?;
    let mut found = Vec::new();
    while let Some((id, behind)) = rest.split_first() {
        let damaged = ModuleError::Damaged {
            offset: module.len() - rest.len(),
        };
        let Some((data, behind)) = sized(behind) else {
            return Err(damaged);
        };
        if let Some((_, name)) = WRITING.iter().find(|(writing, _)| writing == id) {
            return Err(ModuleError::Writes { name });
        }
        if *id == 0 {
            found.push(sized(data).ok_or(damaged)?);
        }
        rest = behind;
    }
    Ok(found)
}

/// Splits bytes that begin with their length off what follows them.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // LEB128, unsigned, 32 bits: at most five bytes of seven bits, the lowest first.
    let mut length = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes
                .get(index + 1..)?
                .split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::layout::Element;
    use crate::manifest;

    fn contents() -> Contents {
        let mut layout = Layout::new();
        layout.add("ring.web", Element::Slot, 65_536);
        Contents {
            map: Map::of(&layout).unwrap(),
            layout,
            manifest: Manifest {
                version: manifest::VERSION,
                ..Manifest::default()
            },
            places: vec![
                (
                    3,
                    Place {
                        file: 0,
                        line: 7,
                        column: 2,
                    },
                ),
                (9, Place::default()),
            ],
            steering: Some(b"an object".to_vec()),
        }
    }

    fn module(sections: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0\x01\x01\x00".to_vec();
        for (name, data) in sections {
            module.push(0);
            let length = (1 + name.len() + data.len()) as u32;
            module.extend([
                length as u8 | 0x80,
                (length >> 7) as u8 | 0x80,
                (length >> 14) as u8,
            ]);
            module.push(name.len() as u8);
            module.extend(name.as_bytes());
            module.extend(data);
        }
        module
    }

    #[test]
    fn what_is_written_is_read_back() {
        let contents = contents();
        assert_eq!(read(&module(&write(&contents))).unwrap(), contents);
    }

    #[test]
    fn regions_do_not_overlap_and_pages_hold_them() {
        let map = contents().map;
        let regions = [map.worker, map.descriptors, map.saved, map.image, map.slots];
        for pair in regions.windows(2) {
            assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{pair:?}");
        }
        assert!(u64::from(map.worker.offset) >= PAGE);
        assert_eq!(u64::from(map.image.offset) % PAGE, 0);
        assert_eq!(u64::from(map.slots.offset) % PAGE, 0);
        assert!(u64::from(map.slots.offset) + u64::from(map.slots.size) <= map.size());
    }

    #[test]
    fn an_image_of_four_gibibytes_does_not_fit() {
        let mut layout = Layout::new();
        layout.add("flows.web", Element::Flow, 1 << 29);
        let needed = 4 * (1 << 30) + 260 * PAGE;
        assert_eq!(Map::of(&layout), Err(TooLarge { needed }));
    }

    #[test]
    fn a_module_cut_anywhere_is_an_error() {
        let whole = module(&write(&contents()));
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_module_of_another_version_or_maker_is_refused() {
        let mut other = contents();
        other.map.version += 1;
        let error = read(&module(&write(&other))).unwrap_err();
        assert!(
            matches!(error, ModuleError::Version { found } if found == ABI_VERSION + 1),
            "{error}"
        );
        let error = read(&module(&write(&contents())[..2])).unwrap_err();
        assert!(
            matches!(error, ModuleError::Missing { name: LAYOUT }),
            "{error}"
        );
        let mut large = contents();
        large.map.slots.offset += 1;
        let error = read(&module(&write(&large))).unwrap_err();
        assert!(
            matches!(error, ModuleError::Unsound { name: MEMORY }),
            "{error}"
        );
    }

    #[test]
    fn a_layout_whose_sections_were_moved_is_refused() {
        let mut sections = write(&contents());
        let text = String::from_utf8(sections[2].1.clone()).unwrap();
        sections[2].1 = text.replace("65536", "65535").into_bytes();
        let error = read(&module(&sections)).unwrap_err();
        assert!(
            matches!(error, ModuleError::Unsound { name: LAYOUT }),
            "{error}"
        );
    }

    #[test]
    fn a_manifest_of_another_layout_is_refused() {
        let mut other = contents();
        other
            .manifest
            .interfaces
            .push(manifest::Interface::default());
        let error = read(&module(&write(&other))).unwrap_err();
        assert!(
            matches!(error, ModuleError::Unsound { name: MANIFEST }),
            "{error}"
        );
    }

    #[test]
    fn a_steering_of_another_module_is_refused_and_none_is_none() {
        let mut sections = write(&contents());
        sections[0].1 = steering::seal(b"an object", b"another layout", b"another manifest");
        let error = read(&module(&sections)).unwrap_err();
        assert!(
            matches!(error, ModuleError::Unsound { name: STEERING }),
            "{error}"
        );
        assert_eq!(read(&module(&sections[1..])).unwrap().steering, None);
    }

    #[test]
    fn an_offset_has_the_place_of_the_construct_that_it_lies_in() {
        let places = contents().places;
        assert_eq!(place_at(&places, 2), None);
        assert_eq!(
            place_at(&places, 8),
            Some(Place {
                file: 0,
                line: 7,
                column: 2
            })
        );
        assert_eq!(place_at(&places, 9), None, "the place is not known");
    }
}
