//! Block by block: instructions of the IR to those of the machine.

use lvsc_abi::layout::Layout;
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_ir::arena::Arena;
use lvsc_ir::dominators::Dominators;
use lvsc_ir::graph::Graph;
use lvsc_ir::program::{self, Binary, BlockId, Op, Program, Terminator, Value};
use lvsc_ir::proven::{self, Proven};
use lvsc_ir::range::{self, Range};

use crate::condition::immediate;
use crate::context;
use crate::facts;
use crate::insn::{Alu, Test, Width};
use crate::known;
use crate::machine::{Condition, End, Inst, Label, Machine, Operand, Symbol, Virtual};
use crate::search::Entry;
use crate::verdict::{self, Dropped};

/// The machine's program of a program. `interfaces` is their number.
pub(crate) fn select(
    program: &Program,
    layout: &Layout,
    interfaces: usize,
    dropped: Dropped,
) -> Machine {
    let graph = Graph::of(program);
    let mut machine = Machine::default();
    let entry = machine.open();
    let [data, end] = [machine.fresh(), machine.fresh()];
    machine.lasting = vec![data];
    let blocks = program.blocks.ids().map(|_| machine.open()).collect();
    let constants = program.constants();
    let mut select = Select {
        program,
        layout,
        interfaces,
        tree: Dominators::of(&graph),
        graph: &graph,
        makers: program.makers(),
        known: known::of(program, &graph, &constants, interfaces),
        constants,
        ranges: range::of(program, &graph),
        proven: proven::at_begin(program, &graph),
        fused: facts::fused(program),
        bases: facts::bases(program),
        blocks,
        values: (0..program.values).map(|_| None).collect(),
        pointers: (0..program.values).map(|_| None).collect(),
        cpus: Vec::new(),
        entries: Vec::new(),
        made: Vec::new(),
        data,
        end,
        ingress: None,
        dropped,
        queue: None,
        machine,
        at: Program::ENTRY,
        current: entry,
        place: Place::default(),
    };
    select.entry();
    for id in graph.order() {
        select.block(*id);
    }
    select.machine.without_dead()
}

pub(crate) struct Select<'a> {
    pub(crate) program: &'a Program,
    pub(crate) layout: &'a Layout,
    interfaces: usize,
    graph: &'a Graph,
    tree: Dominators,
    pub(crate) makers: Arena<Value, Option<Op>>,
    constants: Arena<Value, Option<u64>>,
    /// The most that the verifier knows of each value.
    pub(crate) known: Arena<Value, u64>,
    pub(crate) ranges: Arena<Value, Range>,
    /// Bytes of the frame that are there at the begin of each block.
    proven: Arena<BlockId, Proven>,
    /// Comparisons that only branches and picks ask for: they are made there.
    pub(crate) fused: Arena<Value, bool>,
    /// Values that are bases of the frame.
    bases: Arena<Value, bool>,
    blocks: Arena<BlockId, Label>,
    values: Arena<Value, Option<Virtual>>,
    /// For a base, the address of its byte in the frame.
    pointers: Arena<Value, Option<Virtual>>,
    /// Where the CPU's number is known already.
    cpus: Vec<(BlockId, Virtual)>,
    pub(crate) entries: Vec<Entry>,
    /// Constants and addresses of the block that is filled, which take two instructions each.
    made: Vec<(Inst, Virtual)>,
    pub(crate) data: Virtual,
    pub(crate) end: Virtual,
    /// The interface by which the packet came; made at the entry where there are several.
    pub(crate) ingress: Option<Virtual>,
    dropped: Dropped,
    /// The queue by which it came; made at the entry where sockets get packets.
    pub(crate) queue: Option<Virtual>,
    machine: Machine,
    /// The program's block that is selected.
    pub(crate) at: BlockId,
    /// The machine's block that is filled.
    current: Label,
    place: Place,
}

