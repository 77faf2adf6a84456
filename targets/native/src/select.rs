//! Instruction selection: block by block, values in variables of 64 bits. Cranelift has the rest: registers, addresses,
//! what is made once and what anew.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{
    self, AliasRegion, AliasRegionData, Endianness, InstBuilder as _, MemFlagsData,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, Variable};
use lvsc_abi::layout::Layout;
use lvsc_abi::verdict::Verdict;
use lvsc_ir::arena::Arena;
use lvsc_ir::graph::Graph;
use lvsc_ir::program::{Binary, BlockId, Compare, Inst, Jump, Op, Program, Terminator, Value};
use lvsc_ir::proven::{self, Proven};
use lvsc_ir::range::{self, Range};
use lvsc_ir::stage;

use crate::batch::Places;

/// Offsets in a descriptor (bytes).
mod descriptor {
    pub(super) const OFFSET: i32 = 0;
    pub(super) const LENGTH: i32 = 4;
    pub(super) const VERDICT: i32 = 6;
    pub(super) const INTERFACE: i32 = 7;
}

/// Memory that is of one kind: no access to it touches that of another.
#[derive(Clone, Copy)]
pub(crate) enum Memory {
    Descriptors,
    Frames,
    Image,
    Saved,
}

/// The packet that is decided.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    /// Address of its descriptor.
    pub(crate) descriptor: ir::Value,
    /// Address of its first byte.
    pub(crate) frame: ir::Value,
    /// Its length (bytes).
    pub(crate) length: ir::Value,
}

impl Packet {
    /// The packet of this descriptor, with its frame there.
    pub(crate) fn of(
        select: &mut Select<'_, '_>,
        descriptor: ir::Value,
        frame: ir::Value,
    ) -> Packet {
        let flags = select.flags(Memory::Descriptors).with_aligned();
        let ins = select.builder.ins();
        Packet {
            descriptor,
            frame,
            length: ins.uload16(I64, flags, descriptor, descriptor::LENGTH),
        }
    }

    /// The address of the first byte of the packet whose descriptor lies there.
    pub(crate) fn frame(select: &mut Select<'_, '_>, descriptor: ir::Value) -> ir::Value {
        let flags = select.flags(Memory::Descriptors).with_aligned();
        let ins = select.builder.ins();
        let offset = ins.uload32(flags, descriptor, descriptor::OFFSET);
        select.builder.ins().iadd(select.frames, offset)
    }
}

/// The blocks of a region.
pub(crate) struct Blocks(Arena<BlockId, Option<ir::Block>>);

impl Blocks {
    pub(crate) fn of(&self, id: BlockId) -> ir::Block {
        self.0[id].expect("a jump stays in its region")
    }
}

/// Writes the code of a program's blocks.
pub(crate) struct Select<'a, 'f> {
    pub(crate) builder: FunctionBuilder<'f>,
    pub(crate) layout: &'a Layout,
    /// Address of the image.
    pub(crate) image: ir::Value,
    pub(crate) ranges: Arena<Value, Range>,
    /// What is known of the frame's length at the begin of each block.
    pub(crate) proven: Arena<BlockId, Proven>,
    /// The block that is written.
    pub(crate) current: BlockId,
    /// The packet that is decided.
    pub(crate) packet: Packet,
    frames: ir::Value,
    worker: ir::Value,
    program: &'a Program,
    variables: Arena<Value, Variable>,
    makers: Arena<Value, Option<&'a Inst>>,
    regions: [AliasRegion; 4],
    places: Places,
}

impl<'a, 'f> Select<'a, 'f> {
    pub(crate) fn new(
        program: &'a Program,
        layout: &'a Layout,
        mut builder: FunctionBuilder<'f>,
        [image, frames, worker]: [ir::Value; 3],
    ) -> Select<'a, 'f> {
        let graph = Graph::of(program);
        let variables = (0..program.values).map(|_| builder.declare_var(I64));
        let variables = variables.collect();
        let regions = [
            (Memory::Descriptors, "descriptors"),
            (Memory::Frames, "frames"),
            (Memory::Image, "image"),
            (Memory::Saved, "saved"),
        ];
        let regions = regions.map(|(memory, name)| {
            builder.func.dfg.alias_regions.insert(AliasRegionData {
                user_id: memory as u32,
                description: name.into(),
            })
        });
        Select {
            builder,
            layout,
            image,
            ranges: range::of(program, &graph),
            proven: proven::at_begin(program, &graph),
            current: Program::ENTRY,
            // Until there is a packet.
            packet: Packet {
                descriptor: image,
                frame: image,
                length: image,
            },
            frames,
            worker,
            program,
            variables,
            makers: stage::makers(program),
            regions,
            places: Places::default(),
        }
    }

