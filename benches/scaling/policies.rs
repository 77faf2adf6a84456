//! Policies that are alike but for one number, and the packets that they are measured with. Knows the language, and
//! nothing of how anything is measured.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What grows.
pub struct Family {
    /// As `--only` names it.
    pub name: &'static str,
    /// The title of its tables.
    pub title: &'static str,
    /// What its numbers count.
    pub unit: &'static str,
    /// The numbers that are measured, rising.
    pub sizes: &'static [u32],
    /// The tables of the image that grow with it: their names up to the first full stop.
    pub tables: &'static [&'static str],
    /// The policy of a number.
    pub policy: fn(u32) -> Policy,
}

/// A policy.
pub struct Policy {
    /// Its text.
    pub text: String,
    /// What each packet meets, and the packet in notation.
    pub packets: Vec<(&'static str, String)>,
}

/// All that is measured.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "vips",
        title: "VIPs in a set",
        unit: "VIPs",
        sizes: &[1, 16, 256, 4096, 65536],
        tables: &["set", "displacements"],
        policy: vips,
    },
    Family {
        name: "prefixes",
        title: "Prefixes in a set",
        unit: "prefixes",
        sizes: &[1, 1000, 100_000],
        tables: &["bounds", "index"],
        policy: prefixes,
    },
    Family {
        name: "maglev",
        title: "Backends of a pool, by hash",
        unit: "backends",
        sizes: &[2, 100, 10_000],
        tables: &["ring", "backends"],
        policy: |backends| pool("maglev", backends),
    },
    Family {
        name: "wrr",
        title: "Backends of a pool, by turn and connection table",
        unit: "backends",
        sizes: &[2, 100, 10_000],
        tables: &["ring", "backends"],
        policy: |backends| pool("wrr", backends),
    },
    Family {
        name: "rules",
        title: "Rules that ask for the same field",
        unit: "rules",
        sizes: &[1, 32, 512, 1024, 2048],
        tables: &[],
        policy: rules,
    },
    Family {
        name: "services",
        title: "Services of one pool",
        unit: "services",
        sizes: &[1, 32, 256],
        tables: &[],
        policy: services,
    },
];

const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 7);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// Backends of a policy in which something else grows.
const FEW: u32 = 2;
/// What VIPs have in common, a network of 24 bits; and the first backend.
const VIPS: u32 = 10 << 24;
const BACKENDS: u32 = (172 << 24) | (16 << 16);
/// Prefixes have 24 bits, and lie between these, where there are no clients: `1.0.0.0` and `192.0.0.0`.
const PREFIXES: std::ops::Range<u32> = (1 << 16)..(192 << 16);
/// Ports of rules.
const PORT: u32 = 2000;
const PORT_STEP: u32 = 7;

/// VIPs that lie scattered, so that neither ranges nor their order help anyone.
fn vips(count: u32) -> Policy {
    let (inside, outside) = scattered(count, |number| VIPS | (number >> 8));
    let list: Vec<String> = inside.iter().map(|vip| address(*vip)).collect();
    let text = format!(
        "const VIPS = {{ {} }}\n{}{}",
        list.join(", "),
        pool_of("maglev", FEW),
        service("in VIPS")
    );
    Policy {
        text,
        packets: vec![
            ("met", tcp(CLIENT, middle(&inside), 80)),
            ("missed", tcp(CLIENT, outside, 80)),
        ],
    }
}

/// A list of sources that are dropped, in front of a service.
fn prefixes(count: u32) -> Policy {
    let within = |number| PREFIXES.start + number % (PREFIXES.end - PREFIXES.start);
    let (inside, _) = scattered(count, within);
    let list: Vec<String> = inside
        .iter()
        .map(|prefix| format!("{}/24", address(prefix << 8)))
        .collect();
    let text = format!(
        "set blocked: net {{ {} }}\nmatch ip.src in blocked {{ drop blocked }}\n{}{}",
        list.join(", "),
        pool_of("maglev", FEW),
        service(&format!("== {VIP}"))
    );
    let met = Ipv4Addr::from((u32::from(middle(&inside)) << 8) | u32::from(CLIENT.octets()[3]));
    Policy {
        text,
        packets: vec![("met", tcp(met, VIP, 80)), ("missed", tcp(CLIENT, VIP, 80))],
    }
}

/// A pool alone, stateless where its scheduler can be.
fn pool(scheduler: &str, backends: u32) -> Policy {
    Policy {
        text: pool_of(scheduler, backends) + &service(&format!("== {VIP}")),
        packets: vec![("sent", tcp(CLIENT, VIP, 80))],
    }
}

/// Rules in front of a service, and a packet that none of them takes: its port lies amid theirs.
fn rules(count: u32) -> Policy {
    let ports = (0..count).map(|rule| PORT + rule * PORT_STEP);
    let rules: Vec<String> = ports
        .map(|port| format!("match tcp.dst == {port} {{ drop closed }}\n"))
        .collect();
    Policy {
        text: rules.concat() + &pool_of("maglev", FEW) + &service(&format!("== {VIP}")),
        packets: vec![(
            "passes all",
            tcp(CLIENT, VIP, PORT + count / 2 * PORT_STEP + 1),
        )],
    }
}

/// Services, each of a VIP and a port of its own, by turn and with a connection table.
fn services(count: u32) -> Policy {
    let (vips, _) = scattered(count, |number| VIPS | (number >> 8));
    let port = |service: u32| PORT + service * PORT_STEP;
    let each = vips.iter().zip((0..).map(port));
    let each: Vec<String> = each
        .map(|(vip, port)| service(&format!("== {} and tcp.dst == {port}", address(*vip))))
        .collect();
    let to = |port| tcp(CLIENT, middle(&vips), port);
    Policy {
        text: pool_of("wrr", FEW) + &each.concat(),
        packets: vec![("met", to(port(count / 2))), ("another port", to(PORT + 1))],
    }
}

fn pool_of(scheduler: &str, backends: u32) -> String {
    let lines: Vec<String> = (1..=backends)
        .map(|number| format!("  backend {}\n", address(BACKENDS + number)))
        .collect();
    let lines = lines.concat();
    let flows = match scheduler {
        "maglev" => "  flows off\n",
        _ => "",
    };
    format!("pool web {{\n  scheduler {scheduler}\n{lines}{flows}}}\n")
}

fn service(condition: &str) -> String {
    format!("match ip.dst {condition} {{\n  select rs from web\n  dr(rs)\n}}\n")
}

fn tcp(from: Ipv4Addr, to: Ipv4Addr, port: u32) -> String {
    format!("eth / ip {from} -> {to} / tcp 40000 -> {port} S")
}

fn address(bits: u32) -> String {
    Ipv4Addr::from(bits).to_string()
}

/// The one in the middle, as an address.
fn middle(values: &BTreeSet<u32>) -> Ipv4Addr {
    let value = values.iter().nth(values.len() / 2);
    Ipv4Addr::from(value.copied().unwrap_or_default())
}

/// So many values of a fixed sequence without order, and as an address one that is none of them.
fn scattered(count: u32, value: impl Fn(u32) -> u32) -> (BTreeSet<u32>, Ipv4Addr) {
    let mut values = (0..).map(|number| value(mixed(number)));
    let mut found = BTreeSet::new();
    while found.len() < count as usize {
        found.extend(values.next());
    }
    let other = values.find(|other| !found.contains(other));
    (found, Ipv4Addr::from(other.unwrap_or_default()))
}

/// The finalizer of `MurmurHash3` (Appleby): each bit of a number turns half of the result's.
fn mixed(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    let number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}
