use super::*;

#[test]
fn a_match_has_branches_and_an_else() {
    let text = "match a { pass } else match b == 1 {\n  drop x\n} else { count c; drop }";
    let StmtKind::Match(Match {
        branches,
        otherwise,
    }) = stmt(text)
    else {
        panic!()
    };
    let conditions: Vec<_> = branches
        .iter()
        .map(|branch| show(&branch.condition))
        .collect();
    assert_eq!(conditions, ["a", "(b == 1)"]);
    assert_eq!(branches[0].block.stmts[0].kind, StmtKind::Pass);
    assert_eq!(
        &text[branches[1].span.range()],
        "match b == 1 {\n  drop x\n}"
    );
    assert_eq!(otherwise.unwrap().stmts.len(), 2);
}

#[test]
fn a_match_may_be_empty_or_stand_alone() {
    let StmtKind::Match(Match {
        branches,
        otherwise,
    }) = stmt("match tcp { }")
    else {
        panic!()
    };
    assert_eq!(
        (branches.len(), branches[0].block.stmts.len(), otherwise),
        (1, 0, None)
    );
}

#[test]
fn a_switch_has_arms_of_statements_and_blocks() {
    let text = "switch (flow.dport, x) {\n  80, 443 -> { a(b); pass }\n  22 if ip.src in LAN -> pass\n\
                8000..8099 -> drop\n  0x10 & 0xf0, OFFICE.net -> pass\n  (80, _) -> pass\n\
                default -> drop closed\n}";
    let StmtKind::Switch(Switch { value, arms }) = stmt(text) else {
        panic!()
    };
    assert_eq!(show(&value), "(flow.dport, x)");
    let shown: Vec<_> = arms
        .iter()
        .map(|arm| show_patterns(&arm.patterns))
        .collect();
    assert_eq!(
        shown,
        [
            "80 | 443",
            "22",
            "Range(8000, 8099)",
            "16 & 240 | OFFICE.net",
            "(80 | _)",
            "_"
        ]
    );
    assert_eq!(show(arms[1].guard.as_ref().unwrap()), "(ip.src in LAN)");
    assert_eq!(arms[0].block.stmts.len(), 2);
    assert_eq!(arms[5].block.span, arms[5].block.stmts[0].span);
    assert_eq!(&text[arms[5].span.range()], "default -> drop closed");
}

#[test]
fn a_let_may_say_its_type() {
    let StmtKind::Let(plain) = stmt("let x = ip.ttl - 1") else {
        panic!()
    };
    assert_eq!((plain.name.text.as_str(), plain.ty), ("x", None));
    let StmtKind::Let(typed) = stmt("let x: bytes[4] = 1") else {
        panic!()
    };
    let ty = typed.ty.unwrap();
    assert_eq!(
        (ty.name.text.as_str(), show(&ty.argument.unwrap())),
        ("bytes", "4".to_owned())
    );
}

#[test]
fn a_select_may_say_by_what_and_what_else() {
    let StmtKind::Select(select) = stmt("select rs from web") else {
        panic!()
    };
    assert_eq!(
        (select.name.text.as_str(), select.from.text.as_str()),
        ("rs", "web")
    );
    assert!(select.by.is_empty() && select.otherwise.is_none() && select.id.is_none());
    let text = "select rs from web by ip.src, ip.dst else { drop full }";
    let StmtKind::Select(select) = stmt(text) else {
        panic!()
    };
    assert_eq!(show_all(&select.by), "ip.src, ip.dst");
    assert!(select.id.is_none());
    assert_eq!(select.otherwise.unwrap().stmts.len(), 1);
}

#[test]
fn a_select_may_go_by_an_id() {
    let text = "select rs from web by id(ip.dscp & 7) else { pass }";
    let StmtKind::Select(select) = stmt(text) else {
        panic!()
    };
    let id = select.id.unwrap();
    assert_eq!(show(&id.value), "(ip.dscp & 7)");
    assert_eq!(&text[id.word.range()], "id");
    assert!(select.by.is_empty() && select.otherwise.is_some());
    // A field may be called so, too.
    let StmtKind::Select(select) = stmt("select rs from web by id, id.id") else {
        panic!()
    };
    assert_eq!(show_all(&select.by), "id, id.id");
    assert!(select.id.is_none());
}

