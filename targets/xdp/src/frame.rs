//! The frame: its length, whether bytes are there, and the bytes.

use lvsc_ir::program::{FrameAccess, Order, Value};

use crate::condition::immediate;
use crate::insn::{Alu, Test, Width};
use crate::machine::{Condition, Inst, Operand, Virtual};
use crate::select::Select;

/// No frame that an XDP program sees is longer (bytes): it lies in one page, and the verifier follows an address in the
/// frame only up to 65,535.
const LONGEST: u64 = 0x7fff;

impl Select<'_> {
    /// The difference of two addresses of the frame, in 32 bits.
    pub(crate) fn frame_length(&mut self) -> Virtual {
        let length = self.fresh();
        let (data, end) = (Operand::Register(self.data), self.end);
        self.push(Inst::Alu(Alu::Sub, Width::Half, length, end, data));
        length
    }

    /// The address of a base's byte. The verifier must know how far that is at most; what is further is nowhere.
    pub(crate) fn base_pointer(&mut self, base: Value, register: Virtual) -> Virtual {
        let mut offset = register;
        if self.known[base] > LONGEST {
            let limit = Operand::Immediate(LONGEST as i32);
            let condition = Condition {
                test: Test::Le,
                width: Width::Full,
                left: register,
                right: limit,
            };
            offset = self.fresh();
            self.push(Inst::Pick(condition, offset, register, limit));
        }
        self.alu(Alu::Add, self.data, Operand::Register(offset))
    }

    /// The condition that not all of `length` bytes from the base on are there; `None` where they never are.
    pub(crate) fn beyond(&mut self, base: Option<Value>, length: u16) -> Option<Condition> {
        if u64::from(length) > LONGEST {
            return None;
        }
        let pointer = self.pointer(base);
        Some(Condition {
            test: Test::Gt,
            width: Width::Full,
            left: self.with(Alu::Add, pointer, i32::from(length)),
            right: Operand::Register(self.end),
        })
    }

    /// Reversed bytes: `bytes` of them, the higher ones 0.
    pub(crate) fn swap(&mut self, bytes: u8, value: Virtual) -> Virtual {
        let bits = match bytes {
            1 => return self.masked(value, 0xff),
            2 | 4 => i32::from(bytes) * 8,
            _ => 64,
        };
        let swapped = self.fresh();
        self.push(Inst::Swap(bits, swapped, value));
        if matches!(bytes, 2 | 4 | 8) {
            return swapped;
        }
        self.with(Alu::Shr, swapped, 64 - i32::from(bytes) * 8)
    }

    pub(crate) fn load_frame(&mut self, access: FrameAccess) -> Virtual {
        let FrameAccess {
            base,
            offset,
            bytes,
            order,
        } = access;
        let pointer = self.pointer(base);
        let rest = 64 - i32::from(bytes) * 8;
        let further = u32::from(offset) + 8;
        if matches!(bytes, 1 | 2 | 4 | 8) {
            let loaded = self.load(bytes, pointer, at(offset));
            return match order {
                Order::Big if bytes > 1 => self.swap(bytes, loaded),
                Order::Big | Order::Little => loaded,
            };
        }
        // One load of eight bytes, of which some are not wanted, is as good as two.
        match order {
            Order::Little if offset >= u16::from(8 - bytes) => {
                let loaded = self.load(8, pointer, at(offset) - (8 - i16::from(bytes)));
                self.with(Alu::Shr, loaded, rest)
            }
            Order::Little if self.is_there(base, further) => {
                let loaded = self.load(8, pointer, at(offset));
                let high = self.with(Alu::Shl, loaded, rest);
                self.with(Alu::Shr, high, rest)
            }
            Order::Big if self.is_there(base, further) => {
                let loaded = self.load(8, pointer, at(offset));
                self.swap(bytes, loaded)
            }
            Order::Little => self.load_parts(pointer, offset, bytes),
            Order::Big => {
                let loaded = self.load_parts(pointer, offset, bytes);
                self.swap(bytes, loaded)
            }
        }
    }

    /// Little endian, piece by piece.
    fn load_parts(&mut self, pointer: Virtual, offset: u16, bytes: u8) -> Virtual {
        let mut found: Option<Virtual> = None;
        for (from, size) in parts(bytes) {
            let part = self.load(size, pointer, at(offset) + i16::from(from));
            found = Some(match found {
                None => part,
                Some(lower) => {
                    let part = self.with(Alu::Shl, part, i32::from(from) * 8);
                    self.alu(Alu::Or, part, Operand::Register(lower))
                }
            });
        }
        found.expect("an access has at least one byte")
    }

    pub(crate) fn store_frame(&mut self, access: FrameAccess, value: Value) {
        let pointer = self.pointer(access.base);
        let big = access.order == Order::Big && access.bytes > 1;
        let constant = self.known_constant(value).map(|constant| {
            let swapped = lvsc_ir::eval::swap(access.bytes, constant);
            if big { swapped } else { constant }
        });
        let mut register = None;
        if constant.is_none() {
            let value = self.register(value);
            let value = if big {
                self.swap(access.bytes, value)
            } else {
                value
            };
            register = Some(value);
        }
        let mut shifted = 0;
        for (from, size) in parts(access.bytes) {
            let bits = i32::from(from) * 8;
            let part = match (constant, register) {
                (Some(constant), _) => self.part(constant >> bits, size),
                (None, Some(value)) => {
                    let value = if bits > shifted {
                        self.with(Alu::Shr, value, bits - shifted)
                    } else {
                        value
                    };
                    (register, shifted) = (Some(value), bits);
                    Operand::Register(value)
                }
                (None, None) => return,
            };
            let offset = at(access.offset) + i16::from(from);
            self.push(Inst::Store(size, pointer, offset, part));
        }
    }

    /// The low `bytes` bytes of a constant, to be stored.
    pub(crate) fn part(&mut self, constant: u64, bytes: u8) -> Operand {
        let low = constant & lvsc_ir::range::bytes_mask(bytes);
        let width = if bytes == 8 { Width::Full } else { Width::Half };
        match immediate(low, width) {
            Some(immediate) => Operand::Immediate(immediate),
            None => Operand::Register(self.constant(low)),
        }
    }
}

/// The pieces in which memory can be read and written: where each begins, and its size (bytes).
fn parts(bytes: u8) -> impl Iterator<Item = (u8, u8)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let size = match bytes.checked_sub(from)? {
            0 => return None,
            1 => 1,
            2 | 3 => 2,
            4..=7 => 4,
            _ => 8,
        };
        let part = (from, size);
        from += size;
        Some(part)
    })
}

/// Offsets are proven to lie inside a frame, so they are below [`LONGEST`].
fn at(offset: u16) -> i16 {
    i16::try_from(offset).unwrap_or(i16::MAX - 8)
}
