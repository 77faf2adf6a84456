//! The packet function: loops over the descriptors of a batch.
//!
//! One loop does for a program that keeps no table. With a connection table a batch is taken in parts of [`PART`] packets,
//! each part in three loops, so that the table's lines come from memory while other packets are looked at: what comes
//! before the first effect on each way (see [`lvsc_ir::stage`]), whose values are saved on the stack; a load of the first
//! bucket that each packet will look at; the rest.

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
use crate::select::{Packet, Place, Select};

/// The packet function, and what is told of it.
pub(crate) struct Batch {
    pub(crate) function: Function,
    pub(crate) places: Places,
    pub(crate) loops: u64,
}

/// Packets that are taken through three loops together: more lines than come from memory at a time.
const PART: u32 = 64;
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
        None => all.each(&mut select, None, Looks::AtFrames, |select, place, next| {
            select.packet = Packet::at(select, place);
            select.program(next);
        }),
        Some(stages) => all.parts(&mut select, |select, part| {
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

/// Three loops over a part of a batch.
fn in_three(select: &mut Select<'_, '_>, stages: &Stages, part: Span) {
    let stride = saved::stride(stages);
    let room = StackSlotData::new(StackSlotKind::ExplicitSlot, PART * stride, 3);
    let room = select.builder.create_sized_stack_slot(room);
    let saved = select.builder.ins().stack_addr(I64, room, 0);
    let saved = Some((saved, stride));
    part.each(select, saved, Looks::AtFrames, |select, place, next| {
        select.packet = Packet::at(select, place);
        saved::prefix(select, stages, next);
    });
    part.each(select, saved, Looks::AtNothing, |select, place, next| {
        saved::touch(select, place);
        select.builder.ins().jump(next, &[]);
    });
    part.each(select, saved, Looks::AtFrames, |select, place, next| {
        select.packet = Packet::at(select, place);
        saved::rest(select, stages, next);
    });
}

/// What a loop looks at besides descriptors and what is saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    AtFrames,
    AtNothing,
}

/// Descriptors, at least one: addresses of the first one, and behind the last one.
#[derive(Clone, Copy)]
struct Span {
    first: ir::Value,
    behind: ir::Value,
}

impl Span {
    /// A loop over the descriptors. `body` handles one packet and goes to the block that it is given. What is saved for
    /// packets begins at an address, with so many bytes for each.
    ///
    /// A frame's address comes to its round as a parameter: made inside of it, its two parts would be kept for each access.
    fn each(
        self,
        select: &mut Select<'_, '_>,
        saved: Option<(ir::Value, u32)>,
        looks: Looks,
        body: impl FnOnce(&mut Select<'_, '_>, Place, ir::Block),
    ) {
        let builder = &mut select.builder;
        let [packet, next, again, end] = [(); 4].map(|()| builder.create_block());
        let place = Place {
            descriptor: builder.append_block_param(packet, I64),
            frame: (looks == Looks::AtFrames).then(|| builder.append_block_param(packet, I64)),
            saved: saved.map(|_| builder.append_block_param(packet, I64)),
        };
        let enter = |select: &mut Select<'_, '_>, descriptor, saved: Option<ir::Value>| {
            let frame = place.frame.map(|_| Packet::frame(select, descriptor));
            let args = [Some(descriptor), frame, saved].into_iter().flatten();
            let args: Vec<ir::BlockArg> = args.map(ir::BlockArg::from).collect();
            select.builder.ins().jump(packet, &args);
        };
        enter(select, self.first, saved.map(|(begin, _)| begin));

        select.builder.switch_to_block(packet);
        body(select, place, next);

        select.enter(next);
        select.builder.set_srcloc(SourceLoc::default());
        let ins = select.builder.ins();
        let after = ins.iadd_imm_u(place.descriptor, i64::from(Descriptor::SIZE));
        let ins = select.builder.ins();
        let more = ins.icmp(IntCC::NotEqual, after, self.behind);
        select.builder.ins().brif(more, again, &[], end, &[]);

        select.enter(again);
        let stride = saved.map_or(0, |(_, stride)| stride);
        let room = (place.saved).map(|at| select.builder.ins().iadd_imm_u(at, i64::from(stride)));
        enter(select, after, room);
        select.builder.seal_block(packet);
        select.enter(end);
    }

    /// A loop over parts of at most [`PART`] descriptors.
    fn parts(self, select: &mut Select<'_, '_>, body: impl FnOnce(&mut Select<'_, '_>, Span)) {
        let builder = &mut select.builder;
        let [part, end] = [(); 2].map(|()| builder.create_block());
        let first = builder.append_block_param(part, I64);
        builder.ins().jump(part, &[self.first.into()]);

        builder.switch_to_block(part);
        let left = builder.ins().isub(self.behind, first);
        let most = builder
            .ins()
            .iconst(I64, i64::from(PART * Descriptor::SIZE));
        let size = builder.ins().umin(left, most);
        let behind = builder.ins().iadd(first, size);
        body(select, Span { first, behind });

        let builder = &mut select.builder;
        let more = builder.ins().icmp(IntCC::NotEqual, behind, self.behind);
        builder.ins().brif(more, part, &[behind.into()], end, &[]);
        builder.seal_block(part);
        select.enter(end);
    }
}
