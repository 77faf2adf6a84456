//! The binary as a user has it, for the tests of this folder.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A number of the environment, decimal or `0x...`.
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    Some(number.unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number")))
}

/// `lvsc` in a folder, with nothing of the environment that it reads.
pub fn lvsc(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvsc"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("LVSC_") || name == "CLICOLOR_FORCE" {
            command.env_remove(name.as_ref());
        }
    }
    command.env("NO_COLOR", "1");
    command
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `lvsc` in the project's folder.
pub fn say(args: &[&str]) -> Said {
    said(lvsc(root()).args(args))
}

/// Asks a process to end, as Ctrl-C does.
pub fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.expect("there is a `kill`").success());
}

/// How a process ended, which it does within this time.
pub fn ended(child: &mut Child, patience: Duration) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        assert!(begin.elapsed() < patience, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end.
pub fn said(command: &mut Command) -> Said {
    let output = command.output().expect("the binary can be started");
    Said {
        code: code(output.status),
        out: String::from_utf8(output.stdout).expect("standard output is text"),
        err: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

/// Runs a command that reads `input`.
pub fn fed(command: &mut Command, input: &str) -> Said {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    let mut stdin = child.stdin.take().expect("it has a standard input");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    Said {
        code: code(output.status),
        out: String::from_utf8(output.stdout).expect("standard output is text"),
        err: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

/// Runs a command as a terminal shows it: both outputs in the order of their lines.
pub fn shown(command: &mut Command) -> (i32, String) {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    command
        .stdout(writer.try_clone().expect("a second end"))
        .stderr(writer);
    let mut child = command.spawn().expect("the binary can be started");
    command.stdout(Stdio::null()).stderr(Stdio::null()); // closes our ends of the pipe
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .expect("the output is text");
    (code(child.wait().expect("it ends")), text)
}

/// The exit code; a signal's is 128 more, as in a shell.
pub fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or(status.signal().map(|signal| signal + 128))
        .expect("one of both")
}

/// Compares snapshots in a folder of `tests/`.
pub fn reviewed(folder: &str, compare: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(compare);
}

/// The files below a folder of the project with this extension, sorted.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), extension, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    for entry in entries {
        let path = entry.expect("the entry can be read").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name == "target" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// A path as people write it, from the project's folder on.
pub fn short(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The pages that people read: the README and the documents.
pub fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs", "md");
    let others = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "tests/README.md",
        "benches/scaling/README.md",
        "benches/xdp/README.md",
        "editors/README.md",
    ];
    pages.extend(others.map(|name| root().join(name)));
    pages.retain(|page| page.exists());
    pages
}

/// A fenced block of a page.
pub struct Fence {
    /// What stands behind the opening backticks: `lvs error=unknown-name`.
    pub info: String,
    /// The lines between.
    pub text: String,
    /// Page and line, for messages.
    pub place: String,
}

/// The fenced blocks of a page.
pub fn fences(page: &Path) -> Vec<Fence> {
    let text = std::fs::read_to_string(page).expect("the page can be read");
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (line, number) in text.lines().zip(1..) {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Fence {
                    info: info.trim_start_matches('`').trim().to_owned(),
                    text: String::new(),
                    place: format!("{}:{number}", short(page)),
                });
            }
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(fence), None) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, None) => {}
        }
    }
    fences
}
