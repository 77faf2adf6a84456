//! Registers for virtual ones: the machine's program as regalloc2 sees it.

use lvsc_abi::place::Place;
use lvsc_ir::arena::Arena;
use regalloc2::{
    Algorithm, Allocation, Block, Edit, Function, Inst as Index, InstOrEdit, InstRange, MachineEnv,
    Operand, Output, PReg, PRegSet, RegAllocError, RegClass, RegallocOptions, VReg, run,
};

use crate::insn::{R0, R1, Reg, Source, Test};
use crate::machine::{Condition, End, Inst, Label, Machine, Virtual};

/// Bytes of the stack that a program has (linux/filter.h, `MAX_BPF_STACK`).
pub(crate) const STACK: u64 = 512;
/// Registers that a call changes.
const CALLER_SAVED: std::ops::RangeInclusive<Reg> = 0..=5;
const CALLEE_SAVED: std::ops::RangeInclusive<Reg> = 6..=9;

/// An instruction or the end of a block.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Inst(Inst),
    End(End),
}

/// The program in one row: the blocks that the entry reaches, no edge both from a branch and to a join.
pub(crate) struct Flat {
    pub(crate) items: Vec<(Item, Place)>,
    operands: Vec<Vec<Operand>>,
    ranges: Vec<InstRange>,
    params: Vec<Vec<VReg>>,
    arguments: Vec<Vec<VReg>>,
    pub(crate) successors: Vec<Vec<Block>>,
    predecessors: Vec<Vec<Block>>,
    virtuals: usize,
}

/// Chooses registers.
pub(crate) fn allocate(flat: &Flat) -> Result<Output, RegAllocError> {
    let registers = |range: std::ops::RangeInclusive<Reg>| {
        range.fold(PRegSet::empty(), |set, reg| set.with(physical(reg)))
    };
    let none = PRegSet::empty();
    // The just-in-time compiler saves only the callee-saved registers that are used.
    let machine = MachineEnv {
        preferred_regs_by_class: [registers(CALLER_SAVED), none, none],
        non_preferred_regs_by_class: [registers(CALLEE_SAVED), none, none],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    };
    let options = RegallocOptions {
        verbose_log: false,
        validate_ssa: cfg!(debug_assertions),
        algorithm: Algorithm::Ion,
    };
    let output = run(flat, &machine, &options)?;
    if cfg!(debug_assertions) {
        let mut checker = regalloc2::checker::Checker::new(flat, &machine);
        checker.prepare(&output);
        if let Err(errors) = checker.run() {
            panic!("the registers are wrong: {errors:?}");
        }
    }
    Ok(output)
}

impl Flat {
    pub(crate) fn of(machine: Machine) -> Flat {
        let (blocks, virtuals) = (ordered(machine.blocks), machine.virtuals as usize);
        let mut flat = Flat {
            items: Vec::new(),
            operands: Vec::new(),
            ranges: Vec::new(),
            params: Vec::new(),
            arguments: Vec::new(),
            successors: Vec::new(),
            predecessors: vec![Vec::new(); blocks.len()],
            virtuals,
        };
        for block in blocks.into_values() {
            let first = Index::new(flat.items.len());
            let (end, place) = block.end.expect("every block ends");
            flat.params.push(registers(&block.params));
            flat.arguments.push(match &end {
                End::Jump(_, arguments) => registers(arguments),
                End::If(..) | End::Exit(_) | End::ExitWith(_) => Vec::new(),
            });
            let from = Block::new(flat.ranges.len());
            let successors: Vec<Block> =
                end.targets().map(|to| Block::new(to.0 as usize)).collect();
            for to in &successors {
                flat.predecessors[to.index()].push(from);
            }
            flat.successors.push(successors);
            let insts = block.insts.into_iter();
            let insts = insts.map(|(inst, place)| (Item::Inst(inst), place));
            for (item, place) in insts.chain([(Item::End(end), place)]) {
                flat.operands.push(operands(&item, &machine.lasting));
                flat.items.push((item, place));
            }
            let end = Index::new(flat.items.len());
            flat.ranges.push(InstRange::new(first, end));
        }
        flat
    }

