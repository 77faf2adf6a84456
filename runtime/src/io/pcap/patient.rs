//! A file that is read until somebody asks to stop: a pipe may have nothing to say for a long time.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A stop is seen at least so often.
const WAIT: Duration = Duration::from_millis(50);

/// The file. A read that is stopped is an error.
pub(super) struct Patient {
    file: File,
    stop: Arc<AtomicBool>,
}

impl Patient {
    /// Opens it, without waiting for the writer of a pipe.
    pub(super) fn open(path: &Path, stop: Arc<AtomicBool>) -> Result<Patient> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = options.open(path)?;
        Ok(Patient { file, stop })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while !self.stop.load(Ordering::Relaxed) {
            if crate::sys::poll(&[self.file.as_raw_fd()], WAIT)? == [0] {
                continue;
            }
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
        // Not `Interrupted`, which readers take for a reason to try again.
        Err(Error::other("stopped"))
    }
}
