//! The formatter: the cases in `fmt/` as reviewed, and for all other texts that nothing changes but their shape.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "fmt/grammar.rs"]
mod grammar;
#[path = "agree/policies.rs"]
mod policies;
#[path = "fmt/same.rs"]
mod same;
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lvsc_front::format;
use proptest::prelude::*;
use same::{check, tree};
use support::{fences, files, pages, reviewed, root, short};

/// Random policies of all productions.
const SEEDS: u64 = 600;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the policy can be read")
}

/// The policies that are kept formatted.
fn kept() -> Vec<PathBuf> {
    let folders = ["policies", "compiler/front/src/prelude", "tests/spec"];
    folders
        .iter()
        .flat_map(|folder| files(folder, "lvs"))
        .collect()
}

fn formatted(text: &str) -> Option<String> {
    format("policy.lvs", text).ok()
}

#[test]
fn every_case_is_formatted_as_reviewed() {
    for path in files("tests/fmt", "lvs") {
        let name = path.file_stem().expect("a file has a name");
        let formatted = formatted(&read(&path)).expect("the case is read");
        reviewed("fmt", || {
            insta::assert_snapshot!(name.to_string_lossy().as_ref(), formatted);
        });
    }
}

#[test]
fn policies_prelude_and_spec_are_formatted() {
    for path in kept() {
        let text = read(&path);
        let formatted = formatted(&text).expect("the policy is read");
        let path = short(&path);
        assert!(
            formatted == text,
            "lvsc fmt {path}, which gives\n{formatted}"
        );
    }
}

#[test]
fn what_the_documents_show_is_formatted() {
    for fence in pages().iter().flat_map(|page| fences(page)) {
        // A wrong policy may have no shape.
        if fence.info == "lvs" {
            assert_eq!(
                Some(&fence.text),
                formatted(&fence.text).as_ref(),
                "{}",
                fence.place
            );
        }
    }
}

#[test]
fn nothing_changes_but_the_shape() {
    let cases = ["tests/errors", "tests/fmt"];
    let cases = cases.iter().flat_map(|folder| files(folder, "lvs"));
    let mut read_well = 0;
    for path in kept().into_iter().chain(cases) {
        let text = read(&path);
        if formatted(&text).is_none() {
            assert!(
                short(&path).starts_with("tests/errors/"),
                "{}",
                short(&path)
            );
            continue;
        }
        read_well += 1;
        for text in [text.replace('\n', "\r\n"), text.replace('\n', "\n\n"), text] {
            check(&text).unwrap_or_else(|why| panic!("{}: {why}", short(&path)));
        }
    }
    assert!(read_well > 40, "of all policies only {read_well} are read");
}

#[test]
fn nothing_changes_but_the_shape_of_random_texts() {
    let mut seen = String::new();
    for seed in 0..SEEDS {
        let text = grammar::policy(seed);
        check(&text).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        if seed % 2 == 0 {
            seen.push_str(&tree(&text));
        }
    }
    for node in NODES {
        assert!(
            seen.contains(&format!("{node}(")) || seen.contains(&format!("{node} ")),
            "no {node}"
        );
    }
}

/// What the random texts are made of: every item, line, statement, expression and pattern.
const NODES: [&str; 66] = [
    "Use",
    "Const",
    "Interface",
    "Pool",
    "Set",
    "Table",
    "Meter",
    "Counter",
    "Header",
    "Group",
    "Fn",
    "Action",
    "Target",
    "Test",
    "Stmt",
    "File",
    "Scheduler",
    "Backend",
    "Prop",
    "Member",
    "Capacity",
    "Key",
    "Value",
    "Entries",
    "Field",
    "Size",
    "Valid",
    "Checksum",
    "Let",
    "Match",
    "Switch",
    "Select",
    "Assign",
    "Push",
    "Pop",
    "Count",
    "Log",
    "Call",
    "Drop",
    "Send",
    "Lit",
    "Path",
    "Unary",
    "Binary",
    "Tuple",
    "Index",
    "Masked",
    "Expect",
    "Add",
    "Advance",
    "Replay",
    "Holds",
    "Unchanged",
    "Payload",
    "Word",
    "Arm",
    "BackendOption",
    "PushField",
    "TableEntry",
    "TableKey",
    "Type",
    "Typed",
    "Layer",
    "Packet",
    "Expectation",
    "Branch",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_changes_but_the_shape_of_random_policies(text in policies::random()) {
        prop_assert_eq!(check(&text), Ok(()));
    }

    #[test]
    fn any_text_is_formatted_or_refused(text in any::<String>()) {
        prop_assert!(formatted(&text).is_none() || check(&text) == Ok(()));
    }

    #[test]
    fn any_change_of_a_text_is_formatted_or_refused(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..9_usize, "[-a-z0-9 {}()\\[\\],;:.=<>#\"\n]{0,3}"), 1..4),
    ) {
        let mut letters: Vec<char> = grammar::policy(seed).chars().collect();
        for (at, length, replacement) in changes {
            let start = at.index(letters.len() + 1);
            let end = (start + length).min(letters.len());
            letters.splice(start..end, replacement.chars());
        }
        let text: String = letters.into_iter().collect();
        if formatted(&text).is_some() {
            prop_assert_eq!(check(&text), Ok(()));
        }
    }
}

#[test]
fn a_text_with_errors_has_no_shape() {
    let (diagnostics, sources) = format("odd.lvs", "match a {\n  pas\n}\n").expect_err("an error");
    assert_eq!(diagnostics.len(), 1);
    let span = diagnostics[0].span().expect("it has a place");
    assert_eq!(sources.path(span.file), "odd.lvs");
}

/// A quadratic way through any of these takes minutes.
#[test]
fn a_large_text_is_formatted_whatever_it_is() {
    let many = |count: usize, sample: &str| sample.repeat(count);
    let policy = read(&root().join("policies/two-services.lvs"));
    for text in [
        many(200, &policy),
        format!("const X = {{ {} 1 }}", many(50_000, "192.0.2.1, ")),
        format!("const X = {{ {} 1 }}", many(50_000, "192.0.2.1,\n")),
        format!(
            "match a {{ pass }}{}",
            many(20_000, " else match a { pass }")
        ),
        format!(
            "pool a {{\n{}}}",
            many(20_000, "backend b 192.0.2.1 weight 1 id 2\n")
        ),
        format!(
            "pool a {{\nbackend 192.0.2.1{}\nbackend 192.0.2.1{0} drain\n}}",
            many(20_000, " weight 1")
        ),
        format!("f({} 1)", many(30_000, "{ 1, 2 }, ")),
        format!("header a {{ {} }}", many(30_000, "a: u8; ")),
        format!("f({} 1)", many(30_000, "1, # a\n")),
        many(60_000, "# a\n"),
        many(60_000, "pass # a\n"),
    ] {
        let start = Instant::now();
        assert!(formatted(&text).is_some(), "{text:.40}");
        assert!(start.elapsed() < Duration::from_secs(30), "{text:.40}");
    }
}
