use super::*;

#[test]
fn several_faults_are_found_in_one_run_and_the_rest_is_read() {
    let text = "const A 1\npool web {\n  scheduler\n  backend 192.168.46.300\n  backend 192.0.2.1 weight\n\
                flows off\n}\nmatch a = b { pass }\nconst B = 2\n";
    assert_eq!(
        faults(text),
        [
            "unexpected-token: expected `=`, found `1`",
            "unexpected-token: expected a name, found the end of the line",
            "bad-address: `300` is too large for a part of an IPv4 address",
            "unexpected-token: expected a value, found the end of the line",
            "unexpected-token: expected an operator or `{`, found `=`",
        ]
    );
    let (file, _) = parse(FileId(0), text);
    let [Item::Pool(pool), Item::Const(b)] = &file.items[..] else {
        panic!("{:?}", file.items)
    };
    assert_eq!((pool.lines.len(), b.name.text.as_str()), (2, "B"));
    let PoolLine::Backend(backend) = &pool.lines[0] else {
        panic!()
    };
    assert_eq!(
        backend.address.kind,
        LitKind::Bad,
        "its line stays in the tree"
    );
}

#[test]
fn an_assignment_in_a_condition_is_turned_into_a_comparison() {
    let (_, diagnostics) = parse(FileId(0), "match a = b { pass }");
    let edit = &diagnostics[0].fixes[0].edits[0];
    assert_eq!((edit.span.range(), edit.replacement.as_str()), (8..9, "=="));
}

#[test]
fn expected_words_of_all_alternatives_are_merged() {
    for (text, fault) in [
        ("use 3", "expected a name or a string, found `3`"),
        (
            "counter c 3",
            "expected one of the end of the line, `capacity` or `by`, found `3`",
        ),
        (
            "header h x { }",
            "expected one of `after`, `when`, `max` or `{`, found `x`",
        ),
        (
            "test \"t\" { expect }",
            "expected one of `send`, `drop` or `pass`, found `}`",
        ),
        ("let x 3", "expected `:` or `=`, found `3`"),
        ("send x y", "expected the end of the line, found `y`"),
    ] {
        assert_eq!(
            faults(text),
            [format!("unexpected-token: {fault}")],
            "{text}"
        );
    }
}

#[test]
fn a_slip_in_the_first_word_finds_the_word() {
    for (text, slip, word) in [
        ("mach a { pass }", "mach", "match"),
        ("pol web { }", "pol", "pool"),
        ("match a { pss }", "pss", "pass"),
        ("pool web {\n  shceduler wrr\n}", "shceduler", "scheduler"),
        (
            "pool web { backend 192.0.2.1 wieght 2 }",
            "wieght",
            "weight",
        ),
        ("header h { szie 3 }", "szie", "size"),
        ("test \"t\" { exepct pass }", "exepct", "expect"),
    ] {
        let (_, diagnostics) = parse(FileId(0), text);
        assert_eq!(diagnostics.len(), 1, "{text}");
        let diagnostic = &diagnostics[0];
        let edit = &diagnostic.fixes[0].edits[0];
        assert_eq!(&text[edit.span.range()], slip, "{text}");
        assert_eq!(edit.replacement, word, "{text}");
    }
}

#[test]
fn a_word_like_none_lists_the_known_ones() {
    let (_, diagnostics) = parse(FileId(0), "pool web { banana 3 }");
    assert_eq!(diagnostics[0].code, Code::UnknownProperty);
    assert!(
        diagnostics[0].notes[0].contains("scheduler, backend"),
        "{:?}",
        diagnostics[0].notes
    );
}

#[test]
fn a_call_without_parentheses_is_explained() {
    for text in ["select rs from web\nforward rs", "forward"] {
        let (_, diagnostics) = parse(FileId(0), text);
        assert!(
            diagnostics[0].notes[0].contains("`forward(..)`"),
            "{text}: {diagnostics:?}"
        );
    }
}

#[test]
fn an_unknown_option_of_a_backend_does_not_hide_the_next() {
    let faults = faults("pool p { backend 192.0.2.1 wight 2 colour drian }");
    assert_eq!(
        faults,
        [
            "unknown-property: a backend has no property `wight`",
            "unknown-property: a backend has no property `colour`",
            "unknown-property: a backend has no property `drian`",
        ]
    );
}

#[test]
fn else_on_a_line_of_its_own_is_explained() {
    let (file, diagnostics) = parse(FileId(0), "match a { pass }\nelse { drop }\npass");
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].notes[0].contains("} else {"));
    assert_eq!(file.items.len(), 2);
}

#[test]
fn a_broken_line_inside_a_block_leaves_its_neighbours() {
    let text =
        "match a {\n  pass\n  @\n  match b == {\n    drop\n  }\n  drop x y\n  count c\n}\npass";
    let (file, diagnostics) = parse(FileId(0), text);
    assert_eq!(diagnostics.len(), 3, "{diagnostics:#?}");
    let Item::Stmt(Stmt {
        kind: StmtKind::Match(first),
        ..
    }) = &file.items[0]
    else {
        panic!()
    };
    assert_eq!(
        first.branches[0].block.stmts.len(),
        3,
        "pass, drop x, count c"
    );
    assert_eq!(file.items.len(), 2);
}

#[test]
fn an_unclosed_parenthesis_does_not_swallow_the_file() {
    let text = "match (a == 1 {\n  f(b)\n}\nconst B = t[3\nconst C = 3\nfoo(";
    let (file, diagnostics) = parse(FileId(0), text);
    let lines: Vec<_> = diagnostics
        .iter()
        .map(|d| {
            text[..d.span().unwrap().range().start]
                .matches('\n')
                .count()
                + 1
        })
        .collect();
    assert_eq!(lines, [1, 4, 6]);
    assert!(matches!(&file.items[..], [Item::Const(c)] if c.name.text == "C"));
}

