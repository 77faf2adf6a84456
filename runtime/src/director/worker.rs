//! What one thread does: takes a batch, has its engine decide it, sends what is to be sent, and counts.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lvsc_abi::engine::EngineError;
use lvsc_abi::verdict::Verdict;

use super::event::AnyEngine;
use super::summary::Tally;
use crate::io::{Batch, Inbox, Received, Sent, Sink, Source};

/// An engine, the batch that it decides, and what came of those before.
pub(super) struct Worker<Meta> {
    pub(super) engine: AnyEngine,
    batch: Batch<Meta>,
    pub(super) tally: Tally,
}

impl<Meta> Worker<Meta> {
    pub(super) fn new(engine: AnyEngine) -> Worker<Meta> {
        Worker {
            engine,
            batch: Batch::default(),
            tally: Tally::default(),
        }
    }

    /// Receives a batch, waiting `wait` at most.
    pub(super) fn receive<Io>(&mut self, io: &mut Io, wait: Duration) -> io::Result<Received>
    where
        Io: Source<Meta = Meta>,
    {
        self.batch.clear();
        let mut inbox = Inbox::new(self.engine.as_mut(), &mut self.batch);
        io.receive(wait, &mut inbox)
    }

    /// Forgets the batch: the datapath is off.
    pub(super) fn ignore(&mut self) {
        self.tally.ignored += self.batch.len() as u64;
    }

    /// Decides the batch and sends what is to be sent; gives the engine's failure where it is the first.
    pub(super) fn forward<Io>(&mut self, io: &mut Io) -> io::Result<Option<EngineError>>
    where
        Io: Sink<Meta>,
    {
        self.tally.losses(&self.batch.losses);
        if self.batch.packets.is_empty() {
            // What could not be sent before is not to wait for the next frame.
            return io.flush().map(|()| None);
        }
        let (begin, before) = (Instant::now(), self.engine.inside());
        let decided = self.engine.process(&mut self.batch.packets);
        let inside = self.engine.inside().zip(before);
        let spent = inside.map_or(begin.elapsed(), |(after, before)| {
            after.saturating_sub(before)
        });
        self.tally.spent(spent, self.batch.packets.len());
        let failure = decided.err().filter(|error| self.tally.failed(error));
        for (packet, meta) in self.batch.packets.iter().zip(&self.batch.metas) {
            let room = self.engine.room(packet.room);
            let frame = room.get(packet.range()).unwrap_or_default();
            match packet.verdict {
                Verdict::Drop => self.tally.drop += 1,
                Verdict::Pass => {
                    io.pass(meta, frame)?;
                    self.tally.pass += 1;
                }
                Verdict::Send => match io.send(packet, meta, frame)? {
                    Sent::Gone => self.tally.send += 1,
                    Sent::Lost => self.tally.unsent += 1,
                },
            }
        }
        io.flush()?;
        Ok(failure)
    }
}

/// A worker of a thread of its own. It is lent to that thread for a batch at a time.
pub(super) struct Hand<Meta> {
    worker: Arc<Mutex<Worker<Meta>>>,
    gate: Arc<Gate>,
    enabled: Arc<AtomicBool>,
}

impl<Meta> Hand<Meta> {
    /// Receives a batch of what is there and forwards it, unless all wait for the director; gives whether there was any, and
    /// the engine's failure where it is the first. Who has the worker waits for no frame: all others would wait with it.
    pub(super) fn turn<Io>(&self, io: &mut Io) -> io::Result<(bool, Option<EngineError>)>
    where
        Io: Source<Meta = Meta> + Sink<Meta>,
    {
        self.gate.pass();
        let mut worker = lock(&self.worker);
        worker.receive(io, Duration::ZERO)?;
        let came = !worker.batch.is_empty();
        if self.enabled.load(Ordering::Relaxed) {
            return Ok((came, worker.forward(io)?));
        }
        worker.ignore();
        Ok((came, None))
    }
}

/// The workers besides the director's own.
pub(super) struct Crew<Meta> {
    workers: Vec<Arc<Mutex<Worker<Meta>>>>,
    gate: Arc<Gate>,
}

impl<Meta> Default for Crew<Meta> {
    fn default() -> Crew<Meta> {
        Crew {
            workers: Vec::new(),
            gate: Arc::default(),
        }
    }
}

impl<Meta> Crew<Meta> {
    /// One worker more; its thread forwards where the switch is on.
    pub(super) fn hire(&mut self, engine: AnyEngine, enabled: &Arc<AtomicBool>) -> Hand<Meta> {
        let worker = Arc::new(Mutex::new(Worker::new(engine)));
        self.workers.push(Arc::clone(&worker));
        Hand {
            worker,
            gate: Arc::clone(&self.gate),
            enabled: Arc::clone(enabled),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// What each has counted.
    pub(super) fn tallies(&self) -> impl Iterator<Item = Tally> {
        self.workers.iter().map(|worker| lock(worker).tally.clone())
    }

    /// Stops all between two batches, until what is given is dropped.
    pub(super) fn pause(&self) -> Paused<'_, Meta> {
        let closed = Closed::of(&self.gate);
        Paused {
            workers: self.workers.iter().map(|worker| lock(worker)).collect(),
            _closed: closed,
        }
    }
}

/// Workers that stand still. They go on behind the gate once nobody holds them.
pub(super) struct Paused<'a, Meta> {
    pub(super) workers: Vec<MutexGuard<'a, Worker<Meta>>>,
    _closed: Closed<'a>,
}

/// What a thread passes between two batches. A lock alone does not do: who has just let go of it gets it first.
#[derive(Default)]
struct Gate {
    is_closed: AtomicBool,
    opened: (Mutex<()>, Condvar),
}

impl Gate {
    fn pass(&self) {
        if !self.is_closed.load(Ordering::Acquire) {
            return;
        }
        let (lock, opened) = &self.opened;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = |(): &mut ()| self.is_closed.load(Ordering::Acquire);
        let _opened = opened
            .wait_while(guard, closed)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// A gate that is closed as long as this lives.
struct Closed<'a>(&'a Gate);

impl Closed<'_> {
    fn of(gate: &Gate) -> Closed<'_> {
        gate.is_closed.store(true, Ordering::Release);
        Closed(gate)
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        let (lock, opened) = &self.0.opened;
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.is_closed.store(false, Ordering::Release);
        opened.notify_all();
    }
}

/// A worker whose thread has panicked counts as it stands: the panic itself ends the run ([`Alarm`]).
fn lock<Meta>(worker: &Mutex<Worker<Meta>>) -> MutexGuard<'_, Worker<Meta>> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a run where the thread that has this panics: nobody else takes its packets, and those who wait for it do so for ever.
pub(super) struct Alarm<'a>(pub(super) &'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
