//! The command line as people meet it: transcripts, help, and all that can go wrong.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/captures.rs"]
mod captures;
#[cfg(target_os = "linux")]
#[path = "cli/chain.rs"]
mod chain;
#[path = "cli/costs.rs"]
mod costs;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/fmt.rs"]
mod fmt;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/judgement.rs"]
mod judgement;
#[path = "cli/plan.rs"]
mod plan;
#[cfg(target_os = "linux")]
#[path = "cli/reload.rs"]
mod reload;
#[path = "cli/settings.rs"]
mod settings;
mod support;
#[path = "cli/targets.rs"]
mod targets;
#[path = "cli/tools.rs"]
mod tools;
#[path = "cli/transcripts.rs"]
mod transcripts;
#[cfg(target_os = "linux")]
#[path = "cli/watch.rs"]
mod watch;

use std::fs;
use std::path::Path;

use support::{Said, lvsc, root, said};

/// A folder with the project's policies in it, to write in.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let link = |name: &str| {
        std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).expect("a link");
    };
    link("policies");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    };
    let mut names: Vec<String> = entries
        .map(name)
        .filter(|name| name != "policies")
        .collect();
    names.sort();
    names
}

/// It could not, and says so in these words; nothing is written.
fn could_not(folder: &Path, args: &[&str], words: &[&str]) -> Said {
    let before = names(folder);
    let said = said(lvsc(folder).args(args));
    assert_eq!(said.code, 2, "{args:?}\n{}{}", said.out, said.err);
    for word in words {
        assert!(
            said.err.contains(word),
            "{args:?}: no `{word}` in\n{}",
            said.err
        );
    }
    assert_eq!(names(folder), before, "{args:?} leaves something behind");
    said
}
