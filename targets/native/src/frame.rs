//! Accesses of the frame. The bounds were proven, so that an access of 3 bytes may be one of 2 and one of 1, and one
//! of 7 two of 4 that overlap; where even more bytes are known to be there, one load takes them all.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{self, InstBuilder as _};
use lvsc_ir::program::{FrameAccess, Order, Value};
use lvsc_ir::range::bytes_mask;

use crate::select::{Memory, Select};

impl Select<'_, '_> {
    /// Whether `length` bytes from `base` on lie in the frame.
    pub(crate) fn bounds(&mut self, base: Option<Value>, length: u16) -> ir::Value {
        let bytes = self.constant(u64::from(length));
        let frame = self.packet.length;
        let Some(base) = base else {
            let how = IntCC::UnsignedLessThanOrEqual;
            return self.builder.ins().icmp(how, bytes, frame);
        };
        let wraps = self.ranges[base].most > u64::MAX - u64::from(length);
        let base = self.value(base);
        let mut below = |a, b| {
            let how = IntCC::UnsignedLessThanOrEqual;
            self.builder.ins().icmp(how, a, b)
        };
        if wraps {
            // The sum may wrap: compare with the difference, where that does not.
            let fits = below(bytes, frame);
            let rest = self.builder.ins().isub(frame, bytes);
            let how = IntCC::UnsignedLessThanOrEqual;
            let there = self.builder.ins().icmp(how, base, rest);
            return self.builder.ins().band(fits, there);
        }
        let end = self.builder.ins().iadd(base, bytes);
        let how = IntCC::UnsignedLessThanOrEqual;
        self.builder.ins().icmp(how, end, frame)
    }

    fn address(&mut self, base: Option<Value>) -> ir::Value {
        let frame = self.packet.frame;
        let Some(base) = base else {
            return frame;
        };
        let base = self.value(base);
        self.builder.ins().iadd(frame, base)
    }

    pub(crate) fn load_frame(&mut self, access: FrameAccess) -> ir::Value {
        let big = access.order == Order::Big && access.bytes > 1;
        let more = FrameAccess {
            bytes: access.bytes.next_power_of_two(),
            ..access
        };
        let lie = if more != access && self.proven[self.current].allows(more) {
            // One load of more bytes, all of them there. To reverse drops what is too much.
            let whole = self.load_parts(more);
            if big {
                whole
            } else {
                let mask = self.constant(bytes_mask(access.bytes));
                self.builder.ins().band(whole, mask)
            }
        } else {
            self.load_parts(access)
        };
        if big {
            self.swap(access.bytes, lie)
        } else {
            lie
        }
    }

    /// The bytes as they lie, little endian.
    fn load_parts(&mut self, access: FrameAccess) -> ir::Value {
        let flags = self.flags(Memory::Frames);
        let address = self.address(access.base);
        let mut whole = None;
        for (offset, size) in access.parts() {
            let at = i32::from(access.offset) + i32::from(*offset);
            let ins = self.builder.ins();
            let part = match size {
                1 => ins.uload8(I64, flags, address, at),
                2 => ins.uload16(I64, flags, address, at),
                4 => ins.uload32(flags, address, at),
                _ => ins.load(I64, flags, address, at),
            };
            whole = Some(match whole {
                None => part,
                Some(low) => {
                    let bits = i64::from(*offset) * 8;
                    let high = self.builder.ins().ishl_imm_u(part, bits);
                    self.builder.ins().bor(low, high)
                }
            });
        }
        whole.expect("an access has a byte")
    }

    pub(crate) fn store_frame(&mut self, access: FrameAccess, value: Value) {
        let flags = self.flags(Memory::Frames);
        let address = self.address(access.base);
        let value = self.value(value);
        let lie = if access.order == Order::Big && access.bytes > 1 {
            self.swap(access.bytes, value)
        } else {
            value
        };
        for (offset, size) in access.parts() {
            let at = i32::from(access.offset) + i32::from(*offset);
            let part = if *offset > 0 {
                let bits = i64::from(*offset) * 8;
                self.builder.ins().ushr_imm_u(lie, bits)
            } else {
                lie
            };
            let ins = self.builder.ins();
            match size {
                1 => ins.istore8(flags, part, address, at),
                2 => ins.istore16(flags, part, address, at),
                4 => ins.istore32(flags, part, address, at),
                _ => ins.store(flags, part, address, at),
            };
        }
    }
}
