//! `lvsc run` while it runs.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Said, code, interrupt};

/// The longest that a lab may take to end after a signal.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A lab that runs, in a process group of its own.
pub struct Running {
    pub child: Child,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).spawn();
        Running {
            child: child.expect("the binary can be started"),
        }
    }

    pub fn interrupt(&self) {
        interrupt(&self.child);
    }

    /// What it said until its end, which comes soon, and with which nothing of its group is left.
    pub fn end(mut self) -> Said {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("it is ours") {
                Some(status) => break status,
                None if Instant::now() > end => panic!("it does not end"),
                None => sleep(Duration::from_millis(10)),
            }
        };
        let mut said = Said {
            code: code(status),
            out: String::new(),
            err: String::new(),
        };
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        out.expect("it is piped")
            .read_to_string(&mut said.out)
            .expect("text");
        if let Some(mut err) = err {
            err.read_to_string(&mut said.err).expect("text");
        }
        let group = format!("-{}", self.child.id());
        let left = Command::new("kill")
            .args(["-0", "--", &group])
            .stderr(Stdio::null())
            .status();
        assert!(
            !left.expect("there is a `kill`").success(),
            "a process is left"
        );
        said
    }
}

impl Drop for Running {
    /// Where a test has failed, its lab ends all the same, and with it what it made.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-9", "--", &group]).status();
            let _ = self.child.wait();
        }
    }
}
