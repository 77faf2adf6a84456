//! The packet function: a loop over the descriptors of a batch.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{
    self, AbiParam, Function, InstBuilder as _, Signature, SourceLoc, UserFuncName,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lvsc_abi::layout::Layout;
use lvsc_abi::native::BATCH;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Descriptor;
use lvsc_ir::program::Program;

use crate::isa;
use crate::select::{Packet, Select};

/// The packet function, and where it comes from.
pub(crate) struct Batch {
    pub(crate) function: Function,
    pub(crate) places: Places,
}

/// The places of a policy, numbered: Cranelift keeps a number for each instruction.
#[derive(Default)]
pub(crate) struct Places(Vec<Place>);

impl Places {
    pub(crate) fn number(&mut self, place: Place) -> SourceLoc {
        if self.0.last() != Some(&place) {
            self.0.push(place);
        }
        SourceLoc::new(self.0.len() as u32 - 1)
    }

    pub(crate) fn place(&self, number: SourceLoc) -> Place {
        let place = self.0.get(number.bits() as usize);
        place.copied().unwrap_or_default()
    }

    /// The places of code.
    pub(crate) fn of(&self, origins: &[(u32, SourceLoc)]) -> Vec<(u32, Place)> {
        let mut places: Vec<(u32, Place)> = Vec::new();
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
    let mut select = Select::new(program, layout, builder, image, worker);
    each(&mut select, frames, (descriptors, count));
    let places = select.finish(isa::isa().frontend_config());
    Batch { function, places }
}

/// The loop.
fn each(
    select: &mut Select<'_, '_>,
    frames: ir::Value,
    (descriptors, count): (ir::Value, ir::Value),
) {
    let builder = &mut select.builder;
    let [packet, next, end] = [(); 3].map(|()| builder.create_block());
    let descriptor = builder.append_block_param(packet, I64);
    let size = builder.ins().imul_imm_u(count, i64::from(Descriptor::SIZE));
    let behind = builder.ins().iadd(descriptors, size);
    builder
        .ins()
        .brif(count, packet, &[descriptors.into()], end, &[]);

    builder.switch_to_block(packet);
    select.packet = Packet::at(select, frames, descriptor);
    select.program(next);

    let builder = &mut select.builder;
    builder.switch_to_block(next);
    builder.seal_block(next);
    let after = builder
        .ins()
        .iadd_imm_u(descriptor, i64::from(Descriptor::SIZE));
    let more = builder.ins().icmp(IntCC::NotEqual, after, behind);
    builder.ins().brif(more, packet, &[after.into()], end, &[]);
    builder.seal_block(packet);

    builder.switch_to_block(end);
    builder.seal_block(end);
    builder.ins().return_(&[]);
}
