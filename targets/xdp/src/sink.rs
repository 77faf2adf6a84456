//! The program at the end of a measured chain: it counts the packets of a train that have come back, and drops whatever comes.

use lvsc_abi::train::{Sink, Train};

use crate::context::whole_frame;
use crate::insn::{Insn, R0, Source, Test, Width};

/// Where the Ethernet type stands in a frame.
const TYPE: usize = 12;
/// `XDP_DROP`
const DROP: i32 = 1;
const FRAME: u8 = 2;
const LAST: u8 = 3;
const VALUE: u8 = 4;

/// Makes the program. A packet is one of the train where it is no shorter and has the same Ethernet type: a director has
/// written to it, and sends nothing else of that type by itself.
pub fn sink(train: &Train) -> Sink {
    let length = train.frame.len().max(TYPE + 2);
    let kind = [TYPE, TYPE + 1].map(|at| train.frame.get(at).copied().unwrap_or(0));
    let mut code = whole_frame([FRAME, LAST, VALUE], length, DROP).to_vec();
    code.extend([
        Insn::load(2, VALUE, FRAME, TYPE as i16),
        Insn::branch(
            Test::Eq,
            Width::Full,
            VALUE,
            Source::Immediate(i32::from(u16::from_le_bytes(kind))),
            2,
        ),
        Insn::set(Width::Half, R0, DROP),
        Insn::exit(),
    ]);
    let count = code.len();
    code.extend(Insn::wide(FRAME, 0));
    code.extend([
        Insn::set(Width::Half, VALUE, 1),
        Insn::add_to(FRAME, 0, VALUE),
        Insn::set(Width::Half, R0, DROP),
        Insn::exit(),
    ]);
    Sink {
        code: code.into_iter().map(Insn::bits).collect(),
        count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_filled_into_an_instruction_that_sets_all_bits() {
        let mut frame = vec![0; 60];
        frame[TYPE..TYPE + 2].copy_from_slice(&[0x86, 0xdd]);
        let train = Train {
            frame,
            marks: Vec::new(),
            flows: 1,
        };
        let made = sink(&train);
        assert_eq!(made.code[made.count] & 0xff, 0x18);
        let is_type = |insn: &&u64| **insn >> 32 == 0xdd86;
        assert_eq!(made.code.iter().filter(is_type).count(), 1);
    }
}
