//! `lvsc bench --chain` and `--swap`: who is measured, and that nothing that is lost goes unseen. How long anything takes is
//! nobody's to ask here.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Said, code, ended, interrupt, lvsc, said};
use crate::{could_not, folder};

/// Direct routing from one interface to another, with a connection table.
const THROUGH: &str = "\
interface wan
interface lan

pool web {
  scheduler rr
  backend   rs1 192.0.2.130 via lan
  backend   rs2 192.0.2.131 via lan
  flows     1K
}

match ip.dst == 192.0.2.200 {
  select rs from web
  dr(rs)
}
";
/// A policy that drops what it is measured with.
const DROPS: &str = "match ip.dst == 192.0.2.200 { drop nobody }\n";
const SYN: &str = "eth / ip 192.0.2.7 -> 192.0.2.200 / tcp 40000 -> 80 S";

/// Says visibly that a test was not run; where the kernel is required, that is a failure.
fn skipped(said: &Said) -> bool {
    let whys = ["no wire to measure on", "the kernel loads no XDP program"];
    let refused = said.code == 2 && whys.iter().any(|why| said.err.contains(why));
    if refused {
        let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
        assert!(!required, "{}", said.err);
        let line = format!("ignored: needs root ({})\n", said.err.trim());
        let _ = std::io::stderr().write_all(line.as_bytes()); // past the harness, which hides what is printed
    }
    refused
}

/// The one policy's part of the document; `None` where nothing can be measured here.
fn bench(folder: &Path, args: &[&str], status: i32) -> Option<Value> {
    let (found, policy) = measured(folder, args)?;
    assert_eq!(found, status, "{args:?}: {policy}");
    Some(policy)
}

/// The same where nothing may be lost but what a director had no CPU for in time: that is nobody's to ask here.
fn swapped(folder: &Path, args: &[&str]) -> Option<Value> {
    let (status, policy) = measured(folder, args)?;
    let results = list(&policy["results"]);
    for result in results {
        assert_eq!(result["lost"], result["overrun"], "{result}");
    }
    let is_lost = results.iter().any(|result| number(&result["lost"]) > 0);
    assert_eq!(status, i32::from(is_lost), "{args:?}: {policy}");
    Some(policy)
}

