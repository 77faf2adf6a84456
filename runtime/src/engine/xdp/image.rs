//! The image in the global data of a program that runs in the kernel.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::Layout;
use lvsc_abi::object::{Part, Placement, Variable};

use crate::sys::bpf::Mapped;

/// The image, and what else the program keeps.
#[derive(Debug)]
pub(super) struct KernelImage {
    layout: Layout,
    /// By rising begin.
    sections: Vec<Section>,
    egress: Option<Variable>,
    data: Mapped,
    state: Mapped,
}

/// A section of the image and the variable that it is.
#[derive(Debug)]
struct Section {
    /// Bytes of the image.
    bytes: Range<u64>,
    part: Part,
    /// Offset of the first row in the part, and from one row to the next (bytes).
    begin: u64,
    stride: u64,
    rows: u64,
}

/// Where an access goes.
struct Place<'a> {
    section: &'a Section,
    /// Offset in the part of what is accessed in the first row (bytes).
    offset: u64,
}

impl Place<'_> {
    fn rows(&self) -> impl Iterator<Item = u64> + use<> {
        let (offset, stride) = (self.offset, self.section.stride);
        (0..self.section.rows).map(move |row| offset + row * stride)
    }
}

impl KernelImage {
    pub(super) fn new(
        layout: Layout,
        placement: Placement,
        data: Mapped,
        state: Mapped,
    ) -> KernelImage {
        let sections = layout.sections().zip(placement.sections);
        let sections = sections.map(|((_, section), variable)| Section {
            bytes: section.offset..section.offset + section.size(),
            part: variable.part,
            begin: variable.offset,
            stride: variable.size / u64::from(variable.rows),
            rows: u64::from(variable.rows),
        });
        KernelImage {
            sections: sections.collect(),
            egress: placement.egress,
            layout,
            data,
            state,
        }
    }

    /// Writes the first bytes of the part that the control plane fills.
    pub(super) fn fill(&self, data: &[u8]) {
        self.data.fill(data);
    }

    /// The interface by which this CPU's last packet was redirected.
    pub(super) fn egress(&self, cpu: u32) -> u64 {
        let Some(variable) = &self.egress else {
            return 0;
        };
        let stride = variable.size / u64::from(variable.rows);
        let offset = u64::from(cpu % variable.rows) * stride;
        self.load_at(variable.part, variable.offset + offset, Width::B4)
    }

    fn place(&self, at: u64, bytes: usize) -> Option<Place<'_>> {
        let end = at.checked_add(bytes as u64)?;
        let behind = (self.sections).partition_point(|section| section.bytes.start <= at);
        let section = self.sections.get(behind.checked_sub(1)?)?;
        let offset = section.begin + (at - section.bytes.start);
        (end <= section.bytes.end).then_some(Place { section, offset })
    }

    fn load_at(&self, part: Part, offset: u64, width: Width) -> u64 {
        let Some(at) = self.memory(part).at(offset as usize, width.bytes()) else {
            return 0;
        };
        // SAFETY: inside a mapping that outlives the access, aligned; the kernel accesses it at the same time.
        unsafe {
            match width {
                Width::B1 => u64::from(AtomicU8::from_ptr(at).load(Ordering::Relaxed)),
                Width::B2 => u64::from(AtomicU16::from_ptr(at.cast()).load(Ordering::Relaxed)),
                Width::B4 => u64::from(AtomicU32::from_ptr(at.cast()).load(Ordering::Relaxed)),
                Width::B8 => AtomicU64::from_ptr(at.cast()).load(Ordering::Relaxed),
            }
        }
    }

    fn store_at(&self, part: Part, offset: u64, width: Width, value: u64) {
        let Some(at) = self.memory(part).at(offset as usize, width.bytes()) else {
            return;
        };
        // SAFETY: as in `load_at`.
        unsafe {
            match width {
                Width::B1 => AtomicU8::from_ptr(at).store(value as u8, Ordering::Relaxed),
                Width::B2 => AtomicU16::from_ptr(at.cast()).store(value as u16, Ordering::Relaxed),
                Width::B4 => AtomicU32::from_ptr(at.cast()).store(value as u32, Ordering::Relaxed),
                Width::B8 => AtomicU64::from_ptr(at.cast()).store(value, Ordering::Relaxed),
            }
        }
    }

    fn memory(&self, part: Part) -> &Mapped {
        match part {
            Part::Data => &self.data,
            Part::Bss => &self.state,
        }
    }
}

impl Image for KernelImage {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A counter is the sum of all CPUs'.
    fn load(&self, at: u64, width: Width) -> u64 {
        let Some(place) = self.place(at, width.bytes()) else {
            return 0;
        };
        let part = place.section.part;
        let each = place.rows().map(|at| self.load_at(part, at, width));
        each.fold(0, u64::wrapping_add)
    }

    /// Where others write meanwhile (flows), that takes them no longer than it must.
    fn words(&self, at: u64, into: &mut [u64]) {
        let bytes = size_of_val(into);
        let place = self.place(at, bytes);
        let one = place.filter(|place| place.section.rows == 1);
        let begin = one.and_then(|place| {
            let memory = self.memory(place.section.part);
            memory.at(place.offset as usize, bytes)
        });
        for (index, word) in into.iter_mut().enumerate() {
            let offset = index * Width::B8.bytes();
            *word = match begin {
                // SAFETY: as in `load_at`; the words lie behind each other in the mapping.
                Some(begin) => unsafe {
                    AtomicU64::from_ptr(begin.add(offset).cast()).load(Ordering::Relaxed)
                },
                None => self.load(at + offset as u64, Width::B8),
            };
        }
    }

    /// In the last row, in which hardly any machine has a CPU that counts; where there is one, the kernel adds to it at
    /// the same time.
    fn add(&mut self, at: u64, value: u64) {
        let Some(place) = self.place(at, Width::B8.bytes()) else {
            return;
        };
        let at = place.rows().last();
        let memory = self.memory(place.section.part);
        if let Some(at) = at.and_then(|at| memory.at(at as usize, Width::B8.bytes())) {
            // SAFETY: as in `load_at`.
            let count = unsafe { AtomicU64::from_ptr(at.cast()) };
            count.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Of a section with one row: flows.
    fn exchange(&mut self, at: u64, expected: u64, new: u64) -> bool {
        let Some(place) = self.place(at, Width::B8.bytes()) else {
            return false;
        };
        let memory = self.memory(place.section.part);
        let word = memory.at(place.offset as usize, Width::B8.bytes());
        word.is_some_and(|word| {
            // SAFETY: as in `load_at`.
            let word = unsafe { AtomicU64::from_ptr(word.cast()) };
            let (done, seen) = (Ordering::AcqRel, Ordering::Acquire);
            word.compare_exchange(expected, new, done, seen).is_ok()
        })
    }

    /// A counter that is set is the first CPU's; the others begin anew.
    fn store(&mut self, at: u64, width: Width, value: u64) {
        let Some(place) = self.place(at, width.bytes()) else {
            return;
        };
        let mut value = value;
        for at in place.rows() {
            self.store_at(place.section.part, at, width, value);
            value = 0;
        }
    }
}
