//! CPU time that this process has taken, and what the kernel does for it on threads of its own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::sys;

/// Threads on which the kernel goes on with packets that are too many to be done at once (`kernel/softirq.c`).
const NAME: &str = "ksoftirqd/";

/// Whose time is counted.
pub struct Usage {
    threads: Vec<PathBuf>,
}

impl Usage {
    /// The threads of this process and the kernel's; `None` where those cannot be seen.
    pub fn find() -> Option<Usage> {
        let processes = fs::read_dir("/proc").ok()?;
        let is_one = |path: &PathBuf| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with(NAME))
        };
        let paths = processes.filter_map(|entry| Some(entry.ok()?.path()));
        let threads: Vec<PathBuf> = paths
            .filter(is_one)
            .map(|path| path.join("schedstat"))
            .collect();
        let usage = Usage { threads };
        (!usage.threads.is_empty() && usage.now().is_some()).then_some(usage)
    }

    /// What was taken so far. A packet that is handled while a thread sends one is a part of that thread's time, unless the
    /// kernel keeps interrupts apart (`CONFIG_IRQ_TIME_ACCOUNTING`).
    pub fn now(&self) -> Option<Duration> {
        let each = self.threads.iter().map(|path| {
            let text = fs::read_to_string(path).ok()?;
            let nanoseconds = text.split(' ').next()?.parse().ok()?;
            Some(Duration::from_nanos(nanoseconds))
        });
        Some(sys::process_time() + each.sum::<Option<Duration>>()?)
    }
}
