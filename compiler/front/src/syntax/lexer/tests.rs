#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

use std::time::Duration;

use super::*;
use crate::diagnostics::Applicability;

fn kinds(text: &str) -> Vec<TokenKind> {
    let (tokens, diagnostics) = lex(FileId(0), text);
    assert_eq!(diagnostics, [], "{text}");
    tokens.into_iter().map(|token| token.kind).collect()
}

/// The only token of the text is this literal.
fn check(text: &str, expected: LitKind) {
    assert_eq!(kinds(text), [TokenKind::Lit(expected)], "{text}");
}

/// The only token is a bad literal: its code, the marked text and the message.
fn check_bad(text: &str, code: &str, marked: &str, message: &str) {
    let (tokens, diagnostics) = lex(FileId(0), text);
    assert_eq!(tokens.len(), 1, "{text}: {tokens:?}");
    assert_eq!(tokens[0].kind, TokenKind::Lit(LitKind::Bad), "{text}");
    assert_eq!(diagnostics.len(), 1, "{text}");
    let diagnostic = &diagnostics[0];
    assert_eq!(diagnostic.code.as_str(), code, "{text}");
    assert_eq!(&text[diagnostic.span().unwrap().range()], marked, "{text}");
    assert_eq!(diagnostic.message, message, "{text}");
}

/// What stands where a fix would put it.
fn fixed(text: &str) -> String {
    let (_, diagnostics) = lex(FileId(0), text);
    let mut fixed = text.to_owned();
    for edit in diagnostics[0].fixes[0].edits.iter().rev() {
        fixed.replace_range(edit.span.range(), &edit.replacement);
    }
    fixed
}

#[test]
fn integers_and_sizes() {
    for (text, value) in [
        ("0", 0),
        ("80", 80),
        ("0x1f", 31),
        ("0xFF_ff", 65535),
        ("1_000", 1000),
        ("64K", 65536),
        ("1M", 1_048_576),
        ("2G", 2_147_483_648),
        ("340282366920938463463374607431768211455", u128::MAX),
    ] {
        check(text, LitKind::Int(value));
    }
}

#[test]
fn times_and_rates() {
    check("250ms", LitKind::Duration(Duration::from_millis(250)));
    check("5s", LitKind::Duration(Duration::from_secs(5)));
    check("15m", LitKind::Duration(Duration::from_mins(15)));
    check("1h", LitKind::Duration(Duration::from_hours(1)));
    check(
        "200/s",
        LitKind::Rate {
            count: 200,
            per: Duration::from_secs(1),
        },
    );
    check(
        "64K/m",
        LitKind::Rate {
            count: 65536,
            per: Duration::from_mins(1),
        },
    );
    check("9600bps", LitKind::BitRate(9600));
    check("10Gbps", LitKind::BitRate(10_000_000_000));
}

#[test]
fn addresses_of_both_families() {
    check("192.168.46.200", LitKind::Ip4([192, 168, 46, 200].into()));
    check("10.0.0.0/8", LitKind::Net4([10, 0, 0, 0].into(), 8));
    check("0.0.0.0/0", LitKind::Net4([0, 0, 0, 0].into(), 0));
    check("192.0.2.1/32", LitKind::Net4([192, 0, 2, 1].into(), 32));
    check(
        "192.168.46.130:8080",
        LitKind::Endpoint("192.168.46.130:8080".parse().unwrap()),
    );
    for text in [
        "2001:db8::1",
        "::1",
        "::",
        "fe80::1",
        "1:2:3:4:5:6:7:8",
        "::ffff:192.0.2.1",
    ] {
        check(text, LitKind::Ip6(text.parse().unwrap()));
    }
    for text in ["00:11:22:33:44:55:66:77", "ad:be:ef:00:11:22:33:44"] {
        check(text, LitKind::Ip6(text.parse().unwrap()));
    }
    check(
        "2001:db8::/32",
        LitKind::Net6("2001:db8::".parse().unwrap(), 32),
    );
    check("::/0", LitKind::Net6("::".parse().unwrap(), 0));
    check(
        "[2001:db8::1]:443",
        LitKind::Endpoint("[2001:db8::1]:443".parse().unwrap()),
    );
    check(
        "00:0c:29:aa:bb:cc",
        LitKind::Mac([0x00, 0x0c, 0x29, 0xaa, 0xbb, 0xcc]),
    );
    check("be:ef:00:00:00:01", LitKind::Mac([0xbe, 0xef, 0, 0, 0, 1]));
}

