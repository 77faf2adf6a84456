//! Whatever the text: no panic, places inside of it, a diagnostic for what is left out.

use proptest::prelude::*;

use super::samples::{DR, EDGE, EVERYTHING};
use super::*;
use crate::syntax::token::{Token, TokenKind};

/// Parses as a policy and as a packet; all places can be marked in the text.
fn check(text: &str) {
    let (tokens, lexed) = lex(FileId(0), text);
    for pair in tokens.windows(2) {
        assert!(pair[0].span.end <= pair[1].span.start, "tokens in order");
    }
    let mut between = 0;
    // What looks like a space is left out with its diagnostic, as long as there is room for one.
    let full = lexed.len() == crate::syntax::MAX_DIAGNOSTICS;
    let ascii = |c| [' ', '\t', '\r', '\u{feff}'].contains(&c);
    let alike = lexed.iter().filter(|found| found.code == Code::LookAlike);
    let alike: Vec<_> = alike
        .filter_map(Diagnostic::span)
        .map(crate::source::Span::range)
        .collect();
    let blank =
        |(at, c): (usize, char)| ascii(c) || full || alike.iter().any(|place| place.contains(&at));
    let blanks = |from: usize, text: &str| text.char_indices().all(|(at, c)| blank((from + at, c)));
    for token in &tokens {
        let left_out = &text[between..token.span.start as usize];
        assert!(blanks(between, left_out), "in no token: {left_out:?}");
        between = token.span.end as usize;
        check_token(token, &text[token.span.range()]);
    }
    assert!(blanks(between, &text[between..]), "in no token");
    let (file, diagnostics) = parse(FileId(0), text);
    let spans = file.items.iter().map(Item::span);
    let (layers, more) = parse_packet(FileId(0), text);
    let spans = spans.chain(layers.iter().map(|layer| layer.span));
    let places = diagnostics.iter().chain(&more).flat_map(|diagnostic| {
        let edits = diagnostic
            .fixes
            .iter()
            .flat_map(|fix| fix.edits.iter().map(|edit| edit.span));
        diagnostic
            .labels
            .iter()
            .map(|label| label.span)
            .chain(edits)
    });
    for span in spans.chain(places) {
        assert!(text.get(span.range()).is_some(), "{span:?} in {text:?}");
    }
}

/// A token's place has the text that its kind says.
fn check_token(token: &Token, text: &str) {
    let fits = match &token.kind {
        TokenKind::Newline => text == "\n",
        TokenKind::Semicolon => text == ";",
        TokenKind::Comment => text.starts_with('#') && !text.contains('\n'),
        TokenKind::Sym(sym) => text == sym.as_str(),
        TokenKind::Name => text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'),
        TokenKind::Lit(_) | TokenKind::Unknown => !text.is_empty() && !text.contains('\n'),
    };
    assert!(fits, "{:?} is {text:?}", token.kind);
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "match",
        "switch",
        "pool",
        "set",
        "table",
        "header",
        "fn",
        "action",
        "test",
        "let",
        "send",
        "expect",
        "select",
        "from",
        "else",
        "push",
        "backend",
        "key",
        "entries",
        "after",
        "not",
        "in",
        "and",
        "by",
        "on",
        "x",
        "ip.src",
        "_",
        "80",
        "192.0.2.1",
        "10.0.0.1/8",
        "::1",
        "64K",
        "1..2",
        "\"s\"",
        "hex\"0",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        ".",
        "=",
        "->",
        "==",
        "+",
        "/",
        "|",
        "&",
        "-",
        "\n",
        ";",
        "#",
        "\\",
        "ä",
        "$",
    ]);
    prop::collection::vec((word, prop::sample::select(vec!["", " ", "\n"])), 0..60).prop_map(
        |words| {
            words
                .into_iter()
                .flat_map(|(word, gap)| [word, gap])
                .collect()
        },
    )
}

fn mutated() -> impl Strategy<Value = String> {
    let sample = prop::sample::select(vec![DR, EDGE, EVERYTHING]);
    let change = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        ".{0,4}",
    );
    (sample, prop::collection::vec(change, 1..4)).prop_map(|(sample, changes)| {
        let mut letters: Vec<char> = sample.chars().collect();
        for (at, length, replacement) in changes {
            let start = at.index(letters.len() + 1);
            let end = (start + length.index(12)).min(letters.len());
            letters.splice(start..end, replacement.chars());
        }
        letters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_words_are_read(text in words()) {
        check(&text);
    }

    #[test]
    fn any_change_of_a_policy_is_read(text in mutated()) {
        check(&text);
    }

    #[test]
    fn what_is_left_out_has_a_diagnostic(text in mutated()) {
        let (file, diagnostics) = parse(FileId(0), &text);
        let (tokens, _) = lex(FileId(0), &text);
        if diagnostics.is_empty() {
            let items: Vec<_> = file.items.iter().map(|item| item.span().range()).collect();
            for token in tokens {
                let at = token.span.start as usize;
                let is_between = matches!(
                    token.kind,
                    TokenKind::Newline | TokenKind::Semicolon | TokenKind::Comment
                );
                prop_assert!(is_between || items.iter().any(|item| item.contains(&at)), "{token:?}");
            }
        }
    }
}

#[test]
fn a_policy_cut_anywhere_is_read() {
    for (at, _) in EVERYTHING.char_indices() {
        check(&EVERYTHING[..at]);
    }
}

/// A quadratic way through any of these takes minutes.
#[test]
fn a_large_text_is_read_whatever_it_is() {
    for sample in [
        EDGE,
        "match a { f(x }\n",
        "}",
        "$ ",
        "((a",
        "match a {",
        "[::",
        "a:b:c ",
        "{ \"",
        "hex\"",
        "1..",
        "x / 3/",
        "pool a\n",
        "{ use x; ",
        "pool a ",
    ] {
        let text = sample.repeat(1_000_000 / sample.len());
        let (file, diagnostics) = parse(FileId(0), &text);
        assert!(
            !(file.items.is_empty() && diagnostics.is_empty()),
            "{sample:?}"
        );
    }
}
