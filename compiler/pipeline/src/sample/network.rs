//! Headers as the prelude has them, made by hand.

use lvsc_abi::manifest::FlowKind;

use crate::pipeline::{
    After, Alternative, Binary, Checksum, Choice, ChoiceId, Compare, Expr, Field, FieldId, Header,
    HeaderId, Kind, Set, SetId,
};

/// `ip4` or `ip6`.
pub(crate) const IP: ChoiceId = ChoiceId(0);
/// The flow of TCP, UDP and what an ICMP error quotes.
pub(crate) const FLOW: ChoiceId = ChoiceId(1);
/// The types of VLAN tags.
pub(crate) const TAGS: SetId = SetId(0);

/// Fields in order: name, bits, and a letter for how its value is written.
const HEADERS: [(&str, &str); 10] = [
    ("eth", "dst 48m src 48m type 16"),
    ("vlan", "pcp 3 dei 1 vid 12 type 16"),
    ("vlan[1]", "pcp 3 dei 1 vid 12 type 16"),
    (
        "ip4",
        "version 4 ihl 4 dscp 6 ecn 2 length 16 id 16 reserved 1 df 1 mf 1 offset 13 \
         ttl 8 protocol 8 checksum 16 src 32a dst 32a",
    ),
    (
        "ip6",
        "version 4 dscp 6 ecn 2 label 20 length 16 protocol 8 ttl 8 src 128b dst 128b",
    ),
    (
        "tcp",
        "src 16 dst 16 seq 32 ack 32 offset 4 reserved 4 flags 8 window 16 checksum 16 urgent 16",
    ),
    ("udp", "src 16 dst 16 length 16 checksum 16"),
    ("icmp", "type 8 code 8 checksum 16 rest 32"),
    (
        "quoted4",
        "version 4 ihl 4 dscp 6 ecn 2 length 16 id 16 reserved 1 df 1 mf 1 offset 13 \
         ttl 8 protocol 8 checksum 16 src 32a dst 32a",
    ),
    ("quoted_ports", "src 16 dst 16"),
];

pub(crate) fn id(index: usize) -> HeaderId {
    HeaderId(index as u16)
}

/// The header of this name.
pub(crate) fn header(name: &str) -> HeaderId {
    id(HEADERS
        .iter()
        .position(|(known, _)| *known == name)
        .unwrap())
}

/// `field("ip4.dst")`
pub(crate) fn field(name: &str) -> Expr {
    let (owner, name) = name.rsplit_once('.').unwrap();
    let mut words = HEADERS[usize::from(header(owner).0)]
        .1
        .split_whitespace()
        .step_by(2);
    let index = words.position(|word| word == name).unwrap();
    Expr::Field(header(owner), FieldId(index as u16))
}

fn fields(text: &str) -> Vec<Field> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut offset = 0;
    let each = words.chunks(2).map(|pair| {
        let digits = pair[1].trim_end_matches(char::is_alphabetic);
        let kind = match &pair[1][digits.len()..] {
            "m" => Kind::Mac,
            "a" => Kind::Ip4,
            "b" => Kind::Ip6,
            _ => Kind::Number,
        };
        let width: u16 = digits.parse().unwrap();
        offset += u32::from(width);
        Field {
            name: pair[0].to_owned(),
            offset: offset - u32::from(width),
            width,
            kind,
        }
    });
    each.collect()
}

pub(crate) fn number(value: u128, width: u16) -> Expr {
    Expr::Constant { value, width }
}

pub(crate) fn compare(op: Compare, a: Expr, b: Expr) -> Expr {
    Expr::Compare(op, Box::new(a), Box::new(b))
}

/// `eq("tcp.dst", 80)`
pub(crate) fn eq(name: &str, value: u128) -> Expr {
    let Expr::Field(owner, index) = field(name) else {
        unreachable!()
    };
    let fields = fields(HEADERS[usize::from(owner.0)].1);
    let width = fields[usize::from(index.0)].width;
    compare(Compare::Eq, field(name), number(value, width))
}

pub(crate) fn and(a: Expr, b: Expr) -> Expr {
    Expr::And(Box::new(a), Box::new(b))
}

pub(crate) fn or(a: Expr, b: Expr) -> Expr {
    Expr::Or(Box::new(a), Box::new(b))
}

pub(crate) fn not(a: Expr) -> Expr {
    Expr::Not(Box::new(a))
}

fn words(name: &str, each: u128) -> Expr {
    let count = Expr::Resize(16, Box::new(field(name)));
    Expr::Binary(Binary::Mul, Box::new(count), Box::new(number(each, 16)))
}

