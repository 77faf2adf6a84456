//! The formatter: whatever the parser takes keeps its tree and its comments, and is not changed a second time; whatever it
//! does not take has no shape.

use lvsc_front::format;
use lvsc_front::source::FileId;
use lvsc_front::syntax::parse;
use lvsc_front::syntax::parse::keywords;

use crate::chance::Chance;
use crate::hunt::{Judged, Target};
use crate::{change, corpus, grammar, parser, same};

pub fn target() -> Target {
    let texts = parser::texts();
    let words = corpus::words(&texts, &keywords());
    let make = move |chance: &mut Chance| match chance.below(4) {
        0 => grammar::policy(chance.word()).into_bytes(),
        1 => {
            let text: &Vec<u8> = chance.one(&texts);
            blanks(text, chance)
        }
        2 => {
            let own = [grammar::policy(chance.word()).into_bytes()];
            change::text(&own, &words, chance)
        }
        _ => change::text(&texts, &words, chance),
    };
    Target {
        name: "formatter",
        cases: 1200,
        make: Box::new(make),
        judge,
    }
}

/// The text with other blanks and comments: most of the time it still is read.
fn blanks(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let mut changed = String::new();
    let dense = *chance.one(&[3, 30, 200]);
    for token in change::tokens(&text) {
        let blank = token.trim().is_empty();
        if blank && chance.one_in(dense) {
            let others = [
                "\n", "\r\n", "\t", "  ", "\n\n\n", " # c\n", "\\\n", " ; ", "\n#\n",
            ];
            changed.push_str(chance.one::<&str>(&others));
        } else {
            changed.push_str(token);
        }
    }
    changed.into_bytes()
}

fn judge(input: &[u8]) -> Judged {
    let text = String::from_utf8_lossy(input);
    let (_, diagnostics) = parse(FileId(0), &text);
    if diagnostics.is_empty() {
        return same::check(&text);
    }
    match format("policy.lvs", &text) {
        Ok(_) => Err("a text that is not read has a shape".to_owned()),
        Err((found, _)) if found == diagnostics => Ok(()),
        Err((found, _)) => Err(format!("{found:?} instead of {diagnostics:?}")),
    }
}
