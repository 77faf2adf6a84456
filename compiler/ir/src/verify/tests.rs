//! What no text can say. What can be written is judged by `tests/ir/verify.lvsi`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::layout::SectionId;

use super::*;
use crate::text;

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
fn a_store_with_a_result_is_refused() {
    let mut source = text::parse(&block("  v0 = ingress")).unwrap();
    source.program.blocks[BlockId(0)].insts[0].op = Op::Count(SectionId(3), Value(0));
    let error = VerifyError::Result { at: at(0, 0) };
    assert_eq!(verify(source.program, &source.layout), Err(error));
}

#[test]
fn a_section_of_another_layout_is_refused() {
    let mut source = text::parse(&format!(
        "section counters counter 4\n{}",
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
fn errors_say_where() {
    let error = VerifyError::UnknownValue {
        at: at(3, 4),
        value: Value(7),
    };
    assert_eq!(error.to_string(), "b3, instruction 4: there is no v7");
}
