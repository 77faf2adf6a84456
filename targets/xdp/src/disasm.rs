//! Instructions as text, in the manner of the kernel's own listings, with the names of the image's sections and the
//! policy's places.

use std::fmt::Write as _;

use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::place::Sources;

use crate::assemble::{Code, HELPER_CPU, HELPER_REDIRECT_MAP};
use crate::insn::{
    ALU, ALU64, CALL, EXIT, Insn, JMP, JMP32, LD, LDX, MOVE, REGISTER, ST, STX, SWAP,
};
use crate::machine::Symbol;

/// Bits of an opcode: its class, its operation, and how it accesses memory.
const CLASS: u8 = 0x07;
const OPERATION: u8 = 0xf0;

/// The listing of a program: before instructions the line of the policy that they come from.
pub(crate) fn print(
    code: &Code,
    layout: &Layout,
    manifest: &Manifest,
    sources: &Sources,
) -> String {
    let mut text = String::new();
    let mut places = code.places.iter().peekable();
    let mut said = (0, 0);
    let mut index = 0;
    while let Some(insn) = code.insns.get(index) {
        while let Some((_, place)) = places.next_if(|(at, _)| *at <= index) {
            let line = (place.file, place.line);
            if line != said {
                said = line;
                let file = manifest.files.get(usize::from(place.file));
                let file = file.map_or("", String::as_str);
                let said = format!("; {file}:{}  {}", place.line, sources.line(*place));
                let _ = writeln!(text, "{}", said.trim_end());
            }
        }
        let shown = if is_wide(*insn) {
            let high = code.insns.get(index + 1).copied().unwrap_or_default();
            wide(code, layout, index, *insn, high)
        } else {
            plain(index, *insn)
        };
        let _ = writeln!(text, "{index:5}  {shown}");
        index += if is_wide(*insn) { 2 } else { 1 };
    }
    text
}

fn is_wide(insn: Insn) -> bool {
    insn.opcode & CLASS == LD
}

/// An instruction that sets all 64 bits: to a number, or to an address that the loader knows.
fn wide(code: &Code, layout: &Layout, index: usize, low: Insn, high: Insn) -> String {
    let dst = low.dst;
    let mut relocations = code.relocations.iter();
    let Some((_, symbol)) = relocations.find(|(at, _)| *at == index) else {
        let value = u64::from(low.immediate as u32) | u64::from(high.immediate as u32) << 32;
        return format!("r{dst} = {value:#x} ll");
    };
    let name = match symbol {
        Symbol::Section(id) => layout.get(*id).map_or("", |section| &section.name),
        Symbol::Egress => lvsc_abi::object::EGRESS,
        Symbol::Devices => lvsc_abi::object::DEVICES,
        Symbol::Sockets => lvsc_abi::object::SOCKETS,
    };
    match low.immediate {
        0 => format!("r{dst} = {name} ll"),
        offset => format!("r{dst} = {name} + {offset} ll"),
    }
}

fn plain(index: usize, insn: Insn) -> String {
    match insn.opcode & CLASS {
        ALU | ALU64 => arithmetic(insn),
        JMP | JMP32 => jump(index, insn),
        LDX => format!("r{} = {}", insn.dst, memory(insn, insn.src)),
        ST => format!("{} = {}", memory(insn, insn.dst), insn.immediate),
        STX if insn.is_atomic() && !insn.is_exchange() => {
            format!("lock {} += r{}", memory(insn, insn.dst), insn.src)
        }
        STX if insn.is_atomic() => format!(
            "r0 = cmpxchg_64(r{} {}, r0, r{})",
            insn.dst,
            signed(insn.offset),
            insn.src
        ),
        STX => format!("{} = r{}", memory(insn, insn.dst), insn.src),
        other => format!("unknown class {other}"),
    }
}

/// `+ 8` or `- 8`
fn signed(offset: i16) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign} {}", offset.unsigned_abs())
}

