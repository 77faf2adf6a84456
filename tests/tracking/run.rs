//! Connections that open, send, are silent and end while backends come, go, drain, die and return.

use std::collections::BTreeMap;

use lvsc_abi::engine::{BATCH, Packet, Room};
use lvsc_abi::flows::Entry;
use lvsc_abi::hash;
use lvsc_abi::image::{Width, count};
use lvsc_abi::loads::Load;
use lvsc_abi::manifest::{CounterKind, Manifest};
use lvsc_abi::scheduler::RING_MIN;
use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::director::AnyEngine;
use lvsc_runtime::engine::carry::late::approach;
use lvsc_runtime::engine::carry::{carry, catch_up, counted, turn};
use lvsc_runtime::publish::{publish, publish_time};
use lvsc_runtime::sweep::{Sweeper, changing};
use lvsc_runtime::world::World;
use lvsc_target_xdp::Xdp;

use crate::chance::Chance;
use crate::engines;
use crate::machine::engine::Machine;
use crate::model::{Backend, Known, Model, Sent};
use crate::policy::{BACKENDS, IDLE, Kind, everybody, next, policy, receiver, tell, world};

/// Seconds in which something changes.
const END: u64 = 800;
/// Seconds after which a connection is forgotten of which nothing but its opening was seen.
const OPENING: u64 = 10;
/// Seconds of the clock at the begin.
const BEGIN: u64 = 1000;

/// What is tried.
#[derive(Clone, Copy)]
pub struct Case {
    /// What flows are noted, and how one that is new is given a backend.
    pub kind: Kind,
    /// Places of the table.
    pub entries: u32,
    /// Whether somebody sends openings of connections that are not his.
    pub forged: bool,
    /// Whether openings stay for a while; engines always do so, and are left out where not.
    pub learns: bool,
    /// Whether the clock leaps, and policies follow with other backends, and tables of another size.
    pub unsteady: bool,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            kind: Kind::Changed,
            entries: 4096,
            forged: false,
            learns: true,
            unsteady: false,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub opened: u64,
    pub moved: u64,
    pub forged: u64,
    /// Openings that found no place in the table.
    pub refused: u64,
    /// Connections whose opening may have been refused and was sent again.
    pub again_refused: u64,
    /// The most flows that were noted at one time.
    pub known: usize,
    /// Policies that have followed in images of their own, and in those that were there.
    pub reloads: [u64; 2],
    /// Leaps of the clock.
    pub leaps: u64,
}

impl Outcome {
    pub fn and(self, other: Outcome) -> Outcome {
        Outcome {
            opened: self.opened + other.opened,
            moved: self.moved + other.moved,
            forged: self.forged + other.forged,
            refused: self.refused + other.refused,
            again_refused: self.again_refused + other.again_refused,
            known: self.known.max(other.known),
            reloads: [0, 1].map(|kind| self.reloads[kind] + other.reloads[kind]),
            leaps: self.leaps + other.leaps,
        }
    }
}

/// A connection that goes on.
struct Connection {
    backend: u16,
    opened: u32,
    next: u64,
    last: u64,
    again: Option<u64>,
    /// When it was last seen, and whether that was more than its opening.
    seen: u64,
    is_confirmed: bool,
}

impl Connection {
    /// Whether it is not silent for longer than it may be.
    fn lives(&self, now: u64) -> bool {
        let life = if self.is_confirmed { IDLE } else { OPENING };
        now - self.seen <= life
    }
}

