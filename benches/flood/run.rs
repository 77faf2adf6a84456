//! A flood of openings against one engine: what becomes of the flows that are established, and of the openings.

use std::time::{Duration, Instant};

use lvsc_abi::engine::{BATCH, EngineError, Packet, Room};
use lvsc_abi::image::{Bytes, Image, Width, count};
use lvsc_abi::layout::load;
use lvsc_abi::loads;
use lvsc_abi::manifest::{CounterKind, Manifest};
use lvsc_abi::publish::publish;
use lvsc_abi::train::Train;
use lvsc_abi::verdict::Verdict;
use lvsc_abi::world::World;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::director::AnyEngine;
use lvsc_runtime::sweep::Sweeper;

use crate::engines::Kind;

/// Length of a frame (bytes).
const LENGTH: usize = 60;
/// So many that whoever has lost his backend hardly gets the same one again, also in turn.
const BACKENDS: u8 = 61;
/// Openings differ in address and port: so many may.
const OPENINGS_MAX: u32 = 1 << 24;
/// One established flow for so many places, so that each has one.
const SHARE: u32 = 16;
/// Parts of a flood. Behind each one time goes on, and every established flow sends a packet.
const PARTS: u32 = 20;
/// Seconds of a part: openings that nothing confirms are forgotten after ten.
const STEP: u64 = 3;
/// Openings that are sent a second time behind the flood.
const AGAIN: u32 = 2048;

/// RFC 9293, section 3.1.
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// What a pool is flooded with.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    pub scheduler: &'static str,
    /// Entries of its table.
    pub entries: u32,
    /// TCP SYN, each of another flow.
    pub openings: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub established: u32,
    /// Established flows of which a packet went to another backend than its opening, or to none.
    pub lost: u32,
    /// Openings that found no place: what the pool's counter says.
    pub refused: u64,
    /// Openings that were sent nowhere.
    pub unsent: u32,
    /// Of those that were sent twice at one time, those that went to two backends, or were counted otherwise.
    pub strayed: u64,
    /// Backends whose flows are counted otherwise than the table has them.
    pub miscounted: u32,
    /// Of the openings alone.
    pub taken: Duration,
}

impl Outcome {
    /// What must not be.
    pub fn is_wrong(&self) -> bool {
        let Outcome {
            lost,
            unsent,
            strayed,
            miscounted,
            ..
        } = *self;
        (lost, unsent, strayed, miscounted) != (0, 0, 0, 0)
    }
}

type Frame = [u8; LENGTH];
/// Where a frame goes: the destination's MAC.
type Goes = Option<[u8; 6]>;

/// Floods an engine. Panics where it is wrong itself.
pub fn run(kind: &Kind, flood: Flood) -> Result<Outcome, EngineError> {
    let pipeline = policy(flood);
    let made = kind.make(&pipeline);
    let mut director = Director::new(made.unwrap_or_else(|failure| panic!("{failure}")), pipeline);
    let mut outcome = Outcome {
        established: flood.entries / SHARE,
        ..Outcome::default()
    };
    let frames = |flags| (0..outcome.established).map(move |flow| established(flow, flags));
    let opened = director.sent(frames(SYN))?;
    let mut lives = vec![true; opened.len()];
    let mut look = |director: &mut Director| -> Result<(), EngineError> {
        let now = director.sent(frames(ACK))?;
        for ((lives, first), now) in lives.iter_mut().zip(&opened).zip(&now) {
            *lives &= first.is_some() && first == now;
        }
        Ok(())
    };
    look(&mut director)?;
    assert_eq!(director.refused(), 0, "each established flow has a place");
    let train = train();
    for part in 0..PARTS {
        let border = |part| (u64::from(flood.openings) * u64::from(part) / u64::from(PARTS)) as u32;
        let begin = Instant::now();
        for number in (border(part)..border(part + 1)).step_by(BATCH) {
            let end = border(part + 1).min(number + BATCH as u32);
            let went = director.sent((number..end).map(|number| opening(&train, number)))?;
            outcome.unsent += went.iter().filter(|goes| goes.is_none()).count() as u32;
        }
        outcome.taken += begin.elapsed();
        director.advance(STEP);
        look(&mut director)?;
    }
    outcome.refused = director.refused();
    outcome.lost = lives.iter().filter(|lives| !**lives).count() as u32;
    let last = flood.openings.saturating_sub(AGAIN)..flood.openings;
    let mut twice = [0, 0].map(|_| {
        let before = director.refused();
        let went = director.sent(last.clone().map(|number| opening(&train, number)));
        went.map(|went| (went, director.refused() - before))
    });
    let [first, second] = &mut twice;
    if let (Ok((went, refused)), Ok((then, again))) = (first, second) {
        let strayed = went.iter().zip(then).filter(|(went, then)| went != then);
        outcome.strayed = strayed.count() as u64 + refused.abs_diff(*again);
    }
    outcome.miscounted = director.miscounted();
    for done in twice {
        done?;
    }
    Ok(outcome)
}

