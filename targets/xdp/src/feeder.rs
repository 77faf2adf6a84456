//! The program that stands in front of a measured one. `BPF_PROG_TEST_RUN` gives all its repeats the same frame, as the
//! one before has left it: so this makes it the next packet of a train, and calls the program.
//!
//! The frame is a constant of the code; the one thing in memory is the number of the next packet.

use lvsc_abi::train::{FACTOR, Feeder, Train};

use crate::context::whole_frame;
use crate::insn::{Alu, Insn, R0, R1, Source, Width};

/// `bpf_ktime_get_ns`
const HELPER_TIME: i32 = 5;
/// `bpf_tail_call`
const HELPER_TAIL_CALL: i32 = 12;
/// What a call leaves as it was: here the context.
const CONTEXT: u8 = 6;
const FRAME: u8 = 2;
const FLOW: u8 = 3;
const BITS: u8 = 4;
const VALUE: u8 = 5;

/// Makes the program. It returns 0, an error, where the frame has another length or nothing can be called.
pub fn feeder(train: &Train) -> Feeder {
    let mut code = vec![Insn::copy(CONTEXT, R1)];
    code.extend(whole_frame([FRAME, VALUE, BITS], train.frame.len(), 0));
    restore(&train.frame, &mut code);

    // The number is taken before it is counted on: the first packet's is 0.
    let number = code.len();
    code.extend(Insn::wide(VALUE, 0));
    code.extend([
        Insn::load(4, FLOW, VALUE, 0),
        Insn::copy(BITS, FLOW),
        Insn::alu(Alu::Add, Width::Half, BITS, Source::Immediate(1)),
        Insn::store(4, VALUE, 0, Source::Register(BITS)),
        Insn::alu(
            Alu::Mul,
            Width::Half,
            FLOW,
            Source::Immediate(FACTOR as i32),
        ),
        Insn::alu(
            Alu::And,
            Width::Half,
            FLOW,
            Source::Immediate((train.flows - 1) as i32),
        ),
    ]);
    for mark in &train.marks {
        let offset = mark.offset as i16;
        code.extend([
            Insn::copy(BITS, FLOW),
            Insn::alu(
                Alu::Shr,
                Width::Half,
                BITS,
                Source::Immediate(i32::from(mark.shift)),
            ),
            Insn::swap(BITS, i32::from(mark.bytes) * 8),
            Insn::load(mark.bytes, VALUE, FRAME, offset),
            Insn::alu(Alu::Xor, Width::Half, VALUE, Source::Register(BITS)),
            Insn::store(mark.bytes, FRAME, offset, Source::Register(VALUE)),
        ]);
    }

    // A frame comes from memory, not from stores just made: a program that loads across two of the stores above would
    // wait for them, and be judged by that. Reading the clock holds up all that follows (`rdtsc_ordered` in the kernel's
    // asm/msr.h), and meanwhile the stores are done.
    code.push(Insn::call(HELPER_TIME));
    code.push(Insn::copy(R1, CONTEXT));
    let programs = code.len();
    code.extend(Insn::wide(FRAME, 0));
    code.extend([
        Insn::set(Width::Half, FLOW, 0),
        Insn::call(HELPER_TAIL_CALL),
        Insn::set(Width::Half, R0, 0),
        Insn::exit(),
    ]);
    Feeder {
        code: code.into_iter().map(Insn::bits).collect(),
        number,
        programs,
    }
}

/// Writes the frame, in as wide stores as there are.
fn restore(frame: &[u8], code: &mut Vec<Insn>) {
    let mut at = 0;
    while at < frame.len() {
        let widths = [8, 4, 2, 1];
        let width = widths.into_iter().find(|width| at + width <= frame.len());
        let width = width.unwrap_or(1);
        let word = frame[at..at + width].iter().rev();
        let word = word.fold(0, |word, byte| word << 8 | u64::from(*byte));
        code.extend(Insn::wide(VALUE, word));
        code.push(Insn::store(
            width as u8,
            FRAME,
            at as i16,
            Source::Register(VALUE),
        ));
        at += width;
    }
}

#[cfg(test)]
mod tests {
    use lvsc_abi::train::Mark;

    use super::*;

    #[test]
    fn addresses_are_filled_into_instructions_that_set_all_bits() {
        let mark = Mark {
            field: "tcp.src",
            offset: 34,
            bytes: 2,
            shift: 0,
        };
        for length in 14..80 {
            let train = Train {
                frame: vec![0xa5; length],
                marks: vec![mark],
                flows: 1 << 20,
            };
            let made = feeder(&train);
            for address in [made.number, made.programs] {
                assert_eq!(made.code[address] & 0xff, 0x18, "{length} bytes");
            }
            let stores = made.code.iter().filter(|insn| *insn & 0x67 == 0x63);
            let widths = stores.map(|insn| match insn & 0x18 {
                0x18 => 8,
                0x10 => 1,
                0x08 => 2,
                _ => 4,
            });
            // All of the frame, the number, and the one mark.
            assert_eq!(widths.sum::<usize>(), length + 4 + 2);
        }
    }
}
