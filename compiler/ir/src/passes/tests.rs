#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::image::Image;
use proptest::collection;
use proptest::prelude::*;

use super::*;
use crate::eval::{self, Outcome, Packet};
use crate::sample::{self, Case};
use crate::{text, verify};

const SECTIONS: &str =
    "section ring.web slot 8\nsection counters counter 4\nsection flows.web flow 8\n\n";

/// Runs one pass, then those that tidy up behind it.
#[track_caller]
fn check(name: &str, before: &str, after: &str) {
    let source = text::parse(&format!("{SECTIONS}{before}")).unwrap();
    let layout = source.layout;
    let accepted = verify::verify(source.program, &layout).unwrap();
    let mut program = accepted.into_program();
    for (found, pass) in PASSES {
        if [name, "dce", "numbers"].contains(&found) {
            program = pass(program);
            verify::verify(program.clone(), &layout).unwrap();
        }
    }
    let text = text::print(&program, &layout);
    assert_eq!(text.strip_prefix(SECTIONS).unwrap(), after, "\n{text}");
}

/// One block that sends by the last value.
fn send(insts: &str, last: u32) -> String {
    format!("b0:\n{insts}  return send v{last}\n")
}

/// Two blocks: these instructions behind a check of 60 bytes.
fn framed(insts: &str, end: &str) -> String {
    format!("b0:\n  bounds +60 b1() else b2()\n\nb1:\n{insts}  {end}\n\nb2:\n  return drop\n")
}

#[test]
fn blocks_that_only_jump_on_are_jumped_past() {
    check(
        "blocks",
        "b0:\n  v0 = ingress\n  if v0 b1() else b2(v0)\nb1:\n  jump b3(v0)\nb2(v1):\n  jump b3(v1)\n\
         b3(v2):\n  return send v2\nb4:\n  jump b4()\n",
        "b0:\n  v0 = ingress\n  return send v0\n",
    );
}

#[test]
fn a_block_whose_parameter_others_read_is_kept() {
    check(
        "blocks",
        "b0:\n  v0 = ingress\n  v1 = worker\n  if v0 b1(v0) else b1(v1)\nb1(v2):\n  jump b2()\n\
         b2:\n  if v2 b3() else b4()\nb3:\n  return send v2\nb4:\n  return drop\n",
        "b0:\n  v0 = ingress\n  v1 = worker\n  if v0 b1(v0) else b1(v1)\n\nb1(v2):\n  if v2 b2() else b3()\n\n\
         b2:\n  return send v2\n\nb3:\n  return drop\n",
    );
}

#[test]
fn a_block_with_one_way_in_is_put_behind_it() {
    check(
        "blocks",
        "b0:\n  v0 = ingress\n  jump b1(v0)\nb1(v1):\n  v2 = add v1, v1\n  jump b2()\nb2:\n  return send v2\n",
        "b0:\n  v0 = ingress\n  v1 = add v0, v0\n  return send v1\n",
    );
}

#[test]
fn constants_are_folded() {
    check(
        "fold",
        &send(
            "  v0 = const 12\n  v1 = const 5\n  v2 = mul v0, v1\n  v3 = sub v1, v2\n  v4 = swap.2 v3\n",
            4,
        ),
        &send("  v0 = const 0xc9ff\n", 0),
    );
}

#[test]
fn identities_are_folded() {
    check(
        "fold",
        &send(
            "  v0 = ingress\n  v1 = const 255\n  v2 = and v1, v0\n  v3 = const 0\n  v4 = or v2, v3\n  \
             v5 = xor v4, v4\n  v6 = add v4, v5\n  v7 = const 1\n  v8 = mul v6, v7\n",
            8,
        ),
        &send("  v0 = ingress\n", 0),
    );
}

#[test]
fn powers_of_two_are_shifted() {
    check(
        "fold",
        &send(
            "  v0 = ingress\n  v1 = const 8\n  v2 = worker\n  v3 = mul v2, v1\n  v4 = rem v3, v1\n  v5 = div v2, v1\n  v6 = add v4, v5\n",
            6,
        ),
        &send(
            "  v0 = worker\n  v1 = const 3\n  v2 = shl v0, v1\n  v3 = const 7\n  v4 = and v2, v3\n  \
             v5 = const 3\n  v6 = shr v0, v5\n  v7 = add v4, v6\n",
            7,
        ),
    );
}