fn set_edges(header: &mut Header) {
    let after = |name: &str, when: Expr| After {
        header: self::header(name),
        when,
    };
    let on_link = |kind: u128| {
        let links = ["eth", "vlan", "vlan[1]"];
        links
            .map(|link| after(link, eq(&format!("{link}.type"), kind)))
            .to_vec()
    };
    let tag = |link: &str| Expr::In(Box::new(field(&format!("{link}.type"))), TAGS);
    let over_ip = |protocol: u128| {
        let first = not(compare(Compare::Ne, field("ip4.offset"), number(0, 13)));
        let v4 = and(eq("ip4.protocol", protocol), first);
        vec![after("ip4", v4), after("ip6", eq("ip6.protocol", protocol))]
    };
    let quoted_ports = and(eq("quoted4.protocol", 6), eq("quoted4.offset", 0));
    header.after = match header.name.as_str() {
        "vlan" => vec![after("eth", tag("eth"))],
        "vlan[1]" => vec![after("vlan", tag("vlan"))],
        "ip4" => on_link(0x0800),
        "ip6" => on_link(0x86dd),
        "tcp" => over_ip(6),
        "udp" => over_ip(17),
        "icmp" => over_ip(1)[..1].to_vec(),
        "quoted4" => vec![after("icmp", eq("icmp.type", 3))],
        "quoted_ports" => vec![after("quoted4", quoted_ports)],
        _ => Vec::new(),
    };
}

/// All headers, in the order of their ids.
pub(crate) fn headers() -> Vec<Header> {
    let each = HEADERS.iter().map(|(name, text)| {
        let fields = fields(text);
        let bits: u32 = fields.iter().map(|field| u32::from(field.width)).sum();
        let mut header = Header {
            name: (*name).to_owned(),
            after: Vec::new(),
            fixed: (bits / 8) as u16,
            fields,
            size: None,
            valid: None,
            extent: None,
            checksum: None,
        };
        set_edges(&mut header);
        if let "ip4" | "quoted4" = *name {
            let ihl = field(&format!("{name}.ihl"));
            header.size = Some(words(&format!("{name}.ihl"), 4));
            let large = compare(Compare::Ge, ihl, number(5, 4));
            header.valid = Some(and(eq(&format!("{name}.version"), 4), large));
            header.checksum = Some(Checksum {
                field: FieldId(12),
                alone: false,
            });
        }
        header.extent = match *name {
            "ip4" => Some(field("ip4.length")),
            "ip6" => {
                let (length, fixed) = (Box::new(field("ip6.length")), Box::new(number(40, 16)));
                Some(Expr::Binary(Binary::Add, length, fixed))
            }
            _ => None,
        };
        if *name == "tcp" {
            header.size = Some(words("tcp.offset", 4));
        }
        header
    });
    each.collect()
}

/// A header that lies where others do.
pub(super) fn raw(after: &str, when: Expr) -> Header {
    Header {
        name: "raw".to_owned(),
        after: vec![After {
            header: header(after),
            when,
        }],
        fields: fields("a 64 b 8 c 8 d 16"),
        fixed: 12,
        size: None,
        valid: None,
        extent: None,
        checksum: None,
    }
}

pub(crate) fn sets() -> Vec<Set> {
    vec![
        Set {
            name: String::new(),
            width: 16,
            kind: Kind::Number,
            ranges: vec![(0x8100, 0x8100), (0x88a8, 0x88a8)],
        },
        Set {
            name: String::new(),
            width: 32,
            kind: Kind::Ip4,
            ranges: vec![(0x0a00_0000, 0x0aff_ffff), (0xc633_6407, 0xc633_6407)],
        },
    ]
}

pub(crate) fn choices() -> Vec<Choice> {
    let present = |name: &str| Expr::Present(header(name));
    let part = |name: &str, condition, key: &[&str]| Alternative {
        name: name.to_owned(),
        condition,
        key: key.iter().map(|name| field(name)).collect(),
        passive: name.starts_with("quoted"),
        signs: None,
        kind: FlowKind::Other,
    };
    let ends = ["ip4.src", "ip4.dst", "ip4.protocol"];
    let with = |ports: [&'static str; 2]| [ends.as_slice(), ports.as_slice()].concat();
    let quoted = [
        "quoted4.dst",
        "quoted4.src",
        "quoted4.protocol",
        "quoted_ports.dst",
        "quoted_ports.src",
    ];
    let flow = vec![
        part("quoted packet", present("quoted_ports"), &quoted),
        part(
            "ip4 tcp",
            and(present("ip4"), present("tcp")),
            &with(["tcp.src", "tcp.dst"]),
        ),
        part(
            "ip4 udp",
            and(present("ip4"), present("udp")),
            &with(["udp.src", "udp.dst"]),
        ),
        part("ip4", present("ip4"), &ends),
    ];
    let ip = ["ip4", "ip6"].map(|name| part(name, present(name), &[]));
    vec![
        Choice {
            name: "ip".to_owned(),
            alternatives: ip.to_vec(),
        },
        Choice {
            name: "flow".to_owned(),
            alternatives: flow,
        },
    ]
}
