//! Searches in a bucket of the connection table; see [`lvsc_abi::flows`].

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{self, ConstantData, Endianness, InstBuilder as _, MemFlagsData};
use lvsc_abi::flows::{ABSENT, BUCKET, OPENING, SECONDS_MASK, SECONDS_SHIFT, TAG_SHIFT, VALID};
use lvsc_abi::layout::{Element, SectionId};
use lvsc_ir::program::Value;

use crate::section::Address;
use crate::select::{Memory, Select};

/// Tables from this many entries on (512 KiB) are searched with vectors. A comparison of all eight entries at once
/// pays where the line comes from memory; in a small, warm table the branches are predicted and cheaper.
const LARGE: u32 = 1 << 16;
/// Size of a vector (bytes).
const VECTOR: u32 = 16;
const ENTRY: u32 = Element::Flow.stride();
/// The bits of an entry that a search for a tag looks at.
const MASK: u64 = !0 << TAG_SHIFT | VALID;
/// Equals no masked entry.
const NEVER: u64 = 2;

impl Select<'_, '_> {
    /// The address of the bucket whose number is `index`.
    pub(crate) fn bucket(&mut self, section: SectionId, index: Value) -> Address {
        let buckets = self.layout[section].length / BUCKET;
        self.element(section, index, buckets, BUCKET * ENTRY)
    }

    pub(crate) fn find(&mut self, section: SectionId, index: Value, tag: Value) -> ir::Value {
        let bucket = self.bucket(section, index);
        let wanted = self.wanted(tag);
        if self.layout[section].length >= LARGE {
            return self.find_with_vectors(bucket, wanted);
        }
        let mask = self.constant(MASK);
        self.first(bucket, |this, entry| {
            let looked_at = this.builder.ins().band(entry, mask);
            this.builder.ins().icmp(IntCC::Equal, looked_at, wanted)
        })
    }

    /// Compares the halves of all entries: sixteen bytes of ones or zeros, then as many bits, two an entry. An entry
    /// fits where both are set; the lowest one is its position.
    fn find_with_vectors(&mut self, bucket: Address, wanted: ir::Value) -> ir::Value {
        let little = MemFlagsData::new().with_endianness(Endianness::Little);
        let both = self.builder.ins().splat(I64X2, wanted);
        let wanted = self.builder.ins().bitcast(I32X4, little, both);
        let mask = [MASK, MASK].map(u64::to_le_bytes).concat();
        let constants = &mut self.builder.func.dfg.constants;
        let mask = constants.insert(ConstantData::from(mask));
        let mask = self.builder.ins().vconst(I32X4, mask);
        let flags = self.flags(Memory::Image).with_aligned();
        let [a, b, c, d] = [0, 1, 2, 3].map(|number| {
            let (base, offset) = bucket.plus(number * VECTOR).parts();
            let two = self.builder.ins().load(I32X4, flags, base, offset);
            let looked_at = self.builder.ins().band(two, mask);
            let ins = self.builder.ins();
            ins.icmp(IntCC::Equal, looked_at, wanted)
        });
        let [low, high] = [(a, b), (c, d)].map(|(a, b)| self.builder.ins().snarrow(a, b));
        let bytes = self.builder.ins().snarrow(low, high);
        let bits = self.builder.ins().vhigh_bits(I32, bytes);
        let above = self.builder.ins().ushr_imm_u(bits, 1);
        let both = self.builder.ins().band(bits, above);
        let first_halves = self.builder.ins().band_imm_u(both, 0x5555);
        let absent = 1 << (2 * ABSENT);
        let found = self.builder.ins().bor_imm_u(first_halves, absent);
        let lowest = self.builder.ins().ctz(found);
        let position = self.builder.ins().ushr_imm_u(lowest, 1);
        self.builder.ins().uextend(I64, position)
    }

    /// What a masked entry with this tag equals.
    fn wanted(&mut self, tag: Value) -> ir::Value {
        let tag_max = u64::MAX >> TAG_SHIFT;
        let large = self.ranges[tag].most > tag_max;
        let tag = self.value(tag);
        let high = self.builder.ins().ishl_imm_u(tag, i64::from(TAG_SHIFT));
        let valid = self.constant(VALID);
        let wanted = self.builder.ins().bor(high, valid);
        if !large {
            return wanted;
        }
        let [tag_max, never] = [tag_max, NEVER].map(|number| self.constant(number));
        let how = IntCC::UnsignedLessThanOrEqual;
        let fits = self.builder.ins().icmp(how, tag, tag_max);
        self.builder.ins().select(fits, wanted, never)
    }

    pub(crate) fn place(
        &mut self,
        section: SectionId,
        index: Value,
        tag: Value,
        (now, idle): (Value, Value),
    ) -> ir::Value {
        let bucket = self.bucket(section, index);
        let wanted = self.wanted(tag);
        let [now, idle] = [now, idle].map(|value| self.value(value));
        let [mask, flags, valid, seconds] =
            [MASK, VALID | OPENING, VALID, SECONDS_MASK].map(|number| self.constant(number));
        self.first(bucket, |this, entry| {
            let looked_at = this.builder.ins().band(entry, mask);
            let own = this.builder.ins().icmp(IntCC::Equal, looked_at, wanted);
            let used = this.builder.ins().band(entry, valid);
            let zero = this.constant(0);
            let empty = this.builder.ins().icmp(IntCC::Equal, used, zero);
            let flags = this.builder.ins().band(entry, flags);
            let plain = this.builder.ins().icmp(IntCC::Equal, flags, valid);
            let shift = i64::from(SECONDS_SHIFT);
            let seen = this.builder.ins().ushr_imm_u(entry, shift);
            let since = this.builder.ins().isub(now, seen);
            let age = this.builder.ins().band(since, seconds);
            let how = IntCC::UnsignedGreaterThan;
            let old = this.builder.ins().icmp(how, age, idle);
            let expired = this.builder.ins().band(plain, old);
            let vacant = this.builder.ins().bor(empty, expired);
            this.builder.ins().bor(own, vacant)
        })
    }

    /// The position of the first entry that fits.
    fn first(
        &mut self,
        bucket: Address,
        fits: impl Fn(&mut Self, ir::Value) -> ir::Value,
    ) -> ir::Value {
        let found = self.builder.create_block();
        let position = self.builder.append_block_param(found, I64);
        for at in 0..BUCKET {
            let entry = self.load_shared(bucket.plus(at * ENTRY), 8);
            let fits = fits(self, entry);
            let here = self.constant(u64::from(at));
            let next = self.builder.create_block();
            let ins = self.builder.ins();
            ins.brif(fits, found, &[here.into()], next, &[]);
            self.enter(next);
        }
        let absent = self.constant(ABSENT);
        self.builder.ins().jump(found, &[absent.into()]);
        self.enter(found);
        position
    }
}
