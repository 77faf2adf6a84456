//! Simplifying changes nothing that a packet could tell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use lvsc_abi::image::Image;
use proptest::prelude::*;

use super::{fold, shared, simplify};
use crate::pipeline::{
    Binary, Compare, Expr, HeaderId, InterfaceField, InterfaceRef, Outcome, Pipeline, Step,
    VariableId,
};
use crate::sample::*;
use crate::text;

fn drop_it() -> Vec<Stmt> {
    vec![Stmt::End(Outcome::Drop(CLOSED))]
}

/// The conditions of the matches that are left, in reading order.
fn matches(pipeline: &Pipeline) -> Vec<Expr> {
    let nodes = text::nodes(pipeline).into_iter();
    let condition = |node| match &pipeline.step(node).step {
        Step::Match(condition) => Some(condition.clone()),
        _ => None,
    };
    nodes.filter_map(|(node, _)| condition(node)).collect()
}

fn parsed(pipeline: &Pipeline) -> Vec<HeaderId> {
    match &pipeline.step(pipeline.entry).step {
        Step::Parse(headers) => headers.clone(),
        _ => Vec::new(),
    }
}

#[test]
fn what_can_never_hold_is_gone_with_all_behind_it() {
    let both = and(eq("tcp.dst", 80), Expr::FALSE);
    let simple = simplify(policy(&[
        Stmt::When(both, drop_it(), vec![]),
        Stmt::When(eq("eth.type", 0x0806), drop_it(), vec![]),
    ]));
    assert_eq!(matches(&simple), [eq("eth.type", 0x0806)]);
    assert_eq!(parsed(&simple), [header("eth")]);
    assert_eq!(simple.graph.node_count(), 4);
}

#[test]
fn a_header_brings_those_before_it() {
    let simple = simplify(policy(&[Stmt::When(eq("udp.dst", 53), drop_it(), vec![])]));
    let names = ["eth", "vlan", "vlan[1]", "ip4", "ip6", "udp"];
    assert_eq!(parsed(&simple), names.map(header));
}

#[test]
fn what_names_a_backend_needs_its_headers() {
    let simple = simplify(policy(&[Stmt::Named(TURNS, field("vlan[1].vid"), vec![])]));
    assert!(parsed(&simple).contains(&header("vlan[1]")));
}

#[test]
fn a_selects_key_needs_its_headers() {
    let simple = simplify(policy(&[Stmt::Select(PLAIN, vec![])]));
    assert_eq!(parsed(&simple).len(), 10);
}

#[test]
fn a_match_that_leads_to_one_place_is_gone() {
    let inner = Stmt::When(eq("tcp.dst", 80), vec![], vec![]);
    let outer = Stmt::When(eq("tcp.src", 80), vec![inner], vec![]);
    assert_eq!(matches(&simplify(policy(&[outer]))), []);
}

#[test]
fn what_is_decided_is_not_asked_again() {
    let web = || eq("tcp.dst", 80);
    let again = Stmt::When(web(), drop_it(), vec![Stmt::Count(SEEN)]);
    let simple = simplify(policy(&[Stmt::When(web(), vec![again.clone()], vec![])]));
    assert_eq!(matches(&simple), [web()]);
    let within = Stmt::When(not(or(web(), eq("tcp.src", 1))), vec![], vec![again]);
    let simple = simplify(policy(&[Stmt::When(web(), vec![], vec![within])]));
    assert_eq!(matches(&simple), [web(), not(eq("tcp.src", 1))]);
}

#[test]
fn what_was_written_meanwhile_is_asked_again() {
    let web = || eq("tcp.dst", 80);
    let again = || Stmt::When(web(), drop_it(), vec![]);
    let write = Stmt::Set("tcp.dst", number(81, 16));
    let body = [Stmt::When(web(), vec![write.clone(), again()], vec![])];
    assert_eq!(matches(&simplify(policy(&body))), [web(), web()]);
    let present = || Expr::Present(header("tcp"));
    let again = Stmt::When(present(), drop_it(), vec![]);
    let body = [Stmt::When(present(), vec![write, again], vec![])];
    assert_eq!(
        matches(&simplify(policy(&body))),
        [present()],
        "presence is that on arrival"
    );
}

#[test]
fn what_is_decided_on_one_way_only_is_asked_again() {
    let web = || eq("tcp.dst", 80);
    let maybe = Stmt::When(
        eq("tcp.src", 1),
        vec![Stmt::When(web(), vec![Stmt::Count(SEEN)], drop_it())],
        vec![],
    );
    let simple = simplify(policy(&[maybe, Stmt::When(web(), drop_it(), vec![])]));
    assert_eq!(matches(&simple).len(), 3);
}

#[test]
fn a_variable_that_is_bound_anew_is_asked_again() {
    let is_one = || compare(Compare::Eq, Expr::Variable(PORT), number(1, 16));
    let body = [
        Stmt::Bind(PORT, field("tcp.src")),
        Stmt::When(is_one(), vec![Stmt::Bind(PORT, field("tcp.dst"))], vec![]),
        Stmt::When(is_one(), drop_it(), vec![]),
    ];
    assert_eq!(matches(&simplify(policy(&body))).len(), 2);
}