#[test]
fn ranges_strings_and_bytes() {
    check("8000..8099", LitKind::Range(8000, 8099));
    check("0x10..0x1f", LitKind::Range(16, 31));
    check("\"text\"", LitKind::Str("text".into()));
    check(
        r#""a \"b\" \\ \n\t""#,
        LitKind::Str("a \"b\" \\ \n\t".into()),
    );
    check("\"größer # als\"", LitKind::Str("größer # als".into()));
    check("hex\"40 00\"", LitKind::Hex(vec![0x40, 0]));
    check(
        "hex\"deadBEEF\"",
        LitKind::Hex(vec![0xde, 0xad, 0xbe, 0xef]),
    );
    check("hex\"\"", LitKind::Hex(vec![]));
}

#[test]
fn an_impossible_literal_is_marked_where_it_is_wrong() {
    let bad = "bad-address";
    check_bad(
        "192.168.46.300",
        bad,
        "300",
        "`300` is too large for a part of an IPv4 address",
    );
    check_bad(
        "192.168.46",
        bad,
        "192.168.46",
        "an IPv4 address has four parts, this has 3",
    );
    check_bad("192.168.46.1x", bad, "1x", "`1x` is no decimal number");
    check_bad(
        "192.168.046.1",
        bad,
        "046",
        "`046` may mean an octal number",
    );
    check_bad("192.0.2.1:70000", bad, "70000", "`70000` is no port");
    check_bad("[2001:db8::1]:4x", bad, "4x", "`4x` is no port");
}

#[test]
fn an_impossible_ipv6_address_says_why() {
    let bad = "bad-address";
    check_bad("2001:db8::g", bad, "g", "`g` is no hexadecimal number");
    check_bad(
        "2001:db8::12345",
        bad,
        "12345",
        "`12345` has more than four digits",
    );
    check_bad(
        "1::2::3",
        bad,
        "1::2::3",
        "`::` stands only once in an IPv6 address",
    );
    check_bad(
        "1:2:3:4",
        bad,
        "1:2:3:4",
        "an IPv6 address has eight groups, this has 4",
    );
    let nothing = "with eight groups written, `::` stands for nothing";
    check_bad("1:2:3:4::5:6:7:8", bad, "1:2:3:4::5:6:7:8", nothing);
    check_bad(
        "::ffff:192.0.2.256",
        bad,
        "256",
        "`256` is too large for a part of an IPv4 address",
    );
}

#[test]
fn an_impossible_prefix_says_why_and_names_the_network() {
    let bad = "bad-prefix";
    check_bad(
        "10.0.0.0/33",
        bad,
        "33",
        "`/33` is no prefix length of an IPv4 address",
    );
    check_bad(
        "2001:db8::/129",
        bad,
        "129",
        "`/129` is no prefix length of an IPv6 address",
    );
    check_bad(
        "10.0.0.1/8",
        bad,
        "10.0.0.1/8",
        "`10.0.0.1/8` has bits set beyond its first 8",
    );
    assert_eq!(fixed("10.20.30.40/12"), "10.16.0.0/12");
    assert_eq!(fixed("2001:db8::1/32"), "2001:db8::/32");
}