fn memory(insn: Insn, base: u8) -> String {
    let bits = match insn.opcode & 0x18 {
        0x10 => 8,
        0x08 => 16,
        0x00 => 32,
        _ => 64,
    };
    format!("*(u{bits} *)(r{base} {})", signed(insn.offset))
}

/// The second operand, in the width of the class.
fn source(insn: Insn, letter: char) -> String {
    if insn.opcode & REGISTER == 0 {
        insn.immediate.to_string()
    } else {
        format!("{letter}{}", insn.src)
    }
}

fn arithmetic(insn: Insn) -> String {
    let operation = insn.opcode & OPERATION;
    if operation == SWAP & OPERATION {
        return format!("r{} = be{} r{}", insn.dst, insn.immediate, insn.dst);
    }
    let letter = if insn.opcode & CLASS == ALU64 {
        'r'
    } else {
        'w'
    };
    let sign = match operation {
        0x00 => "+=",
        0x10 => "-=",
        0x20 => "*=",
        0x30 => "/=",
        0x40 => "|=",
        0x50 => "&=",
        0x60 => "<<=",
        0x70 => ">>=",
        0x90 => "%=",
        0xa0 => "^=",
        MOVE => "=",
        _ => "?=",
    };
    format!("{letter}{} {sign} {}", insn.dst, source(insn, letter))
}

fn jump(index: usize, insn: Insn) -> String {
    let to = (index as i64) + 1 + i64::from(insn.offset);
    let sign = match insn.opcode & OPERATION {
        0x00 => return format!("goto {to}"),
        CALL => return format!("call {}", helper(insn.immediate)),
        EXIT => return "exit".to_owned(),
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x50 => "!=",
        0xa0 => "<",
        0xb0 => "<=",
        0x40 => "&",
        0x70 => "s>=",
        0xc0 => "s<",
        _ => "?",
    };
    let letter = if insn.opcode & CLASS == JMP { 'r' } else { 'w' };
    let right = source(insn, letter);
    format!("if {letter}{} {sign} {right} goto {to}", insn.dst)
}

fn helper(number: i32) -> String {
    match number {
        HELPER_CPU => "bpf_get_smp_processor_id".to_owned(),
        HELPER_REDIRECT_MAP => "bpf_redirect_map".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::{Alu, Source, Test, Width};

    #[test]
    fn instructions_are_written_as_the_kernel_writes_them() {
        let shown = [
            (Insn::copy(1, 2), "r1 = r2"),
            (Insn::set(Width::Half, 0, 3), "w0 = 3"),
            (
                Insn::alu(Alu::And, Width::Half, 7, Source::Immediate(15)),
                "w7 &= 15",
            ),
            (
                Insn::alu(Alu::Add, Width::Full, 2, Source::Register(1)),
                "r2 += r1",
            ),
            (Insn::swap(4, 16), "r4 = be16 r4"),
            (Insn::load(1, 0, 6, 14), "r0 = *(u8 *)(r6 + 14)"),
            (
                Insn::store(8, 10, -8, Source::Register(5)),
                "*(u64 *)(r10 - 8) = r5",
            ),
            (
                Insn::store(4, 6, 2, Source::Immediate(-1)),
                "*(u32 *)(r6 + 2) = -1",
            ),
            (Insn::exchange(3, 16, 4), "r0 = cmpxchg_64(r3 + 16, r0, r4)"),
            (Insn::add_to(3, 8, 4), "lock *(u64 *)(r3 + 8) += r4"),
            (
                Insn::branch(Test::Gt, Width::Full, 0, Source::Register(2), 5),
                "if r0 > r2 goto 15",
            ),
            (
                Insn::branch(Test::Ne, Width::Half, 0, Source::Immediate(7), -3),
                "if w0 != 7 goto 7",
            ),
            (Insn::jump(), "goto 10"),
            (Insn::call(8), "call bpf_get_smp_processor_id"),
            (Insn::exit(), "exit"),
        ];
        for (insn, text) in shown {
            assert_eq!(plain(9, insn), text);
        }
    }
}
