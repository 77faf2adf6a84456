#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::layout::SectionId;

use super::*;
use crate::program::{FrameAccess, Jump, Order};
use crate::text;

const SECTIONS: &str = "section ring.web slot 8\nsection backends.web backend 4\n\
    section flows.web flow 64\nsection counters counter 4\nsection small flow 4\n";

fn outcome(blocks: &str) -> Result<(), VerifyError> {
    let source = text::parse(&format!("{SECTIONS}{blocks}")).unwrap();
    verify(source.program, &source.layout).map(|_| ())
}

#[track_caller]
fn accepted(blocks: &str) {
    assert_eq!(outcome(blocks), Ok(()));
}

#[track_caller]
fn refused(blocks: &str, error: VerifyError) {
    assert_eq!(outcome(blocks), Err(error));
}

/// One block with these instructions, that drops.
fn block(insts: &str) -> String {
    format!("b0:\n{insts}\n  return drop\n")
}

fn at(block: u32, inst: usize) -> At {
    At {
        block: BlockId(block),
        inst: Some(inst),
    }
}

fn end(block: u32) -> At {
    At {
        block: BlockId(block),
        inst: None,
    }
}

#[test]
fn a_whole_program_is_accepted() {
    accepted(
        "b0:\n  bounds +20 b1() else b4()\nb1:\n  v0 = frame.be2 +18\n  bounds v0+4 b2() else b4()\n\
         b2:\n  v1 = frame.le4 v0+0\n  v2 = find flows.web[v1], v1\n  jump b3(v2)\n\
         b3(v3):\n  v4 = const 0\n  v5 = exchange flows.web[v3] = v4 if v1\n  count counters[v3]\n\
         \x20 frame.be6 +0 = v5\n  return send v3\nb4:\n  return pass\n",
    );
}

#[test]
fn a_program_without_blocks_is_refused() {
    refused("", VerifyError::Empty);
}

#[test]
fn an_entry_with_parameters_is_refused() {
    refused("b0(v0):\n  return drop\n", VerifyError::EntryParams);
}

#[test]
fn a_jump_to_nowhere_is_refused() {
    let error = VerifyError::UnknownBlock {
        block: BlockId(0),
        to: BlockId(7),
    };
    refused("b0:\n  jump b7()\n", error);
}

#[test]
fn a_cycle_is_refused() {
    let error = VerifyError::Cycle {
        block: BlockId(1),
        to: BlockId(0),
    };
    refused("b0:\n  jump b1()\nb1:\n  jump b0()\n", error);
    let itself = VerifyError::Cycle {
        block: BlockId(0),
        to: BlockId(0),
    };
    refused("b0:\n  jump b0()\n", itself);
}

#[test]
fn a_jump_with_too_few_values_is_refused() {
    let error = VerifyError::Arguments {
        block: BlockId(0),
        to: BlockId(1),
        expected: 1,
        found: 0,
    };
    refused("b0:\n  jump b1()\nb1(v0):\n  return drop\n", error);
}

#[test]
fn a_value_without_a_number_is_refused() {
    let mut source = text::parse(&block("  v0 = ingress")).unwrap();
    source.program.values = 0;
    let error = VerifyError::UnknownValue {
        at: at(0, 0),
        value: Value(0),
    };
    assert_eq!(verify(source.program, &source.layout), Err(error));
}

#[test]
fn a_value_made_twice_is_refused() {
    let error = VerifyError::MadeTwice {
        at: at(0, 1),
        value: Value(0),
    };
    refused(&block("  v0 = ingress\n  v0 = worker"), error);
}

#[test]
fn a_store_with_a_result_is_refused() {
    let mut source = text::parse(&format!("{SECTIONS}{}", block("  v0 = ingress"))).unwrap();
    source.program.blocks[BlockId(0)].insts[0].op = Op::Count(SectionId(3), Value(0));
    let error = VerifyError::Result { at: at(0, 0) };
    assert_eq!(verify(source.program, &source.layout), Err(error));
}

