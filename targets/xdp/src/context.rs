//! The argument of a program: `struct xdp_md` of linux/bpf.h.

use crate::insn::{Alu, Insn, R0, R1, Source, Test, Width};

/// Offsets in it (bytes).
pub(crate) const DATA: i16 = 0;
pub(crate) const DATA_END: i16 = 4;
pub(crate) const INGRESS: i16 = 12;
pub(crate) const QUEUE: i16 = 16;

/// Leaves the address of the frame's first byte in `frame`, and that behind its last one in `end`; ends with `otherwise`
/// where the frame has fewer bytes than `length`. The argument is in `R1`; `spare` is written to.
pub(crate) fn whole_frame(
    [frame, end, spare]: [u8; 3],
    length: usize,
    otherwise: i32,
) -> [Insn; 7] {
    let length = Source::Immediate(length as i32);
    [
        Insn::load(4, frame, R1, DATA),
        Insn::load(4, end, R1, DATA_END),
        Insn::copy(spare, frame),
        Insn::alu(Alu::Add, Width::Full, spare, length),
        Insn::branch(Test::Le, Width::Full, spare, Source::Register(end), 2),
        Insn::set(Width::Half, R0, otherwise),
        Insn::exit(),
    ]
}
