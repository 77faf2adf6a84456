//! Accesses of the image's sections: a masked index at a static offset. Every section is a power of two long, so no
//! access leaves it.

use lvsc_abi::layout::{Element, SectionId, counter};
use lvsc_ir::program::{SectionAccess, Value};

use crate::code::{local, memory};
use crate::select::Select;

impl Select<'_> {
    /// Leaves an address, and gives the static offset to go with it, of the element (of `size` bytes, a power of two)
    /// whose number is `index` modulo `length`.
    pub(crate) fn element(
        &mut self,
        section: SectionId,
        index: Value,
        length: u32,
        size: u32,
    ) -> u64 {
        let mask = u64::from(length - 1);
        let begin = u64::from(self.map.image.offset) + self.layout[section].offset;
        let range = self.ranges[index];
        // Of one element there is no other.
        if let Some(index) = range.constant().or((mask == 0).then_some(0)) {
            self.code
                .i32((begin + (index & mask) * u64::from(size)) as u32);
            return 0;
        }
        self.value(index);
        self.code.sink().i32_wrap_i64();
        if range.most > mask {
            self.code.i32(mask as u32);
            self.code.sink().i32_and();
        }
        if size > 1 {
            self.code.i32(size.trailing_zeros());
            self.code.sink().i32_shl();
        }
        begin
    }

    fn address(&mut self, access: SectionAccess) -> u64 {
        let section = &self.layout[access.section];
        let (length, size) = (section.length, section.element.stride());
        self.element(access.section, access.index, length, size) + u64::from(access.offset)
    }

    pub(crate) fn load(&mut self, access: SectionAccess) {
        let offset = self.address(access);
        let at = memory(offset, u32::from(access.bytes).trailing_zeros());
        let mut sink = self.code.sink();
        match access.bytes {
            1 => sink.i64_load8_u(at),
            2 => sink.i64_load16_u(at),
            4 => sink.i64_load32_u(at),
            _ => sink.i64_load(at),
        };
    }

    pub(crate) fn store(&mut self, access: SectionAccess, value: Value) {
        let offset = self.address(access);
        self.value(value);
        let at = memory(offset, u32::from(access.bytes).trailing_zeros());
        let mut sink = self.code.sink();
        match access.bytes {
            1 => sink.i64_store8(at),
            2 => sink.i64_store16(at),
            4 => sink.i64_store32(at),
            _ => sink.i64_store(at),
        };
    }

    pub(crate) fn raise(&mut self, access: SectionAccess, value: Value) {
        let offset = self.address(access);
        self.value(value);
        self.code
            .sink()
            .i64_atomic_rmw_add(memory(offset, 3))
            .drop();
    }

    pub(crate) fn exchange(&mut self, access: SectionAccess, new: Value, expected: Value) {
        let offset = self.address(access);
        self.value(expected);
        self.value(new);
        // An atomic access states its alignment exactly.
        self.code.sink().i64_atomic_rmw_cmpxchg(memory(offset, 3));
    }

    pub(crate) fn count(&mut self, section: SectionId, index: Value) {
        let length = self.layout[section].length;
        let offset = self.element(section, index, length, Element::Counter.stride());
        self.code.sink().local_set(local::ADDRESS);
        self.add_to(offset + u64::from(counter::PACKETS), |this| {
            this.code.i64(1);
        });
        self.add_to(offset + u64::from(counter::BYTES), Self::frame_length);
    }

    fn add_to(&mut self, offset: u64, more: impl FnOnce(&mut Self)) {
        let at = memory(offset, 3);
        self.code
            .sink()
            .local_get(local::ADDRESS)
            .local_get(local::ADDRESS)
            .i64_load(at);
        more(self);
        self.code.sink().i64_add().i64_store(at);
    }
}
