//! Sections of the image: addresses whose bounds the verifier sees, and what is done there.

use lvsc_abi::layout::{Element, SectionId, interface};
use lvsc_abi::object::{EGRESS_STRIDE, counters_row, counters_rows};
use lvsc_ir::program::{SectionAccess, Value};

use crate::insn::Alu;
use crate::machine::{Inst, Operand, Symbol, Virtual};
use crate::select::Select;

impl Select<'_> {
    /// The address of an element, and the offset of the bytes in it.
    fn element(&mut self, access: SectionAccess) -> (Virtual, i16) {
        let address = self.element_address(access.section, access.index, 1);
        (address, access.offset as i16)
    }

    /// The address of the first of `group` elements, a power of two of them; `index` counts the groups.
    pub(crate) fn element_address(
        &mut self,
        section: SectionId,
        index: Value,
        group: u32,
    ) -> Virtual {
        if let (1, Some(address)) = (group, self.found_entry(section, index)) {
            return address;
        }
        let shape = &self.layout[section];
        let groups = (shape.length / group).max(1);
        let stride = shape.element.stride() * group;
        let symbol = Symbol::Section(section);
        if let Some(constant) = self.known_constant(index) {
            let index = constant & u64::from(groups - 1);
            return self.address(symbol, index as u32 * stride);
        }
        if groups == 1 {
            return self.address(symbol, 0);
        }
        let mut offset = self.register(index);
        if self.known[index] >= u64::from(groups) {
            offset = self.masked(offset, groups - 1);
        }
        let offset = self.with(Alu::Shl, offset, stride.trailing_zeros() as i32);
        let begin = self.address(symbol, 0);
        self.alu(Alu::Add, begin, Operand::Register(offset))
    }

    pub(crate) fn load_section(&mut self, access: SectionAccess) -> Virtual {
        let (address, offset) = self.element(access);
        self.load(access.bytes, address, offset)
    }

    pub(crate) fn store_section(&mut self, access: SectionAccess, value: Value) {
        let (address, offset) = self.element(access);
        let value = match self.known_constant(value) {
            Some(constant) => self.part(constant, access.bytes),
            None => Operand::Register(self.register(value)),
        };
        self.push(Inst::Store(access.bytes, address, offset, value));
    }

    pub(crate) fn raise(&mut self, access: SectionAccess, value: Value) {
        let (address, offset) = self.element(access);
        let value = self.register(value);
        self.push(Inst::AddTo(address, offset, value));
    }

    pub(crate) fn exchange(
        &mut self,
        access: SectionAccess,
        new: Value,
        expected: Value,
    ) -> Virtual {
        let (address, offset) = self.element(access);
        let (new, expected) = (self.register(new), self.register(expected));
        let old = self.fresh();
        self.push(Inst::Exchange(old, address, offset, new, expected));
        old
    }

    /// Each CPU has counters of its own, or all add to the same.
    pub(crate) fn count(&mut self, section: SectionId, index: Value) {
        let shape = &self.layout[section];
        let (rows, row) = (counters_rows(shape), counters_row(shape).trailing_zeros());
        if rows == 1 {
            let counter = self.element_address(section, index, 1);
            let (packets, bytes) = (self.constant(1), self.frame_length());
            self.push(Inst::AddTo(counter, 0, packets));
            self.push(Inst::AddTo(counter, 8, bytes));
            return;
        }
        let cpu = self.cpu();
        let row = self.with(Alu::Shl, cpu, row as i32);
        let counter = self.element_address(section, index, 1);
        let counter = self.alu(Alu::Add, counter, Operand::Register(row));
        let packets = self.load(8, counter, 0);
        let packets = self.with(Alu::Add, packets, 1);
        self.push(Inst::Store(8, counter, 0, Operand::Register(packets)));
        let length = self.frame_length();
        let bytes = self.load(8, counter, 8);
        let bytes = self.alu(Alu::Add, bytes, Operand::Register(length));
        self.push(Inst::Store(8, counter, 8, Operand::Register(bytes)));
    }

    /// The kernel's index of the interface `index`.
    pub(crate) fn kernel_index(&mut self, index: u64) -> Virtual {
        let mut sections = self.layout.sections();
        let found = sections.find(|(_, section)| section.element == Element::Interface);
        let (id, _) = found.expect("every image has its interfaces");
        let offset = index as u32 * Element::Interface.stride();
        let record = self.address(Symbol::Section(id), offset);
        self.load(4, record, interface::INDEX as i16)
    }

    /// Notes for whoever looks by which interface this CPU's packet is redirected.
    pub(crate) fn note_egress(&mut self, interface: Virtual) {
        let cpu = self.cpu();
        let offset = self.with(Alu::Shl, cpu, EGRESS_STRIDE.trailing_zeros() as i32);
        let begin = self.address(Symbol::Egress, 0);
        let place = self.alu(Alu::Add, begin, Operand::Register(offset));
        self.push(Inst::Store(4, place, 0, Operand::Register(interface)));
    }
}
