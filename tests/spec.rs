//! The language by its own means: `test` blocks on all engines, and the policies in the documents.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::collections::BTreeSet;

use support::{fed, fences, files, lvsc, pages, root, say, short};

#[test]
fn the_test_blocks_hold_on_every_engine() {
    for folder in ["tests/spec", "policies"] {
        let paths: Vec<String> = files(folder, "lvs")
            .iter()
            .map(|path| short(path))
            .collect();
        let mut args = vec!["test"];
        args.extend(paths.iter().map(String::as_str));
        let said = say(&args);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let engines = [
            ("interp", true),
            ("wasm", cfg!(feature = "wasm")),
            ("native", cfg!(all(feature = "native", target_os = "linux"))),
        ];
        let engines = engines.iter().filter(|(_, here)| *here);
        let engines: Vec<&str> = engines.map(|(name, _)| *name).collect();
        let engines = engines.join(", ");
        assert!(
            said.out.contains(&format!("tests passed on {engines}")),
            "{}",
            said.out
        );
    }
}

#[test]
fn every_policy_has_tests_of_its_own() {
    for path in files("policies", "lvs")
        .iter()
        .chain(&files("tests/spec", "lvs"))
    {
        let text = std::fs::read_to_string(path).expect("the policy can be read");
        assert!(
            text.contains("\ntest \""),
            "{} has no `test` block",
            short(path)
        );
        assert!(
            text.starts_with("# "),
            "{} does not begin with its intent",
            short(path)
        );
    }
}

#[test]
fn what_users_copy_gets_no_warning() {
    for path in files("policies", "lvs") {
        let said = say(&["check", &short(&path)]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", short(&path));
    }
}

#[test]
fn the_policies_in_the_documents_do_what_the_documents_say() {
    let mut seen = 0;
    for fence in pages().iter().flat_map(|page| fences(page)) {
        let mut info = fence.info.split_whitespace();
        if info.next() != Some("lvs") {
            continue;
        }
        seen += 1;
        if let Some(code) = info.next().and_then(|word| word.strip_prefix("error=")) {
            assert_eq!(
                codes(&fence.text),
                BTreeSet::from([code.to_owned()]),
                "{}",
                fence.place
            );
        } else {
            let said = fed(lvsc(root()).args(["test", "-"]), &fence.text);
            assert_eq!(said.code, 0, "{}\n{}{}", fence.place, said.out, said.err);
            let checked = fed(lvsc(root()).args(["check", "-"]), &fence.text);
            assert_eq!(checked.err, "", "{}", fence.place);
        }
    }
    assert!(seen > 0, "the documents show no policy");
}

#[test]
fn the_headers_of_the_documents_are_those_of_the_prelude() {
    let page = std::fs::read_to_string(root().join("docs/language.md")).expect("the page is there");
    let told: BTreeSet<&str> = page.lines().collect();
    let mut seen = 0;
    for path in files("compiler/front/src/prelude", "lvs") {
        let text = std::fs::read_to_string(&path).expect("the prelude can be read");
        for header in text.split("\nheader ").skip(1) {
            let row = row(header);
            assert!(
                told.contains(row.as_str()),
                "{}: no row\n{row}",
                short(&path)
            );
            seen += 1;
        }
    }
    let rows = told.iter().filter(|line| line.starts_with("| `"));
    let rows = rows.filter(|line| line.matches('|').count() == 6);
    assert_eq!(rows.count(), seen, "a row of no header");
}

/// The row of a header's declaration: its name, where it stands, its fields, and those that are computed.
fn row(header: &str) -> String {
    let (head, body) = header.split_once(" {\n").expect("a block");
    let (body, _) = body.split_once("\n}").expect("the end of a block");
    let (head, _) = head.split_once(" max ").unwrap_or((head, ""));
    let (head, when) = head.split_once(" when ").unwrap_or((head, ""));
    let (name, after) = head.split_once(" after ").unwrap_or((head, ""));
    let quoted = |words: Vec<&str>| {
        let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        quoted.join(", ")
    };
    let parts = || body.lines().flat_map(|line| line.split(';')).map(str::trim);
    let fields = parts().filter(|part| {
        part.split_once(": ")
            .is_some_and(|(name, _)| !name.contains(' '))
    });
    let lets = parts().filter_map(|part| Some(part.strip_prefix("let ")?.split_once(" = ")?.0));
    let when = quoted(
        Some(when)
            .into_iter()
            .filter(|when| !when.is_empty())
            .collect(),
    );
    let (fields, lets) = (quoted(fields.collect()), quoted(lets.collect()));
    format!("| `{name}` | {after} | {when} | {fields} | {lets} |")
}

/// The codes of all that is said of a policy.
fn codes(policy: &str) -> BTreeSet<String> {
    let said = fed(
        lvsc(root()).args(["check", "-", "--format", "json"]),
        policy,
    );
    let data: serde_json::Value = serde_json::from_str(&said.out).expect("one JSON document");
    let found = data["diagnostics"].as_array().expect("a list of findings");
    let code = |one: &serde_json::Value| one["code"].as_str().expect("a name").to_owned();
    found.iter().map(code).collect()
}

#[test]
fn the_hash_of_the_documents_is_the_one_that_engines_compute() {
    let page = root().join("docs/flow.md");
    let fences = fences(&page);
    let vector = fences.iter().find(|fence| fence.text.starts_with("key "));
    let vector = &vector.expect("the page has a vector").text;
    let told = |name: &str| {
        let line = vector.lines().find_map(|line| line.strip_prefix(name));
        line.expect("the vector is whole").trim().replace(' ', "")
    };
    let number = |name| u64::from_str_radix(told(name).trim_start_matches("0x"), 16);
    let key = told("key");
    let bytes = (0..key.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&key[at..at + 2], 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().expect("hexadecimal bytes");
    let state = lvsc_abi::hash::state(&bytes);
    let hash = lvsc_abi::hash::ring(state);
    assert_eq!(Ok(hash), number("ring hash"));
    let seed = number("table seed").expect("a number");
    assert_eq!(Ok(lvsc_abi::hash::table(state, seed)), number("table hash"));

    let policy = "pool web {\n  scheduler maglev\n  backend 192.0.2.21\n}\n\
        match ip.dst == 198.51.100.7 {\n  select rs from web\n  dr(rs)\n}\n";
    let packet = "eth / ip 192.0.2.1 -> 198.51.100.7 / tcp 40000 -> 80 S";
    let said = fed(
        lvsc(root()).args(["trace", "-", "--packet", packet]),
        policy,
    );
    assert!(
        said.out.contains(&format!("hash {hash:#018x}")),
        "{}{}",
        said.out,
        said.err
    );
}
