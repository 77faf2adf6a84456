//! The headers and choices on which tests build their pipelines: like the prelude's, made by hand, with one header
//! more whose fields lie across bytes.

use crate::pipeline::{
    After, Alternative, Binary, Choice, ChoiceId, Compare, Expr, Field, FieldId, Header, HeaderId,
    Kind, Set, SetId,
};

pub(super) const ETH: HeaderId = HeaderId(0);
pub(super) const VLAN: HeaderId = HeaderId(1);
pub(super) const VLAN1: HeaderId = HeaderId(2);
pub(super) const IP4: HeaderId = HeaderId(3);
pub(super) const IP6: HeaderId = HeaderId(4);
pub(super) const TCP: HeaderId = HeaderId(5);
pub(super) const UDP: HeaderId = HeaderId(6);
pub(super) const ICMP: HeaderId = HeaderId(7);
pub(super) const QUOTED: HeaderId = HeaderId(8);
pub(super) const PORTS: HeaderId = HeaderId(9);
/// Behind UDP port 7, or behind Ethernet: fields across bytes, an odd number of them, a checksum.
pub(super) const ODD: HeaderId = HeaderId(10);

/// `ip4` or `ip6`.
pub(super) const IP: ChoiceId = ChoiceId(0);
/// The flow, as the language defines it, of IPv4 and IPv6 without ICMPv6.
pub(super) const FLOW: ChoiceId = ChoiceId(1);

/// EtherTypes of VLAN tags.
const TAGS: SetId = SetId(0);
/// Types of ICMP errors.
const ERRORS: SetId = SetId(1);

pub(super) fn constant(value: u128, width: u16) -> Expr {
    Expr::Constant { value, width }
}

pub(super) fn compare(op: Compare, a: Expr, b: Expr) -> Expr {
    Expr::Compare(op, Box::new(a), Box::new(b))
}

pub(super) fn and(a: Expr, b: Expr) -> Expr {
    Expr::And(Box::new(a), Box::new(b))
}

pub(super) fn or(a: Expr, b: Expr) -> Expr {
    Expr::Or(Box::new(a), Box::new(b))
}

pub(super) fn not(a: Expr) -> Expr {
    Expr::Not(Box::new(a))
}

pub(super) fn is_in(a: Expr, set: SetId) -> Expr {
    Expr::In(Box::new(a), set)
}

