//! Every wrong policy in `tests/errors/` says what its snapshot beside it says, and every code has such a policy:
//! `CODE.lvs`, or several in a folder `CODE/`.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use lvsc_front::diagnostics::Code;
use support::{fences, files, reviewed, root, say, short};

/// Codes that no small policy can have.
const WITHOUT_A_CASE: [(Code, &str); 1] = [(Code::FileTooLarge, "needs a text of 4 GiB")];

#[test]
fn every_wrong_policy_is_told_what_is_wrong() {
    for path in files("tests/errors", "lvs") {
        let folder = short(path.parent().expect("a file is in a folder"));
        let folder = folder
            .strip_prefix("tests/")
            .expect("the folder of the tests");
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy();
        reviewed(folder, || {
            let said = say(&["check", &short(&path)]);
            assert!(said.code <= 1, "{name}: exit {}\n{}", said.code, said.err);
            let errors = said.err.contains("\nerror[") || said.err.starts_with("error[");
            assert_eq!(
                errors,
                said.code == 1,
                "{name}: errors and exit status\n{}",
                said.err
            );
            let code = format!("[{}]", code(&path));
            assert!(
                said.err.contains(&code),
                "{name}: does not occur in\n{}",
                said.err
            );
            insta::assert_snapshot!(name.as_ref(), said.err);
        });
    }
}

/// The code that a wrong policy is the case of.
fn code(path: &Path) -> String {
    let folder = path.parent().expect("a file is in a folder");
    let case = if folder.ends_with("tests/errors") {
        path
    } else {
        folder
    };
    let name = case.file_stem().expect("a file and a folder have names");
    name.to_string_lossy().into_owned()
}

#[test]
fn every_code_has_a_case() {
    let cases: BTreeSet<String> = files("tests/errors", "lvs")
        .iter()
        .map(|path| code(path))
        .collect();
    let known: BTreeSet<String> = Code::ALL
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    let exempt = |name: &String| WITHOUT_A_CASE.iter().any(|(code, _)| code.as_str() == name);
    let missing: Vec<&String> = known
        .difference(&cases)
        .filter(|name| !exempt(name))
        .collect();
    assert!(
        missing.is_empty(),
        "write tests/errors/CODE.lvs for {missing:?}"
    );
    let unknown: Vec<&String> = cases.difference(&known).collect();
    assert!(unknown.is_empty(), "no code has the name of {unknown:?}");
}

#[test]
fn every_code_has_a_page_that_shows_it() {
    for code in Code::ALL {
        let name = code.as_str();
        let path = root().join(format!("docs/errors/{name}.md"));
        assert!(
            code.page().starts_with(&format!("# {name}\n\n")),
            "{name}: the heading"
        );
        let fences = fences(&path);
        let infos: Vec<&str> = fences.iter().map(|fence| fence.info.as_str()).collect();
        let wrong = format!("lvs error={name}");
        let exempt = WITHOUT_A_CASE.iter().any(|(exempt, _)| exempt == code);
        let expected: &[&str] = if exempt { &[] } else { &[&wrong, "lvs"] };
        assert_eq!(
            infos, expected,
            "{name}: a wrong policy, and the mended one"
        );
        for heading in ["\n## Why\n", "\n## What to do\n"] {
            assert!(code.page().contains(heading), "{name}: {heading}");
        }
    }
}

#[test]
fn every_page_has_a_code() {
    for path in files("docs/errors", "md") {
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy();
        let known = Code::ALL.iter().any(|code| code.as_str() == name);
        assert!(known, "no code has the page {}", short(&path));
    }
}

#[test]
fn findings_are_given_as_data_too() {
    let said = say(&[
        "check",
        "tests/errors/unknown-name/misspelled.lvs",
        "--format",
        "json",
    ]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    assert_eq!(data["version"], 1);
    assert_eq!(data["ok"], false);
    let first = &data["diagnostics"][0];
    assert_eq!(first["code"], "unknown-name");
    assert_eq!(first["labels"][0]["at"]["line"], 6);
    assert_eq!(first["fixes"][0]["edits"][0]["replacement"], "VIP");
}
