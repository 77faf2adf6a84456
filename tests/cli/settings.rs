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
