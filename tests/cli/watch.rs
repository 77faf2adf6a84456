//! `lvsc check --watch`: a real process, and files that are saved the way editors do.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::could_not;
use crate::support::{ended, interrupt, lvsc};

const GOOD: &str = "match ip.dst == 192.0.2.1 { pass }\n";
const WRONG: &str = "match ip.dest == 192.0.2.1 { pass }\n";
const PATIENCE: Duration = Duration::from_secs(10);

/// A watching process, and both of its outputs as lines.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(folder: &Path, args: &[&str]) -> Watching {
        let mut child = lvsc(folder)
            .args(["check", "--watch"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let (sender, lines) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("an output")),
            Box::new(child.stderr.take().expect("an output")),
        ];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let watching = Watching { child, lines };
        watching.hear("watching");
        watching
    }

    /// The lines up to one that contains this.
    fn hear(&self, word: &str) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no `{word}` in {heard:?}");
            };
            heard.push(line);
            if heard.last().is_some_and(|line| line.contains(word)) {
                return heard;
            }
        }
    }

    fn silent(&self) {
        let more = self.lines.recv_timeout(Duration::from_millis(900));
        assert!(more.is_err(), "{more:?}");
    }

    fn interrupted(mut self) {
        interrupt(&self.child);
        assert_eq!(ended(&mut self.child, PATIENCE).code(), Some(130));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill(); // where a test has failed
        let _ = self.child.wait();
    }
}

#[test]
fn every_save_is_checked_once_however_it_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.lvs");
    fs::write(&file, GOOD).expect("a file");
    let watching = Watching::start(folder.path(), &["web.lvs"]);

    fs::write(&file, WRONG).expect("written in place");
    let more = "help: `lvsc explain unknown-field` tells more";
    let heard = watching.hear(more);
    for word in ["error[unknown-field]", "1 error"] {
        assert!(heard.iter().any(|line| line.contains(word)), "{heard:?}");
    }
    watching.silent();

    let new = folder.path().join(".web.lvs.new");
    fs::write(&new, GOOD).expect("a new file");
    fs::rename(&new, &file).expect("renamed over the old one");
    assert_eq!(watching.hear("ok").len(), 1);
    watching.silent();

    // The new file is watched, too, though it is another one.
    fs::write(&file, WRONG).expect("written in place");
    watching.hear(more);
    fs::write(folder.path().join("other.lvs"), WRONG).expect("another file");
    fs::write(&file, WRONG).expect("the same again");
    watching.silent();

    fs::remove_file(&file).expect("removed");
    watching.hear("cannot read web.lvs");
    watching.hear("help: ");
    fs::write(&file, GOOD).expect("and made again");
    watching.hear("ok");
    watching.interrupted();
}

#[test]
fn several_files_are_watched_and_a_link_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let real = tempfile::tempdir().expect("a folder");
    fs::write(real.path().join("real.lvs"), GOOD).expect("a file");
    fs::write(folder.path().join("a.lvs"), GOOD).expect("a file");
    let link = folder.path().join("link.lvs");
    std::os::unix::fs::symlink(real.path().join("real.lvs"), link).expect("a link");
    let args = ["a.lvs", "link.lvs", "--format", "json"];
    let watching = Watching::start(folder.path(), &args);
    fs::write(real.path().join("real.lvs"), WRONG).expect("written");
    // What was said before may be heard late: it comes by the other output.
    let heard = watching.hear("\"ok\":false");
    let last = heard.last().expect("a line");
    let said: serde_json::Value = serde_json::from_str(last).expect("a line is an object");
    assert_eq!(
        (&said["policy"], &said["ok"]),
        (&"link.lvs".into(), &false.into())
    );
    fs::write(folder.path().join("a.lvs"), WRONG).expect("written");
    assert!(watching.hear("\"ok\":false")[0].contains("\"a.lvs\""));
    watching.interrupted();
}

#[test]
fn only_files_are_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    could_not(
        path,
        &["check", "--watch", "-"],
        &["<stdin> is no file", "help: name one"],
    );
    could_not(
        path,
        &["check", "--watch", "none.lvs"],
        &["cannot read none.lvs"],
    );
}