/// The exit status, and the policy's part.
fn measured(folder: &Path, args: &[&str]) -> Option<(i32, Value)> {
    let short = ["bench", "--flows", "64", "--format", "json"];
    let said = said(lvsc(folder).args([&short, args].concat()));
    if skipped(&said) {
        return None;
    }
    assert_eq!(said.err, "", "{args:?}");
    let data: Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(data["version"], 1);
    let policies = data["policies"].as_array().expect("a list");
    assert_eq!(policies.len(), 1);
    Some((said.code, policies[0].clone()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn names(list: &Value) -> BTreeSet<String> {
    let each = list.as_array().expect("a list").iter();
    each.map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// The software engines of this build.
fn software() -> Vec<&'static str> {
    let mut engines = Vec::new();
    engines.extend(cfg!(feature = "wasm").then_some("wasm"));
    engines.extend(cfg!(feature = "native").then_some("native"));
    engines
}

/// All ways by which our engines get packets.
fn ways() -> BTreeSet<String> {
    let by = |io: &'static str| {
        let engines = software().into_iter();
        engines.map(move |engine| format!("{io} {engine}"))
    };
    by("af_xdp")
        .chain(by("af_packet"))
        .chain(["xdp".to_owned()])
        .collect()
}

#[test]
fn every_way_is_measured_and_whatever_is_sent_comes_back() {
    let folder = folder();
    let args = ["--chain", "policies/dr-minimal.lvs", "--rounds", "1"];
    let Some(policy) = bench(folder.path(), &args, 0) else {
        return;
    };
    let mut measured = names(&policy["results"]);
    let is_here = measured.remove("nft");
    assert!(measured.remove("floor"));
    assert_eq!(measured, ways());
    let missing = list(&policy["missing"]);
    assert_eq!(missing.len(), usize::from(!is_here), "{missing:?}");
    for one in missing {
        assert_eq!(one["name"], "nft");
        assert!(one["remedy"].is_string(), "{one}");
    }
    assert_eq!(
        (&policy["flows"], &policy["frame_bytes"]),
        (&64.into(), &60.into())
    );
    for result in list(&policy["results"]) {
        let sent = number(&result["sent"]);
        assert!(sent > 0, "{result}");
        assert_eq!(number(&result["came"]), sent, "{result}");
        assert!(result["packets_per_second"]["max"].is_number(), "{result}");
        let is_floor = result["name"] == "floor";
        assert_eq!(result["floor"].is_null(), is_floor, "{result}");
    }
}

#[test]
fn what_a_way_loses_is_counted() {
    let folder = folder();
    fs::write(folder.path().join("drops.lvs"), DROPS).expect("a file");
    let args = ["drops.lvs", "--packet", SYN, "--rounds", "1"];
    let chain = [&["--chain", "--target", "xdp"], &args[..]].concat();
    let Some(policy) = bench(folder.path(), &chain, 0) else {
        return;
    };
    for result in list(&policy["results"]) {
        let (sent, came) = (number(&result["sent"]), number(&result["came"]));
        assert!(sent > 0, "{result}");
        let expected = if result["name"] == "floor" { sent } else { 0 };
        assert_eq!(came, expected, "{result}");
        assert_eq!(
            result["packets_per_second"].is_null(),
            came == 0,
            "{result}"
        );
    }
    let note = policy["notes"].to_string();
    assert!(note.contains("its verdict is drop"), "{note}");
    let swap = [&["--swap", "--target", "xdp"], &args[..]].concat();
    let policy = bench(folder.path(), &swap, 1).expect("the chain could be measured");
    for result in list(&policy["results"]) {
        assert_eq!(result["lost"], result["sent"], "{result}");
        assert!(result["packets_per_second"].is_number(), "{result}");
        assert!(number(&result["lost"]) > 0, "{result}");
    }
}

#[test]
fn engines_replace_each_other_and_nothing_is_lost() {
    let folder = folder();
    // Slow enough for a director that gets a CPU only now and then.
    let args = [
        "--swap",
        "policies/dr.lvs",
        "--rounds",
        "3",
        "--rate",
        "10000",
    ];
    let Some(policy) = swapped(folder.path(), &args) else {
        return;
    };
    assert_eq!(names(&policy["results"]), ways(), "{}", policy["missing"]);
    for result in list(&policy["results"]) {
        assert_eq!(result["swaps"], 3, "{result}");
        assert!(number(&result["sent"]) > 0, "{result}");
        for step in ["compile", "load", "exchange"] {
            assert!(result[step]["median"].is_number(), "{step}: {result}");
        }
    }
}

#[test]
fn packets_may_leave_by_another_interface() {
    let folder = folder();
    fs::write(folder.path().join("through.lvs"), THROUGH).expect("a file");
    let args = ["--chain", "through.lvs", "--packet", SYN, "--rounds", "1"];
    let Some(policy) = bench(folder.path(), &args, 0) else {
        return;
    };
    for result in list(&policy["results"]) {
        assert!(number(&result["sent"]) > 0, "{result}");
        assert_eq!(result["came"], result["sent"], "{result}");
    }
    let nft = list(&policy["missing"]).iter();
    let nft = nft.filter(|one| one["name"] == "nft").count();
    assert_eq!(nft, 1, "its rules know one interface");
}

/// What has other counters has another image, which is filled anew and carried over, in the kernel too.
#[test]
fn policies_replace_each_other_and_nothing_is_lost() {
    let folder = folder();
    let names = ["one", "two", "three", "four", "five"];
    let counters = names.map(|name| format!("counter {name}\n")).concat();
    let counts = names.map(|name| format!("  count {name}\n")).concat();
    let more = format!("\n{counters}\nmatch ip.ttl == 1 {{\n{counts}}}\nmatch");
    fs::write(folder.path().join("old.lvs"), THROUGH).expect("a file");
    let other = THROUGH.replace("\nmatch", &more);
    fs::write(folder.path().join("new.lvs"), other).expect("a file");
    let args = [
        "--swap", "old.lvs", "new.lvs", "--packet", SYN, "--rounds", "4", "--rate", "10000",
    ];
    let Some(policy) = swapped(folder.path(), &args) else {
        return;
    };
    assert_eq!(policy["policy"], "old.lvs and new.lvs");
    for result in list(&policy["results"]) {
        assert_eq!(result["swaps"], 4, "{result}");
    }
    let replaced = crate::chain::names(&policy["results"]);
    assert!(replaced.contains("xdp"));
}

#[test]
fn people_get_a_table() {
    let folder = folder();
    let mut command = lvsc(folder.path());
    command.args(["bench", "--chain", "policies/dr.lvs", "--rounds", "1"]);
    let said = said(command.args(["--target", "xdp"]));
    if skipped(&said) {
        return;
    }
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    for word in [
        "60 bytes, 64K flows",
        "  floor ",
        "  xdp ",
        "lost",
        "packet  ",
        "machine ",
    ] {
        assert!(said.out.contains(word), "no `{word}` in\n{}", said.out);
    }
    assert!(!said.out.contains("nft"), "it was not asked for");
}

/// Waits for the end of a process, and says what it has said.
fn finished(mut child: Child) -> Said {
    ended(&mut child, Duration::from_secs(30));
    let output = child.wait_with_output().expect("it has ended");
    Said {
        code: code(output.status),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_signal_ends_it_and_nothing_is_said() {
    let folder = folder();
    let mut command = lvsc(folder.path());
    command.args(["bench", "--chain", "policies/dr.lvs", "--target", "xdp"]);
    command.args(["--rounds", "10000"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_millis(1500));
    interrupt(&child);
    let said = finished(child);
    if skipped(&said) {
        return;
    }
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{}", said.err);
}

/// Takes the first of a process's wires away that has one; whether it could.
fn cut(process: u32) -> bool {
    let folder = format!("/proc/{process}/fd");
    let opened = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = opened.map(|entry| entry.path());
    paths
        .filter(|path| fs::read_link(path).is_ok_and(|to| to.starts_with("net:")))
        .any(|path| {
            let mut command = std::process::Command::new("nsenter");
            command.arg(format!("--net={}", path.display()));
            let output = command.args(["ip", "link", "del", "eth0"]).output();
            output.is_ok_and(|output| output.status.success())
        })
}

/// One way by which `native` gets packets takes no other policy, which is no error. The other one's wire goes while engines
/// replace each other.
#[test]
fn what_breaks_under_load_is_an_error_and_no_missing_way() {
    let folder = folder();
    let mut command = lvsc(folder.path());
    command.args(["bench", "--swap", "policies/dr.lvs", "--target", "native"]);
    let child = command
        .args(["--rounds", "10000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(3));
    if !cut(child.id()) {
        interrupt(&child); // nothing can be measured here, or there is no `ip`
    }
    let said = finished(child);
    if said.code == 130 || skipped(&said) {
        return;
    }
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    // Whoever notices first: the generator, or the director.
    let words = [
        "af_packet native: nothing is sent",
        "the director on the wire stopped",
    ];
    assert!(
        words.iter().any(|words| said.err.contains(words)),
        "{}",
        said.err
    );
}

#[test]
fn what_makes_no_sense_is_said_with_the_remedy() {
    let folder = folder();
    let refused = |args: &[&str], words: &[&str]| {
        could_not(folder.path(), &[&["bench"], args].concat(), words);
    };
    refused(&["--chain", "--swap"], &["'--chain'", "'--swap'"]);
    fs::write(folder.path().join("through.lvs"), THROUGH).expect("a file");
    refused(
        &["--swap", "policies/dr.lvs", "through.lvs"],
        &[
            "through.lvs cannot replace policies/dr.lvs",
            "of the first: ingress",
        ],
    );
    let other = THROUGH.replace("rs2 192.0.2.131", "rs3 192.0.2.132");
    fs::write(folder.path().join("other.lvs"), other).expect("a file");
    refused(
        &["--swap", "through.lvs", "other.lvs", "--packet", SYN],
        &[
            "other.lvs cannot replace through.lvs: it has other backends",
            "of the first: web.rs1 192.0.2.130, web.rs2 192.0.2.131",
        ],
    );
    for way in ["--chain", "--swap"] {
        refused(&[way, "--svg", "x.svg"], &[way, "--svg"]);
        refused(&[way, "--against", "x.o"], &[way, "--against"]);
        refused(
            &["policies/dr.lvs", way, "--flows", "1,2"],
            &["of one number of flows", "give `--flows` one number"],
        );
        refused(&[way, "--target", "xdq"], &["no engine `xdq`"]);
    }
}

/// Whoever may make no namespaces is told so, and nothing was done.
#[test]
fn without_the_right_it_is_an_error_with_the_remedy() {
    let folder = folder();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    command.arg(env!("CARGO_BIN_EXE_lvsc"));
    command.args(["bench", "--chain", "policies/dr.lvs"]);
    let Ok(output) = command.current_dir(folder.path()).output() else {
        return; // there is no `setpriv`, or it may take nothing away
    };
    let err = String::from_utf8_lossy(&output.stderr);
    if err.starts_with("setpriv") {
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("no wire to measure on") && err.contains("help: run it as root"),
        "{err}"
    );
}
