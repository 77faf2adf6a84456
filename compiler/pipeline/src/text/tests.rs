//! The graph as text and as drawings.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use petgraph::visit::EdgeRef;

use super::{graph, nodes};
use crate::drawing;
use crate::pipeline::{Edge, InterfaceRef, Outcome, Pipeline};
use crate::sample::*;
use crate::simplify::simplify;

fn shop() -> Pipeline {
    simplify(policy(&[
        Stmt::When(
            eq("eth.type", 0x0806),
            vec![Stmt::End(Outcome::Pass)],
            vec![],
        ),
        Stmt::When(
            eq("tcp.dst", 80),
            vec![
                Stmt::Select(PLAIN, vec![Stmt::End(Outcome::Drop(NO_BACKEND))]),
                Stmt::When(
                    eq("ip4.ttl", 1),
                    vec![Stmt::Count(SEEN)],
                    vec![Stmt::Set("ip4.ttl", number(9, 8))],
                ),
                Stmt::End(Outcome::Send(InterfaceRef::OfBackend(RS[0]))),
            ],
            vec![],
        ),
        Stmt::When(
            eq("udp.dst", 53),
            vec![Stmt::End(Outcome::Drop(CLOSED))],
            vec![],
        ),
    ]))
}

#[test]
fn text_reads_like_the_policy() {
    let expected = [
        "  0  parse eth, vlan, vlan[1], ip4, ip6, tcp, udp, icmp, quoted4, quoted_ports",
        "  1  match eth.type == 2054  # test.lvs:1",
        "  2    pass  # test.lvs:11",
        "  3  match tcp.dst == 80  # test.lvs:2",
        "  4    select plain from plain by flow  # test.lvs:5",
        "  5      drop no_backend  # test.lvs:10",
        "  6    match ip4.ttl == 1  # test.lvs:6",
        "  7      count seen  # test.lvs:8",
        "       else",
        "  8      ip4.ttl = 9  # test.lvs:9",
        "  9    send plain.interface  # test.lvs:7",
        " 10  match udp.dst == 53  # test.lvs:3",
        " 11    drop closed  # test.lvs:4",
        " 12  pass",
    ];
    assert_eq!(graph(&shop()).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_done_where_a_packet_names_none_is_indented() {
    let pipeline = simplify(policy(&[
        Stmt::Named(
            PLAIN,
            field("udp.dst"),
            vec![Stmt::End(Outcome::Drop(NO_BACKEND))],
        ),
        Stmt::End(Outcome::Send(InterfaceRef::OfBackend(RS[0]))),
    ]));
    let expected = [
        "  1  select plain from plain by id(udp.dst)  # test.lvs:1",
        "  2    select plain from plain by flow  # test.lvs:1",
        "  3      drop no_backend  # test.lvs:3",
        "  4  send plain.interface  # test.lvs:2",
    ];
    assert_eq!(
        graph(&pipeline).lines().skip(1).collect::<Vec<_>>(),
        expected
    );
    let dot = drawing::dot(&pipeline);
    assert!(dot.contains("by id(udp.dst)\", shape=diamond"), "{dot}");
}

#[test]
fn what_is_not_read_next_is_jumped_to() {
    let inner = Stmt::When(eq("tcp.dst", 81), vec![], vec![]);
    let mut pipeline = policy(&[
        Stmt::When(eq("tcp.dst", 80), vec![inner, Stmt::Count(SEEN)], vec![]),
        Stmt::Set("tcp.dst", number(82, 16)),
    ]);
    let read = nodes(&pipeline);
    let (inner, end) = (read[2].0, read.last().unwrap().0);
    let ways = pipeline.graph.edges(inner);
    let yes = ways
        .into_iter()
        .find(|edge| *edge.weight() == Edge::Yes)
        .unwrap()
        .id();
    pipeline.graph.remove_edge(yes);
    pipeline.graph.add_edge(inner, end, Edge::Yes);
    let expected = [
        "  1  match tcp.dst == 80  # test.lvs:1",
        "  2    match tcp.dst == 81  [yes -> 5]  # test.lvs:3",
        "  3    count seen  # test.lvs:4",
        "  4  tcp.dst = 82  # test.lvs:2",
        "  5  pass",
    ];
    assert_eq!(
        graph(&pipeline).lines().skip(1).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn every_node_is_read_once_before_those_that_it_leads_to() {
    let pipeline = shop();
    let nodes = nodes(&pipeline);
    assert_eq!(nodes.len(), pipeline.graph.node_count());
    for (at, (_, edges)) in nodes.iter().enumerate() {
        for (_, to) in edges {
            assert!(nodes.iter().position(|(node, _)| node == to).unwrap() > at);
        }
    }
}

#[test]
fn drawings_have_every_node_and_edge() {
    let pipeline = shop();
    let (dot, mermaid) = (drawing::dot(&pipeline), drawing::mermaid(&pipeline));
    let json = drawing::json(&pipeline);
    assert_eq!(json["version"], 1);
    assert_eq!(
        json["nodes"].as_array().unwrap().len(),
        pipeline.graph.node_count()
    );
    let edges = json["edges"].as_array().unwrap();
    assert_eq!(edges.len(), pipeline.graph.edge_count());
    for edge in edges {
        let (from, to) = (&edge["from"], &edge["to"]);
        assert!(dot.contains(&format!("  n{from} -> n{to}")), "{dot}");
        let arrow = match edge["on"].as_str().unwrap() {
            "next" => "-->".to_owned(),
            on => format!("-->|{on}|"),
        };
        assert!(
            mermaid.contains(&format!("  n{from} {arrow} n{to}\n")),
            "{mermaid}"
        );
    }
    assert_eq!(json["nodes"][1]["kind"], "match");
    assert_eq!(json["nodes"][1]["file"], "test.lvs");
    assert_eq!(json["nodes"][1]["line"], 1);
    assert!(
        dot.contains("[label=\"match eth.type == 2054\", shape=diamond]"),
        "{dot}"
    );
    assert!(
        mermaid.contains("{\"match eth.type == 2054\"}"),
        "{mermaid}"
    );
}
