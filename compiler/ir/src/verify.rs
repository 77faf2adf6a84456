//! The proof that a program means something: [`verify`] is the only door to [`Verified`], and targets take nothing
//! else.
//!
//! Checked of every block: jumps name existing blocks and hand over as many values as the block has parameters; each
//! value is made once; results, sections, widths, divisors and interfaces are as [`Op`] says. Checked of every block
//! that the entry reaches: no cycle; a value is made before it is used on every way; every frame access is covered,
//! on every way, by a `bounds` on the same base.

mod error;

use lvsc_abi::flows::BUCKET;
use lvsc_abi::layout::{Element, Layout, Section, SectionId};
use lvsc_abi::verdict::Verdict;

pub use self::error::{At, VerifyError};
use crate::arena::Arena;
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::program::{
    Binary, Block, BlockId, Class, Op, Program, SectionAccess, Terminator, Value,
};
use crate::proven::{self, Proven};

/// A program that was checked against a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(Program);

impl Verified {
    /// The program.
    pub fn program(&self) -> &Program {
        &self.0
    }

    /// The program, to be changed and verified again.
    pub fn into_program(self) -> Program {
        self.0
    }

    /// For passes, which keep a program valid; tests and debug builds verify what they make.
    pub(crate) fn trusted(program: Program) -> Verified {
        Verified(program)
    }
}

/// Checks a program against the layout that its sections belong to.
pub fn verify(program: Program, layout: &Layout) -> Result<Verified, VerifyError> {
    check(&program, layout)?;
    Ok(Verified(program))
}

fn check(program: &Program, layout: &Layout) -> Result<(), VerifyError> {
    let entry = program
        .blocks
        .get(Program::ENTRY)
        .ok_or(VerifyError::Empty)?;
    if !entry.params.is_empty() {
        return Err(VerifyError::EntryParams);
    }
    for (id, block) in program.blocks.iter() {
        check_jumps(program, id, block)?;
    }
    let made = origins(program)?;
    let graph = Graph::of(program);
    check_acyclic(program, &graph)?;
    let tree = Dominators::of(&graph);
    for (id, block) in program.blocks.iter() {
        check_instructions(program, layout, &made, id, block)?;
    }
    let known = proven::at_begin(program, &graph);
    for id in graph.order() {
        check_uses(program, &tree, &made, *id)?;
        check_frame(&program.blocks[*id], *id, &known[*id])?;
    }
    Ok(())
}

fn check_jumps(program: &Program, id: BlockId, block: &Block) -> Result<(), VerifyError> {
    for jump in block.end.jumps() {
        let to = jump.to;
        let unknown = VerifyError::UnknownBlock { block: id, to };
        let expected = program.blocks.get(to).ok_or(unknown)?.params.len();
        let found = jump.args.len();
        if expected != found {
            return Err(VerifyError::Arguments {
                block: id,
                to,
                expected,
                found,
            });
        }
    }
    let given = match &block.end {
        Terminator::Return { verdict, interface } => {
            interface.is_some() == matches!(verdict, Verdict::Send)
        }
        Terminator::Jump(_) | Terminator::If { .. } | Terminator::Bounds { .. } => true,
    };
    if given {
        Ok(())
    } else {
        Err(VerifyError::Interface { block: id })
    }
}

/// Where each value is made.
fn origins(program: &Program) -> Result<Arena<Value, Option<At>>, VerifyError> {
    let mut made: Arena<Value, Option<At>> = (0..program.values).map(|_| None).collect();
    let mut note = |value: Value, at: At| {
        let origin = made
            .get_mut(value)
            .ok_or(VerifyError::UnknownValue { at, value })?;
        let before = origin.replace(at);
        before.map_or(Ok(()), |_| Err(VerifyError::MadeTwice { at, value }))
    };
    for (id, block) in program.blocks.iter() {
        for value in &block.params {
            note(
                *value,
                At {
                    block: id,
                    inst: None,
                },
            )?;
        }
        for (index, inst) in block.insts.iter().enumerate() {
            let at = At {
                block: id,
                inst: Some(index),
            };
            if inst.result.is_some() != inst.op.has_result() {
                return Err(VerifyError::Result { at });
            }
            inst.result.map_or(Ok(()), |value| note(value, at))?;
        }
    }
    Ok(made)
}

