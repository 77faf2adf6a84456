//! What names mean, where they stand, what is said of them.

use lvsc_abi::scheduler::Scheduler;

use super::{EVERYTHING, POLICY, SMALL, index};
use crate::compile;
use crate::diagnostics::Code;
use crate::ide::builtin::{BACKEND, FLOW, INTERFACE, INTERFACE_LINES, POOL, SCHEDULERS};
use crate::ide::{Index, Kind, Meaning, Paint, SymbolId};
use crate::source::Span;

#[test]
fn every_name_of_our_policies_means_something() {
    let policies = [
        POLICY,
        SMALL,
        EVERYTHING,
        include_str!("../../../../../policies/two-services.lvs"),
        include_str!("../../../../../policies/vlan.lvs"),
        include_str!("../../../../../policies/dr-minimal.lvs"),
    ];
    for text in policies {
        let index = index(text);
        for found in &index.uses {
            let name = index.sources.snippet(found.span);
            assert!(
                !matches!(found.meaning, Meaning::Nothing),
                "`{name}` in {}",
                index.sources.path(found.span.file)
            );
        }
    }
}

/// The places of a name, as line and column.
fn places(index: &Index, spans: &[Span]) -> Vec<(usize, usize)> {
    let at = |span: &Span| {
        let at = index.sources.line_col(*span);
        (at.line, at.column)
    };
    spans.iter().map(at).collect()
}

#[test]
fn a_name_leads_to_its_declaration_and_to_all_its_places() {
    let index = index(SMALL);
    let file = index.policy();
    let at = |text: &str| SMALL.find(text).unwrap();
    let vip = at("== VIP") + 3;
    assert_eq!(places(&index, &index.definitions(file, vip)), [(2, 7)]);
    assert_eq!(
        places(&index, &index.references(file, vip, true)),
        [(2, 7), (11, 17)]
    );
    assert_eq!(
        places(&index, &index.references(file, vip + 3, false)),
        [(11, 17)]
    );
    let rs = at("away(rs)") + 5;
    assert_eq!(places(&index, &index.definitions(file, rs)), [(12, 10)]);
    let dst = at("ip.dst") + 3;
    let found = index.definitions(file, dst);
    assert_eq!(
        found.len(),
        2,
        "a field of a group has a declaration in each header"
    );
    assert!(
        found
            .iter()
            .all(|span| index.sources.path(span.file) == "prelude/net.lvs")
    );
    assert_eq!(index.definitions(file, at("interface }")), []);
}

#[test]
fn what_the_checker_does_not_know_yet_has_names_all_the_same() {
    let index = index(EVERYTHING);
    let declared = |word: &str, into: usize| {
        let at = EVERYTHING.find(word).unwrap() + into;
        let found = index.definitions(index.policy(), at);
        let line = found.first().map(|span| index.sources.line_col(*span).line);
        line.and_then(|line| EVERYTHING.lines().nth(line - 1))
            .unwrap_or("")
            .trim()
    };
    assert!(declared("in blocked", 4).starts_with("set blocked"));
    assert!(declared("per_client.ex", 1).starts_with("meter per_client"));
    assert!(declared("hop.hop", 5).starts_with("value hop"));
    assert!(declared("hop.hop", 0).starts_with("select hop"));
    assert!(declared("port & mask", 0).starts_with("fn low(port"));
    assert!(declared("low(tcp", 1).starts_with("fn low"));
    assert!(declared("vni == 7", 0).starts_with("vni: u24"));
    assert!(declared("valid flags", 7).starts_with("flags: u8"));
    assert!(declared("away(rs,", 5).contains("select rs"));
    assert!(declared("send i\n", 5).starts_with("action away"));
    assert!(declared("web.rs1", 5).starts_with("backend   rs1"));
    assert!(declared("via lan", 5).starts_with("interface lan"));
    assert!(declared("count hits", 7).starts_with("counter hits"));
    assert!(declared("expect drop closed", 13).starts_with("_ -> drop closed"));
    assert_eq!(declared("when dst", 6), "", "a field of the prelude");
}

#[test]
fn hovers_tell_what_is_to_be_known() {
    let text = SMALL.replace("drop closed", "dr(rs)");
    let text = text.replace("rs from web", "rs from web by id(ip.dscp)");
    let index = index(&text);
    let told = |word: &str, into: usize| {
        let hovers = index.hover(index.policy(), text.find(word).unwrap() + into);
        let each = hovers
            .iter()
            .map(|hover| format!("{} | {}", hover.code, hover.text.join(" | ")));
        each.collect::<Vec<_>>()
    };
    assert_eq!(
        told("== VIP", 3),
        ["const VIP = 192.0.2.200 | The address of the service."]
    );
    assert!(
        told("tcp.dst", 5)
            .concat()
            .starts_with("tcp.dst: u16 | at bit 16 of `tcp` (byte 2), 16 bits wide")
    );
    assert_eq!(told("ip.dst", 4).len(), 2);
    let pool = told("from web", 6).concat();
    assert!(
        pool.starts_with("pool web { # the real servers\n  scheduler wrr\n  backend rs1"),
        "{pool}"
    );
    assert!(pool.ends_with("| the real servers"), "{pool}");
    let action = told("dr(rs)", 1).concat();
    assert!(
        action.starts_with("action dr(b: backend) | Readdress the frame"),
        "{action}"
    );
    assert!(
        told("b.interface", 3)
            .concat()
            .contains("by which it is reached")
    );
    assert!(
        told("and tcp", 5)
            .concat()
            .contains("20 bytes of fixed fields")
    );
    let id = told("by id", 4).concat();
    assert!(id.starts_with("id | the packet names the backend"), "{id}");
    assert_eq!(told("match ", 1), Vec::<String>::new());
}