#[test]
fn comparisons_are_decided_by_what_values_can_be() {
    check(
        "fold",
        &send(
            "  v0 = ingress\n  v1 = const 256\n  v2 = lt v0, v1\n  v3 = eq v0, v1\n  v4 = add v2, v3\n",
            4,
        ),
        &send("  v0 = const 1\n", 0),
    );
}

#[test]
fn a_negated_comparison_is_the_opposite_one() {
    check(
        "fold",
        &send(
            "  v0 = ingress\n  v1 = worker\n  v2 = lt v0, v1\n  v3 = const 0\n  v4 = eq v2, v3\n",
            4,
        ),
        &send("  v0 = ingress\n  v1 = worker\n  v2 = le v1, v0\n", 2),
    );
}

#[test]
fn a_shifted_comparison_is_a_masked_one() {
    check(
        "fold",
        &framed(
            "  v0 = frame.be2 +14\n  v1 = const 12\n  v2 = shr v0, v1\n  v3 = const 4\n  v4 = eq v2, v3\n",
            "return send v4",
        ),
        &framed(
            "  v0 = frame.be2 +14\n  v1 = const 0xf000\n  v2 = and v0, v1\n  v3 = const 0x4000\n  v4 = eq v2, v3\n",
            "return send v4",
        ),
    );
}

#[test]
fn branches_with_a_known_way_are_jumps() {
    check(
        "fold",
        "b0:\n  v0 = const 1\n  if v0 b1(v0) else b2()\nb1(v1):\n  if v1 b3() else b2()\nb2:\n  return drop\nb3:\n  return pass\n",
        "b0:\n  jump b1()\n\nb1:\n  jump b2()\n\nb2:\n  return pass\n",
    );
}

#[test]
fn a_branch_on_equal_to_zero_is_the_branch_turned_round() {
    check(
        "fold",
        "b0:\n  v0 = ingress\n  v1 = const 0\n  v2 = eq v0, v1\n  if v2 b1() else b2()\nb1:\n  return drop\nb2:\n  return pass\n",
        "b0:\n  v0 = ingress\n  if v0 b1() else b2()\n\nb1:\n  return pass\n\nb2:\n  return drop\n",
    );
}

#[test]
fn a_constant_base_begins_at_the_frame() {
    check(
        "fold",
        "b0:\n  v0 = const 14\n  bounds v0+20 b1() else b2()\nb1:\n  v1 = frame.le1 v0+9\n  return send v1\nb2:\n  return drop\n",
        "b0:\n  bounds +34 b1() else b2()\n\nb1:\n  v0 = frame.be1 +23\n  return send v0\n\nb2:\n  return drop\n",
    );
    check(
        "fold",
        "b0:\n  v0 = const 65535\n  bounds v0+1 b1() else b2()\nb1:\n  v1 = frame.be1 v0+0\n  return send v1\nb2:\n  return drop\n",
        "b0:\n  jump b1()\n\nb1:\n  return drop\n",
    );
}

#[test]
fn a_parameter_that_is_always_the_same_is_no_parameter() {
    check(
        "fold",
        "b0:\n  v0 = ingress\n  v1 = const 7\n  v2 = const 7\n  if v0 b1(v0, v1) else b1(v0, v2)\nb1(v3, v4):\n  v5 = add v3, v4\n  return send v5\n",
        "b0:\n  v0 = ingress\n  if v0 b1() else b1()\n\nb1:\n  v1 = const 7\n  v2 = add v0, v1\n  return send v2\n",
    );
}

#[test]
fn a_store_takes_the_low_bytes_anyway() {
    check(
        "fold",
        &framed(
            "  v0 = worker\n  v1 = const 0xffff\n  v2 = and v0, v1\n  frame.be2 +0 = v2\n  v3 = const 0x0102\n  frame.be2 +2 = v3\n",
            "return drop",
        ),
        &framed(
            "  v0 = worker\n  frame.be2 +0 = v0\n  v1 = const 513\n  frame.le2 +2 = v1\n",
            "return drop",
        ),
    );
}

