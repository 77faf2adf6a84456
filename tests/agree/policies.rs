//! Random policies: a row of numbers is read as a row of choices, so that shrinking the numbers shrinks the policy.

use std::fmt::Write;

use proptest::prelude::*;

const DECLARATIONS: &str = include_str!("declarations.txt");

/// The pools above.
const POOLS: [&str; 12] = [
    "hashed", "counted", "empty", "large", "kept", "least", "drawn", "ready", "spilt", "turns",
    "local", "caches",
];

/// The interface there that not every policy has.
const WAN: &str = "interface wan { mac 02:00:00:00:00:71 }\n";

/// What stands for `FRAGMENTS` in the pools.
const FRAGMENTS: [&str; 6] = [
    "",
    "",
    "fragments follow 8 for 20s",
    "fragments follow",
    "fragments drop",
    "fragments pass",
];

/// What stands for `PERSIST` in the pools.
const PERSIST: [&str; 5] = [
    "",
    "",
    "persist 20s 8 mask 31 mask6 33",
    "persist 9s mask6 127",
    "persist 15s 16 mask 1 mask6 64",
];

/// Conditions that may be asked anywhere.
const CONDITIONS: [&str; 40] = [
    "ip.dst == 192.0.2.200",
    "ip.dst == 2001:db8::200",
    "flow.dst == 192.0.2.200",
    "flow.dport == 80",
    "flow.sport in { 53, 80, 40000 }",
    "tcp.dst == 80",
    "tcp.dst != 80",
    "tcp.dst not in { 80, 443 }",
    "tcp.syn",
    "not tcp.syn",
    "tcp.flags & 0x12 == 0x02",
    "tcp.src > tcp.dst",
    "udp.dst < 1000",
    "udp.length == 8",
    "ip.ttl <= 1",
    "ip.dst in { 192.0.2.0/29, 192.0.2.201, 2001:db8::/125 }",
    "ip.src not in { 192.0.2.0/25 }",
    "ip.src == 192.0.2.9",
    "ip4.ttl + 1 == 2",
    "ip4.id >> 3 == 1",
    "ip4.later_fragment",
    "ip6.ttl * 2 == 128",
    "ip6.src & ffff:ffff:ffff:ffff:: == 2001:db8::",
    "ip6.src & ffff::ffff:ffff != 2001::9",
    "ip6.src ^ ip6.dst | ::1 == ::201",
    "ip6.dst & ffff:ffff::200 in { 2001:db8::/64 }",
    "vlan.vid == 10",
    "vlan.pcp >= 7",
    "vlan[1].vid == 20",
    "icmp.type in 3..12",
    "icmp6.type == 2",
    "eth.type == 0x0800",
    "eth.src == 02:00:00:ff:00:01",
    "eth.src == ingress.mac",
    "eth.src != wan.mac",
    "eth.dst == ingress.mac",
    "eth.dst != wan.mac",
    "shim.tag > 5",
    "shim",
    "ip4 and not tcp",
];

/// Headers that may be asked for, and what is then certain.
const HEADERS: [&str; 10] = [
    "ip", "ip4", "ip6", "tcp", "udp", "vlan", "vlan[1]", "icmp", "icmp6", "shim",
];

/// A header, and an assignment to one of its fields.
const ASSIGNMENTS: [(&str, &str); 16] = [
    ("eth", "eth.src = ingress.mac"),
    ("eth", "eth.src = wan.mac"),
    ("eth", "eth.dst = 02:00:00:00:00:55"),
    ("eth", "eth.dst = eth.src"),
    ("ip", "ip.ttl -= 1"),
    ("ip", "ip.ttl = 9"),
    ("ip4", "ip4.ttl = ip4.ttl / 3"),
    ("ip4", "ip4.dscp = 46"),
    ("ip4", "ip4.ecn = ip4.ecn ^ 3"),
    ("ip4", "ip4.id = ip4.length"),
    ("ip4", "ip4.df = 1"),
    ("ip6", "ip6.ttl = ip6.ttl % 7"),
    ("vlan", "vlan.vid = 20"),
    ("vlan", "vlan.vid += 1"),
    ("vlan", "vlan.pcp = 7"),
    ("vlan[1]", "vlan[1].vid = vlan.vid"),
];

