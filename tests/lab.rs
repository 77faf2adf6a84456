//! `lvsc run` without a device: the lab as a user meets it, as root and as an ordinary user, ended by itself and by a signal.

#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "lab/running.rs"]
mod running;
mod support;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use running::{PATIENCE, Running};
use serde_json::Value;
use support::{Said, lvsc, root, said};

/// `nobody`: an ordinary user.
const ORDINARY: u32 = 65_534;

const ENGINES: &[&str] = &[
    "interp",
    #[cfg(feature = "wasm")]
    "wasm",
    #[cfg(feature = "native")]
    "native",
];

/// A folder that everybody may read, with the binary and the project's policies in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    let binary = env!("CARGO_BIN_EXE_lvsc");
    fs::hard_link(binary, path.join("lvsc"))
        .or_else(|_| fs::copy(binary, path.join("lvsc")).map(drop))
        .expect("the binary can be read");
    fs::create_dir(path.join("policies")).expect("a folder");
    for name in ["dr.lvs", "two-services.lvs", "vlan.lvs"] {
        let from = root().join("policies").join(name);
        fs::copy(from, path.join("policies").join(name)).expect("a policy");
    }
    folder
}

/// `lvsc` as an ordinary user.
fn ordinary(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("lvsc"));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("NO_COLOR", "1");
    if is_root() {
        command.uid(ORDINARY).gid(ORDINARY);
    }
    command
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("Uid:"));
    line.is_some_and(|line| line.split_whitespace().nth(2) == Some("0"))
}

/// Says visibly that a test was not run; where the kernel is required, that is a failure.
fn skipped(said: &Said) -> bool {
    let refused = said.code == 2 && said.err.contains("no network namespaces can be had");
    if refused {
        let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
        assert!(!required, "{}", said.err);
        assert!(said.err.contains("help: "), "{}", said.err);
        let line = format!("ignored: needs network namespaces ({})\n", said.err.trim());
        let _ = std::io::stderr().write_all(line.as_bytes()); // past the harness, which hides what is printed
    }
    refused
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

/// The record of a lab, exactly as it is promised, and what it says of direct routing.
fn check(said: &Said, engine: &str, lab: &str) {
    check_by(said, engine, lab, "af_packet");
}

fn check_by(said: &Said, engine: &str, lab: &str, io: &str) {
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.out.matches('\n').count(), 1, "one document, one line");
    let record: Value = serde_json::from_str(&said.out).expect("JSON");
    let promised = "version engine policy requests answered backends steps replies_through_director negative_control lab \
                    io ns_per_packet";
    assert_eq!(keys(&record).join(" "), promised);
    assert_eq!(record["version"], 1);
    assert_eq!(record["engine"], engine);
    assert_eq!(record["policy"], "policies/dr.lvs");
    assert_eq!(record["lab"], lab);
    let packets = (engine != "xdp" && lab == "namespaces").then_some(io);
    assert_eq!(record["io"].as_str(), packets);
    assert_eq!(
        (&record["requests"], &record["answered"]),
        (&8.into(), &8.into())
    );
    assert_eq!(record["replies_through_director"], 0);
    let control = &record["negative_control"];
    assert_eq!(keys(control), ["requests", "answered"]);
    assert_eq!(
        (&control["requests"], &control["answered"]),
        (&3.into(), &0.into())
    );
    // Nobody but the kernel sees how long a program that is attached takes.
    let attached = engine == "xdp" && lab == "namespaces";
    let time = record["ns_per_packet"].as_f64();
    assert_eq!(time > Some(0.0), !attached, "{time:?}");

    let backends = record["backends"].as_array().expect("a list");
    for backend in backends {
        assert_eq!(keys(backend), ["name", "address", "mac", "requests"]);
    }
    let shares: Vec<u64> = backends
        .iter()
        .filter_map(|backend| backend["requests"].as_u64())
        .collect();
    assert_eq!(shares.iter().sum::<u64>(), 8);
    // Each CPU takes its own turns.
    assert!(
        shares == [4, 4] || attached && shares.len() == 2,
        "turn by turn: {shares:?}"
    );

    let steps = record["steps"].as_array().expect("a list");
    assert_eq!(steps.len(), 4);
    for (step, number) in steps.iter().zip(1..) {
        assert_eq!(keys(step), ["step", "at", "eth", "ip"]);
        assert_eq!(keys(&step["eth"]), ["src", "dst"]);
        assert_eq!(step["step"], number);
    }
    let [asked, sent, got, answered] = [0, 1, 2, 3].map(|at| &steps[at]);
    assert_eq!((&asked["ip"], &sent["ip"]), (&sent["ip"], &got["ip"]));
    assert_eq!(
        asked["eth"]["dst"], sent["eth"]["src"],
        "the director's MAC"
    );
    assert_eq!(sent["eth"], got["eth"]);
    let chosen = |backend: &&Value| backend["mac"] == sent["eth"]["dst"];
    let backend = backends.iter().find(chosen).expect("a backend's MAC");
    assert_eq!(got["at"], backend["name"]);
    assert_eq!(answered["ip"]["src"], asked["ip"]["dst"], "the VIP answers");
    assert_eq!(answered["eth"]["dst"], asked["eth"]["src"]);
    let places = [&asked["at"], &sent["at"], &answered["at"]];
    assert_eq!(places, ["director", "director", "client"]);
}