pub(super) fn binary(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

/// The field of this name.
pub(super) fn field(headers: &[Header], header: HeaderId, name: &str) -> Expr {
    let fields = &headers[usize::from(header.0)].fields;
    let at = fields.iter().position(|field| field.name == name).unwrap();
    Expr::Field(header, FieldId(at as u16))
}

/// The field of this name equals a constant.
pub(super) fn equal(headers: &[Header], header: HeaderId, name: &str, value: u128) -> Expr {
    let field = field(headers, header, name);
    let Expr::Field(_, id) = &field else {
        unreachable!()
    };
    let width = headers[usize::from(header.0)].fields[usize::from(id.0)].width;
    compare(Compare::Eq, field, constant(value, width))
}

fn header(name: &str, fields: &[(&str, u16)]) -> Header {
    let mut offset = 0;
    let mut laid = Vec::new();
    for (name, width) in fields {
        let kind = Kind::Number;
        laid.push(Field {
            name: (*name).to_owned(),
            offset,
            width: *width,
            kind,
        });
        offset += u32::from(*width);
    }
    assert_eq!(offset % 8, 0, "{name}");
    Header {
        name: name.to_owned(),
        after: Vec::new(),
        fields: laid,
        fixed: (offset / 8) as u16,
        size: None,
        valid: None,
        extent: None,
        checksum: None,
    }
}

const IP4_FIELDS: &[(&str, u16)] = &[
    ("version", 4),
    ("ihl", 4),
    ("dscp", 6),
    ("ecn", 2),
    ("length", 16),
    ("id", 16),
    ("reserved", 1),
    ("df", 1),
    ("mf", 1),
    ("offset", 13),
    ("ttl", 8),
    ("protocol", 8),
    ("checksum", 16),
    ("src", 32),
    ("dst", 32),
];

pub(super) fn headers() -> Vec<Header> {
    let tag: &[(&str, u16)] = &[("pcp", 3), ("dei", 1), ("vid", 12), ("type", 16)];
    let mut all = vec![
        header("eth", &[("dst", 48), ("src", 48), ("type", 16)]),
        header("vlan", tag),
        header("vlan[1]", tag),
        header("ip4", IP4_FIELDS),
        header(
            "ip6",
            &[
                ("version", 4),
                ("dscp", 6),
                ("ecn", 2),
                ("label", 20),
                ("length", 16),
                ("protocol", 8),
                ("ttl", 8),
                ("src", 128),
                ("dst", 128),
            ],
        ),
        header(
            "tcp",
            &[
                ("src", 16),
                ("dst", 16),
                ("seq", 32),
                ("ack_number", 32),
                ("offset", 4),
                ("reserved", 4),
                ("flags", 8),
                ("window", 16),
                ("checksum", 16),
                ("urgent", 16),
            ],
        ),
        header(
            "udp",
            &[("src", 16), ("dst", 16), ("length", 16), ("checksum", 16)],
        ),
        header(
            "icmp",
            &[("type", 8), ("code", 8), ("checksum", 16), ("rest", 32)],
        ),
        header("quoted4", IP4_FIELDS),
        header("quoted_ports", &[("src", 16), ("dst", 16)]),
        header(
            "odd",
            &[
                ("a", 3),
                ("words", 5),
                ("b", 12),
                ("c", 64),
                ("d", 60),
                ("checksum", 16),
                ("e", 7),
                ("f", 1),
            ],
        ),
    ];
    let after = |header, when| After { header, when };
    let behind = |all: &[Header], kind: &dyn Fn(&[Header], HeaderId) -> Expr| {
        [ETH, VLAN, VLAN1]
            .map(|link| after(link, kind(all, link)))
            .to_vec()
    };
    let tagged = |all: &[Header], link| is_in(field(all, link, "type"), TAGS);
    all[1].after = vec![after(ETH, tagged(&all, ETH))];
    all[2].after = vec![after(VLAN, tagged(&all, VLAN))];
    all[3].after = behind(&all, &|all, link| equal(all, link, "type", 0x0800));
    all[4].after = behind(&all, &|all, link| equal(all, link, "type", 0x86dd));
    let first = not(compare(
        Compare::Ne,
        field(&all, IP4, "offset"),
        constant(0, 13),
    ));
    let over = |all: &[Header], protocol| {
        let v4 = and(equal(all, IP4, "protocol", protocol), first.clone());
        vec![
            after(IP4, v4),
            after(IP6, equal(all, IP6, "protocol", protocol)),
        ]
    };
    all[5].after = over(&all, 6);
    all[6].after = over(&all, 17);
    all[7].after = over(&all, 1)[..1].to_vec();
    all[8].after = vec![after(ICMP, is_in(field(&all, ICMP, "type"), ERRORS))];
    let whole = not(or(
        equal(&all, QUOTED, "mf", 1),
        compare(Compare::Ne, field(&all, QUOTED, "offset"), constant(0, 13)),
    ));
    all[9].after = vec![after(
        QUOTED,
        and(equal(&all, QUOTED, "protocol", 6), whole),
    )];
    all[10].after = vec![
        after(UDP, equal(&all, UDP, "dst", 7)),
        after(ETH, equal(&all, ETH, "type", 0x88b5)),
    ];
    for id in [3, 8] {
        let ip = HeaderId(id as u16);
        let size = binary(
            Binary::Mul,
            Expr::Resize(16, Box::new(field(&all, ip, "ihl"))),
            constant(4, 16),
        );
        let large = compare(Compare::Ge, field(&all, ip, "ihl"), constant(5, 4));
        all[id].size = Some(size);
        all[id].valid = Some(and(equal(&all, ip, "version", 4), large));
        all[id].checksum = Some(FieldId(12));
    }
    all[3].extent = Some(field(&all, IP4, "length"));
    let length = Expr::Resize(32, Box::new(field(&all, IP6, "length")));
    all[4].extent = Some(binary(Binary::Add, length, constant(40, 32)));
    all[4].valid = Some(equal(&all, IP6, "version", 6));
    let offset = Expr::Resize(8, Box::new(field(&all, TCP, "offset")));
    all[5].size = Some(binary(Binary::Shl, offset, constant(2, 8)));
    all[7].checksum = Some(FieldId(2));
    let words = Expr::Resize(8, Box::new(field(&all, ODD, "words")));
    all[10].size = Some(binary(Binary::Add, words, constant(13, 8)));
    all[10].checksum = Some(FieldId(5));
    all
}

pub(super) fn sets() -> Vec<Set> {
    let set = |width, ranges: &[(u128, u128)]| {
        let kind = Kind::Number;
        Set {
            name: String::new(),
            width,
            kind,
            ranges: ranges.to_vec(),
        }
    };
    let ports: Vec<(u128, u128)> = (0..40).map(|at| (at * 40, at * 40 + at % 3)).collect();
    let nets: Vec<(u128, u128)> = (0..9)
        .map(|at| (0x2001_0db8_u128 << 96) + (at << 40))
        .map(|first| (first, first + (1 << 39)))
        .collect();
    vec![
        set(16, &[(0x8100, 0x8100), (0x88a8, 0x88a8)]),
        set(8, &[(3, 5), (11, 12)]),
        set(16, &ports),
        set(
            32,
            &[
                (0x0a00_0000, 0x0aff_ffff),
                (0xc000_0200, 0xc000_02ff),
                (0xc0a8_2e87, 0xc0a8_2e87),
            ],
        ),
        set(128, &nets),
        set(48, &[(0x0200_0000_0000, 0x0200_0000_00ff)]),
        set(128, &[]),
    ]
}

pub(super) fn choices(headers: &[Header]) -> Vec<Choice> {
    let alternative = |name: &str, condition, key, passive| {
        let name = name.to_owned();
        Alternative {
            name,
            condition,
            key,
            passive,
        }
    };
    let ip = vec![
        alternative("ip4", Expr::Present(IP4), Vec::new(), false),
        alternative("ip6", Expr::Present(IP6), Vec::new(), false),
    ];
    let key = |ip, names: [&str; 2], ports: Option<(HeaderId, [&str; 2])>| {
        let mut key: Vec<Expr> = names.iter().map(|name| field(headers, ip, name)).collect();
        key.push(field(headers, ip, "protocol"));
        match ports {
            Some((l4, names)) => key.extend(names.map(|name| field(headers, l4, name))),
            None => key.extend([constant(0, 16), constant(0, 16)]),
        }
        key
    };
    let (whole, turned) = (["src", "dst"], ["dst", "src"]);
    let fragment = or(
        equal(headers, IP4, "mf", 1),
        compare(Compare::Ne, field(headers, IP4, "offset"), constant(0, 13)),
    );
    let both = |a, b| and(Expr::Present(a), Expr::Present(b));
    let flow = vec![
        alternative(
            "fragment",
            and(Expr::Present(IP4), fragment),
            key(IP4, whole, None),
            false,
        ),
        alternative(
            "quoted ports",
            both(QUOTED, PORTS),
            key(QUOTED, turned, Some((PORTS, turned))),
            true,
        ),
        alternative(
            "quoted",
            Expr::Present(QUOTED),
            key(QUOTED, turned, None),
            true,
        ),
        alternative(
            "ip4 tcp",
            both(IP4, TCP),
            key(IP4, whole, Some((TCP, whole))),
            false,
        ),
        alternative(
            "ip4 udp",
            both(IP4, UDP),
            key(IP4, whole, Some((UDP, whole))),
            false,
        ),
        alternative("ip4", Expr::Present(IP4), key(IP4, whole, None), false),
        alternative(
            "ip6 tcp",
            both(IP6, TCP),
            key(IP6, whole, Some((TCP, whole))),
            false,
        ),
        alternative(
            "ip6 udp",
            both(IP6, UDP),
            key(IP6, whole, Some((UDP, whole))),
            false,
        ),
        alternative("ip6", Expr::Present(IP6), key(IP6, whole, None), false),
    ];
    vec![
        Choice {
            name: "ip".to_owned(),
            alternatives: ip,
        },
        Choice {
            name: "flow".to_owned(),
            alternatives: flow,
        },
    ]
}
