//! Files that are watched for what is saved into them.
//!
//! Folders are watched, not files: many editors write a new file and rename it over the old one. What counts is the
//! content, so one save is one piece of news, in however many steps it is made.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::failure::{Failure, folder};

/// How often an interruption is looked for.
const GLANCE: Duration = Duration::from_millis(100);
/// A save is over when so long nothing has happened...
const QUIET: Duration = Duration::from_millis(50);
/// ...or this long after its begin.
const LONGEST: Duration = Duration::from_millis(500);

/// What became of the files.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// These have another content, or are gone, or can be read again: their numbers, in order.
    Changed(Vec<usize>),
    /// A signal asks to end.
    Interrupted,
}

/// Watched files.
pub struct Watch {
    files: Vec<File>,
    events: Receiver<notify::Result<Event>>,
    _watcher: RecommendedWatcher,
}

struct File {
    path: PathBuf,
    /// What was in it; `None` where it could not be read.
    content: Option<Vec<u8>>,
}

impl Watch {
    /// Watches files from here on.
    pub fn begin(paths: &[&Path]) -> Result<Watch, Failure> {
        let (sender, events) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(sender).map_err(|error| failed(&error))?;
        let mut folders = BTreeSet::new();
        for path in paths {
            folders.insert(folder(path).to_owned());
            // Behind a link the file itself may change. One that is not there may come.
            if let Ok(real) = fs::canonicalize(path) {
                folders.insert(folder(&real).to_owned());
            }
        }
        for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
            watcher
                .watch(&folder, RecursiveMode::NonRecursive)
                .map_err(|error| failed(&error))?;
        }
        let files = paths.iter().map(|path| File {
            path: (*path).to_owned(),
            content: fs::read(path).ok(),
        });
        Ok(Watch {
            files: files.collect(),
            events,
            _watcher: watcher,
        })
    }

    /// Waits for news.
    pub fn next(&mut self, stop: &AtomicBool) -> Result<News, Failure> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(News::Interrupted);
            }
            if !self.stirred(GLANCE)? {
                continue;
            }
            let begin = Instant::now();
            while begin.elapsed() < LONGEST && self.stirred(QUIET)? {}
            let changed = self.changed();
            if !changed.is_empty() {
                return Ok(News::Changed(changed));
            }
        }
    }

    /// Whether something was done in the folders within this time.
    fn stirred(&self, within: Duration) -> Result<bool, Failure> {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Ok(event)) if changes(event.kind) => return Ok(true),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(failed(&error)),
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::told("the files are watched no more"));
                }
            }
        }
    }

    /// Looks at the files again.
    fn changed(&mut self) -> Vec<usize> {
        let mut changed = Vec::new();
        for (number, file) in self.files.iter_mut().enumerate() {
            let content = fs::read(&file.path).ok();
            if content != file.content {
                file.content = content;
                changed.push(number);
            }
        }
        changed
    }
}

/// Whether it may change a file; that it is read, by us too, does not.
fn changes(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn failed(error: &notify::Error) -> Failure {
    let remedy = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            Some("let more be watched: sudo sysctl fs.inotify.max_user_watches=524288".to_owned())
        }
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::Io(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => None,
    };
    Failure::Told {
        what: format!("cannot watch the files: {error}"),
        remedy,
    }
}
