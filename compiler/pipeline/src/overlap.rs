//! Which headers may lie on each other: a user's header may stand where another one does, so that an assignment to the
//! one changes the other.
//!
//! Two headers are apart where one stands behind the other, or where no frame has both: somewhere on the way to them
//! the conditions ask one field for different values. What is not proven may overlap.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::{After, Compare, Expr, FieldId, Header, HeaderId, Pipeline};

/// With more edges than this between the headers, all may overlap.
const EDGES_MAX: usize = 1000;

/// The pairs of headers that never lie on each other.
#[derive(Debug, Default)]
pub struct Overlap {
    apart: BTreeSet<(HeaderId, HeaderId)>,
    /// Those of which no frame has both.
    exclusive: BTreeSet<(HeaderId, HeaderId)>,
    /// Edges, each with the headers that no frame has that takes it.
    closed: BTreeSet<(Edge, HeaderId)>,
}

impl Overlap {
    /// Of all headers of a pipeline.
    pub fn of(pipeline: &Pipeline) -> Overlap {
        let edges = pipeline.headers.iter().map(|header| header.after.len());
        if edges.sum::<usize>() > EDGES_MAX {
            return Overlap::default();
        }
        let mut finder = Finder {
            pipeline,
            excluded: BTreeMap::new(),
            behind: BTreeMap::new(),
        };
        let ids = || (0..pipeline.headers.len()).map(|index| HeaderId(index as u16));
        let pairs = || ids().flat_map(|a| ids().map(move |b| (a, b)));
        let apart = pairs().filter(|(a, b)| a != b && finder.apart(*a, *b));
        let apart = apart.collect();
        let edges = ids().flat_map(|id| finder.edges(id));
        let edges: Vec<Edge> = edges.collect();
        let closed = edges
            .into_iter()
            .flat_map(|edge| ids().map(move |id| (edge, id)));
        let closed = closed.filter(|(edge, id)| finder.never(*edge, *id));
        Overlap {
            closed: closed.collect(),
            apart,
            exclusive: pairs().filter(|(a, b)| finder.exclusive(*a, *b)).collect(),
        }
    }

    /// Whether no frame has both headers, as far as that is proven: by what leads to them alone, so also while it is open
    /// whether they are valid.
    pub fn exclusive(&self, a: HeaderId, b: HeaderId) -> bool {
        self.exclusive.contains(&(a, b))
    }

    /// Whether no frame that has the header `present` has `behind` as what follows the predecessor with this index.
    pub fn closes(&self, present: HeaderId, behind: HeaderId, index: usize) -> bool {
        self.closed.contains(&((behind, index), present))
    }

    /// Whether two headers may have bytes in common: one always has with itself.
    pub fn may(&self, a: HeaderId, b: HeaderId) -> bool {
        !self.apart.contains(&(a, b))
    }
}

/// A header and the index of one of its predecessors.
type Edge = (HeaderId, usize);

struct Finder<'a> {
    pipeline: &'a Pipeline,
    /// Pairs of edges, and whether no frame takes both.
    excluded: BTreeMap<(Edge, Edge), bool>,
    /// Pairs of headers, and whether the second stands behind the first wherever both are.
    behind: BTreeMap<(HeaderId, HeaderId), bool>,
}

impl<'a> Finder<'a> {
    fn apart(&mut self, a: HeaderId, b: HeaderId) -> bool {
        self.is_behind(a, b) || self.is_behind(b, a) || self.exclusive(a, b)
    }

    fn exclusive(&mut self, a: HeaderId, b: HeaderId) -> bool {
        !self.is_first(a) && self.edges(a).into_iter().all(|edge| self.never(edge, b))
    }

