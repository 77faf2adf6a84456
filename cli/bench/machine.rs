//! Where it was measured: times mean nothing without.

use std::fs;

/// Size of the caches where the machine does not tell (bytes).
const CACHE: usize = 32 << 20;
/// More is not gone through (bytes).
const CACHE_MAX: usize = 256 << 20;

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Number of CPUs that this process may use.
    pub cpus: usize,
    /// The kernel and its release.
    pub kernel: String,
    /// Whether it is a virtual one; a processor says so to what runs on it.
    pub is_virtual: bool,
    /// Size of the largest cache (bytes).
    pub cache: usize,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let processor = read("/proc/cpuinfo");
        let line = |key: &str| {
            let found = processor.lines().find(|line| line.starts_with(key));
            found.and_then(|line| Some(line.split_once(": ")?.1.trim()))
        };
        let name = |part: &str| read(&format!("/proc/sys/kernel/{part}")).trim().to_owned();
        let kernel = format!("{} {}", name("ostype"), name("osrelease"));
        let flags = line("flags").unwrap_or_default();
        Machine {
            processor: line("model name")
                .unwrap_or(std::env::consts::ARCH)
                .to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: if kernel.trim().is_empty() {
                std::env::consts::OS.to_owned()
            } else {
                kernel
            },
            is_virtual: flags.split(' ').any(|flag| flag == "hypervisor"),
            cache: cache(),
        }
    }

    /// In a line.
    pub fn words(&self) -> String {
        let cpus = if self.cpus == 1 { "CPU" } else { "CPUs" };
        let place = if self.is_virtual { ", virtual" } else { "" };
        format!(
            "{}; {}, {} {cpus}{place}",
            self.kernel, self.processor, self.cpus
        )
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The largest cache of the first CPU.
fn cache() -> usize {
    let size = |index| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = read(&path);
        let kibibytes: usize = text.trim().strip_suffix('K')?.parse().ok()?;
        kibibytes.checked_mul(1024)
    };
    (0..8).filter_map(size).max().unwrap_or(CACHE)
}

/// Memory that is gone through so that nothing else stays in the caches.
pub struct Eviction {
    words: Vec<u64>,
}

impl Eviction {
    /// Twice what the caches hold.
    pub fn new(machine: &Machine) -> Eviction {
        let bytes = (machine.cache * 2).min(CACHE_MAX);
        Eviction {
            words: vec![1; bytes / size_of::<u64>()],
        }
    }

    /// Goes through it, a write to each cache line.
    pub fn evict(&mut self) {
        const LINE: usize = 64 / size_of::<u64>();
        for word in self.words.iter_mut().step_by(LINE) {
            *word = word.wrapping_add(1);
        }
        std::hint::black_box(&mut self.words);
    }
}

/// Keeps this thread on one CPU until the answer is dropped: the last one, for interrupts and others prefer the first.
#[cfg(target_os = "linux")]
pub fn stay(machine: &Machine) -> lvsc_runtime::sys::OnCpu {
    lvsc_runtime::sys::on_cpu(machine.cpus.saturating_sub(1))
}

/// Nothing keeps a thread on a CPU here.
#[cfg(not(target_os = "linux"))]
pub fn stay(_: &Machine) {}