#[test]
fn other_impossible_literals() {
    check_bad(
        "00:0c:29:aa:bb:zz",
        "bad-mac",
        "zz",
        "`zz` is not two hexadecimal digits",
    );
    check_bad(
        "00:0c:29:aa:bb:c",
        "bad-mac",
        "c",
        "`c` is not two hexadecimal digits",
    );
    let groups = "a MAC address has six groups, this has 5";
    check_bad("00:0c:29:aa:bb", "bad-mac", "00:0c:29:aa:bb", groups);
    check_bad("64Q", "bad-number", "Q", "`Q` is no unit");
    check_bad("64k", "bad-number", "k", "`k` is no unit");
    check_bad("0x", "bad-number", "0x", "the number has no digits");
    check_bad("1.5", "bad-number", "1.5", "numbers have no fraction");
    let large = "9".repeat(40);
    check_bad(&large, "bad-number", &large, "the number is too large");
    check_bad(
        "99999999999999h",
        "bad-duration",
        "99999999999999h",
        "the time is too long",
    );
    check_bad("5s/s", "bad-number", "5s/s", "a rate is a number per time");
    check_bad(
        "20..10",
        "bad-range",
        "20..10",
        "the range ends before it begins",
    );
    check_bad(
        "1..5s",
        "bad-range",
        "5s",
        "a range has a number at each end",
    );
    check_bad("hex\"4\"", "bad-hex", "4", "half a byte");
    check_bad("hex\"4 00\"", "bad-hex", "4", "half a byte");
    check_bad("hex\"4x\"", "bad-hex", "x", "`x` is no hexadecimal digit");
    check_bad(
        "\"abc",
        "unterminated-string",
        "\"abc",
        "the string does not end on its line",
    );
    check_bad(
        r#""abc\""#,
        "unterminated-string",
        r#""abc\""#,
        "the string does not end on its line",
    );
    check_bad(r#""a\qb""#, "bad-escape", r"\q", r"`\q` is no escape");
    assert_eq!(fixed("64k"), "64K");
    assert_eq!(fixed("20..10"), "10..20");
    assert_eq!(fixed("\"abc"), "\"abc\"");
}

#[test]
fn names_look_like_addresses_only_with_two_colons() {
    use TokenKind::{Name, Sym as S};
    let colon = S(Sym::Colon);
    assert_eq!(kinds("a:u8"), [Name, colon.clone(), Name]);
    assert_eq!(kinds("b: backend"), [Name, colon.clone(), Name]);
    assert_eq!(kinds("be:ef"), [Name, colon, Name]);
    assert_eq!(
        kinds("vlan[1]"),
        [
            Name,
            S(Sym::LeftBracket),
            TokenKind::Lit(LitKind::Int(1)),
            S(Sym::RightBracket)
        ]
    );
    assert_eq!(kinds("hexa face _x x_1"), [Name, Name, Name, Name]);
}

#[test]
fn a_slash_is_a_prefix_a_rate_or_a_sign() {
    use TokenKind::{Lit, Name, Sym as S};
    assert_eq!(kinds("eth/ip"), [Name, S(Sym::Slash), Name]);
    let int = |value| Lit(LitKind::Int(value));
    assert_eq!(kinds("64/8"), [int(64), S(Sym::Slash), int(8)]);
    assert_eq!(kinds("3/sctp"), [int(3), S(Sym::Slash), Name]);
    assert_eq!(
        kinds("192.0.2.1/tcp"),
        [
            Lit(LitKind::Ip4([192, 0, 2, 1].into())),
            S(Sym::Slash),
            Name
        ]
    );
}

#[test]
fn every_sign_is_a_token_of_its_own() {
    use TokenKind::{Name, Sym as S};
    for sym in Sym::ALL {
        assert_eq!(kinds(sym.as_str()), [TokenKind::Sym(*sym)]);
    }
    assert_eq!(kinds("a->b"), [Name, S(Sym::Arrow), Name]);
    assert_eq!(kinds("a<-b"), [Name, S(Sym::Less), S(Sym::Minus), Name]);
}

#[test]
fn comments_and_line_ends_are_tokens_and_a_byte_order_mark_is_none() {
    use TokenKind::{Comment, Name, Newline, Semicolon};
    let text = "\u{feff}a # one\r\n; b\t# two";
    assert_eq!(
        kinds(text),
        [Name, Comment, Newline, Semicolon, Name, Comment]
    );
    let (tokens, _) = lex(FileId(0), text);
    let texts: Vec<_> = tokens
        .iter()
        .map(|token| &text[token.span.range()])
        .collect();
    assert_eq!(texts, ["a", "# one", "\n", ";", "b", "# two"]);
}

#[test]
fn a_comment_ends_with_its_line_in_any_script() {
    use TokenKind::{Comment, Name, Newline};
    let text = "# üüü 統 🦀\r\npass\n# è\ndrop";
    assert_eq!(
        kinds(text),
        [Comment, Newline, Name, Newline, Comment, Newline, Name]
    );
    let (tokens, _) = lex(FileId(0), text);
    assert_eq!(&text[tokens[0].span.range()], "# üüü 統 🦀");
}

#[test]
fn a_foreign_character_is_one_token_with_one_diagnostic() {
    let (tokens, diagnostics) = lex(FileId(0), "a $$? b\n\u{1}\u{1}c");
    assert_eq!(tokens.len(), 6, "{tokens:?}");
    let messages: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`$$?` is no part of the language",
            r"`\u{1}\u{1}` is no part of the language"
        ]
    );
}

