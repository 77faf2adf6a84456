//! What a program does and a network card cannot: `mode offload`.
//!
//! Linux lets one family of cards run XDP programs (drivers/net/ethernet/netronome/nfp/bpf). Its driver looks at each
//! instruction beside the verifier (verifier.c: `nfp_verify_insn`), translates it (jit.c), and gives a card only maps that
//! live there (kernel/bpf/offload.c: `bpf_map_offload_map_alloc`). This is asked of the program before there is an object,
//! so that a person reads lines of the policy and not of that driver's log.
//!
//! The sizes that a card's firmware has for code and stack (offload.c: `nfp_bpf_offload_check`) are known to nobody but the
//! card: they are not asked here.

use std::collections::BTreeSet;
use std::fmt;

use lvsc_abi::manifest::Manifest;
use lvsc_abi::place::Place;
use lvsc_ir::graph::Graph;
use lvsc_ir::program::{Binary, Op, Terminator, Value};
use lvsc_ir::range;
use lvsc_ir::verify::Verified;

/// Something that a card cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Global data: a card's maps are arrays and hashes without flags, without an address that an instruction could hold
    /// (kernel/bpf/offload.c), and the place in a value is a constant (`nfp_bpf_map_mark_used`).
    Data,
    /// A write into a map's value, other than adding (`nfp_bpf_check_ptr`).
    Write,
    /// An atomic exchange: only adding is one (`nfp_bpf_check_atomic`).
    Exchange,
    /// The number of the CPU: no such helper (`nfp_bpf_check_helper_call`).
    Cpu,
    /// Out by another interface: no such helper, and no map of devices.
    Redirect,
    /// The interface by which a packet came (jit.c: `mem_ldx_xdp`).
    Ingress,
    /// A factor beyond 32 bits (`nfp_bpf_check_alu`).
    Multiplication,
    /// A division of more than 32 bits (`nfp_bpf_check_alu`); every divisor is a constant.
    Division,
    /// A remainder: no such instruction (jit.c: `instr_cb`).
    Remainder,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obstacle::Data => "reads the state image",
            Obstacle::Write => "writes the state image",
            Obstacle::Exchange => "compares and exchanges",
            Obstacle::Cpu => "asks for the CPU's number",
            Obstacle::Redirect => "sends by another interface",
            Obstacle::Ingress => "asks for the interface it came by",
            Obstacle::Multiplication => "multiplies more than 32 bits",
            Obstacle::Division => "divides more than 32 bits",
            Obstacle::Remainder => "takes a remainder",
        })
    }
}

/// All that a card cannot do of a program, by place.
pub fn obstacles(program: &Verified, manifest: &Manifest) -> BTreeSet<(Place, Obstacle)> {
    let program = program.program();
    let ranges = range::of(program, &Graph::of(program));
    let several = manifest.interfaces.len() > 1;
    let wide = |value: Value| ranges[value].most > u64::from(u32::MAX);
    let mut found = BTreeSet::new();
    for block in program.blocks.values() {
        for inst in &block.insts {
            let obstacles: &[Obstacle] = match inst.op {
                Op::Load(..) | Op::Find(..) | Op::Place(..) | Op::Raise(..) => &[Obstacle::Data],
                Op::Store(..) => &[Obstacle::Write],
                Op::Exchange(..) => &[Obstacle::Exchange],
                Op::Count(..) => &[Obstacle::Data, Obstacle::Write, Obstacle::Cpu],
                Op::Worker => &[Obstacle::Cpu],
                Op::Ingress if several => &[Obstacle::Ingress],
                Op::Binary(Binary::Mul, a, b) if wide(a) || wide(b) => &[Obstacle::Multiplication],
                Op::Binary(Binary::Div, a, b) if wide(a) || wide(b) => &[Obstacle::Division],
                Op::Binary(Binary::Rem, ..) => &[Obstacle::Remainder],
                Op::Ingress
                | Op::Binary(..)
                | Op::Const(_)
                | Op::FrameLength
                | Op::Compare(..)
                | Op::Select(..)
                | Op::Swap(..)
                | Op::LoadFrame(_)
                | Op::StoreFrame(..) => &[],
            };
            found.extend(obstacles.iter().map(|obstacle| (inst.place, *obstacle)));
        }
        let leaves = matches!(
            block.end,
            Terminator::Return {
                interface: Some(_),
                ..
            }
        );
        if leaves && several {
            found.insert((block.place, Obstacle::Redirect));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use lvsc_abi::manifest::Interface;
    use lvsc_ir::text;
    use lvsc_ir::verify::verify;

    use super::*;

    /// What is in the way of a program with one block, where there are so many interfaces.
    fn in_the_way(interfaces: usize, block: &str) -> Vec<Obstacle> {
        let text = format!(
            "section ring.web slot 8\nsection flows.web flow 8\nsection counters counter 4\nb0:\n{block}\n"
        );
        let source = text::parse(&text).expect("it is a program");
        let program = verify(source.program, &source.layout).expect("it is a valid one");
        let manifest = Manifest {
            interfaces: vec![Interface::default(); interfaces],
            ..Manifest::default()
        };
        let found = obstacles(&program, &manifest);
        found.into_iter().map(|(_, obstacle)| obstacle).collect()
    }

    #[test]
    fn what_a_card_cannot_do_is_found() {
        use Obstacle::{
            Cpu, Data, Division, Exchange, Ingress, Multiplication, Redirect, Remainder, Write,
        };
        let one = "v0 = const 1\n";
        for (block, expected) in [
            ("v1 = load.config4 ring.web[v0]+0", vec![Data]),
            ("v1 = find flows.web[v0], v0", vec![Data]),
            ("store4 ring.web[v0]+0 = v0", vec![Write]),
            ("v1 = exchange flows.web[v0] = v0 if v0", vec![Exchange]),
            ("count counters[v0]", vec![Data, Write, Cpu]),
            ("v1 = worker", vec![Cpu]),
            ("v1 = ingress", vec![Ingress]),
            ("v1 = frame.length\nv2 = mul v1, v1", vec![]),
            (
                "v1 = const 0x100000000\nv2 = mul v0, v1",
                vec![Multiplication],
            ),
            ("v1 = const 0x100000000\nv2 = div v1, v0", vec![Division]),
            ("v1 = frame.length\nv2 = div v1, v0", vec![]),
            ("v1 = rem v0, v0", vec![Remainder]),
        ] {
            let found = in_the_way(2, &format!("{one}{block}\nreturn pass"));
            assert_eq!(found, expected, "{block}");
        }
        let sent = format!("{one}return send v0");
        assert_eq!(in_the_way(2, &sent), [Redirect]);
        assert_eq!(in_the_way(1, &sent), [], "it goes back by the only one");
        assert_eq!(
            in_the_way(1, &format!("{one}v1 = ingress\nreturn pass")),
            []
        );
    }
}
