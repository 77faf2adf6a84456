//! One line on a terminal that says how far a long work is. Nothing anywhere else, and nothing in the first 500 ms.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::Ui;

const AFTER: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_millis(100);

/// The line.
pub struct Progress {
    noun: &'static str,
    next: Option<Instant>,
    drawn: bool,
}

impl Progress {
    /// A line that counts `noun`s.
    pub fn new(ui: &Ui, noun: &'static str) -> Progress {
        Progress {
            noun,
            next: ui.draws().then(|| Instant::now() + AFTER),
            drawn: false,
        }
    }

    /// `done` of `all` are done.
    pub fn at(&mut self, done: usize, all: usize) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + EVERY);
        self.drawn = true;
        let _ = write!(io::stderr(), "\r\x1b[K{done} of {all} {}", self.noun);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
