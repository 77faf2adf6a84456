//! Who may import whom, which dependencies there are, and what is asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use toml::{Table, Value};

use crate::support::{files, root, short};
use crate::{code, read, words};

/// A crate's folder, and what it may import of ours.
const ARROWS: [(&str, &[&str]); 9] = [
    ("compiler/abi", &[]),
    ("compiler/ir", &["lvsc-abi"]),
    ("compiler/pipeline", &["lvsc-abi", "lvsc-ir"]),
    ("compiler/front", &["lvsc-abi", "lvsc-pipeline"]),
    ("targets/native", &["lvsc-abi", "lvsc-ir"]),
    ("targets/wasm", &["lvsc-abi", "lvsc-ir"]),
    ("targets/xdp", &["lvsc-abi", "lvsc-ir"]),
    ("runtime", &["lvsc-abi"]),
    (
        ".",
        &[
            "lvsc-abi",
            "lvsc-front",
            "lvsc-ir",
            "lvsc-pipeline",
            "lvsc-runtime",
            "lvsc-target-native",
            "lvsc-target-wasm",
            "lvsc-target-xdp",
        ],
    ),
];

fn parsed(path: &str) -> Table {
    read(&root().join(path)).parse().expect("it is TOML")
}

/// What a crate depends on.
struct Dependency {
    /// The name by which its code knows it.
    name: String,
    /// The package.
    package: String,
    /// Whether only its tests use it.
    only_tests: bool,
}

/// All dependencies of the crate in a folder: of every kind and for every system.
fn dependencies(folder: &str) -> Vec<Dependency> {
    let known = parsed("Cargo.toml")["workspace"]["dependencies"].clone();
    let manifest = parsed(&format!("{folder}/Cargo.toml"));
    let systems = manifest.get("target").and_then(Value::as_table);
    let systems = systems.into_iter().flatten();
    let tables = systems.filter_map(|(_, system)| system.as_table());
    let mut found = Vec::new();
    for table in tables.chain([&manifest]) {
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let entries = table.get(kind).and_then(Value::as_table);
            for (name, entry) in entries.into_iter().flatten() {
                let renamed = |entry: &Value| Some(entry.get("package")?.as_str()?.to_owned());
                let inherited = known.get(name).and_then(renamed);
                found.push(Dependency {
                    name: name.clone(),
                    package: renamed(entry).or(inherited).unwrap_or(name.clone()),
                    only_tests: kind == "dev-dependencies",
                });
            }
        }
    }
    found
}

#[test]
fn imports_go_down_only() {
    for (folder, allowed) in ARROWS {
        for package in dependencies(folder)
            .iter()
            .map(|found| found.package.as_str())
        {
            let ours = package.starts_with("lvsc-");
            assert!(
                !ours || allowed.contains(&package),
                "{folder} must not import {package}"
            );
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
fn what_is_depended_on_is_used() {
    for (folder, _) in ARROWS {
        let rooms = match folder {
            "." => ["cli".to_owned(), "tests".to_owned()],
            _ => ["src", "tests"].map(|room| format!("{folder}/{room}")),
        };
        let rooms = rooms.iter().filter(|room| root().join(room).exists());
        let code: String = rooms
            .flat_map(|room| files(room, "rs"))
            .map(|path| code(&read(&path)))
            .collect();
        let used: BTreeSet<&str> = words(&code).collect();
        for Dependency { name, .. } in dependencies(folder) {
            let ident = name.replace('-', "_");
            assert!(
                used.contains(ident.as_str()),
                "{folder} does not use {name}"
            );
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    for Dependency {
        package,
        only_tests,
        ..
    } in ARROWS.iter().flat_map(|(folder, _)| dependencies(folder))
    {
        if !package.starts_with("lvsc-") {
            *found.entry(package).or_insert(true) &= only_tests;
        }
    }
    let page = read(&root().join("docs/architecture.md"));
    let section = page
        .split("\n## ")
        .find(|part| part.starts_with("Dependencies\n"));
    let rows = section.expect("the page has its dependencies").lines();
    let rows = rows.filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut told: BTreeMap<String, bool> = BTreeMap::new();
    for row in rows.filter(|row| *row != "crate") {
        let (names, only_tests) = match row.strip_suffix(" (tests)") {
            Some(names) => (names, true),
            None => (row, false),
        };
        told.extend(names.split(", ").map(|name| (name.to_owned(), only_tests)));
    }
    assert_eq!(
        told, found,
        "docs/architecture.md, Dependencies; true: tests only"
    );
}

#[test]
fn a_second_version_of_a_crate_has_a_reason() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in parsed("Cargo.lock")["package"]
        .as_array()
        .expect("packages")
    {
        let text = |key: &str| package[key].as_str().expect("a text").to_owned();
        versions
            .entry(text("name"))
            .or_default()
            .push(text("version"));
    }
    // Cargo.lock is sorted by what versions mean; the last one is the newest.
    let older = versions.iter().flat_map(|(name, versions)| {
        let (_, older) = versions.split_last().expect("each has a version");
        older.iter().map(move |version| format!("{name}@{version}"))
    });
    let skips = parsed("deny.toml")["bans"]["skip"].clone();
    let told = skips.as_array().expect("a list").iter().map(|skip| {
        let reason = skip
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(!reason.is_empty(), "{skip} has no reason");
        skip["crate"].as_str().expect("a crate").to_owned()
    });
    assert_eq!(
        told.collect::<BTreeSet<_>>(),
        older.collect::<BTreeSet<_>>(),
        "the skips of deny.toml, the second versions of Cargo.lock"
    );
}

#[test]
fn every_licence_is_one_that_we_accept() {
    let deny = parsed("deny.toml");
    let accepted: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    // Of this system: what others need is not here to be asked.
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--workspace"])
        .args(["--prefix", "none", "--format", "{l}\t{p}"])
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("it is text");
    let lines: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 10);
    for (licence, package) in lines.iter().filter_map(|line| line.split_once('\t')) {
        let all = licence.replace('/', " OR ");
        let fine = all.split(" AND ").all(|part| {
            let part = part.trim_matches(['(', ')']);
            part.split(" OR ").any(|one| accepted.contains(&one.trim()))
        });
        assert!(fine, "{package} is under `{licence}`");
    }
}
