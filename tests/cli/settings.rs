//! Which policy is meant, and what the environment and `lvsc.toml` change.

use std::fs;

use crate::support::{self, lvsc, root, said, say};
use crate::{could_not, folder};

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
fn several_policies_without_a_name_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.lvs", "b.lvs"] {
        let copied = fs::copy(root().join("policies/vlan.lvs"), folder.path().join(name));
        copied.expect("a copy");
    }
    could_not(
        folder.path(),
        &["check"],
        &[
            "error: here are several policies, a.lvs, b.lvs",
            "help: name one",
        ],
    );
    let tested = said(lvsc(folder.path()).arg("test"));
    assert_eq!(tested.err, "policies: a.lvs, b.lvs (the .lvs files here)\n");
    fs::remove_file(folder.path().join("a.lvs")).expect("it was there");
    let tested = said(lvsc(folder.path()).arg("test"));
    assert_eq!(tested.err, "policy: b.lvs (the only .lvs file here)\n");
}

#[test]
fn a_configuration_that_names_no_policy_to_read_is_named() {
    let folder = folder();
    let path = folder.path();
    let configure = |text: &str| fs::write(path.join("lvsc.toml"), text).expect("a file");
    for policy in ["", "-"] {
        configure(&format!("policy = \"{policy}\"\n"));
        could_not(path, &["check"], &["lvsc.toml: `policy` must name a file"]);
    }
    configure("policy = \"none.lvs\"\n");
    could_not(
        path,
        &["check", "-q"],
        &["cannot read none.lvs (named by lvsc.toml)"],
    );
    could_not(
        path,
        &["test", "-q"],
        &["cannot read none.lvs (named by lvsc.toml)"],
    );
    configure("");
    let said = said(lvsc(path).args(["check", "-v"]));
    assert!(
        said.err.contains("configuration: lvsc.toml\n"),
        "{}",
        said.err
    );
}

/// `lvsc check policies/dr.lvs` with more arguments, in an environment.
fn check_with(variables: &[(&str, &str)], args: &[&str]) -> support::Said {
    let mut command = lvsc(root());
    command.args(["check", "policies/dr.lvs"]).args(args);
    said(command.envs(variables.iter().copied()))
}

#[test]
fn a_variable_stands_for_a_flag_and_gives_way_to_a_typed_one() {
    let json = [("LVSC_FORMAT", "json")];
    assert!(check_with(&json, &[]).out.starts_with("{\"version\":1,"));
    assert!(
        check_with(&json, &["--format", "text"])
            .out
            .contains(": ok ")
    );
    let quiet = [("LVSC_QUIET", "1")];
    let said = check_with(&quiet, &[]);
    assert_eq!(
        (said.code, said.out.as_str(), said.err.as_str()),
        (0, "", "")
    );
    assert!(check_with(&quiet, &["-v"]).out.contains(": ok "));
    for nothing in ["0", "false", ""] {
        let said = check_with(&[("LVSC_QUIET", nothing), ("LVSC_FORMAT", "")], &["-v"]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains(": ok "), "{nothing}: {}", said.out);
    }
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    for (name, value, takes) in [
        ("LVSC_FORMAT", "dot", "text, json"),
        ("LVSC_QUIET", "maybe", "1 or 0"),
        ("LVSC_COLOR", "blue", "auto, always, never"),
    ] {
        let said = check_with(&[(name, value)], &[]);
        assert_eq!(said.code, 2);
        let message = format!("the variable {name} is `{value}`, it takes {takes}");
        assert!(said.err.contains(&message), "{}", said.err);
    }
}

#[test]
fn what_is_done_is_said_by_arguments_alone() {
    let variables = [
        ("LVSC_TARGET", "interp"),
        ("LVSC_HOLD", "0"),
        ("LVSC_LAB", "memory"),
    ];
    let folder = folder();
    let mut command = lvsc(folder.path());
    let built = said(command.args(["build", "policies/dr.lvs"]).envs(variables));
    assert_eq!(built.code, 0, "{}", built.err);
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
