//! Runs a program, one instruction after the other: clear, not fast. The judge of passes and of targets.

use lvsc_abi::flows::{self, BUCKET};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::{Section, counter};
use lvsc_abi::verdict::Verdict;

use crate::arena::Arena;
use crate::program::{
    Binary, BlockId, Compare, FrameAccess, Inst, Jump, Op, Order, Program, SectionAccess,
    Terminator, Value,
};
use crate::verify::Verified;

/// What a program decides about.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The frame's bytes, at most 65,535.
    pub frame: &'a mut [u8],
    /// Index of the interface by which it came.
    pub ingress: u8,
    /// Number of the worker that runs the program.
    pub worker: u32,
}

/// What a program decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// Index of the interface, with `Send`: the low byte of the value.
    pub interface: Option<u8>,
}

/// Runs `program` on one packet. `image` has the layout that the program was verified against.
pub fn run(program: &Verified, packet: &mut Packet<'_>, image: &mut dyn Image) -> Outcome {
    let program = program.program();
    let values = (0..program.values).map(|_| 0).collect();
    let mut machine = Machine {
        program,
        packet,
        image,
        values,
    };
    let mut block = Program::ENTRY;
    loop {
        let code = &program.blocks[block];
        code.insts.iter().for_each(|inst| machine.step(inst));
        match machine.end(&code.end) {
            Next::Block(next) => block = next,
            Next::Done(outcome) => return outcome,
        }
    }
}

/// The low `bytes` bytes of `value` in reverse order.
pub fn swap(bytes: u8, value: u64) -> u64 {
    value.swap_bytes() >> (64 - 8 * u32::from(bytes))
}

/// What an arithmetic instruction makes; `None` for a division by 0, which no verified program has.
pub fn binary(op: Binary, a: u64, b: u64) -> Option<u64> {
    Some(match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Shl => a.wrapping_shl(b as u32),
        Binary::Shr => a.wrapping_shr(b as u32),
        Binary::Div => a.checked_div(b)?,
        Binary::Rem => a.checked_rem(b)?,
    })
}

/// What a comparison makes.
pub fn compare(op: Compare, a: u64, b: u64) -> u64 {
    u64::from(match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
    })
}

/// Whether `length` bytes from `base` on lie inside a frame of `frame` bytes.
pub fn inside(base: u64, length: u16, frame: u64) -> bool {
    base.checked_add(u64::from(length))
        .is_some_and(|end| end <= frame)
}

struct Machine<'a, 'b, 'c> {
    program: &'a Program,
    packet: &'a mut Packet<'b>,
    image: &'c mut dyn Image,
    values: Arena<Value, u64>,
}

enum Next {
    Block(BlockId),
    Done(Outcome),
}