#[test]
fn fields_lie_where_the_compiler_puts_them() {
    let text = "header odd after udp { a: u3; b: u13; c: mac; d: ip6addr }\n";
    let index = index(text);
    let policy = compile("odd.lvs", text).policy.unwrap();
    let mut compared = 0;
    for header in policy
        .headers
        .iter()
        .filter(|header| !header.name.contains('['))
    {
        let mut symbols = index.symbols.iter();
        let id =
            symbols.position(|symbol| symbol.kind == Kind::Header && symbol.name == header.name);
        let layout = index.layout(SymbolId(id.unwrap()));
        let ours = layout
            .iter()
            .map(|(id, at, width)| (index.symbol(*id).unwrap().name.clone(), *at, *width));
        let theirs = header.fields.iter();
        let theirs = theirs.map(|field| (field.name.clone(), field.offset, u32::from(field.width)));
        assert_eq!(
            ours.collect::<Vec<_>>(),
            theirs.collect::<Vec<_>>(),
            "{}",
            header.name
        );
        compared += 1;
    }
    assert!(compared > 10);
}

#[test]
fn the_language_has_the_builtins_that_are_offered() {
    let unknown = [
        Code::UnknownField,
        Code::NotSupportedYet,
        Code::UnknownName,
        Code::UnknownProperty,
    ];
    let known = |line: &str| {
        let text = format!(
            "pool web {{ backend 192.0.2.1 }}\nmatch tcp {{\n select rs from web\n {line}\n}}\n"
        );
        let found = compile("web.lvs", &text).diagnostics;
        assert!(
            !found.iter().any(|one| unknown.contains(&one.code)),
            "{line}: {found:?}"
        );
    };
    for field in &BACKEND {
        known(&format!("match rs.{} == 1 {{ pass }}", field.name));
    }
    for field in &INTERFACE {
        known(&format!("match ingress.{} == 1 {{ pass }}", field.name));
    }
    for field in &FLOW {
        known(&format!("match flow.{} == 1 {{ pass }}", field.name));
    }
    for field in &POOL {
        let expected = format!("expect pass {{ eth.dst in web.{} }}", field.name);
        known(&format!(
            "}}\ntest \"t\" {{ send eth / ip 192.0.2.1 -> 192.0.2.2\n {expected}"
        ));
    }
    for line in &INTERFACE_LINES {
        let text = format!("interface lan {{ {} 1 }}\n", line.name);
        let found = compile("web.lvs", &text).diagnostics;
        assert!(
            !found.iter().any(|one| unknown.contains(&one.code)),
            "{found:?}"
        );
    }
    let names: Vec<String> = Scheduler::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        SCHEDULERS.each_ref().map(|found| found.name).to_vec(),
        names
    );
}

#[test]
fn words_are_painted_as_what_they_are() {
    let index = index("pool web { scheduler rr } # x\nmatch tcp.dst == 80 { log \"a\" }\n");
    let painted = index.paints(index.policy());
    let told: Vec<_> = painted
        .iter()
        .map(|(span, paint, declares)| (index.sources.snippet(*span), *paint, *declares))
        .collect();
    assert_eq!(
        told,
        [
            ("pool", Paint::Keyword, false),
            ("web", Paint::Variable, true),
            ("scheduler", Paint::Keyword, false),
            ("rr", Paint::Keyword, false),
            ("# x", Paint::Comment, false),
            ("match", Paint::Keyword, false),
            ("tcp", Paint::Type, false),
            ("dst", Paint::Property, false),
            ("80", Paint::Number, false),
            ("log", Paint::Keyword, false),
            ("\"a\"", Paint::Text, false),
        ]
    );
}

#[test]
fn the_outline_has_what_a_policy_consists_of() {
    let index = index(SMALL);
    let outline = index.outline(index.policy());
    let names: Vec<&str> = outline.iter().map(|entry| entry.name.as_str()).collect();
    let expected = [
        "VIP",
        "lan",
        "web",
        "hits",
        "away",
        "match ip.dst == VIP and tcp",
    ];
    assert_eq!(names, expected);
    let inside: Vec<&str> = outline[2]
        .inside
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(inside, ["rs1", "192.0.2.134"]);
}
