//! Fields of present headers: bytes of the frame, shifted and masked. A written field mends its header's checksum.

use lvsc_ir::program::{Binary, BlockId, Order, Value};

use super::Lowering;
use super::code::Spot;
use super::state::{Number, Path};
use super::values::mask;
use crate::pipeline::{Field, FieldId, HeaderId};

/// All bits of a word of the Internet checksum (RFC 1071).
const WORD: u64 = 0xffff;

/// Bits of a header: an offset from its begin, most significant first, and a width.
#[derive(Clone, Copy)]
struct Bits {
    offset: u32,
    width: u32,
}

impl Bits {
    fn of(field: &Field) -> Bits {
        Bits {
            offset: field.offset,
            width: u32::from(field.width),
        }
    }

    fn first_byte(self) -> u32 {
        self.offset / 8
    }

    /// The byte behind the last one.
    fn end_byte(self) -> u32 {
        (self.offset + self.width).div_ceil(8)
    }

    fn bytes(self) -> u32 {
        self.end_byte() - self.first_byte()
    }

    /// Bits of the last byte behind these.
    fn shift(self) -> u32 {
        self.end_byte() * 8 - self.offset - self.width
    }

    /// The first `width` bits, and the rest.
    fn split(self, width: u32) -> (Bits, Bits) {
        let rest = Bits {
            offset: self.offset + width,
            width: self.width - width,
        };
        (Bits { width, ..self }, rest)
    }

    /// The part in the first eight bytes and the part behind, where one access is not enough.
    fn halves(self) -> Option<(Bits, Bits)> {
        (self.bytes() > 8).then(|| self.split(64 - self.offset % 8))
    }
}

impl Lowering<'_> {
    /// Pushes a field of a header that is known to be present.
    pub(super) fn read(&mut self, header: HeaderId, field: FieldId, path: &mut Path) {
        let bits = Bits::of(self.pipeline.field(header, field));
        let (at, block) = (at(path, header), path.block);
        let number = if bits.width > 64 {
            let (high, low) = bits.split(bits.width - 64);
            let high = Some(self.extract(block, at, high));
            Number {
                low: self.extract(block, at, low),
                high,
            }
        } else {
            Number {
                low: self.extract(block, at, bits),
                high: None,
            }
        };
        path.state.stack.push(number);
    }

    /// Pops a value into a field of a header that is known to be present, and mends the header's checksum.
    pub(super) fn write(&mut self, header: HeaderId, field: FieldId, path: &mut Path) {
        let number = path.pop();
        let bits = Bits::of(self.pipeline.field(header, field));
        let (at, block) = (at(path, header), path.block);
        let checksum = self.pipeline.header(header).checksum;
        let checksum = checksum.filter(|checksum| checksum.field != field);
        let before = checksum.map(|_| self.words(block, at, bits));
        match number.high {
            Some(value) => {
                let (high, low) = bits.split(bits.width - 64);
                self.insert(block, at, high, value);
                self.insert(block, at, low, number.low);
            }
            None => self.insert(block, at, bits, number.low),
        }
        if let (Some(checksum), Some(before)) = (checksum, before) {
            let own = Bits::of(self.pipeline.field(header, checksum.field));
            let old = self.extract(block, at, own);
            let after = self.words(block, at, bits);
            let new = self.mended(block, checksum.alone, old, before.into_iter().zip(after));
            self.insert(block, at, own, new);
        }
    }

    /// Reads up to 64 bits.
    fn extract(&mut self, block: BlockId, at: Spot, bits: Bits) -> Value {
        if let Some((high, low)) = bits.halves() {
            let shift = u64::from(low.width);
            let high = self.extract(block, at, high);
            let low = self.extract(block, at, low);
            let high = self.code.with(block, Binary::Shl, high, shift);
            return self.code.binary(block, Binary::Or, high, low);
        }
        let bytes = self
            .code
            .frame(block, spot(at, bits), bits.bytes() as u16, Order::Big);
        let value = self
            .code
            .with(block, Binary::Shr, bytes, u64::from(bits.shift()));
        if bits.offset.is_multiple_of(8) {
            return value;
        }
        self.code
            .with(block, Binary::And, value, mask(bits.width as u16))
    }

    /// Writes up to 64 bits; the other bits of the bytes stay.
    fn insert(&mut self, block: BlockId, at: Spot, bits: Bits, value: Value) {
        if let Some((high, low)) = bits.halves() {
            let upper = self
                .code
                .with(block, Binary::Shr, value, u64::from(low.width));
            self.insert(block, at, high, upper);
            let lower = self
                .code
                .with(block, Binary::And, value, mask(low.width as u16));
            return self.insert(block, at, low, lower);
        }
        let (to, bytes) = (spot(at, bits), bits.bytes());
        if bits.width == bytes * 8 {
            return self.code.write(block, to, bytes as u16, value);
        }
        let ours = mask(bits.width as u16) << bits.shift();
        let old = self.code.frame(block, to, bytes as u16, Order::Big);
        let kept = self
            .code
            .with(block, Binary::And, old, mask(bytes as u16 * 8) & !ours);
        let new = self
            .code
            .with(block, Binary::Shl, value, u64::from(bits.shift()));
        let new = self.code.binary(block, Binary::Or, kept, new);
        self.code.write(block, to, bytes as u16, new);
    }

    /// The 16-bit words of the header that hold these bits.
    fn words(&mut self, block: BlockId, at: Spot, bits: Bits) -> Vec<Value> {
        let (first, end) = (bits.offset / 16, (bits.offset + bits.width).div_ceil(16));
        (first..end)
            .map(|word| {
                self.extract(
                    block,
                    at,
                    Bits {
                        offset: word * 16,
                        width: 16,
                    },
                )
            })
            .collect()
    }

    /// RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), in one's complement, of words before and after; 0xffff in place of 0
    /// where it may stand `alone`.
    fn mended(
        &mut self,
        block: BlockId,
        alone: bool,
        old: Value,
        words: impl Iterator<Item = (Value, Value)>,
    ) -> Value {
        let mut sum = self.code.with(block, Binary::Xor, old, WORD);
        for (before, after) in words {
            let before = self.code.with(block, Binary::Xor, before, WORD);
            sum = self.code.binary(block, Binary::Add, sum, before);
            sum = self.code.binary(block, Binary::Add, sum, after);
        }
        // Up to 17 words of 16 bits: the first fold leaves at most one carry.
        let carry = self.code.with(block, Binary::Shr, sum, 16);
        let low = self.code.with(block, Binary::And, sum, WORD);
        sum = self.code.binary(block, Binary::Add, low, carry);
        // With one more, 0xffff carries too, and is 0 then.
        let carrying = if alone {
            self.code.with(block, Binary::Add, sum, 1)
        } else {
            sum
        };
        let carry = self.code.with(block, Binary::Shr, carrying, 16);
        sum = self.code.binary(block, Binary::Add, sum, carry);
        sum = self.code.with(block, Binary::And, sum, WORD);
        self.code.with(block, Binary::Xor, sum, WORD)
    }
}

/// Where a header stands that is known to be present.
fn at(path: &Path, header: HeaderId) -> Spot {
    path.state
        .standing(header)
        .expect("the header was resolved before its field is used")
        .at
}

/// The first byte of these bits.
fn spot(at: Spot, bits: Bits) -> Spot {
    at.behind(bits.first_byte() as u16)
        .expect("the fixed fields lie inside the frame")
}
