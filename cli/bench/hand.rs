//! Direct routing as one writes it in Rust by hand who knows the service beforehand: what the engines are compared with.
//!
//! It knows untagged IPv4 without options and fragments that carries TCP or UDP, one VIP, one pool. Whatever else comes is
//! passed. It chooses as the image says and as [`lvsc_abi::hash`] and [`lvsc_abi::flows`] tell, so that it can be asked
//! for the same bytes; it has no guard against loops, and looks at no length but the frame's.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{BATCH, Engine, EngineError, FRAMES, Packet, Room};
use lvsc_abi::flows::{self, ABSENT, BUCKET, CLOSING, Entry, NEW};
use lvsc_abi::hash;
use lvsc_abi::image::{Bytes, Image, Width};
use lvsc_abi::layout::{backend, clock, interface, slot};
use lvsc_abi::manifest::{CounterKind, Flows, Pool, Vip};
use lvsc_abi::scheduler::Pick;
use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::layout::layout;
use lvsc_pipeline::pipeline::Pipeline;

/// The bytes that are looked at: Ethernet, IPv4, ports, flags of TCP.
const HEAD: usize = 48;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Flags of TCP.
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A cache line of flows.
#[derive(Clone)]
#[repr(align(64))]
struct Line([u64; BUCKET as usize]);

/// The director.
pub struct Hand {
    pool: Pool,
    of: Of,
    /// What the control plane fills; read anew when it was touched.
    image: Bytes,
    is_read: bool,
    state: State,
    frames: Vec<u8>,
    spent: Duration,
}

/// The service.
#[derive(Clone, Copy)]
struct Of {
    /// As a little-endian load sees it.
    vip: u32,
    /// In network byte order; 0: any.
    port: u16,
}

/// What packets are decided by.
#[derive(Default)]
struct State {
    own: u64,
    ring: Vec<u16>,
    /// Bits of a ring hash that do not say its slot.
    rest: u32,
    /// Records of section `backends`.
    backends: Vec<u64>,
    /// Packets and bytes of each backend.
    counts: Vec<[u64; 2]>,
    /// Empty without a connection table.
    lines: Vec<Line>,
    flows: Option<Flows>,
    idle: u64,
    cursor: u64,
    takes_turns: bool,
    now: u64,
    seed: u64,
}

impl Hand {
    /// For a policy that has no more than this knows, as far as its manifest tells.
    pub fn of(pipeline: &Pipeline) -> Option<Hand> {
        let manifest = &pipeline.manifest;
        let ([pool], [vip], [_]) = (
            manifest.pools.as_slice(),
            manifest.vips.as_slice(),
            manifest.interfaces.as_slice(),
        ) else {
            return None;
        };
        let Vip {
            address: IpAddr::V4(address),
            prefix: 32,
            port,
        } = *vip
        else {
            return None;
        };
        let counts = |counter: &lvsc_abi::manifest::Counter| counter.kind == CounterKind::Policy;
        if manifest.counters.iter().any(counts) || !manifest.keyed.is_empty() {
            return None;
        }
        if pool.counts_flows() {
            return None;
        }
        Some(Hand {
            pool: pool.clone(),
            of: Of {
                vip: u32::from_le_bytes(address.octets()),
                port: port.unwrap_or(0).to_be(),
            },
            image: Bytes::new(layout(pipeline)),
            is_read: false,
            state: State::default(),
            frames: vec![0; FRAMES as usize],
            spent: Duration::ZERO,
        })
    }

    fn decide(&mut self, packets: &mut [Packet]) {
        let (state, frames) = (&mut self.state, &mut self.frames);
        if state.lines.is_empty() {
            state.by_ring(self.of, frames, packets);
        } else {
            state.by_table(self.of, frames, packets);
        }
    }
}