/// A number is bound, and what is done depends on it.
fn bound(name: VariableId, from: &'static str, asked: VariableId) -> Vec<Stmt> {
    let is_one = compare(Compare::Eq, Expr::Variable(asked), number(1, 16));
    vec![
        Stmt::Bind(name, field(from)),
        Stmt::When(is_one, drop_it(), vec![Stmt::Count(SEEN)]),
    ]
}

fn either(yes: Vec<Stmt>, no: Vec<Stmt>) -> Pipeline {
    policy(&[Stmt::When(eq("tcp.dst", 80), yes, no)])
}

#[test]
fn what_does_the_same_is_shared_whatever_its_variables_are() {
    let alone = either(bound(PORT, "tcp.src", PORT), Vec::new());
    let twice = either(bound(PORT, "tcp.src", PORT), bound(OTHER, "tcp.src", OTHER));
    let twice = shared(twice);
    assert_eq!(twice.graph.node_count(), shared(alone).graph.node_count());
    let first = twice.graph.node_weights();
    let first = first.filter(|node| matches!(node.step, Step::Let(..)));
    let lines: Vec<u32> = first.map(|node| node.place.line).collect();
    assert_eq!(lines, [2], "the place is the first one's");
}

#[test]
fn what_names_a_backend_by_the_same_field_is_shared() {
    let named = |field_name| {
        let end = Outcome::Send(InterfaceRef::OfBackend(RS[0]));
        vec![
            Stmt::Named(PLAIN, field(field_name), drop_it()),
            Stmt::End(end),
        ]
    };
    let count = |pipeline| shared(pipeline).graph.node_count();
    let alone = count(either(named("ip4.dscp"), Vec::new()));
    assert_eq!(
        count(either(named("ip4.dscp"), named("ip4.dscp"))),
        alone - 1,
        "the match leads to one node, and the end is not reached"
    );
    let other = count(either(named("ip4.dscp"), named("ip4.ttl")));
    assert_eq!(other, alone, "one more names, and all behind it is shared");
}

#[test]
fn what_reads_another_variable_is_no_twin() {
    let same = || bound(PORT, "tcp.src", PORT);
    for other in [
        bound(PORT, "tcp.dst", PORT),
        bound(OTHER, "tcp.src", PORT),
        bound(PORT, "tcp.src", OTHER),
    ] {
        let lets = shared(either(same(), other));
        let lets = lets.graph.node_weights();
        let lets = lets.filter(|node| matches!(node.step, Step::Let(..)));
        assert_eq!(lets.count(), 2);
    }
}

#[test]
fn constants_fold_and_absence_stays() {
    let pipeline = policy(&[]);
    let check = |expr: Expr, expected: Expr| {
        assert_eq!(fold::condition(&pipeline, &expr), expected);
    };
    let sum = Expr::Binary(
        Binary::Add,
        Box::new(number(0xff, 8)),
        Box::new(number(2, 8)),
    );
    check(compare(Compare::Eq, sum, number(1, 8)), Expr::TRUE);
    check(Expr::In(Box::new(number(0x8100, 16)), TAGS), Expr::TRUE);
    check(not(not(field("ip4.df"))), field("ip4.df"));
    let truth = not(not(field("ip4.df")));
    let asked = compare(Compare::Eq, truth, number(0, 1));
    check(asked.clone(), asked);
    let never = Expr::Chosen(IP, vec![Expr::FALSE, Expr::FALSE]);
    check(never.clone(), Expr::FALSE);
    let asked = compare(Compare::Eq, never, number(0, 1));
    check(asked.clone(), asked);
    check(and(Expr::TRUE, eq("ip4.ttl", 1)), eq("ip4.ttl", 1));
    check(or(eq("ip4.ttl", 1), Expr::TRUE), Expr::TRUE);
}

fn name() -> impl Strategy<Value = (&'static str, u16)> {
    proptest::sample::select(vec![
        ("eth.type", 16),
        ("vlan.vid", 12),
        ("ip4.df", 1),
        ("ip4.ttl", 8),
        ("ip4.dst", 32),
        ("tcp.dst", 16),
        ("udp.dst", 16),
    ])
}

