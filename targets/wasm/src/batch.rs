//! The packet function: loops over the descriptors of a batch.
//!
//! One loop does for a program that keeps no table. With a connection table there are three, so that the table's lines come
//! from memory while other packets are looked at:
//!
//! 1. over the descriptors: what comes before a packet asks for what others write. One that never does is decided. Of
//!    another one, where it goes on and the values that it needs there are saved, and the address of the first bucket that
//!    it will look at;
//! 2. over what was saved: touches those addresses;
//! 3. over what was saved: goes on with each packet, in order.
//!
//! The first loop reads only the packet's own frame and sections that the control plane writes, so that the three do
//! what one would.

use lvsc_abi::engine::BATCH;
use lvsc_abi::layout::Layout;
use lvsc_abi::module::{Map, SAVED};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Descriptor;
use lvsc_ir::program::{BlockId, Program};
use lvsc_ir::stage::{Resume, Stages};
use wasm_encoder::Function;

use crate::code::{Label, local, memory};
use crate::select::Select;

/// The packet function and what is told of it.
pub(crate) struct Batch {
    pub(crate) function: Function,
    pub(crate) places: Vec<(u32, Place)>,
    pub(crate) locals: u32,
    pub(crate) loops: u64,
}

/// Offsets in a descriptor (bytes).
const OFFSET: u64 = 0;
const LENGTH: u64 = 4;
/// Offsets in what is saved for a packet (bytes): which resume, the address to touch, the descriptor's place. Values come
/// behind.
const RESUME: u64 = 0;
const TOUCH: u64 = 4;
const PACKET: u64 = 8;
const VALUES: u32 = 16;
/// Size of a saved value (bytes).
const WORD: u32 = 8;

/// Compiles a verified program.
pub(crate) fn compile(program: &Program, layout: &Layout, map: &Map) -> Batch {
    let Some(stages) = Stages::of(program, layout).filter(|stages| stride(stages) <= SAVED) else {
        let mut select = Select::new(program, layout, map);
        head(&mut select);
        let order = program.reverse_postorder();
        batch(&mut select);
        each(&mut select, Descriptor::SIZE, |select| {
            frame(select);
            select.region(&order, &[], |_| {}, Select::block);
        });
        return finish(select, 1);
    };
    let stride = stride(&stages);
    let mut select = Select::new(&stages.program, layout, map);
    head(&mut select);
    before_saved(&mut select, stride);
    batch(&mut select);
    each(&mut select, Descriptor::SIZE, |select| {
        prefix(select, &stages);
    });
    all_saved(&mut select, stride);
    each(&mut select, stride, |select| {
        let (touch, line) = (memory(TOUCH, 2), memory(0, 0));
        select
            .code
            .sink()
            .local_get(local::SAVED)
            .i32_load(touch)
            .i32_load8_u(line)
            .drop();
    });
    before_saved(&mut select, stride);
    each(&mut select, stride, |select| rest(select, &stages));
    finish(select, 3)
}

/// Bytes saved for a packet.
fn stride(stages: &Stages) -> u32 {
    VALUES + stages.values * WORD
}

fn finish(mut select: Select<'_>, loops: u64) -> Batch {
    select.code.sink().end();
    let Select { code, locals, .. } = select;
    Batch {
        function: code.function,
        places: code.places,
        locals,
        loops,
    }
}

/// Refuses what is no part of the descriptors, and ends where there is nothing to do.
fn head(select: &mut Select<'_>) {
    select.code.mark(Place::default());
    select.code.sink().local_get(local::TO);
    select.code.i32(BATCH as u32);
    select.code.sink().i32_gt_u();
    select.code.open_if();
    select.code.sink().unreachable();
    select.code.close();
    select
        .code
        .sink()
        .local_get(local::FROM)
        .local_get(local::TO)
        .i32_ge_u();
    select.code.open_if();
    select.code.sink().return_();
    select.code.close();
}

/// Begins before the first descriptor, and ends with the last one.
fn batch(select: &mut Select<'_>) {
    let before = |select: &mut Select<'_>, limit| {
        select.code.sink().local_get(limit).i32_const(1).i32_sub();
        select.code.i32(Descriptor::SIZE);
        select.code.sink().i32_mul();
    };
    before(select, local::FROM);
    select.code.sink().local_set(local::DESCRIPTOR);
    select.code.sink().i32_const(0);
    before(select, local::TO);
    let end = select.end();
    select.code.sink().i32_store(end);
    select.round = local::DESCRIPTOR;
}

/// Begins before what is saved for the first packet.
fn before_saved(select: &mut Select<'_>, stride: u32) {
    select.code.i32(select.map.saved.offset - stride);
    select.code.sink().local_set(local::SAVED);
}

