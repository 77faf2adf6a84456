//! How expressions and facts are said.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::{expression, facts, number, range};
use crate::interp::Fact;
use crate::pipeline::{
    BackendField, Binary, Compare, Expr, InterfaceField, InterfaceRef, Kind, SetId,
};
use crate::sample::{self, FLOW, IP, RS, TAGS, and, compare, eq, field, header, not, or, policy};

#[track_caller]
fn check(expr: &Expr, expected: &str) {
    assert_eq!(expression(&policy(&[]), expr), expected);
}

fn binary(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

#[test]
fn a_constant_is_written_as_the_field_beside_it() {
    check(&eq("ip4.dst", 0xc000_0201), "ip4.dst == 192.0.2.1");
    check(
        &eq("eth.src", 0x0200_0000_0001),
        "eth.src == 02:00:00:00:00:01",
    );
    check(
        &eq("ip6.dst", 0x2001_0db8 << 96 | 1),
        "ip6.dst == 2001:db8::1",
    );
    check(&eq("tcp.dst", 80), "tcp.dst == 80");
    let mac = Expr::Backend(RS[0], BackendField::Mac);
    check(
        &compare(Compare::Ne, mac, sample::number(1, 48)),
        "plain.mac != 00:00:00:00:00:01",
    );
    let mac = Expr::Interface(InterfaceRef::OfBackend(RS[0]), InterfaceField::Mac);
    check(
        &compare(Compare::Eq, field("eth.src"), mac),
        "eth.src == plain.interface.mac",
    );
}

#[test]
fn parentheses_stand_only_where_they_are_needed() {
    let [a, b, c] = [80, 81, 82].map(|port| eq("tcp.dst", port));
    let or_and = and(or(a.clone(), b.clone()), c.clone());
    check(
        &or_and,
        "(tcp.dst == 80 or tcp.dst == 81) and tcp.dst == 82",
    );
    let and_or = or(and(a.clone(), b), c);
    check(&and_or, "tcp.dst == 80 and tcp.dst == 81 or tcp.dst == 82");
    check(&not(a.clone()), "not tcp.dst == 80");
    check(
        &not(or(a.clone(), a)),
        "not (tcp.dst == 80 or tcp.dst == 80)",
    );
    let flags = binary(Binary::And, field("tcp.flags"), sample::number(2, 8));
    check(
        &compare(Compare::Ne, flags, sample::number(0, 8)),
        "tcp.flags & 2 != 0",
    );
    let [x, y, z] = ["tcp.src", "tcp.dst", "tcp.window"].map(field);
    let left = binary(
        Binary::Sub,
        binary(Binary::Sub, x.clone(), y.clone()),
        z.clone(),
    );
    check(&left, "tcp.src - tcp.dst - tcp.window");
    let right = binary(
        Binary::Sub,
        x.clone(),
        binary(Binary::Sub, y.clone(), z.clone()),
    );
    check(&right, "tcp.src - (tcp.dst - tcp.window)");
    check(
        &binary(Binary::Mul, binary(Binary::Add, x, y), z),
        "(tcp.src + tcp.dst) * tcp.window",
    );
}

#[test]
fn a_group_speaks_by_its_own_name_and_a_flow_by_its_alternatives() {
    let both = Expr::Chosen(IP, vec![eq("ip4.ttl", 1), eq("ip6.ttl", 1)]);
    check(&both, "ip.ttl == 1");
    check(
        &Expr::Chosen(IP, vec![eq("ip4.dst", 0xc000_0201), Expr::FALSE]),
        "ip.dst == 192.0.2.1",
    );
    check(
        &Expr::Chosen(IP, vec![field("ip4.ttl"), field("ip6.ttl")]),
        "ip.ttl",
    );
    check(&Expr::Chosen(IP, vec![Expr::TRUE, Expr::TRUE]), "ip");
    let different = Expr::Chosen(IP, vec![eq("ip4.ttl", 1), eq("ip6.ttl", 2)]);
    check(&different, "ip[ip4.ttl == 1 | ip6.ttl == 2]");
    let port = [
        eq("quoted_ports.dst", 80),
        eq("tcp.dst", 80),
        eq("udp.dst", 80),
        Expr::FALSE,
    ];
    let port = Expr::Chosen(FLOW, port.to_vec());
    check(
        &port,
        "flow[quoted_ports.dst == 80 | tcp.dst == 80 | udp.dst == 80]",
    );
}

#[test]
fn sets_and_ranges_are_short() {
    let member = |name, set| Expr::In(Box::new(field(name)), set);
    check(&member("eth.type", TAGS), "eth.type in { 33024, 34984 }");
    check(
        &member("ip4.src", SetId(1)),
        "ip4.src in { 10.0.0.0/8, 198.51.100.7 }",
    );
    let mut pipeline = policy(&[]);
    pipeline.sets[0].name = "tags".to_owned();
    assert_eq!(
        expression(&pipeline, &member("eth.type", TAGS)),
        "eth.type in tags"
    );
    pipeline.sets[0].name.clear();
    pipeline.sets[0].ranges = (0..10).map(|n| (n * 2, n * 2)).collect();
    let shown = expression(&pipeline, &member("eth.type", TAGS));
    assert_eq!(shown, "eth.type in { 0, 2, 4, 6, 8, 10, 12, 14, 2 more }");
    assert_eq!(range(8000, 8099, Kind::Number), "8000..8099");
    assert_eq!(
        range(0x0a00_0001, 0x0a00_0002, Kind::Ip4),
        "10.0.0.1..10.0.0.2"
    );
    assert_eq!(range(0, 0xffff_ffff, Kind::Ip4), "0.0.0.0/0");
    let net = 0x2001_0db8 << 96;
    assert_eq!(
        range(net, net | u128::MAX >> 32, Kind::Ip6),
        "2001:db8::/32"
    );
    assert_eq!(range(0, u128::MAX, Kind::Ip6), "::/0");
    assert_eq!(number(7, Kind::Number), "7");
}

#[test]
fn facts_say_what_was_and_what_was_absent() {
    let found = [
        Fact::Alternative(IP, Some(0)),
        Fact::Value(field("ip4.dst"), 0xc000_0201),
        Fact::Header(header("tcp"), false),
        Fact::Alternative(FLOW, Some(0)),
        Fact::Value(Expr::Variable(RS[0]), 2),
    ];
    assert_eq!(
        facts(&policy(&[]), &found),
        "ip4.dst is 192.0.2.1, tcp is absent, flow is quoted packet, plain is rs2"
    );
    assert_eq!(
        facts(&policy(&[]), &[Fact::Alternative(IP, None)]),
        "ip is absent"
    );
    assert_eq!(
        facts(&policy(&[]), &[Fact::Alternative(IP, Some(1))]),
        "ip is ip6"
    );
}