/// An engine and who keeps its image.
struct Director {
    engine: AnyEngine,
    manifest: Manifest,
    world: World,
    sweeper: Sweeper,
}

impl Director {
    fn new(mut engine: AnyEngine, pipeline: Pipeline) -> Director {
        let manifest = pipeline.manifest;
        let world = World::for_tests(&manifest);
        publish(&manifest, &world, engine.image_mut());
        Director {
            engine,
            manifest,
            world,
            sweeper: Sweeper::default(),
        }
    }

    /// Time goes on, second by second.
    fn advance(&mut self, seconds: u64) {
        for _ in 0..seconds {
            let before = self.world.seconds;
            self.world.seconds += 1;
            let (image, now) = (self.engine.image_mut(), self.world.seconds);
            self.sweeper.advance(&self.manifest, (before, now), image);
            lvsc_abi::publish::publish_time(&self.world, image);
        }
    }

    /// Where these frames go.
    fn sent(&mut self, frames: impl Iterator<Item = Frame>) -> Result<Vec<Goes>, EngineError> {
        let mut went = Vec::new();
        let mut frames = frames.peekable();
        while frames.peek().is_some() {
            let mut packets = Vec::new();
            for (index, frame) in frames.by_ref().take(BATCH).enumerate() {
                let packet = Packet::arrived(Room::slot(index), LENGTH as u16, 0);
                self.engine.slot(index)[packet.range()].copy_from_slice(&frame);
                packets.push(packet);
            }
            self.engine.process(&mut packets)?;
            went.extend(packets.iter().map(|packet| {
                let frame = &self.engine.room(packet.room)[packet.range()];
                let to = frame.first_chunk::<6>().copied();
                to.filter(|_| packet.verdict == Verdict::Send)
            }));
        }
        Ok(went)
    }

    fn refused(&self) -> u64 {
        let counter = self.manifest.counter(CounterKind::Refused, "web");
        counter.map_or(0, |counter| count(self.engine.image(), counter).packets)
    }

    fn miscounted(&self) -> u32 {
        let image = self.engine.image();
        let Some((_, section)) = image.layout().named("loads.web") else {
            return 0;
        };
        let mut anew = Bytes::new(image.layout().clone());
        let own = ["flows.web", "loads.web"].map(|name| image.layout().named(name));
        for (_, section) in own.into_iter().flatten() {
            let mut words = vec![0; (section.size() / 8) as usize];
            image.words(section.offset, &mut words);
            for (at, word) in (section.offset..).step_by(8).zip(words) {
                anew.store(at, Width::B8, word);
            }
        }
        for pool in &self.manifest.pools {
            loads::recount(pool, &mut anew);
        }
        let counts = |image: &dyn Image, id| image.load(section.at(id, load::COUNTS), Width::B8);
        let ids = 0..u64::from(section.length);
        ids.filter(|id| counts(image, *id) != counts(&anew, *id))
            .count() as u32
    }
}

fn policy(flood: Flood) -> Pipeline {
    let backends = (1..=BACKENDS).map(|last| format!("  backend rs{last} 192.0.2.{last}\n"));
    let text = format!(
        "pool web {{\n  scheduler {}\n{}  flows {}\n}}\n\
         match ip.dst == 192.0.2.200 and tcp.dst == 80 {{ select rs from web; dr(rs) }}\n",
        flood.scheduler,
        backends.collect::<String>(),
        flood.entries
    );
    let compiled = lvsc_front::compile("flood.lvs", &text);
    compiled.pipeline.unwrap_or_else(|| panic!("{text}"))
}

/// A segment to the VIP, from this address and port.
fn segment(source: [u8; 4], port: u16, flags: u8) -> Frame {
    let mut frame = [0; LENGTH];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0xff, 0, 1, 8, 0]);
    frame[14..26].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame[26..30].copy_from_slice(&source);
    frame[30..34].copy_from_slice(&[192, 0, 2, 200]);
    frame[34..36].copy_from_slice(&port.to_be_bytes());
    frame[36..38].copy_from_slice(&80_u16.to_be_bytes());
    frame[46] = 0x50; // five words of header
    frame[47] = flags;
    frame
}

fn established(flow: u32, flags: u8) -> Frame {
    let [_, high, low, last] = flow.to_be_bytes();
    segment([10, high, low, last], 50_000, flags)
}

fn train() -> Train {
    let ways = Train::ways(&segment([198, 18, 0, 0], 40_000, SYN), OPENINGS_MAX);
    ways.into_iter().next().expect("an address and a port")
}

fn opening(train: &Train, number: u32) -> Frame {
    let mut frame = [0; LENGTH];
    train.write(number, &mut frame);
    frame
}
