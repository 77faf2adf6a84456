//! The invariants of `docs/architecture.md` that can be read off the text.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/rust.rs"]
mod rust;
mod support;

use std::path::{Path, PathBuf};

use support::{files, short};

fn sources() -> Vec<PathBuf> {
    let folders = ["benches", "cli", "compiler", "targets", "runtime", "tests"];
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

/// The names in code.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}
