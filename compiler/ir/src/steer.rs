//! What of a program says which packets are the kernel's: the program that stands before a socket, so that a packet that the
//! kernel is to get never leaves it.
//!
//! It says `pass` where the program passes a packet and does nothing else, and `drop` where it does anything else: such a
//! packet is taken from the kernel, for the program itself to decide. It asks nothing but the frame, the interfaces and what
//! the policy fixes. So there is none where a packet is passed that was counted, written to, or asked about in a table: only
//! the program itself can say what becomes of that one.

use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::verdict::Verdict;

use crate::arena::Arena;
use crate::graph::Graph;
use crate::passes::optimize;
use crate::program::{Block, BlockId, Class, Op, Program, SectionAccess, Terminator};
use crate::verify::{Verified, verify};

/// A program that only says which packets the kernel gets.
#[derive(Clone, Debug)]
pub struct Steering {
    /// `pass`: the kernel gets the packet; `drop`: it does not.
    pub program: Verified,
    /// The sections that it reads, and those that say what the image is.
    pub layout: Layout,
    /// What the control plane must know to fill them.
    pub manifest: Manifest,
}

/// The steering of a program; `None` where only the program itself can say which packets the kernel gets.
pub fn steer(program: &Verified, layout: &Layout, manifest: &Manifest) -> Option<Steering> {
    let mut cut = program.program().clone();
    let passes = passes(&cut);
    for (block, passes) in cut.blocks.values_mut().zip(passes.values()) {
        if !passes {
            block.insts.clear();
            block.end = Terminator::Return {
                verdict: Verdict::Drop,
                interface: None,
            };
        }
    }
    // Now nobody needs what only those blocks did.
    let cut = optimize(Verified::trusted(cut), layout).into_program();
    let is_plain = |block: &Block| block.insts.iter().all(|inst| is_plain(inst.op, layout));
    if !cut.blocks.values().all(is_plain) {
        return None;
    }
    let (cut, small) = with_own_sections(cut, layout);
    let kept = |name: &str| small.named(name).is_some();
    let manifest = Manifest {
        pools: Vec::new(),
        counters: Vec::new(),
        keyed: Vec::new(),
        fixed: (manifest.fixed.iter())
            .filter(|fixed| kept(&fixed.section))
            .cloned()
            .collect(),
        ..manifest.clone()
    };
    let program = verify(cut, &small).expect("fewer sections and blocks of a program that is one");
    Some(Steering {
        program,
        layout: small,
        manifest,
    })
}

/// Whether a way from each block ends with the packet passed.
fn passes(program: &Program) -> Arena<BlockId, bool> {
    let mut passes: Arena<BlockId, bool> = program.blocks.ids().map(|_| false).collect();
    for id in Graph::of(program).order().iter().rev() {
        let end = &program.blocks[*id].end;
        passes[*id] = match end {
            Terminator::Return { verdict, .. } => *verdict == Verdict::Pass,
            Terminator::Jump(_) | Terminator::If { .. } | Terminator::Bounds { .. } => {
                end.jumps().any(|jump| passes[jump.to])
            }
        };
    }
    passes
}

/// Whether it is the same wherever it is asked: nothing changes, and nothing that packets change is read.
fn is_plain(op: Op, layout: &Layout) -> bool {
    if let Op::Load(Class::Config, access) = op {
        let element = layout[access.section].element;
        return matches!(element, Element::Interface | Element::Word);
    }
    !op.has_effect() && op != Op::Worker
}

/// Whether a section of such elements may be read, or says what the image is.
fn is_kept(element: Element) -> bool {
    match element {
        Element::Header | Element::Clock | Element::Interface | Element::Word => true,
        Element::Backend
        | Element::Slot
        | Element::Flow
        | Element::Noted
        | Element::Datagram
        | Element::Client
        | Element::Change
        | Element::Load
        | Element::Cursor
        | Element::Counter
        | Element::Cell
        | Element::Key => false,
    }
}

/// The program over a layout of those sections alone that it reads, or that every image has.
fn with_own_sections(mut program: Program, layout: &Layout) -> (Program, Layout) {
    let mut read: Vec<SectionId> = Vec::new();
    let insts = program.blocks.values().flat_map(|block| &block.insts);
    for inst in insts {
        if let Op::Load(_, access) = inst.op {
            read.push(access.section);
        }
    }
    let mut small = Layout::new();
    let mut moved: Vec<(SectionId, SectionId)> = Vec::new();
    for (id, section) in layout.sections() {
        let fixed = section.element == Element::Word;
        if is_kept(section.element) && (!fixed || read.contains(&id)) {
            let new = small.add(&section.name, section.element, section.length);
            moved.push((id, new));
        }
    }
    for inst in program
        .blocks
        .values_mut()
        .flat_map(|block| &mut block.insts)
    {
        if let Op::Load(class, access) = inst.op {
            let found = moved.iter().find(|(old, _)| *old == access.section);
            let (_, section) = found.expect("every section that is read is kept");
            let section = *section;
            inst.op = Op::Load(class, SectionAccess { section, ..access });
        }
    }
    (program, small)
}