    /// Ends the function.
    pub(crate) fn finish(self, config: TargetFrontendConfig) -> Places {
        self.builder.finalize(config);
        self.places
    }

    /// How memory of this kind is accessed.
    pub(crate) fn flags(&self, memory: Memory) -> MemFlagsData {
        MemFlagsData::new()
            .with_notrap()
            .with_endianness(Endianness::Little)
            .with_alias_region(Some(self.regions[memory as usize]))
    }

    /// Goes on in a block to which nothing jumps any more that is not written yet.
    pub(crate) fn enter(&mut self, block: ir::Block) {
        self.builder.switch_to_block(block);
        self.builder.seal_block(block);
    }

    /// Blocks for those of a region, in which each jump goes to a later one.
    pub(crate) fn blocks(&mut self, order: &[BlockId]) -> Blocks {
        let mut blocks: Arena<BlockId, Option<ir::Block>> =
            self.program.blocks.ids().map(|_| None).collect();
        for id in order {
            blocks[*id] = Some(self.builder.create_block());
        }
        Blocks(blocks)
    }

    /// Writes the whole program; where a packet is decided, goes to `next`.
    pub(crate) fn program(&mut self, next: ir::Block) {
        let order = self.program.reverse_postorder();
        let blocks = self.blocks(&order);
        self.builder.ins().jump(blocks.of(Program::ENTRY), &[]);
        for id in order {
            self.enter(blocks.of(id));
            self.block(id, &blocks, next);
        }
    }