fn check_acyclic(program: &Program, graph: &Graph) -> Result<(), VerifyError> {
    for id in graph.order() {
        for jump in program.blocks[*id].end.jumps() {
            if graph.position(jump.to) <= graph.position(*id) {
                return Err(VerifyError::Cycle {
                    block: *id,
                    to: jump.to,
                });
            }
        }
    }
    Ok(())
}

fn check_uses(
    program: &Program,
    tree: &Dominators,
    made: &Arena<Value, Option<At>>,
    id: BlockId,
) -> Result<(), VerifyError> {
    let block = &program.blocks[id];
    let check = |value: Value, at: At| {
        let origin = made
            .get(value)
            .ok_or(VerifyError::UnknownValue { at, value })?;
        let before = origin.is_some_and(|origin| {
            if origin.block != id {
                return tree.dominates(origin.block, id);
            }
            // A parameter is made before the first instruction, the end comes after the last.
            origin.inst.is_none() || at.inst.is_none() || origin.inst < at.inst
        });
        if before {
            Ok(())
        } else {
            Err(VerifyError::Undominated { at, value })
        }
    };
    for (index, inst) in block.insts.iter().enumerate() {
        let at = At {
            block: id,
            inst: Some(index),
        };
        inst.op
            .operands()
            .into_iter()
            .try_for_each(|value| check(value, at))?;
    }
    let at = At {
        block: id,
        inst: None,
    };
    block
        .end
        .operands()
        .into_iter()
        .try_for_each(|value| check(value, at))
}

fn check_frame(block: &Block, id: BlockId, known: &Proven) -> Result<(), VerifyError> {
    for (index, inst) in block.insts.iter().enumerate() {
        if let Op::LoadFrame(access) | Op::StoreFrame(access, _) = &inst.op
            && !known.allows(*access)
        {
            let at = At {
                block: id,
                inst: Some(index),
            };
            return Err(VerifyError::Unbounded {
                at,
                access: *access,
            });
        }
    }
    Ok(())
}

fn check_instructions(
    program: &Program,
    layout: &Layout,
    made: &Arena<Value, Option<At>>,
    id: BlockId,
    block: &Block,
) -> Result<(), VerifyError> {
    for (index, inst) in block.insts.iter().enumerate() {
        let at = At {
            block: id,
            inst: Some(index),
        };
        match &inst.op {
            Op::Swap(bytes, _) => check_bytes(*bytes, at)?,
            Op::LoadFrame(access) | Op::StoreFrame(access, _) => check_bytes(access.bytes, at)?,
            Op::Load(class, access) => {
                check_access(layout, *access, at)?;
                check_class(layout, *class, access.section, at)?;
            }
            Op::Store(access, _) => check_access(layout, *access, at)?,
            Op::Raise(access, _) => check_raise(layout, *access, at)?,
            Op::Exchange(access, ..) => check_exchange(layout, *access, at)?,
            Op::Find(section, ..) | Op::Place(section, ..) => {
                let fits = |found: &Section| {
                    let buckets = found.element.is_flow() || found.element == Element::Cell;
                    buckets && found.length >= BUCKET
                };
                let error = VerifyError::NoBuckets {
                    at,
                    section: *section,
                };
                check_section(layout, *section, at, fits, error)?;
            }
            Op::Count(section, _) => {
                let fits = |found: &Section| found.element == Element::Counter;
                let error = VerifyError::NoCounters {
                    at,
                    section: *section,
                };
                check_section(layout, *section, at, fits, error)?;
            }
            Op::Binary(Binary::Div | Binary::Rem, _, divisor) => {
                check_divisor(program, made, *divisor, at)?;
            }
            Op::Const(_)
            | Op::FrameLength
            | Op::Ingress
            | Op::Worker
            | Op::Binary(..)
            | Op::Compare(..)
            | Op::Select(..) => {}
        }
    }
    Ok(())
}