fn arguments<'a>(engine: &'a str, lab: &'a str) -> Vec<&'a str> {
    let text = "run policies/dr.lvs --requests 8 --format json --target";
    text.split(' ').chain([engine, "--lab", lab]).collect()
}

#[test]
fn the_memory_lab_proves_direct_routing_on_every_engine() {
    let folder = folder();
    for engine in ENGINES {
        let said = said(lvsc(folder.path()).args(arguments(engine, "memory")));
        assert_eq!(said.err, "");
        check(&said, engine, "memory");
    }
}

#[test]
fn the_lab_in_namespaces_proves_it_for_whoever_runs_the_tests() {
    let folder = folder();
    for engine in ENGINES {
        let said = said(lvsc(folder.path()).args(arguments(engine, "namespaces")));
        if skipped(&said) {
            return;
        }
        check(&said, engine, "namespaces");
    }
}

#[test]
fn the_lab_in_namespaces_proves_it_for_an_ordinary_user() {
    let folder = folder();
    for engine in ENGINES {
        let said = said(ordinary(folder.path()).args(arguments(engine, "namespaces")));
        if skipped(&said) {
            return;
        }
        check(&said, engine, "namespaces");
    }
}

#[test]
fn the_kernel_forwards_by_the_object_and_an_ordinary_user_is_told_what_it_takes() {
    let folder = folder();
    let refused = said(ordinary(folder.path()).args(arguments("xdp", "namespaces")));
    assert_eq!(
        (refused.code, refused.out.as_str()),
        (2, ""),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("setcap cap_bpf"), "{}", refused.err);
    if !lvsc_runtime::engine::xdp::allowed() {
        assert!(std::env::var_os("LVSC_REQUIRE_KERNEL").is_none());
        return;
    }
    for lab in ["memory", "namespaces"] {
        let said = said(lvsc(folder.path()).args(arguments("xdp", lab)));
        assert_eq!(said.err, "");
        check(&said, "xdp", lab);
    }
}

