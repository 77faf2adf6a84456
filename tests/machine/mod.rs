//! An eBPF machine after RFC 9669, in memory of its own: it runs the bytes of an object where no kernel may be asked.
//!
//! It is stricter than a processor. What the kernel's verifier would not allow, and what can be seen on the way that is
//! taken, is an error: bytes that belong to nothing or to two things, registers that nobody has written, instructions
//! that are none. It proves nothing about the other ways: that is the verifier's part.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers hold the same bits with other signs"
)]

pub mod engine;
mod object;

use std::ops::Range;

/// Bytes at addresses.
pub struct Memory {
    regions: Vec<Region>,
}

/// A thing in the memory: whoever accesses it stays inside.
struct Region {
    begin: u64,
    bytes: Vec<u8>,
    writable: bool,
}

impl Memory {
    pub fn new() -> Memory {
        Memory {
            regions: Vec::new(),
        }
    }

    /// Adds a thing, or exchanges the one that begins there.
    pub fn place(&mut self, begin: u64, bytes: Vec<u8>, writable: bool) {
        self.regions.retain(|region| region.begin != begin);
        self.regions.push(Region {
            begin,
            bytes,
            writable,
        });
    }

    /// The bytes of the thing that begins there.
    pub fn at(&self, begin: u64) -> &[u8] {
        let found = self.regions.iter().find(|region| region.begin == begin);
        found.map_or(&[], |region| &region.bytes)
    }

    fn find(&self, address: u64, size: usize) -> Result<(usize, Range<usize>), String> {
        for (index, region) in self.regions.iter().enumerate() {
            let from = address.wrapping_sub(region.begin) as usize;
            let to = from.saturating_add(size);
            if to <= region.bytes.len() {
                return Ok((index, from..to));
            }
        }
        Err(format!("{size} bytes at {address:#x} belong to nothing"))
    }

    /// Little endian.
    pub fn load(&self, address: u64, size: usize) -> Result<u64, String> {
        let (index, range) = self.find(address, size)?;
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.regions[index].bytes[range]);
        Ok(u64::from_le_bytes(bytes))
    }

    /// Little endian.
    pub fn store(&mut self, address: u64, size: usize, value: u64) -> Result<(), String> {
        let (index, range) = self.find(address, size)?;
        let region = &mut self.regions[index];
        if !region.writable {
            return Err(format!("{address:#x} may not be written"));
        }
        region.bytes[range].copy_from_slice(&value.to_le_bytes()[..size]);
        Ok(())
    }
}

/// `{opcode 8, destination 4, source 4, offset 16, immediate 32}`
#[derive(Clone, Copy)]
struct Insn {
    opcode: u8,
    dst: usize,
    src: usize,
    offset: i16,
    immediate: i32,
}

impl Insn {
    fn of(bits: u64) -> Insn {
        Insn {
            opcode: bits as u8,
            dst: (bits >> 8 & 15) as usize,
            src: (bits >> 12 & 15) as usize,
            offset: (bits >> 16) as i16,
            immediate: (bits >> 32) as i32,
        }
    }

    fn class(self) -> u8 {
        self.opcode & 0x07
    }

    fn operation(self) -> u8 {
        self.opcode & 0xf0
    }

    /// How memory is accessed.
    fn mode(self) -> u8 {
        self.opcode & 0xe0
    }

    fn by_register(self) -> bool {
        self.opcode & 0x08 != 0
    }

    fn unknown<T>(self) -> Result<T, String> {
        Err(format!("opcode {:#04x} is none here", self.opcode))
    }

    /// Bytes of an access.
    fn size(self) -> usize {
        match self.opcode & 0x18 {
            0x10 => 1,
            0x08 => 2,
            0x00 => 4,
            _ => 8,
        }
    }
}

/// A function of the kernel: its number and its arguments.
pub type Helper<'a> = &'a mut dyn FnMut(i32, &Registers) -> Result<u64, String>;

/// Registers that were written.
pub struct Registers([Option<u64>; 11]);

impl Registers {
    pub fn get(&self, register: usize) -> Result<u64, String> {
        let value = self.0.get(register).copied().flatten();
        value.ok_or_else(|| format!("r{register} is read, which nobody has written"))
    }

    fn set(&mut self, register: usize, value: u64) -> Result<(), String> {
        let place = self.0[..10].get_mut(register);
        *place.ok_or_else(|| format!("r{register} cannot be written"))? = Some(value);
        Ok(())
    }
}

