use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(show(&expr(text)), expected, "{text}");
}

#[test]
fn operators_bind_from_loose_to_tight() {
    check("a or b and c", "(a or (b and c))");
    check("a and not b or c", "((a and Not(b)) or c)");
    check("not a == b", "Not((a == b))");
    check("a == b and c != d", "((a == b) and (c != d))");
    check("tcp.flags & 0x12 == 0x02", "((tcp.flags & 18) == 2)");
    check("a | b & c ^ d", "(((a | b) & c) ^ d)");
    check("a & b << 2", "(a & (b << 2))");
    check("a << b + c", "(a << (b + c))");
    check("a + b * c - d / e % f", "((a + (b * c)) - ((d / e) % f))");
    check("-a * ~b", "(Neg(a) * BitNot(b))");
    check("- - a", "Neg(Neg(a))");
    check("not not a", "Not(Not(a))");
}

#[test]
fn every_comparison_is_read() {
    for op in ["==", "!=", "<", "<=", ">", ">=", "in", "not in"] {
        check(&format!("a {op} b"), &format!("(a {op} b)"));
    }
}

#[test]
fn operators_of_one_level_go_from_left_to_right() {
    check("a - b - c", "((a - b) - c)");
    check("a / b / c", "((a / b) / c)");
    check("a << b >> c", "((a << b) >> c)");
    check("a or b or c", "((a or b) or c)");
}

#[test]
fn parentheses_group_and_make_tuples() {
    check("(a or b) and c", "((a or b) and c)");
    check("(a == b) == (c == d)", "((a == b) == (c == d))");
    check("(a, 1)", "(a, 1)");
    check("((a))", "a");
    assert_eq!(
        expr("(a)").span.range(),
        10..13,
        "the parentheses belong to the place"
    );
}

#[test]
fn sets_may_span_lines() {
    check("{ 1, 2 }", "{1, 2}");
    check("a in {\n  1,\n  2,\n}", "(a in {1, 2})");
    check("a not in { { 1 }, b }", "(a not in {{1}, b})");
}

#[test]
fn paths_take_fields_indices_and_calls() {
    check("ip.src", "ip.src");
    check("vlan[1].vid", "vlan[1].vid");
    check("t[a, 1].x", "t[a, 1].x");
    check("f()", "f()");
    check("hash(ip.src, 3).low", "hash(ip.src, 3).low");
}

#[test]
fn a_word_of_the_language_may_name_a_field() {
    check("arp.in", "arp.in");
    check("in.mac == not.x", "(in.mac == not.x)");
    check("x.and and x.or", "(x.and and x.or)");
    check("match.key + key", "(match.key + key)");
}

#[test]
fn a_line_goes_on_after_an_operator_and_inside_parentheses() {
    check("a and\n  b or # why\n\n c", "((a and b) or c)");
    check("a +\n b", "(a + b)");
    check("a not in\n b", "(a not in b)");
    check("not\n a", "Not(a)");
    check("(\n a\n ==\n b\n)", "(a == b)");
    check("f(\n a\n,\n b\n)", "f(a, b)");
    check("t[\n a\n]", "t[a]");
}

#[test]
fn an_operator_knows_its_place() {
    let ExprKind::Binary(binary) = expr("a  not  in  b").kind else {
        panic!()
    };
    assert_eq!(binary.op_span.range(), 13..20);
    assert_eq!(binary.left.span.range(), 10..11);
    assert!(binary.op.is_comparison());
    assert!(!BinaryOp::And.is_comparison() && !BinaryOp::BitOr.is_comparison());
}

#[test]
fn comparisons_are_not_chained() {
    let text = "match a == b == c { pass }\nmatch a < b and c < d { pass }";
    assert_eq!(
        faults(text),
        ["chained-comparison: comparisons are not chained"]
    );
}

#[test]
fn not_is_no_operand_of_a_comparison() {
    let [fault] = &faults("const X = a == not b")[..] else {
        panic!()
    };
    assert_eq!(
        fault,
        "unexpected-token: expected an expression, found `not`"
    );
}

#[test]
fn a_path_says_whether_it_is_only_names() {
    let path = |text| match expr(text).kind {
        ExprKind::Path(path) => path,
        kind => panic!("{kind:?}"),
    };
    assert_eq!(path("a").as_name().unwrap().text, "a");
    assert!(path("a.b").as_name().is_none());
    assert_eq!(path("a.b").as_names().unwrap().len(), 2);
    assert!(path("a[1].b").as_names().is_none());
}
