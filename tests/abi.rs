//! A module is filled and driven with what docs/abi-wasm.md says, and nothing else: its numbers are read out of its tables.

#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[path = "abi/elements.rs"]
mod elements;
#[path = "abi/page.rs"]
mod page;

use std::collections::BTreeMap;

use page::Page;
use serde_json::Value;
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, WasmFeatures};

const POLICY: &str = "\
interface lan
interface wan
pool web {
  scheduler rr
  backend rs1 192.0.2.1
  backend rs2 192.0.2.2 via wan
  flows 64 idle 10s
}
counter seen
match ip.dst == 192.0.2.200 {
  count seen
  select rs from web
  dr(rs)
}
";

struct Driven {
    page: Page,
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    sections: BTreeMap<String, Vec<u8>>,
    /// The same, read.
    json: BTreeMap<String, Value>,
}

/// The custom sections of a module.
fn sections(module: &[u8]) -> BTreeMap<String, Vec<u8>> {
    fn number(bytes: &mut &[u8]) -> usize {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
    let (mut found, mut rest) = (BTreeMap::new(), &module[8..]);
    while let [id, behind @ ..] = rest {
        let mut data = behind;
        let length = number(&mut data);
        let (mut section, behind) = data.split_at(length);
        if *id == 0 {
            let length = number(&mut section);
            let (name, data) = section.split_at(length);
            let name = String::from_utf8(name.to_vec()).expect("names are UTF-8");
            found.insert(name, data.to_vec());
        }
        rest = behind;
    }
    found
}

/// FNV-1a, as the page tells.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

impl Driven {
    fn new() -> Driven {
        let pipeline = lvsc_front::compile("abi.lvs", POLICY).pipeline;
        let pipeline = pipeline.expect("the policy is right");
        let artifact = compile::program(&pipeline).and_then(|it| it.emit(&lvsc_target_wasm::Wasm));
        let code = artifact.expect("the policy has a module").code;
        let mut config = Config::new();
        config.wasm_features(WasmFeatures::THREADS, true);
        let engine = Engine::new(&config).expect("the settings are fine");
        let module = Module::new(&engine, &code).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
        let memory = instance
            .get_memory(&mut store, "memory")
            .expect("it is exported");
        let sections = sections(&code);
        let ours = sections
            .iter()
            .filter(|(name, _)| name.starts_with("lvsc.") && *name != "lvsc.steering");
        let json = ours.map(|(name, data)| {
            let read = serde_json::from_slice(data).expect("the section is JSON");
            (name.clone(), read)
        });
        let mut driven = Driven {
            page: Page::read(),
            store,
            instance,
            memory,
            json: json.collect(),
            sections,
        };
        let version = driven
            .instance
            .get_typed_func::<(), i32>(&mut driven.store, "version");
        let version = version.and_then(|function| function.call(&mut driven.store, ()));
        let said = version.expect("it is exported").unsigned_abs() as usize;
        for row in ["number version value", "header.version what"] {
            assert_eq!(said, driven.page.number(row), "{row}");
        }
        let pages = driven.json("lvsc.memory")["pages"].as_u64();
        assert_eq!(pages, Some(driven.memory.size(&driven.store)));
        driven
    }

    fn json(&self, section: &str) -> &Value {
        &self.json[section]
    }

    fn region(&self, name: &str) -> usize {
        self.json("lvsc.memory")[name]["offset"]
            .as_u64()
            .expect("an offset") as usize
    }

    fn section(&self, name: &str) -> &Value {
        let all = self.json("lvsc.layout")["sections"]
            .as_array()
            .expect("a list");
        let found = all.iter().find(|section| section["name"] == name);
        found.unwrap_or_else(|| panic!("no section {name}"))
    }

    /// Where a field (`backend.mac`) of an element of a section lies, and its width.
    fn place(&self, section: &str, index: usize, field: &str) -> (usize, usize) {
        let section = self.section(section);
        let number = |name: &str| section[name].as_u64().expect("a number") as usize;
        let (element, _) = field.split_once('.').expect("element and field");
        assert_eq!(section["element"], element);
        assert_eq!(
            number("stride"),
            self.page.number(&format!("element {element} stride"))
        );
        let (at, bytes) = self.page.field(field);
        let index = index % number("length");
        (
            self.region("image") + number("offset") + index * number("stride") + at,
            bytes,
        )
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.memory
            .write(&mut self.store, at, bytes)
            .expect("it lies in the memory");
    }

    fn read(&self, at: usize, bytes: usize) -> Vec<u8> {
        self.memory.data(&self.store)[at..at + bytes].to_vec()
    }

    fn put(&mut self, section: &str, index: usize, field: &str, value: u64) {
        let (at, bytes) = self.place(section, index, field);
        self.write(at, &value.to_le_bytes()[..bytes]);
    }

    fn get(&self, section: &str, index: usize, field: &str) -> u64 {
        let (at, bytes) = self.place(section, index, field);
        let read = self.read(at, bytes);
        read.iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn mac(&mut self, section: &str, index: usize, field: &str, mac: [u8; 6]) {
        let (at, bytes) = self.place(section, index, field);
        assert_eq!(bytes, mac.len());
        self.write(at, &mac);
    }

    /// All that the page asks of the host before the first batch.
    fn fill(&mut self) {
        let text = self.sections["lvsc.layout"].clone();
        let digest = digest(&text);
        self.put(
            "header",
            0,
            "header.magic",
            u64::from_le_bytes(*b"lvscimg\0"),
        );
        let version = self.page.number("header.version what") as u64;
        self.put("header", 0, "header.version", version);
        self.put("header", 0, "header.digest", digest);
        self.put("clock", 0, "clock.seconds", 100_000);
        self.put("clock", 0, "clock.seed", 0x0123_4567_89ab_cdef);
        for (index, mac) in [OWN, [2, 0, 0, 0, 0, 9]].into_iter().enumerate() {
            self.mac("interfaces", index, "interface.mac", mac);
            self.put("interfaces", index, "interface.flags", 0x80);
            self.put("interfaces", index, "interface.index", 7);
        }
        for (id, interface) in [0, 1].into_iter().enumerate() {
            self.mac("backends.web", id, "backend.mac", server(id));
            self.put("backends.web", id, "backend.interface", interface);
            self.put("backends.web", id, "backend.flags", 0x80);
        }
        let length = self.section("ring.web")["length"]
            .as_u64()
            .expect("a number") as usize;
        for index in 0..length {
            self.put("ring.web", index, "slot.backend", index as u64 % 2);
            self.put("ring.web", index, "slot.previous", 0xffff);
        }
    }

    /// Puts frames into a batch and has it decided.
    fn batch(&mut self, frames: &[Vec<u8>], to: usize) -> wasmtime::Result<()> {
        for (index, frame) in frames.iter().enumerate() {
            let slot = self.region("slots") + index * self.page.number("number slot value");
            let at = slot + self.page.number("number headroom value");
            self.write(at, frame);
            let pending = self.page.number("verdict pending byte");
            let fields = [at, frame.len(), pending, 0];
            for (name, value) in ["offset", "length", "verdict", "interface"]
                .iter()
                .zip(fields)
            {
                let (at, bytes) = self.descriptor(index, name);
                self.write(at, &value.to_le_bytes()[..bytes]);
            }
        }
        let batch = self
            .instance
            .get_typed_func::<(i32, i32), ()>(&mut self.store, "batch")?;
        batch.call(&mut self.store, (0, i32::try_from(to)?))
    }

    /// Where a field of a descriptor lies, and its width.
    fn descriptor(&self, index: usize, name: &str) -> (usize, usize) {
        let size = self.page.number("number descriptor value");
        let at = self.page.number(&format!("field {name} at"));
        let bytes = self.page.number(&format!("field {name} bytes"));
        (self.region("descriptors") + index * size + at, bytes)
    }

    fn found(&self, index: usize, name: &str) -> usize {
        let (at, bytes) = self.descriptor(index, name);
        let read = self.read(at, bytes);
        read.iter()
            .rev()
            .fold(0, |value, byte| value << 8 | usize::from(*byte))
    }

    /// Decides one packet of a client; the destination MAC of what is sent, and the egress.
    fn ask(&mut self, port: u8) -> Option<([u8; 6], usize)> {
        self.batch(&[frame(port)], 1).expect("it does not trap");
        if self.found(0, "verdict") == self.page.number("verdict drop byte") {
            return None;
        }
        assert_eq!(
            self.found(0, "verdict"),
            self.page.number("verdict send byte")
        );
        let left = self.read(self.found(0, "offset"), self.found(0, "length"));
        assert_eq!(
            left[14..],
            frame(port)[14..],
            "the packet itself stays as it is"
        );
        Some((
            left[..6].try_into().expect("six bytes"),
            self.found(0, "interface"),
        ))
    }

    fn counted(&self, kind: &str, name: &str) -> [u64; 2] {
        let manifest = self.json("lvsc.manifest");
        let all = manifest["counters"].as_array().expect("a list");
        let index = all
            .iter()
            .position(|one| one["kind"] == kind && one["name"] == name);
        let index = index.unwrap_or_else(|| panic!("no {kind} {name}"));
        ["counter.packets", "counter.bytes"].map(|field| self.get("counters", index, field))
    }

    /// The valid entries of the connection table.
    fn entries(&self) -> Vec<u64> {
        let length = self.section("flows.web")["length"]
            .as_u64()
            .expect("a number") as usize;
        let words = (0..length).map(|index| self.get("flows.web", index, "flow.word"));
        words
            .filter(|word| self.page.bits("valid", *word) == 1)
            .collect()
    }
}

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn server(id: usize) -> [u8; 6] {
    [2, 0, 0, 0, 1, id as u8]
}

/// A SYN to the VIP.
fn frame(port: u8) -> Vec<u8> {
    let mut frame = [&OWN[..], &[2, 0, 0, 0, 0xff, 1], &[8, 0]].concat();
    let mut ip = vec![0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0];
    ip.extend([198, 51, 100, 7, 192, 0, 2, 200]);
    let sum = lvsc_abi::notation::checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(ip);
    frame.extend([
        0x9c, port, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame
}

#[test]
fn a_module_does_what_the_page_says() {
    let mut driven = Driven::new();
    driven.fill();
    assert_eq!(driven.ask(1), Some((server(0), 0)));
    assert_eq!(driven.ask(2), Some((server(1), 1)));
    assert_eq!(driven.ask(1), Some((server(0), 0)), "a known flow");
    assert_eq!(driven.get("cursor.web", 0, "cursor.turn"), 2);
    assert_eq!(driven.counted("policy", "seen"), [3, 3 * 54]);
    assert_eq!(driven.counted("backend", "web.rs1"), [2, 2 * 54]);
    let entries = driven.entries();
    assert_eq!(entries.len(), 2);
    let mut backends: Vec<u64> = entries
        .iter()
        .map(|it| driven.page.bits("backend", *it))
        .collect();
    backends.sort_unstable();
    assert_eq!(backends, [0, 1]);
    // They live 10 s: so much less than the oldest.
    let entered = 100_000 - (32_767 - 10);
    for entry in entries {
        assert_eq!(driven.page.bits("seconds", entry), entered % 65536);
    }
    driven.put("clock", 0, "clock.seconds", 100_010);
    assert_eq!(
        driven.ask(2),
        Some((server(1), 1)),
        "exactly idle is not older"
    );
    driven.put("clock", 0, "clock.seconds", 100_011);
    assert_eq!(driven.ask(1), Some((server(0), 0)));
    assert_eq!(
        driven.get("cursor.web", 0, "cursor.turn"),
        3,
        "a new flow to the module"
    );
    driven.put("backends.web", 0, "backend.flags", 0);
    assert_eq!(
        driven.ask(1),
        Some((server(1), 1)),
        "its backend is not usable"
    );
    let worker = driven.region("worker");
    driven.write(worker, &5_u32.to_le_bytes());
    assert_eq!(
        driven.ask(3),
        None,
        "worker 5 begins at slot 0, whose backend is not usable"
    );
    assert_eq!(driven.counted("reason", "no_backend")[0], 1);
    assert_eq!(driven.get("cursor.web", 5, "cursor.turn"), 1);
}

#[test]
fn a_whole_batch_is_decided_in_order_and_more_than_that_traps() {
    let mut driven = Driven::new();
    driven.fill();
    let most = driven.page.number("number batch value");
    let frames: Vec<Vec<u8>> = (0..most).map(|port| frame(port as u8)).collect();
    driven
        .batch(&frames, most + 1)
        .expect_err("one more than descriptors");
    assert_eq!(
        driven.found(0, "verdict"),
        driven.page.number("verdict pending byte")
    );
    driven.batch(&frames, most).expect("a whole batch");
    let sent = driven.page.number("verdict send byte");
    assert!((0..most).all(|index| driven.found(index, "verdict") == sent));
    assert_eq!(driven.counted("policy", "seen")[0], most as u64);
}

#[test]
fn a_ring_that_is_not_filled_gives_backend_0_and_an_empty_slot_none() {
    let mut driven = Driven::new();
    driven.fill();
    driven.put("ring.web", 0, "slot.backend", 0xffff);
    assert_eq!(driven.ask(1), None);
    assert_eq!(driven.counted("reason", "no_backend")[0], 1);
    driven.put("ring.web", 1, "slot.backend", 0);
    driven.put("ring.web", 1, "slot.previous", 0);
    assert_eq!(driven.ask(1), Some((server(0), 0)));
}

#[test]
fn the_object_that_steers_is_sealed_with_what_it_belongs_to() {
    let driven = Driven::new();
    let [steering, layout, manifest] =
        ["steering", "layout", "manifest"].map(|name| &driven.sections[&format!("lvsc.{name}")]);
    let (seal, object) = steering.split_at(8);
    let whole = digest(&[layout, manifest, object].concat());
    assert_eq!(seal, whole.to_le_bytes());
    assert!(object.starts_with(b"\x7fELF"));
}
