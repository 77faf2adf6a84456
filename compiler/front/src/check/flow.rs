//! The flow of a packet: (source, destination, protocol, source port, destination port), ports 0 where there are none.
//!
//! It sees through: an ICMP error belongs to the flow of the packet it quotes, turned round, so that "fragmentation
//! needed" reaches the real server that owns the flow (RFC 1191). All fragments of a datagram have ports 0, the first
//! too, so that they meet. Headers are those of the prelude's `net.lvs`, by name.

use lvsc_pipeline::pipeline::{Alternative, Choice, Compare, Expr, FieldId, Header, HeaderId};

/// Names of the flow's parts, in the order of an alternative's key.
pub(super) const PARTS: [&str; 5] = ["src", "dst", "protocol", "sport", "dport"];

/// A part of the flow, by its index in [`PARTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Source = 0,
    Destination = 1,
}

/// The flow as a choice over these headers; no alternatives where the prelude's headers are missing.
pub(super) fn choice(headers: &[Header]) -> Choice {
    let find = Finder { headers };
    let mut alternatives = Vec::new();
    for (ip, icmp, quoted) in [("ip4", "icmp", "quoted4"), ("ip6", "icmp6", "quoted6")] {
        alternatives.extend(family(&find, ip, icmp, quoted).into_iter().flatten());
    }
    Choice {
        name: "flow".to_owned(),
        alternatives,
    }
}

struct Finder<'a> {
    headers: &'a [Header],
}

impl Finder<'_> {
    fn header(&self, name: &str) -> Option<HeaderId> {
        self.headers
            .iter()
            .position(|header| header.name == name)
            .map(|id| HeaderId(id as u16))
    }

    fn field(&self, header: HeaderId, name: &str) -> Option<Expr> {
        let fields = &self.headers.get(usize::from(header.0))?.fields;
        let field = fields.iter().position(|field| field.name == name)?;
        Some(Expr::Field(header, FieldId(field as u16)))
    }

    /// The packet is a fragment: RFC 791 more-fragments or offset; RFC 8200 next header 44.
    fn fragment(&self, ip: HeaderId) -> Option<Expr> {
        let is = |compare, field: Expr, value, width| {
            let value = Expr::Constant { value, width };
            Expr::Compare(compare, Box::new(field), Box::new(value))
        };
        match (self.field(ip, "mf"), self.field(ip, "offset")) {
            (Some(more), Some(offset)) => Some(Expr::Or(
                Box::new(is(Compare::Eq, more, 1, 1)),
                Box::new(is(Compare::Ne, offset, 0, 13)),
            )),
            _ => Some(is(Compare::Eq, self.field(ip, "protocol")?, 44, 8)),
        }
    }
}

/// The alternatives of one IP version, the first that fits is the flow.
fn family(find: &Finder<'_>, ip: &str, icmp: &str, quoted: &str) -> Option<Vec<Alternative>> {
    let ip_id = find.header(ip)?;
    let (src, dst) = (find.field(ip_id, "src")?, find.field(ip_id, "dst")?);
    let protocol = find.field(ip_id, "protocol")?;
    let no_port = || Expr::Constant {
        value: 0,
        width: 16,
    };
    let both = |a, b| Expr::And(Box::new(a), Box::new(b));
    let whole = |sport, dport| vec![src.clone(), dst.clone(), protocol.clone(), sport, dport];
    let part = |name: String, condition, key, passive| Alternative {
        name,
        condition,
        key,
        passive,
    };
    let present = Expr::Present(ip_id);

    let mut found = vec![part(
        format!("{ip} fragment"),
        both(present.clone(), find.fragment(ip_id)?),
        whole(no_port(), no_port()),
        false,
    )];
    if let (Some(_), Some(id)) = (find.header(icmp), find.header(quoted)) {
        let turned = |sport, dport| {
            let fields = [
                find.field(id, "dst"),
                find.field(id, "src"),
                find.field(id, "protocol"),
            ];
            Some(
                fields
                    .into_iter()
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .chain([sport, dport])
                    .collect(),
            )
        };
        if let Some(ports) = find.header("quoted_ports") {
            let key = turned(find.field(ports, "dst")?, find.field(ports, "src")?)?;
            let condition = both(Expr::Present(id), Expr::Present(ports));
            found.push(part(
                format!("{icmp} error, packet quoted"),
                condition,
                key,
                true,
            ));
        }
        let key = turned(no_port(), no_port())?;
        found.push(part(
            format!("{icmp} error, address quoted"),
            Expr::Present(id),
            key,
            true,
        ));
    }
    for l4 in ["tcp", "udp", "sctp"] {
        let Some(id) = find.header(l4) else { continue };
        let key = whole(find.field(id, "src")?, find.field(id, "dst")?);
        found.push(part(
            format!("{ip} {l4}"),
            both(present.clone(), Expr::Present(id)),
            key,
            false,
        ));
    }
    found.push(part(
        ip.to_owned(),
        present,
        whole(no_port(), no_port()),
        false,
    ));
    Some(found)
}
