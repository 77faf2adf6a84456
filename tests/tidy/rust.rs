//! What the sources may name, and how long they are.

use crate::support::{files, short};
use crate::{code, product, read, sources, words};

/// Most lines of a file.
const LONGEST: usize = 500;
/// The name of a diagnostic is the language's, not the compiler's.
const MODES_IN_NAMES: [&str; 1] = ["PortChangesInDr"];

#[test]
fn no_identifier_names_a_forwarding_mode() {
    for path in sources()
        .iter()
        .filter(|path| !path.ends_with("tests/tidy/rust.rs"))
    {
        let code = code(&read(path));
        for name in words(&code).filter(|name| !MODES_IN_NAMES.contains(name)) {
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
    let ours = sources().into_iter().map(|path| (path, "//! "));
    let c = ["c", "h"]
        .into_iter()
        .flat_map(|extension| files("benches", extension))
        .map(|path| (path, "// "));
    for (path, opening) in ours.chain(c) {
        let text = read(&path);
        let lines = text.lines().count();
        assert!(
            lines <= LONGEST,
            "{} has {lines} lines, {LONGEST} are the most",
            short(&path)
        );
        let tests = short(&path).contains("/tests");
        assert!(
            tests || text.starts_with(opening),
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
        // What only measures is no part of the binary, and has a door of its own.
        let is_bench = name.starts_with("benches/") && name.ends_with("/main.rs");
        let has_door = name.starts_with("cli/ui") || is_bench;
        assert!(
            !stream || has_door,
            "{name} writes to a standard stream itself"
        );
    }
}

#[test]
fn unsafe_code_stays_where_the_system_is() {
    let rooms = ["runtime/src/engine/", "runtime/src/io/", "runtime/src/sys/"];
    for path in sources() {
        let name = short(&path);
        let code = product(&path);
        let used = words(&code).any(|word| word == "unsafe");
        assert!(
            !used || rooms.iter().any(|room| name.starts_with(room)),
            "{name} is unsafe"
        );
    }
}

/// Modules of `std` that reach outside of the process, or ask it what it is.
const OUTSIDE: [&str; 6] = ["env", "fs", "io", "os", "process", "thread"];
/// Clocks and sockets, whose modules also hold plain data (`Duration`, `IpAddr`).
const MOVING: [&str; 6] = [
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
];

#[test]
fn the_compiler_and_the_targets_are_pure() {
    let pure = |name: &str| name.starts_with("compiler/") || name.starts_with("targets/");
    for path in sources().iter().filter(|path| pure(&short(path))) {
        let code = product(path);
        let modules = modules_of_std(&code);
        let found = modules.iter().find(|module| OUTSIDE.contains(module));
        let found = found
            .copied()
            .or_else(|| words(&code).find(|word| MOVING.contains(word)));
        assert_eq!(found, None, "{} is not pure", short(path));
    }
}

/// `std::{env::var, fmt}` and `std::io::Read` name `env`, `fmt` and `io`.
fn modules_of_std(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (before, rest) in code
        .match_indices("std::")
        .map(|(at, _)| (&code[..at], &code[at + "std::".len()..]))
    {
        if before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let Some(group) = rest.strip_prefix('{') else {
            found.extend(words(rest).next());
            continue;
        };
        let mut depth = 0_u32;
        let mut starts = true;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => starts = true,
                _ if starts && letter.is_alphabetic() => {
                    found.extend(words(&group[at..]).next());
                    starts = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn the_modules_of_a_path_are_seen_in_each_of_its_forms() {
    let code = "use std::io::{self, Read};\nuse std::{\n  env::var,\n  collections::{BTreeMap, fs},\n  net,\n};\n\
        mystd::process::x(); std::fmt";
    assert_eq!(
        modules_of_std(code),
        ["io", "env", "collections", "net", "fmt"]
    );
}
