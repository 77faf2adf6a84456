//! `lvsc trace` and `lvsc test`.

use std::fs;

use crate::folder;
use crate::support::{self, lvsc, reviewed, said, say};

#[test]
fn a_trace_says_which_lines_decided_and_what_changed() {
    let packet = "eth / ip 192.168.46.135 -> VIP / tcp 40000 -> 80 S";
    let said = say(&["trace", "policies/dr.lvs", "--packet", packet]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    reviewed("snapshots/cli", || {
        insta::assert_snapshot!("trace", said.out);
    });
    let said = say(&[
        "trace",
        "policies/dr.lvs",
        "--packet",
        packet,
        "--format",
        "json",
    ]);
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(
        (data["version"].as_u64(), data["verdict"].as_str()),
        (Some(1), Some("send"))
    );
    assert_eq!(
        data["before"][1], data["after"][1],
        "the IP header is untouched"
    );
    let header = &data["steps"][0];
    assert_eq!(header["kind"], "header");
    assert!(
        header["line"].is_null() && header["file"].is_null(),
        "no line finds a header"
    );
    let wrong = say(&[
        "trace",
        "policies/dr.lvs",
        "--packet",
        "eth / ip 192.168.46.135 -> VPI",
    ]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.contains("VPI") && wrong.err.contains("VIP"),
        "{}",
        wrong.err
    );
}

#[test]
fn an_impossible_packet_is_a_finding_with_its_place() {
    let packet = "eth / ip 192.0.2.7 -> VIP / tcp 99999 -> 80";
    let said = say(&["trace", "policies/dr.lvs", "--packet", packet]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(
        said.err
            .contains("`src` of `tcp` takes a number from 0 to 65535"),
        "{}",
        said.err
    );
    assert!(said.err.contains("<packet>:1:33"), "{}", said.err);
}

/// A policy that has every kind of failing test.
const FAILING: &str = "\
pool web {
  scheduler rr
  backend rs1 192.0.2.1
  backend rs2 192.0.2.2
}
match ip.dst == 192.0.2.200 {
  select rs from web
  ip4.ttl -= 1
  dr(rs)
}
test \"the packet is untouched\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / tcp 1 -> 80 S
  expect send ingress { eth.dst in web.macs, ip unchanged }
}
test \"it is dropped\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / tcp 1 -> 80 S
  expect drop no_backend
}
test \"another backend\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / tcp 1 -> 80 S
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / tcp 3 -> 80 S
  expect same backend
}
test \"this one holds\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 ttl=64 / tcp 1 -> 80 S
  expect send ingress { ip.ttl == 63 }
}
test \"fields of groups, and bits\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / tcp 1 -> 80 S
  expect send ingress { ip.ttl == 64 and not tcp.syn, ip.src == 192.0.2.1 }
}
test \"many frames would be right\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / tcp 1 -> 80 S
  expect send ingress { ip.ttl > 64, tcp.dst in { 1, 2 } }
}
test \"none would be right\" {
  send   eth / ip 198.51.100.7 -> 192.0.2.200 / udp 1 -> 80
  expect send ingress { tcp unchanged }
}
";

#[test]
fn a_failed_test_shows_both_frames_and_their_difference() {
    let folder = folder();
    fs::write(folder.path().join("web.lvs"), FAILING).expect("a file");
    let said = said(lvsc(folder.path()).args(["test", "web.lvs", "--engine", "interp,interp"]));
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert_eq!(said.out, "6 tests failed, 1 test passed on interp\n");
    reviewed("snapshots/cli", || {
        insta::assert_snapshot!("failed-test", said.err);
    });
    let said = support::said(lvsc(folder.path()).args(["test", "--format", "json"]));
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(
        (data["failed"].as_u64(), data["passed"].as_u64()),
        (Some(6), Some(1))
    );
    assert_eq!(data["results"][0]["fault"]["line"], 13);
}

#[test]
fn the_results_of_broken_policies_are_in_the_one_document() {
    let folder = folder();
    fs::write(
        folder.path().join("bad.lvs"),
        "match ip.dest == 1.2.3.4 { pass }\n",
    )
    .expect("a file");
    let args = ["test", "bad.lvs", "policies/dr.lvs", "--format", "json"];
    let said = said(lvsc(folder.path()).args(args));
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    let first = &data["results"][0];
    assert_eq!(
        (&first["policy"], &first["ok"]),
        (&"bad.lvs".into(), &false.into())
    );
    assert_eq!(first["diagnostics"][0]["code"], "unknown-field");
    assert_eq!(data["results"][1]["policy"], "policies/dr.lvs");
}
