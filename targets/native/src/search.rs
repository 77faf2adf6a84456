//! Searches in a bucket of the connection table; see [`lvsc_abi::flows`].

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{self, ConstantData, Endianness, InstBuilder as _, MemFlagsData};
use lvsc_abi::flows::{
    ABSENT, BUCKET, FLOW_MASK, NOBODY, OPENING, SECONDS_MASK, SECONDS_SHIFT, TAG_MAX, TAG_SHIFT,
    VALID,
};
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

/// What [`Vacancy`] has of constants, in its order.
const VACANT: [u64; 4] = [0, VALID, VALID | OPENING, SECONDS_MASK];

/// What is asked of an entry that may be vacant: words, or vectors of two.
struct Vacancy {
    now: ir::Value,
    idle: ir::Value,
    zero: ir::Value,
    valid: ir::Value,
    flags: ir::Value,
    seconds: ir::Value,
    /// How ages are compared: a vector has no other way than with signs, and its ages have 16 bits of 32.
    older: IntCC,
}

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
        let mask = self.constant(FLOW_MASK);
        self.first(bucket, |this, entry| this.is_own(entry, mask, wanted))
    }

    fn find_with_vectors(&mut self, bucket: Address, wanted: ir::Value) -> ir::Value {
        let wanted = self.two(wanted);
        let mask = self.two_constants(FLOW_MASK);
        let halves = self.pairs(bucket).map(|two| self.is_own(two, mask, wanted));
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
        let mask = self.two_constants(FLOW_MASK);
        let [zero, valid, flags, seconds] = VACANT.map(|word| self.two_constants(word));
        let asked = Vacancy {
            now,
            idle,
            zero,
            valid,
            flags,
            seconds,
            older: IntCC::SignedGreaterThan,
        };
        let pairs = self.pairs(bucket);
        let own = pairs.map(|two| self.is_own(two, mask, wanted));
        let vacant = pairs.map(|two| self.is_vacant(two, &asked));
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
        let large = self.ranges[tag].most > TAG_MAX;
        let tag = self.value(tag);
        let high = self.builder.ins().ishl_imm_u(tag, i64::from(TAG_SHIFT));
        let valid = self.constant(VALID);
        let wanted = self.builder.ins().bor(high, valid);
        if !large {
            return wanted;
        }
        let [most, nobody] = [TAG_MAX, NOBODY].map(|number| self.constant(number));
        let how = IntCC::UnsignedLessThanOrEqual;
        let fits = self.builder.ins().icmp(how, tag, most);
        self.builder.ins().select(fits, wanted, nobody)
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
        let mask = self.constant(FLOW_MASK);
        let [zero, valid, flags, seconds] = VACANT.map(|word| self.constant(word));
        let asked = Vacancy {
            now,
            idle,
            zero,
            valid,
            flags,
            seconds,
            older: IntCC::UnsignedGreaterThan,
        };
        self.first(bucket, |this, entry| {
            let own = this.is_own(entry, mask, wanted);
            let vacant = this.is_vacant(entry, &asked);
            this.builder.ins().bor(own, vacant)
        })
    }

    /// Whether an entry, or each half of two, is what is looked for in the bits of this mask.
    fn is_own(&mut self, entry: ir::Value, mask: ir::Value, wanted: ir::Value) -> ir::Value {
        let looked_at = self.builder.ins().band(entry, mask);
        self.builder.ins().icmp(IntCC::Equal, looked_at, wanted)
    }

    /// Whether an entry, or the lower half of each of two, is empty or too old.
    fn is_vacant(&mut self, entry: ir::Value, asked: &Vacancy) -> ir::Value {
        let used = self.builder.ins().band(entry, asked.valid);
        let empty = (self.builder.ins()).icmp(IntCC::Equal, used, asked.zero);
        let flags = self.builder.ins().band(entry, asked.flags);
        let plain = (self.builder.ins()).icmp(IntCC::Equal, flags, asked.valid);
        let seen = (self.builder.ins()).ushr_imm_u(entry, i64::from(SECONDS_SHIFT));
        let since = self.builder.ins().isub(asked.now, seen);
        let age = self.builder.ins().band(since, asked.seconds);
        let old = self.builder.ins().icmp(asked.older, age, asked.idle);
        let expired = self.builder.ins().band(plain, old);
        self.builder.ins().bor(empty, expired)
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
