//! Words: what may be written, what is said of a name, and how each is coloured.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::client::{Client, URI};
use crate::support::reviewed;
use crate::{POLICY, edited, inside, marked, opened};

/// What may be written at the mark of a text: the labels.
fn completed(client: &mut Client, version: i32, text: &str) -> Vec<String> {
    let (text, place) = marked(text);
    client.change(version, json!([{ "text": text }]));
    let answer = client.ask_at("textDocument/completion", &place);
    let items = answer["items"].as_array().expect("a list");
    let label = |item: &Value| item["label"].as_str().expect("a label").to_owned();
    items.iter().map(label).collect()
}

#[test]
fn what_may_be_written_depends_on_the_place() {
    let cases: [(&str, &[&str], &[&str]); 22] = [
        (
            "$",
            &["pool", "match", "header", "dr"],
            &["scheduler", "expect"],
        ),
        (
            "pool x {\n  $\n}",
            &["scheduler", "backend", "flows"],
            &["match"],
        ),
        (
            "pool x { scheduler $",
            &["rr", "wrr", "maglev"],
            &["backend"],
        ),
        (
            "pool x { backend 192.0.2.1 $",
            &["weight", "via", "drain"],
            &["match"],
        ),
        ("match ip.$", &["src", "dst", "fragment"], &["ihl", "VIP"]),
        ("match tcp.$ == 80 { pass }", &["dst", "syn"], &["VIP"]),
        (
            "match ip.dst == $",
            &["VIP", "ip", "flow"],
            &["web.macs", "select"],
        ),
        ("match tcp { select x from $ }", &["web"], &["VIP"]),
        (
            "match tcp { select x from web; eth.dst = x.$ }",
            &["mac", "interface"],
            &["macs"],
        ),
        ("match tcp { send $ }", &["ingress"], &["VIP"]),
        (
            "match tcp { $ }",
            &["select", "drop", "dr", "eth"],
            &["pool"],
        ),
        (
            "header x after udp {\n  $\n}",
            &["size", "valid", "checksum", "let"],
            &["match"],
        ),
        (
            "test \"t\" {\n  $\n}",
            &["send", "expect", "advance"],
            &["match"],
        ),
        ("target xdp { $", &["kernel", "mode", "only"], &["match"]),
        ("target xdp { mode $", &["offload"], &["and", "kernel"]),
        ("target xdp { only $", &[], &["and", "only"]),
        ("interface lan { mac $", &[], &["and", "ip"]),
        (
            "interface lan { mac 02:00:00:00:00:01 $",
            &["ip", "vip"],
            &["and"],
        ),
        ("set s: $", &["net", "ip4addr"], &["tcp"]),
        ("fn f(a: u8) -> $", &["u1", "mac"], &["tcp", "net"]),
        (
            "header x after udp {\n  words: u8\n  size $\n}",
            &["words"],
            &["tcp", "and"],
        ),
        (
            "header x after udp {\n  words: u8\n  let long = $\n}",
            &["words", "tcp"],
            &["and"],
        ),
    ];
    let mut client = opened(POLICY);
    for ((line, some, none), version) in cases.into_iter().zip(2..) {
        let found = completed(&mut client, version, &format!("{POLICY}\n{line}"));
        for name in some {
            assert!(
                found.iter().any(|one| one == name),
                "{line}: no {name} in {found:?}"
            );
        }
        for name in none {
            assert!(
                !found.iter().any(|one| one == name),
                "{line}: {name} in {found:?}"
            );
        }
    }
    client.end();
}

#[test]
fn a_completion_says_what_it_is() {
    let (text, place) = marked(&format!("{POLICY}\nmatch ip.dst == $"));
    let mut client = opened(&text);
    let answer = client.ask_at("textDocument/completion", &place);
    let items = answer["items"].as_array().expect("a list");
    let vip = items
        .iter()
        .find(|item| item["label"] == "VIP")
        .expect("it is offered");
    assert_eq!(vip["detail"], "const VIP = 192.0.2.200");
    assert_eq!(vip["documentation"]["value"], "The address of the service.");
    assert_eq!(vip["kind"], 21, "a constant");
    client.end();
}