#[test]
fn an_unclosed_block_is_said_once_and_kept() {
    let text = "pool web {\n  scheduler rr\n}\nmatch a {\n  match b {\n    pass\n";
    assert_eq!(faults(text), ["unclosed-block: this block is not closed"]);
    let (file, diagnostics) = parse(FileId(0), text);
    assert_eq!(&text[diagnostics[0].span().unwrap().range()], "{");
    assert_eq!(file.items.len(), 2);
}

#[test]
fn a_brace_too_many_is_marked() {
    let text = "match a {\n}\n}\npass }\npass";
    assert_eq!(
        faults(text),
        ["unmatched-brace: this `}` closes nothing"; 2]
    );
    assert_eq!(parse(FileId(0), text).0.items.len(), 3);
}

#[test]
fn diagnostics_come_in_the_order_of_the_text() {
    let (_, diagnostics) = parse(
        FileId(0),
        "use 3\nconst A = 1.2.3\nuse 4\nconst B = $\nuse 5",
    );
    let starts: Vec<_> = diagnostics
        .iter()
        .map(|d| d.span().unwrap().start)
        .collect();
    assert_eq!(starts.len(), 5);
    assert!(starts.is_sorted(), "{starts:?}");
}

#[test]
fn nesting_bombs_are_a_diagnostic() {
    let deep = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(100_000), close.repeat(100_000))
    };
    for text in [
        format!("const X = {}", deep("(", "1", ")")),
        format!("const X = {}", deep("(", "", "")),
        format!("const X = {}", deep("{", "1", "}")),
        format!("const X = {}", deep("f(", "1", ")")),
        format!("const X = {}", deep("a[", "1", "]")),
        format!("const X = {}1", deep("- ", "", "")),
        format!("const X = {}1", deep("not ", "", "")),
        format!("const X = 1{}", deep(" + 1", "", "")),
        format!("const X = 1{}", deep(" or a", "", "")),
        deep("match a { ", "pass", " }"),
        deep("match a {\n", "pass\n", "}\n"),
        deep("match a { ", "", ""),
        deep("switch a { 1 -> ", "pass", "}"),
        format!("switch a {{ {} -> pass }}", deep("(", "1", ")")),
    ] {
        let faults = faults(&text);
        let start: String = text.chars().take(40).collect();
        assert!(
            faults.iter().any(|f| f.starts_with("nesting-too-deep")),
            "{start}: {faults:?}"
        );
    }
    for text in [
        deep("{", "", "}"),
        deep("{", "", ""),
        deep("}", "", ""),
        deep("(", "", ")"),
    ] {
        assert!(!faults(&text).is_empty());
    }
}

#[test]
fn what_people_write_is_not_too_deep() {
    let nested = |n: usize| format!("const X = {}1{}", "(".repeat(n), ")".repeat(n));
    items(&nested(30));
    let chain = (0..150)
        .map(|n| format!("x == {n}"))
        .collect::<Vec<_>>()
        .join(" or ");
    items(&format!("match {chain} {{ pass }}"));
    let long = vec!["match a { pass }"; 10_000].join(" else ");
    items(&long);
}

#[test]
fn a_declaration_at_the_margin_ends_an_unclosed_block() {
    let text =
        "pool web {\n  scheduler rr\n\nmatch a {\n  match b {\n    pass\n  }\n\ntest \"t\" {\n}\n";
    let (file, diagnostics) = parse(FileId(0), &text.replace("\n\nmatch", "\n}\nmatch"));
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    assert_eq!(diagnostics[0].code, Code::UnclosedBlock);
    assert!(matches!(
        &file.items[..],
        [Item::Pool(_), Item::Stmt(_), Item::Test(_)]
    ));
    let text = text.replace("match a", "counter c\nmatch a");
    assert_eq!(
        faults(&text),
        ["unclosed-block: this block is not closed"; 2]
    );
}

#[test]
fn a_missing_brace_is_one_diagnostic() {
    let text = "pool web\n  scheduler rr\n  backend 192.0.2.1\n}\nmatch a {\n  match b\n    pass\n  }\n  drop\n}\npass";
    assert_eq!(
        faults(text),
        [
            "unexpected-token: expected `{`, found the end of the line",
            "unexpected-token: expected an operator or `{`, found the end of the line",
        ]
    );
}

#[test]
fn a_broken_condition_does_not_hide_what_is_wrong_in_its_block() {
    let text = "match a in { 1 2 } {\n  drop 3\n  match a b { pas }\n}\ntest x { sned eth }\npass";
    let messages = [
        "unexpected-token: expected one of an operator, `}` or `,`, found `2`",
        "unexpected-token: expected a name or the end of the line, found `3`",
        "unexpected-token: expected an operator or `{`, found `b`",
        "unknown-keyword: `pas` begins no statement",
        "unexpected-token: expected a string, found `x`",
        "unknown-keyword: `sned` begins no line of a test",
    ];
    assert_eq!(faults(text), messages);
    assert_eq!(parse(FileId(0), text).0.items.len(), 1);
}

#[test]
fn operators_of_other_languages_are_read_on() {
    let text = "match a && !b || c {\n  drop 3\n}";
    let (file, diagnostics) = parse(FileId(0), text);
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code.as_str()).collect();
    let unknown = "unknown-character";
    assert_eq!(codes, [unknown, unknown, unknown, "unexpected-token"]);
    let [
        Item::Stmt(Stmt {
            kind: StmtKind::Match(read),
            ..
        }),
    ] = &file.items[..]
    else {
        panic!()
    };
    assert_eq!(show(&read.branches[0].condition), "((a and Not(b)) or c)");
}
