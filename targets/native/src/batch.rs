//! The packet function: loops over the descriptors of a batch.
//!
//! One loop does for a program that keeps no table. With a connection table a batch is taken in parts of many packets,
//! each part in three loops, so that the table's lines come from memory while other packets are looked at: over the
//! descriptors, what comes before a packet asks for what others write (see [`lvsc_ir::stage`]), whose values are saved on the
//! stack; over what was saved, a load of the first bucket that each packet will look at; the rest. A packet that asks for
//! nothing of the kind is decided in the first loop.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{
    self, AbiParam, Function, InstBuilder as _, Signature, SourceLoc, StackSlotData, StackSlotKind,
    UserFuncName,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lvsc_abi::layout::Layout;
use lvsc_abi::native::BATCH;
use lvsc_abi::place;
use lvsc_abi::verdict::Descriptor;
use lvsc_ir::program::Program;
use lvsc_ir::stage::Stages;

use crate::isa;
use crate::saved;
use crate::select::{Packet, Select};

/// The packet function, and what is told of it.
pub(crate) struct Batch {
    pub(crate) function: Function,
    pub(crate) places: Places,
    pub(crate) loops: u64,
}

/// Most bytes that are saved for a packet: the stack holds a part.
const SAVED: u32 = 128;

/// The places of a policy, numbered: Cranelift keeps a number for each instruction.
#[derive(Default)]
pub(crate) struct Places(Vec<place::Place>);

impl Places {
    pub(crate) fn number(&mut self, place: place::Place) -> SourceLoc {
        if self.0.last() != Some(&place) {
            self.0.push(place);
        }
        SourceLoc::new(self.0.len() as u32 - 1)
    }

    pub(crate) fn place(&self, number: SourceLoc) -> place::Place {
        let place = self.0.get(number.bits() as usize);
        place.copied().unwrap_or_default()
    }

    /// The places of code.
    pub(crate) fn of(&self, origins: &[(u32, SourceLoc)]) -> Vec<(u32, place::Place)> {
        let mut places: Vec<(u32, place::Place)> = Vec::new();
        for (offset, number) in origins {
            let place = self.place(*number);
            if places.last().is_none_or(|(_, last)| *last != place) {
                places.push((*offset, place));
            }
        }
        places
    }
}

/// Compiles a verified program.
pub(crate) fn compile(program: &Program, layout: &Layout) -> Batch {
    let mut signature = Signature::new(CallConv::SystemV);
    let parameters = [I64, I64, I64, I64, I32].map(AbiParam::new);
    signature.params.extend(parameters);
    let name = UserFuncName::testcase(BATCH);
    let mut function = Function::with_name_signature(name, signature);
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);

    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let &[image, frames, descriptors, count, worker] = builder.block_params(entry) else {
        unreachable!("as many as the signature says");
    };
    let worker = builder.ins().uextend(I64, worker);
    let size = builder.ins().imul_imm_u(count, i64::from(Descriptor::SIZE));
    let behind = builder.ins().iadd(descriptors, size);
    let memory = [image, frames, worker];
    let all = Span {
        first: descriptors,
        behind,
        step: Descriptor::SIZE,
    };
    let stages = Stages::of(program, layout).filter(|stages| saved::stride(stages) <= SAVED);
    let (program, loops) = match &stages {
        None => (program, 1),
        Some(stages) => (&stages.program, 3),
    };
    let mut select = Select::new(program, layout, builder, memory);
    let end = select.builder.create_block();
    let begin = select.builder.create_block();
    select.builder.ins().brif(count, begin, &[], end, &[]);
    select.enter(begin);
    match &stages {
        None => all.packets(&mut select, Select::program),
        Some(stages) => all.parts(&mut select, together(stages), |select, part| {
            in_three(select, stages, part);
        }),
    }
    select.builder.ins().jump(end, &[]);
    select.enter(end);
    select.builder.ins().return_(&[]);
    let places = select.finish(isa::isa().frontend_config());
    Batch {
        function,
        places,
        loops,
    }
}

/// Packets that are taken through three loops together: where most of them search, more lines than come from memory at a
/// time, and not so many that they do not stay.
fn together(stages: &Stages) -> u32 {
    if stages.are_few { 256 } else { 64 }
}

