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

    fn find_with_vectors(&mut self, bucket: Address, wanted: ir::Value) -> ir::Value {
        let wanted = self.two(wanted);
        let mask = self.two_constants(MASK);
        let halves = self.pairs(bucket).map(|two| {
            let looked_at = self.builder.ins().band(two, mask);
            self.builder.ins().icmp(IntCC::Equal, looked_at, wanted)
        });
        let found = self.both_halves(halves);
        self.lowest(found)
    }

    /// What tells the age of an entry is in its lower half.
    fn place_with_vectors(
        &mut self,
        bucket: Address,
        wanted: ir::Value,
        [now, idle]: [ir::Value; 2],
    ) -> ir::Value {
        let [wanted, now, idle] = [wanted, now, idle].map(|word| self.two(word));
        let [mask, flags, valid, seconds, zero] =
            [MASK, VALID | OPENING, VALID, SECONDS_MASK, 0].map(|word| self.two_constants(word));
        let pairs = self.pairs(bucket);
        let own = pairs.map(|two| {
            let looked_at = self.builder.ins().band(two, mask);
            self.builder.ins().icmp(IntCC::Equal, looked_at, wanted)
        });
        let vacant = pairs.map(|two| {
            let used = self.builder.ins().band(two, valid);
            let empty = self.builder.ins().icmp(IntCC::Equal, used, zero);
            let flags = self.builder.ins().band(two, flags);
            let plain = self.builder.ins().icmp(IntCC::Equal, flags, valid);
            let seen = (self.builder.ins()).ushr_imm_u(two, i64::from(SECONDS_SHIFT));
            let since = self.builder.ins().isub(now, seen);
            let age = self.builder.ins().band(since, seconds);
            let old = (self.builder.ins()).icmp(IntCC::SignedGreaterThan, age, idle);
            let expired = self.builder.ins().band(plain, old);
            self.builder.ins().bor(empty, expired)
        });
        let own = self.both_halves(own);
        let vacant = self.bits(vacant);
        let either = self.builder.ins().bor(own, vacant);
        self.lowest(either)
    }

    /// A word in both halves of a vector.
    fn two(&mut self, word: ir::Value) -> ir::Value {
        let little = MemFlagsData::new().with_endianness(Endianness::Little);
        let both = self.builder.ins().splat(I64X2, word);
        self.builder.ins().bitcast(I32X4, little, both)
    }

    fn two_constants(&mut self, word: u64) -> ir::Value {
        let both = [word, word].map(u64::to_le_bytes).concat();
        let constants = &mut self.builder.func.dfg.constants;
        let both = constants.insert(ConstantData::from(both));
        self.builder.ins().vconst(I32X4, both)
    }

    /// The entries of a bucket, two in a vector.
    fn pairs(&mut self, bucket: Address) -> [ir::Value; 4] {
        let flags = self.flags(Memory::Image).with_aligned();
        [0, 1, 2, 3].map(|number| {
            let (base, offset) = bucket.plus(number * VECTOR).parts();
            self.builder.ins().load(I32X4, flags, base, offset)
        })
    }

    /// Ones and zeros of halves become sixteen bytes, then as many bits, two an entry.
    fn bits(&mut self, [a, b, c, d]: [ir::Value; 4]) -> ir::Value {
        let [low, high] = [(a, b), (c, d)].map(|(a, b)| self.builder.ins().snarrow(a, b));
        let bytes = self.builder.ins().snarrow(low, high);
        self.builder.ins().vhigh_bits(I32, bytes)
    }

    /// The lower bit of an entry stays where both halves have ones.
    fn both_halves(&mut self, halves: [ir::Value; 4]) -> ir::Value {
        let bits = self.bits(halves);
        let above = self.builder.ins().ushr_imm_u(bits, 1);
        self.builder.ins().band(bits, above)
    }

    /// The position of the first entry whose lower bit is set.
    fn lowest(&mut self, bits: ir::Value) -> ir::Value {
        let lower = self.builder.ins().band_imm_u(bits, 0x5555);
        let absent = 1 << (2 * ABSENT);
        let found = self.builder.ins().bor_imm_u(lower, absent);
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
        let fits = self.ranges[idle].most <= SECONDS_MASK;
        let [now, idle] = [now, idle].map(|value| self.value(value));
        if self.layout[section].length >= LARGE && fits {
            return self.place_with_vectors(bucket, wanted, [now, idle]);
        }
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