#[test]
fn the_lab_proves_it_with_frames_that_are_shared_with_the_kernel() {
    let folder = folder();
    for engine in ENGINES.iter().filter(|engine| **engine != "interp") {
        let args = [&arguments(engine, "namespaces")[..], &["--io", "af_xdp"]].concat();
        let refused = said(ordinary(folder.path()).args(&args));
        assert_eq!(refused.code, 2, "{}", refused.err);
        let words = ["no AF_XDP: ", "this process lacks", "setcap cap_bpf"];
        assert!(
            words.iter().all(|word| refused.err.contains(word)),
            "{}",
            refused.err
        );
        if !lvsc_runtime::engine::xdp::allowed() {
            assert!(std::env::var_os("LVSC_REQUIRE_KERNEL").is_none());
            return;
        }
        let said = said(lvsc(folder.path()).args(&args));
        assert_eq!(said.err, "");
        check_by(&said, engine, "namespaces", "af_xdp");
    }
}

#[test]
fn a_pool_that_the_vip_does_not_lead_to_is_no_hindrance() {
    let folder = folder();
    let policy = "pool spare { scheduler maglev\n backend 192.0.2.150 }\n\
                  pool web { scheduler wrr\n backend rs1 192.0.2.130\n backend rs2 192.0.2.134 }\n\
                  match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";
    fs::write(folder.path().join("spare.lvs"), policy).expect("a file");
    for policy in ["spare.lvs", "policies/two-services.lvs"] {
        for lab in ["memory", "namespaces"] {
            let begin = Instant::now();
            let args = ["run", policy, "--requests", "6", "--lab", lab];
            let said = said(lvsc(folder.path()).args(args));
            if skipped(&said) {
                return;
            }
            assert_eq!(said.code, 0, "{policy}: {}{}", said.out, said.err);
            assert!(said.out.contains("direct routing holds"), "{}", said.out);
            assert!(begin.elapsed() < PATIENCE, "{policy} waits for nobody");
        }
    }
}

#[test]
fn a_policy_that_does_other_than_direct_routing_is_found_out() {
    let folder = folder();
    let policy = "pool web { scheduler wrr\n backend rs1 192.0.2.130 }\n\
                  match ip.dst == 192.0.2.200 { select rs from web\n eth.dst = rs.mac\n send ingress }\n";
    fs::write(folder.path().join("half.lvs"), policy).expect("a file");
    let args = ["run", "half.lvs", "--requests", "2", "--lab", "memory"];
    let said = said(lvsc(folder.path()).args(args));
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("with the source MAC"), "{}", said.err);
    assert!(!said.out.contains("direct routing holds"), "{}", said.out);
}

#[test]
fn a_policy_that_the_client_cannot_use_is_refused_at_once() {
    let folder = folder();
    let two = "interface lan\ninterface wan\npool web { scheduler wrr\n backend rs1 192.0.2.130 }\n\
               match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";
    fs::write(folder.path().join("two.lvs"), two).expect("a file");
    let one = "pool web { scheduler wrr\n backend rs1 BACKEND }\n\
               match HEADER.dst == VIP { select rs from web\n dr(rs) }\n";
    for (name, header, vip, backend) in [
        ("six.lvs", "ip6", "2001:db8::c8", "2001:db8::1"),
        ("far.lvs", "ip", "192.0.2.200", "198.51.100.1"),
    ] {
        let text = one.replace("BACKEND", backend).replace("HEADER", header);
        let text = text.replace("VIP", vip);
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let expected = [
        (
            "policies/vlan.lvs",
            "without a VLAN tag, and that would be dropped (unknown_vlan)",
        ),
        ("six.lvs", "no single IPv4 VIP"),
        ("far.lvs", "rs1 (198.51.100.1) is not on the VIP's segment"),
        (
            "two.lvs",
            "the lab has one segment, the policy has the interfaces lan, wan",
        ),
    ];
    for (policy, words) in expected {
        for lab in ["memory", "namespaces"] {
            let said = said(lvsc(folder.path()).args(["run", policy, "--lab", lab]));
            assert_eq!(said.code, 2, "{}", said.err);
            assert!(said.err.contains(words), "{}", said.err);
            assert!(said.err.contains("\nhelp: "), "{}", said.err);
        }
    }
}

#[test]
fn a_lab_without_open_files_says_so_and_blames_no_policy() {
    let folder = folder();
    let mut lacking = 0;
    for files in (12..=36).step_by(3) {
        let run = "./lvsc run policies/dr.lvs --lab namespaces --requests 2 --target interp";
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files}; exec {run}")]);
        let said = said(shell.current_dir(folder.path()));
        if said.code == 0 {
            continue;
        }
        assert_eq!(said.code, 2, "{files}: {}{}", said.out, said.err);
        lacking += 1;
        let both = ["Too many open files", "`ulimit -n 1024`"];
        if !both.iter().all(|words| said.err.contains(words)) {
            assert!(skipped(&said), "{files}: {}", said.err);
            return;
        }
    }
    assert!(lacking > 0, "12 files are enough");
}