/// Three loops over a part of a batch.
fn in_three(select: &mut Select<'_, '_>, stages: &Stages, part: Span) {
    let stride = saved::stride(stages);
    let room = StackSlotData::new(StackSlotKind::ExplicitSlot, together(stages) * stride, 3);
    let room = select.builder.create_sized_stack_slot(room);
    let first = select.builder.ins().stack_addr(I64, room, 0);
    let free = select.builder.declare_var(I64);
    select.builder.def_var(free, first);
    part.packets(select, |select, next| {
        saved::prefix(select, stages, free, next);
    });
    let saved = Span {
        first,
        behind: select.builder.use_var(free),
        step: stride,
    };
    let [touch, end] = [(); 2].map(|()| select.builder.create_block());
    let ins = select.builder.ins();
    let any = ins.icmp(IntCC::NotEqual, saved.behind, first);
    select.builder.ins().brif(any, touch, &[], end, &[]);
    select.enter(touch);
    saved.each(
        select,
        |_, _| [],
        |select, at, [], next| {
            saved::touch(select, at);
            select.builder.ins().jump(next, &[]);
        },
    );
    saved.each(
        select,
        saved::packet,
        |select, at, [descriptor, frame], next| {
            select.packet = Packet::of(select, descriptor, frame);
            saved::rest(select, stages, at, next);
        },
    );
    select.builder.ins().jump(end, &[]);
    select.enter(end);
}

/// Things in a row, at least one: addresses of the first one, and behind the last one; the size of each (bytes).
#[derive(Clone, Copy)]
struct Span {
    first: ir::Value,
    behind: ir::Value,
    step: u32,
}

impl Span {
    /// A loop over descriptors. `body` handles [`Select::packet`] and goes to the block that it is given.
    fn packets<'a, 'f>(
        self,
        select: &mut Select<'a, 'f>,
        body: impl FnOnce(&mut Select<'a, 'f>, ir::Block),
    ) {
        let frame = |select: &mut Select<'a, 'f>, at| [Packet::frame(select, at)];
        self.each(select, frame, |select, at, [frame], next| {
            select.packet = Packet::of(select, at, frame);
            body(select, next);
        });
    }

    /// A loop. `body` handles what lies at an address and goes to the block that it is given; it gets what `before` makes of
    /// that address.
    ///
    /// That comes to a round as parameters: of a frame's address that is made inside of it, the two parts would be kept for
    /// each access.
    fn each<'a, 'f, const N: usize>(
        self,
        select: &mut Select<'a, 'f>,
        before: impl Fn(&mut Select<'a, 'f>, ir::Value) -> [ir::Value; N],
        body: impl FnOnce(&mut Select<'a, 'f>, ir::Value, [ir::Value; N], ir::Block),
    ) {
        let builder = &mut select.builder;
        let [round, next, again, end] = [(); 4].map(|()| builder.create_block());
        let at = builder.append_block_param(round, I64);
        let made = [(); N].map(|()| builder.append_block_param(round, I64));
        let enter = |select: &mut Select<'a, 'f>, at: ir::Value| {
            let args = [at].into_iter().chain(before(select, at));
            let args: Vec<ir::BlockArg> = args.map(ir::BlockArg::from).collect();
            select.builder.ins().jump(round, &args);
        };
        enter(select, self.first);

        select.builder.switch_to_block(round);
        body(select, at, made, next);

        select.enter(next);
        select.builder.set_srcloc(SourceLoc::default());
        let ins = select.builder.ins();
        let after = ins.iadd_imm_u(at, i64::from(self.step));
        let ins = select.builder.ins();
        let more = ins.icmp(IntCC::NotEqual, after, self.behind);
        select.builder.ins().brif(more, again, &[], end, &[]);

        select.enter(again);
        enter(select, after);
        select.builder.seal_block(round);
        select.enter(end);
    }

    /// A loop over parts of at most so many.
    fn parts(
        self,
        select: &mut Select<'_, '_>,
        most: u32,
        body: impl FnOnce(&mut Select<'_, '_>, Span),
    ) {
        let builder = &mut select.builder;
        let [part, end] = [(); 2].map(|()| builder.create_block());
        let first = builder.append_block_param(part, I64);
        builder.ins().jump(part, &[self.first.into()]);

        builder.switch_to_block(part);
        let left = builder.ins().isub(self.behind, first);
        let size = builder.ins().iconst(I64, i64::from(most * self.step));
        let size = builder.ins().umin(left, size);
        let behind = builder.ins().iadd(first, size);
        let taken = Span {
            first,
            behind,
            ..self
        };
        body(select, taken);

        let builder = &mut select.builder;
        let more = builder.ins().icmp(IntCC::NotEqual, behind, self.behind);
        builder.ins().brif(more, part, &[behind.into()], end, &[]);
        builder.seal_block(part);
        select.enter(end);
    }
}
