//! Whatever the text: an answer, and places inside of it.

use proptest::prelude::*;

use super::{EVERYTHING, POLICY, SMALL, index};
use crate::ide::Index;
use crate::source::FileId;

/// Asks everything about a place.
fn ask(index: &Index, at: usize) {
    let file = index.policy();
    let text = index.sources.text(file);
    index.complete(file, at);
    index.hover(file, at);
    let places = index.references(file, at, true);
    for span in places.iter().filter(|span| span.file == file) {
        assert!(text.get(span.range()).is_some(), "{span:?} in {text:?}");
    }
    if let Ok(span) = index.renamable(file, at) {
        assert!(places.contains(&span), "{span:?} in {text:?}");
    }
}

fn ask_all(index: &Index) {
    let file = index.policy();
    let text = index.sources.text(file);
    let mut end = 0;
    for (span, _, _) in index.paints(file) {
        assert!(
            span.start >= end && text.get(span.range()).is_some(),
            "{text:?}"
        );
        end = span.end;
    }
    for entry in index.outline(file) {
        let (name, whole) = (entry.span, entry.whole);
        assert!(
            whole.start <= name.start && name.end <= whole.end,
            "{text:?}"
        );
    }
}

#[test]
fn every_place_of_every_beginning_has_an_answer() {
    for text in [POLICY, EVERYTHING] {
        for end in (0..=text.len()).step_by(7) {
            let index = index(text.get(..end).unwrap_or(""));
            for at in [end, end.saturating_sub(1), end / 2, end + 9] {
                ask(&index, at);
            }
            ask_all(&index);
        }
    }
    assert!(!index("").complete(FileId(2), 0).is_empty());
    assert!(index("").hover(FileId(99), 0).is_empty());
}

#[test]
fn a_long_policy_and_a_deep_one_are_indexed() {
    let long = format!("match {} tcp {{ pass }}\n", "tcp and ".repeat(20_000));
    ask_all(&index(&long));
    let deep = "match tcp { ".repeat(5_000);
    ask_all(&index(&deep));
    ask(&index(&deep), deep.len());
    let brackets = "(".repeat(20_000);
    ask(&index(&brackets), brackets.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_policy_with_anything_put_into_it_has_answers(
        text in prop::sample::select(vec![POLICY, SMALL, EVERYTHING]),
        from in 0..2000_usize,
        length in 0..40_usize,
        put in prop::sample::select(vec![
            "", "{", "}", "(", ")", "[", "]", ".", ",", ":", "->", "=", "#", "\"", "\n", ";", "select x from ",
            "match ", "header h after ", "push ip4 { ", "\u{1f4a7}", "in { ", "test \"", "pool ", "let ip = ",
        ]),
    ) {
        let from = from.min(text.len());
        let to = (from + length).min(text.len());
        let changed = format!("{}{put}{}", &text[..from], &text[to..]);
        let index = index(&changed);
        for at in [from, from + put.len(), changed.len(), from / 2] {
            ask(&index, at);
        }
        ask_all(&index);
    }
}
