//! `lvsc bench`: what is measured and how it is told. How long anything takes is nobody's to ask here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Said, files, lvsc, said, short};
use crate::{could_not, folder, names};

/// A policy whose MACs are in its first image: whoever loads its object needs nothing else.
const GIVEN: &str = "\
pool web {
  scheduler maglev
  backend   192.0.2.130 mac 02:00:00:00:00:82
}

match ip.dst == 192.0.2.200 {
  select rs from web
  dr(rs)
}
";
const SYN: &str = "eth / ip 192.0.2.7 -> 192.0.2.200 / tcp 40000 -> 80 S";

fn bench(folder: &Path, args: &[&str]) -> Said {
    let short = ["bench", "--rounds", "1"];
    said(lvsc(folder).args([&short, args].concat()))
}

fn data(folder: &Path, args: &[&str]) -> Value {
    let said = bench(folder, &[args, &["--format", "json"]].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&said.out).expect("one JSON document")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The names in the results of the first policy.
fn measured(data: &Value) -> BTreeSet<&str> {
    let results = list(&data["policies"][0]["results"]);
    results.iter().map(|result| text(&result["name"])).collect()
}

#[cfg(target_os = "linux")]
fn kernel() -> bool {
    let allowed = lvsc_runtime::engine::xdp::allowed();
    let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
    assert!(allowed || !required, "this kernel loads no XDP program");
    allowed
}

/// The engines of this build, and whether they are here.
fn engines() -> Vec<(&'static str, bool)> {
    let mut engines = vec![("interp", true)];
    engines.extend(cfg!(feature = "wasm").then_some(("wasm", true)));
    engines.extend(cfg!(feature = "native").then_some(("native", true)));
    engines.push(("xdp", kernel()));
    engines
}

#[test]
fn every_engine_is_measured_and_what_is_missing_is_named() {
    let folder = folder();
    let data = data(
        folder.path(),
        &["policies/dr.lvs", "--flows", "256,1,256", "--target", "all"],
    );
    assert_eq!((&data["version"], &data["rounds"]), (&1.into(), &1.into()));
    for part in ["processor", "kernel"] {
        assert!(!text(&data["machine"][part]).is_empty(), "{part}");
    }
    let policy = &data["policies"][0];
    assert_eq!(policy["policy"], "policies/dr.lvs");
    assert_eq!(
        (&policy["frame_bytes"], &policy["verdict"]),
        (&60.into(), &"send".into())
    );
    assert_eq!(list(&policy["varies"]), ["ip4.src", "tcp.src"]);
    assert!(text(&policy["packet"]).contains("192.168.46.135 -> 192.168.46.200"));

    let here: BTreeSet<&str> = engines()
        .iter()
        .filter(|(_, here)| *here)
        .map(|(name, _)| *name)
        .chain(["rust"])
        .chain(kernel().then_some("floor"))
        .collect();
    assert_eq!(measured(&data), here);
    let missing = list(&policy["missing"]).iter();
    let missing: Vec<&str> = missing.map(|one| text(&one["name"])).collect();
    let absent = engines().into_iter().filter(|(_, here)| !here);
    assert_eq!(missing, absent.map(|(name, _)| name).collect::<Vec<_>>());

    let results = list(&policy["results"]);
    assert_eq!(
        results.len(),
        here.len() * 4,
        "two numbers of flows, hot and cold"
    );
    for result in results {
        let time = |key: &str| result[key].as_f64();
        let (min, median) = (
            time("min").expect("a time"),
            time("median").expect("a time"),
        );
        assert!(min > 0.0 && min <= median, "{result}");
        let behind = result["name"] == "xdp";
        assert_eq!(time("floor").is_some(), behind, "{result}");
        assert_eq!(time("own").is_none(), result["role"] == "floor", "{result}");
        assert!(["hot", "cold"].contains(&text(&result["caches"])));
        assert!([1, 256].contains(&result["flows"].as_u64().expect("a number")));
        assert_eq!(result["verdict"], "send");
    }
}

/// What is written by hand must decide as the reference does, or it is not there: with a table and without.
#[test]
fn what_is_written_by_hand_is_measured_where_it_fits() {
    let folder = folder();
    let by_hand = |policy: &str, more: &[&str]| {
        let args = [&[policy, "--flows", "512", "--target", "interp"], more].concat();
        measured(&data(folder.path(), &args)).contains("rust")
    };
    assert!(by_hand("policies/dr.lvs", &[]), "turns, and a table");
    assert!(by_hand("policies/dr-minimal.lvs", &[]), "neither");
    assert!(!by_hand("policies/two-services.lvs", &[]), "two VIPs");
    assert!(!by_hand("policies/counters.lvs", &[]), "counters");
    let tagged = "eth / vlan vid=7 / ip 192.168.46.135 -> 192.168.46.200 / tcp 40000 -> 80 S";
    assert!(!by_hand("policies/dr.lvs", &["--packet", tagged]), "a tag");
}

#[test]
fn every_policy_of_ours_can_be_measured() {
    let folder = folder();
    let policies: Vec<String> = files("policies", "lvs")
        .iter()
        .map(|path| short(path))
        .collect();
    let mut args: Vec<&str> = policies.iter().map(String::as_str).collect();
    args.extend(["--flows", "64"]);
    let data = data(folder.path(), &args);
    assert_eq!(list(&data["policies"]).len(), policies.len());
    for policy in list(&data["policies"]) {
        assert!(list(&policy["results"]).len() > 2, "{policy}");
    }
}

#[test]
fn a_policy_for_one_target_is_measured_there() {
    let folder = folder();
    let policy = format!("target wasm {{ only }}\n{GIVEN}");
    fs::write(folder.path().join("one.lvs"), policy).expect("a file");
    let data = data(folder.path(), &["one.lvs", "--packet", SYN, "--flows", "1"]);
    assert!(measured(&data).contains("wasm") || !cfg!(feature = "wasm"));
    assert!(!measured(&data).contains("xdp"));
    let mut missing = list(&data["policies"][0]["missing"]).iter();
    let xdp = missing.find(|one| one["name"] == "xdp");
    let why = text(&xdp.expect("it is named")["why"]);
    assert!(!kernel() || why == "the policy is only for `wasm`, not for `xdp`");
    if kernel() {
        let said = bench(
            folder.path(),
            &["one.lvs", "--packet", SYN, "--target", "xdp"],
        );
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(said.err.contains("error[other-target]"), "{}", said.err);
    }
}

#[test]
fn a_given_packet_may_be_passed_or_dropped() {
    let folder = folder();
    let packet = "eth / ip 192.168.46.135 -> 192.168.46.131 / udp 40000 -> 53";
    let data = data(
        folder.path(),
        &[
            "policies/dr.lvs",
            "--flows",
            "4",
            "--packet",
            packet,
            "--on",
            "ingress",
        ],
    );
    let policy = &data["policies"][0];
    assert_eq!(policy["verdict"], "pass");
    assert_eq!(list(&policy["varies"]), ["ip4.src", "udp.src"]);
}

#[test]
fn bars_fit_the_terminal_and_have_no_colour_in_a_file() {
    let folder = folder();
    let mut command = lvsc(folder.path());
    command.args([
        "bench",
        "policies/dr-minimal.lvs",
        "--flows",
        "1",
        "--rounds",
        "1",
    ]);
    let said = said(command.env("COLUMNS", "70"));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(!said.out.contains('\u{1b}'));
    let bars: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.starts_with("  "))
        .collect();
    for (name, here) in engines() {
        let bar = bars.iter().find(|bar| bar.trim_start().starts_with(name));
        assert_eq!(bar.is_some(), here, "{name}\n{}", said.out);
    }
    for bar in bars.iter().filter(|bar| bar.contains('█')) {
        assert_eq!(bar.chars().count(), 70, "{bar}");
    }
    for word in [
        "1 flow, hot",
        "1 flow, cold",
        "machine ",
        "packet ",
        "; 1 round",
    ] {
        assert!(said.out.contains(word), "no `{word}` in\n{}", said.out);
    }
}

