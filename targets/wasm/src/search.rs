//! Searches in a bucket of the connection table; see [`lvsc_abi::flows`].

use lvsc_abi::flows::{
    ABSENT, BUCKET, FLOW_MASK, NOBODY, OPENING, SECONDS_MASK, SECONDS_SHIFT, TAG_MAX, TAG_SHIFT,
    VALID,
};
use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_ir::program::{Op, Program, Value};
use wasm_encoder::InstructionSink;

use crate::code::{Label, local, memory};
use crate::select::Select;

/// Tables from this many entries on (512 KiB) are searched with vectors. A comparison of all eight entries at once
/// pays where the line comes from memory; in a small, warm table the branches are predicted and cheaper.
const LARGE: u32 = 1 << 16;
const ENTRY: u32 = Element::Flow.stride();

/// Locals that a search with vectors takes.
pub(crate) const VECTORS: u32 = 4;

/// Locals of vectors that the searches of the program take.
pub(crate) fn vectors(program: &Program, layout: &Layout) -> u32 {
    let mut insts = program.blocks.values().flat_map(|block| &block.insts);
    let is_wide = insts.any(|inst| {
        matches!(inst.op, Op::Find(id, ..) | Op::Place(id, ..) if layout[id].length >= LARGE)
    });
    if is_wide { VECTORS } else { 0 }
}

/// A vector of two equal words.
fn twice(word: u64) -> i128 {
    let word = u128::from(word);
    i128::from_le_bytes((word << 64 | word).to_le_bytes())
}

