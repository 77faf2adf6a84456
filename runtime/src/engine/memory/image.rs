//! The state image inside of a mapping, and those of other workers that have all but the counters in common with it.

use std::io::Error;
use std::ops::Range;
use std::sync::Arc;

use lvsc_abi::image::{Image, Width, each_word};
use lvsc_abi::layout::Layout;

use super::{Mapping, Pages};

/// The state image inside of a mapping. A clone is the same image.
#[derive(Clone)]
pub(in crate::engine) struct MappedImage {
    memory: Arc<Mapping>,
    /// Where it begins (bytes from the memory's base).
    offset: u64,
    layout: Layout,
    /// What is in common with the others, by its place in each memory; nothing before there are any.
    common: Vec<(u64, Arc<Pages>)>,
    /// The memories of the other workers: in each the image lies as in this one's.
    others: Vec<Arc<Mapping>>,
}

impl MappedImage {
    pub(in crate::engine) fn new(
        memory: &Arc<Mapping>,
        offset: u64,
        layout: Layout,
    ) -> MappedImage {
        MappedImage {
            memory: Arc::clone(memory),
            offset,
            layout,
            common: Vec::new(),
            others: Vec::new(),
        }
    }

    /// From now on the image lies in another worker's memory, too, at the same place; gives the worker's number. Each counts
    /// for itself.
    pub(in crate::engine) fn lend(&mut self, memory: &Arc<Mapping>) -> Result<u32, Error> {
        if self.common.is_empty() {
            for run in self.layout.common() {
                let run = self.offset + run.start..self.offset + run.end;
                let begin = run.start;
                let pages = Pages::of(&self.memory, run)?;
                self.common.push((begin, Arc::new(pages)));
            }
        }
        for (at, pages) in &self.common {
            pages.put_into(memory, *at)?;
        }
        self.others.push(Arc::clone(memory));
        Ok(self.others.len() as u32)
    }

    fn place(&self, at: u64, width: Width) -> Option<u64> {
        self.span(at, width.bytes() as u64).map(|span| span.start)
    }

    /// Where so many bytes of the image lie.
    fn span(&self, at: u64, bytes: u64) -> Option<Range<u64>> {
        let end = at.checked_add(bytes)?;
        (end <= self.layout.size()).then(|| self.offset + at..self.offset + end)
    }

    /// The other memories that have another word at this place than this one.
    fn rows(&self, place: u64) -> &[Arc<Mapping>] {
        self.rows_of(&(place..place + 1))
    }

    /// The other memories that have other bytes here than this one.
    fn rows_of(&self, span: &Range<u64>) -> &[Arc<Mapping>] {
        let is_in = |(begin, pages): &(u64, Arc<Pages>)| {
            *begin <= span.start && span.end <= begin + pages.size()
        };
        if self.common.iter().any(is_in) {
            &[]
        } else {
            &self.others
        }
    }
}

impl Image for MappedImage {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A counter is the sum of all workers'.
    fn load(&self, at: u64, width: Width) -> u64 {
        let Some(place) = self.place(at, width) else {
            return 0;
        };
        let own = self.memory.load(place, width);
        let others = self.rows(place).iter();
        let others = others.map(|memory| memory.load(place, width));
        others.fold(own, u64::wrapping_add)
    }

    fn words(&self, at: u64, into: &mut [u64]) {
        let span = self.span(at, size_of_val(into) as u64);
        match span.filter(|span| self.rows_of(span).is_empty()) {
            Some(span) => self.memory.words(span.start, into),
            None => each_word(self, at, into),
        }
    }

    /// A counter that is set is the first worker's; the others begin anew.
    fn store(&mut self, at: u64, width: Width, value: u64) {
        let Some(place) = self.place(at, width) else {
            return;
        };
        self.memory.store(place, width, value);
        for memory in self.rows(place) {
            memory.store(place, width, 0);
        }
    }

    /// Of a counter it is the first worker's that grows.
    fn add(&mut self, at: u64, value: u64) {
        if let Some(place) = self.place(at, Width::B8) {
            self.memory.add(place, value);
        }
    }

    fn exchange(&mut self, at: u64, expected: u64, new: u64) -> bool {
        let place = self.place(at, Width::B8);
        place.is_some_and(|at| self.memory.exchange(at, expected, new))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::thread;

    use lvsc_abi::layout::{Element, PAGE};

    use super::*;
    use crate::engine::memory::Shape;

    #[test]
    fn what_one_adds_while_another_does_is_not_lost() {
        const TIMES: u64 = 200_000;
        let mut layout = Layout::new();
        layout.add("loads.web", Element::Load, 1);
        let shape = Shape {
            before: 0,
            real: PAGE,
            behind: 0,
        };
        let image = MappedImage::new(&Mapping::new(shape).unwrap(), 0, layout);
        thread::scope(|scope| {
            for mut image in [image.clone(), image.clone()] {
                scope.spawn(move || {
                    for _ in 0..TIMES {
                        image.add(8, 1);
                    }
                });
            }
        });
        assert_eq!(image.load(8, Width::B8), 2 * TIMES);
    }
}