    /// How many instructions come from each place.
    pub(crate) fn costs(&self) -> impl Iterator<Item = (Place, u64)> {
        self.items.iter().map(|(_, place)| (*place, 1))
    }

    /// Instructions of a block and what regalloc2 moves between them.
    pub(crate) fn filled<'a>(
        &'a self,
        output: &'a Output,
        block: Block,
    ) -> impl Iterator<Item = InstOrEdit<'a>> {
        output.block_insts_and_edits(self, block)
    }

    /// Where a block goes that does nothing else.
    pub(crate) fn only_jumps(&self, output: &Output, block: Block) -> Option<Block> {
        let mut filled = self.filled(output, block);
        let jumps = filled.all(|one| match one {
            InstOrEdit::Inst(index) => {
                matches!(self.items[index.index()].0, Item::End(End::Jump(..)))
            }
            InstOrEdit::Edit(Edit::Move { from, to }) => from == to,
        });
        jumps.then(|| self.successors[block.index()][0])
    }
}

/// The blocks that the entry reaches, each behind all that jump to it; every edge from a branch to a block with several
/// predecessors gets a block of its own, where values can be moved.
fn ordered(mut blocks: Arena<Label, crate::machine::Block>) -> Arena<Label, crate::machine::Block> {
    let mut order = Vec::with_capacity(blocks.len());
    let mut came: Arena<Label, u32> = blocks.ids().map(|_| 0).collect();
    let mut stack = vec![(Label(0), true)];
    while let Some((label, enter)) = stack.pop() {
        if !enter {
            order.push(label);
            continue;
        }
        came[label] += 1;
        if came[label] == 1 {
            stack.push((label, false));
            let end = &blocks[label].end.as_ref().expect("every block ends").0;
            let targets = end.targets().map(|to| (to, true));
            // What is entered last is placed next: no instruction jumps where no bit is set.
            if matches!(
                end,
                End::If(
                    Condition {
                        test: Test::Set,
                        ..
                    },
                    ..
                )
            ) {
                stack.extend(targets.collect::<Vec<_>>().into_iter().rev());
            } else {
                stack.extend(targets);
            }
        }
    }
    order.reverse();
    let mut numbers: Arena<Label, Label> = blocks.ids().collect();
    let mut placed: Vec<crate::machine::Block> = Vec::with_capacity(order.len());
    for label in order {
        numbers[label] = Label(placed.len() as u32);
        let block = std::mem::take(&mut blocks[label]);
        placed.push(block);
        // The edges that must be split stand behind the branch.
        let index = placed.len() - 1;
        let Some((End::If(_, yes, no), place)) = placed[index].end.clone() else {
            continue;
        };
        for (second, to) in [(false, yes), (true, no)] {
            if came[to] < 2 {
                continue;
            }
            let edge = Label(SPLIT + placed.len() as u32);
            placed.push(crate::machine::Block {
                end: Some((End::Jump(to, Vec::new()), place)),
                ..crate::machine::Block::default()
            });
            if let Some((End::If(_, yes, no), _)) = &mut placed[index].end {
                *(if second { no } else { yes }) = edge;
            }
        }
    }
    for block in &mut placed {
        if let Some((end, _)) = &mut block.end {
            for to in end.targets_mut() {
                *to = match to.0.checked_sub(SPLIT) {
                    Some(placed) => Label(placed),
                    None => numbers[*to],
                };
            }
        }
    }
    placed.into_iter().collect()
}

/// Added to the numbers of blocks that have their place already.
const SPLIT: u32 = 1 << 31;

fn register(virtual_: Virtual) -> VReg {
    VReg::new(virtual_.0 as usize, RegClass::Int)
}

fn registers(virtuals: &[Virtual]) -> Vec<VReg> {
    virtuals.iter().map(|one| register(*one)).collect()
}

fn physical(reg: Reg) -> PReg {
    PReg::new(usize::from(reg), RegClass::Int)
}

