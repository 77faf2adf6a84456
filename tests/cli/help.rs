//! Help, and words that are none.

use crate::support::{lvsc, reviewed, root, said, say};
use crate::{could_not, folder};

#[test]
fn help_is_as_reviewed() {
    reviewed("snapshots/help", || {
        let overview = say(&[]);
        assert_eq!(overview.code, 0);
        insta::assert_snapshot!("lvsc", overview.out);
        insta::assert_snapshot!("lvsc-help", help(&["--help"]));
        for command in commands(&overview.out) {
            insta::assert_snapshot!(command, help(&[command, "--help"]));
        }
    });
}

/// The commands that the overview names.
pub fn commands(overview: &str) -> Vec<&str> {
    let groups = ["write ", "make ", "operate ", "tools "];
    let lines = overview.lines();
    let lines = lines.filter_map(|line| groups.iter().find_map(|group| line.strip_prefix(group)));
    lines.flat_map(|line| line.trim().split(", ")).collect()
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
    could_not(path, &["check", "--wacth"], &["'--wacth'", "'--watch'"]);
    could_not(path, &["completions", "zhs"], &["'zhs'", "zsh"]);
    could_not(path, &["completions"], &["<SHELL>"]);
    could_not(path, &["trace", "policies/dr.lvs"], &["--packet", "--pcap"]);
    could_not(path, &["run", "--pcap", "in.pcap"], &["--out"]);
    for flag in ["--out", "--out-pass"] {
        let file = [flag, "x.pcap"];
        could_not(
            path,
            &[&["run", "-i", "lo"], &file[..]].concat(),
            &[flag, "-i"],
        );
        could_not(
            path,
            &[&["run", "--hold"], &file[..]].concat(),
            &[flag, "--hold"],
        );
    }
    let said = could_not(path, &["run", "--pcap", "in.pcap"], &["[POLICY]"]);
    assert!(!said.err.contains("<POLICY>"), "{}", said.err);
    could_not(path, &["run", "--requests", "0"], &["--requests"]);
    could_not(path, &["run", "-i", "lan="], &["`eth0` or `lan=eth0`"]);
    could_not(
        path,
        &["build", "--target", "xdq"],
        &["no target `xdq`", "targets: wasm, ", "xdp"],
    );
    if !cfg!(feature = "native") {
        let native = ["build", "--target", "native"];
        could_not(path, &native, &["no target `native`"]);
    }
    for (target, stage) in [("wasm", "clif"), ("xdp", "header"), ("xdp", "wat")] {
        let build = [
            "build",
            "policies/dr.lvs",
            "--target",
            target,
            "--emit",
            stage,
        ];
        let words = format!("target `{target}` has no stage `{stage}`");
        could_not(path, &build, &[&words]);
    }
    could_not(
        path,
        &["run", "--target", "xdq"],
        &["no engine `xdq`", "engines: interp"],
    );
}

#[test]
fn help_that_is_lost_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = lvsc(root());
    command.arg("--help").stdout(full.expect("the full device"));
    let said = said(&mut command);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("cannot write standard output"),
        "{}",
        said.err
    );
}

#[test]
fn a_usage_error_has_the_colour_that_was_asked_for() {
    let colour = |when: &str| {
        let mut command = lvsc(root());
        command.args(["chekc", "--color", when]);
        said(command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1"))
    };
    assert!(!colour("never").err.contains('\u{1b}'));
    assert!(colour("always").err.contains('\u{1b}'));
}