    /// Writes a block, which was entered.
    pub(crate) fn block(&mut self, id: BlockId, blocks: &Blocks, next: ir::Block) {
        let program = self.program;
        let block = &program.blocks[id];
        self.current = id;
        for inst in &block.insts {
            self.inst(inst);
        }
        self.mark(block.place);
        let to = |jump: &Jump| blocks.of(jump.to);
        match &block.end {
            Terminator::Jump(jump) => self.go(jump, to(jump)),
            Terminator::If {
                condition,
                then,
                otherwise,
            } => {
                let condition = self.value(*condition);
                self.fork(condition, (then, to(then)), (otherwise, to(otherwise)));
            }
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            } => {
                let condition = self.bounds(*base, *length);
                self.fork(condition, (then, to(then)), (otherwise, to(otherwise)));
            }
            Terminator::Return { verdict, interface } => {
                self.decide(*verdict, *interface);
                self.builder.ins().jump(next, &[]);
            }
        }
    }

    fn mark(&mut self, place: lvsc_abi::place::Place) {
        let number = self.places.number(place);
        self.builder.set_srcloc(number);
    }

    fn inst(&mut self, inst: &Inst) {
        if stage::is_cheap(&inst.op) {
            return;
        }
        self.mark(inst.place);
        let made = self.op(&inst.op);
        if let (Some(result), Some(made)) = (inst.result, made) {
            self.define(result, made);
        }
    }

    /// Goes to one of two blocks. Where one of them is handed values, the way there is a block of its own.
    fn fork(
        &mut self,
        condition: ir::Value,
        then: (&Jump, ir::Block),
        otherwise: (&Jump, ir::Block),
    ) {
        let sides = [then, otherwise];
        let ways = sides.map(|(jump, to)| {
            if jump.args.is_empty() {
                to
            } else {
                self.builder.create_block()
            }
        });
        let ins = self.builder.ins();
        ins.brif(condition, ways[0], &[], ways[1], &[]);
        for ((jump, to), way) in sides.into_iter().zip(ways) {
            if way != to {
                self.enter(way);
                self.go(jump, to);
            }
        }
    }

    fn go(&mut self, jump: &Jump, to: ir::Block) {
        let params = &self.program.blocks[jump.to].params;
        let args: Vec<ir::Value> = jump.args.iter().map(|arg| self.value(*arg)).collect();
        for (param, arg) in params.iter().zip(args) {
            self.define(*param, arg);
        }
        self.builder.ins().jump(to, &[]);
    }

    fn decide(&mut self, verdict: Verdict, interface: Option<Value>) {
        let flags = self.flags(Memory::Descriptors);
        let verdict = self.constant(verdict as u64);
        let at = self.packet.descriptor;
        if let Some(interface) = interface {
            let interface = self.value(interface);
            let high = self.builder.ins().ishl_imm_u(interface, 8);
            let both = self.builder.ins().bor(high, verdict);
            let ins = self.builder.ins();
            ins.istore16(flags, both, at, descriptor::VERDICT);
        } else {
            let ins = self.builder.ins();
            ins.istore8(flags, verdict, at, descriptor::VERDICT);
        }
    }

    pub(crate) fn define(&mut self, value: Value, made: ir::Value) {
        self.builder.def_var(self.variables[value], made);
    }

    /// The value; one that is cheap is made anew.
    pub(crate) fn value(&mut self, value: Value) -> ir::Value {
        let cheap = self.makers[value].filter(|inst| stage::is_cheap(&inst.op));
        let made = cheap.and_then(|inst| self.op(&inst.op));
        made.unwrap_or_else(|| self.builder.use_var(self.variables[value]))
    }

    pub(crate) fn constant(&mut self, value: u64) -> ir::Value {
        self.builder.ins().iconst(I64, value.cast_signed())
    }

    /// What the instruction makes.
    fn op(&mut self, op: &Op) -> Option<ir::Value> {
        Some(match op {
            Op::Const(value) => self.constant(*value),
            Op::FrameLength => self.packet.length,
            Op::Ingress => {
                let flags = self.flags(Memory::Descriptors);
                let at = self.packet.descriptor;
                let ins = self.builder.ins();
                ins.uload8(I64, flags, at, descriptor::INTERFACE)
            }
            Op::Worker => self.worker,
            Op::Binary(op, a, b) => self.binary(*op, *a, *b),
            Op::Compare(op, a, b) => {
                let [a, b] = [*a, *b].map(|value| self.value(value));
                let how = match op {
                    Compare::Eq => IntCC::Equal,
                    Compare::Ne => IntCC::NotEqual,
                    Compare::Lt => IntCC::UnsignedLessThan,
                    Compare::Le => IntCC::UnsignedLessThanOrEqual,
                };
                let bit = self.builder.ins().icmp(how, a, b);
                self.builder.ins().uextend(I64, bit)
            }
            Op::Select(c, a, b) => {
                let [c, a, b] = [*c, *a, *b].map(|value| self.value(value));
                self.builder.ins().select(c, a, b)
            }
            Op::Swap(bytes, a) => {
                let a = self.value(*a);
                self.swap(*bytes, a)
            }
            Op::LoadFrame(access) => self.load_frame(*access),
            Op::StoreFrame(access, value) => {
                self.store_frame(*access, *value);
                return None;
            }
            Op::Load(class, access) => self.load(*class, *access),
            Op::Store(access, value) => {
                self.store(*access, *value);
                return None;
            }
            Op::Raise(access, value) => {
                self.raise(*access, *value);
                return None;
            }
            Op::Exchange(access, new, expected) => self.exchange(*access, *new, *expected),
            Op::Find(section, index, tag) => self.find(*section, *index, *tag),
            Op::Place(section, index, tag, now, idle) => {
                self.place(*section, *index, *tag, (*now, *idle))
            }
            Op::Count(section, index) => {
                self.count(*section, *index);
                return None;
            }
        })
    }

    fn binary(&mut self, op: Binary, a: Value, b: Value) -> ir::Value {
        let [a, b] = [a, b].map(|value| self.value(value));
        let ins = self.builder.ins();
        match op {
            Binary::Add => ins.iadd(a, b),
            Binary::Sub => ins.isub(a, b),
            Binary::Mul => ins.imul(a, b),
            Binary::And => ins.band(a, b),
            Binary::Or => ins.bor(a, b),
            Binary::Xor => ins.bxor(a, b),
            Binary::Shl => ins.ishl(a, b),
            Binary::Shr => ins.ushr(a, b),
            Binary::Div => ins.udiv(a, b),
            Binary::Rem => ins.urem(a, b),
        }
    }

    /// The low `bytes` bytes in reverse order; the higher ones become 0.
    pub(crate) fn swap(&mut self, bytes: u8, value: ir::Value) -> ir::Value {
        let narrow = match bytes {
            1 => I8,
            2 => I16,
            3 | 4 => I32,
            _ => I64,
        };
        let low = if narrow == I64 {
            value
        } else {
            self.builder.ins().ireduce(narrow, value)
        };
        let turned = if narrow == I8 {
            low
        } else {
            self.builder.ins().bswap(low)
        };
        let wide = if narrow == I64 {
            turned
        } else {
            self.builder.ins().uextend(I64, turned)
        };
        let excess = narrow.bits() - 8 * u32::from(bytes);
        if excess == 0 {
            return wide;
        }
        self.builder.ins().ushr_imm_u(wide, i64::from(excess))
    }
}
