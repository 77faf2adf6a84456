//! How one is given the packets of a train and timed: frames that are handed over in batches, or a program in the kernel.

use std::time::{Duration, Instant};

use lvsc_abi::engine::{BATCH, HEADROOM, Packet, Room};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::train::Train;
use lvsc_abi::verdict::Verdict;
use lvsc_abi::world::World;
use lvsc_runtime::director::AnyEngine;
use lvsc_runtime::publish::publish;

use crate::failure::Failure;
use crate::testing;

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What was decided.
    pub verdict: Verdict,
    /// The frame as it is then.
    pub frame: Vec<u8>,
}

/// Something that decides the packets of a train.
pub trait Lane {
    /// Begins anew: with this train's first packet, and no state but what the control plane has filled in.
    fn begin(&mut self, train: &Train) -> Result<(), Failure>;

    /// Decides the next packet.
    fn next(&mut self) -> Result<Decided, Failure>;

    /// Decides the next packets, a multiple of a batch; gives the time that the decisions take while nobody else has the
    /// CPU. `before` is called whenever frames are in their places and nothing is timed.
    fn run(&mut self, packets: u32, before: &mut dyn FnMut()) -> Result<Duration, Failure>;
}

/// What the control plane knows: the manifest, and what was true, one after the other; the last one is.
pub type State<'a> = (&'a Manifest, &'a [World]);

/// An engine whose image is filled from worlds.
pub struct Filled {
    engine: AnyEngine,
    manifest: Manifest,
    worlds: Vec<World>,
}

impl Filled {
    /// The engine of this manifest.
    pub fn new(engine: AnyEngine, (manifest, worlds): State<'_>) -> Filled {
        Filled {
            engine,
            manifest: manifest.clone(),
            worlds: worlds.to_vec(),
        }
    }

    fn begin(&mut self) {
        testing::empty(self.engine.image_mut());
        for world in &self.worlds {
            publish(&self.manifest, world, self.engine.image_mut());
        }
    }
}

/// An engine that is handed its packets.
pub struct Batches {
    of: Filled,
    train: Train,
    ingress: u8,
    /// Of the next packet.
    number: u32,
    packets: Vec<Packet>,
    /// Of the batches of a run.
    times: Vec<Duration>,
}

impl Batches {
    /// The engine, its manifest and its worlds; packets come by this interface.
    pub fn new(engine: AnyEngine, state: State<'_>, ingress: u8) -> Batches {
        Batches {
            of: Filled::new(engine, state),
            train: Train {
                frame: Vec::new(),
                marks: Vec::new(),
                flows: 1,
            },
            ingress,
            number: 0,
            packets: Vec::with_capacity(BATCH),
            times: Vec::new(),
        }
    }

    /// Restores the frames of the next batch: not timed.
    fn place(&mut self, count: usize) {
        self.packets.clear();
        for index in 0..count {
            let slot = self.of.engine.slot(index);
            let place = slot.get_mut(HEADROOM as usize..).unwrap_or_default();
            self.train.write(self.number, place);
            self.number = self.number.wrapping_add(1);
            let length = self.train.frame.len() as u16;
            self.packets
                .push(Packet::arrived(Room::slot(index), length, self.ingress));
        }
    }

    /// The time of the decisions alone, where the engine tells it.
    fn decide(&mut self) -> Result<Duration, Failure> {
        let engine = &mut self.of.engine;
        let (before, begin) = (engine.inside(), Instant::now());
        let done = engine.process(&mut self.packets);
        let elapsed = begin.elapsed();
        done.map_err(|error| Failure::told(format_args!("{}: {error}", engine.name())))?;
        let inside = engine.inside().zip(before);
        Ok(inside.map_or(elapsed, |(after, before)| after.saturating_sub(before)))
    }
}

impl Lane for Batches {
    fn begin(&mut self, train: &Train) -> Result<(), Failure> {
        self.of.begin();
        self.train = train.clone();
        self.number = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<Decided, Failure> {
        self.place(1);
        self.decide()?;
        let packet = self.packets.first().copied();
        let packet = packet.unwrap_or(Packet::arrived(Room::slot(0), 0, self.ingress));
        let frame = self.of.engine.slot(0).get(packet.range());
        Ok(Decided {
            verdict: packet.verdict,
            frame: frame.unwrap_or_default().to_vec(),
        })
    }

    fn run(&mut self, packets: u32, before: &mut dyn FnMut()) -> Result<Duration, Failure> {
        // Whole batches, and their median: it does not know of those in which others had the CPU.
        let batches = packets.div_ceil(BATCH as u32);
        self.times.clear();
        for _ in 0..batches {
            self.place(BATCH);
            before();
            let taken = self.decide()?;
            self.times.push(taken);
        }
        self.times.sort_unstable();
        let median = self.times.get(self.times.len() / 2).copied();
        Ok(median.unwrap_or_default() * batches)
    }
}

#[cfg(target_os = "linux")]
pub use self::kernel::Behind;

#[cfg(target_os = "linux")]
mod kernel {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use lvsc_abi::train::Train;
    use lvsc_abi::verdict::Verdict;
    use lvsc_runtime::engine::xdp::LoadError;
    use lvsc_runtime::engine::xdp::replay::Replay;
    use lvsc_target_xdp::feeder;

    use super::{Decided, Filled, Lane};
    use crate::engines::LoadFailure;
    use crate::failure::Failure;

    /// A program in the kernel, behind the one that gives it packets.
    pub struct Behind {
        /// The engine whose program it is, where it is one of ours.
        of: Option<Filled>,
        program: OwnedFd,
        replay: Option<Replay>,
    }

    impl Behind {
        /// The program, and the engine that it is of.
        pub fn new(program: OwnedFd, of: Option<Filled>) -> Behind {
            Behind {
                of,
                program,
                replay: None,
            }
        }

        fn replay(&mut self, packets: u32) -> Result<(Decided, Duration), Failure> {
            let replay = self.replay.as_mut();
            let ran = replay.map(|replay| replay.run(packets)).transpose();
            let ran = ran.map_err(|error| {
                Failure::told(format_args!("the kernel does not run the program: {error}"))
            })?;
            let ran = ran.ok_or_else(|| Failure::Bug {
                what: "a program is run before its packets are known".to_owned(),
            })?;
            let verdict = match ran.returned {
                1 => Verdict::Drop,
                2 => Verdict::Pass,
                3 | 4 => Verdict::Send,
                other => {
                    return Err(Failure::told(format_args!(
                        "the program returned {other}, which is no answer for a packet"
                    )));
                }
            };
            let frame = ran.frame.to_vec();
            Ok((Decided { verdict, frame }, ran.taken))
        }
    }

    impl Lane for Behind {
        fn begin(&mut self, train: &Train) -> Result<(), Failure> {
            if let Some(of) = &mut self.of {
                of.begin();
            }
            let replay = Replay::new(&feeder(train), train, &self.program);
            self.replay = Some(replay.map_err(failed)?);
            Ok(())
        }

        fn next(&mut self) -> Result<Decided, Failure> {
            self.replay(1).map(|(decided, _)| decided)
        }

        fn run(&mut self, packets: u32, before: &mut dyn FnMut()) -> Result<Duration, Failure> {
            before();
            self.replay(packets).map(|(_, taken)| taken)
        }
    }

    fn failed(error: LoadError) -> Failure {
        LoadFailure::from(error).of_ours()
    }
}
