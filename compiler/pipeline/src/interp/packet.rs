//! One packet on its way: where its headers are, what its variables hold, what is done to it.

use std::collections::BTreeMap;

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{SectionId, counter};
use lvsc_abi::verdict::Verdict;

use super::{Rewritten, bits};
use crate::layout::Sections;
use crate::pipeline::{FieldId, Header, HeaderId, Outcome, Pipeline, VariableId};

pub(super) struct Running<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) sections: &'a Sections,
    pub(super) image: &'a mut dyn Image,
    pub(super) ingress: u8,
    /// The first six bytes as they arrived, as a number; 0 where there are fewer.
    pub(super) arrived: u128,
    frame: &'a mut [u8],
    /// Offsets of the headers as they arrived, by id.
    offsets: Vec<Option<usize>>,
    variables: BTreeMap<VariableId, u128>,
}

/// A header that stands: where it begins, where the next one would, and where what encloses that one ends.
#[derive(Clone)]
struct Standing {
    offset: usize,
    behind: usize,
    ends: Vec<usize>,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        pipeline: &'a Pipeline,
        sections: &'a Sections,
        image: &'a mut dyn Image,
        frame: &'a mut [u8],
        ingress: u8,
    ) -> Running<'a> {
        let arrived = bits::read(frame, 0, 48).unwrap_or(0);
        let offsets = vec![None; pipeline.headers.len()];
        let variables = BTreeMap::new();
        let mut running = Running {
            pipeline,
            sections,
            image,
            ingress,
            arrived,
            frame,
            offsets,
            variables,
        };
        running.parse();
        running
    }

    /// Finds the headers. Predecessors have smaller ids, so they are decided first.
    fn parse(&mut self) {
        let mut standing: Vec<Option<Standing>> = Vec::new();
        for (index, header) in self.pipeline.headers.iter().enumerate() {
            let found = self.stand(HeaderId(index as u16), header, &standing);
            self.place(index, found.as_ref().map(|found| found.offset));
            standing.push(found);
        }
    }

    fn place(&mut self, header: usize, at: Option<usize>) {
        if let Some(place) = self.offsets.get_mut(header) {
            *place = at;
        }
    }

    fn stand(
        &mut self,
        id: HeaderId,
        header: &Header,
        before: &[Option<Standing>],
    ) -> Option<Standing> {
        if header.after.is_empty() {
            return self.fit(id, header, 0, &[]);
        }
        header.after.iter().find_map(|after| {
            let predecessor = before.get(usize::from(after.header.0))?.as_ref()?;
            if !self.holds(&after.when) {
                return None;
            }
            self.fit(id, header, predecessor.behind, &predecessor.ends)
        })
    }

    /// The header at this offset, if it lies inside the frame and what encloses it, is large enough and valid.
    fn fit(
        &mut self,
        id: HeaderId,
        header: &Header,
        offset: usize,
        ends: &[usize],
    ) -> Option<Standing> {
        let fixed = usize::from(header.fixed);
        let inside = |end: usize| end <= self.frame.len() && ends.iter().all(|outer| end <= *outer);
        if !inside(offset.saturating_add(fixed)) {
            return None;
        }
        // From here on the header's own fields can be read.
        self.place(usize::from(id.0), Some(offset));
        let length = |value: u128| usize::try_from(value).unwrap_or(usize::MAX);
        let size = match &header.size {
            Some(size) => length(self.value(size)?),
            None => fixed,
        };
        let behind = offset.saturating_add(size);
        let inside = behind <= self.frame.len() && ends.iter().all(|outer| behind <= *outer);
        if size < fixed || !inside {
            return None;
        }
        if header
            .valid
            .as_ref()
            .is_some_and(|valid| !self.holds(valid))
        {
            return None;
        }
        let mut ends = ends.to_vec();
        if let Some(extent) = &header.extent {
            ends.push(offset.saturating_add(length(self.value_or_zero(extent))));
        }
        Some(Standing {
            offset,
            behind,
            ends,
        })
    }

    pub(super) fn offset(&self, header: HeaderId) -> Option<usize> {
        self.offsets.get(usize::from(header.0)).copied().flatten()
    }

    pub(super) fn bind(&mut self, variable: VariableId, value: u128) {
        self.variables.insert(variable, value);
    }

    pub(super) fn bound(&self, variable: VariableId) -> u128 {
        self.variables.get(&variable).copied().unwrap_or(0)
    }

    /// The field as the frame now has it.
    pub(super) fn field(&self, header: HeaderId, field: FieldId) -> Option<u128> {
        let offset = self.offset(header)?;
        let field = self.pipeline.field(header, field);
        bits::read(self.frame, offset * 8 + field.offset as usize, field.width)
    }

    /// Writes a field and mends the header's checksum, if the header is there.
    pub(super) fn rewrite(
        &mut self,
        header: HeaderId,
        field: FieldId,
        value: u128,
    ) -> Option<Rewritten> {
        let before = self.field(header, field)?;
        let shape = self.pipeline.field(header, field);
        let bytes = self.frame.get_mut(self.offset(header)?..)?;
        let end = shape.offset + u32::from(shape.width);
        let old = bits::words(bytes, shape.offset, end);
        bits::write(bytes, shape.offset as usize, shape.width, value);
        let new = bits::words(bytes, shape.offset, end);
        let checksum = self
            .pipeline
            .header(header)
            .checksum
            .filter(|sum| sum.field != field);
        let checksum = checksum.and_then(|sum| {
            let at = self.pipeline.field(header, sum.field).offset as usize;
            let was = bits::read(bytes, at, 16)? as u16;
            let is = bits::mend(was, sum.alone, old.into_iter().zip(new));
            bits::write(bytes, at, 16, u128::from(is));
            Some((was, is))
        });
        let after = self.field(header, field)?;
        Some(Rewritten {
            header,
            field,
            before,
            after,
            checksum,
        })
    }

    /// One packet more, and its bytes, on a counter of section `counters`.
    pub(super) fn count(&mut self, index: u64) {
        self.count_in(self.sections.counters, index);
    }

    /// One packet more, and its bytes, on a counter of this section.
    pub(super) fn count_in(&mut self, section: SectionId, index: u64) {
        let Some(section) = self.image.layout().get(section).cloned() else {
            return;
        };
        for (field, more) in [
            (counter::PACKETS, 1),
            (counter::BYTES, self.frame.len() as u64),
        ] {
            let at = section.at(index, field);
            let before = self.image.load(at, Width::B8);
            self.image.store(at, Width::B8, before.wrapping_add(more));
        }
    }

    /// The verdict, and the interface: by which the packet leaves, else by which it came.
    pub(super) fn end(&mut self, outcome: Outcome) -> (Verdict, u8) {
        match outcome {
            Outcome::Drop(reason) => {
                self.count(u64::from(reason.0));
                (Verdict::Drop, self.ingress)
            }
            Outcome::Pass => (Verdict::Pass, self.ingress),
            Outcome::Send(interface) => (Verdict::Send, self.interface_index(interface)),
        }
    }
}
