//! Random programs. What each pass makes of a given one is told in `tests/ir/*.lvsi`.

#![allow(clippy::unwrap_used, reason = "tests")]

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