#[test]
fn equal_instructions_are_done_once() {
    check(
        "cse",
        "b0:\n  v0 = ingress\n  v1 = add v0, v0\n  v2 = load.config4 ring.web[v1]+0\n  if v2 b1() else b2()\n\
         b1:\n  v3 = add v0, v0\n  v4 = load.config4 ring.web[v3]+0\n  return send v4\nb2:\n  return drop\n",
        "b0:\n  v0 = ingress\n  v1 = add v0, v0\n  v2 = load.config4 ring.web[v1]+0\n  if v2 b1() else b2()\n\n\
         b1:\n  return send v2\n\nb2:\n  return drop\n",
    );
}

#[test]
fn shared_loads_are_all_done() {
    let program = send(
        "  v0 = ingress\n  v1 = load.shared4 ring.web[v0]+0\n  v2 = load.shared4 ring.web[v0]+0\n  \
         v3 = add v1, v2\n",
        3,
    );
    check("cse", &program, &program);
}

#[test]
fn a_load_is_repeated_only_behind_a_store_to_its_bytes() {
    check(
        "cse",
        &framed(
            "  v0 = frame.be4 +0\n  frame.be2 +4 = v0\n  v1 = frame.be4 +0\n  frame.be2 +3 = v1\n  v2 = frame.be4 +0\n  v3 = add v1, v2\n",
            "return send v3",
        ),
        &framed(
            "  v0 = frame.be4 +0\n  frame.be2 +4 = v0\n  frame.be2 +3 = v0\n  v1 = frame.be4 +0\n  v2 = add v0, v1\n",
            "return send v2",
        ),
    );
}

#[test]
fn a_load_is_known_behind_a_join_only_if_no_arm_has_stored() {
    let program = |store: &str| {
        format!(
            "b0:\n  bounds +60 b1() else b4()\n\nb1:\n  v0 = frame.be4 +0\n  if v0 b2() else b3()\n\n\
             b2:\n  {store} = v0\n  jump b3()\n\nb3:\n  v1 = frame.be4 +0\n  return send v1\n\nb4:\n  return drop\n"
        )
    };
    let stored = program("frame.be4 +2");
    check("cse", &stored, &stored);
    let elsewhere = program("frame.be4 +4");
    check(
        "cse",
        &elsewhere,
        &elsewhere.replace("  v1 = frame.be4 +0\n  return send v1", "  return send v0"),
    );
}

#[test]
fn a_question_is_not_asked_again() {
    check(
        "known",
        "b0:\n  bounds +34 b1() else b2()\nb1:\n  bounds +20 b3() else b2()\nb2:\n  bounds +40 b4() else b5()\n\
         b3:\n  v0 = ingress\n  if v0 b6() else b5()\nb4:\n  return pass\nb5:\n  return drop\n\
         b6:\n  if v0 b4() else b5()\n",
        "b0:\n  bounds +34 b1() else b5()\n\nb1:\n  jump b2()\n\nb2:\n  v0 = ingress\n  if v0 b3() else b6()\n\n\
         b3:\n  jump b4()\n\nb4:\n  return pass\n\nb5:\n  jump b6()\n\nb6:\n  return drop\n",
    );
}

#[test]
fn what_a_value_was_equal_to_decides_what_it_is_compared_with() {
    check(
        "known",
        "b0:\n  v0 = ingress\n  v1 = const 6\n  v2 = eq v0, v1\n  if v2 b1() else b2()\n\
         b1:\n  v3 = const 17\n  v4 = ne v0, v3\n  if v4 b3() else b4()\n\
         b2:\n  v5 = const 17\n  v6 = eq v0, v5\n  if v6 b3() else b4()\n\
         b3:\n  return pass\nb4:\n  return drop\n",
        "b0:\n  v0 = ingress\n  v1 = const 6\n  v2 = eq v0, v1\n  if v2 b1() else b2()\n\n\
         b1:\n  jump b3()\n\n\
         b2:\n  v3 = const 17\n  v4 = eq v0, v3\n  if v4 b3() else b4()\n\n\
         b3:\n  return pass\n\nb4:\n  return drop\n",
    );
}

#[test]
fn a_condition_is_zero_in_either_order() {
    let program = |load: &str, mask: &str| {
        format!(
            "b0:\n  bounds +60 b1() else b3()\n\nb1:\n  v0 = frame.{load} +0\n  v1 = const {mask}\n  \
             v2 = and v0, v1\n  if v2 b2() else b3()\n\nb2:\n  return pass\n\nb3:\n  return drop\n"
        )
    };
    check(
        "order",
        &program("be6", "0x10000000000"),
        &program("le6", "1"),
    );
}

