//! Files in, files out, and the streams that stand for them.

use std::fs;
use std::process::Stdio;

use crate::support::{fed, lvsc, root, said, say};
use crate::{could_not, folder, names};

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
    fs::write(path.join("odd.lvs"), b"pass\n# \xff\xfe").expect("a file");
    could_not(
        path,
        &["check", "odd.lvs"],
        &[
            "odd.lvs is no text: byte 0xff at line 2, byte 3 (offset 7)",
            "help: save it as UTF-8: iconv -f latin1",
        ],
    );
}

#[test]
fn a_file_that_is_no_text_is_told_what_it_may_be() {
    let folder = folder();
    let path = folder.path();
    let told = |bytes: &[u8], words: &[&str]| {
        fs::write(path.join("odd.lvs"), bytes).expect("a file");
        could_not(path, &["check", "odd.lvs"], words);
    };
    told(
        b"\x7fELF\x02\x01\x01\0\0",
        &["byte 0x00 at line 1, byte 8 (offset 7)", "is this the file"],
    );
    told(
        b"\xff\xfep\0a\0",
        &["byte 0xff at line 1, byte 1", "iconv -f utf-16"],
    );
    told(b"pass # \xe4\n", &["byte 0xe4 at line 1, byte 8"]);
    let fine = b"\xef\xbb\xbfmatch ip {\r\n  pass\r\n}\r\n";
    fs::write(path.join("odd.lvs"), fine).expect("a file");
    let said = said(lvsc(path).args(["check", "odd.lvs"]));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_file_that_cannot_be_read_is_told_how_to_be() {
    let folder = folder();
    let path = folder.path();
    for (wrong, help) in [
        ("policies/dr.lv", "did you mean policies/dr.lvs?"),
        ("vlan.lvs", "did you mean policies/vlan.lvs?"),
        (
            "policies/none.lvs",
            "in policies are: access-list.lvs, counters.lvs",
        ),
        ("none/dr.lvs", "there is no folder none"),
        ("policies", "in policies are: access-list.lvs"),
        ("policies/dr.lvs/x", "a part of this path is a file"),
    ] {
        could_not(path, &["check", wrong], &[&format!("help: {help}")]);
    }
}

#[test]
fn tests_are_not_sought_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("policies"), "").expect("a file");
    let said = said(lvsc(folder.path()).arg("test"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err.contains("policy: <built-in>/dr.lvs"),
        "{}",
        said.err
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
