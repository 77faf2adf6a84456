//! What editors are told, at a place marked `$`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use lvsc_abi::scheduler::Scheduler;

use super::builtin::{BACKEND, FLOW, INTERFACE, INTERFACE_LINES, POOL, SCHEDULERS};
use super::{Index, Kind, Meaning, Paint};
use crate::compile;
use crate::diagnostics::Code;
use crate::source::{FileId, Span};

const POLICY: &str = include_str!("../../../../policies/dr.lvs");
const SMALL: &str = "\
# The address of the service.
const VIP = 192.0.2.200
interface lan
pool web { # the real servers
  scheduler wrr
  backend rs1 192.0.2.130 weight 1
  backend 192.0.2.134
}
counter hits
action away(b: backend) { send b.interface }
match ip.dst == VIP and tcp {
  select rs from web
  count hits
  let port = tcp.dst
  match port == 80 { away(rs) }
  drop closed
}
";

fn index(text: &str) -> Index {
    Index::new("web.lvs", text)
}

/// The text without its mark, and where that was.
fn marked(text: &str) -> (String, usize) {
    let at = text.find('$').unwrap();
    (text.replacen('$', "", 1), at)
}

fn completed(text: &str) -> BTreeSet<String> {
    let (text, at) = marked(text);
    let index = index(&text);
    let found = index.complete(index.policy(), at);
    found.into_iter().map(|candidate| candidate.name).collect()
}

/// At the mark behind the small policy and this text, all of these may stand and none of those.
fn completes(text: &str, some: &str, none: &str) {
    let found = completed(&format!("{SMALL}{text}"));
    for name in some.split_whitespace() {
        assert!(found.contains(name), "{text}: no `{name}` in {found:?}");
    }
    for name in none.split_whitespace() {
        assert!(!found.contains(name), "{text}: `{name}` in {found:?}");
    }
}

#[test]
fn a_line_begins_with_the_words_of_its_block() {
    completes(
        "$",
        "pool match test const away eth",
        "scheduler expect rs VIP",
    );
    completes("pool x {\n  $\n}", "scheduler backend flows", "match pool");
    completes("pool x { scheduler rr; $", "backend", "match");
    completes(
        "header h after tcp {\n $ }",
        "size valid checksum let",
        "match",
    );
    completes(
        "test \"t\" {\n  se$\n}",
        "send expect backend",
        "match pool",
    );
    completes(
        "match tcp { $ }",
        "select drop send away ip eth",
        "pool scheduler",
    );
    completes("match tcp { pass } $", "else", "match pool");
    completes("switch tcp.dst {\n  $", "_ VIP", "drop match");
    completes("switch tcp.dst { 80 -> $", "drop send away", "VIP _");
    completes("target xdp { $", "kernel mode", "match");
    completes("interface wan { $", "mac ip vip", "match");
    completes("push ip4 { $", "src dst ttl", "match VIP");
    completes("pool broken { backend\npool x { $ }", "scheduler", "match");
}

#[test]
fn fields_follow_a_dot() {
    completes("match tcp.$", "syn dst flags", "vid VIP rs1");
    completes("match ip.$", "src dst protocol fragment", "ihl label");
    completes("match vlan[1].$", "vid pcp", "dst");
    completes("match flow.d$", "dst dport", "mac");
    completes("match eth.dst == ingress.$", "mac index", "dst");
    completes("match eth.dst in web.$", "macs", "rs1 mac");
    completes(
        "match tcp { select b from web; eth.dst = b.$ }",
        "mac interface id",
        "macs",
    );
    completes(
        "match tcp { select b from web; eth.dst = b.interface.$ }",
        "mac index",
        "id",
    );
    completes(
        "action x(b: backend, i: interface) { eth.src = i.$ }",
        "mac index",
        "id",
    );
    completes("test \"t\" { backend web.$", "rs1", "macs");
    completes("match 80.$", "", "dst");
}

#[test]
fn inside_of_a_line_there_is_what_fits_its_place() {
    completes("match ip.dst == $", "VIP ip tcp not", "select and web.macs");
    completes("match ip.dst $", "and or in", "VIP");
    completes("select x from $", "web", "VIP hits");
    completes("select x from web $", "by else", "VIP");
    completes("match tcp { send $", "ingress lan", "VIP");
    completes("drop $", "closed loop", "VIP");
    completes("count $", "hits", "VIP");
    completes("push $", "ip4 eth", "VIP ip");
    completes("pool x { scheduler $", "rr wrr maglev", "VIP");
    completes(
        "pool x { backend 192.0.2.1 $",
        "weight via drain",
        "scheduler",
    );
    completes("pool x { backend 192.0.2.1 weight $", "", "weight");
    completes("pool x { backend 192.0.2.1 via $", "lan", "VIP");
    completes("header h $", "after when max", "VIP");
    completes("header h after $", "tcp ip", "VIP when");
    completes("header h after tcp when $", "dst flags", "VIP vid");
    completes("header h after tcp { a: $", "u8 mac", "VIP");
    completes(
        "header h after tcp { checksum $",
        "internet transport",
        "VIP",
    );
    completes("group g = tcp | $", "udp", "ip");
    completes("action x(b: $", "backend u16", "VIP");
    completes("target $", "xdp wasm", "VIP");
    completes("test \"t\" { expect $", "drop pass send", "VIP");
    completes("test \"t\" { send eth / $", "ip tcp", "VIP");
    completes("test \"t\" { send eth / ip $", "VIP on", "tcp");
    completes("const X = $", "VIP", "match");
    completes("const $", "", "VIP match");
    completes("match ip.dst in { VIP, $", "VIP", "match select");
}

