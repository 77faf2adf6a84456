//! Random programs. What each pass makes of a given one is told in `tests/ir/*.lvsi`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::image::Image;
use proptest::collection;
use proptest::prelude::*;

use super::*;
use crate::eval::{self, Outcome, Packet};
use crate::sample::{self, Case};
use crate::{text, verify};

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
        for (name, pass) in SCHEDULE.iter().chain(&SCHEDULE) {
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
}

/// A test of bytes: `(load size, offset, big endian, shift, mask, how it is asked, whether the first frame passes)`.
type Asked = (u8, u8, bool, u8, u64, u8, bool);

/// Bytes that are there.
const THERE: u8 = 16;

/// Blocks of tests, one behind the other, which all fail to the same place; most of them pass for this frame.
fn chain(frame: &[u8], tests: &[Asked]) -> String {
    use std::fmt::Write;
    let (end, fail) = (tests.len() + 1, tests.len() + 2);
    let mut text = format!("b0:\n  bounds +{THERE} b1() else b{fail}()\n");
    let mut value = 0;
    for (index, (size, offset, big, shift, mask, how, pass)) in tests.iter().enumerate() {
        let bytes = [1, 2, 4, 8][usize::from(size % 4)];
        let offset = offset % (THERE + 1 - bytes);
        let begin = usize::from(offset);
        let own = &frame[begin..begin + usize::from(bytes)];
        let fold = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        let loaded = if *big {
            own.iter().fold(0, fold)
        } else {
            own.iter().rev().fold(0, fold)
        };
        let (order, shift) = (if *big { "be" } else { "le" }, shift % 16);
        let wanted = loaded >> shift & mask ^ u64::from(!pass);
        let [a, b, c, d, e, f, g] = std::array::from_fn(|n| value + n);
        value += 7;
        let _ = write!(
            text,
            "b{}:\n  v{a} = frame.{order}{bytes} +{offset}\n  v{b} = const {shift}\n  v{c} = shr v{a}, v{b}\n  \
             v{d} = const {mask}\n  v{e} = and v{c}, v{d}\n  v{f} = const {wanted}\n",
            index + 1,
        );
        let next = index + 2;
        let _ = match how % 4 {
            0 => write!(
                text,
                "  v{g} = eq v{e}, v{f}\n  if v{g} b{next}() else b{fail}()\n"
            ),
            1 => write!(
                text,
                "  v{g} = ne v{e}, v{f}\n  if v{g} b{fail}() else b{next}()\n"
            ),
            2 => write!(
                text,
                "  v{g} = const 0\n  if v{e} b{fail}() else b{next}()\n"
            ),
            _ => write!(
                text,
                "  v{g} = const 0\n  if v{e} b{next}() else b{fail}()\n"
            ),
        };
    }
    let _ = write!(text, "b{end}:\n  return pass\nb{fail}:\n  return drop\n");
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn tests_of_bytes_decide_the_same_as_wide_ones(
        frame in collection::vec(0_u8..4, 24),
        tests in collection::vec((any::<u8>(), any::<u8>(), any::<bool>(), 0_u8..16, any::<u64>(), any::<u8>(), prop::bool::weighted(0.9)), 1..6),
        flips in collection::vec(0_usize..24 * 8, 20),
    ) {
        let source = chain(&frame, &tests);
        let text::Source { program, layout } = text::parse(&source).unwrap();
        let plain = verify::verify(program, &layout).unwrap();
        let wide = [BLOCKS, COMPARES, DCE].into_iter().fold(plain.program().clone(), |program, (_, pass)| pass(program));
        let wide = verify::verify(wide, &layout).unwrap();
        let mut frames = vec![frame.clone()];
        for flip in flips {
            let mut other = frame.clone();
            other[flip / 8] ^= 1 << (flip % 8);
            frames.push(other);
        }
        for frame in frames {
            let decide = |program: &Verified| {
                let mut image = lvsc_abi::image::Bytes::new(layout.clone());
                let mut packet = Packet { frame: &mut frame.clone(), ingress: 0, worker: 0 };
                eval::run(program, &mut packet, &mut image)
            };
            prop_assert_eq!(decide(&plain), decide(&wide), "{}\n{}\n{:?}", source, text::print(wide.program(), &layout), frame);
        }
    }
}

/// A rule: the byte that it is for, whether that is asked the other way round, and what it does.
type Rule = (u8, bool, u8);

/// Rules for the frame's first byte, three blocks each, one rule behind the other; some go on with the next one.
fn rules(rules: &[Rule]) -> String {
    use std::fmt::Write;
    let mut text =
        "section counters counter 4\n\nb0:\n  bounds +2 b2() else b1()\nb1:\n  return drop\n\
                    b2:\n  v0 = frame.be1 +0\n  v1 = frame.be1 +1\n  jump b3()\n"
            .to_owned();
    for (index, (byte, turned, does)) in rules.iter().enumerate() {
        let (rule, value) = (3 + index * 3, 2 + index * 4);
        let [constant, holds, number, other] = std::array::from_fn(|n| value + n);
        let [then, last, next] = std::array::from_fn(|n| rule + 1 + n);
        let (test, yes, no) = match turned {
            true => ("ne", next, then),
            false => ("eq", then, next),
        };
        let (byte, by_itself) = (byte % 40, *byte == 0);
        let condition = if by_itself {
            "v0".to_owned()
        } else {
            format!("v{holds}")
        };
        let (yes, no) = if by_itself { (next, then) } else { (yes, no) };
        let small = does / 5 % 3;
        let _ = write!(
            text,
            "b{rule}:\n  v{constant} = const {byte}\n  v{holds} = {test} v0, v{constant}\n  \
             if {condition} b{yes}() else b{no}()\n\
             b{then}:\n  v{number} = const {small}\n  v{other} = eq v1, v{number}\n",
        );
        let count = format!("  count counters[v{number}]\n");
        let _ = match does % 5 {
            0 => writeln!(text, "  return drop"),
            1 => writeln!(text, "{count}  return pass"),
            2 => writeln!(text, "{count}  jump b{next}()"),
            3 => writeln!(text, "  return pass"),
            _ => writeln!(text, "  if v{other} b{last}() else b{next}()"),
        };
        let _ = writeln!(text, "b{last}:\n  return drop");
    }
    let _ = write!(text, "b{}:\n  return pass\n", 3 + rules.len() * 3);
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn a_search_among_rules_decides_the_same_as_one_by_one(
        each in collection::vec((0_u8..40, any::<bool>(), any::<u8>()), 1..40),
        whole in any::<bool>(),
    ) {
        let source = rules(&each);
        let text::Source { program, layout } = text::parse(&source).unwrap();
        let plain = verify::verify(program, &layout).unwrap();
        let passes: &[Named] = if whole { &SCHEDULE } else { &[CHAINS, TWINS, BLOCKS] };
        let halves = passes.iter().fold(plain.program().clone(), |program, (_, pass)| pass(program));
        let halves = verify::verify(halves, &layout).unwrap();
        for first in 0..41 {
            for second in 0..4 {
                let decide = |program: &Verified| {
                    let mut image = lvsc_abi::image::Bytes::new(layout.clone());
                    let mut packet = Packet { frame: &mut [first, second], ingress: 0, worker: 0 };
                    (eval::run(program, &mut packet, &mut image), image.as_bytes().to_vec())
                };
                prop_assert_eq!(decide(&plain), decide(&halves), "{}\n{}\n{} {}", source, text::print(halves.program(), &layout), first, second);
            }
        }
    }
}