#[test]
fn a_lab_that_is_interrupted_ends_with_130_and_says_nothing_of_a_proof() {
    let folder = folder();
    for lab in ["memory", "namespaces"] {
        let args = [
            "run",
            "policies/dr.lvs",
            "--requests",
            "1000000",
            "--lab",
            lab,
        ];
        let running = Running::start(lvsc(folder.path()).args(args));
        sleep(Duration::from_millis(1500));
        running.interrupt();
        let said = running.end();
        if skipped(&said) {
            return;
        }
        assert_eq!(
            (said.code, said.out.as_str()),
            (130, ""),
            "{lab}: {}",
            said.err
        );
    }
}

#[test]
fn a_lab_that_is_held_can_be_entered_and_ends_by_a_signal() {
    let folder = folder();
    let args = [
        "run",
        "policies/dr.lvs",
        "--requests",
        "2",
        "--hold",
        "--lab",
        "namespaces",
    ];
    let mut running = Running::start(ordinary(folder.path()).args(args));
    let mut lines = Vec::new();
    let mut heard = BufReader::new(running.child.stderr.take().expect("it is piped")).lines();
    // The doors of client, director and two real servers stand behind the line that says it stays up.
    while let Some(Ok(line)) = heard.next() {
        let doors = lines
            .iter()
            .filter(|line: &&String| line.contains("nsenter"));
        if doors.count() == 3 {
            lines.push(line);
            break;
        }
        lines.push(line);
    }
    let text = lines.join("\n");
    if !text.contains("stays up until Ctrl-C") {
        let mut said = running.end();
        said.err = text;
        assert!(skipped(&said), "{said:?}");
        return;
    }
    let enter = |node: &str, command: &str| {
        let mut doors = lines.iter().map(|line| line.trim().split_once(": "));
        let door = doors.find_map(|door| door.filter(|(name, _)| *name == node));
        let (_, door) = door.expect("a door");
        let mut shell = Command::new("sh");
        shell.current_dir(folder.path());
        shell.args(["-c", &format!("exec {door} {command}")]);
        if is_root() {
            shell.uid(ORDINARY).gid(ORDINARY);
        }
        shell
    };
    let inside = said(&mut enter("client", "cat /proc/self/net/dev"));
    assert!(inside.out.contains("eth0"), "{inside:?}");
    let command = "./lvsc run policies/two-services.lvs -i eth0 --format json";
    an_attached_director_ends_with_its_record(&mut enter("director", command));
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("direct routing holds"), "{}", said.out);
}

fn an_attached_director_ends_with_its_record(command: &mut Command) {
    let director = Running::start(command);
    sleep(Duration::from_millis(1500));
    director.interrupt();
    let said = director.end();
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("forwarding on eth0"), "{}", said.err);
    let record: Value = serde_json::from_str(&said.out).expect("JSON");
    let expected = "version engine threads devices frames send drop pass reasons overrun counters keyed backends pools";
    assert_eq!(keys(&record).join(" "), expected);
    assert_eq!(record["overrun"], 0);
    let counter = &record["counters"][0];
    assert_eq!(keys(counter), ["name", "packets", "bytes"]);
    assert_eq!(counter["name"], "web_packets");
}
