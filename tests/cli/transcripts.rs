//! The documents: what their transcripts show is what the binary says.

use std::process::Command;

use crate::folder;
use crate::support::{fences, lvsc, pages, root, said, short, shown};

#[test]
fn the_transcripts_of_the_documents_are_true() {
    let mut commands = 0;
    for fence in pages().iter().flat_map(|page| fences(page)) {
        if fence.info != "console" {
            continue;
        }
        let folder = folder();
        let mut code = 0;
        let mut lines = fence.text.lines().peekable();
        while let Some(line) = lines.next() {
            let mut expected = Vec::new();
            while let Some(next) = lines.next_if(|next| !next.starts_with("$ ")) {
                expected.push(next);
            }
            let command = line.strip_prefix("$ ").unwrap_or_default();
            let words = words(command);
            let output = match words.split_first() {
                Some((first, args)) if first == "lvsc" => {
                    commands += 1;
                    let (ended, output) = shown(lvsc(folder.path()).args(args));
                    code = ended;
                    output
                }
                Some((first, args)) if first == "echo" && args == ["$?"] => format!("{code}\n"),
                // What is no command of ours (`cargo`, `sudo`) is the reader's to try.
                _ => continue,
            };
            let place = &fence.place;
            assert!(
                matches(&expected, &output.lines().collect::<Vec<_>>()),
                "{place}: `{command}` says\n{output}\nand not\n{}",
                expected.join("\n")
            );
        }
    }
    assert!(commands > 0, "the documents show no transcript");
}

/// The words of a command line: blanks part them, quotes join them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if letter == open => quote = None,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the output is as expected, where `...` is anything: inside of a line, or a line alone for any lines.
fn matches(expected: &[&str], output: &[&str]) -> bool {
    match expected.split_first() {
        None => output.is_empty(),
        Some((&"...", rest)) => (0..=output.len()).any(|skip| matches(rest, &output[skip..])),
        Some((line, rest)) => output
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && matches(rest, others)),
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    let mut parts = expected.trim_end().split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.trim_end().strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_transcript_is_matched_with_gaps() {
    assert!(line_matches("took ... ms", "took 12 ms"));
    assert!(!line_matches("took ... ms", "took 12 s"));
    assert!(!line_matches("ok", "ok (1 VIP)"));
    assert!(matches(&["a", "...", "c"], &["a", "b", "b", "c"]));
    assert!(!matches(&["a", "...", "c"], &["a", "b"]));
    assert_eq!(
        words("lvsc trace p --packet \"eth / ip\""),
        ["lvsc", "trace", "p", "--packet", "eth / ip"]
    );
}

#[test]
fn the_documents_exist_that_the_help_and_the_code_name() {
    for page in ["README.md", "docs/architecture.md", "docs/abi-wasm.md"] {
        assert!(root().join(page).exists(), "{page}");
    }
    assert!(pages().iter().any(|page| short(page) == "README.md"));
    let version = said(Command::new(env!("CARGO_BIN_EXE_lvsc")).arg("--version"));
    assert_eq!(version.out, format!("lvsc {}\n", env!("CARGO_PKG_VERSION")));
}
