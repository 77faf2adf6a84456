//! Accesses of the frame. The bounds were proven, so that an access of 3 bytes may be one of 2 and one of 1, and one
//! of 7 two of 4 that overlap; where even more bytes are known to be there, one load takes them all.

use lvsc_ir::program::{FrameAccess, Order, Value};
use lvsc_ir::range::bytes_mask;

use crate::code::{local, memory};
use crate::select::{Select, Sense};

impl Select<'_> {
    /// Leaves the frame's length.
    pub(crate) fn frame_length(&mut self) {
        self.code.sink().local_get(local::LENGTH);
    }

    /// Leaves an i32: whether `length` bytes from `base` on lie in the frame, or the opposite.
    pub(crate) fn bounds(&mut self, base: Option<Value>, length: u16, sense: Sense) {
        let length = u64::from(length);
        let Some(base) = base else {
            self.frame_length();
            self.code.i64(length);
            let mut sink = self.code.sink();
            match sense {
                Sense::AsIs => sink.i64_ge_u(),
                Sense::Opposite => sink.i64_lt_u(),
            };
            return;
        };
        if self.ranges[base].most <= u64::MAX - length {
            self.value(base);
            self.code.i64(length);
            self.code.sink().i64_add();
            self.frame_length();
            let mut sink = self.code.sink();
            match sense {
                Sense::AsIs => sink.i64_le_u(),
                Sense::Opposite => sink.i64_gt_u(),
            };
            return;
        }
        // The sum may wrap: compare with the difference, where that does not.
        self.value(base);
        self.frame_length();
        self.code.i64(length);
        self.code.sink().i64_sub().i64_le_u();
        self.frame_length();
        self.code.i64(length);
        self.code.sink().i64_ge_u().i32_and();
        if sense == Sense::Opposite {
            self.code.sink().i32_eqz();
        }
    }

    fn frame_address(&mut self, base: Option<Value>) {
        self.code.sink().local_get(local::FRAME);
        if let Some(base) = base {
            self.value(base);
            self.code.sink().i32_wrap_i64().i32_add();
        }
    }

    pub(crate) fn load_frame(&mut self, access: FrameAccess) {
        let big = access.order == Order::Big && access.bytes > 1;
        let more = FrameAccess {
            bytes: access.bytes.next_power_of_two(),
            ..access
        };
        if more != access && self.proven[self.current].allows(more) {
            // One load of more bytes, all of them there. To reverse drops what is too much.
            self.load_parts(more);
            if !big {
                self.code.i64(bytes_mask(access.bytes));
                self.code.sink().i64_and();
            }
        } else {
            self.load_parts(access);
        }
        if big {
            self.swap(access.bytes);
        }
    }

    /// Leaves the bytes as they lie, little endian.
    fn load_parts(&mut self, access: FrameAccess) {
        for (offset, size) in access.parts() {
            self.frame_address(access.base);
            let at = memory(u64::from(access.offset) + u64::from(*offset), 0);
            let mut sink = self.code.sink();
            match size {
                1 => sink.i64_load8_u(at),
                2 => sink.i64_load16_u(at),
                4 => sink.i64_load32_u(at),
                _ => sink.i64_load(at),
            };
            if *offset > 0 {
                sink.i64_const(i64::from(*offset) * 8).i64_shl().i64_or();
            }
        }
    }

    pub(crate) fn store_frame(&mut self, access: FrameAccess, value: Value) {
        let swapped = access.order == Order::Big && access.bytes > 1;
        let parts = access.parts();
        let whole = parts.len() == 1;
        if whole {
            self.frame_address(access.base);
        }
        self.value(value);
        if swapped {
            self.swap(access.bytes);
        }
        if !whole {
            self.code.sink().local_set(local::WIDE);
        }
        for (offset, size) in parts {
            if !whole {
                self.frame_address(access.base);
                self.code.sink().local_get(local::WIDE);
            }
            let at = memory(u64::from(access.offset) + u64::from(*offset), 0);
            let mut sink = self.code.sink();
            if *offset > 0 {
                sink.i64_const(i64::from(*offset) * 8).i64_shr_u();
            }
            match size {
                1 => sink.i64_store8(at),
                2 => sink.i64_store16(at),
                4 => sink.i64_store32(at),
                _ => sink.i64_store(at),
            };
        }
    }

    /// Reverses the low `bytes` bytes of what was left; the higher ones become 0.
    pub(crate) fn swap(&mut self, bytes: u8) {
        match bytes {
            1 => {
                self.code.i64(0xff);
                self.code.sink().i64_and();
            }
            2..=4 => {
                self.code.sink().i32_wrap_i64();
                self.swap_4();
                let rest = 32 - 8 * i32::from(bytes);
                if rest > 0 {
                    self.code.sink().i32_const(rest).i32_shr_u();
                }
                self.code.sink().i64_extend_i32_u();
            }
            _ => {
                self.swap_8();
                let rest = 64 - 8 * i64::from(bytes);
                if rest > 0 {
                    self.code.sink().i64_const(rest).i64_shr_u();
                }
            }
        }
    }

    // The two forms below are those that Cranelift knows as one `bswap` (cranelift/codegen/src/opts/bitops.isle, 0.135).

    fn swap_4(&mut self) {
        let x = local::NARROW;
        let mut sink = self.code.sink();
        sink.local_tee(x).i32_const(24).i32_shl();
        sink.local_get(x)
            .i32_const(0xff00)
            .i32_and()
            .i32_const(8)
            .i32_shl()
            .i32_or();
        sink.local_get(x)
            .i32_const(8)
            .i32_shr_u()
            .i32_const(0xff00)
            .i32_and();
        sink.local_get(x)
            .i32_const(24)
            .i32_shr_u()
            .i32_or()
            .i32_or();
    }

    fn swap_8(&mut self) {
        let x = local::WIDE;
        let mut sink = self.code.sink();
        sink.local_tee(x).i64_const(56).i64_shl();
        sink.local_get(x)
            .i64_const(0xff00)
            .i64_and()
            .i64_const(40)
            .i64_shl()
            .i64_or();
        sink.local_get(x)
            .i64_const(0xff_0000)
            .i64_and()
            .i64_const(24)
            .i64_shl();
        sink.local_get(x)
            .i64_const(0xff00_0000)
            .i64_and()
            .i64_const(8)
            .i64_shl()
            .i64_or();
        sink.i64_or();
        sink.local_get(x)
            .i64_const(8)
            .i64_shr_u()
            .i64_const(0xff00_0000)
            .i64_and();
        sink.local_get(x)
            .i64_const(24)
            .i64_shr_u()
            .i64_const(0xff_0000)
            .i64_and()
            .i64_or();
        sink.local_get(x)
            .i64_const(40)
            .i64_shr_u()
            .i64_const(0xff00)
            .i64_and();
        sink.local_get(x).i64_const(56).i64_shr_u().i64_or();
        sink.i64_or().i64_or();
    }
}
