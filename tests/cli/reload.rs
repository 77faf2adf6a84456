//! `lvsc reload` where no director answers, or what answers is none.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lvsc_runtime::sys::listen::{Listening, connect};

use crate::support::{Said, lvsc, said};
use crate::{could_not, folder};

/// Something that listens here, says this to the first who asks, and goes: what it was asked.
fn listens(folder: &Path, answer: &'static str) -> (PathBuf, JoinHandle<String>) {
    let path = folder.join("web.sock");
    let _ = std::fs::remove_file(&path); // where it did before
    let listener = UnixListener::bind(&path).expect("a socket");
    let heard = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody");
        let mut asked = String::new();
        let mut lines = BufReader::new(&stream);
        lines.read_line(&mut asked).expect("a line");
        (&stream).write_all(answer.as_bytes()).expect("it is heard");
        asked
    });
    (path, heard)
}

fn ask(folder: &Path, socket: &Path, more: &[&str]) -> Said {
    let mut command = lvsc(folder);
    command.args(["reload", "--control"]).arg(socket);
    said(command.args(more))
}

#[test]
fn without_a_director_it_is_said_where_none_was_found_and_what_to_do() {
    let folder = folder();
    let own = tempfile::tempdir().expect("a folder");
    let lvsc_own = own.path().join("lvsc");
    std::fs::create_dir(&lvsc_own).expect("a folder");
    std::fs::write(lvsc_own.join("other.sock"), "").expect("a file");
    let mut command = lvsc(folder.path());
    command.args(["reload", "no-such-policy.lvs"]);
    let told = said(command.env("XDG_RUNTIME_DIR", own.path()));
    assert_eq!((told.code, told.out.as_str()), (2, ""));
    let own = own.path().display();
    for words in [
        "error: no director listens at /run/lvsc/no-such-policy.sock or ",
        &format!("{own}/lvsc/no-such-policy.sock\n"),
        "help: start one: `lvsc run POLICY -i DEVICE`; ",
        &format!("{own}/lvsc/other.sock"),
    ] {
        assert!(told.err.contains(words), "no `{words}` in\n{}", told.err);
    }
    let path = folder.path();
    could_not(
        path,
        &["reload", "--control", "none.sock"],
        &["no director listens at none.sock"],
    );
    could_not(path, &["run", "--control", "off"], &["--interface"]);
    could_not(path, &["reload", "--timeout", "0"], &["--timeout"]);
}

#[test]
fn a_director_that_is_silent_or_goes_is_waited_for_so_long_and_no_longer() {
    let folder = folder();
    let path = folder.path().join("web.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let begin = Instant::now();
    let told = ask(folder.path(), &path, &["--timeout", "1"]);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(told.code, 2);
    assert!(
        told.err
            .contains("has not answered within 1 s\nhelp: it may still"),
        "{}",
        told.err
    );
    // As many wait already as there is room for.
    let full = folder.path().join("full.sock");
    let busy = Listening::open(&full).expect("a socket");
    let waits: Vec<UnixStream> = (0..100)
        .map_while(|_| connect(&full, Duration::from_millis(20)).ok())
        .collect();
    assert!(waits.len() < 100);
    let begin = Instant::now();
    let told = ask(folder.path(), &full, &["--timeout", "1"]);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(told.code, 2);
    assert!(
        told.err.contains("has not answered within 1 s\n"),
        "{}",
        told.err
    );
    drop((listener, busy));
    let told = ask(folder.path(), &path, &[]);
    assert_eq!(told.code, 2);
    assert!(
        told.err.contains("any more: the one that did has ended"),
        "{}",
        told.err
    );
    let (path, heard) = listens(folder.path(), "");
    let told = ask(folder.path(), &path, &[]);
    assert_eq!(
        (told.code, heard.join().expect("it ends").as_str()),
        (2, "{\"do\":\"reload\"}\n")
    );
    assert!(
        told.err.contains("has ended before it answered"),
        "{}",
        told.err
    );
}

#[test]
fn what_is_asked_names_the_policy_and_what_answers_otherwise_is_no_director() {
    let folder = folder();
    let (path, heard) = listens(
        folder.path(),
        "{\"version\":1,\"ok\":false,\"error\":\"no\"}\n",
    );
    let told = ask(folder.path(), &path, &["policies/dr.lvs"]);
    assert_eq!(told.code, 1, "{}", told.err);
    assert_eq!(told.err, "error: no\nthe policy before goes on\n");
    let policy = folder
        .path()
        .join("policies/dr.lvs")
        .canonicalize()
        .expect("it is there");
    let asked = format!(
        "{{\"do\":\"reload\",\"policy\":\"{}\"}}\n",
        policy.display()
    );
    assert_eq!(heard.join().expect("it ends"), asked);
    for answer in ["HTTP/1.1 400\n", "{\"version\":1,\"ok\":true}\n", "\u{1}"] {
        let (path, _) = listens(folder.path(), answer);
        let told = ask(folder.path(), &path, &[]);
        assert_eq!(told.code, 2, "{answer}");
        assert!(
            told.err.contains("does not answer as a director"),
            "{}",
            told.err
        );
    }
    // What comes from elsewhere draws nothing on the terminal.
    let (path, _) = listens(
        folder.path(),
        "{\"version\":1,\"ok\":false,\"error\":\"\\u001b[2J\"}\n",
    );
    let told = ask(folder.path(), &path, &["--color", "always"]);
    assert!(!told.err.contains("\u{1b}[2J"), "{:?}", told.err);
}
