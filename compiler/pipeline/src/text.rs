//! Expressions and steps in the words of the policy language, and the graph as text.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use lvsc_abi::mac::Mac;
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;

use crate::pipeline::{
    BackendField, Binary, Compare, Edge, Expr, FieldId, HeaderId, InterfaceField, InterfaceRef,
    Kind, Node, Outcome, Pipeline, SetId, Step,
};

/// A number as people write values of this kind.
pub fn number(value: u128, kind: Kind) -> String {
    match kind {
        Kind::Number => value.to_string(),
        Kind::Mac => Mac::from_bits(value as u64).to_string(),
        Kind::Ip4 => Ipv4Addr::from_bits(value as u32).to_string(),
        Kind::Ip6 => Ipv6Addr::from_bits(value).to_string(),
    }
}

/// `ip4.dst`
pub fn field(pipeline: &Pipeline, header: HeaderId, field: FieldId) -> String {
    let name = &pipeline.field(header, field).name;
    format!("{}.{name}", pipeline.header(header).name)
}

/// An expression as a policy would say it.
pub fn expression(pipeline: &Pipeline, expr: &Expr) -> String {
    Words { pipeline }.expr(expr, Kind::Number)
}

/// What a node does, in one line.
pub fn step(pipeline: &Pipeline, node: &Node) -> String {
    let words = Words { pipeline };
    match &node.step {
        Step::Parse(headers) => {
            let names: Vec<&str> = headers
                .iter()
                .map(|id| pipeline.header(*id).name.as_str())
                .collect();
            format!("parse {}", names.join(", "))
        }
        Step::Match(condition) => format!("match {}", expression(pipeline, condition)),
        Step::Let(variable, value) => {
            format!(
                "let {} = {}",
                pipeline.variable(*variable).name,
                expression(pipeline, value)
            )
        }
        Step::Select {
            pool,
            variable,
            key,
        } => format!(
            "select {} from {} by {}",
            pipeline.variable(*variable).name,
            pipeline.pool(*pool).name,
            pipeline.choice(*key).name
        ),
        Step::Rewrite(header, id, value) => {
            let kind = pipeline.field(*header, *id).kind;
            format!(
                "{} = {}",
                field(pipeline, *header, *id),
                words.expr(value, kind)
            )
        }
        Step::Count(counter) => format!("count {}", words.counter(counter.0)),
        Step::Verdict(Outcome::Drop(reason)) => format!("drop {}", words.counter(reason.0)),
        Step::Verdict(Outcome::Pass) => "pass".to_owned(),
        Step::Verdict(Outcome::Send(interface)) => format!("send {}", words.interface(*interface)),
    }
}

/// The steps that the entry reaches, each before those that it leads to, with their edges.
pub fn nodes(pipeline: &Pipeline) -> Vec<(NodeIndex, Vec<(Edge, NodeIndex)>)> {
    let order = toposort(&pipeline.graph, None).unwrap_or_default();
    let mut reached = vec![pipeline.entry];
    let mut found = Vec::new();
    for node in order
        .into_iter()
        .filter(|node| pipeline.graph.contains_node(*node))
    {
        if !reached.contains(&node) {
            continue;
        }
        let edges: Vec<(Edge, NodeIndex)> = edges(&pipeline.step(node).step)
            .iter()
            .map(|edge| (*edge, pipeline.follow(node, *edge)))
            .collect();
        reached.extend(edges.iter().map(|(_, to)| *to));
        found.push((node, edges));
    }
    found
}

/// The edges that leave a step, in the order in which they are shown.
pub fn edges(step: &Step) -> &'static [Edge] {
    match step {
        Step::Match(_) | Step::Select { .. } => &[Edge::Yes, Edge::No],
        Step::Parse(_) | Step::Let(..) | Step::Rewrite(..) | Step::Count(_) => &[Edge::Next],
        Step::Verdict(_) => &[],
    }
}

/// The graph, a line a node: its number, what it does, where it goes, and its place in the policy.
pub fn graph(pipeline: &Pipeline) -> String {
    let nodes = nodes(pipeline);
    let number = |node: NodeIndex| {
        nodes
            .iter()
            .position(|(known, _)| *known == node)
            .unwrap_or(0)
    };
    let mut text = String::new();
    for (at, (node, edges)) in nodes.iter().enumerate() {
        let shown = pipeline.step(*node);
        let ways: Vec<String> = edges
            .iter()
            .map(|(edge, to)| match edge {
                Edge::Next if number(*to) == at + 1 => String::new(),
                Edge::Next => format!("-> {}", number(*to)),
                Edge::Yes => format!("yes -> {}", number(*to)),
                Edge::No => format!("no -> {}", number(*to)),
            })
            .filter(|way| !way.is_empty())
            .collect();
        let place = place(pipeline, shown);
        let line = format!("{at:>3}  {}", step(pipeline, shown));
        let _ = write!(text, "{line}");
        if !ways.is_empty() {
            let _ = write!(text, "  [{}]", ways.join(", "));
        }
        if !place.is_empty() {
            let _ = write!(text, "  # {place}");
        }
        text.push('\n');
    }
    text
}

