//! `lvsc fix`: what is sure is mended, the rest is shown. Each policy of `tests/fix/` has a snapshot of its diff, of what is
//! said, and of what is left.

mod support;

use std::fs;
use std::path::Path;

use lvsc_front::diagnostics::Applicability;
use lvsc_front::library::Empty;
use lvsc_front::mend::mend;
use proptest::prelude::*;
use support::{Said, fed, files, lvsc, reviewed, root, said, say, short};

#[test]
fn what_is_sure_is_mended_and_the_rest_is_shown() {
    for path in files("tests/fix", "lvs") {
        let name = path.file_stem().expect("a file has a name");
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder
            .path()
            .join(path.file_name().expect("a file has a name"));
        fs::copy(&path, &copy).expect("a copy");
        let dry = fix(folder.path(), &["--dry-run"]);
        assert_eq!(read(&copy), read(&path), "a dry run writes nothing");
        let done = fix(folder.path(), &[]);
        assert_eq!(
            (dry.code, &dry.err),
            (done.code, &done.err),
            "both say what is left"
        );
        let checked = said(lvsc(folder.path()).args(["check"]));
        assert_eq!(
            checked.code, done.code,
            "what is left is what a check finds"
        );
        let again = fix(folder.path(), &[]);
        let nothing = format!("{}.lvs: 0 places mended\n", name.to_string_lossy());
        assert_eq!(again.out, nothing, "nothing sure is left");
        let all = format!("{}\n{}\n{}", dry.out, done.out, done.err);
        reviewed("fix", || {
            insta::assert_snapshot!(name.to_string_lossy().as_ref(), all);
        });
    }
}

/// `lvsc fix` of the only policy of a folder.
fn fix(folder: &Path, more: &[&str]) -> Said {
    let mut said = said(lvsc(folder).arg("fix").args(more));
    assert!(said.code <= 1, "{}", said.err);
    // Which policy it is, where nobody named it.
    let lines = said
        .err
        .lines()
        .filter(|line| !line.starts_with("policy: "));
    said.err = lines.flat_map(|line| [line, "\n"]).collect();
    said
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file can be read")
}

#[test]
fn standard_input_is_mended_to_standard_output() {
    let wrong = "match ip && tcp { pass }\n";
    let said = fed(lvsc(root()).args(["fix", "-"]), wrong);
    let mended = ("match ip and tcp { pass }\n", "");
    assert_eq!(said.code, 0);
    assert_eq!((said.out.as_str(), said.err.as_str()), mended);
}

#[test]
fn what_cannot_be_written_is_left_as_it_was() {
    let said = say(&["fix", "none.lvs"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("cannot read none.lvs"), "{}", said.err);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A policy with slips at random: afterwards nothing sure is left, and nothing but the slips was touched.
    #[test]
    fn mending_ends_and_leaves_nothing_sure(
        slips in proptest::collection::vec((0..SLIPS.len(), 0..64_usize), 0..8),
    ) {
        let policy = read(&root().join("policies/dr.lvs"));
        let mut text = policy.clone();
        for (slip, at) in slips {
            let (right, wrong) = SLIPS.get(slip).expect("a slip");
            let places: Vec<usize> = text.match_indices(right).map(|(at, _)| at).collect();
            if let Some(at) = places.get(at % places.len().max(1)) {
                text.replace_range(*at..at + right.len(), wrong);
            }
        }
        let mended = mend("dr.lvs", &text, &Empty);
        let fixes = mended.compilation.diagnostics.iter().flat_map(|found| &found.fixes);
        let sure = fixes.filter(|fix| fix.applicability == Applicability::Sure).count();
        prop_assert_eq!(sure, 0, "{}", text);
        prop_assert!(mended.compilation.policy.is_some(), "{}\n{:?}", mended.text, mended.compilation.diagnostics);
        prop_assert_eq!(mended.text, policy);
    }
}

/// What is right, and what is meant by it all the same. None of these stands in a string or a comment of the policy.
const SLIPS: [(&str, &str); 8] = [
    ("match ip", "MATCH ip"),
    ("ip.dst == VIP", "ip.dst = VIP"),
    ("select rs", "s\u{435}lect rs"),
    ("weight 1", "weight\u{a0}1"),
    ("pool web {", "pool web ｛"),
    ("= 192", "\u{ff1d} 192"),
    ("expect pass", "\u{435}xpect pass"),
    ("-> VIP", "\u{2192} VIP"),
];

#[test]
fn every_case_of_a_wrong_policy_can_be_mended_as_far_as_it_is_sure() {
    for path in files("tests/errors", "lvs") {
        let text = read(&path);
        let mended = mend("policy.lvs", &text, &Empty);
        let again = mend("policy.lvs", &mended.text, &Empty);
        assert_eq!(again.text, mended.text, "{}", short(&path));
        assert!(again.done.is_empty(), "{}", short(&path));
    }
}