const SWITCHES: [(&str, &str); 6] = [
    ("tcp.dst", "80, 443"),
    ("flow.dport", "8000..8099, 53"),
    ("vlan.vid", "10"),
    ("ip.dst", "192.0.2.200, 2001:db8::200"),
    ("ip.dst", "192.0.2.200, 2001:db8::200 & ffff:ffff::200"),
    ("udp.dst", "53, 8080"),
];

/// A policy's text.
pub fn random() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u16>(), 1..80).prop_map(|choices| {
        let mut writer = Writer {
            choices: choices.into_iter(),
            text: String::new(),
            names: 0,
            sets: Vec::new(),
            further: 1,
        };
        let is_one_armed = writer.choose(3) == 1;
        writer.declarations();
        writer.statements(0, &mut Vec::new());
        let text = writer.text + &writer.sets.join("\n");
        if is_one_armed {
            text.replace(WAN, "").replace("wan", "lan")
        } else {
            text
        }
    })
}

struct Writer {
    choices: std::vec::IntoIter<u16>,
    text: String,
    names: usize,
    /// Declarations of sets.
    sets: Vec<String>,
    /// How many more times a backend may be chosen in the middle: each makes the program a multiple of what it was.
    further: usize,
}

impl Writer {
    /// A number below `below`; 0 when there are no more choices.
    fn choose(&mut self, below: usize) -> usize {
        usize::from(self.choices.next().unwrap_or(0)) % below
    }

    fn declarations(&mut self) {
        for line in DECLARATIONS.lines() {
            let line = match line.trim() {
                "FRAGMENTS" => FRAGMENTS[self.choose(FRAGMENTS.len())],
                "PERSIST" => PERSIST[self.choose(PERSIST.len())],
                _ => line,
            };
            self.line(0, line);
        }
    }

