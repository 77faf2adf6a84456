//! The command line as people meet it: transcripts, help, and all that can go wrong.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::ptr_arg,
    clippy::format_collect,
    clippy::redundant_closure_for_method_calls,
    clippy::redundant_closure,
    clippy::single_match,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Said, fed, fences, lvsc, pages, root, said, say, short, shown};

/// A folder with the project's policies in it, to write in.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let link = |name: &str| {
        std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).expect("a link");
    };
    link("policies");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    };
    let mut names: Vec<String> = entries
        .map(name)
        .filter(|name| name != "policies")
        .collect();
    names.sort();
    names
}

/// It could not, and says so in these words; nothing is written.
fn could_not(folder: &Path, args: &[&str], words: &[&str]) -> Said {
    let before = names(folder);
    let said = said(lvsc(folder).args(args));
    assert_eq!(said.code, 2, "{args:?}\n{}{}", said.out, said.err);
    for word in words {
        assert!(
            said.err.contains(word),
            "{args:?}: no `{word}` in\n{}",
            said.err
        );
    }
    assert_eq!(names(folder), before, "{args:?} leaves something behind");
    said
}

#[test]
fn the_transcripts_of_the_documents_are_true() {
    let mut commands = 0;
    for fence in pages().iter().flat_map(|page| fences(page)) {
        if fence.info != "console" {
            continue;
        }
        let folder = folder();
        let mut code = 0;
        let mut lines = fence.text.lines().peekable();
        while let Some(line) = lines.next() {
            let mut expected = Vec::new();
            while let Some(next) = lines.next_if(|next| !next.starts_with("$ ")) {
                expected.push(next);
            }
            let command = line.strip_prefix("$ ").unwrap_or_default();
            let words = words(command);
            let output = match words.split_first() {
                Some((first, args)) if first == "lvsc" => {
                    commands += 1;
                    let (ended, output) = shown(lvsc(folder.path()).args(args));
                    code = ended;
                    output
                }
                Some((first, args)) if first == "echo" && args == ["$?"] => format!("{code}\n"),
                // What is no command of ours (`cargo`, `sudo`) is the reader's to try.
                _ => continue,
            };
            let place = &fence.place;
            assert!(
                matches(&expected, &output.lines().collect::<Vec<_>>()),
                "{place}: `{command}` says\n{output}\nand not\n{}",
                expected.join("\n")
            );
        }
    }
    assert!(commands > 0, "the documents show no transcript");
}

/// The words of a command line: blanks part them, quotes join them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if letter == open => quote = None,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the output is as expected, where `...` is anything: inside of a line, or a line alone for any lines.
fn matches(expected: &[&str], output: &[&str]) -> bool {
    match expected.split_first() {
        None => output.is_empty(),
        Some((&"...", rest)) => (0..=output.len()).any(|skip| matches(rest, &output[skip..])),
        Some((line, rest)) => output
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && matches(rest, others)),
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    let mut parts = expected.trim_end().split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.trim_end().strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_transcript_is_matched_with_gaps() {
    assert!(line_matches("took ... ms", "took 12 ms"));
    assert!(!line_matches("took ... ms", "took 12 s"));
    assert!(!line_matches("ok", "ok (1 VIP)"));
    assert!(matches(&["a", "...", "c"], &["a", "b", "b", "c"]));
    assert!(!matches(&["a", "...", "c"], &["a", "b"]));
    assert_eq!(
        words("lvsc trace p --packet \"eth / ip\""),
        ["lvsc", "trace", "p", "--packet", "eth / ip"]
    );
}

#[test]
fn help_is_as_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/help");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let overview = say(&[]);
        assert_eq!(overview.code, 0);
        insta::assert_snapshot!("lvsc", overview.out);
        insta::assert_snapshot!("lvsc-help", help(&["--help"]));
        for command in ["check", "graph", "trace", "test", "build", "run"] {
            insta::assert_snapshot!(command, help(&[command, "--help"]));
        }
    });
}