/// One run; panics where an engine and the model, or two engines, differ.
pub fn run(seed: u64, case: Case) -> Outcome {
    let mut chance = Chance::new(seed);
    let mut stage = Stage::new(case, &mut chance);
    let mut outcome = Outcome::default();
    let mut live: BTreeMap<u64, Connection> = BTreeMap::new();
    let mut now = 0;
    while now < END + 10 * IDLE {
        stage.at(now);
        live.retain(|_, connection| connection.lives(now));
        if now < END && chance.below(100) < 3 {
            stage.change(&mut chance);
            live.retain(|_, connection| stage.model.serves(connection.backend));
        }
        if case.unsteady && now < END && chance.one_in(60) {
            let mut entries = *chance.one(&[stage.entries, stage.entries, 4096, 8192, 16_384]);
            if stage.manifest.pools[0].counts_flows() {
                // A larger table would begin anew.
                entries = entries.min(stage.entries);
            }
            let goes_on = stage.reload(entries, &mut chance);
            outcome.reloads[usize::from(goes_on)] += 1;
            live.retain(|_, connection| stage.model.serves(connection.backend));
        }
        outcome.known = outcome.known.max(stage.model.left().1);
        let mut due: Vec<(Sent, Due)> = Vec::new();
        for _ in 0..if now < END { 2 } else { 0 } {
            let (flow, sequence) = (chance.word() >> 24, chance.word() as u32);
            due.push((sent(flow, true, sequence), Due::First));
        }
        for (flow, connection) in &mut live {
            if case.forged && chance.one_in(200) {
                outcome.forged += 1;
                let other = connection.opened ^ 0x8000_0000;
                let sent = Sent {
                    forged: true,
                    ..sent(*flow, true, other)
                };
                due.push((sent, Due::Forged));
            }
            if connection.again.is_some_and(|again| again <= now) {
                connection.again = None;
                due.push((sent(*flow, true, connection.opened), Due::Again));
            } else if connection.next <= now {
                let further = chance.below(100_000) as u32;
                let sequence = connection.opened.wrapping_add(1 + further);
                due.push((sent(*flow, false, sequence), Due::Later));
            }
        }
        let packets: Vec<Sent> = due.iter().map(|(sent, _)| *sent).collect();
        let became = stage.forward(&packets);
        outcome.opened += due.iter().filter(|(_, due)| *due == Due::First).count() as u64;
        for ((sent, due), got) in due.into_iter().zip(became) {
            match due {
                Due::Forged => {}
                Due::First => {
                    let Some(backend) = got else { continue };
                    let again = chance.one_in(5).then_some(now + 1);
                    let full = stage.refused > 0;
                    outcome.again_refused += u64::from(full && again.is_some());
                    let connection = Connection {
                        backend,
                        opened: sent.sequence,
                        next: now + 2 + chance.below(7) as u64,
                        last: now + *chance.one(&[5, 100, 400]),
                        again,
                        seen: now,
                        is_confirmed: false,
                    };
                    live.insert(sent.flow, connection);
                }
                Due::Again | Due::Later => {
                    let Some(connection) = live.get_mut(&sent.flow) else {
                        continue;
                    };
                    connection.seen = now;
                    connection.is_confirmed |= due == Due::Later;
                    if got != Some(connection.backend) {
                        outcome.moved += 1;
                        live.remove(&sent.flow);
                    } else if now > connection.last {
                        live.remove(&sent.flow);
                    } else if due == Due::Later {
                        connection.next = now + *chance.one(&[1, 10, IDLE - 6]);
                    }
                }
            }
        }
        let leaps = case.unsteady && chance.one_in(50);
        outcome.leaps += u64::from(leaps);
        now += if leaps {
            *chance.one(&[2, 4, 9, 20, 64, 100])
        } else {
            1
        };
    }
    outcome.refused = stage.refused;
    stage.end();
    outcome
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    First,
    Again,
    Later,
    Forged,
}

/// The key of a flow as `docs/flow.md` states it.
fn key(flow: u64) -> [u8; 13] {
    let [_, _, _, a, b, c, d, e] = flow.to_be_bytes();
    [10, a, b, c, 192, 0, 2, 200, 6, d, e, 0, 80]
}

pub fn sent(flow: u64, opens: bool, sequence: u32) -> Sent {
    let slot = hash::slot(hash::ring(hash::state(&key(flow))), RING_MIN) as usize;
    Sent {
        flow,
        slot,
        opens,
        sequence,
        forged: false,
    }
}

