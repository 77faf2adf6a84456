//! Texts that were made to do harm: each is answered, in time that grows with its length, and with few words.

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use lvsc_front::compile;
use support::{fed, lvsc, root};

/// Bytes of a large text.
const LARGE: usize = 10 << 20;
/// Bytes of one that is wrong at every word.
const WRONG: usize = 1 << 20;
/// So long may one take, not optimized and on a busy machine; what is quadratic takes hours.
const PATIENCE: Duration = Duration::from_mins(2);

/// Compiles this piece, so often that it makes a text of so many bytes.
fn answered(piece: &str, bytes: usize) {
    let text = piece.repeat(bytes / piece.len());
    let began = Instant::now();
    drop(compile("large.lvs", &text));
    let took = began.elapsed();
    assert!(took < PATIENCE, "{piece:?}: {took:?}");
}

#[test]
fn ten_megabytes_are_answered_in_time() {
    answered("# a comment\n", LARGE);
    answered("match tcp.dst == 80 and udp { drop }\n", LARGE);
    answered("match ip.dst == VPI { drop }\n", LARGE);
}

#[test]
fn what_is_wrong_at_every_word_is_answered_in_time() {
    for piece in [
        "match tcp.dst == 80 && udp { drop }\n",
        "match ip { drp() }\n",
        "switch tcp.dst { 80 -> drop; 80 -> drop }\n",
        "\u{435}",
        "\u{a0}",
        "'\"",
        "“",
        "//",
        "$ ",
        "nmae ",
        "(((",
        "{",
        "}",
        "\"",
        "[::",
    ] {
        answered(piece, WRONG);
    }
    let constants = (0..50_000).fold(String::new(), |mut text, number| {
        writeln!(text, "const C{number} = {number}").expect("a string takes all");
        text
    });
    answered(&constants, constants.len());
}

#[test]
fn nesting_of_every_kind_is_refused_and_overflows_nothing() {
    let deep = 100_000;
    for (open, middle, close) in [
        ("match ", "(", "ip"),
        ("match ip.dst in ", "{ ", "192.0.2.1"),
        ("match ip", "[", "0"),
        ("match ", "not ", "ip"),
        ("match tcp.dst == ", "~", "1"),
        ("match tcp.dst == ", "- ", "1"),
        ("match tcp.dst == ", "1 + (", "1"),
        ("", "match ip { ", "drop"),
        ("", "match ip { drop } else { ", "drop"),
        ("", "switch tcp.dst { 1 -> ", "drop"),
        ("match ip { ", "select a from b else { ", "drop"),
        ("action a() ", "{ ", "drop"),
        ("match ", "f(", "1"),
        ("header h ", "{ ", "a: u8"),
        ("pool p ", "{ ", "backend"),
        ("test \"t\" ", "{ ", "send eth"),
        ("table t ", "{ ", "key ip.dst"),
        ("match ip { push ip4 ", "{ a: ", "1"),
        ("match (", "(ip, ", "tcp"),
    ] {
        let text = format!("{open}{}{close}", middle.repeat(deep));
        let found = compile("deep.lvs", &text);
        assert!(found.policy.is_none(), "{open}{middle}");
        assert!(
            found.diagnostics.len() < 2_100,
            "{open}{middle}: {}",
            found.diagnostics.len()
        );
    }
    let chain = "match ip { pass } else ".repeat(deep);
    let found = compile("deep.lvs", &format!("{chain}{{ drop }}"));
    drop(found);
    let sum = "1 + ".repeat(deep);
    drop(compile(
        "deep.lvs",
        &format!("match tcp.dst == {sum}1 {{ drop }}"),
    ));
}

#[test]
fn one_fault_is_said_once_and_many_are_counted() {
    let mut text = String::new();
    for _ in 0..100 {
        text.push_str("match ip.dst == VPI { drop }\n");
    }
    let said = fed(lvsc(root()).args(["check", "-"]), &text);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err.matches("error[unknown-name]").count(),
        1,
        "{}",
        said.err
    );
    let more = "and 99 more places: lines 2, 3, 4, 5, 6, 7, 8, 9, ...";
    assert!(said.err.contains(more), "{}", said.err);
    assert!(said.err.contains("<stdin>: 100 errors"), "{}", said.err);

    let mut text = String::new();
    for number in 0..100 {
        writeln!(text, "match ip.dst == N{number}A {{ drop }}").expect("a string takes all");
    }
    let said = fed(lvsc(root()).args(["check", "-"]), &text);
    assert_eq!(said.err.matches("error[unknown-name]").count(), 20);
    assert!(said.err.contains("... and 80 more"), "{}", said.err);
    assert!(
        said.err.contains("`lvsc explain unknown-name` tells more"),
        "{}",
        said.err
    );
}
