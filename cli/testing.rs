//! One `test` block of a policy on one engine.

mod expect;
mod judge;
mod sides;

pub use self::sides::sides;

use std::time::Duration;

use lvsc_abi::engine::{Engine, Packet, Room};
use lvsc_abi::image::{self, Image, Width};
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{CounterKind, Manifest};
use lvsc_abi::notation::{self, Defaults, Layer};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;
use lvsc_front::policy::{Test, TestKind, TestStep};
use lvsc_pipeline::pipeline::{InterfaceId, Pipeline, PoolId};
use lvsc_runtime::publish::publish;
use lvsc_runtime::sweep::Sweeper;
use lvsc_runtime::world::World;

/// Source MAC of packets that say none: no interface and no backend of a test has it.
const CLIENT: Mac = Mac([0x02, 0x00, 0x00, 0xff, 0x00, 0x01]);

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line that does not hold.
    pub place: Place,
    /// Why.
    pub what: String,
    /// The packet that it is about, where it is about one.
    pub frames: Option<Frames>,
}

/// The frames of a failed expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// As it came.
    pub came: Vec<u8>,
    /// As it should have left, where exactly one frame would have been right.
    pub expected: Option<Vec<u8>>,
    /// As it left, or lay there when it was decided.
    pub actual: Vec<u8>,
    /// What was decided.
    pub verdict: Verdict,
}

/// What became of a packet.
#[derive(Clone, Debug)]
pub struct Passage {
    /// As it came.
    pub came: Vec<u8>,
    /// By which interface.
    pub ingress: u8,
    /// As it left.
    pub left: Vec<u8>,
    /// What was decided.
    pub verdict: Verdict,
    /// By which interface it left.
    pub egress: u8,
    /// Why it was dropped, if it was.
    pub reason: Option<String>,
    /// The backend that counted it: pool and id.
    pub backend: Option<(PoolId, u16)>,
}

/// Runs a test on an engine, from an empty state.
pub fn run(pipeline: &Pipeline, test: &Test, engine: &mut dyn Engine) -> Result<(), Fault> {
    empty(engine.image_mut());
    let mut running = Running {
        pipeline,
        world: World::for_tests(&pipeline.manifest),
        clock: Duration::ZERO,
        sweeper: Sweeper::default(),
        engine,
        last: None,
        earlier: None,
    };
    running.publish();
    test.steps.iter().try_for_each(|step| running.step(step))
}

/// What is wrong with what became of a packet.
struct Wrong {
    what: String,
    /// The part of the line that does not hold, where it is not all of it.
    place: Option<Place>,
    /// The only frame that would have been right.
    expected: Option<Vec<u8>>,
}

impl Wrong {
    fn plain(what: impl Into<String>) -> Wrong {
        Wrong {
            what: what.into(),
            place: None,
            expected: None,
        }
    }

    /// The fault of a line that is about this packet.
    fn fault(self, line: Place, passage: &Passage) -> Fault {
        Fault {
            place: self.place.unwrap_or(line),
            what: self.what,
            frames: Some(Frames {
                came: passage.came.clone(),
                expected: self.expected,
                actual: passage.left.clone(),
                verdict: passage.verdict,
            }),
        }
    }
}

struct Running<'a> {
    pipeline: &'a Pipeline,
    world: World,
    /// Since the test began.
    clock: Duration,
    sweeper: Sweeper,
    engine: &'a mut dyn Engine,
    last: Option<Passage>,
    /// The backend of the packet before the last one.
    earlier: Option<(PoolId, u16)>,
}

impl Running<'_> {
    fn step(&mut self, step: &TestStep) -> Result<(), Fault> {
        match &step.kind {
            TestKind::Send { layers, interface } => {
                let passage = self.send(layers, *interface);
                let passage = passage.map_err(|what| without_packet(step.place, what))?;
                let last = self.last.replace(passage);
                self.earlier = last.and_then(|last| last.backend);
                Ok(())
            }
            TestKind::Expect {
                verdict,
                reason,
                interface,
                checks,
            } => {
                let expectation = expect::Expectation {
                    verdict: *verdict,
                    reason: reason.as_deref(),
                    interface: *interface,
                    checks,
                };
                self.judged(step.place, |passage| {
                    expectation.of(self.pipeline, &self.world, passage)
                })
            }
            TestKind::SameBackend => {
                self.judged(step.place, |passage| self.same_backend(passage.backend))
            }
            TestKind::Backend { pool, backend, up } => {
                self.turn(*pool, *backend, *up);
                self.publish();
                Ok(())
            }
            TestKind::Advance(time) => {
                let before = self.clock.as_secs();
                self.clock += *time;
                let seconds = self.world.seconds;
                self.world.seconds += self.clock.as_secs() - before;
                let (manifest, image) = (&self.pipeline.manifest, self.engine.image_mut());
                let time = (seconds, self.world.seconds);
                self.sweeper.advance(manifest, time, image);
                self.world.ramps(manifest, seconds);
                self.publish();
                Ok(())
            }
        }
    }

    /// What a line says of the last packet.
    fn judged(
        &self,
        line: Place,
        judge: impl FnOnce(&Passage) -> Result<(), Wrong>,
    ) -> Result<(), Fault> {
        let passage = self.last.as_ref();
        let passage = passage.ok_or_else(|| without_packet(line, "nothing was sent".to_owned()))?;
        judge(passage).map_err(|wrong| wrong.fault(line, passage))
    }

    fn send(&mut self, layers: &[Layer], interface: InterfaceId) -> Result<Passage, String> {
        let ingress = interface.0 as u8;
        let frame = frame(layers, &self.world, ingress).map_err(|error| error.to_string())?;
        let manifest = &self.pipeline.manifest;
        pass(manifest, self.engine, frame, ingress).map_err(|error| error.to_string())
    }

    fn same_backend(&self, last: Option<(PoolId, u16)>) -> Result<(), Wrong> {
        let name = |backend: (PoolId, u16)| name(&self.pipeline.manifest, backend);
        match (self.earlier, last) {
            (Some(earlier), Some(last)) if earlier == last => Ok(()),
            (Some(earlier), Some(last)) => Err(Wrong::plain(format!(
                "the packet got {}, the one before it {}",
                name(last),
                name(earlier)
            ))),
            (None, _) => Err(Wrong::plain("the packet before it got no backend")),
            (Some(earlier), None) => Err(Wrong::plain(format!(
                "the packet got no backend, the one before it {}",
                name(earlier)
            ))),
        }
    }

    fn turn(&mut self, pool: PoolId, backend: u16, up: bool) {
        let pool = self.pipeline.pool(pool);
        if let Some(backend) = pool.backend(backend) {
            let names = (pool.name.as_str(), backend.name.as_str());
            self.world.turn(&self.pipeline.manifest, names, up);
        }
    }

    fn publish(&mut self) {
        publish(
            &self.pipeline.manifest,
            &self.world,
            self.engine.image_mut(),
        );
    }
}

