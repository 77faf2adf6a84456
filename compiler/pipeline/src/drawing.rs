//! The graph for drawing tools: Graphviz dot, Mermaid, JSON.

use std::fmt::Write;

use petgraph::stable_graph::NodeIndex;
use serde_json::{Value, json};

use crate::pipeline::{Edge, Node, Pipeline, Step};
use crate::{text, words};

/// Graphviz: `lvsc graph --format dot POLICY | dot -Tsvg`.
pub fn dot(pipeline: &Pipeline) -> String {
    let mut out = String::from("digraph pipeline {\n  node [shape=box, fontname=\"monospace\"];\n");
    let nodes = text::nodes(pipeline);
    for (index, (node, _)) in nodes.iter().enumerate() {
        let step = pipeline.step(*node);
        let label = words::step(pipeline, step)
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        let shape = match step.step {
            Step::Match(_) | Step::Named { .. } | Step::Select { .. } | Step::Follow { .. } => {
                ", shape=diamond"
            }
            Step::Verdict(_) => ", style=rounded",
            Step::Parse(_)
            | Step::Let(..)
            | Step::Hash(..)
            | Step::Remember { .. }
            | Step::Rewrite(..)
            | Step::Count(_)
            | Step::CountCell(..)
            | Step::CountKey(..) => "",
        };
        let _ = writeln!(out, "  n{index} [label=\"{label}\"{shape}];");
    }
    for_each_edge(&nodes, |from, edge, to| {
        let label = match edge {
            Edge::Next => "",
            Edge::Yes => " [label=\"yes\"]",
            Edge::No => " [label=\"no\"]",
        };
        let _ = writeln!(out, "  n{from} -> n{to}{label};");
    });
    out.push_str("}\n");
    out
}

/// Mermaid, as forges draw it in Markdown.
pub fn mermaid(pipeline: &Pipeline) -> String {
    let mut out = String::from("flowchart TD\n");
    let nodes = text::nodes(pipeline);
    for (index, (node, _)) in nodes.iter().enumerate() {
        let step = pipeline.step(*node);
        let label = words::step(pipeline, step).replace('"', "#quot;");
        let (open, close) = match step.step {
            Step::Match(_) | Step::Named { .. } | Step::Select { .. } | Step::Follow { .. } => {
                ("{\"", "\"}")
            }
            Step::Verdict(_) => ("([\"", "\"])"),
            Step::Parse(_)
            | Step::Let(..)
            | Step::Hash(..)
            | Step::Remember { .. }
            | Step::Rewrite(..)
            | Step::Count(_)
            | Step::CountCell(..)
            | Step::CountKey(..) => ("[\"", "\"]"),
        };
        let _ = writeln!(out, "  n{index}{open}{label}{close}");
    }
    for_each_edge(&nodes, |from, edge, to| {
        let arrow = match edge {
            Edge::Next => "-->",
            Edge::Yes => "-->|yes|",
            Edge::No => "-->|no|",
        };
        let _ = writeln!(out, "  n{from} {arrow} n{to}");
    });
    out
}

/// Nodes with what they do, their kind and place; edges by the nodes' numbers.
pub fn json(pipeline: &Pipeline) -> Value {
    let nodes = text::nodes(pipeline);
    let shown: Vec<Value> = nodes
        .iter()
        .map(|(node, _)| shown(pipeline, pipeline.step(*node)))
        .collect();
    let mut edges = Vec::new();
    for_each_edge(&nodes, |from, edge, to| {
        let name = match edge {
            Edge::Next => "next",
            Edge::Yes => "yes",
            Edge::No => "no",
        };
        edges.push(json!({ "from": from, "to": to, "on": name }));
    });
    json!({ "version": 1, "nodes": shown, "edges": edges })
}

fn shown(pipeline: &Pipeline, node: &Node) -> Value {
    let kind = match node.step {
        Step::Parse(_) => "parse",
        Step::Match(_) => "match",
        Step::Let(..) => "let",
        Step::Named { .. } | Step::Select { .. } => "select",
        Step::Hash(..) => "hash",
        Step::Follow { .. } => "follow",
        Step::Remember { .. } => "remember",
        Step::Rewrite(..) => "rewrite",
        Step::Count(_) | Step::CountCell(..) | Step::CountKey(..) => "count",
        Step::Verdict(_) => "verdict",
    };
    // What stands in no line of the policy has no place.
    let place = Some(node.place).filter(|place| place.line > 0);
    let files = &pipeline.manifest.files;
    json!({
        "kind": kind,
        "text": words::step(pipeline, node),
        "file": place.and_then(|place| files.get(usize::from(place.file))),
        "line": place.map(|place| place.line),
    })
}

fn for_each_edge(
    nodes: &[(NodeIndex, Vec<(Edge, NodeIndex)>)],
    mut visit: impl FnMut(usize, Edge, usize),
) {
    for (from, (_, edges)) in nodes.iter().enumerate() {
        for (edge, to) in edges {
            let to = nodes.iter().position(|(node, _)| node == to);
            let to = to.expect("an edge leads to a node of the graph");
            visit(from, *edge, to);
        }
    }
}