impl State {
    fn read(image: &Bytes, pool: &Pool) -> State {
        let section = |name: &str| image.layout().named(name).map(|(_, section)| section);
        let own = |kind: &str| section(&format!("{kind}.{}", pool.name));
        let words = |kind: &str, width| -> Vec<u64> {
            let found = own(kind);
            let each = found.into_iter().flat_map(|section| {
                (0..u64::from(section.length)).map(|index| image.load(section.at(index, 0), width))
            });
            each.collect()
        };
        let at = |name, field| section(name).map_or(0, |found| found.at(0, field));
        let record = image.load(at("interfaces", interface::RECORD), Width::B8);
        let ring = words("ring", Width::B4);
        let backends = words("backends", Width::B8);
        // Where only a change is tracked, it does without: it is what a steady ring can cost at least.
        let every = pool.flows.filter(|_| pool.changed().is_none());
        let entries = every.map_or(0, |flows| flows.entries);
        State {
            own: record & MAC,
            rest: u64::BITS - ring.len().trailing_zeros(),
            ring: ring
                .iter()
                .map(|word| (word & slot::BACKEND) as u16)
                .collect(),
            counts: vec![[0; 2]; backends.len()],
            backends,
            lines: vec![Line([0; BUCKET as usize]); (entries / BUCKET) as usize],
            flows: every,
            idle: every.map_or(0, |flows| u64::from(flows.idle)),
            cursor: 0,
            takes_turns: pool.scheduler.pick() == Pick::Cursor,
            now: image.load(at("clock", clock::SECONDS), Width::B8),
            seed: image.load(at("clock", clock::SEED), Width::B8),
        }
    }

    /// Decides a batch without a connection table.
    fn by_ring(&mut self, of: Of, frames: &mut [u8], packets: &mut [Packet]) {
        for packet in packets {
            let head = head(frames, packet);
            packet.verdict = match head.and_then(|head| Some((self.key(of, head)?, head))) {
                Some((key, head)) => {
                    let backend = self.hashed(hash::ring(key));
                    self.forward(backend, packet.length, head)
                }
                None => Verdict::Pass,
            };
        }
    }

    /// Decides a batch with a connection table: first all keys, then the lines that they need, for those come from memory
    /// while others are asked for, then what becomes of the packets.
    fn by_table(&mut self, of: Of, frames: &mut [u8], packets: &mut [Packet]) {
        let mut keys = [None; BATCH];
        for (packet, key) in packets.iter().zip(&mut keys) {
            *key = head(frames, packet).and_then(|head| {
                let key = self.key(of, head)?;
                Some((hash::ring(key), hash::table(key, self.seed), told(head)))
            });
        }
        let lines = keys
            .iter()
            .flatten()
            .filter_map(|(_, table, _)| self.lines.get(self.line(*table)));
        std::hint::black_box(lines.fold(0, |sum, Line(words)| sum ^ words[0]));
        for (packet, key) in packets.iter_mut().zip(keys) {
            packet.verdict = match key.and_then(|key| Some((key, head(frames, packet)?))) {
                Some(((ring, table, told), head)) => {
                    let backend = self.choose(ring, table, told);
                    self.forward(backend, packet.length, head)
                }
                None => Verdict::Pass,
            };
        }
    }

    /// The flow's key, as [`hash::absorb`] leaves it; `None` where the frame is no packet for the VIP.
    #[inline]
    fn key(&self, of: Of, head: &[u8; HEAD]) -> Option<u64> {
        let to = word::<8>(head, 0)?;
        let begin = word::<4>(head, 12)?; // type of Ethernet, version and size of IPv4, DSCP
        let middle = word::<4>(head, 20)?; // fragment, TTL, protocol
        let addresses = word::<8>(head, 26)?;
        let ports = word::<4>(head, 34)?;
        let protocol = (middle >> 24) as u8;
        let is_ip = begin & 0xff_ffff == 0x45_0008 && middle & 0xff3f == 0;
        let is_ours = to & MAC == self.own && (addresses >> 32) as u32 == of.vip;
        let is_served = of.port == 0 || (ports >> 16) as u16 == of.port;
        let is_known = protocol == TCP || protocol == UDP;
        let state = hash::absorb(hash::RING_SEED, addresses);
        let state = hash::absorb(state, u64::from(protocol) | ports << 8);
        (is_ip && is_ours && is_served && is_known).then_some(state)
    }

    /// Sends a frame to a backend.
    #[inline]
    fn forward(&mut self, id: u16, length: u16, head: &mut [u8; HEAD]) -> Verdict {
        let id = usize::from(id);
        let Some(record) = self.backends.get(id) else {
            return Verdict::Drop;
        };
        if record >> backend::FLAGS_SHIFT & backend::USABLE == 0 {
            return Verdict::Drop;
        }
        if let Some([packets, bytes]) = self.counts.get_mut(id) {
            *packets += 1;
            *bytes += u64::from(length);
        }
        // The backend's MAC, and behind it the own one, to which the frame came.
        let macs = u128::from(record & MAC) | u128::from(self.own) << 48;
        if let (Some(to), Some(from)) = (
            head.first_chunk_mut(),
            macs.to_le_bytes().first_chunk::<12>(),
        ) {
            *to = *from;
        }
        Verdict::Send
    }