#[test]
fn operators_of_other_languages_say_what_to_write() {
    assert_eq!(fixed("a && b"), "a and b");
    assert_eq!(fixed("a || b"), "a or b");
    assert_eq!(fixed("(a)&&b"), "(a) and b");
    assert_eq!(fixed("a&&\n  b"), "a and\n  b");
    assert_eq!(fixed("!b"), "not b");
    assert_eq!(fixed("// why"), "# why");
}

#[test]
fn what_looks_like_ascii_is_told_what_is_meant() {
    let looks = |text: &str, message: &str, meant: &str| {
        let (_, found) = lex(FileId(0), text);
        let first = found.first().expect("a diagnostic");
        assert_eq!(
            (first.code, first.message.as_str()),
            (Code::LookAlike, message)
        );
        assert_eq!(first.fixes[0].applicability, Applicability::Sure, "{text}");
        assert_eq!(fixed(text), meant);
    };
    looks(
        "a – b",
        "`–` (U+2013, en dash) is not the ASCII `-`",
        "a - b",
    );
    looks(
        "test “all”",
        "`“` (U+201C, left double quotation mark) is not the ASCII `\"`",
        "test \"all\"",
    );
    looks(
        "test ‘all’",
        "`‘` (U+2018, left single quotation mark) is not the ASCII `\"`",
        "test \"all\"",
    );
    looks(
        "a\u{a0}b",
        "U+00A0 (no-break space) is not the ASCII space",
        "a b",
    );
    looks(
        "a\u{200b} b",
        "U+200B stands here: it cannot be seen",
        "a b",
    );
    looks(
        "ｗeb",
        "`ｗ` (U+FF57, full-width) is not the ASCII `w`",
        "web",
    );
    looks(
        "a\u{37e}",
        "`\u{37e}` (U+037E, Greek question mark) is not the ASCII `;`",
        "a;",
    );
    looks(
        "dr\u{43e}p",
        "`\u{43e}` (U+043E, a Cyrillic letter) is not the ASCII `o`",
        "drop",
    );
    looks(
        "{ a｝",
        "`｝` (U+FF5D, full-width) is not the ASCII `}`",
        "{ a}",
    );
}

#[test]
fn a_letter_of_no_name_is_named() {
    let (tokens, found) = lex(FileId(0), "fläche = 1");
    assert_eq!(tokens.len(), 3, "{tokens:?}");
    assert_eq!(found[0].message, "`ä` (U+00E4) is no letter of names");
    assert_eq!(found.len(), 1);
}

#[test]
fn what_cannot_be_seen_in_a_string_is_told() {
    let told = |text: &str| {
        let (_, found) = lex(FileId(0), text);
        let first = found.first().expect("a diagnostic");
        assert_eq!(first.code, Code::HiddenCharacter, "{text:?}");
        assert!(!first.is_error());
        first.message.clone()
    };
    assert_eq!(told("\"a\tb\tc\""), "a tab stands in a string");
    assert_eq!(fixed("\"a\tb\tc\""), "\"a\\tb\\tc\"");
    assert_eq!(told("\"a\u{7}b\""), "U+0007 stands in a string");
    assert_eq!(told("# a\rpass\n"), "U+000D stands in a comment");
    assert_eq!(told("# a\u{202e}b"), "U+202E stands in a comment");
    assert!(lex(FileId(0), "# a\r\n\"ü\u{a0}\"\r\n").1.is_empty());
}

#[test]
fn garbage_has_a_bounded_number_of_diagnostics() {
    let (tokens, diagnostics) = lex(FileId(0), &"$ ".repeat(10_000));
    assert_eq!(tokens.len(), 10_000);
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS);
}