    fn header(&self, id: HeaderId) -> &'a Header {
        self.pipeline.header(id)
    }

    fn is_first(&self, id: HeaderId) -> bool {
        self.header(id).after.is_empty()
    }

    fn edges(&self, id: HeaderId) -> Vec<Edge> {
        (0..self.header(id).after.len())
            .map(|index| (id, index))
            .collect()
    }

    fn after(&self, (id, index): Edge) -> &'a After {
        let found = self.header(id).after.get(index);
        found.expect("an edge is one of its header's")
    }

    /// Whether `second` stands behind `first` in every frame that has both.
    fn is_behind(&mut self, first: HeaderId, second: HeaderId) -> bool {
        if let Some(known) = self.behind.get(&(first, second)) {
            return *known;
        }
        let behind = !self.is_first(second)
            && self.edges(second).into_iter().all(|edge| {
                let predecessor = self.after(edge).header;
                predecessor == first
                    || self.is_behind(first, predecessor)
                    || self.never(edge, first)
            });
        self.behind.insert((first, second), behind);
        behind
    }

    /// Whether no frame that takes the edge has the header.
    fn never(&mut self, edge: Edge, header: HeaderId) -> bool {
        !self.is_first(header)
            && self
                .edges(header)
                .into_iter()
                .all(|other| self.excludes(edge, other))
    }

    /// Whether no frame takes both edges. Each step goes on to a predecessor, whose id is smaller.
    fn excludes(&mut self, a: Edge, b: Edge) -> bool {
        let pair = (a.min(b), a.max(b));
        if let Some(known) = self.excluded.get(&pair) {
            return *known;
        }
        let (from_a, from_b) = (self.after(a), self.after(b));
        let excluded = if from_a.header == from_b.header {
            self.disjoint(&from_a.when, &from_b.when)
        } else {
            self.never(a, from_b.header) || self.never(b, from_a.header)
        };
        self.excluded.insert(pair, excluded);
        excluded
    }

    /// Whether two conditions on the fields of one header ask one field for different values.
    fn disjoint(&self, a: &Expr, b: &Expr) -> bool {
        let (a, b) = (self.asked(a), self.asked(b));
        a.iter().any(|(field, values)| {
            let mut same = b.iter().filter(|(other, _)| other == field);
            same.any(|(_, others)| apart(values, others))
        })
    }

    /// The fields that a condition asks for constants, and the ranges of these.
    fn asked(&self, condition: &Expr) -> Vec<(FieldId, Vec<(u128, u128)>)> {
        match condition {
            Expr::And(a, b) => [self.asked(a), self.asked(b)].concat(),
            Expr::Compare(Compare::Eq, a, b) => match (&**a, &**b) {
                (Expr::Field(_, field), Expr::Constant { value, .. })
                | (Expr::Constant { value, .. }, Expr::Field(_, field)) => {
                    vec![(*field, vec![(*value, *value)])]
                }
                _ => Vec::new(),
            },
            Expr::In(value, set) => match &**value {
                Expr::Field(_, field) => vec![(*field, self.pipeline.set(*set).ranges.clone())],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

fn apart(a: &[(u128, u128)], b: &[(u128, u128)]) -> bool {
    let meets = |(low, high): &(u128, u128)| b.iter().any(|(from, to)| low <= to && from <= high);
    !a.iter().any(meets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::sample::{eq, header, overlaid, policy};

    #[test]
    fn the_headers_of_the_net_are_apart() {
        let overlap = Overlap::of(&policy(&[]));
        for (a, b) in [
            ("eth", "tcp"),
            ("vlan", "ip4"),
            ("vlan", "vlan[1]"),
            ("ip4", "ip6"),
            ("ip4", "tcp"),
            ("tcp", "udp"),
            ("udp", "icmp"),
            ("ip6", "quoted4"),
            ("ip4", "quoted_ports"),
        ] {
            let (a, b) = (header(a), header(b));
            assert!(!overlap.may(a, b) && !overlap.may(b, a), "{a:?} {b:?}");
        }
        assert!(overlap.may(header("ip4"), header("ip4")));
    }

    #[test]
    fn no_frame_has_two_headers_of_one_kind() {
        let overlap = Overlap::of(&policy(&[]));
        for (a, b) in [("ip4", "ip6"), ("tcp", "udp"), ("udp", "icmp")] {
            let (a, b) = (header(a), header(b));
            assert!(
                overlap.exclusive(a, b) && overlap.exclusive(b, a),
                "{a:?} {b:?}"
            );
        }
        for (a, b) in [
            ("eth", "ip4"),
            ("ip4", "tcp"),
            ("vlan", "vlan[1]"),
            ("tcp", "tcp"),
        ] {
            assert!(!overlap.exclusive(header(a), header(b)), "{a} {b}");
        }
    }

    #[test]
    fn a_header_in_anothers_place_overlaps_it_and_what_stands_behind() {
        let (pipeline, raw) = overlaid(&[], "eth", eq("eth.type", 0x0800));
        let overlap = Overlap::of(&pipeline);
        for other in ["ip4", "tcp", "quoted4"] {
            assert!(overlap.may(raw, header(other)), "{other}");
            assert!(overlap.may(header(other), raw), "{other}");
        }
        for other in ["eth", "vlan", "ip6"] {
            assert!(!overlap.may(raw, header(other)), "{other}");
        }
    }
}