#[test]
fn assignments_change_a_place() {
    for (text, target, op, value) in [
        (
            "eth.src = ingress.mac",
            "eth.src",
            AssignOp::Set,
            "ingress.mac",
        ),
        ("x += 1", "x", AssignOp::Add, "1"),
        ("ip4[1].ttl -= 2", "ip4[1].ttl", AssignOp::Sub, "2"),
        ("seen[ip.src] = 1", "seen[ip.src]", AssignOp::Set, "1"),
        ("match.x = 3", "match.x", AssignOp::Set, "3"),
        ("count = 3", "count", AssignOp::Set, "3"),
    ] {
        let StmtKind::Assign(assign) = stmt(text) else {
            panic!("{text}")
        };
        assert_eq!(
            (show_path(&assign.target).as_str(), assign.op),
            (target, op),
            "{text}"
        );
        assert_eq!(show(&assign.value), value);
    }
}

#[test]
fn push_fills_fields_and_pop_takes_away() {
    for text in [
        "push ip4 { src: b.interface.ip, dst: b.ip }",
        "push ip4 {\n  src: b.interface.ip,\n  dst: b.ip,\n}",
    ] {
        let StmtKind::Push(push) = stmt(text) else {
            panic!()
        };
        assert_eq!(push.header.text, "ip4");
        let fields: Vec<_> = push
            .fields
            .iter()
            .map(|field| (field.name.text.as_str(), show(&field.value)))
            .collect();
        assert_eq!(
            fields,
            [
                ("src", "b.interface.ip".to_owned()),
                ("dst", "b.ip".to_owned())
            ]
        );
    }
    let StmtKind::Push(push) = stmt("push vlan { }") else {
        panic!()
    };
    assert!(push.fields.is_empty());
    assert!(matches!(stmt("pop vlan"), StmtKind::Pop(Pop { header }) if header.text == "vlan"));
}

#[test]
fn small_statements() {
    assert!(matches!(stmt("count hits"), StmtKind::Count(count) if count.cell.is_empty()));
    let StmtKind::Count(count) = stmt("count hits[ip.src, 3]") else {
        panic!()
    };
    assert_eq!(show_all(&count.cell), "ip.src, 3");
    assert!(matches!(stmt("log \"here\""), StmtKind::Log(log) if log.text.value == "here"));
    let StmtKind::Call(call) = stmt("dr(rs, 1)") else {
        panic!()
    };
    assert_eq!(
        (call.action.text.as_str(), show_all(&call.args)),
        ("dr", "rs, 1".to_owned())
    );
    assert!(matches!(stmt("f()"), StmtKind::Call(call) if call.args.is_empty()));
    assert!(matches!(stmt("drop"), StmtKind::Drop(drop) if drop.reason.is_none()));
    assert!(
        matches!(stmt("drop x"), StmtKind::Drop(drop) if drop.reason.as_ref().unwrap().text == "x")
    );
    assert_eq!(stmt("pass"), StmtKind::Pass);
    assert_eq!(stmt("answer"), StmtKind::Answer);
    let StmtKind::Send(send) = stmt("send b.interface") else {
        panic!()
    };
    assert_eq!(show_path(&send.to), "b.interface");
}

#[test]
fn lines_end_with_line_feeds_and_semicolons() {
    for text in [
        "pass;pass",
        "pass\n\n\npass\n",
        ";;pass ; \n; pass;",
        "pass # x\r\npass\r\n",
    ] {
        assert_eq!(items(text).len(), 2, "{text:?}");
    }
    for text in ["", "\n", "# nothing\n", "\u{feff}", ";"] {
        assert_eq!(items(text), [], "{text:?}");
    }
}
