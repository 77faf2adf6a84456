//! Load on a wire: a train of packets is sent, and what comes back is counted.

use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lvsc_abi::train::{Feeder, Sink, Train};

use super::usage::Usage;
use super::wire::Wire;
use crate::engine::xdp::LoadError;
use crate::engine::xdp::live::{Counter, Generator};
use crate::sys;
use crate::sys::namespace::Namespace;

/// Packets that are sent by one call, and those that may be on their way: fewer than the director's rings take.
const BURST: u32 = 256;
const WINDOW: u64 = 1024;
/// Packets of one call where they are to come evenly.
const STEP: u32 = 64;
/// Between two looks at what has come.
const PAUSE: Duration = Duration::from_micros(20);
/// What has not come by then is lost.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was sent, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets sent.
    pub sent: u64,
    /// Packets that have come back.
    pub came: u64,
    /// From the first one until the last one was sent or had come.
    pub elapsed: Duration,
    /// CPU time of this process and of the kernel for it, where that can be told.
    pub busy: Option<Duration>,
}

impl Sent {
    /// Packets that have not come back.
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.came)
    }
}

/// A generator on its wire.
pub struct Load {
    place: Namespace,
    ends: Arc<Ends>,
}

struct Ends {
    generator: Generator,
    counter: Counter,
    usage: Option<Usage>,
    cpu: usize,
}

impl Load {
    /// Sends a train by the interface with this number, from this CPU.
    pub fn open(
        wire: &Wire,
        ingress: u8,
        (train, feeder, sink): (&Train, Feeder, Sink),
        cpu: usize,
    ) -> Result<std::result::Result<Load, LoadError>> {
        let (devices, train) = (wire.indices(), train.clone());
        let device = devices.get(usize::from(ingress)).copied();
        let device = device.ok_or_else(|| Error::other("no such interface"))?;
        let made = wire.generator.run(move || {
            // Without a program on its end a veth device takes no frames that a program sends.
            let counter = Counter::open(&sink, &devices)?;
            let generator = Generator::open(&feeder, &train, device)?;
            Ok(Ends {
                generator,
                counter,
                usage: Usage::find(),
                cpu,
            })
        })?;
        Ok(made.map(|ends| Load {
            place: wire.generator.clone(),
            ends: Arc::new(ends),
        }))
    }

    /// Sends as fast as packets come back, until there were so many, the time is over, or `stop` is true.
    pub fn flood(&self, packets: u64, time: Duration, stop: &Arc<AtomicBool>) -> Result<Sent> {
        let (ends, stop) = (Arc::clone(&self.ends), Arc::clone(stop));
        let flood = move || {
            let _here = sys::on_cpu(ends.cpu);
            ends.flood(packets, time, &stop)
        };
        self.place.run(flood)?
    }

    /// Sends so many packets a second from now on.
    pub fn steady(&self, rate: u64) -> Steady {
        let (ends, stop) = (Arc::clone(&self.ends), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = self.place.spawn(move || {
            let _here = sys::on_cpu(ends.cpu);
            ends.steady(rate, &stopped)
        });
        Steady {
            stop,
            thread: Some(thread),
        }
    }
}

/// A generator that sends until it is ended, or dropped.
pub struct Steady {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Result<Sent>>>>,
}

impl Steady {
    /// Whether it has ended by itself: it could not send.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it; gives what was sent and has come.
    pub fn end(mut self) -> Result<Sent> {
        let ended = self.halt().and_then(std::result::Result::ok);
        ended.unwrap_or_else(|| Err(Error::other("the thread died")))?
    }

    fn halt(&mut self) -> Option<thread::Result<Result<Result<Sent>>>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join)
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        drop(self.halt());
    }
}

/// What is on its way.
struct Course<'a> {
    ends: &'a Ends,
    begin: Instant,
    before: Option<Duration>,
    first: u64,
    sent: u64,
    came: u64,
    /// Packets that nobody waits for any more.
    forgotten: u64,
    /// When one was last sent or came, and when they were last given up.
    last: Instant,
    quiet: Instant,
}

impl Course<'_> {
    fn begin(ends: &Ends) -> Result<Course<'_>> {
        let now = Instant::now();
        Ok(Course {
            ends,
            begin: now,
            before: ends.usage.as_ref().and_then(Usage::now),
            first: ends.counter.packets()?,
            sent: 0,
            came: 0,
            forgotten: 0,
            last: now,
            quiet: now,
        })
    }

    fn send(&mut self, packets: u32) -> Result<()> {
        self.ends.generator.send(packets)?;
        self.sent += u64::from(packets);
        self.last = Instant::now();
        Ok(())
    }

    /// Packets that are on their way.
    fn outstanding(&mut self) -> Result<u64> {
        let came = self.ends.counter.packets()? - self.first;
        if came > self.came {
            self.came = came;
            self.last = Instant::now();
            self.quiet = self.last;
        } else if self.quiet.elapsed() > PATIENCE {
            self.forgotten = self.sent.saturating_sub(came);
            self.quiet = Instant::now();
        }
        Ok(self.sent.saturating_sub(self.came + self.forgotten))
    }

    /// Waits for what is on its way.
    fn end(mut self) -> Result<Sent> {
        self.quiet = Instant::now();
        while self.outstanding()? > 0 {
            thread::sleep(PAUSE);
        }
        let now = self.ends.usage.as_ref().and_then(Usage::now);
        Ok(Sent {
            sent: self.sent,
            came: self.came,
            elapsed: self.last - self.begin,
            busy: now
                .zip(self.before)
                .map(|(now, before)| now.saturating_sub(before)),
        })
    }
}

impl Ends {
    fn flood(&self, packets: u64, time: Duration, stop: &AtomicBool) -> Result<Sent> {
        let mut course = Course::begin(self)?;
        while course.sent < packets
            && course.begin.elapsed() < time
            && !stop.load(Ordering::Relaxed)
        {
            if course.outstanding()? + u64::from(BURST) > WINDOW {
                thread::sleep(PAUSE);
            } else {
                course.send((packets - course.sent).min(BURST.into()) as u32)?;
            }
        }
        course.end()
    }

    fn steady(&self, rate: u64, stop: &AtomicBool) -> Result<Sent> {
        let mut course = Course::begin(self)?;
        let burst = Duration::from_nanos(1_000_000_000 * u64::from(STEP) / rate.max(1));
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            course.send(STEP)?;
            // Who comes late is not made up for: that would be a burst that nobody asked for.
            due = (due + burst).max(Instant::now());
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        course.end()
    }
}