impl Select<'_> {
    /// Leaves the address of the bucket whose number is `index`, and gives the static offset to go with it.
    pub(crate) fn bucket(&mut self, section: SectionId, index: Value) -> u64 {
        let buckets = self.layout[section].length / BUCKET;
        self.element(section, index, buckets, BUCKET * ENTRY)
    }

    pub(crate) fn find(&mut self, section: SectionId, index: Value, tag: Value) {
        let offset = self.wanted_in(section, index, tag);
        if self.layout[section].length >= LARGE {
            self.find_with_vectors(offset);
        } else {
            self.first(offset, Self::is_wanted);
        }
    }

    /// Sets what is looked for, and the address of the bucket; gives the static offset to go with it.
    fn wanted_in(&mut self, section: SectionId, index: Value, tag: Value) -> u64 {
        self.value(tag);
        self.code.sink().i64_const(i64::from(TAG_SHIFT)).i64_shl();
        self.code.i64(VALID);
        self.code.sink().i64_or();
        if self.ranges[tag].most > TAG_MAX {
            self.code.i64(NOBODY);
            self.value(tag);
            self.code.i64(TAG_MAX);
            self.code.sink().i64_le_u().select();
        }
        self.code.sink().local_set(local::WANTED);
        let offset = self.bucket(section, index);
        self.code.sink().local_set(local::ADDRESS);
        offset
    }

    /// Takes an entry, and leaves whether it has the tag.
    fn is_wanted(&mut self) {
        self.code.i64(FLOW_MASK);
        self.code.sink().i64_and().local_get(local::WANTED).i64_eq();
    }

    pub(crate) fn place(
        &mut self,
        section: SectionId,
        index: Value,
        tag: Value,
        (now, idle): (Value, Value),
    ) {
        let offset = self.wanted_in(section, index, tag);
        // An entry that is in use is never older.
        let ages = self.ranges[idle].constant() < Some(SECONDS_MASK);
        if ages {
            self.value(now);
            self.code.sink().local_set(local::NOW);
            self.value(idle);
            self.code.sink().local_set(local::IDLE);
        }
        if self.layout[section].length >= LARGE && (!ages || self.ranges[idle].most <= SECONDS_MASK)
        {
            return self.place_with_vectors(offset, ages);
        }
        let wide = local::WIDE;
        self.first(offset, |this| {
            this.code.sink().local_tee(wide);
            this.is_wanted();
            let mut sink = this.code.sink();
            sink.local_get(wide).i64_const(1).i64_and().i64_eqz();
            sink.i32_or();
            if !ages {
                return;
            }
            sink.local_get(local::NOW).local_get(wide);
            this.code.i64(u64::from(SECONDS_SHIFT));
            this.code.sink().i64_shr_u().i64_sub();
            this.code.i64(SECONDS_MASK);
            this.code.sink().i64_and().local_get(local::IDLE).i64_gt_u();
            this.code.sink().local_get(wide);
            this.code.i64(OPENING);
            this.code.sink().i64_and().i64_eqz().i32_and().i32_or();
        });
    }

    /// Leaves the position of the first entry that fits; `fits` takes an entry and leaves an i32.
    fn first(&mut self, offset: u64, fits: impl Fn(&mut Self)) {
        self.code.open_giving(Label::Inner);
        for position in 0..BUCKET {
            self.code.i64(u64::from(position));
            let at = memory(offset + u64::from(position * ENTRY), 3);
            self.code.sink().local_get(local::ADDRESS).i64_load(at);
            fits(self);
            self.code.branch_if(Label::Inner);
            self.code.sink().drop();
        }
        self.code.i64(ABSENT);
        self.code.close();
    }

    fn find_with_vectors(&mut self, offset: u64) {
        let [wanted, ..] = self.vectors();
        let mut sink = self.code.sink();
        sink.local_get(local::WANTED).i64x2_splat();
        sink.local_set(wanted);
        self.first_with_vectors(offset, |sink| {
            sink.v128_const(twice(FLOW_MASK)).v128_and();
            sink.local_get(wanted).i64x2_eq();
        });
    }

    /// What tells the age of an entry is in its lower half.
    fn place_with_vectors(&mut self, offset: u64, ages: bool) {
        let [wanted, now, idle, two] = self.vectors();
        let mut sink = self.code.sink();
        sink.local_get(local::WANTED).i64x2_splat();
        sink.local_set(wanted);
        if ages {
            for (time, vector) in [(local::NOW, now), (local::IDLE, idle)] {
                sink.local_get(time).i32_wrap_i64().i32x4_splat();
                sink.local_set(vector);
            }
        }
        self.first_with_vectors(offset, |sink| {
            let none = |sink: &mut InstructionSink<'_>, flag| {
                sink.local_get(two).v128_const(twice(flag)).v128_and();
                sink.v128_const(0).i32x4_eq();
            };
            sink.local_tee(two).v128_const(twice(FLOW_MASK)).v128_and();
            sink.local_get(wanted).i64x2_eq();
            none(sink, VALID);
            if ages {
                sink.local_get(now).local_get(two);
                sink.i32_const(SECONDS_SHIFT.cast_signed()).i32x4_shr_u();
                sink.i32x4_sub().v128_const(twice(SECONDS_MASK)).v128_and();
                sink.local_get(idle).i32x4_gt_s();
                none(sink, OPENING);
                sink.v128_and().v128_or();
            }
            sink.v128_const(twice(u64::from(u32::MAX))).v128_and();
            sink.v128_or();
        });
    }

    /// Leaves the position of the first entry that fits; `fits` takes two entries and leaves ones in the lower half at least of
    /// those that do. Four vectors of two entries become sixteen bytes, two an entry; the lowest bit set is the position.
    fn first_with_vectors(&mut self, offset: u64, fits: impl Fn(&mut InstructionSink<'_>)) {
        for half in [0, 1] {
            for pair in [0, 1] {
                let at = memory(offset + u64::from((half * 4 + pair * 2) * ENTRY), 4);
                let mut sink = self.code.sink();
                sink.local_get(local::ADDRESS).v128_load(at);
                fits(&mut sink);
            }
            self.code.sink().i16x8_narrow_i32x4_s();
        }
        let absent = i32::from(ABSENT as u8) * 2;
        let mut sink = self.code.sink();
        sink.i8x16_narrow_i16x8_s().i8x16_bitmask();
        sink.i32_const(1 << absent)
            .i32_or()
            .i32_ctz()
            .i32_const(1)
            .i32_shr_u();
        sink.i64_extend_i32_u();
    }
}