    #[inline]
    fn line(&self, table_hash: u64) -> usize {
        table_hash as usize & self.lines.len().wrapping_sub(1)
    }

    /// The backend of a flow.
    #[inline]
    fn choose(&mut self, ring_hash: u64, table_hash: u64, told: Told) -> u16 {
        let tag = flows::tag(table_hash);
        let line = self.line(table_hash);
        let Some(Line(words)) = self.lines.get(line) else {
            return slot::NONE;
        };
        let found = flows::find(words, tag);
        let known = words.get(found as usize).copied();
        let known = known.and_then(Entry::from_bits);
        let live = known.filter(|entry| entry.age(self.now) <= self.idle);
        let place = match known {
            Some(_) => found,
            None => flows::place(words, tag, self.now, self.idle),
        };
        let backend = match live {
            Some(entry)
                if told == Told::NOTHING
                    && (entry.seconds, entry.flags) == (self.now as u16, 0) =>
            {
                return entry.backend;
            }
            Some(entry) => entry.backend,
            None if place == ABSENT => return self.hashed(ring_hash),
            None if self.takes_turns => {
                self.cursor = self.cursor.wrapping_add(1);
                self.slot(self.cursor.wrapping_sub(1))
            }
            None => self.hashed(ring_hash),
        };
        let before = live.map_or(NEW, |entry| entry.flags);
        let flags = match (told.closes, told.opens) {
            (true, _) => CLOSING,
            (false, true) if before == 0 => 0,
            (false, true) => NEW,
            (false, false) => before & CLOSING,
        };
        let Some(flows) = self.flows else {
            return backend;
        };
        let life = match flags {
            0 if told.udp => flows.lives.udp,
            0 => flows.lives.tcp,
            NEW => flows.opening(),
            _ => flows.lives.closing,
        };
        let entry = Entry {
            tag: tag as u32,
            backend,
            seconds: (self.now.wrapping_sub(u64::from(flows.idle - life))) as u16,
            flags,
        };
        let words = self.lines.get_mut(line).map(|Line(words)| words);
        if let Some(word) = words.and_then(|words| words.get_mut(place as usize)) {
            *word = entry.to_bits();
        }
        backend
    }

    #[inline]
    fn hashed(&self, ring_hash: u64) -> u16 {
        self.slot(ring_hash >> self.rest)
    }

    #[inline]
    fn slot(&self, index: u64) -> u16 {
        let index = index as usize & self.ring.len().wrapping_sub(1);
        self.ring.get(index).copied().unwrap_or(slot::NONE)
    }
}

/// What a packet tells of its flow.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    udp: bool,
    opens: bool,
    closes: bool,
}

impl Told {
    const NOTHING: Told = Told {
        udp: false,
        opens: false,
        closes: false,
    };
}

/// Of a frame that has a key.
#[inline]
fn told(head: &[u8; HEAD]) -> Told {
    let udp = head[23] == UDP;
    let flags = head[47];
    Told {
        udp,
        opens: !udp && flags & (SYN | ACK) == SYN,
        closes: !udp && flags & (FIN | RST) != 0,
    }
}

/// What is looked at of a packet's frame; `None` where it is shorter.
#[inline]
fn head<'a>(frames: &'a mut [u8], packet: &Packet) -> Option<&'a mut [u8; HEAD]> {
    let room = frames.get_mut(packet.room.range()?)?;
    room.get_mut(packet.range())?.first_chunk_mut()
}

/// The low 48 bits: a MAC in wire order.
const MAC: u64 = (1 << 48) - 1;

/// A little-endian load of `N` bytes.
#[inline]
fn word<const N: usize>(head: &[u8; HEAD], at: usize) -> Option<u64> {
    let bytes = head.get(at..)?.first_chunk::<N>()?;
    let mut word = [0; 8];
    word.first_chunk_mut::<N>()?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(word))
}

impl Engine for Hand {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        let range = room.range().unwrap_or_default();
        self.frames.get_mut(range).unwrap_or_default()
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        if !self.is_read {
            self.state = State::read(&self.image, &self.pool);
            self.is_read = true;
        }
        let begin = Instant::now();
        self.decide(packets);
        self.spent += begin.elapsed();
        Ok(())
    }

    fn inside(&self) -> Option<Duration> {
        Some(self.spent)
    }

    fn image(&self) -> &dyn Image {
        &self.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        self.is_read = false;
        &mut self.image
    }
}