#[test]
fn a_value_used_before_it_is_made_is_refused() {
    let early = VerifyError::Undominated {
        at: at(0, 0),
        value: Value(1),
    };
    refused(&block("  v0 = add v1, v1\n  v1 = ingress"), early);
    let itself = VerifyError::Undominated {
        at: at(0, 0),
        value: Value(0),
    };
    refused(&block("  v0 = add v0, v0"), itself);
    let arm = VerifyError::Undominated {
        at: end(3),
        value: Value(0),
    };
    let fork = "b0:\n  bounds +1 b1() else b2()\nb1:\n  v0 = ingress\n  jump b3()\n\
        b2:\n  jump b3()\nb3:\n  return send v0\n";
    refused(fork, arm);
}

#[test]
fn a_section_of_another_layout_is_refused() {
    let mut source = text::parse(&format!(
        "{SECTIONS}{}",
        block("  v0 = ingress\n  count counters[v0]")
    ))
    .unwrap();
    source.program.blocks[BlockId(0)].insts[1].op = Op::Count(SectionId(9), Value(0));
    let error = VerifyError::UnknownSection {
        at: at(0, 1),
        section: SectionId(9),
    };
    assert_eq!(verify(source.program, &source.layout), Err(error));
}

#[test]
fn an_access_that_leaves_its_element_is_refused() {
    let error = VerifyError::OutsideElement {
        at: at(0, 1),
        offset: 4,
        bytes: 4,
        stride: 4,
    };
    refused(
        &block("  v0 = ingress\n  v1 = load.config4 ring.web[v0]+4"),
        error,
    );
}

#[test]
fn what_packets_change_is_no_configuration() {
    let flows = block("  v0 = ingress\n  v1 = load.config8 flows.web[v0]+0");
    let error = VerifyError::NoConfig {
        at: at(0, 1),
        section: SectionId(2),
    };
    refused(&flows, error);
}

#[test]
fn an_access_across_its_alignment_is_refused() {
    let error = VerifyError::Unaligned {
        at: at(0, 1),
        offset: 1,
        bytes: 2,
    };
    refused(
        &block("  v0 = ingress\n  v1 = load.config2 ring.web[v0]+1"),
        error,
    );
}

#[test]
fn a_width_that_does_not_exist_is_refused() {
    refused(
        &block("  v0 = ingress\n  v1 = load.config3 ring.web[v0]+0"),
        VerifyError::Bytes {
            at: at(0, 1),
            bytes: 3,
        },
    );
    refused(
        &block("  v0 = ingress\n  v1 = swap.0 v0"),
        VerifyError::Bytes {
            at: at(0, 1),
            bytes: 0,
        },
    );
    refused(
        &block("  v0 = frame.be0 +0"),
        VerifyError::Bytes {
            at: at(0, 0),
            bytes: 0,
        },
    );
}

#[test]
fn a_search_outside_a_connection_table_is_refused() {
    refused(
        &block("  v0 = ingress\n  v1 = find ring.web[v0], v0"),
        VerifyError::NoBuckets {
            at: at(0, 1),
            section: SectionId(0),
        },
    );
    refused(
        &block("  v0 = ingress\n  v1 = vacant small[v0], v0, v0"),
        VerifyError::NoBuckets {
            at: at(0, 1),
            section: SectionId(4),
        },
    );
}

#[test]
fn a_count_outside_the_counters_is_refused() {
    let error = VerifyError::NoCounters {
        at: at(0, 1),
        section: SectionId(0),
    };
    refused(&block("  v0 = ingress\n  count ring.web[v0]"), error);
}

#[test]
fn an_exchange_of_a_smaller_element_is_refused() {
    let error = VerifyError::NoWord {
        at: at(0, 1),
        section: SectionId(3),
    };
    refused(
        &block("  v0 = ingress\n  v1 = exchange counters[v0] = v0 if v0"),
        error,
    );
}

