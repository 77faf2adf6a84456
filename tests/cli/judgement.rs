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
";

#[test]
fn a_failed_test_shows_both_frames_and_their_difference() {
    let folder = folder();
    fs::write(folder.path().join("web.lvs"), FAILING).expect("a file");
    let said = said(lvsc(folder.path()).args(["test", "--engine", "interp"]));
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert_eq!(said.out, "3 tests failed, 1 test passed on interp\n");
    reviewed("snapshots/cli", || {
        insta::assert_snapshot!("failed-test", said.err);
    });
    let said = support::said(lvsc(folder.path()).args(["test", "--format", "json"]));
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(
        (data["failed"].as_u64(), data["passed"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(data["results"][0]["fault"]["line"], 13);
}
