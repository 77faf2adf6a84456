//! What expressions are worth.

use crate::interp::evaluate;
use crate::pipeline::{Binary, Compare, Expr, SetId};
use crate::sample::*;

fn tcp_frame() -> Vec<u8> {
    ethernet(0x0800, &ip4(6, &tcp(40000, 80)))
}

#[track_caller]
fn check(expr: &Expr, expected: Option<u128>) {
    assert_eq!(
        evaluate(&policy(&[]), &tcp_frame(), expr),
        expected,
        "{expr:?}"
    );
}

#[track_caller]
fn holds(expr: &Expr, expected: bool) {
    check(expr, Some(u128::from(expected)));
}

#[test]
fn no_comparison_on_an_absent_header_holds() {
    use Compare::{Eq, Ge, Gt, Le, Lt, Ne};
    for op in [Eq, Ne, Lt, Le, Gt, Ge] {
        let absent = compare(op, field("udp.dst"), number(0, 16));
        holds(&absent, false);
        holds(&not(absent), true);
        holds(&compare(op, number(0, 16), field("udp.dst")), false);
        holds(&compare(op, field("udp.dst"), field("udp.dst")), false);
    }
    let member = Expr::In(Box::new(field("udp.dst")), TAGS);
    holds(&member, false);
    holds(&not(member), true);
}

#[test]
fn a_field_of_an_absent_header_is_no_value_and_no_truth() {
    check(&field("udp.dst"), None);
    check(&Expr::Resize(32, Box::new(field("udp.dst"))), None);
    holds(&not(field("udp.dst")), true);
    holds(&or(field("udp.dst"), Expr::FALSE), false);
}

#[test]
fn comparisons_are_unsigned_over_the_whole_width() {
    let high = u128::MAX << 127;
    for (op, expected) in [
        (Compare::Eq, false),
        (Compare::Ne, true),
        (Compare::Lt, false),
        (Compare::Le, false),
        (Compare::Gt, true),
        (Compare::Ge, true),
    ] {
        holds(&compare(op, number(high, 128), number(1, 128)), expected);
    }
    holds(
        &compare(Compare::Le, number(high, 128), number(high, 128)),
        true,
    );
    holds(
        &compare(Compare::Ge, number(high, 128), number(high, 128)),
        true,
    );
}

#[test]
fn fields_are_read_across_bytes_most_significant_bit_first() {
    check(&field("ip4.version"), Some(4));
    check(&field("ip4.ihl"), Some(5));
    check(&field("ip4.df"), Some(1));
    check(&field("ip4.mf"), Some(0));
    check(&field("ip4.offset"), Some(0));
    check(&field("eth.src"), Some(0x0200_0000_0099));
    check(&field("ip4.dst"), Some(0xc000_0201));
    check(&field("tcp.src"), Some(40000));
    let mut packet = vec![0x6f, 0xed, 0xcb, 0xa9, 0, 0, 59, 64];
    packet.extend(0x2001_0db8_0000_0000_0000_0000_0000_0001_u128.to_be_bytes());
    packet.extend(0x2001_0db8_0000_0000_0000_0000_0000_0002_u128.to_be_bytes());
    let frame = ethernet(0x86dd, &packet);
    let value = |name| evaluate(&policy(&[]), &frame, &field(name));
    assert_eq!(value("ip6.dscp"), Some(0b11_1111));
    assert_eq!(value("ip6.ecn"), Some(0b10));
    assert_eq!(value("ip6.label"), Some(0xd_cba9));
    assert_eq!(
        value("ip6.dst"),
        Some(0x2001_0db8_0000_0000_0000_0000_0000_0002)
    );
}

#[test]
fn arithmetic_wraps_at_its_width() {
    use Binary::{Add, And, Div, Mul, Or, Rem, Shl, Shr, Sub, Xor};
    for (op, a, b, expected) in [
        (Add, 0xff, 2, 1),
        (Sub, 1, 2, 0xff),
        (Mul, 0x80, 3, 0x80),
        (Div, 7, 2, 3),
        (Rem, 7, 2, 1),
        (And, 0b1100, 0b1010, 0b1000),
        (Or, 0b1100, 0b1010, 0b1110),
        (Xor, 0b1100, 0b1010, 0b0110),
        (Shl, 0x81, 1, 0x02),
        (Shr, 0x81, 1, 0x40),
    ] {
        let expr = Expr::Binary(op, Box::new(number(a, 8)), Box::new(number(b, 8)));
        check(&expr, Some(expected));
    }
    check(&Expr::Resize(8, Box::new(number(0x1ff, 16))), Some(0xff));
    check(&Expr::Resize(128, Box::new(number(0x1ff, 16))), Some(0x1ff));
}

#[test]
fn a_member_of_a_set_lies_in_one_of_its_ranges() {
    let is_in = |value| Expr::In(Box::new(number(value, 32)), SetId(1));
    for (value, expected) in [
        (0x09ff_ffff, false),
        (0x0a00_0000, true),
        (0x0aff_ffff, true),
        (0x0b00_0000, false),
        (0xc633_6407, true),
    ] {
        holds(&is_in(value), expected);
    }
    holds(&Expr::In(Box::new(field("ip4.src")), SetId(1)), true);
}

#[test]
fn the_first_alternative_whose_condition_holds_is_taken() {
    let each = (1..=4).map(|value| number(value, 8)).collect();
    check(&Expr::Chosen(FLOW, each), Some(2));
    let family = Expr::Chosen(IP, vec![eq("ip4.ttl", 64), eq("ip6.ttl", 64)]);
    holds(&family, true);
}

#[test]
fn a_choice_without_an_alternative_is_absent() {
    let frame = ethernet(0x0806, &[0; 28]);
    let pipeline = policy(&[]);
    let value = |expr| evaluate(&pipeline, &frame, &expr);
    let chosen = Expr::Chosen(IP, vec![number(0, 8), number(0, 8)]);
    assert_eq!(value(chosen.clone()), None);
    assert_eq!(
        value(compare(Compare::Eq, chosen.clone(), number(0, 8))),
        Some(0)
    );
    assert_eq!(value(not(chosen)), Some(1));
}
