//! The invariants of `docs/architecture.md` that can be read off the text.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::{files, pages, root, short};

/// A crate's folder, and what it may import of ours.
const ARROWS: [(&str, &[&str]); 7] = [
    ("compiler/abi", &[]),
    ("compiler/ir", &["lvsc-abi"]),
    ("compiler/pipeline", &["lvsc-abi", "lvsc-ir"]),
    ("compiler/front", &["lvsc-abi", "lvsc-pipeline"]),
    ("targets/wasm", &["lvsc-abi", "lvsc-ir"]),
    ("runtime", &["lvsc-abi"]),
    (
        ".",
        &[
            "lvsc-abi",
            "lvsc-front",
            "lvsc-ir",
            "lvsc-pipeline",
            "lvsc-runtime",
            "lvsc-target-wasm",
        ],
    ),
];
/// Most lines of a file.
const LONGEST: usize = 500;
/// The name of a diagnostic is the language's, not the compiler's.
const MODES_IN_NAMES: [&str; 1] = ["PortChangesInDr"];

fn sources() -> Vec<PathBuf> {
    let folders = ["cli", "compiler", "targets", "runtime", "tests"];
    folders
        .iter()
        .flat_map(|folder| files(folder, "rs"))
        .collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file can be read")
}

/// The lines of code: comments and the insides of strings are left out. Good enough for names, not a lexer.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut inside = false;
        let mut before = ' ';
        for letter in line.chars() {
            if letter == '"' && before != '\\' {
                inside = !inside;
            } else if !inside && letter == '/' && before == '/' {
                break;
            } else if !inside {
                code.push(letter);
            }
            before = letter;
        }
        code.push('\n');
    }
    code
}

/// The code that is not a test.
fn product(path: &Path) -> String {
    let name = short(path);
    if name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("/tests.rs") {
        return String::new();
    }
    let text = read(path);
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    code(&text[..end])
}

#[test]
fn imports_go_down_only() {
    for (folder, allowed) in ARROWS {
        let text = read(&root().join(folder).join("Cargo.toml"));
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        for section in ["dependencies", "build-dependencies"] {
            let Some(toml::Value::Table(found)) = manifest.get(section) else {
                continue;
            };
            for name in found.keys().filter(|name| name.starts_with("lvsc-")) {
                assert!(
                    allowed.contains(&name.as_str()),
                    "{folder} must not import {name}"
                );
            }
        }
    }
    let known: BTreeSet<PathBuf> = ARROWS
        .iter()
        .map(|(folder, _)| root().join(folder).join("Cargo.toml"))
        .collect();
    for path in files(".", "toml") {
        let member = path.ends_with("Cargo.toml");
        assert!(
            !member || known.contains(&path),
            "{} has no arrows here",
            short(&path)
        );
    }
}

#[test]
fn no_identifier_names_a_forwarding_mode() {
    for path in sources()
        .iter()
        .filter(|path| !path.ends_with("tests/tidy.rs"))
    {
        let code = code(&read(path));
        let names = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        for name in names.filter(|name| !MODES_IN_NAMES.contains(name)) {
            let mode = humps(name).any(|hump| ["Dr", "Tun", "Nat"].contains(&hump));
            assert!(!mode, "{}: `{name}` names a forwarding mode", short(path));
        }
    }
}

/// `PortOfDr` is `Port`, `Of`, `Dr`.
fn humps(name: &str) -> impl Iterator<Item = &str> {
    let starts = name
        .char_indices()
        .filter(|(at, letter)| *at > 0 && letter.is_uppercase());
    let mut cuts = vec![0];
    cuts.extend(starts.map(|(at, _)| at));
    cuts.push(name.len());
    let pieces: Vec<&str> = cuts
        .windows(2)
        .map(|pair| &name[pair[0]..pair[1]])
        .collect();
    pieces.into_iter()
}

#[test]
fn a_file_has_one_reason_to_change_and_says_which() {
    for path in sources() {
        let text = read(&path);
        let lines = text.lines().count();
        assert!(
            lines <= LONGEST,
            "{} has {lines} lines, {LONGEST} are the most",
            short(&path)
        );
        let tests = short(&path).contains("/tests");
        assert!(
            tests || text.starts_with("//! "),
            "{} does not say what it is",
            short(&path)
        );
    }
}

#[test]
fn only_one_door_leads_out() {
    let doors = ["println", "eprintln", "print", "eprint", "dbg"];
    for path in sources() {
        let name = short(&path);
        let code = product(&path);
        for door in doors {
            let used = code.split(&format!("{door}!")).count() > 1;
            assert!(
                !used,
                "{name} uses {door}!: text for people goes through cli/ui.rs"
            );
        }
        let stream = code.contains("stdout()") || code.contains("stderr()");
        assert!(
            !stream || name.starts_with("cli/ui"),
            "{name} writes to a standard stream itself"
        );
    }
}

#[test]
fn unsafe_code_stays_where_the_system_is() {
    let rooms = [
        "runtime/src/engine/",
        "runtime/src/io/",
        "runtime/src/lab/",
        "runtime/src/sys/",
    ];
    for path in sources() {
        let name = short(&path);
        let code = product(&path);
        let used = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let used = used.clone().any(|word| word == "unsafe");
        assert!(
            !used || rooms.iter().any(|room| name.starts_with(room)),
            "{name} is unsafe"
        );
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
            || ["cli", "help"].contains(&&*policy);
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
