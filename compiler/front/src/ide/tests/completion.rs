//! What may be written at a place marked `$`.

use std::collections::BTreeSet;

use super::{SMALL, index, marked};

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
    completes(
        "pool x {\n  $\n}",
        "scheduler backend flows fragments",
        "match pool",
    );
    completes("pool x { fragments $ }", "follow drop pass", "for");
    completes("pool x { fragments follow 4K $ }", "for", "drop");
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
    completes("select x from web by $", "id flow ip", "web.macs and");
    completes("select x from web by id($", "ip VIP", "id by");
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
