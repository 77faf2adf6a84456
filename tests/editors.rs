//! What lies in `editors/`: it can be read, and knows the language that the parser reads.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::collections::BTreeSet;
use std::fs;

use lvsc_front::syntax::parse::keywords;
use serde_json::Value;

use support::{files, root, short};

fn json(name: &str) -> Value {
    let text = fs::read_to_string(root().join(name)).expect("the file can be read");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const GRAMMAR: &str = "editors/vscode/syntaxes/lvs.tmLanguage.json";

/// The alternatives of a pattern like `\b(?:a|b)\b`.
fn alternatives(pattern: &str) -> BTreeSet<&str> {
    let inside = pattern
        .strip_prefix("\\b(?:")
        .and_then(|rest| rest.strip_suffix(")\\b"));
    inside.expect("a list of words").split('|').collect()
}

#[test]
fn the_extension_is_whole() {
    let package = json("editors/vscode/package.json");
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    let folder = root().join("editors/vscode");
    let contributes = &package["contributes"];
    let names = [
        &package["main"],
        &contributes["languages"][0]["configuration"],
        &contributes["grammars"][0]["path"],
    ];
    for name in names {
        let path = folder.join(name.as_str().expect("a path"));
        assert!(path.exists(), "{name}");
    }
    assert_eq!(
        json(GRAMMAR)["scopeName"],
        contributes["grammars"][0]["scopeName"]
    );
    let language = json("editors/vscode/language-configuration.json");
    assert_eq!(language["comments"]["lineComment"], "#");
    let extension = fs::read_to_string(folder.join("extension.js")).expect("the client");
    assert!(extension.contains("[\"lsp\"]"));
    let version = format!("lvsc-{}.vsix", env!("CARGO_PKG_VERSION"));
    let page = fs::read_to_string(root().join("editors/README.md")).expect("the page");
    assert!(
        page.contains(&version),
        "the page names the package {version}"
    );
}

#[test]
fn the_grammar_has_every_keyword_of_the_parser() {
    let repository = &json(GRAMMAR)["repository"];
    let of = |name: &str| {
        repository[name]["match"]
            .as_str()
            .expect("a pattern")
            .to_owned()
    };
    let (words, operators) = (of("keyword"), of("operator-word"));
    let known: BTreeSet<&str> = &alternatives(&words) | &alternatives(&operators);
    assert_eq!(known, keywords().into_iter().collect());
}

/// The grammar's words stand in its productions as `word("from")` and `Some("match")`.
#[test]
fn the_parsers_tables_have_every_word_that_it_looks_for() {
    let known: BTreeSet<&str> = keywords().into_iter().collect();
    let mut found = 0;
    for path in files("compiler/front/src/syntax/parse", "rs") {
        let name = short(&path);
        let text = fs::read_to_string(&path).expect("the file can be read");
        for before in ["word(\"", "Some(\""] {
            for rest in text.split(before).skip(1) {
                let word = rest.split('"').next().unwrap_or_default();
                let is_word = word.chars().all(|letter| letter.is_ascii_lowercase());
                if !name.contains("/tests") && is_word && !word.is_empty() {
                    assert!(
                        known.contains(word),
                        "{name}: `{word}` is in no table of words.rs"
                    );
                    found += 1;
                }
            }
        }
    }
    assert!(found > 40, "{found}");
}

/// Each pattern that is included is there, and each that is there is included.
#[test]
fn the_grammar_refers_to_what_it_has() {
    let grammar = json(GRAMMAR);
    let patterns = grammar["patterns"].as_array().expect("a list");
    let included: BTreeSet<&str> = patterns
        .iter()
        .filter_map(|pattern| pattern["include"].as_str()?.strip_prefix('#'))
        .collect();
    let repository = grammar["repository"].as_object().expect("an object");
    let known: BTreeSet<&str> = repository.keys().map(String::as_str).collect();
    assert_eq!(included, known);
}