const LD: u8 = 0;
const LDX: u8 = 1;
const ST: u8 = 2;
const STX: u8 = 3;
const ALU: u8 = 4;
const JMP: u8 = 5;
const ALU64: u8 = 7;
const DOUBLE: u8 = 0x18;
const MEM: u8 = 0x60;
const ATOMIC: u8 = 0xc0;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
const COMPARE_EXCHANGE: i32 = 0xf1;
const ADD: i32 = 0;

/// Runs a program from its first instruction on: r1 is its argument, r10 the end of its stack. Gives r0.
pub fn run(
    code: &[u64],
    memory: &mut Memory,
    (argument, stack): (u64, u64),
    helper: Helper<'_>,
) -> Result<u64, String> {
    let mut registers = Registers([None; 11]);
    registers.0[1] = Some(argument);
    registers.0[10] = Some(stack);
    let mut at = 0;
    // There are no loops.
    for _ in 0..=code.len() {
        let step = step(code, at, memory, &mut registers, helper);
        match step.map_err(|error| format!("instruction {at}: {error}"))? {
            Some(next) => at = next,
            None => return registers.get(0),
        }
    }
    Err("it does not end".to_owned())
}

/// One instruction; the number of the next one.
fn step(
    code: &[u64],
    at: usize,
    memory: &mut Memory,
    registers: &mut Registers,
    helper: Helper<'_>,
) -> Result<Option<usize>, String> {
    let insn = Insn::of(*code.get(at).ok_or("the program has no such one")?);
    match insn.class() {
        LD => {
            let high = code.get(at + 1).ok_or("its second half is missing")?;
            if insn.opcode != DOUBLE || insn.src != 0 || *high as u32 != 0 {
                return insn.unknown();
            }
            let low = u64::from(insn.immediate as u32);
            registers.set(insn.dst, low | high >> 32 << 32)?;
            return Ok(Some(at + 2));
        }
        LDX | ST | STX => access(insn, memory, registers)?,
        ALU | ALU64 => arithmetic(insn, registers)?,
        _ if insn.operation() == CALL => {
            let result = helper(insn.immediate, registers)?;
            registers.0[1..=5].fill(None);
            registers.set(0, result)?;
        }
        _ if insn.operation() == EXIT => return Ok(None),
        _ => {
            let by = branch(insn, registers)?;
            let next = usize::try_from(at as i64 + 1 + by);
            return Ok(Some(next.map_err(|_| "it jumps out")?));
        }
    }
    Ok(Some(at + 1))
}

fn access(insn: Insn, memory: &mut Memory, registers: &mut Registers) -> Result<(), String> {
    let base = if insn.class() == LDX {
        insn.src
    } else {
        insn.dst
    };
    let address = registers.get(base)?;
    let address = address.wrapping_add_signed(i64::from(insn.offset));
    let size = insn.size();
    match (insn.class(), insn.mode(), insn.immediate) {
        (LDX, MEM, 0) => registers.set(insn.dst, memory.load(address, size)?),
        (ST, MEM, value) => memory.store(address, size, i64::from(value) as u64),
        (STX, MEM, 0) => memory.store(address, size, registers.get(insn.src)?),
        (STX, ATOMIC, COMPARE_EXCHANGE) if size == 8 && address.is_multiple_of(8) => {
            let (new, old) = (registers.get(insn.src)?, memory.load(address, size)?);
            if old == registers.get(0)? {
                memory.store(address, size, new)?;
            }
            registers.set(0, old)
        }
        (STX, ATOMIC, ADD) if size == 8 && address.is_multiple_of(8) => {
            let sum = memory.load(address, size)?;
            let sum = sum.wrapping_add(registers.get(insn.src)?);
            memory.store(address, size, sum)
        }
        _ => insn.unknown(),
    }
}

/// The second operand, an immediate extended with its sign.
fn operand(insn: Insn, registers: &Registers) -> Result<u64, String> {
    match (insn.by_register(), insn.immediate) {
        (true, 0) => registers.get(insn.src),
        (true, _) => insn.unknown(),
        (false, immediate) => Ok(i64::from(immediate) as u64),
    }
}