impl Select<'_> {
    /// A register that nothing makes yet.
    pub(crate) fn fresh(&mut self) -> Virtual {
        self.machine.fresh()
    }

    pub(crate) fn open(&mut self) -> Label {
        self.machine.open()
    }

    /// The label that is being filled.
    pub(crate) fn here(&self) -> Label {
        self.current
    }

    /// From here on `label` is filled.
    pub(crate) fn go_to(&mut self, label: Label) {
        self.current = label;
        self.made.clear();
    }

    pub(crate) fn push(&mut self, inst: Inst) {
        let place = self.place;
        self.machine.blocks[self.current].insts.push((inst, place));
    }

    pub(crate) fn finish(&mut self, end: End) {
        let place = self.place;
        self.machine.blocks[self.current].end = Some((end, place));
    }

    /// A parameter of a block.
    pub(crate) fn param(&mut self, label: Label) -> Virtual {
        let param = self.fresh();
        self.machine.blocks[label].params.push(param);
        param
    }

    pub(crate) fn constant(&mut self, value: u64) -> Virtual {
        if immediate(value, Width::Half)
            .or(immediate(value, Width::Full))
            .is_none()
        {
            return self.once(|result| Inst::Constant(result, value));
        }
        let result = self.fresh();
        self.push(Inst::Constant(result, value));
        result
    }

    pub(crate) fn address(&mut self, symbol: Symbol, offset: u32) -> Virtual {
        self.once(|result| Inst::Address(result, symbol, offset))
    }

    /// What an instruction without operands makes, once in a block.
    fn once(&mut self, inst: impl Fn(Virtual) -> Inst) -> Virtual {
        let mut made = self.made.iter();
        if let Some((_, result)) = made.find(|(made, result)| *made == inst(*result)) {
            return *result;
        }
        let result = self.fresh();
        self.push(inst(result));
        self.made.push((inst(result), result));
        result
    }

    /// Full width.
    pub(crate) fn alu(&mut self, op: Alu, a: Virtual, b: Operand) -> Virtual {
        let result = self.fresh();
        self.push(Inst::Alu(op, Width::Full, result, a, b));
        result
    }

    pub(crate) fn with(&mut self, op: Alu, a: Virtual, b: i32) -> Virtual {
        self.alu(op, a, Operand::Immediate(b))
    }

    /// The bits of a mask that fits 32 bits.
    pub(crate) fn masked(&mut self, a: Virtual, mask: u32) -> Virtual {
        let result = self.fresh();
        let mask = Operand::Immediate(mask as i32);
        self.push(Inst::Alu(Alu::And, Width::Half, result, a, mask));
        result
    }

    pub(crate) fn load(&mut self, bytes: u8, base: Virtual, offset: i16) -> Virtual {
        let result = self.fresh();
        self.push(Inst::Load(bytes, result, base, offset));
        result
    }

    /// Whether so many bytes behind the base are there.
    pub(crate) fn is_there(&self, base: Option<Value>, bytes: u32) -> bool {
        self.proven[self.at].covers(base, bytes)
    }

    /// The most that a value can be.
    pub(crate) fn most(&self, value: Value) -> u64 {
        self.ranges[value].most
    }

    /// Whether every way to `user` goes from the one block right to the other.
    pub(crate) fn only_way(&self, from: BlockId, to: BlockId, user: BlockId) -> bool {
        let single = matches!(self.graph.predecessors(to), [(only, _)] if *only == from);
        single && self.tree.dominates(to, user)
    }

    /// Whether the instruction makes a constant of which nothing needs to be made here.
    pub(crate) fn is_plain_constant(&self, inst: &program::Inst) -> bool {
        let base = inst.result.is_some_and(|result| self.bases[result]);
        matches!(inst.op, Op::Const(_)) && !base
    }

    pub(crate) fn known_constant(&self, value: Value) -> Option<u64> {
        self.constants[value]
    }

    /// The register of a value; constants are made where they are used.
    pub(crate) fn register(&mut self, value: Value) -> Virtual {
        match self.constants[value] {
            Some(constant) => self.constant(constant),
            None => self.values[value].expect("a value is made before it is used"),
        }
    }

    /// The value as second operand of this width.
    pub(crate) fn operand(&mut self, value: Value, width: Width) -> Operand {
        let immediate = self.constants[value].and_then(|constant| immediate(constant, width));
        match immediate {
            Some(immediate) => Operand::Immediate(immediate),
            None => Operand::Register(self.register(value)),
        }
    }

    /// The address of the base's byte in the frame.
    pub(crate) fn pointer(&mut self, base: Option<Value>) -> Virtual {
        match base {
            None => self.data,
            Some(base) => self.pointers[base].expect("a base has its address where it is made"),
        }
    }

    /// The number of the CPU, below `lvsc_abi::object::CPUS`.
    pub(crate) fn cpu(&mut self) -> Virtual {
        let mut found = self.cpus.iter();
        if let Some((_, cpu)) = found.find(|(from, _)| self.tree.dominates(*from, self.at)) {
            return *cpu;
        }
        let cpu = self.fresh();
        self.push(Inst::Cpu(cpu));
        let cpu = self.masked(cpu, lvsc_abi::object::CPUS - 1);
        self.cpus.push((self.at, cpu));
        cpu
    }

    fn entry(&mut self) {
        let argument = self.fresh();
        self.push(Inst::Context(argument));
        self.push(Inst::Load(4, self.data, argument, context::DATA));
        self.push(Inst::Load(4, self.end, argument, context::DATA_END));
        if self.dropped == Dropped::ToSocket {
            self.queue = Some(self.load(4, argument, context::QUEUE));
        }
        if self.interfaces > 1 {
            let device = self.load(4, argument, context::INGRESS);
            self.ingress = Some(self.ingress_of(device));
        }
        self.finish(End::Jump(self.blocks[Program::ENTRY], Vec::new()));
    }

    /// The interface with this index in the kernel, else the first.
    fn ingress_of(&mut self, device: Virtual) -> Virtual {
        let mut found = self.constant(0);
        for index in (1..self.interfaces as u64).rev() {
            let number = self.kernel_index(index);
            let condition = Condition {
                test: Test::Eq,
                width: Width::Half,
                left: device,
                right: Operand::Register(number),
            };
            let (this, result) = (self.constant(index), self.fresh());
            self.push(Inst::Pick(
                condition,
                result,
                this,
                Operand::Register(found),
            ));
            found = result;
        }
        found
    }

    fn block(&mut self, id: BlockId) {
        self.at = id;
        self.go_to(self.blocks[id]);
        let program = self.program;
        let block = &program.blocks[id];
        self.place = block.place;
        for param in &block.params {
            let register = self.param(self.current);
            self.define(*param, register);
        }
        for (at, inst) in block.insts.iter().enumerate() {
            self.place = inst.place;
            if self.search_at_end(block, at) {
                return;
            }
            self.inst(inst);
        }
        self.place = block.place;
        self.terminator(&block.end);
    }

    /// The value is in this register; a base gets its address.
    pub(crate) fn define(&mut self, value: Value, register: Virtual) {
        self.values[value] = Some(register);
        if self.bases[value] {
            self.pointers[value] = Some(self.base_pointer(value, register));
        }
    }

    fn inst(&mut self, inst: &program::Inst) {
        let made = match inst.op {
            Op::Const(constant) => {
                if let Some(result) = inst.result.filter(|result| self.bases[*result]) {
                    let register = self.constant(constant);
                    self.define(result, register);
                }
                return;
            }
            Op::FrameLength => Some(self.frame_length()),
            Op::Ingress => match self.ingress {
                Some(ingress) => Some(ingress),
                None => Some(self.constant(0)),
            },
            Op::Worker => Some(self.cpu()),
            Op::Binary(Binary::And, _, mask)
                if self.constants[mask].is_some()
                    && inst.result.is_some_and(|result| self.fused[result]) =>
            {
                return;
            }
            Op::Binary(op, a, b) => Some(self.binary(op, a, b)),
            Op::Compare(..) if inst.result.is_some_and(|result| self.fused[result]) => return,
            Op::Compare(op, a, b) => {
                let condition = self.compare(op, a, b);
                let (one, result) = (self.constant(1), self.fresh());
                self.push(Inst::Pick(condition, result, one, Operand::Immediate(0)));
                Some(result)
            }
            Op::Select(condition, a, b) => {
                let condition = self.condition(condition);
                let (a, b) = (self.register(a), self.operand(b, Width::Full));
                let result = self.fresh();
                self.push(Inst::Pick(condition, result, a, b));
                Some(result)
            }
            Op::Swap(bytes, a) => {
                let a = self.register(a);
                Some(self.swap(bytes, a))
            }
            Op::LoadFrame(access) => Some(self.load_frame(access)),
            Op::StoreFrame(access, value) => {
                self.store_frame(access, value);
                None
            }
            Op::Load(_, access) => Some(self.load_section(access)),
            Op::Store(access, value) => {
                self.store_section(access, value);
                None
            }
            Op::Raise(access, value) => {
                self.raise(access, value);
                None
            }
            Op::Exchange(access, new, expected) => Some(self.exchange(access, new, expected)),
            Op::Find(section, index, tag) => {
                let hit = self.find(section, index, tag);
                Some(self.answer(&hit))
            }
            Op::Place(section, index, tag, now, idle) => {
                let hit = self.place(section, index, tag, (now, idle));
                Some(self.answer(&hit))
            }
            Op::Count(section, index) => {
                self.count(section, index);
                None
            }
        };
        if let (Some(result), Some(register)) = (inst.result, made) {
            self.define(result, register);
        }
    }

    fn binary(&mut self, op: Binary, a: Value, b: Value) -> Virtual {
        let constant = self.constants[b];
        if let (Binary::And, Some(Ok(mask))) = (op, constant.map(u32::try_from)) {
            let a = self.register(a);
            return self.masked(a, mask);
        }
        let alu = match op {
            Binary::Add => Alu::Add,
            Binary::Sub => Alu::Sub,
            Binary::Mul => Alu::Mul,
            Binary::And => Alu::And,
            Binary::Or => Alu::Or,
            Binary::Xor => Alu::Xor,
            Binary::Shl => Alu::Shl,
            Binary::Shr => Alu::Shr,
            Binary::Div => Alu::Div,
            Binary::Rem => Alu::Mod,
        };
        let a = self.register(a);
        let b = match (op, constant) {
            // The verifier refuses to shift by more than there are bits.
            (Binary::Shl | Binary::Shr, Some(bits)) => Operand::Immediate((bits & 63) as i32),
            _ => self.operand(b, Width::Full),
        };
        self.alu(alu, a, b)
    }

    fn terminator(&mut self, end: &Terminator) {
        match end {
            Terminator::Jump(jump) => self.jump(jump),
            Terminator::If {
                condition,
                then,
                otherwise,
            } => {
                let condition = self.condition(*condition);
                self.branch(condition, then, otherwise);
            }
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            } => match self.beyond(*base, *length) {
                Some(beyond) => self.branch(beyond, otherwise, then),
                None => self.jump(otherwise),
            },
            Terminator::Return { verdict, interface } => match (verdict, interface) {
                (Verdict::Drop, _) => self.end(),
                (Verdict::Pass, _) => self.finish(End::Exit(verdict::PASS)),
                (Verdict::Send, None) => self.finish(End::Exit(verdict::BACK)),
                (Verdict::Send, Some(interface)) => self.send(*interface),
            },
        }
    }

    pub(crate) fn jump(&mut self, jump: &program::Jump) {
        let args = jump.args.iter().map(|arg| self.handed(*arg)).collect();
        self.finish(End::Jump(self.blocks[jump.to], args));
    }

    /// A value that a block hands over. One that was made in another block is copied: its register would else be chosen
    /// together with the parameter's, which others crowd to the stack.
    fn handed(&mut self, value: Value) -> Virtual {
        let register = self.register(value);
        let block = &self.program.blocks[self.at];
        let here = block.insts.iter().any(|inst| inst.result == Some(value));
        match self.makers[value] {
            None | Some(Op::Const(_)) => register,
            Some(_) if here => register,
            Some(_) => self.with(Alu::Or, register, 0),
        }
    }

    fn branch(&mut self, condition: Condition, yes: &program::Jump, no: &program::Jump) {
        let [yes_edge, no_edge] = [yes, no].map(|jump| {
            if jump.args.is_empty() {
                self.blocks[jump.to]
            } else {
                self.open()
            }
        });
        self.finish(End::If(condition, yes_edge, no_edge));
        for (jump, edge) in [(yes, yes_edge), (no, no_edge)] {
            if !jump.args.is_empty() {
                self.go_to(edge);
                self.jump(jump);
            }
        }
    }
}