/// Begins before what is saved for the first packet, and ends with what was saved last, or here where that is nothing.
fn all_saved(select: &mut Select<'_>, stride: u32) {
    let end = select.end();
    select
        .code
        .sink()
        .i32_const(0)
        .local_get(local::SAVED)
        .i32_store(end)
        .local_get(local::SAVED);
    before_saved(select, stride);
    select.code.sink().local_get(local::SAVED).i32_eq();
    select.code.open_if();
    select.code.sink().return_();
    select.code.close();
    select.round = local::SAVED;
}

/// A loop with a step for each packet. `body` handles one packet and may leave by [`Label::Packet`].
///
/// Each round begins with the step to its packet: Cranelift knows that the sum has no higher bits, so that place and address
/// are one value.
fn each(select: &mut Select<'_>, step: u32, body: impl FnOnce(&mut Select<'_>)) {
    select.code.mark(Place::default());
    select.code.open(Label::Done);
    select.code.open_loop();
    advance(select, select.round, step);
    select.code.open(Label::Packet);
    body(select);
    select.code.close();
    select.code.mark(Place::default());
    select.next_packet();
    select.code.close();
    select.code.close();
}

fn advance(select: &mut Select<'_>, pointer: u32, bytes: u32) {
    select.code.sink().local_get(pointer);
    select.code.i32(bytes);
    select.code.sink().i32_add().local_set(pointer);
}

/// Makes the frame of the descriptor the current one.
fn frame(select: &mut Select<'_>) {
    let (offset, length) = (select.descriptor(OFFSET, 2), select.descriptor(LENGTH, 1));
    let mut sink = select.code.sink();
    sink.local_get(local::DESCRIPTOR)
        .i32_load(offset)
        .local_set(local::FRAME);
    sink.local_get(local::DESCRIPTOR)
        .i64_load16_u(length)
        .local_set(local::LENGTH);
}

/// The first loop: up to where the packet goes on later.
fn prefix(select: &mut Select<'_>, stages: &Stages) {
    frame(select);
    let body = |select: &mut Select<'_>, block, next| {
        if let Some((number, resume)) = stages.resume(block) {
            save(select, stages, number, resume);
        } else {
            select.block(block, next);
        }
    };
    select.region(&stages.prefix, &[], |_| {}, body);
}

fn save(select: &mut Select<'_>, stages: &Stages, number: usize, resume: &Resume) {
    advance(select, local::SAVED, stride(stages));
    select.code.sink().local_get(local::SAVED);
    select.code.i32(number as u32);
    select
        .code
        .sink()
        .i32_store(memory(RESUME, 2))
        .local_get(local::SAVED)
        .local_get(local::DESCRIPTOR)
        .i32_store(memory(PACKET, 2))
        .local_get(local::SAVED);
    if let Some((section, index)) = resume.bucket {
        let offset = select.bucket(section, index);
        select.code.i32(offset as u32);
        select.code.sink().i32_add();
    } else {
        // Warm in any case.
        select.code.i32(select.map.descriptors.offset);
    }
    select.code.sink().i32_store(memory(TOUCH, 2));
    for (at, value) in kept(select, resume) {
        select
            .code
            .sink()
            .local_get(local::SAVED)
            .local_get(value)
            .i64_store(memory(at, 3));
    }
    select.next_packet();
    select.code.branch(Label::Done);
}

/// Offset of each saved value, and its local.
fn kept(select: &Select<'_>, resume: &Resume) -> Vec<(u64, u32)> {
    let locals = resume
        .live
        .iter()
        .filter_map(|value| select.local_of(*value));
    (VALUES..)
        .step_by(WORD as usize)
        .map(u64::from)
        .zip(locals)
        .collect()
}

/// The last loop: each packet goes on where the first loop left it.
fn rest(select: &mut Select<'_>, stages: &Stages) {
    select
        .code
        .sink()
        .local_get(local::SAVED)
        .i32_load(memory(PACKET, 2))
        .local_set(local::DESCRIPTOR);
    frame(select);
    let entries: Vec<BlockId> = stages.resumes.iter().map(|resume| resume.block).collect();
    let dispatch = |select: &mut Select<'_>| {
        let numbers = 0..stages.resumes.len();
        numbers
            .clone()
            .rev()
            .for_each(|number| select.code.open(Label::Resume(number)));
        let depths: Vec<u32> = numbers
            .map(|number| select.code.depth(Label::Resume(number)))
            .collect();
        select
            .code
            .sink()
            .local_get(local::SAVED)
            .i32_load(memory(RESUME, 2));
        let last = depths.last().copied().unwrap_or_default();
        select.code.sink().br_table(depths, last);
        for resume in &stages.resumes {
            select.code.close();
            for (at, value) in kept(select, resume) {
                let at = memory(at, 3);
                select
                    .code
                    .sink()
                    .local_get(local::SAVED)
                    .i64_load(at)
                    .local_set(value);
            }
            select.code.branch(Label::Block(resume.block));
        }
    };
    select.region(&stages.rest, &entries, dispatch, Select::block);
}