    fn line(&mut self, depth: usize, line: &str) {
        let _ = writeln!(self.text, "{:width$}{line}", "", width = depth * 2);
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Statements until the choices say that it is enough; says whether the last one ends the packet.
    fn statements(&mut self, depth: usize, present: &mut Vec<&'static str>) -> bool {
        for _ in 0..6 {
            if depth > 3 && self.choose(2) == 0 {
                break;
            }
            match self.choose(13) {
                0 => break,
                1 | 2 => self.match_condition(depth, present),
                3 | 4 => self.match_header(depth, present),
                5 => self.assign(depth, present),
                6 => self.switch(depth, present),
                7 => {
                    let keyed = [
                        "cells",
                        "cells[ip.ecn, 3]",
                        "clients",
                        "clients[ip.dst]",
                        "talks",
                        "stations",
                        "stations[eth.dst, 64]",
                    ];
                    let counter = match self.choose(5) {
                        0 => "one",
                        1 | 2 if present.contains(&"ip") => keyed[self.choose(keyed.len())],
                        3 if present.contains(&"ip6") => "networks",
                        _ => "two",
                    };
                    self.line(depth, &format!("count {counter}"));
                }
                8 => self.bind(depth, present),
                11 => self.rules(depth),
                12 => self.prefixes(depth),
                9 if self.further > 0 && present.contains(&"ip") => {
                    self.further -= 1;
                    let backend = self.select(depth, present);
                    if present.contains(&"eth") && self.choose(2) == 0 {
                        self.line(depth, &format!("eth.dst = {backend}.mac"));
                    }
                }
                _ => {
                    if self.end(depth, present) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn condition(&mut self) -> String {
        let first = CONDITIONS[self.choose(CONDITIONS.len())];
        match self.choose(5) {
            0 => format!("not ({first})"),
            1 => format!(
                "({first}) and ({})",
                CONDITIONS[self.choose(CONDITIONS.len())]
            ),
            2 => format!(
                "({first}) or ({})",
                CONDITIONS[self.choose(CONDITIONS.len())]
            ),
            _ => first.to_owned(),
        }
    }

    fn match_condition(&mut self, depth: usize, present: &[&'static str]) {
        let condition = self.condition();
        self.line(depth, &format!("match {condition} {{"));
        self.statements(depth + 1, &mut present.to_vec());
        if self.choose(3) == 0 {
            self.line(depth, "} else {");
            self.statements(depth + 1, &mut present.to_vec());
        }
        self.line(depth, "}");
    }

    fn match_header(&mut self, depth: usize, present: &[&'static str]) {
        let header = HEADERS[self.choose(HEADERS.len())];
        self.line(depth, &format!("match {header} {{"));
        let mut inside = present.to_vec();
        inside.extend(["eth", header]);
        if header.starts_with("ip") {
            inside.push("ip");
        }
        if header == "vlan[1]" {
            inside.push("vlan");
        }
        self.statements(depth + 1, &mut inside);
        self.line(depth, "}");
    }

    fn assign(&mut self, depth: usize, present: &[&str]) {
        let possible: Vec<&str> = ASSIGNMENTS
            .iter()
            .filter(|(header, _)| present.contains(header))
            .map(|(_, assignment)| *assignment)
            .collect();
        if !possible.is_empty() {
            let assignment = possible[self.choose(possible.len())];
            self.line(depth, assignment);
        }
    }

    fn switch(&mut self, depth: usize, present: &[&'static str]) {
        let (field, patterns) = SWITCHES[self.choose(SWITCHES.len())];
        self.line(depth, &format!("switch {field} {{"));
        for pattern in [patterns, "_"] {
            self.line(depth + 1, &format!("{pattern} -> {{"));
            self.statements(depth + 2, &mut present.to_vec());
            self.line(depth + 1, "}");
        }
        self.line(depth, "}");
    }

    /// A value bound, and used.
    fn bind(&mut self, depth: usize, present: &[&str]) {
        let fields = [
            ("ip4", "ip4.ttl"),
            ("tcp", "tcp.flags"),
            ("icmp", "icmp.code"),
            ("eth", "eth.type"),
        ];
        let Some((_, field)) = fields.iter().find(|(header, _)| present.contains(header)) else {
            return;
        };
        let name = self.name("v");
        self.line(depth, &format!("let {name} = {field}"));
        self.line(depth, &format!("match {name} > 16 {{"));
        self.line(depth + 1, "count two");
        self.line(depth, "}");
    }

    /// Twelve rules on one field, some of which count and go on, and some of those ask for another field in the same way.
    fn rules(&mut self, depth: usize) {
        const FIELDS: [&str; 4] = ["tcp.dst", "udp.dst", "ip.dst", "ip4.ttl"];
        const PORTS: [&str; 12] = [
            "443", "80", "22", "53", "8080", "40000", "1", "0", "65535", "2", "54", "52",
        ];
        const HOPS: [&str; 12] = [
            "64", "1", "0", "255", "9", "63", "2", "128", "7", "65", "3", "254",
        ];
        const LAST: [&str; 12] = [
            "200", "7", "1", "9", "2", "201", "8", "3", "6", "4", "5", "199",
        ];
        let values = |field: &str| match field {
            "ip.dst" => LAST.map(|last| format!("192.0.2.{last}")),
            "ip4.ttl" => HOPS.map(str::to_owned),
            _ => PORTS.map(str::to_owned),
        };
        let (outer, inner) = (self.choose(FIELDS.len()), self.choose(FIELDS.len()));
        let (outer, inner) = (FIELDS[outer], FIELDS[inner].replace("dst", "src"));
        let nested = self.choose(12);
        for (index, value) in values(outer).iter().enumerate() {
            self.line(depth, &format!("match {outer} == {value} {{"));
            if index == nested {
                for (index, value) in values(&inner.replace("src", "dst")).iter().enumerate() {
                    let does = ["count one", "drop inner"][usize::from(index % 3 == 1)];
                    self.line(depth + 1, &format!("match {inner} == {value} {{ {does} }}"));
                }
            } else {
                let does = ["count one", "count two", "drop ruled"][self.choose(3)];
                self.line(depth + 1, does);
            }
            self.line(depth, "}");
        }
    }

    /// A set of forty prefixes of both families, near the addresses of packets and at the ends of all addresses.
    fn prefixes(&mut self, depth: usize) {
        let mut members = Vec::new();
        for number in 0..40 {
            let at = self.choose(256);
            let [four, six] = [30 + number % 3, 126 + number % 3];
            members.push(match number % 4 {
                0 => format!("192.0.2.{}/{four}", at & !3),
                1 => format!("2001:db8::{:x}/{six}", at & !3),
                2 => format!("{at}.{number}.0.0/16"),
                _ => format!("{:x}::/16", at * 257),
            });
        }
        if self.choose(2) == 0 {
            members.extend(
                [
                    "0.0.0.0/32",
                    "255.255.255.255/32",
                    "ffff:ffff:ffff:ffff::8/125",
                ]
                .map(str::to_owned),
            );
        }
        members.sort();
        members.dedup();
        let name = self.name("s");
        self.sets
            .push(format!("set {name}: net {{ {} }}", members.join(", ")));
        let field = ["ip.src", "ip.dst", "flow.src"][self.choose(3)];
        self.line(depth, &format!("match {field} in {name} {{ count two }}"));
    }

    /// A statement that ends the packet, perhaps behind a select.
    fn end(&mut self, depth: usize, present: &[&str]) -> bool {
        match self.choose(5) {
            0 => self.line(depth, "pass"),
            1 => {
                let reason = ["odd", "even"][self.choose(2)];
                self.line(depth, &format!("drop {reason}"));
            }
            2 => {
                let interface = ["ingress", "lan", "wan"][self.choose(3)];
                self.line(depth, &format!("send {interface}"));
            }
            _ if present.contains(&"ip") => {
                let backend = self.select(depth, present);
                if self.choose(2) == 0 {
                    self.line(depth, &format!("dr({backend})"));
                } else {
                    self.line(depth, &format!("eth.dst = {backend}.mac"));
                    self.line(depth, &format!("send {backend}.interface"));
                }
            }
            _ => return false,
        }
        true
    }

    /// Chooses a backend; gives its name.
    fn select(&mut self, depth: usize, present: &[&str]) -> String {
        let backend = self.name("b");
        let pool = POOLS[self.choose(POOLS.len())];
        let key = match self.choose(4) {
            0 => " by ip.src",
            1 if present.contains(&"tcp") => " by ip.src, tcp.src",
            1 if present.contains(&"ip6") => " by ip6.src & ffff::fffc",
            1 if present.contains(&"ip4") => " by ip4.src & 255.255.255.252",
            2 => {
                let ids = [
                    " by id(ip.dscp)",
                    " by id(ip.ttl & 3)",
                    " by id(tcp.dst % 80)",
                    " by id(shim.kind)",
                    " by id(eth.src)",
                    " by id(flow.sport)",
                    " by id(vlan.vid / 10)",
                ];
                ids[self.choose(ids.len())]
            }
            _ => "",
        };
        let otherwise = if self.choose(3) == 0 {
            " else { drop none_left }"
        } else {
            ""
        };
        self.line(
            depth,
            &format!("select {backend} from {pool}{key}{otherwise}"),
        );
        backend
    }
}
