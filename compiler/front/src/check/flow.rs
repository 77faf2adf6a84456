//! The flow of a packet: (source, destination, protocol, source port, destination port), ports 0 where there are none.
//!
//! It sees through: an ICMP error belongs to the flow of the packet it quotes, turned round, so that "fragmentation
//! needed" reaches the real server that owns the flow (RFC 1191). All fragments of a datagram have ports 0, the first
//! too, so that they meet. Behind IPv6's extension headers the protocol is that of the ports or of the fragments. Headers
//! are those of the prelude's `net.lvs`, by name.

use lvsc_abi::manifest::FlowKind;
use lvsc_pipeline::pipeline::{
    Alternative, Choice, Compare, Expr, FieldId, Header, HeaderId, Signs,
};

/// Names of the flow's parts, in the order of an alternative's key.
pub(super) const PARTS: [&str; 5] = ["src", "dst", "protocol", "sport", "dport"];

/// A part of the flow, by its index in [`PARTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Source = 0,
    Destination = 1,
}

/// The headers with ports, and the protocols that say so (RFC 9293, RFC 768, RFC 9260).
const PORTS: [(&str, u128, FlowKind); 3] = [
    ("tcp", 6, FlowKind::Tcp),
    ("udp", 17, FlowKind::Udp),
    ("sctp", 132, FlowKind::Other),
];

/// Versions of QUIC, and the kind that an Initial is there (RFC 9000, section 17.2; RFC 9369, section 3.2).
const INITIALS: [(u128, u128); 2] = [(1, 0), (0x6b33_43cf, 1)];

/// A comparison with a constant.
pub(super) fn is(compare: Compare, field: Expr, value: u128, width: u16) -> Expr {
    let value = Expr::Constant { value, width };
    Expr::Compare(compare, Box::new(field), Box::new(value))
}

/// A packet's headers in one version of IP.
struct Packet {
    ip: &'static str,
    /// Where fields `mf` and `offset` are (RFC 791; RFC 8200, section 4.5).
    fragment: &'static str,
    /// What its headers with ports have before their names.
    prefix: &'static str,
    /// The packet is what an ICMP error quotes: of its end that it was sent to.
    quoted: bool,
}

/// Which fragments have no ports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Portless {
    /// All of them.
    Fragments,
    /// All but the first of a datagram.
    Later,
}

/// The flow as a choice over these headers; no alternatives where the prelude's headers are missing.
pub(super) fn choice(headers: &[Header], portless: Portless) -> Choice {
    let find = Finder { headers, portless };
    let whole = |ip, fragment| Packet {
        ip,
        fragment,
        prefix: "",
        quoted: false,
    };
    let quoted = |ip, fragment| Packet {
        ip,
        fragment,
        prefix: "quoted_",
        quoted: true,
    };
    let families = [
        (whole("ip4", "ip4"), quoted("quoted4", "quoted4")),
        (whole("ip6", "frag6"), quoted("quoted6", "quoted_frag6")),
    ];
    let mut alternatives = Vec::new();
    for (packet, quoted) in families {
        let mut ways = find.ways(&packet).unwrap_or_default();
        // An error is a packet without ports, and most packets are none.
        let portless = ways.pop();
        alternatives.extend(ways);
        alternatives.extend(find.ways(&quoted).into_iter().flatten());
        alternatives.extend(portless);
    }
    Choice {
        name: "flow".to_owned(),
        alternatives,
    }
}

struct Finder<'a> {
    headers: &'a [Header],
    portless: Portless,
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

    /// What tells in a packet of this protocol how old its flow is. UDP: an Initial opens a connection of QUIC (`prelude/quic.lvs`), and leaves nothing by
    /// which a later packet could be told.
    fn signs(&self, protocol: &str) -> Option<Signs> {
        let both = |a, b| Expr::And(Box::new(a), Box::new(b));
        match protocol {
            "tcp" => {
                let tcp = self.header("tcp")?;
                Some(Signs::Segment {
                    flags: self.field(tcp, "flags")?,
                    sequence: self.field(tcp, "seq")?,
                })
            }
            "udp" => {
                let quic = self.header("quic")?;
                let initial = |(version, kind)| {
                    let version = is(Compare::Eq, self.field(quic, "version")?, version, 32);
                    let kind = is(Compare::Eq, self.field(quic, "kind")?, kind, 2);
                    Some(both(version, kind))
                };
                let [first, second] = INITIALS.map(initial);
                Some(Signs::Opening(Expr::Or(
                    Box::new(first?),
                    Box::new(second?),
                )))
            }
            _ => None,
        }
    }

    /// It is a fragment without ports: this is not the first, or more of them follow.
    fn is_portless(&self, header: HeaderId) -> Option<Expr> {
        let more = is(Compare::Eq, self.field(header, "mf")?, 1, 1);
        let later = is(Compare::Ne, self.field(header, "offset")?, 0, 13);
        if self.portless == Portless::Later {
            return Some(later);
        }
        Some(Expr::Or(Box::new(more), Box::new(later)))
    }

    /// The alternatives of one packet: a fragment, one with ports, one without. The first that fits is the flow.
    fn ways(&self, packet: &Packet) -> Option<Vec<Alternative>> {
        let (ip, fragment) = (self.header(packet.ip)?, self.header(packet.fragment)?);
        let (src, dst) = if packet.quoted {
            ("dst", "src")
        } else {
            ("src", "dst")
        };
        let ends = [self.field(ip, src)?, self.field(ip, dst)?];
        let portless = || {
            let (value, width) = (0, 16);
            [(); 2].map(|()| Expr::Constant { value, width })
        };
        let way = |what: &str, condition: Option<Expr>, protocol: Expr, ports: [Expr; 2]| {
            let present = Expr::Present(ip);
            Alternative {
                name: format!("{}{what}", packet.ip),
                condition: match condition {
                    Some(also) => Expr::And(Box::new(present), Box::new(also)),
                    None => present,
                },
                key: ends
                    .iter()
                    .cloned()
                    .chain([protocol])
                    .chain(ports)
                    .collect(),
                passive: packet.quoted,
                signs: None,
                kind: FlowKind::Other,
            }
        };
        let condition = self.is_portless(fragment)?;
        let protocol = self.field(fragment, "protocol")?;
        let mut found = vec![way(" fragment", Some(condition), protocol, portless())];
        for (name, value, kind) in PORTS {
            let Some(id) = self.header(&format!("{}{name}", packet.prefix)) else {
                continue;
            };
            let protocol = Expr::Constant { value, width: 8 };
            let ports = [self.field(id, src)?, self.field(id, dst)?];
            let present = Some(Expr::Present(id));
            let signs = self.signs(name).filter(|_| !packet.quoted);
            found.push(Alternative {
                signs,
                kind,
                ..way(&format!(" {name}"), present, protocol, ports)
            });
        }
        let protocol = self.field(ip, "protocol")?;
        found.push(way("", None, protocol, portless()));
        Some(found)
    }
}