fn arithmetic(insn: Insn, registers: &mut Registers) -> Result<(), String> {
    const SWAP: u8 = 0xd0;
    const NEGATE: u8 = 0x80;
    const MOVE: u8 = 0xb0;
    if insn.offset != 0 {
        return insn.unknown(); // signed ones, of later kernels
    }
    if insn.operation() == SWAP {
        let value = swap(insn, registers.get(insn.dst)?)?;
        return registers.set(insn.dst, value);
    }
    let wide = insn.class() == ALU64;
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let bits = if wide { 64 } else { 32 };
    let a = match insn.operation() {
        MOVE => 0,
        _ => cut(registers.get(insn.dst)?),
    };
    let b = match insn.operation() {
        NEGATE => 0,
        _ => cut(operand(insn, registers)?),
    };
    let shift = (b % bits) as u32;
    let result = match insn.operation() {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x30 => a.checked_div(b).unwrap_or(0),
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << shift,
        0x70 => a >> shift,
        NEGATE => a.wrapping_neg(),
        0x90 => a.checked_rem(b).unwrap_or(a),
        0xa0 => a ^ b,
        MOVE => b,
        0xc0 => (signed(a, wide) >> shift) as u64,
        _ => return insn.unknown(),
    };
    registers.set(insn.dst, cut(result))
}

/// To little endian, to big endian, and turned: the low bits of a little endian processor.
fn swap(insn: Insn, value: u64) -> Result<u64, String> {
    let turned = match (insn.class(), insn.by_register()) {
        (ALU, big) => big,
        (_, false) => true,
        (_, true) => return insn.unknown(),
    };
    match (insn.immediate, turned) {
        (16, false) => Ok(u64::from(value as u16)),
        (32, false) => Ok(u64::from(value as u32)),
        (64, false) => Ok(value),
        (16, true) => Ok(u64::from((value as u16).swap_bytes())),
        (32, true) => Ok(u64::from((value as u32).swap_bytes())),
        (64, true) => Ok(value.swap_bytes()),
        _ => insn.unknown(),
    }
}

fn signed(value: u64, wide: bool) -> i64 {
    if wide {
        value as i64
    } else {
        i64::from(value as i32)
    }
}

/// How far the program goes from the next instruction on.
fn branch(insn: Insn, registers: &Registers) -> Result<i64, String> {
    let wide = insn.class() == JMP;
    if insn.operation() == 0 {
        return Ok(if wide {
            i64::from(insn.offset)
        } else {
            i64::from(insn.immediate) // a long one, of version 4
        });
    }
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let a = cut(registers.get(insn.dst)?);
    let b = cut(operand(insn, registers)?);
    let (c, d) = (signed(a, wide), signed(b, wide));
    let holds = match insn.operation() {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => a & b != 0,
        0x50 => a != b,
        0x60 => c > d,
        0x70 => c >= d,
        0xa0 => a < b,
        0xb0 => a <= b,
        0xc0 => c < d,
        0xd0 => c <= d,
        _ => return insn.unknown(),
    };
    Ok(if holds { i64::from(insn.offset) } else { 0 })
}

#[test]
fn what_is_not_allowed_is_an_error() {
    const BEGIN: u64 = 0x1000;
    const EXITS: u64 = 0x95;
    let decide = |code: &[u64]| {
        let mut memory = Memory::new();
        memory.place(BEGIN, vec![1, 2, 3, 4], false);
        memory.place(2 * BEGIN, vec![0; 16], true);
        let mut helper = |_: i32, _: &Registers| Ok(7);
        run(code, &mut memory, (BEGIN, 2 * BEGIN + 16), &mut helper)
    };
    let refused = |code: &[u64], words: &str| {
        let error = decide(code).expect_err("it is not allowed");
        assert!(error.contains(words), "{error}");
    };
    assert_eq!(
        decide(&[0x1061, EXITS]),
        Ok(0x0403_0201),
        "r0 = *(u32 *)(r1 + 0)"
    );
    refused(&[0x0001_1061, EXITS], "belong to nothing");
    refused(&[0x2079, EXITS], "r2 is read");
    refused(&[0x07_0000_0162, EXITS], "may not be written");
    refused(&[0x08_0000_0085, 0x10bf, EXITS], "r1 is read"); // r0 = r1 behind a call
    refused(&[0x01_0000_0ab7, EXITS], "cannot be written");
    refused(&[0x01e7, EXITS], "is none");
    refused(&[0xffff_0005, EXITS], "does not end");
}
