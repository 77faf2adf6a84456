//! What is saved for a packet between two loops: where it goes on, the address to touch, its descriptor's, values; words of
//! eight bytes.

use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{self, InstBuilder as _};
use cranelift_frontend::{Switch, Variable};
use lvsc_ir::program::{Program, Value};
use lvsc_ir::stage::{Resume, Stages};

use crate::select::{Memory, Packet, Select};

/// Size of a word (bytes).
const WORD: u32 = 8;
/// Offsets of the words (bytes).
const RESUME: i32 = 0;
const TOUCH: i32 = 8;
const DESCRIPTOR: i32 = 16;
const VALUES: i32 = 24;

/// Bytes saved for a packet.
pub(crate) fn stride(stages: &Stages) -> u32 {
    VALUES.cast_unsigned() + stages.values * WORD
}

/// Offset of each saved value, and the value.
fn values(resume: &Resume) -> impl Iterator<Item = (i32, Value)> + use<'_> {
    let offsets = (VALUES..).step_by(WORD as usize);
    offsets.zip(resume.live.iter().copied())
}

/// The first loop: up to where the packet goes on later. What is `free` moves behind what is saved for it.
pub(crate) fn prefix(
    select: &mut Select<'_, '_>,
    stages: &Stages,
    free: Variable,
    next: ir::Block,
) {
    let blocks = select.blocks(&stages.prefix);
    select.builder.ins().jump(blocks.of(Program::ENTRY), &[]);
    for block in &stages.prefix {
        select.enter(blocks.of(*block));
        if let Some((number, resume)) = stages.resume(*block) {
            let at = select.builder.use_var(free);
            save(select, at, number, resume);
            let size = i64::from(stride(stages));
            let behind = select.builder.ins().iadd_imm_u(at, size);
            select.builder.def_var(free, behind);
            select.builder.ins().jump(next, &[]);
        } else {
            select.block(*block, &blocks, next);
        }
    }
}

fn save(select: &mut Select<'_, '_>, saved: ir::Value, number: usize, resume: &Resume) {
    let number = select.constant(number as u64);
    // Where no bucket is known, something warm.
    let touch = match resume.bucket {
        Some((section, index)) => {
            let bucket = select.bucket(section, index);
            select.whole(bucket)
        }
        None => select.packet.descriptor,
    };
    let descriptor = select.packet.descriptor;
    let mut words = vec![(RESUME, number), (TOUCH, touch), (DESCRIPTOR, descriptor)];
    for (at, value) in values(resume) {
        words.push((at, select.value(value)));
    }
    let flags = select.flags(Memory::Saved);
    for (at, word) in words {
        select.builder.ins().store(flags, word, saved, at);
    }
}

/// The second loop: the line of the first bucket, loaded for nothing but to be near.
pub(crate) fn touch(select: &mut Select<'_, '_>, saved: ir::Value) {
    let flags = select.flags(Memory::Saved);
    let ins = select.builder.ins();
    let address = ins.load(I64, flags, saved, TOUCH);
    // An atomic load is not left out because nobody looks at it.
    let flags = select.flags(Memory::Image);
    select.builder.ins().atomic_load(I8, flags, address);
}

/// The packet for which this is saved: its descriptor, and the address of its frame.
pub(crate) fn packet(select: &mut Select<'_, '_>, saved: ir::Value) -> [ir::Value; 2] {
    let flags = select.flags(Memory::Saved);
    let ins = select.builder.ins();
    let descriptor = ins.load(I64, flags, saved, DESCRIPTOR);
    [descriptor, Packet::frame(select, descriptor)]
}

/// The last loop: each packet goes on where the first loop left it.
pub(crate) fn rest(
    select: &mut Select<'_, '_>,
    stages: &Stages,
    saved: ir::Value,
    next: ir::Block,
) {
    let flags = select.flags(Memory::Saved);
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
        for (at, value) in values(resume) {
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
