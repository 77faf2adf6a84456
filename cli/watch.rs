//! Files that are watched for what is saved into them.
//!
//! Folders are watched, not files: many editors write a new file and rename it over the old one. What counts is the
//! content, so one save is one piece of news, in however many steps it is made.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::config::Chosen;
use crate::failure::{Failure, folder};

/// How often it is looked whether somebody waits still.
pub const GLANCE: Duration = Duration::from_millis(100);
/// A save is over when so long nothing has happened...
const QUIET: Duration = Duration::from_millis(50);
/// ...or this long after its begin.
const LONGEST: Duration = Duration::from_millis(500);

/// What became of the files.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// These have another content, or are gone, or can be read again.
    Changed(BTreeSet<PathBuf>),
    /// Nobody waits for any more.
    Interrupted,
}

/// What is known of a file that is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was read, and this was in it.
    Content(Vec<u8>),
    /// It could not be read.
    Nothing,
    /// It was not looked at yet: whatever is in it then is no news.
    Unread,
}

/// Files, and what is known of each.
pub type Files = BTreeMap<PathBuf, Known>;

/// The file that is watched for a policy; `usage` is a command that has one.
pub fn file<'a>(chosen: &'a Chosen, usage: &str) -> Result<&'a Path, Failure> {
    chosen.file().ok_or_else(|| Failure::Told {
        what: format!("{} is no file that could be watched", chosen.name()),
        remedy: Some(format!("name one: {usage}")),
    })
}

/// Watched files.
pub struct Watch {
    /// What was in each; `None` where it could not be read.
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    folders: BTreeSet<PathBuf>,
    events: Receiver<notify::Result<Event>>,
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches nothing yet.
    pub fn begin() -> Result<Watch, Failure> {
        let (sender, events) = mpsc::channel();
        Ok(Watch {
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            events,
            watcher: notify::recommended_watcher(sender).map_err(|error| failed(&error))?,
        })
    }

    /// Watches just these files from here on. What was in those that were watched before is known; of the others it is what
    /// was read of them, where that is told: a save since then is news.
    pub fn set(&mut self, files: Files) -> Result<(), Failure> {
        self.files.retain(|path, _| files.contains_key(path));
        for (path, known) in files {
            // Behind a link the file itself may change. One that is not there may come.
            let real = fs::canonicalize(&path).ok();
            for path in [Some(&path), real.as_ref()].into_iter().flatten() {
                let folder = folder(path);
                if folder.is_dir() && self.folders.insert(folder.to_owned()) {
                    self.watcher
                        .watch(folder, RecursiveMode::NonRecursive)
                        .map_err(|error| failed(&error))?;
                }
            }
            if let Entry::Vacant(new) = self.files.entry(path) {
                let content = match known {
                    Known::Content(content) => Some(content),
                    Known::Nothing => None,
                    Known::Unread => fs::read(new.key()).ok(),
                };
                new.insert(content);
            }
        }
        Ok(())
    }

    /// Waits for news until `over`.
    pub fn next(&mut self, over: impl Fn() -> bool) -> Result<News, Failure> {
        // Perhaps before the folder was watched.
        let mut files = self.files.iter();
        let mut saved = files.any(|(path, known)| fs::read(path).ok() != *known);
        loop {
            if over() {
                return Ok(News::Interrupted);
            }
            if !saved && !self.stirred(GLANCE)? {
                continue;
            }
            saved = false;
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
    fn changed(&mut self) -> BTreeSet<PathBuf> {
        let mut changed = BTreeSet::new();
        for (path, known) in &mut self.files {
            let content = fs::read(path).ok();
            if content != *known {
                *known = content;
                changed.insert(path.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_between_reading_and_watching_is_news() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["read.lvs", "missing.lvs", "unread.lvs"];
        let [read, missing, unread] = names.map(|name| folder.path().join(name));
        for path in [&read, &missing, &unread] {
            fs::write(path, "new").expect("a file");
        }
        let mut watch = Watch::begin().expect("it can be watched");
        let files = [
            (read.clone(), Known::Content(b"old".to_vec())),
            (missing.clone(), Known::Nothing),
            (unread, Known::Unread),
        ];
        watch.set(files.into()).expect("a folder that is there");
        let news = watch.next(|| false).expect("news");
        assert_eq!(news, News::Changed(BTreeSet::from([read, missing])));
    }
}