fn value(width: u16) -> BoxedStrategy<Expr> {
    let own = name().prop_map(move |(name, from)| {
        if from == width {
            field(name)
        } else {
            Expr::Resize(width, Box::new(field(name)))
        }
    });
    let index = Expr::Interface(InterfaceRef::Ingress, InterfaceField::Index);
    let leaf = prop_oneof![
        3 => proptest::sample::select(vec![0_u128, 1, 2, 64, 80, 0x0800]).prop_map(move |number| {
            self::number(number & ((1 << width) - 1), width)
        }),
        2 => own,
        1 => proptest::sample::select(vec![PORT, OTHER])
            .prop_map(move |name| Expr::Resize(width, Box::new(Expr::Variable(name)))),
        1 => Just(Expr::Resize(width, Box::new(index))),
    ];
    leaf.prop_recursive(2, 6, 2, move |inner| {
        let ops = vec![Binary::Add, Binary::Sub, Binary::Xor, Binary::And];
        let two = (proptest::sample::select(ops), inner.clone(), inner.clone());
        prop_oneof![
            two.prop_map(|(op, a, b)| Expr::Binary(op, Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Expr::Chosen(IP, vec![a, b])),
        ]
    })
    .boxed()
}

fn condition() -> impl Strategy<Value = Expr> {
    use Compare::{Eq, Ge, Lt, Ne};
    let compared = (proptest::sample::select(vec![Eq, Ne, Lt, Ge]), name()).prop_flat_map(
        |(op, (name, width))| value(width).prop_map(move |other| compare(op, field(name), other)),
    );
    let leaf = prop_oneof![
        4 => compared,
        2 => proptest::sample::select(vec!["vlan", "ip4", "tcp", "udp"])
            .prop_map(|name| Expr::Present(header(name))),
        5 => Just(eq("tcp.dst", 80)),
        1 => value(16).prop_map(|value| Expr::In(Box::new(value), TAGS)),
        1 => Just(field("ip4.df")),
        1 => any::<bool>().prop_map(|holds| number(u128::from(holds), 1)),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| and(a, b)),
            two.clone().prop_map(|(a, b)| or(a, b)),
            inner.clone().prop_map(not),
            two.clone().prop_map(|(a, b)| Expr::Chosen(IP, vec![a, b])),
            two.prop_map(|(a, b)| compare(Compare::Eq, a, b)),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<Stmt>> {
    let set = name()
        .prop_flat_map(|(name, width)| value(width).prop_map(move |value| Stmt::Set(name, value)));
    let end = proptest::sample::select(vec![
        Outcome::Pass,
        Outcome::Drop(CLOSED),
        Outcome::Send(InterfaceRef::Ingress),
    ]);
    let leaf = prop_oneof![
        3 => set,
        3 => (79..82_u128).prop_map(|port| Stmt::Set("tcp.dst", number(port, 16))),
        2 => Just(Stmt::Count(SEEN)),
        1 => end.prop_map(Stmt::End),
        1 => (proptest::sample::select(vec![PORT, OTHER]), value(16))
            .prop_map(|(name, value)| Stmt::Bind(name, value)),
        1 => proptest::sample::select(vec![PLAIN, KEPT, TURNS])
            .prop_map(|pool| Stmt::Select(pool, drop_it())),
    ];
    let stmt = leaf.prop_recursive(3, 24, 4, |inner| {
        let block = proptest::collection::vec(inner, 0..4);
        (condition(), block.clone(), block).prop_map(|(c, yes, no)| Stmt::When(c, yes, no))
    });
    proptest::collection::vec(stmt, 0..6)
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let tag = vec![[0x81, 0, 0, 1]];
    let whole = proptest::sample::select(vec![
        ethernet(0x0800, &ip4(6, &tcp(64, 80))),
        ethernet(0x0800, &ip4_with(17, &[1; 4], &udp(1, 64, b"abc"))),
        tagged(&tag, 0x0800, &ip4(6, &tcp(1, 64))),
        ethernet(0x0800, &ip4(1, &icmp_error(&ip4(6, &tcp(80, 64))))),
        ethernet(0x0806, &[0; 28]),
    ]);
    let change = (any::<proptest::sample::Index>(), any::<u8>());
    (
        whole,
        any::<proptest::sample::Index>(),
        proptest::option::of(change),
        0..4,
    )
        .prop_map(|(mut frame, end, change, cut)| {
            if let Some((at, byte)) = change {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            if cut == 0 {
                frame.truncate(end.index(frame.len()));
            }
            frame
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn every_packet_fares_the_same(body in body(), frames in proptest::collection::vec(frame(), 1..8)) {
        let pipeline = policy(&body);
        let simple = simplify(pipeline.clone());
        let shared = shared(simple.clone());
        prop_assert!(simple.graph.node_count() <= pipeline.graph.node_count());
        prop_assert!(shared.graph.node_count() <= simple.graph.node_count());
        let [mut one, mut other, mut third] = [pipeline, simple, shared].map(World::new);
        for frame in frames {
            let (mut a, mut b, mut c) = (frame.clone(), frame.clone(), frame);
            let decided = one.run(&mut a);
            prop_assert_eq!(decided, other.run(&mut b));
            prop_assert_eq!(decided, third.run(&mut c));
            prop_assert_eq!(&a, &b);
            prop_assert_eq!(a, c);
        }
        prop_assert_eq!(one.image.layout(), other.image.layout());
        prop_assert!(one.image == other.image && one.image == third.image);
    }

    #[test]
    fn what_is_simple_stays_as_it_is(body in body()) {
        let once = simplify(policy(&body));
        let words = text::graph(&once);
        prop_assert_eq!(text::graph(&simplify(once)), words);
    }
}