/// What an instruction reads and makes. Where the machine writes over its first operand, the result comes first and the
/// first operand second.
fn operands(item: &Item, lasting: &[Virtual]) -> Vec<Operand> {
    let made = |result: Virtual| {
        let lasts = lasting.iter().zip(CALLEE_SAVED);
        match lasts.into_iter().find(|(lasting, _)| **lasting == result) {
            Some((_, reg)) => Operand::reg_fixed_def(register(result), physical(reg)),
            None => Operand::reg_def(register(result)),
        }
    };
    let read = |operand: Virtual| Operand::reg_use(register(operand));
    let over = |result: Virtual| Operand::reg_reuse_def(register(result), 1);
    let fixed =
        |operand: Virtual, reg: Reg| Operand::reg_fixed_use(register(operand), physical(reg));
    let result = |result: Virtual| Operand::reg_fixed_def(register(result), physical(R0));
    let source = |source: &Source<Virtual>| match source {
        Source::Register(operand) => Some(read(*operand)),
        Source::Immediate(_) => None,
    };
    let asked = |condition: &Condition| {
        [Some(read(condition.left)), source(&condition.right)]
            .into_iter()
            .flatten()
    };
    match item {
        Item::Inst(inst) => match inst {
            Inst::Context(to) => vec![Operand::reg_fixed_def(register(*to), physical(R1))],
            Inst::Constant(to, _) | Inst::Address(to, ..) => vec![made(*to)],
            Inst::Alu(_, _, to, a, b) => {
                let both = [over(*to), read(*a)].into_iter();
                both.chain(source(b)).collect()
            }
            Inst::Swap(_, to, a) => vec![over(*to), read(*a)],
            Inst::Load(_, to, base, _) => vec![made(*to), read(*base)],
            Inst::Store(_, base, _, value) => {
                let both = [read(*base)].into_iter();
                both.chain(source(value)).collect()
            }
            Inst::Exchange(old, base, _, new, expected) => {
                vec![result(*old), read(*base), read(*new), fixed(*expected, R0)]
            }
            Inst::AddTo(base, _, value) => vec![read(*base), read(*value)],
            Inst::Cpu(to) => vec![result(*to)],
            Inst::Redirect(to, arguments) => {
                let arguments = arguments.iter().zip(R1..);
                let arguments = arguments.map(|(argument, reg)| fixed(*argument, reg));
                [result(*to)].into_iter().chain(arguments).collect()
            }
            Inst::Pick(condition, to, yes, no) => {
                let both = [over(*to), read(*yes)].into_iter();
                both.chain(asked(condition)).chain(source(no)).collect()
            }
        },
        Item::End(end) => match end {
            End::Jump(..) | End::Exit(_) => Vec::new(),
            End::If(condition, ..) => asked(condition).collect(),
            End::ExitWith(value) => vec![fixed(*value, R0)],
        },
    }
}

impl Function for Flat {
    fn num_insts(&self) -> usize {
        self.items.len()
    }

    fn num_blocks(&self) -> usize {
        self.ranges.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        self.ranges[block.index()]
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.successors[block.index()]
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.predecessors[block.index()]
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.params[block.index()]
    }

    fn is_ret(&self, index: Index) -> bool {
        matches!(
            self.items[index.index()].0,
            Item::End(End::Exit(_) | End::ExitWith(_))
        )
    }

    fn is_branch(&self, index: Index) -> bool {
        matches!(
            self.items[index.index()].0,
            Item::End(End::Jump(..) | End::If(..))
        )
    }

    fn branch_blockparams(&self, block: Block, _: Index, _: usize) -> &[VReg] {
        &self.arguments[block.index()]
    }

    fn inst_operands(&self, index: Index) -> &[Operand] {
        &self.operands[index.index()]
    }

    fn inst_clobbers(&self, index: Index) -> PRegSet {
        match self.items[index.index()].0 {
            // The result's register is not named here.
            Item::Inst(Inst::Cpu(_) | Inst::Redirect(..)) => {
                let changed = CALLER_SAVED.filter(|reg| *reg != R0);
                changed.fold(PRegSet::empty(), |set, reg| set.with(physical(reg)))
            }
            Item::Inst(_) | Item::End(_) => PRegSet::empty(),
        }
    }

    fn num_vregs(&self) -> usize {
        self.virtuals
    }

    fn spillslot_size(&self, _: RegClass) -> usize {
        1
    }
}

/// The register of an allocation.
pub(crate) fn reg(allocation: Allocation) -> Option<Reg> {
    allocation.as_reg().map(|reg| reg.hw_enc() as Reg)
}