#[test]
fn a_divisor_that_may_be_zero_is_refused() {
    let error = VerifyError::Divisor {
        at: at(0, 1),
        value: Value(0),
    };
    refused(&block("  v0 = ingress\n  v1 = div v0, v0"), error.clone());
    refused(&block("  v0 = const 0\n  v1 = rem v0, v0"), error);
}

#[test]
fn send_names_an_interface_and_nothing_else_does() {
    let error = VerifyError::Interface { block: BlockId(0) };
    refused("b0:\n  return send\n", error.clone());
    refused("b0:\n  v0 = ingress\n  return pass v0\n", error);
}

#[test]
fn a_frame_access_is_covered_on_every_way_by_the_same_base() {
    let access = FrameAccess {
        base: None,
        offset: 12,
        bytes: 2,
        order: Order::Big,
    };
    refused(
        &block("  v0 = frame.be2 +12"),
        VerifyError::Unbounded {
            at: at(0, 0),
            access,
        },
    );
    let short = "b0:\n  bounds +13 b1() else b2()\nb1:\n  v0 = frame.be2 +12\n  return drop\n\
        b2:\n  return drop\n";
    refused(
        short,
        VerifyError::Unbounded {
            at: at(1, 0),
            access,
        },
    );
    let other_side = "b0:\n  bounds +14 b1() else b2()\nb1:\n  return drop\n\
        b2:\n  v0 = frame.be2 +12\n  return drop\n";
    refused(
        other_side,
        VerifyError::Unbounded {
            at: at(2, 0),
            access,
        },
    );
    let join = "b0:\n  bounds +14 b1() else b1()\nb1:\n  v0 = frame.be2 +12\n  return drop\n";
    refused(
        join,
        VerifyError::Unbounded {
            at: at(1, 0),
            access,
        },
    );
    let other_base = "b0:\n  v0 = ingress\n  bounds +64 b1() else b2()\n\
        b1:\n  v1 = frame.be1 v0+0\n  return drop\nb2:\n  return drop\n";
    let access = FrameAccess {
        base: Some(Value(0)),
        offset: 0,
        bytes: 1,
        order: Order::Big,
    };
    refused(
        other_base,
        VerifyError::Unbounded {
            at: at(1, 0),
            access,
        },
    );
}

#[test]
fn a_join_keeps_what_every_arm_has_asked() {
    accepted(
        "b0:\n  v0 = ingress\n  if v0 b1() else b2()\nb1:\n  bounds +20 b3() else b4()\n\
         b2:\n  bounds +14 b3() else b4()\nb3:\n  v1 = frame.be2 +12\n  return drop\n\
         b4:\n  return drop\n",
    );
}

#[test]
fn an_unreached_block_is_checked_for_what_it_names() {
    let lone = "b0:\n  return drop\nb1:\n  v0 = frame.be1 +0\n  jump b1()\n";
    accepted(lone);
    let error = VerifyError::UnknownBlock {
        block: BlockId(1),
        to: BlockId(5),
    };
    refused("b0:\n  return drop\nb1:\n  jump b5()\n", error);
}

#[test]
fn errors_say_where() {
    let error = VerifyError::UnknownValue {
        at: at(3, 4),
        value: Value(7),
    };
    assert_eq!(error.to_string(), "b3, instruction 4: there is no v7");
    let jump = Jump::to(BlockId(2));
    let entry = Block {
        params: vec![],
        insts: vec![],
        end: Terminator::Jump(jump),
        place: lvsc_abi::place::Place::default(),
    };
    let program = Program {
        blocks: [entry].into_iter().collect(),
        values: 0,
    };
    let error = verify(program, &Layout::new()).unwrap_err();
    assert_eq!(error.to_string(), "b0, end: there is no b2");
}
