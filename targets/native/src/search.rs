//! Searches in a bucket of the connection table; see [`lvsc_abi::flows`].

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{self, InstBuilder as _};
use lvsc_abi::flows::{ABSENT, BUCKET, SECONDS_MASK, SECONDS_SHIFT, TAG_SHIFT, VALID};
use lvsc_abi::layout::{Element, SectionId};
use lvsc_ir::program::Value;

use crate::section::Address;
use crate::select::Select;

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
        let mask = self.constant(MASK);
        self.first(bucket, |this, entry| {
            let looked_at = this.builder.ins().band(entry, mask);
            this.builder.ins().icmp(IntCC::Equal, looked_at, wanted)
        })
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

    pub(crate) fn vacant(
        &mut self,
        section: SectionId,
        index: Value,
        now: Value,
        idle: Value,
    ) -> ir::Value {
        let bucket = self.bucket(section, index);
        let [now, idle] = [now, idle].map(|value| self.value(value));
        let [valid, seconds] = [VALID, SECONDS_MASK].map(|number| self.constant(number));
        self.first(bucket, |this, entry| {
            let flag = this.builder.ins().band(entry, valid);
            let zero = this.constant(0);
            let empty = this.builder.ins().icmp(IntCC::Equal, flag, zero);
            let shift = i64::from(SECONDS_SHIFT);
            let seen = this.builder.ins().ushr_imm_u(entry, shift);
            let since = this.builder.ins().isub(now, seen);
            let age = this.builder.ins().band(since, seconds);
            let how = IntCC::UnsignedGreaterThan;
            let old = this.builder.ins().icmp(how, age, idle);
            this.builder.ins().bor(empty, old)
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
