//! What is saved for a packet between two loops: where it goes on, the address to touch, addresses of counters, values;
//! words of eight bytes.

use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{self, InstBuilder as _};
use cranelift_frontend::Switch;
use lvsc_ir::program::{Program, Value};
use lvsc_ir::stage::{Resume, Stages};

use crate::section::Address;
use crate::select::{Memory, Place, Select};

/// Size of a word (bytes).
const WORD: u32 = 8;
/// Offsets of the words (bytes).
const RESUME: i32 = 0;
const TOUCH: i32 = 8;
const COUNTERS: i32 = 16;

/// Bytes saved for a packet.
pub(crate) fn stride(stages: &Stages) -> u32 {
    (2 + stages.counts + stages.values) * WORD
}

/// Offset of each counter's address.
fn counters(stages: &Stages) -> impl Iterator<Item = i32> + use<> {
    let words = 0..stages.counts.cast_signed();
    words.map(|number| COUNTERS + number * WORD.cast_signed())
}

/// Offset of each saved value, and the value.
fn values(stages: &Stages, resume: &Resume) -> Vec<(i32, Value)> {
    let first = COUNTERS + (stages.counts * WORD).cast_signed();
    let offsets = (first..).step_by(WORD as usize);
    offsets.zip(resume.live.iter().copied()).collect()
}

/// The first loop: up to where the packet goes on later.
pub(crate) fn prefix(select: &mut Select<'_, '_>, stages: &Stages, next: ir::Block) {
    let none = select.constant(0);
    select.counters = counters(stages)
        .map(|_| select.builder.declare_var(I64))
        .collect();
    for counter in select.counters.clone() {
        select.builder.def_var(counter, none);
    }
    let blocks = select.blocks(&stages.prefix);
    select.builder.ins().jump(blocks.of(Program::ENTRY), &[]);
    for block in &stages.prefix {
        select.enter(blocks.of(*block));
        if let Some((number, resume)) = stages.resume(*block) {
            save(select, stages, number, resume);
            select.builder.ins().jump(next, &[]);
        } else {
            select.waiting = Some(stages.counted(*block) as usize);
            select.block(*block, &blocks, next);
            select.waiting = None;
        }
    }
}

fn save(select: &mut Select<'_, '_>, stages: &Stages, number: usize, resume: &Resume) {
    let number = select.constant(number as u64);
    // Where no bucket is known, something warm.
    let touch = match resume.bucket {
        Some((section, index)) => {
            let bucket = select.bucket(section, index);
            select.whole(bucket)
        }
        None => select.packet.place.descriptor,
    };
    let mut words = vec![(RESUME, number), (TOUCH, touch)];
    for (at, counter) in counters(stages).zip(select.counters.clone()) {
        words.push((at, select.builder.use_var(counter)));
    }
    for (at, value) in values(stages, resume) {
        words.push((at, select.value(value)));
    }
    let (flags, saved) = (select.flags(Memory::Saved), select.packet.place.saved());
    for (at, word) in words {
        select.builder.ins().store(flags, word, saved, at);
    }
}

/// The second loop: the line of the first bucket, loaded for nothing but to be near.
pub(crate) fn touch(select: &mut Select<'_, '_>, place: Place) {
    let flags = select.flags(Memory::Saved);
    let ins = select.builder.ins();
    let address = ins.load(I64, flags, place.saved(), TOUCH);
    // An atomic load is not left out because nobody looks at it.
    let flags = select.flags(Memory::Image);
    select.builder.ins().atomic_load(I8, flags, address);
}

/// The last loop: each packet goes on where the first loop left it.
pub(crate) fn rest(select: &mut Select<'_, '_>, stages: &Stages, next: ir::Block) {
    let (flags, saved) = (select.flags(Memory::Saved), select.packet.place.saved());
    for at in counters(stages) {
        let address = select.builder.ins().load(I64, flags, saved, at);
        let [counted, behind] = [(); 2].map(|()| select.builder.create_block());
        let ins = select.builder.ins();
        ins.brif(address, counted, &[], behind, &[]);
        select.enter(counted);
        select.count_at(Address::of(address));
        select.builder.ins().jump(behind, &[]);
        select.enter(behind);
    }
    let number = select.builder.ins().load(I64, flags, saved, RESUME);
    let ways: Vec<ir::Block> = (stages.resumes.iter())
        .map(|_| select.builder.create_block())
        .collect();
    let mut switch = Switch::new();
    let (last, others) = ways.split_last().expect("a packet goes on somewhere");
    for (number, way) in (0..).zip(others) {
        switch.set_entry(number, *way);
    }
    switch.emit(&mut select.builder, number, *last);
    let blocks = select.blocks(&stages.rest);
    for (way, resume) in ways.iter().zip(&stages.resumes) {
        select.enter(*way);
        for (at, value) in values(stages, resume) {
            let word = select.builder.ins().load(I64, flags, saved, at);
            select.define(value, word);
        }
        select.builder.ins().jump(blocks.of(resume.block), &[]);
    }
    for block in &stages.rest {
        select.enter(blocks.of(*block));
        select.block(*block, &blocks, next);
    }
}