fn help(args: &[&str]) -> String {
    let said = said(lvsc(root()).args(args).env("COLUMNS", "100"));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    said.out
}

#[test]
fn a_wrong_word_is_a_usage_error_with_the_near_one() {
    let folder = folder();
    let path = folder.path();
    could_not(
        path,
        &["chekc"],
        &["unrecognized subcommand 'chekc'", "'check'"],
    );
    could_not(
        path,
        &["build", "--tagret", "wasm"],
        &["--tagret", "--target"],
    );
    could_not(path, &["trace", "policies/dr.lvs"], &["--packet", "--pcap"]);
    could_not(path, &["run", "--pcap", "in.pcap"], &["--out"]);
    could_not(path, &["run", "--requests", "0"], &["--requests"]);
    could_not(path, &["run", "-i", "lan="], &["`eth0` or `lan=eth0`"]);
    could_not(
        path,
        &["build", "--target", "xdp"],
        &["no target `xdp`", "targets: wasm"],
    );
    could_not(
        path,
        &["build", "--target", "native"],
        &["no target `native`"],
    );
    could_not(
        path,
        &["run", "--target", "xdp"],
        &["no engine `xdp`", "engines: interp"],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = folder();
    let path = folder.path();
    for command in ["check", "build", "graph", "test", "run"] {
        could_not(
            path,
            &[command, "none.lvs"],
            &["cannot read none.lvs: no such file"],
        );
    }
    could_not(
        path,
        &["check", "policies"],
        &["cannot read policies: is a directory"],
    );
    fs::write(path.join("odd.lvs"), b"# \xff\xfe").expect("a file");
    could_not(
        path,
        &["check", "odd.lvs"],
        &["odd.lvs is not UTF-8 text (byte 2)"],
    );
}

#[test]
fn a_wrong_policy_makes_no_file() {
    let folder = folder();
    fs::write(
        folder.path().join("web.lvs"),
        "match ip.dest == 192.0.2.1 { pass }\n",
    )
    .expect("a file");
    fs::write(folder.path().join("web.wasm"), "the old one").expect("a file");
    let said = said(lvsc(folder.path()).args(["build", "web.lvs"]));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("error[unknown-field]"), "{}", said.err);
    assert!(said.err.contains("web.lvs: 1 error"), "{}", said.err);
    assert_eq!(names(folder.path()), ["web.lvs", "web.wasm"]);
    let old = fs::read_to_string(folder.path().join("web.wasm")).expect("it is still there");
    assert_eq!(old, "the old one");
}

#[test]
fn a_build_lands_here_under_the_policys_name() {
    let folder = folder();
    let said = said(lvsc(folder.path()).args(["build", "policies/dr.lvs"]));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(names(folder.path()), ["dr.wasm"]);
    let bytes = fs::read(folder.path().join("dr.wasm")).expect("it was written");
    assert!(bytes.starts_with(b"\0asm"));
    for word in ["dr.wasm: ", "memory", "tables", "flows.web", "ring.web"] {
        assert!(said.out.contains(word), "no `{word}` in\n{}", said.out);
    }
}

#[test]
fn a_build_that_cannot_be_written_leaves_nothing() {
    let folder = folder();
    let args = ["build", "policies/dr.lvs", "-o", "none/dr.wasm"];
    could_not(
        folder.path(),
        &args,
        &["cannot write none/dr.wasm", "mkdir -p none"],
    );
    let args = ["build", "policies/dr.lvs", "-o", "policies"];
    could_not(
        folder.path(),
        &args,
        &["cannot write policies: is a directory"],
    );
}

