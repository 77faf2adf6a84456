//! Accesses of the image's sections: a masked index at a constant offset. Every section is a power of two long, so no
//! access leaves it.
//!
//! What others write, too, is read by atomic loads, which Cranelift neither merges nor moves; on x86-64 they are plain
//! ones.

use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{self, AtomicRmwOp, InstBuilder as _};
use lvsc_abi::layout::{Element, SectionId, counter};
use lvsc_ir::program::{Class, SectionAccess, Value};

use crate::select::{Memory, Select};

/// An address, and a constant number of bytes behind it.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    base: ir::Value,
    offset: i32,
}

impl Address {
    /// The address itself.
    pub(crate) fn of(base: ir::Value) -> Address {
        Address { base, offset: 0 }
    }

    /// The address, and the bytes behind it.
    pub(crate) fn parts(self) -> (ir::Value, i32) {
        (self.base, self.offset)
    }

    /// So many bytes further; few.
    #[must_use]
    pub(crate) fn plus(self, bytes: u32) -> Address {
        Address {
            offset: self.offset + bytes.cast_signed(),
            ..self
        }
    }
}

/// Offsets up to here leave room for those inside of an element or bucket.
const NEAR: u64 = 1 << 30;

impl Select<'_, '_> {
    /// The address of the element (of `size` bytes, a power of two) whose number is `index` modulo `length`.
    pub(crate) fn element(
        &mut self,
        section: SectionId,
        index: Value,
        length: u32,
        size: u32,
    ) -> Address {
        let mask = u64::from(length - 1);
        let begin = self.layout[section].offset;
        let range = self.ranges[index];
        // Of one element there is no other.
        if let Some(index) = range.constant().or((mask == 0).then_some(0)) {
            return self.address_of(self.image, begin + (index & mask) * u64::from(size));
        }
        let mut index = self.value(index);
        if range.most > mask {
            let mask = self.constant(mask);
            index = self.builder.ins().band(index, mask);
        }
        let bits = i64::from(size.trailing_zeros());
        let bytes = self.builder.ins().ishl_imm_u(index, bits);
        let base = self.builder.ins().iadd(self.image, bytes);
        self.address_of(base, begin)
    }

    fn address_of(&mut self, base: ir::Value, offset: u64) -> Address {
        match i32::try_from(offset) {
            Ok(near) if offset < NEAR => Address { base, offset: near },
            Ok(_) | Err(_) => {
                let offset = self.constant(offset);
                let base = self.builder.ins().iadd(base, offset);
                Address::of(base)
            }
        }
    }

    fn access(&mut self, access: SectionAccess) -> Address {
        let section = &self.layout[access.section];
        let (length, size) = (section.length, section.element.stride());
        let element = self.element(access.section, access.index, length, size);
        element.plus(u32::from(access.offset))
    }

    pub(crate) fn load(&mut self, class: Class, access: SectionAccess) -> ir::Value {
        let at = self.access(access);
        match class {
            Class::Shared => self.load_shared(at, access.bytes),
            Class::Config => {
                let flags = self.flags(Memory::Image).with_aligned();
                let ins = self.builder.ins();
                match access.bytes {
                    1 => ins.uload8(I64, flags, at.base, at.offset),
                    2 => ins.uload16(I64, flags, at.base, at.offset),
                    4 => ins.uload32(flags, at.base, at.offset),
                    _ => ins.load(I64, flags, at.base, at.offset),
                }
            }
        }
    }

    pub(crate) fn load_shared(&mut self, at: Address, bytes: u8) -> ir::Value {
        let flags = self.flags(Memory::Image).with_aligned();
        let address = self.whole(at);
        let narrow = match bytes {
            1 => I8,
            2 => I16,
            4 => I32,
            _ => I64,
        };
        let loaded = self.builder.ins().atomic_load(narrow, flags, address);
        if narrow == I64 {
            return loaded;
        }
        self.builder.ins().uextend(I64, loaded)
    }

    /// The sum: atomic accesses have no offset. Cranelift finds it again where the processor has one.
    pub(crate) fn whole(&mut self, at: Address) -> ir::Value {
        if at.offset == 0 {
            return at.base;
        }
        let offset = i64::from(at.offset);
        self.builder.ins().iadd_imm_u(at.base, offset)
    }

    pub(crate) fn store(&mut self, access: SectionAccess, value: Value) {
        let flags = self.flags(Memory::Image).with_aligned();
        let at = self.access(access);
        let value = self.value(value);
        let ins = self.builder.ins();
        match access.bytes {
            1 => ins.istore8(flags, value, at.base, at.offset),
            2 => ins.istore16(flags, value, at.base, at.offset),
            4 => ins.istore32(flags, value, at.base, at.offset),
            _ => ins.store(flags, value, at.base, at.offset),
        };
    }

    pub(crate) fn raise(&mut self, access: SectionAccess, value: Value) {
        let flags = self.flags(Memory::Image).with_aligned();
        let at = self.access(access);
        let address = self.whole(at);
        let value = self.value(value);
        self.builder
            .ins()
            .atomic_rmw(I64, flags, AtomicRmwOp::Add, address, value);
    }

    pub(crate) fn exchange(
        &mut self,
        access: SectionAccess,
        new: Value,
        expected: Value,
    ) -> ir::Value {
        let flags = self.flags(Memory::Image).with_aligned();
        let at = self.access(access);
        let address = self.whole(at);
        let [expected, new] = [expected, new].map(|value| self.value(value));
        self.builder.ins().atomic_cas(flags, address, expected, new)
    }

    pub(crate) fn count(&mut self, section: SectionId, index: Value) {
        let length = self.layout[section].length;
        let at = self.element(section, index, length, Element::Counter.stride());
        let one = self.constant(1);
        self.add_to(at.plus(u32::from(counter::PACKETS)), one);
        self.add_to(at.plus(u32::from(counter::BYTES)), self.packet.length);
    }

    fn add_to(&mut self, at: Address, more: ir::Value) {
        let flags = self.flags(Memory::Image).with_aligned();
        let ins = self.builder.ins();
        let before = ins.load(I64, flags, at.base, at.offset);
        let sum = self.builder.ins().iadd(before, more);
        self.builder.ins().store(flags, sum, at.base, at.offset);
    }
}