fn check_bytes(bytes: u8, at: At) -> Result<(), VerifyError> {
    if (1..=8).contains(&bytes) {
        Ok(())
    } else {
        Err(VerifyError::Bytes { at, bytes })
    }
}

fn check_section(
    layout: &Layout,
    section: SectionId,
    at: At,
    fits: impl Fn(&Section) -> bool,
    error: VerifyError,
) -> Result<(), VerifyError> {
    let found = layout
        .get(section)
        .ok_or(VerifyError::UnknownSection { at, section })?;
    if fits(found) { Ok(()) } else { Err(error) }
}

fn check_access(layout: &Layout, access: SectionAccess, at: At) -> Result<(), VerifyError> {
    let SectionAccess {
        section,
        offset,
        bytes,
        ..
    } = access;
    let found = layout
        .get(section)
        .ok_or(VerifyError::UnknownSection { at, section })?;
    if found.element == Element::Counter {
        return Err(VerifyError::Counters { at, section });
    }
    if !matches!(bytes, 1 | 2 | 4 | 8) {
        return Err(VerifyError::Bytes { at, bytes });
    }
    let stride = found.element.stride();
    if u32::from(offset) + u32::from(bytes) > stride {
        return Err(VerifyError::OutsideElement {
            at,
            offset,
            bytes,
            stride,
        });
    }
    if offset % u16::from(bytes) != 0 {
        return Err(VerifyError::Unaligned { at, offset, bytes });
    }
    Ok(())
}

/// Equal loads of configuration are merged: what changes while packets flow is none.
fn check_class(
    layout: &Layout,
    class: Class,
    section: SectionId,
    at: At,
) -> Result<(), VerifyError> {
    let changes = |found: &Section| match found.element {
        Element::Flow
        | Element::Noted
        | Element::Datagram
        | Element::Client
        | Element::Change
        | Element::Cursor
        | Element::Counter
        | Element::Cell
        | Element::Key
        | Element::Load => true,
        Element::Header
        | Element::Clock
        | Element::Interface
        | Element::Backend
        | Element::Slot
        | Element::Word => false,
    };
    match class {
        Class::Config if layout.get(section).is_some_and(changes) => {
            Err(VerifyError::NoConfig { at, section })
        }
        Class::Config | Class::Shared => Ok(()),
    }
}

fn check_exchange(layout: &Layout, access: SectionAccess, at: At) -> Result<(), VerifyError> {
    check_access(layout, access, at)?;
    let section = access.section;
    let whole = access.offset == 0 && access.bytes == 8;
    let fits = |found: &Section| whole && found.element.stride() == 8;
    check_section(
        layout,
        section,
        at,
        fits,
        VerifyError::NoWord { at, section },
    )
}

fn check_raise(layout: &Layout, access: SectionAccess, at: At) -> Result<(), VerifyError> {
    check_access(layout, access, at)?;
    let section = access.section;
    let whole = access.bytes == 8 && access.offset.is_multiple_of(8);
    let error = VerifyError::NoWord { at, section };
    check_section(layout, section, at, |_| whole, error)
}

fn check_divisor(
    program: &Program,
    made: &Arena<Value, Option<At>>,
    value: Value,
    at: At,
) -> Result<(), VerifyError> {
    let origin = made.get(value).copied().flatten();
    let inst = origin.and_then(|at| program.blocks.get(at.block)?.insts.get(at.inst?));
    match inst.map(|inst| &inst.op) {
        Some(Op::Const(divisor)) if *divisor != 0 => Ok(()),
        Some(_) | None => Err(VerifyError::Divisor { at, value }),
    }
}

#[cfg(test)]
mod tests;
