//! Typed reads and writes of a state image, whatever memory it lives in.

use crate::layout::{self, Element, Layout, Section, counter, header};

/// Bytes of one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    B1,
    /// Two bytes.
    B2,
    /// Four bytes.
    B4,
    /// Eight bytes.
    B8,
}

impl Width {
    /// Number of bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Width::B1 => 1,
            Width::B2 => 2,
            Width::B4 => 4,
            Width::B8 => 8,
        }
    }
}

/// The memory behind an image. Accesses are little endian and aligned to their width; one access is never torn.
pub trait Image {
    /// What lies where.
    fn layout(&self) -> &Layout;

    /// Reads at `at` (bytes from the image's begin). Zero beyond the end.
    fn load(&self, at: u64, width: Width) -> u64;

    /// Reads neighbouring words, each in one step, the first one at `at` (bytes from the image's begin).
    fn words(&self, at: u64, into: &mut [u64]) {
        each_word(self, at, into);
    }

    /// Writes at `at`. Nothing happens beyond the end.
    fn store(&mut self, at: u64, width: Width, value: u64);

    /// Adds to the counter at `at`, while packets are counted: no count is lost.
    fn add(&mut self, at: u64, value: u64) {
        let sum = self.load(at, Width::B8).wrapping_add(value);
        self.store(at, Width::B8, sum);
    }

    /// Writes `new` to the word at `at` unless it is another one than `expected`, in one step, while others write it; tells
    /// whether it did.
    fn exchange(&mut self, at: u64, expected: u64, new: u64) -> bool {
        let same = self.load(at, Width::B8) == expected;
        if same {
            self.store(at, Width::B8, new);
        }
        same
    }
}

/// [`Image::words`], one after the other.
pub fn each_word<Of: Image + ?Sized>(image: &Of, at: u64, into: &mut [u64]) {
    for (word, number) in into.iter_mut().zip(0..) {
        *word = image.load(at + number * Width::B8.bytes() as u64, Width::B8);
    }
}

/// Packets and bytes of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes of the frames on arrival.
    pub bytes: u64,
}

/// Writes magic, version and digest: an image is nobody's until this is done.
pub fn stamp(image: &mut dyn Image) {
    let digest = image.layout().digest();
    let Some((_, section)) = image.layout().named("header") else {
        return;
    };
    let at = |field| section.at(0, field);
    let (magic, version, place) = (at(header::MAGIC), at(header::VERSION), at(header::DIGEST));
    image.store(magic, Width::B8, layout::MAGIC);
    image.store(version, Width::B4, u64::from(layout::ABI_VERSION));
    image.store(place, Width::B8, digest);
}

/// Whether the image was stamped for its layout.
pub fn is_stamped(image: &dyn Image) -> bool {
    image.layout().named("header").is_some_and(|(_, section)| {
        image.load(section.at(0, header::MAGIC), Width::B8) == layout::MAGIC
            && image.load(section.at(0, header::VERSION), Width::B4)
                == u64::from(layout::ABI_VERSION)
            && image.load(section.at(0, header::DIGEST), Width::B8) == image.layout().digest()
    })
}

/// Reads the counter `index` of section `counters`.
pub fn count(image: &dyn Image, index: u32) -> Count {
    let section = image.layout().named("counters");
    section.map_or_else(Count::default, |(_, section)| {
        count_in(image, section, index.into())
    })
}

/// Reads the counter `index` of this section.
pub fn count_in(image: &dyn Image, section: &Section, index: u64) -> Count {
    Count {
        packets: image.load(section.at(index, counter::PACKETS), Width::B8),
        bytes: image.load(section.at(index, counter::BYTES), Width::B8),
    }
}

/// An image in a vector of bytes: the reference interpreter's, and that of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    layout: Layout,
    bytes: Vec<u8>,
}

impl Bytes {
    /// A stamped image, otherwise zero, with every ring empty.
    pub fn new(layout: Layout) -> Bytes {
        let bytes = vec![0; layout.size() as usize];
        let mut image = Bytes { layout, bytes };
        clear(&mut image);
        image
    }

    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Stamps the image and empties every ring. Everything else is left as it is (zero, in fresh memory).
pub fn clear(image: &mut dyn Image) {
    let rings: Vec<Section> = (image.layout().sections())
        .filter(|(_, section)| section.element == Element::Slot)
        .map(|(_, section)| section.clone())
        .collect();
    for ring in rings {
        for index in 0..u64::from(ring.length) {
            image.store(ring.at(index, 0), Width::B4, u64::from(layout::slot::EMPTY));
        }
    }
    stamp(image);
}

impl Image for Bytes {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn load(&self, at: u64, width: Width) -> u64 {
        let at = at as usize;
        let bytes = self.bytes.get(at..at + width.bytes()).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        let at = at as usize;
        let target = self
            .bytes
            .get_mut(at..at + width.bytes())
            .unwrap_or_default();
        for (byte, new) in target.iter_mut().zip(value.to_le_bytes()) {
            *byte = new;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_fresh_image_is_stamped_and_its_rings_are_empty() {
        let mut layout = Layout::new();
        layout.add("header", Element::Header, 1);
        let ring = layout.add("ring.web", Element::Slot, 4);
        let at = layout[ring].at(3, 0);
        let image = Bytes::new(layout);
        assert!(is_stamped(&image));
        assert_eq!(image.load(at, Width::B4), 0xffff_ffff);
        assert_eq!(image.load(1 << 40, Width::B8), 0, "beyond the end");
    }
}
