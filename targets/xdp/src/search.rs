//! Searches in a bucket of the connection table: entry after entry, the first that fits wins.

use lvsc_abi::flows::{ABSENT, BUCKET, SECONDS_MASK, SECONDS_SHIFT, TAG_SHIFT, VALID};
use lvsc_abi::layout::SectionId;
use lvsc_ir::program::Value;

use crate::insn::{Alu, Test, Width};
use crate::machine::{Condition, End, Label, Operand, Virtual};
use crate::select::Select;

/// The largest tag that an entry keeps.
const TAG_MAX: u64 = u64::MAX >> TAG_SHIFT;

impl Select<'_> {
    /// [`lvsc_abi::flows::find`]
    pub(crate) fn find(&mut self, section: SectionId, index: Value, tag: Value) -> Virtual {
        let bucket = self.element_address(section, index, BUCKET);
        let most = self.most(tag);
        let tag = self.register(tag);
        let wanted = self.with(Alu::Shl, tag, TAG_SHIFT as i32);
        let wanted = self.with(Alu::Or, wanted, VALID as i32);
        let others = self.constant(VALID | u64::MAX << TAG_SHIFT);
        // A tag that has more bits than an entry keeps is nobody's: its high bits would be shifted out.
        let mut absent = None;
        if most > TAG_MAX {
            let (here, none) = (self.open(), self.open());
            let is_tag = Condition {
                test: Test::Le,
                width: Width::Full,
                left: tag,
                right: Operand::Immediate(TAG_MAX as i32),
            };
            self.finish(End::If(is_tag, here, none));
            self.go_to(here);
            absent = Some(none);
        }
        self.search(bucket, absent, |this, entry, found, next| {
            let wrong = this.alu(Alu::Xor, entry, Operand::Register(wanted));
            let wrong = this.alu(Alu::And, wrong, Operand::Register(others));
            let fits = Condition {
                test: Test::Eq,
                width: Width::Full,
                left: wrong,
                right: Operand::Immediate(0),
            };
            this.finish(End::If(fits, found, next));
        })
    }

    /// [`lvsc_abi::flows::vacant`]
    pub(crate) fn vacant(
        &mut self,
        section: SectionId,
        index: Value,
        now: Value,
        idle: Value,
    ) -> Virtual {
        let bucket = self.element_address(section, index, BUCKET);
        let (now, idle) = (self.register(now), self.operand(idle, Width::Full));
        self.search(bucket, None, |this, entry, found, next| {
            let valid = this.masked(entry, VALID as u32);
            let used = this.open();
            let empty = Condition {
                test: Test::Eq,
                width: Width::Full,
                left: valid,
                right: Operand::Immediate(0),
            };
            this.finish(End::If(empty, found, used));
            this.go_to(used);
            let seconds = this.with(Alu::Shr, entry, SECONDS_SHIFT as i32);
            let age = this.alu(Alu::Sub, now, Operand::Register(seconds));
            let age = this.masked(age, SECONDS_MASK as u32);
            let old = Condition {
                test: Test::Gt,
                width: Width::Full,
                left: age,
                right: idle,
            };
            this.finish(End::If(old, found, next));
        })
    }

    /// The position of the first entry for which `ask` goes to its first label and not to the second; else 8, also from
    /// `absent`.
    fn search(
        &mut self,
        bucket: Virtual,
        absent: Option<Label>,
        mut ask: impl FnMut(&mut Self, Virtual, Label, Label),
    ) -> Virtual {
        let behind = self.open();
        let result = self.param(behind);
        for position in 0..BUCKET {
            let entry = self.load(8, bucket, position as i16 * 8);
            let (found, next) = match absent.filter(|_| position + 1 == BUCKET) {
                Some(absent) => (self.open(), absent),
                None => (self.open(), self.open()),
            };
            ask(self, entry, found, next);
            self.go_to(found);
            let position = self.constant(u64::from(position));
            self.finish(End::Jump(behind, vec![position]));
            self.go_to(next);
        }
        let nowhere = self.constant(ABSENT);
        self.finish(End::Jump(behind, vec![nowhere]));
        self.go_to(behind);
        result
    }
}
