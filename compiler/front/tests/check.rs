//! What the checker says, and that it says it once: each fault of a policy, and nothing that only follows from one.

use std::fmt::Write as _;

use lvsc_front::compile;

/// The policy's errors are these, in their order: the code, and the marked text.
fn check(text: &str, expected: &[&str]) {
    let compilation = compile("policy.lvs", text);
    let found: Vec<String> = compilation
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| {
            let span = diagnostic.span().expect("a diagnostic has a place");
            format!("{} {}", diagnostic.code, compilation.sources.snippet(span))
        })
        .collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(compilation.policy.is_some(), expected.is_empty(), "{text}");
}

/// What the policy is warned of, in its order: the code, and the marked text.
fn warned(text: &str, expected: &[&str]) {
    let compilation = compile("policy.lvs", text);
    let found: Vec<String> = compilation
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let span = diagnostic.span().expect("a diagnostic has a place");
            format!("{} {}", diagnostic.code, compilation.sources.snippet(span))
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn what_was_asked_before_a_rewrite_is_not_known_behind_it() {
    let asked = "match ip4.dscp == 1 { drop marked }";
    for written in [
        "match ip4 { ip4.dscp = 1 }",
        "match ip4 { ip4.dscp = 1\n match ip4.dscp == 1 { pass } }",
        "match ip4 { ip4.dscp = 1 } else match eth { pass }",
    ] {
        warned(&format!("{written}\n{asked}"), &[]);
    }
    let earlier = "match ip4 { pass }";
    warned(
        &format!("{earlier}\n{asked}"),
        &["taken-earlier ip4.dscp == 1"],
    );
}

#[test]
fn nothing_is_left_out_silently() {
    check(
        "header x after udp { len: u8; size x.len * 4 }\nmatch x { drop foo }",
        &["bad-header x"],
    );
    check(
        "header a after udp { y: u8; let k = c.z }\nheader b after udp { z: u8 }\nmatch a { drop }",
        &["unknown-name c"],
    );
    check(
        "header a after udp { x: u8; let kind = 0 }\nheader b after udp { x: u8; let kind = 1 }\n\
         group g = a | b\nmatch g { let k = g.kind\n match k == 1 { drop one } }",
        &["type-mismatch g.kind"],
    );
}

#[test]
fn a_function_reads_no_more_than_who_calls_it() {
    check(
        "fn odd(x: u16) -> u1 = tcp.src == x\nheader foo after eth when odd(type) { a: u8 }\n\
         match foo { drop }",
        &["bad-header tcp"],
    );
    check(
        "fn even(x: u32) -> u1 = x & 1 == 0\nheader foo after udp when even(7) { a: u8; valid even(a) }\n\
         match foo { drop }",
        &[],
    );
}

#[test]
fn what_a_pool_names_is_not_what_an_action_calls_so() {
    let pool = "pool web { scheduler maglev by flow\n backend 192.0.2.1 }\n";
    check(
        &format!(
            "{pool}action pick(flow: u16) {{ select rs from web\n dr(rs) }}\n\
             match ip.dst == 192.0.2.9 {{ pick(7) }}"
        ),
        &[],
    );
    check(
        "const N = 0\npool web {\n backend a 192.0.2.1\n backend b 192.0.2.2 id N\n}\n\
         match ip.dst == 192.0.2.9 { select rs from web\n dr(rs) }",
        &[],
    );
}

#[test]
fn whether_a_header_is_there_depends_on_what_is_before_it_only() {
    let foreign = [
        "when ip.ttl == 64 { a: u8 }",
        "when flow.dport == 53 { a: u8 }",
        "when ingress.index == 1 { a: u8 }",
        "when vlan[1].vid == 1 { a: u8 }",
        "{ a: u8; valid l4.dst == 53 }",
        "{ a: u8; size tcp.offset }",
        "{ a: u8; let extent = ip4.length }",
    ];
    for text in foreign {
        let text = format!("header x after udp {text}");
        let found = compile("policy.lvs", &text).diagnostics;
        let codes: Vec<&str> = found.iter().map(|found| found.code.as_str()).collect();
        assert_eq!(codes, ["bad-header"], "{text}");
    }
    check(
        "const KIND = 1\nheader x after udp when dst == KIND { a: u8; let error = icmp.error }\n\
         match x.error { drop }",
        &[],
    );
}

#[test]
fn a_frame_begins_with_one_header() {
    check("header x { a: u8 }", &["bad-header x"]);
    check("header x after x { a: u8 }", &["bad-header x"]);
    check("header x after x max 2 { a: u8 }", &["bad-header x"]);
    check("header x after udp max 2 { a: u8 }", &["bad-header x"]);
    check("header x after udp, x { a: u8 }", &["bad-header x"]);
    check(
        "header x after udp, x max 2 { a: u8 }\nmatch x[1] { drop }",
        &[],
    );
}

#[test]
fn an_action_is_checked_whether_it_is_called_or_not() {
    check(
        "action foo(b: bakend) { bogus.field = 1; nothing(3) }\naction bar() { match ipx.dst == 3 { dr(1, 2) } }",
        &[
            "unknown-type bakend",
            "unknown-name bogus",
            "unknown-name nothing",
            "unknown-name ipx",
            "wrong-arguments dr(1, 2)",
        ],
    );
    check(
        "action foo() { match ipx { drop } }\nfoo()\nfoo()",
        &["unknown-name ipx"],
    );
    check(
        "action foo() { ip.ttl = 3 }\nmatch ip { foo() }\nfoo()\nfoo()",
        &["header-may-be-absent ip.ttl"],
    );
    check(
        "action a() { b() }\naction b() { a() }\na()",
        &["recursion a()"],
    );
    check(
        "action f(a: ip6addr) { match a == 2001:db8::1 { drop } }\nmatch ip6 { f(ip6.dst) }",
        &[],
    );
}

#[test]
fn a_computed_field_needs_its_header_like_any_other() {
    check("match tcp.syn == 0 { let p = tcp.dst }", &[]);
    check("match tcp.syn { let p = tcp.dst }", &[]);
    check(
        "match not (tcp.syn == 1) { let p = tcp.dst }",
        &["header-may-be-absent tcp.dst"],
    );
    check("let s = tcp.syn", &["header-may-be-absent tcp.syn"]);
    check("match tcp { let s: u1 = tcp.syn }", &[]);
}

#[test]
fn one_name_in_two_places_is_no_recursion() {
    check(
        "action fragment() { match ip.fragment { drop frag } }\nfragment()\n\
         header mine after udp { k: u8; let error = icmp.error }\nmatch mine.error { drop }",
        &[],
    );
}

#[test]
fn a_fault_hides_no_other_one() {
    check(
        "switch ipp.protocol { foo -> { bogus() } }\n\
         switch ip.protocol { foo, bar -> drop\n 7 if baz -> { qux() }\n _ -> pass }\n\
         select rs from wbe by by1 else { in_else() }\n\
         nothing(arg)\ndr(one, two)",
        &[
            "unknown-name ipp",
            "unknown-name foo",
            "unknown-name bogus",
            "unknown-name foo",
            "unknown-name bar",
            "unknown-name baz",
            "unknown-name qux",
            "unknown-name wbe",
            "unknown-name by1",
            "unknown-name in_else",
            "unknown-name nothing",
            "unknown-name arg",
            "wrong-arguments dr(one, two)",
            "unknown-name one",
            "unknown-name two",
        ],
    );
    check(
        "header h after foo, bar when baz { a: nope; size quux }\n\
         header k after udp { a: u8; size quux; valid quax; let m = nope }",
        &[
            "unknown-name foo",
            "unknown-name bar",
            "unknown-type nope",
            "unknown-name quux",
            "unknown-name quax",
            "unknown-name nope",
        ],
    );
}

#[test]
fn a_fault_makes_no_others() {
    let pool = "pool web { scheduler maglev; backend 192.0.2.1 }\n";
    check(
        &format!("{pool}match ip {{ select rs from web else {{ send eht0 }}\n dr(rs) }}"),
        &["unknown-name eht0"],
    );
    check(
        &format!("{pool}match not ipp {{ pass }}\nselect rs from web\ndr(rs)"),
        &["unknown-name ipp"],
    );
    check(
        "set s : ip4addr { 192.0.2.1000 }\nmatch ip.src in s { drop }",
        &["bad-address 1000"],
    );
}

/// `count` lines; `%` is the line's number, `^` that of the line before.
fn lines(count: usize, line: &str) -> String {
    (1..=count).fold(String::new(), |mut text, number| {
        let line = line.replace('%', &number.to_string());
        let line = line.replace('^', &(number - 1).to_string());
        writeln!(text, "{line}").expect("a string takes all");
        text
    })
}

/// The only error has this code.
fn refused(text: &str, code: &str) {
    let found = compile("policy.lvs", text).diagnostics;
    let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
    let codes: Vec<&str> = errors.map(|error| error.code.as_str()).collect();
    assert_eq!(codes, [code]);
}

#[test]
fn what_doubles_at_every_line_is_refused() {
    let doubled = lines(30, "action a%() { a^(); a^() }");
    refused(
        &format!("counter c\naction a0() {{ count c }}\n{doubled}a30()"),
        "policy-too-large",
    );
    let doubled = lines(30, " let l% = l^ + l^");
    refused(
        &format!(
            "header x after udp {{ a: u8\n let l0 = a\n{doubled}}}\nmatch x.l30 == 3 {{ drop }}"
        ),
        "policy-too-large",
    );
}

#[test]
fn headers_with_two_ways_to_each_take_no_time() {
    let pairs = lines(
        40,
        "header a% after a^, b^ { x: u8 }\nheader b% after a^, b^ { x: u8 }",
    );
    let first = "header a0 after udp { x: u8 }\nheader b0 after udp { x: u8 }";
    check(
        &format!("{first}\n{pairs}match a40.x == 1 and udp.dst == 2 {{ drop }}"),
        &[],
    );
}

#[test]
fn ten_thousand_branches_nest_nothing() {
    let arms = lines(10_000, "  % -> drop");
    check(&format!("switch tcp.dst {{\n{arms}}}"), &[]);
    let branches = lines(9_999, "}} else match tcp.dst == % {{ drop")
        .replace("}}", "}")
        .replace("{{", "{");
    let text = format!("match tcp.dst == 0 {{\n{branches}}}").replace("\n}", " }");
    check(&text, &[]);
    let patterns: Vec<String> = (1..10_000).map(|port| port.to_string()).collect();
    check(
        &format!("switch tcp.dst {{ {} -> drop }}", patterns.join(", ")),
        &[],
    );
}

#[test]
fn a_long_chain_of_uses_is_refused() {
    let chain = lines(10_000, "action a%() { a^() }");
    refused(
        &format!("action a0() {{ pass }}\n{chain}a10000()"),
        "nesting-too-deep",
    );
    let chain = lines(10_000, " let l% = l^ + 1");
    refused(
        &format!("header x after udp {{ a: u8\n let l0 = a\n{chain}}}"),
        "nesting-too-deep",
    );
}

#[test]
fn what_sixteen_bits_do_not_count_is_refused() {
    let many = lines(260, "let v% = ip4.id");
    let calls = lines(260, "f()");
    refused(
        &format!("action f() {{\n{many}}}\nmatch ip4 {{\n{calls}}}"),
        "policy-too-large",
    );
    let backends: String = (0..66_000_u32).fold(String::new(), |mut text, number| {
        let [_, _, high, low] = number.to_be_bytes();
        let pool = if number == 33_000 {
            "}\npool b {\n"
        } else {
            ""
        };
        writeln!(text, "{pool}backend 10.{}.{high}.{low}", number >> 16)
            .expect("a string takes all");
        text
    });
    refused(
        &format!("pool a {{\n{backends}}}\ncounter last\ncount last"),
        "policy-too-large",
    );
}

#[test]
fn a_pool_with_too_many_backends_is_one_error() {
    let backends: String = (0..70_000_u32).fold(String::new(), |mut text, number| {
        writeln!(text, "backend 10.1.{}.{}", number >> 8 & 255, number & 255)
            .expect("a string takes all");
        text
    });
    let found = lvsc_front::compile("a.lvs", &format!("pool a {{\n{backends}}}\n"));
    let errors = found.diagnostics.iter().filter(|found| found.is_error());
    assert_eq!(errors.count(), 1);
}
