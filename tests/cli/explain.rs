//! `lvsc explain`, and the findings of a check as data.

use std::fs;

use lvsc_front::diagnostics::Code;
use serde_json::Value;

use crate::folder;
use crate::support::{Said, lvsc, reviewed, said, say};

#[test]
fn a_code_has_its_page() {
    let page = say(&["explain", "unknown-field"]);
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    reviewed("snapshots/cli", || {
        insta::assert_snapshot!("explain", page.out);
    });
    let copied = say(&["explain", "error[unknown-field]:"]);
    assert_eq!(copied.out, page.out, "as it was copied");
    for code in Code::ALL {
        let page = say(&["explain", code.as_str()]);
        assert_eq!((page.code, page.err.as_str()), (0, ""));
        assert!(page.out.starts_with(code.as_str()));
        assert!(
            !page.out.contains("```") && !page.out.contains("]("),
            "{}",
            page.out
        );
    }
}

#[test]
fn all_codes_are_listed_with_what_they_say() {
    let list = say(&["explain"]);
    assert_eq!((list.code, list.err.as_str()), (0, ""));
    for code in Code::ALL {
        let line = list
            .out
            .lines()
            .find(|line| line.starts_with(&format!("  {code} ")));
        let line = line.unwrap_or_else(|| panic!("{code} is not listed"));
        assert!(
            line.contains(code.summary().trim_end_matches('.')),
            "{line}"
        );
    }
    let titles = list.out.lines();
    let titles = titles.filter(|line| !line.is_empty() && !line.starts_with(' '));
    assert_eq!(titles.count(), 3, "{}", list.out);
}

#[test]
fn a_code_that_is_none_is_told_the_near_one() {
    let near = say(&["explain", "unknwon-field"]);
    assert_eq!((near.code, near.out.as_str()), (2, ""));
    assert_eq!(
        near.err,
        "error: no diagnostic is called `unknwon-field`\nhelp: did you mean unknown-field?\n"
    );
    let far = say(&["explain", "E0308"]);
    assert_eq!(far.code, 2);
    assert!(
        far.err.contains("`lvsc explain` lists them all"),
        "{}",
        far.err
    );
}

/// A policy with an error that has a fix, a warning with a cause in the prelude, and characters of several bytes.
const WRONG: &str = "\
# Größe
const VIP = 192.0.2.200
match ip.dst == VIP && tcp { drop \"ä\" }
match eth.group { drop }
match ip.dst == vip { drop }
";

fn checked(format: &str) -> Said {
    let folder = folder();
    fs::write(folder.path().join("a b.lvs"), WRONG).expect("a file");
    let said = said(lvsc(folder.path()).args(["check", "a b.lvs", "--format", format]));
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    said
}

#[test]
fn the_findings_are_data() {
    let data: Value = serde_json::from_str(&checked("json").out).expect("one JSON document");
    let shown = serde_json::to_string_pretty(&data).expect("it was JSON");
    reviewed("snapshots/cli", || {
        insta::assert_snapshot!("check-json", shown);
    });
}

#[test]
fn the_findings_are_sarif() {
    let mut log: Value = serde_json::from_str(&checked("sarif").out).expect("one JSON document");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "lvsc");
    let rules = list(&driver["rules"]);
    for rule in rules {
        let code = Code::ALL.iter().find(|code| rule["id"] == code.as_str());
        let code = code.expect("a rule is a code");
        assert_eq!(rule["help"]["markdown"], code.page());
        text(&rule["help"]);
        text(&rule["shortDescription"]);
        assert!(
            ["error", "warning"]
                .map(Value::from)
                .contains(&rule["defaultConfiguration"]["level"])
        );
    }
    let results = list(&run["results"]);
    assert!(!results.is_empty());
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(result["ruleId"], rules[index]["id"]);
        assert!(
            ["error", "warning"]
                .map(Value::from)
                .contains(&result["level"])
        );
        text(&result["message"]);
        assert_eq!(list(&result["locations"]).len(), 1);
        for location in list(&result["locations"])
            .iter()
            .chain(list(&result["relatedLocations"]))
        {
            let physical = &location["physicalLocation"];
            artifact(run, &physical["artifactLocation"]);
            region(&physical["region"]);
        }
        for fix in list(&result["fixes"]) {
            text(&fix["description"]);
            assert!(!list(&fix["artifactChanges"]).is_empty());
            for change in list(&fix["artifactChanges"]) {
                artifact(run, &change["artifactLocation"]);
                assert!(!list(&change["replacements"]).is_empty());
                for replacement in list(&change["replacements"]) {
                    region(&replacement["deletedRegion"]);
                    text(&replacement["insertedContent"]);
                }
            }
        }
    }
    // The pages and the version change for reasons of their own.
    let driver = &mut log["runs"][0]["tool"]["driver"];
    driver["semanticVersion"] = "VERSION".into();
    for rule in driver["rules"].as_array_mut().expect("a list") {
        rule["help"] = "PAGE".into();
    }
    let shown = serde_json::to_string_pretty(&log).expect("it was JSON");
    reviewed("snapshots/cli", || {
        insta::assert_snapshot!("check-sarif", shown);
    });
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// A message, or a content, has a text.
fn text(value: &Value) {
    assert!(value["text"].is_string(), "{value}");
}

/// A URI without blanks; what it is relative to is declared.
fn artifact(run: &Value, value: &Value) {
    let uri = value["uri"].as_str().expect("a URI");
    assert!(!uri.is_empty() && !uri.contains(' '), "{uri}");
    if let Some(base) = value["uriBaseId"].as_str() {
        assert!(run["originalUriBaseIds"][base].is_object(), "{base}");
    }
}

/// Lines and columns from 1, the end not before the start, and bytes of the same text.
fn region(value: &Value) {
    let number = |name: &str| value[name].as_u64().expect("a number");
    let start = (number("startLine"), number("startColumn"));
    let end = (number("endLine"), number("endColumn"));
    assert!(start.0 >= 1 && start.1 >= 1 && start <= end, "{value}");
    assert!(number("byteOffset") + number("byteLength") <= 1 << 16);
}
