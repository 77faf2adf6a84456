//! Programs as text: read or refused at a place, verified or refused, and what is verified is optimized and emitted.

use lvsc_ir::sample;
use lvsc_ir::text;
use lvsc_ir::verify::verify;

use crate::chance::Chance;
use crate::hunt::{Judged, Target};
use crate::{change, corpus, emission};

/// Random programs among the cases of `tests/ir`.
const RANDOM: u64 = 40;

pub fn target() -> Target {
    let mut programs = corpus::programs();
    programs.extend((0..RANDOM).map(|seed| {
        let case = sample::case(&Chance::new(seed).bytes(1500));
        text::print(&case.program, &case.layout).into_bytes()
    }));
    let words = corpus::words(&programs, &["section", "clock", "cursor", "word", "header"]);
    Target {
        name: "ir",
        cases: 800,
        make: Box::new(move |chance| match chance.below(2) {
            0 => change::gently(&programs, chance),
            _ => change::text(&programs, &words, chance),
        }),
        judge,
    }
}

fn judge(input: &[u8]) -> Judged {
    let given = String::from_utf8_lossy(input);
    let source = match text::parse(&given) {
        Ok(source) => source,
        Err(error) => {
            let place = error.line >= 1 && error.column >= 1;
            return if place {
                Ok(())
            } else {
                Err(error.to_string())
            };
        }
    };
    emission::said_again(&source.program, &source.layout)?;
    match verify(source.program, &source.layout) {
        Ok(program) => emission::both(program, &source.layout).map(drop),
        Err(error) => {
            let _ = error.to_string();
            Ok(())
        }
    }
}