#[test]
fn every_stage_can_be_written_to_standard_output() {
    for (emit, begin) in [
        ("graph", "  0  parse"),
        ("ir", "section header"),
        ("wat", "(module"),
    ] {
        let said = say(&["build", "policies/dr.lvs", "--emit", emit, "-o", "-"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{emit}");
        assert!(said.out.starts_with(begin), "{emit}: {}", said.out);
    }
}

#[test]
fn a_policy_may_come_from_standard_input() {
    let text = fs::read_to_string(root().join("policies/dr.lvs")).expect("the policy");
    let said = fed(lvsc(root()).args(["check", "-"]), &text);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(
        said.out,
        "<stdin>: ok (1 VIP, 1 pool, 2 backends, 3 tests)\n"
    );
}

#[test]
fn the_configuration_names_the_policy_wherever_one_stands() {
    let folder = folder();
    let deep = folder.path().join("a/b");
    fs::create_dir_all(&deep).expect("folders");
    fs::write(
        folder.path().join("lvsc.toml"),
        "policy = \"policies/vlan.lvs\"\n",
    )
    .expect("a file");
    let said = said(lvsc(&deep).arg("check"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("vlan.lvs (named by "), "{}", said.err);
    let without = support::said(lvsc(&deep).args(["check", "--no-config"]));
    assert!(without.err.contains("<built-in>/dr.lvs"), "{}", without.err);
    fs::write(folder.path().join("lvsc.toml"), "polcy = \"x\"\n").expect("a file");
    could_not(&deep, &["check"], &["lvsc.toml", "polcy"]);
}

#[test]
fn the_policy_is_found_and_named() {
    let folder = folder();
    let check = || said(lvsc(folder.path()).arg("check"));
    assert!(check().err.contains("policies/dr.lvs (the usual place)"));
    fs::copy(
        root().join("policies/vlan.lvs"),
        folder.path().join("only.lvs"),
    )
    .expect("a copy");
    assert!(check().err.contains("only.lvs (the only .lvs file here)"));
}

#[test]
fn flags_can_stand_in_the_environment() {
    let said = said(
        lvsc(root())
            .args(["check", "policies/dr.lvs"])
            .env("LVSC_FORMAT", "json"),
    );
    assert!(said.out.starts_with("{\"version\":1,"), "{}", said.out);
    let quiet = support::said(
        lvsc(root())
            .args(["check", "policies/dr.lvs"])
            .env("LVSC_QUIET", "1"),
    );
    assert_eq!(
        (quiet.code, quiet.out.as_str(), quiet.err.as_str()),
        (0, "", "")
    );
}

#[test]
fn colour_is_never_without_words_and_only_where_it_is_wanted() {
    let coloured = say(&["check", "policies/dr.lvs", "--color", "always"]);
    assert!(coloured.out.contains("\u{1b}["), "{:?}", coloured.out);
    let plain = say(&["check", "policies/dr.lvs"]);
    assert!(
        !plain.out.contains('\u{1b}') && plain.out.contains(": ok "),
        "{:?}",
        plain.out
    );
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let mut command = lvsc(root());
    command.args(["build", "policies/dr.lvs", "--emit", "wat", "-o", "-"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_result_that_is_lost_is_an_error() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("the full device");
    let output = lvsc(root())
        .args(["check", "policies/dr.lvs"])
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("cannot write standard output"), "{err}");
}

#[test]
fn a_trace_says_which_lines_decided_and_what_changed() {
    let packet = "eth / ip 192.168.46.135 -> VIP / tcp 40000 -> 80 S";
    let said = say(&["trace", "policies/dr.lvs", "--packet", packet]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!("trace", said.out);
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
  scheduler maglev
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
    insta::assert_snapshot!("failed-test", said.err);
    let said = support::said(lvsc(folder.path()).args(["test", "--format", "json"]));
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(
        (data["failed"].as_u64(), data["passed"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(data["results"][0]["fault"]["line"], 13);
}

#[test]
fn a_capture_that_is_none_is_refused_and_nothing_is_written() {
    let folder = folder();
    let path = folder.path();
    let run = [
        "run",
        "policies/dr.lvs",
        "--pcap",
        "in.pcap",
        "--out",
        "out.pcap",
    ];
    could_not(path, &run, &["cannot open in.pcap"]);
    fs::write(
        path.join("in.pcap"),
        "this is no capture at all, whatever it is called",
    )
    .expect("a file");
    could_not(path, &run, &["in.pcap"]);
    let whole = capture(&[frame(1), frame(2), frame(3)]);
    fs::write(path.join("in.pcap"), &whole[..whole.len() - 20]).expect("a file");
    could_not(path, &run, &["in.pcap: packet 3"]);
}

#[test]
fn a_capture_is_forwarded_in_order_and_with_its_times() {
    let folder = folder();
    let path = folder.path();
    let input = capture(&[frame(1), vec![0; 9], frame(2), frame(3)]);
    fs::write(path.join("in.pcap"), &input).expect("a file");
    for engine in ["interp", "wasm"] {
        if engine == "wasm" && !cfg!(feature = "wasm") {
            continue;
        }
        let args = [
            "run",
            "policies/dr.lvs",
            "--target",
            engine,
            "--pcap",
            "in.pcap",
            "--out",
            "out.pcap",
            "--out-pass",
            "rest.pcap",
            "--format",
            "json",
        ];
        let said = said(lvsc(path).args(args));
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let expected = format!(
            "{{\"version\":1,\"engine\":\"{engine}\",\"frames\":4,\"send\":3,\"drop\":0,\"pass\":1,\"reasons\":{{}}}}\n"
        );
        assert_eq!(said.out, expected);
        let sent = frames(&fs::read(path.join("out.pcap")).expect("it was written"));
        let times: Vec<u32> = sent.iter().map(|(seconds, _)| *seconds).collect();
        assert_eq!(times, [1, 3, 4], "in order and with their times");
        for (left, came) in sent.iter().zip([frame(1), frame(2), frame(3)]) {
            assert_eq!(left.1[14..], came[14..], "the packet is untouched");
            assert_ne!(left.1[..6], came[..6], "the frame has another destination");
        }
        assert_eq!(
            frames(&fs::read(path.join("rest.pcap")).expect("it, too")).len(),
            1
        );
    }
}

/// A SYN for the VIP from this port.
fn frame(port: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x77, 2, 0, 0, 0xff, 0, 1, 8, 0];
    frame.extend([
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0x9b, 0xb8, 192, 168, 46, 135, 192, 168, 46, 200,
    ]);
    frame.extend([
        0x9c, port, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame
}

/// A pcap file of these frames, a second between them.
fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([
        2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
    ]);
    for (frame, seconds) in frames.iter().zip(1_u32..) {
        for word in [seconds, 5, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// The frames of a pcap file with their seconds.
fn frames(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let mut found = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let length = word(at + 8) as usize;
        found.push((word(at), file[at + 16..at + 16 + length].to_vec()));
        at += 16 + length;
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn an_interface_that_is_not_there_is_named_with_those_that_are() {
    let folder = folder();
    let run = ["run", "policies/dr.lvs", "-i", "none0"];
    could_not(folder.path(), &run, &["no interface `none0`", "lo"]);
    let run = ["run", "policies/two-services.lvs", "-i", "wan=none0"];
    could_not(
        folder.path(),
        &run,
        &["the policy has no interface `wan`", "lan"],
    );
}

#[test]
fn the_documents_exist_that_the_help_and_the_code_name() {
    for page in ["README.md", "docs/architecture.md", "docs/abi-wasm.md"] {
        assert!(root().join(page).exists(), "{page}");
    }
    assert!(pages().iter().any(|page| short(page) == "README.md"));
    let version = said(Command::new(env!("CARGO_BIN_EXE_lvsc")).arg("--version"));
    assert_eq!(version.out, format!("lvsc {}\n", env!("CARGO_PKG_VERSION")));
}