fn frame(sent: &Sent) -> Vec<u8> {
    let key = key(sent.flow);
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0xff, 0, 1, 8, 0];
    frame.extend([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(&key[..8]);
    frame.extend(&key[9..]);
    frame.extend(sent.sequence.to_be_bytes());
    let flags = if sent.opens { 0x02 } else { 0x10 };
    frame.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}

/// The model and all engines side by side.
struct Stage {
    model: Model,
    /// The first of the others is always there; none where the model breaks a rule.
    engines: Vec<(&'static str, AnyEngine)>,
    manifest: Manifest,
    world: World,
    /// Backends of the policy in the order of their lines; not all are up from the begin on.
    lines: Vec<Backend>,
    kind: Kind,
    /// Places of the table.
    entries: u32,
    /// Whether the engines have a table of flows whose slots have changed, which is always large enough: the model says what they do.
    ample: bool,
    refused: u64,
    /// One for each engine.
    sweepers: Vec<Sweeper>,
}

/// An engine of each kind, and the machine.
fn all(pipeline: &Pipeline) -> Vec<(&'static str, AnyEngine)> {
    let kinds = engines::present().map(|kind| {
        let made = kind.make(pipeline);
        (kind.name, made.unwrap_or_else(|error| panic!("{error}")))
    });
    let mut made: Vec<(&'static str, AnyEngine)> = kinds.collect();
    let compiled = crate::compile::program(pipeline).expect("a program");
    let object = compiled.emit(&Xdp::NEW).expect("an object");
    made.push(("machine", Box::new(Machine::load(&object.code))));
    made
}

impl Stage {
    fn new(case: Case, chance: &mut Chance) -> Stage {
        let pipeline = policy(case.kind, case.entries, &everybody());
        let first = 2 + chance.below(6) as u64;
        let backends: Vec<Known> = (0..BACKENDS)
            .map(|id| Known {
                weight: *chance.one(&[1, 2, 5]),
                up: id < first,
            })
            .collect();
        let manifest = pipeline.manifest.clone();
        let mut world = world(&manifest);
        world.seconds = BEGIN;
        let engines = if case.learns {
            all(&pipeline)
        } else {
            Vec::new()
        };
        let mut stage = Stage {
            model: Model::new(backends, RING_MIN as usize, IDLE, case.learns),
            sweepers: vec![Sweeper::default(); engines.len()],
            engines,
            manifest,
            world,
            lines: everybody(),
            kind: case.kind,
            entries: case.entries,
            ample: case.kind == Kind::Changed && case.entries >= 4096,
            refused: 0,
        };
        stage.publish();
        stage
    }

    /// The clock goes on, as the director has it do: a part of each table is swept, before packets know.
    fn at(&mut self, now: u64) {
        self.model.sweep(now - self.model.now);
        self.model.now = now;
        let before = self.world.seconds;
        self.world.seconds = BEGIN + now;
        for ((_, engine), sweeper) in self.engines.iter_mut().zip(&mut self.sweepers) {
            let image = engine.image_mut();
            sweeper.advance(&self.manifest, (before, self.world.seconds), image);
            publish_time(&self.world, image);
        }
    }

    /// Another policy takes over, some of whose backends are others: in the images that are there, or in images of its own into
    /// which what is known is carried. Tells whether in those that are there.
    fn reload(&mut self, entries: u32, chance: &mut Chance) -> bool {
        let lines = next(&self.lines, chance);
        let pipeline = policy(self.kind, entries, &lines);
        let (before, manifest) = (&self.manifest, &pipeline.manifest);
        let new = |id: &Backend| !self.lines.contains(id);
        for id in everybody() {
            let known = &mut self.model.backends[usize::from(id)];
            known.up = lines.contains(&id) && (known.up || new(&id));
        }
        self.model.remove(|id| !lines.contains(&id));
        self.model.change();
        self.world = self.world.follow(before, manifest);
        let known = |id: Backend| self.model.backends[usize::from(id)];
        tell(manifest, &mut self.world, known);
        let goes_on = entries == self.entries;
        let in_place = self.engines.iter_mut().filter(|_| goes_on);
        for (_, engine) in in_place {
            turn(before, manifest, engine.image_mut(), |image| {
                publish(manifest, &self.world, image);
            });
        }
        let others = if goes_on { Vec::new() } else { all(&pipeline) };
        for ((name, old), (other, mut next)) in self.engines.iter_mut().zip(others) {
            assert_eq!(*name, other);
            let then = counted(old.image());
            let carried = carry((before, old.image(), &then), (manifest, next.image_mut()));
            assert_eq!(carried.fresh.len(), 0, "{name}");
            publish(manifest, &self.world, next.image_mut());
            let mut seen = approach((before, old.image_mut()), (manifest, next.image_mut()));
            let old_image = (before, old.image(), &then);
            catch_up(old_image, (manifest, next.image_mut()), &mut seen);
            *old = next;
        }
        (self.manifest, self.lines, self.entries) = (pipeline.manifest, lines, entries);
        goes_on
    }

    /// A backend is added, gets another weight, drains, dies or returns.
    fn change(&mut self, chance: &mut Chance) {
        let id = *chance.one(&self.lines);
        let known = &mut self.model.backends[usize::from(id)];
        match chance.below(10) {
            0..4 => (known.up, known.weight) = (true, *chance.one(&[1, 2, 5])),
            4..7 => known.weight = *chance.one(&[0, 1, 3]),
            7..9 => known.up = false,
            _ => known.up = true,
        }
        self.model.change();
        self.publish();
    }

    fn publish(&mut self) {
        let known = |id: Backend| self.model.backends[usize::from(id)];
        tell(&self.manifest, &mut self.world, known);
        for (_, engine) in &mut self.engines {
            publish(&self.manifest, &self.world, engine.image_mut());
        }
    }

    /// Where each packet goes, on all. A forged opening may meet what is still noted of the flow from a time of which the model
    /// keeps nothing, and go where the flow goes.
    fn forward(&mut self, packets: &[Sent]) -> Vec<Option<u16>> {
        let model: Vec<Option<u16>> = packets
            .iter()
            .map(|sent| self.model.forward(sent))
            .collect();
        let mut first: Option<Vec<Option<u16>>> = None;
        for (name, engine) in &mut self.engines {
            let got = decide(engine, packets);
            let expected = first.get_or_insert_with(|| got.clone());
            let now = self.model.now;
            assert_eq!(got, *expected, "{name} at second {now}");
            for ((got, model), sent) in got.iter().zip(&model).zip(packets) {
                let free = sent.forged || !self.ample;
                assert!(
                    free || got == model,
                    "{name} at second {now}: {got:?}, {model:?}"
                );
            }
        }
        if let Some((_, engine)) = self.engines.first() {
            let counter = self.manifest.counter(CounterKind::Refused, "web");
            self.refused = count(engine.image(), counter.expect("it is counted")).packets;
        }
        first.unwrap_or(model)
    }

    /// Time has passed: everything is as if nothing had changed.
    fn end(&mut self) {
        assert_eq!(self.model.left(), (0, 0));
        for (name, engine) in &self.engines {
            let image = engine.image();
            assert_eq!(changing(&self.manifest.pools[0], image), 0, "{name}");
            let table = image
                .layout()
                .named("flows.web")
                .expect("a table")
                .1
                .clone();
            let words =
                (0..u64::from(table.length)).map(|at| image.load(table.at(at, 0), Width::B8));
            assert_eq!(words.filter_map(Entry::from_bits).count(), 0, "{name}");
            if let Some(loads) = image.layout().of_pool("loads", "web") {
                let ids = 0..u64::from(loads.length);
                let total = ids.map(|id| Load::read(image, loads, id).total());
                assert_eq!(total.sum::<u64>(), 0, "{name}: flows that are not there");
            }
        }
    }
}

pub fn decide(engine: &mut AnyEngine, frames: &[Sent]) -> Vec<Option<u16>> {
    let mut became = Vec::new();
    for batch in frames.chunks(BATCH) {
        let mut packets = Vec::new();
        for (index, sent) in batch.iter().enumerate() {
            let (room, frame) = (Room::slot(index), frame(sent));
            let packet = Packet::arrived(room, frame.len() as u16, 0);
            engine.room(room)[packet.range()].copy_from_slice(&frame);
            packets.push(packet);
        }
        engine.process(&mut packets).expect("no packet traps");
        for packet in packets {
            let sent = packet.verdict == Verdict::Send;
            let frame = &engine.room(packet.room)[packet.range()];
            became.push(sent.then(|| receiver(frame)));
        }
    }
    became
}
