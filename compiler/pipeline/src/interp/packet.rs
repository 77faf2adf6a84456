//! One packet on its way: where its headers are, what its variables hold, what expressions are worth.

use std::collections::BTreeMap;

use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{backend, interface};
use lvsc_abi::mac::Mac;
use lvsc_abi::verdict::Verdict;

use super::bits;
use crate::layout::Sections;
use crate::pipeline::{
    BackendField, Binary, ChoiceId, Compare, Expr, FieldId, HeaderId, InterfaceField, InterfaceRef,
    Outcome, Pipeline, VariableId, VariableKind,
};

pub(super) struct Running<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) sections: &'a Sections,
    pub(super) image: &'a mut dyn Image,
    frame: &'a mut [u8],
    ingress: u8,
    /// The first six bytes as they arrived, as a number.
    arrived: u128,
    /// Offsets of the headers as they arrived.
    offsets: Vec<Option<usize>>,
    variables: BTreeMap<VariableId, u128>,
}

/// A header that stands: where it begins, where the next one would, and where what encloses it ends.
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
        let mut running = Running {
            pipeline,
            sections,
            image,
            frame,
            ingress,
            arrived,
            offsets: Vec::new(),
            variables: BTreeMap::new(),
        };
        running.parse();
        running
    }

    /// Finds the headers. Predecessors have smaller ids, so they are decided first.
    fn parse(&mut self) {
        let mut standing: Vec<Option<Standing>> = Vec::new();
        for header in 0..self.pipeline.headers.len() {
            let id = HeaderId(header as u16);
            let found = self.stand(id, &standing);
            self.offsets.truncate(header);
            self.offsets.push(found.as_ref().map(|found| found.offset));
            standing.push(found);
        }
    }

    fn stand(&mut self, id: HeaderId, before: &[Option<Standing>]) -> Option<Standing> {
        let header = self.pipeline.header(id);
        if header.after.is_empty() {
            return self.fits(id, 0, Vec::new());
        }
        header.after.iter().find_map(|after| {
            let predecessor = before.get(usize::from(after.header.0))?.clone()?;
            if !self.holds(&after.when) {
                return None;
            }
            self.fits(id, predecessor.behind, predecessor.ends)
        })
    }

    /// The header at this offset, if it lies inside the frame and what encloses it, is large enough and valid.
    fn fits(&mut self, id: HeaderId, offset: usize, mut ends: Vec<usize>) -> Option<Standing> {
        let header = self.pipeline.header(id);
        let fixed = usize::from(header.fixed);
        if offset + fixed > self.frame.len() {
            return None;
        }
        // From here on the header's own fields can be read.
        self.offsets.truncate(usize::from(id.0));
        self.offsets.push(Some(offset));
        let size = match &header.size {
            Some(size) => self.value(size)? as usize,
            None => fixed,
        };
        let behind = offset + size;
        let inside = behind <= self.frame.len() && ends.iter().all(|end| behind <= *end);
        let valid = header.valid.as_ref().is_none_or(|valid| self.holds(valid));
        if size < fixed || !inside || !valid {
            return None;
        }
        if let Some(extent) = &header.extent {
            ends.push(offset + self.value(extent)? as usize);
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

    /// Whether a condition holds: what speaks of an absent header does not.
    pub(super) fn holds(&self, condition: &Expr) -> bool {
        self.value(condition).is_some_and(|value| value != 0)
    }

    /// The value of an expression; `None` where it speaks of an absent header and is not a condition.
    pub(super) fn value(&self, expr: &Expr) -> Option<u128> {
        let width = u32::from(self.pipeline.width(expr));
        let low = |value: u128| {
            if width < 128 {
                value & ((1 << width) - 1)
            } else {
                value
            }
        };
        match expr {
            Expr::Constant { value, .. } => Some(*value),
            Expr::Field(header, field) => self.field(*header, *field),
            Expr::Variable(variable) => {
                Some(self.variables.get(variable).copied().unwrap_or_default())
            }
            Expr::Binary(op, a, b) => Some(low(arithmetic(*op, self.value(a)?, self.value(b)?))),
            Expr::Resize(_, a) => Some(low(self.value(a)?)),
            Expr::Compare(op, a, b) => Some(u128::from(
                matches!((self.value(a), self.value(b)), (Some(a), Some(b)) if compare(*op, a, b)),
            )),
            Expr::In(a, set) => {
                let ranges = &self.pipeline.set(*set).ranges;
                let value = self.value(a);
                let inside = |value: u128| {
                    ranges
                        .iter()
                        .any(|(low, high)| (low..=high).contains(&&value))
                };
                Some(u128::from(value.is_some_and(inside)))
            }
            Expr::And(a, b) => Some(u128::from(self.holds(a) && self.holds(b))),
            Expr::Or(a, b) => Some(u128::from(self.holds(a) || self.holds(b))),
            Expr::Not(a) => Some(u128::from(!self.holds(a))),
            Expr::Present(header) => Some(u128::from(self.offset(*header).is_some())),
            Expr::Chosen(choice, each) => match self.alternative(*choice) {
                Some(taken) => self.value(each.get(taken)?),
                None => None,
            },
            Expr::Interface(interface, field) => self.interface(*interface, *field),
            Expr::Backend(variable, BackendField::Id) => self.variables.get(variable).copied(),
            Expr::Backend(variable, BackendField::Mac) => Some(u128::from(
                Mac::from_record(self.record(*variable)).to_bits(),
            )),
        }
    }

    /// The first alternative whose condition holds.
    pub(super) fn alternative(&self, choice: ChoiceId) -> Option<usize> {
        let alternatives = &self.pipeline.choice(choice).alternatives;
        alternatives
            .iter()
            .position(|way| self.holds(&way.condition))
    }

    fn field(&self, header: HeaderId, field: FieldId) -> Option<u128> {
        let offset = self.offset(header)?;
        let field = self.pipeline.field(header, field);
        bits::read(self.frame, offset * 8 + field.offset as usize, field.width)
    }

    /// Writes a field and mends the header's checksum: the value before and after.
    pub(super) fn rewrite(
        &mut self,
        header: HeaderId,
        field: FieldId,
        value: u128,
    ) -> Option<(u128, u128)> {
        let offset = self.offset(header)?;
        let before = self.field(header, field)?;
        let shape = self.pipeline.field(header, field);
        let words = shape.offset / 16..(shape.offset + u32::from(shape.width)).div_ceil(16);
        let word = |frame: &[u8], word: u32| {
            bits::read(frame, offset * 8 + word as usize * 16, 16).unwrap_or(0) as u16
        };
        let old: Vec<u16> = words.clone().map(|at| word(self.frame, at)).collect();
        bits::write(
            self.frame,
            offset * 8 + shape.offset as usize,
            shape.width,
            value,
        );
        let checksum = self.pipeline.header(header).checksum;
        if let Some(sum) = checksum.filter(|sum| *sum != field) {
            let new: Vec<u16> = words.map(|at| word(self.frame, at)).collect();
            let was = self.field(header, sum)? as u16;
            let mended = bits::mend(was, old.into_iter().zip(new));
            let at = offset * 8 + self.pipeline.field(header, sum).offset as usize;
            bits::write(self.frame, at, 16, u128::from(mended));
        }
        Some((before, self.field(header, field)?))
    }

    /// The record of the backend in a variable.
    fn record(&self, variable: VariableId) -> u64 {
        let VariableKind::Backend(pool) = self.pipeline.variable(variable).kind else {
            return 0;
        };
        let id = self.variables.get(&variable).copied().unwrap_or_default();
        self.backend(pool, id as u64)
    }

    fn interface_index(&self, interface: InterfaceRef) -> u8 {
        match interface {
            InterfaceRef::Ingress => self.ingress,
            InterfaceRef::Named(id) => id.0 as u8,
            InterfaceRef::OfBackend(variable) => {
                (self.record(variable) >> backend::INTERFACE_SHIFT) as u8
            }
        }
    }

    fn interface(&self, interface: InterfaceRef, field: InterfaceField) -> Option<u128> {
        let index = self.interface_index(interface);
        match field {
            InterfaceField::Index => Some(u128::from(index)),
            InterfaceField::Mac => {
                let section = self.image.layout().get(self.sections.interfaces)?;
                let at = section.at(u64::from(index), interface::RECORD);
                let record = self.image.load(at, Width::B8);
                let known = record >> interface::FLAGS_SHIFT & interface::KNOWN != 0;
                let mac = u128::from(Mac::from_record(record).to_bits());
                Some(if known { mac } else { self.arrived })
            }
        }
    }

    pub(super) fn count(&mut self, index: u64) {
        let length = self.frame.len();
        super::count(self.image, self.sections, index, length);
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

fn arithmetic(op: Binary, a: u128, b: u128) -> u128 {
    match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div => a.checked_div(b).unwrap_or(0),
        Binary::Rem => a.checked_rem(b).unwrap_or(0),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Shl => a.checked_shl(b as u32).unwrap_or(0),
        Binary::Shr => a.checked_shr(b as u32).unwrap_or(0),
    }
}

fn compare(op: Compare, a: u128, b: u128) -> bool {
    match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    }
}