#[test]
fn the_bars_can_be_drawn_into_a_file() {
    let folder = folder();
    let args = [
        "policies/dr.lvs",
        "--flows",
        "1,8",
        "--svg",
        "bench.svg",
        "--target",
        "interp",
    ];
    let said = bench(folder.path(), &args);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(names(folder.path()), ["bench.svg"]);
    let drawn = fs::read_to_string(folder.path().join("bench.svg")).expect("it was written");
    let (texts, rects) = elements(&drawn);
    for word in ["1 flow, hot", "8 flows, cold", "interp", "rust"] {
        assert!(
            texts.iter().any(|text| text == word),
            "no `{word}` in\n{drawn}"
        );
    }
    assert!(rects >= 8, "two, of two numbers of flows, hot and cold");
    assert!(drawn.contains("prefers-color-scheme:dark"));
    assert!(
        !drawn.contains("http://") || drawn.matches("http://").count() == 1,
        "its name alone"
    );
}

/// The texts of an XML document whose elements are closed as they are opened, and how many bars it has.
fn elements(document: &str) -> (Vec<String>, usize) {
    let (mut open, mut texts, mut rects) = (Vec::new(), Vec::new(), 0);
    for part in document.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        let name = tag.trim_matches('/').split(' ').next().expect("a name");
        rects += usize::from(name == "rect");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
        } else if !tag.ends_with('/') {
            open.push(name);
            texts.push(text.to_owned());
        }
        let references = text.matches('&').count();
        let known = ["&lt;", "&gt;", "&amp;", "&quot;"];
        let known: usize = known.iter().map(|known| text.matches(known).count()).sum();
        assert_eq!(references, known, "{text}");
    }
    assert!(open.is_empty(), "{open:?}");
    (texts, rects)
}

