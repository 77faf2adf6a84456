//! What is changed: the files of the repository.

use std::path::Path;

use crate::change;
use crate::support::files;

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the file can be read")
}

/// Policies: right ones, wrong ones, and the prelude.
pub fn policies() -> Vec<Vec<u8>> {
    let folders = [
        "policies",
        "tests/spec",
        "tests/errors",
        "tests/fmt",
        "tests/fix",
        "compiler/front/src/prelude",
    ];
    let paths = folders.iter().flat_map(|folder| files(folder, "lvs"));
    paths.map(|path| read(&path)).collect()
}

/// Programs as text: the sections of a file in front of each of its cases.
pub fn programs() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for path in files("tests/ir", "lvsi") {
        let text = String::from_utf8(read(&path)).expect("a program is text");
        let mut parts = text.split("\n;; ");
        let head = parts.next().expect("a head").to_owned();
        // Behind the program stands what becomes of it.
        let program = |part: &str| {
            let (_, program) = part.split_once('\n').expect("a title, then a program");
            let program = program.split("\n; ").next().unwrap_or_default().to_owned();
            format!("{head}\n\n{program}\n").into_bytes()
        };
        found.extend(parts.map(program));
    }
    found
}

/// The words of these texts, each once, and others that belong to their language.
pub fn words(corpus: &[Vec<u8>], others: &[&str]) -> Vec<String> {
    let texts = corpus.iter().map(|text| String::from_utf8_lossy(text));
    let mut words: Vec<String> = others.iter().map(|&word| word.to_owned()).collect();
    for text in texts {
        words.extend(change::tokens(&text).into_iter().map(str::to_owned));
    }
    words.retain(|word| !word.trim().is_empty());
    words.sort();
    words.dedup();
    words
}