fn without_packet(place: Place, what: String) -> Fault {
    Fault {
        place,
        what,
        frames: None,
    }
}

/// The frame of a packet that comes by an interface; what it does not say about Ethernet is the client's and the
/// interface's.
pub fn frame(
    layers: &[Layer],
    world: &World,
    ingress: u8,
) -> Result<Vec<u8>, notation::NotationError> {
    let interface = world.interfaces.get(usize::from(ingress));
    let own = interface
        .and_then(|interface| interface.mac)
        .unwrap_or(CLIENT);
    let defaults = Defaults {
        src_mac: CLIENT.0,
        dst_mac: own.0,
    };
    notation::build(layers, &defaults)
}

/// Lets an engine decide one frame, and finds out what it did.
pub fn pass(
    manifest: &Manifest,
    engine: &mut dyn Engine,
    frame: Vec<u8>,
    ingress: u8,
) -> Result<Passage, lvsc_abi::engine::EngineError> {
    use lvsc_abi::engine::EngineError::Room as Outside;

    let length = u16::try_from(frame.len()).map_err(|_| Outside { packet: 0 })?;
    let mut packets = [Packet::arrived(Room::slot(0), length, ingress)];
    let [packet] = &packets;
    let place = engine
        .slot(0)
        .get_mut(packet.range())
        .ok_or(Outside { packet: 0 })?;
    place.copy_from_slice(&frame);
    let before = counted(manifest, engine.image());
    engine.process(&mut packets)?;
    let [packet] = packets;
    let moved = moved(&before, &counted(manifest, engine.image()));
    let left = engine
        .slot(0)
        .get(packet.range())
        .ok_or(Outside { packet: 0 })?
        .to_vec();
    Ok(Passage {
        came: frame,
        ingress,
        left,
        verdict: packet.verdict,
        egress: packet.interface,
        reason: reason(manifest, &moved),
        backend: backend(manifest, &moved),
    })
}

/// Zeros, as fresh memory, and empty rings.
pub fn empty(image: &mut dyn Image) {
    for at in (0..image.layout().size()).step_by(8) {
        if image.load(at, Width::B8) != 0 {
            image.store(at, Width::B8, 0);
        }
    }
    image::clear(image);
}

/// The packets of every counter.
fn counted(manifest: &Manifest, image: &dyn Image) -> Vec<u64> {
    let all = 0..manifest.counters.len() as u32;
    all.map(|index| image::count(image, index).packets)
        .collect()
}

/// The counters that counted.
fn moved(before: &[u64], after: &[u64]) -> Vec<u32> {
    let each = before.iter().zip(after).zip(0..);
    each.filter(|((before, after), _)| before != after)
        .map(|(_, index)| index)
        .collect()
}

fn reason(manifest: &Manifest, moved: &[u32]) -> Option<String> {
    let mut counters = moved
        .iter()
        .filter_map(|index| manifest.counters.get(*index as usize));
    let found = counters.find(|counter| counter.kind == CounterKind::Reason);
    found.map(|counter| counter.name.clone())
}

/// The last backend that counted: a packet that a policy gives to two is the second one's.
fn backend(manifest: &Manifest, moved: &[u32]) -> Option<(PoolId, u16)> {
    let pools = manifest.pools.iter().zip(0..);
    let found = pools.filter_map(|(pool, id)| {
        let own = pool.counters..pool.counters + pool.ids();
        let counter = moved.iter().find(|index| own.contains(index))?;
        Some((PoolId(id), (counter - pool.counters) as u16))
    });
    found.last()
}

/// `rs1 of web`
fn name(manifest: &Manifest, (pool, id): (PoolId, u16)) -> String {
    let pool = manifest.pools.get(usize::from(pool.0));
    let backend = pool.and_then(|pool| pool.backend(id));
    match pool.zip(backend) {
        Some((pool, backend)) => format!("{} of {}", backend.name, pool.name),
        None => "an unknown backend".to_owned(),
    }
}