#[test]
fn objects_are_measured_beside() {
    if !kernel() {
        return;
    }
    let folder = folder();
    fs::write(folder.path().join("given.lvs"), GIVEN).expect("a file");
    for target in ["xdp", "wasm"] {
        let build = ["build", "given.lvs", "--target", target];
        assert_eq!(said(lvsc(folder.path()).args(build)).code, 0);
    }
    // Without its layout an object is any program, and another loader's.
    let object = fs::read(folder.path().join("given.o")).expect("it was built");
    let at = object.windows(11).position(|bytes| bytes == b"lvsc.layout");
    let mut foreign = object.clone();
    foreign[at.expect("the section has a name")] = b'x';
    fs::write(folder.path().join("foreign.o"), foreign).expect("a file");
    let both = "given.o,given.wasm,foreign.o,foreign.o:given";
    let mut args = vec![
        "given.lvs",
        "--flows",
        "4",
        "--packet",
        SYN,
        "--target",
        "interp",
    ];
    args.extend(both.split(',').flat_map(|object| ["--against", object]));
    let data = data(folder.path(), &args);
    let expected: BTreeSet<&str> = both.split(',').chain(["interp", "rust", "floor"]).collect();
    assert_eq!(measured(&data), expected);
    for result in list(&data["policies"][0]["results"]) {
        assert_eq!(result["verdict"], "send", "{result}");
        let in_kernel = text(&result["name"]).contains(".o");
        assert_eq!(result["floor"].is_number(), in_kernel, "{result}");
    }
    could_not(
        folder.path(),
        &[
            "bench",
            "given.lvs",
            "--packet",
            SYN,
            "--against",
            "foreign.o:other",
        ],
        &[
            "foreign.o: it has no such XDP program; it has: given",
            "foreign.o:PROGRAM",
        ],
    );
}

