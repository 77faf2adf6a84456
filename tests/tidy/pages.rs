//! Snapshots, links, and what the documents say of the tests.

use std::collections::BTreeSet;
use std::path::Path;

use crate::read;
use crate::support::{files, pages, root, short};

/// A snapshot is true wherever the project lies.
#[test]
fn no_snapshot_knows_this_machine() {
    let here = root().display().to_string();
    for path in files("tests", "snap") {
        assert!(!read(&path).contains(&here), "{} has {here}", short(&path));
    }
}

#[test]
fn every_snapshot_was_accepted() {
    for extension in ["new", "pending-snap"] {
        let waiting: Vec<String> = files(".", extension)
            .iter()
            .map(|path| short(path))
            .collect();
        assert!(
            waiting.is_empty(),
            "look at and accept, or mend: {waiting:?}"
        );
    }
    for path in files("tests/snapshots", "snap") {
        let policy = path
            .parent()
            .and_then(Path::file_name)
            .expect("a folder")
            .to_string_lossy();
        let known = root().join(format!("policies/{policy}.lvs")).exists()
            || ["cli", "help", "lsp"].contains(&&*policy);
        assert!(known, "{} belongs to no policy", short(&path));
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = page.parent().expect("a page lies in a folder");
            let found = if target.is_empty() {
                page.clone()
            } else {
                folder.join(target)
            };
            assert!(found.exists(), "{}: {link} leads nowhere", short(&page));
            if !anchor.is_empty() {
                let known = anchors(&read(&found));
                assert!(
                    known.contains(anchor),
                    "{}: {link}: no such heading",
                    short(&page)
                );
            }
        }
    }
}

/// The targets of `[words](target)`, outside of fences.
fn links(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    let links = outside.flat_map(|part| part.split("](").skip(1));
    links.filter_map(|rest| rest.split(')').next()).collect()
}

/// The headings as forges name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let name = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(name).collect()
}

#[test]
fn every_invariant_names_what_enforces_it() {
    let page = read(&root().join("docs/architecture.md"));
    let section = page
        .split("\n## ")
        .find(|part| part.starts_with("Invariants\n"));
    let mut invariants: Vec<String> = Vec::new();
    for line in section.expect("the page has its invariants").lines() {
        match invariants.last_mut() {
            _ if line.starts_with(|first: char| first.is_ascii_digit()) => {
                invariants.push(line.to_owned());
            }
            Some(last) => last.push_str(line),
            None => {}
        }
    }
    assert!(invariants.len() > 5);
    for invariant in invariants {
        let names = invariant.split('`').skip(1).step_by(2);
        let tests: Vec<_> = names.filter_map(|name| name.split_once(".rs::")).collect();
        for (file, test) in &tests {
            let text = read(&root().join(format!("{file}.rs")));
            assert!(
                text.contains(&format!("fn {test}(")),
                "there is no {file}.rs::{test}"
            );
        }
        let enforced = !tests.is_empty() || invariant.contains("(review");
        assert!(enforced, "nothing enforces: {invariant}");
    }
}