/// `policies/dr.lvs:15`; empty where there is no place.
pub fn place(pipeline: &Pipeline, node: &Node) -> String {
    let file = pipeline.manifest.files.get(usize::from(node.place.file));
    match (file, node.place.line) {
        (None, _) | (_, 0) => String::new(),
        (Some(file), line) => format!("{file}:{line}"),
    }
}

struct Words<'a> {
    pipeline: &'a Pipeline,
}

impl Words<'_> {
    /// `kind` says how a constant is written that stands alone.
    fn expr(&self, expr: &Expr, kind: Kind) -> String {
        let pipeline = self.pipeline;
        match expr {
            Expr::Constant { value, .. } => number(*value, kind),
            Expr::Field(header, id) => field(pipeline, *header, *id),
            Expr::Variable(id) => pipeline.variable(*id).name.clone(),
            Expr::Resize(_, a) => self.expr(a, kind),
            Expr::Binary(op, a, b) => {
                let kind = self.kind(a).or_else(|| self.kind(b)).unwrap_or(kind);
                format!(
                    "({} {} {})",
                    self.expr(a, kind),
                    operator(*op),
                    self.expr(b, kind)
                )
            }
            Expr::Compare(op, a, b) => {
                let kind = self
                    .kind(a)
                    .or_else(|| self.kind(b))
                    .unwrap_or(Kind::Number);
                format!(
                    "{} {} {}",
                    self.expr(a, kind),
                    comparison(*op),
                    self.expr(b, kind)
                )
            }
            Expr::In(a, set) => format!("{} in {}", self.expr(a, Kind::Number), self.set(*set)),
            Expr::And(a, b) => format!("{} and {}", self.inner(a), self.inner(b)),
            Expr::Or(a, b) => format!("({} or {})", self.inner(a), self.inner(b)),
            Expr::Not(a) => format!("not ({})", self.inner(a)),
            Expr::Present(header) => pipeline.header(*header).name.clone(),
            Expr::Chosen(choice, each) => self.chosen(&pipeline.choice(*choice).name, each, kind),
            Expr::Interface(interface, part) => {
                let part = match part {
                    InterfaceField::Mac => "mac",
                    InterfaceField::Index => "index",
                };
                format!("{}.{part}", self.interface(*interface))
            }
            Expr::Backend(variable, part) => {
                let part = match part {
                    BackendField::Mac => "mac",
                    BackendField::Id => "id",
                };
                format!("{}.{part}", pipeline.variable(*variable).name)
            }
        }
    }

    fn inner(&self, expr: &Expr) -> String {
        self.expr(expr, Kind::Number)
    }

    /// The alternatives that can hold, without the same words twice.
    fn chosen(&self, name: &str, each: &[Expr], kind: Kind) -> String {
        let mut ways: Vec<String> = Vec::new();
        for expr in each.iter().filter(|expr| **expr != Expr::FALSE) {
            let words = self.expr(expr, kind);
            if !ways.contains(&words) {
                ways.push(words);
            }
        }
        if each.iter().all(|expr| *expr == Expr::TRUE) {
            return name.to_owned();
        }
        format!("{name}: {}", ways.join(" | "))
    }

    fn kind(&self, expr: &Expr) -> Option<Kind> {
        match expr {
            Expr::Field(header, id) => Some(self.pipeline.field(*header, *id).kind),
            Expr::Interface(_, InterfaceField::Mac) | Expr::Backend(_, BackendField::Mac) => {
                Some(Kind::Mac)
            }
            Expr::Constant { .. } => None,
            _ => expr.parts().into_iter().find_map(|part| self.kind(part)),
        }
    }

    fn set(&self, id: SetId) -> String {
        let set = self.pipeline.set(id);
        let members: Vec<String> = set
            .ranges
            .iter()
            .take(8)
            .map(|(low, high)| {
                if low == high {
                    return number(*low, set.kind);
                }
                format!("{}..{}", number(*low, set.kind), number(*high, set.kind))
            })
            .collect();
        let more = if set.ranges.len() > 8 { ", ..." } else { "" };
        format!("{{ {}{more} }}", members.join(", "))
    }

    fn counter(&self, index: u16) -> &str {
        let found = self.pipeline.manifest.counters.get(usize::from(index));
        found.map_or("", |counter| counter.name.as_str())
    }

    fn interface(&self, interface: InterfaceRef) -> String {
        match interface {
            InterfaceRef::Ingress => "ingress".to_owned(),
            InterfaceRef::Named(id) => {
                let found = self.pipeline.manifest.interfaces.get(usize::from(id.0));
                found.map_or_else(String::new, |interface| interface.name.clone())
            }
            InterfaceRef::OfBackend(variable) => {
                format!("{}.interface", self.pipeline.variable(variable).name)
            }
        }
    }
}

fn operator(op: Binary) -> &'static str {
    match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::Rem => "%",
        Binary::And => "&",
        Binary::Or => "|",
        Binary::Xor => "^",
        Binary::Shl => "<<",
        Binary::Shr => ">>",
    }
}

fn comparison(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "==",
        Compare::Ne => "!=",
        Compare::Lt => "<",
        Compare::Le => "<=",
        Compare::Gt => ">",
        Compare::Ge => ">=",
    }
}