#[test]
fn a_name_tells_what_it_is() {
    let mut client = opened(POLICY);
    let mut told = |words: &str| {
        let answer = client.ask_at("textDocument/hover", &inside(POLICY, words));
        answer["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        told("== V"),
        "```lvs\nconst VIP = 192.0.2.200\n```\n\nThe address of the service."
    );
    let field = told("match ip.ds");
    assert!(
        field.contains("ip4.dst: ip4addr\n```\n\nat bit 128 of `ip4` (byte 16), 32 bits wide"),
        "{field}"
    );
    assert!(field.contains("ip6.dst: ip6addr"), "{field}");
    let pool = told("from we");
    assert!(
        pool.contains("backend rs1 192.0.2.130\n  backend rs2 192.0.2.134"),
        "{pool}"
    );
    let action = told("  d");
    assert!(
        action.starts_with("```lvs\naction dr(b: backend)\n```\n\nReaddress the frame"),
        "{action}"
    );
    assert!(told("scheduler w").contains("in turn"));
    assert_eq!(told("matc"), "");
    client.end();
}

#[test]
fn every_word_has_its_colour() {
    let text = "\
const VIP = 192.0.2.200 # here
pool web {
  scheduler wrr
  backend rs1 192.0.2.130 weight 2
}
action away(b: backend) { send b.interface }
match ip.dst == VIP and not tcp.syn {
  select rs from web
  away(rs)
  drop closed
}
test \"\u{1f4a7}\" { send   eth / ip 198.51.100.7 -> VIP / tcp 40000 -> 80 S
  expect drop closed { ip unchanged }
}
";
    let mut client = Client::start();
    let answer = client.hello(&json!({}));
    let legend = &answer["capabilities"]["semanticTokensProvider"]["legend"]["tokenTypes"];
    client.open(text);
    assert_eq!(
        client
            .diagnostics(1)
            .iter()
            .filter(|one| one["severity"] == 1)
            .count(),
        0
    );
    let answer = client.ask(
        "textDocument/semanticTokens/full",
        json!({ "textDocument": { "uri": URI } }),
    );
    let numbers: Vec<usize> = answer["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|number| number.as_u64().expect("a number") as usize)
        .collect();
    let lines: Vec<Vec<u16>> = text
        .lines()
        .map(|line| line.encode_utf16().collect())
        .collect();
    let (mut line, mut start) = (0, 0);
    let mut told = String::new();
    for token in numbers.chunks(5) {
        if token[0] > 0 {
            start = 0;
        }
        line += token[0];
        start += token[1];
        let word = String::from_utf16_lossy(&lines[line][start..start + token[2]]);
        let kind = legend[token[3]].as_str().expect("a kind");
        let declares = if token[4] == 1 { " (declared)" } else { "" };
        writeln!(told, "{:>2}  {word:14} {kind}{declares}", line + 1).expect("a string takes all");
    }
    reviewed("snapshots/lsp", || insta::assert_snapshot!("tokens", told));
    client.end();
}

#[test]
fn a_document_is_given_its_shape() {
    let untidy = "const VIP=198.51.100.7\r\n\n\n# kept\nmatch ip.dst==VIP {drop  closed}\n";
    let mut client = opened(untidy);
    let asked = json!({
        "textDocument": { "uri": URI },
        "options": { "tabSize": 8, "insertSpaces": false },
    });
    let edits = client.ask("textDocument/formatting", asked.clone());
    let tidy = "const VIP = 198.51.100.7\n\n# kept\nmatch ip.dst == VIP { drop closed }\n";
    assert_eq!(edited(untidy, &edits), tidy);
    client.end();

    let mut client = opened(tidy);
    let edits = client.ask("textDocument/formatting", asked.clone());
    assert_eq!(edits, json!([]));
    client.end();

    let mut client = opened("match {\n");
    let edits = client.ask("textDocument/formatting", asked);
    assert_eq!(edits, Value::Null, "what cannot be read has no shape");
    client.end();
}