#[test]
fn nothing_is_said_in_comments_and_strings() {
    for text in [
        "# $",
        "# pool $ x\n",
        "log \"$\"",
        "log \"a $ b\"",
        "test \"x$",
    ] {
        assert_eq!(completed(text), BTreeSet::new(), "{text}");
    }
    assert!(completed("log \"a\"\n$").contains("match"));
}

#[test]
fn local_names_are_seen_from_their_line_to_the_end_of_their_block() {
    let text = SMALL.replace("count hits", "count hits\n  match $");
    assert!(completed(&text).contains("rs"));
    assert!(!completed(&text).contains("port"), "it comes later");
    completes("match $", "", "rs port b");
}

#[test]
fn every_name_of_our_policies_means_something() {
    let policies = [
        POLICY,
        SMALL,
        include_str!("../../../../policies/two-services.lvs"),
        include_str!("../../../../policies/vlan.lvs"),
        include_str!("../../../../policies/dr-minimal.lvs"),
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

#[test]
fn every_place_of_every_beginning_has_an_answer() {
    for end in (0..=POLICY.len()).step_by(7) {
        let index = index(POLICY.get(..end).unwrap_or(""));
        let file = index.policy();
        for at in [end, end.saturating_sub(1), end / 2, end + 9] {
            index.complete(file, at);
            index.hover(file, at);
            index.references(file, at, true);
            let _ = index.renamable(file, at);
        }
        index.paints(file);
        index.outline(file);
    }
    assert_eq!(
        index("").complete(FileId(99), 0).len(),
        index("").complete(FileId(2), 0).len()
    );
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
fn hovers_tell_what_is_to_be_known() {
    let text = SMALL.replace("drop closed", "dr(rs)");
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
        let layout = index.layout(super::SymbolId(id.unwrap()));
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

fn renamed(text: &str, word: &str, new: &str) -> Result<String, String> {
    let index = index(text);
    let at = text.find(word).unwrap() + word.len();
    let places = index
        .rename(index.policy(), at, new)
        .map_err(|refusal| refusal.to_string())?;
    let mut renamed = text.to_owned();
    for place in places.iter().rev() {
        renamed.replace_range(place.range(), new);
    }
    Ok(renamed)
}

#[test]
fn a_renamed_policy_means_the_same() {
    for (word, new) in [
        ("const VIP", "SERVICE"),
        ("pool web", "farm"),
        ("select rs", "chosen"),
        ("drop closed", "shut"),
        ("interface lan", "wan"),
        ("counter hits", "seen"),
        ("action away", "off"),
        ("let port", "p"),
    ] {
        let text = renamed(SMALL, word, new).unwrap();
        assert!(compile("web.lvs", &text).policy.is_some(), "{text}");
        let old = word.split(' ').nth(1).unwrap();
        let back = format!("{} {new}", word.split(' ').next().unwrap());
        assert_ne!(text, SMALL);
        assert_eq!(renamed(&text, &back, old).unwrap(), SMALL);
    }
}

#[test]
fn what_cannot_be_renamed_says_why() {
    let refused = |word: &str, new: &str| renamed(SMALL, word, new).unwrap_err();
    assert!(refused("match ip", "x").contains("belongs to the prelude"));
    assert!(refused("tcp.dst", "x").contains("belongs to the prelude"));
    assert!(refused("const VIP", "9x").contains("is no name"));
    assert!(refused("const VIP", "").contains("is no name"));
    assert!(refused("const VIP", "web").contains("already the name of a pool"));
    assert!(refused("const VIP", "tcp").contains("already the name of a header"));
    assert!(refused("pool web", "ingress").contains("word of the language"));
    assert!(refused("scheduler wrr", "x").contains("word of the language"));
    assert!(refused("match", "x").contains("no name here"));
    // An action cannot be called like a statement, and a local name must not hide what is named here.
    assert!(refused("action away", "drop").contains("cannot stand here"));
    let text = "const A = 1\nmatch tcp { let b = tcp.dst; match b == A { pass } }\n";
    assert!(renamed(text, "let b", "A").is_err());
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