impl Machine<'_, '_, '_> {
    fn get(&self, value: Value) -> u64 {
        self.values[value]
    }

    fn step(&mut self, inst: &Inst) {
        let made = self.op(&inst.op);
        if let Some(result) = inst.result {
            self.values[result] = made;
        }
    }

    /// The value made; 0 for an instruction that makes none.
    fn op(&mut self, op: &Op) -> u64 {
        match op {
            Op::Const(value) => *value,
            Op::FrameLength => self.length(),
            Op::Ingress => u64::from(self.packet.ingress),
            Op::Worker => u64::from(self.packet.worker),
            Op::Binary(op, a, b) => {
                binary(*op, self.get(*a), self.get(*b)).expect("a divisor is not 0")
            }
            Op::Compare(op, a, b) => compare(*op, self.get(*a), self.get(*b)),
            Op::Select(c, a, b) => self.get(if self.get(*c) == 0 { *b } else { *a }),
            Op::Swap(bytes, a) => swap(*bytes, self.get(*a)),
            Op::LoadFrame(access) => {
                let fold = |value, byte: &u8| value << 8 | u64::from(*byte);
                let bytes = self.bytes(*access).iter();
                match access.order {
                    Order::Big => bytes.fold(0, fold),
                    Order::Little => bytes.rev().fold(0, fold),
                }
            }
            Op::StoreFrame(access, value) => {
                let value = self.get(*value).to_le_bytes();
                let bytes = self.bytes(*access).iter_mut();
                match access.order {
                    Order::Big => bytes.rev().zip(value).for_each(|(byte, new)| *byte = new),
                    Order::Little => bytes.zip(value).for_each(|(byte, new)| *byte = new),
                }
                0
            }
            Op::Load(_, access) => self.image.load(self.at(*access), width(access.bytes)),
            Op::Store(access, value) => {
                self.image
                    .store(self.at(*access), width(access.bytes), self.get(*value));
                0
            }
            Op::Raise(access, value) => {
                self.add(self.at(*access), self.get(*value));
                0
            }
            Op::Exchange(access, new, expected) => {
                let at = self.at(*access);
                let before = self.image.load(at, Width::B8);
                if before == self.get(*expected) {
                    self.image.store(at, Width::B8, self.get(*new));
                }
                before
            }
            Op::Find(section, index, tag) => {
                let bucket = self.bucket(&self.image.layout()[*section], *index);
                flows::find(&bucket, self.get(*tag))
            }
            Op::Place(section, index, tag, now, idle) => {
                let bucket = self.bucket(&self.image.layout()[*section], *index);
                flows::place(&bucket, self.get(*tag), self.get(*now), self.get(*idle))
            }
            Op::Count(section, index) => {
                let section = &self.image.layout()[*section];
                let index = self.get(*index);
                let packets = section.at(index, counter::PACKETS);
                let bytes = section.at(index, counter::BYTES);
                self.add(packets, 1);
                self.add(bytes, self.length());
                0
            }
        }
    }

    fn end(&mut self, end: &Terminator) -> Next {
        match end {
            Terminator::Jump(jump) => self.jump(jump),
            Terminator::If {
                condition,
                then,
                otherwise,
            } => self.jump(if self.get(*condition) == 0 {
                otherwise
            } else {
                then
            }),
            Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            } => {
                let base = base.map_or(0, |base| self.get(base));
                let there = inside(base, *length, self.length());
                self.jump(if there { then } else { otherwise })
            }
            Terminator::Return { verdict, interface } => {
                let interface = interface.map(|value| self.get(value) as u8);
                Next::Done(Outcome {
                    verdict: *verdict,
                    interface,
                })
            }
        }
    }

    fn jump(&mut self, jump: &Jump) -> Next {
        let args: Vec<u64> = jump.args.iter().map(|value| self.get(*value)).collect();
        for (param, arg) in self.program.blocks[jump.to].params.iter().zip(args) {
            self.values[*param] = arg;
        }
        Next::Block(jump.to)
    }

    fn length(&self) -> u64 {
        self.packet.frame.len() as u64
    }

    fn bytes(&mut self, access: FrameAccess) -> &mut [u8] {
        let base = access.base.map_or(0, |base| self.get(base)) as usize;
        let begin = base + usize::from(access.offset);
        let range = begin..begin + usize::from(access.bytes);
        self.packet
            .frame
            .get_mut(range)
            .expect("a verified access lies inside the frame")
    }

    fn at(&self, access: SectionAccess) -> u64 {
        let section = &self.image.layout()[access.section];
        section.at(self.get(access.index), access.offset)
    }

    /// The entries of the bucket whose number is in `index`, modulo the number of buckets.
    fn bucket(&self, section: &Section, index: Value) -> Vec<u64> {
        let first = self.get(index).wrapping_mul(u64::from(BUCKET));
        let at = |entry| section.at(first.wrapping_add(entry), 0);
        (0..u64::from(BUCKET))
            .map(|entry| self.image.load(at(entry), Width::B8))
            .collect()
    }

    fn add(&mut self, at: u64, more: u64) {
        let before = self.image.load(at, Width::B8);
        self.image.store(at, Width::B8, before.wrapping_add(more));
    }
}

fn width(bytes: u8) -> Width {
    match bytes {
        1 => Width::B1,
        2 => Width::B2,
        4 => Width::B4,
        _ => Width::B8,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use lvsc_abi::image::{self, Bytes};

    use super::*;
    use crate::text;
    use crate::verify::verify;

    #[test]
    fn a_flow_is_entered_found_and_counted() {
        let source = "section flows.web flow 64\nsection counters counter 2\nb0:\n  v0 = const 9\n  \
            v1 = const 5\n  v2 = place flows.web[v0], v1, v1, v1\n  v3 = const 8\n  v4 = mul v0, v3\n  \
            v5 = add v4, v2\n  v6 = const 0x5000000001\n  v7 = const 0\n  \
            v8 = exchange flows.web[v5] = v6 if v7\n  v9 = exchange flows.web[v5] = v7 if v7\n  \
            v10 = find flows.web[v1], v1\n  v11 = const 1\n  v12 = find flows.web[v11], v1\n  \
            count counters[v10]\n  count counters[v12]\n  count counters[v12]\n  return drop\n";
        let source = text::parse(source).unwrap();
        let program = verify(source.program, &source.layout).unwrap();
        let mut image = Bytes::new(source.layout);
        let mut packet = Packet {
            frame: &mut [0; 60],
            ingress: 3,
            worker: 0,
        };
        let outcome = run(&program, &mut packet, &mut image);
        assert_eq!(outcome.verdict, Verdict::Drop);
        assert_eq!(
            image::count(&image, 0),
            image::Count {
                packets: 3,
                bytes: 180
            }
        );
        let (_, flows) = image.layout().named("flows.web").unwrap();
        assert_eq!(image.load(flows.at(8, 0), Width::B8), 0x50_0000_0001);
    }
}