#[test]
fn a_comparison_is_done_in_the_order_of_the_wire() {
    check(
        "order",
        &framed(
            "  v0 = frame.be2 +12\n  v1 = const 0x800\n  v2 = eq v0, v1\n  v3 = frame.be4 +20\n  v4 = const 0x3fff\n  \
             v5 = and v3, v4\n  v6 = const 0\n  v7 = ne v5, v6\n  v8 = and v2, v7\n",
            "return send v8",
        ),
        &framed(
            "  v0 = frame.le2 +12\n  v1 = const 8\n  v2 = eq v0, v1\n  v3 = frame.le4 +20\n  v4 = const 0xff3f0000\n  \
             v5 = and v3, v4\n  v6 = const 0\n  v7 = ne v5, v6\n  v8 = and v2, v7\n",
            "return send v8",
        ),
    );
}

#[test]
fn a_field_that_is_copied_is_not_turned_round() {
    check(
        "order",
        &framed(
            "  v0 = frame.be6 +6\n  v1 = frame.be6 +0\n  frame.be6 +0 = v0\n  frame.be6 +6 = v1\n  v2 = worker\n  \
             v3 = swap.6 v2\n  frame.be6 +20 = v3\n  v4 = frame.be4 +30\n  v5 = swap.4 v4\n",
            "return send v5",
        ),
        &framed(
            "  v0 = frame.le6 +6\n  v1 = frame.le6 +0\n  frame.le6 +0 = v0\n  frame.le6 +6 = v1\n  v2 = worker\n  \
             frame.le6 +20 = v2\n  v3 = frame.le4 +30\n",
            "return send v3",
        ),
    );
}

#[test]
fn a_value_with_another_use_keeps_its_order() {
    let program = framed(
        "  v0 = frame.be2 +12\n  v1 = const 0x800\n  v2 = eq v0, v1\n  v3 = add v0, v2\n",
        "return send v3",
    );
    check("order", &program, &program);
}

#[test]
fn what_nobody_needs_is_left_out_and_effects_stay() {
    check(
        "dce",
        "b0:\n  v0 = ingress\n  v1 = add v0, v0\n  v2 = find flows.web[v0], v0\n  count counters[v0]\n  jump b1(v1, v0)\n\
         b1(v3, v4):\n  v5 = mul v3, v3\n  return send v4\n",
        "b0:\n  v0 = ingress\n  v1 = find flows.web[v0], v0\n  count counters[v0]\n  jump b1(v0)\n\nb1(v2):\n  return send v2\n",
    );
}

fn decide(program: &Verified, case: &Case) -> (Vec<(Outcome, Vec<u8>)>, Vec<u8>) {
    let mut image = case.image.clone();
    let outcomes = case.frames.iter().map(|(frame, ingress)| {
        let mut frame = frame.clone();
        let mut packet = Packet {
            frame: &mut frame,
            ingress: *ingress,
            worker: 3,
        };
        (eval::run(program, &mut packet, &mut image), frame)
    });
    let outcomes = outcomes.collect();
    assert_eq!(image.layout(), &case.layout);
    (outcomes, image.as_bytes().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_program_decides_the_same_behind_each_pass(choices in collection::vec(any::<u8>(), 0..1200)) {
        let case = sample::case(&choices);
        let mut program = verify::verify(case.program.clone(), &case.layout).unwrap();
        let expected = decide(&program, &case);
        for (name, pass) in PASSES.iter().chain(&PASSES) {
            let before = text::print(program.program(), &case.layout);
            let passed = pass(program.into_program());
            let after = text::print(&passed, &case.layout);
            let verified = verify::verify(passed, &case.layout);
            prop_assert!(verified.is_ok(), "{name}: {:?}\n{before}\n{after}", verified);
            program = verified.unwrap();
            let found = decide(&program, &case);
            prop_assert!(found == expected, "{name}:\n{before}\n{after}");
        }
    }

    #[test]
    fn optimizing_twice_changes_nothing_more(choices in collection::vec(any::<u8>(), 0..400)) {
        let case = sample::case(&choices);
        let program = verify::verify(case.program, &case.layout).unwrap();
        let once = optimize(program, &case.layout);
        prop_assert_eq!(optimize(once.clone(), &case.layout), once);
    }
}