#[test]
fn what_cannot_be_measured_is_said_with_the_remedy() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("given.lvs"), GIVEN).expect("a file");
    let bench =
        |args: &[&str], words: &[&str]| could_not(path, &[&["bench"], args].concat(), words);
    bench(
        &["given.lvs"],
        &["no `test` block that sends", "--packet \"eth / ip"],
    );
    let other = "match ip.ttl == 1 { drop short }\ntest \"one\" {\n  send   eth / arp 192.0.2.1 -> 192.0.2.2\n  expect pass\n}\n";
    fs::write(path.join("other.lvs"), other).expect("a file");
    bench(
        &["other.lvs"],
        &["no packet of the `test` blocks", "--packet"],
    );
    let arp = "eth / arp 192.0.2.1 -> 192.0.2.2";
    bench(
        &["given.lvs", "--packet", arp],
        &["it has no IP header", "another packet"],
    );
    if kernel() {
        let long = format!("{SYN} / hex\"{}\"", "00".repeat(3500));
        bench(
            &["given.lvs", "--packet", &long, "--target", "xdp"],
            &["over a frame of 3554 bytes", "14 to 3520 bytes"],
        );
    }
    bench(
        &["given.lvs", "--flows", "3"],
        &["a power of two from 1 to 16M"],
    );
    bench(&["given.lvs", "--rounds", "0"], &["--rounds"]);
    bench(&["given.lvs", "--on", "lan"], &["--packet"]);
    bench(
        &["given.lvs", "--packet", SYN, "--on", "lan"],
        &["no interface `lan`", "ingress"],
    );
    bench(
        &["--target", "xdq"],
        &["no engine `xdq`", "engines: interp"],
    );
    bench(&["--target", "all,xdq"], &["no engine `xdq`"]);
    bench(
        &["policies/dr.lvs", "--against", "none.o"],
        &["cannot read none.o"],
    );
    bench(
        &["policies/dr.lvs", "--against", "policies/dr.lvs"],
        &["no object that can be measured", "lvsc build"],
    );
    bench(
        &["given.lvs", "--packet", SYN, "--svg", "given.lvs"],
        &["`--svg` would overwrite the policy"],
    );
    bench(
        &[
            "given.lvs",
            "--packet",
            SYN,
            "--flows",
            "1",
            "--rounds",
            "1",
            "--svg",
            "none/x.svg",
        ],
        &["cannot write none/x.svg", "mkdir -p none"],
    );
    let said = said(lvsc(path).args(["bench", "given.lvs", "--packet", "eth / ip nothing"]));
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert_eq!(names(path), ["given.lvs", "other.lvs"]);
}

/// What a change makes of packets is measured with the flows of the slots that have moved.
#[test]
fn a_change_of_the_backends_is_measured_when_it_has_just_been() {
    let pair = GIVEN.replace(
        "\n}\n\nmatch",
        "\n  backend   192.0.2.131 mac 02:00:00:00:00:83\n}\n\nmatch",
    );
    let folder = folder();
    fs::write(folder.path().join("pair.lvs"), pair).expect("the policy");
    let args = [
        "pair.lvs",
        "--packet",
        SYN,
        "--flows",
        "64K",
        "--target",
        "wasm,native",
    ];
    let note = |args: &[&str]| {
        let data = data(folder.path(), args);
        let notes = list(&data["policies"][0]["notes"]).iter();
        let mut notes = notes.map(|note| text(note).to_owned());
        (
            notes.any(|note| note.contains("2 percent")),
            measured(&data).contains("rust"),
        )
    };
    assert_eq!(note(&args), (false, true));
    // Who goes by the ring alone sends those flows elsewhere, and is left out.
    assert_eq!(
        note(&[&args[..], &["--changed", "2"]].concat()),
        (true, false)
    );
}
