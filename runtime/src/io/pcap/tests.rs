//! Captures made by hand, byte by byte, and what becomes of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::Path;

use lvsc_abi::engine::{BATCH, Engine, EngineError, FRAMES, Packet, Room};
use lvsc_abi::image::{Bytes, Image};
use lvsc_abi::layout::Layout;
use proptest::prelude::*;

use super::*;
use crate::io::{Batch, Inbox, Loss, Received, Sink, Source};

const FRAME: &[u8] = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0some packets";

/// Numbers in one byte order.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

const BOTH: [Order; 2] = [Order { big: false }, Order { big: true }];

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.u32(*value)).collect()
    }

    fn pcap(self, magic: u32, link: u32, packets: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let mut file = self.words(&[magic]);
        file.extend(self.u16(2));
        file.extend(self.u16(4));
        file.extend(self.words(&[0, 0, 65_535, link]));
        for (seconds, fraction, original, frame) in packets {
            file.extend(self.words(&[*seconds, *fraction, frame.len() as u32, *original]));
            file.extend(*frame);
        }
        file
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(body.len() as u32 + 12);
        [&self.u32(kind)[..], &length, &body, &length].concat()
    }

    fn section(self) -> Vec<u8> {
        let body = [
            &self.u32(0x1a2b_3c4d)[..],
            &self.u16(1),
            &self.u16(0),
            &[0xff; 8],
        ]
        .concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = [&self.u16(code)[..], &self.u16(value.len() as u16), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// An interface description: link type, name, decimal digits of its seconds.
    fn interface(self, link: u16, name: &str, digits: u8) -> Vec<u8> {
        let head = [&self.u16(link)[..], &self.u16(0), &self.u32(0)].concat();
        let options = [
            self.option(2, name.as_bytes()),
            self.option(9, &[digits]),
            self.option(0, &[]),
        ];
        self.block(1, &[head, options.concat()].concat())
    }

    fn packet(self, interface: u32, ticks: u64, original: u32, frame: &[u8]) -> Vec<u8> {
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let head = self.words(&[interface, high, low, frame.len() as u32, original]);
        self.block(6, &[&head, frame].concat())
    }
}

fn read(file: Vec<u8>) -> Result<Vec<Captured>, CaptureError> {
    Reader::new(Path::new("in.pcap"), Box::new(std::io::Cursor::new(file)))?.collect()
}

fn whole(time: Duration, interface: u32) -> Captured {
    Captured {
        time,
        frame: FRAME.to_vec(),
        original_len: FRAME.len() as u32,
        interface,
    }
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_both_resolutions() {
    for order in BOTH {
        for (magic, scale) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            let file = order.pcap(magic, 1, &[(7, 999, 26, FRAME), (8, 0, 1500, FRAME)]);
            let found = read(file).unwrap();
            assert_eq!(found[0], whole(Duration::new(7, 999 * scale), 0));
            assert!(!found[0].is_truncated());
            assert!(found[1].is_truncated(), "1500 bytes were on the wire");
            assert_eq!(found.len(), 2);
        }
    }
}

#[test]
fn a_checksum_behind_each_frame_is_no_part_of_it() {
    const PRESENT: u32 = 1 << 26;
    const LINUX_SLL: u32 = 113;
    for order in BOTH {
        // The length is in words of 16 bits, and counts only where it is said to be there.
        for (field, bytes) in [(2 << 28 | PRESENT, 4), (1 << 28 | PRESENT, 2), (2 << 28, 0)] {
            let frame = [FRAME, &[0xee; 4][..bytes]].concat();
            let (length, cut) = (frame.len() as u32, &frame[..frame.len() - 1]);
            let file = order.pcap(
                0xa1b2_c3d4,
                field | 1,
                &[(7, 0, length, &frame), (8, 0, length, cut)],
            );
            let found = read(file).unwrap();
            assert_eq!(found[0], whole(Duration::from_secs(7), 0));
            assert_eq!(found[1].is_truncated(), bytes == 0);
        }
    }
    let file = Order { big: false }.pcap(0xa1b2_c3d4, 2 << 28 | PRESENT | LINUX_SLL, &[]);
    let text = read(file).unwrap_err().to_string();
    assert!(text.contains("the link type LINUX_SLL;"), "{text}");
}

#[test]
fn pcapng_is_read_with_its_interfaces_and_their_clocks() {
    for order in BOTH {
        let file = [
            order.section(),
            order.interface(1, "lan", 6),
            order.interface(1, "wan", 9),
            order.packet(0, 1_000_001, 26, FRAME),
            order.block(5, &[0; 12]), // statistics
            order.packet(1, 2_000_000_003, 26, FRAME),
            order.section(),
            order.interface(1, "dmz", 3),
            order.packet(0, 5, 26, FRAME),
            order.block(3, &[&order.u32(26)[..], FRAME].concat()), // without a time
        ];
        let mut reader = Reader::new(
            Path::new("-"),
            Box::new(std::io::Cursor::new(file.concat())),
        )
        .unwrap();
        let found: Vec<Captured> = reader.by_ref().map(Result::unwrap).collect();
        let expected = [
            whole(Duration::from_micros(1_000_001), 0),
            whole(Duration::from_nanos(2_000_000_003), 1),
            whole(Duration::from_millis(5), 2),
            whole(Duration::ZERO, 2),
        ];
        assert_eq!(found, expected);
        assert_eq!(reader.interfaces(), [Some("lan"), Some("wan"), Some("dmz")]);
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let order = Order { big: false };
    let message = |file: Vec<u8>| read(file).unwrap_err().to_string();
    assert_eq!(message(vec![]), "in.pcap is no capture: the file is empty");
    assert_eq!(
        message(b"{\"version\"".to_vec()),
        "in.pcap is no capture: it begins neither as pcap nor as pcapng"
    );
    assert!(message(vec![0x1f, 0x8b, 8, 0]).contains("gunzip"));
    assert_eq!(
        message(order.pcap(0xa1b2_c3d4, 1, &[])[..10].to_vec()),
        "in.pcap is no capture: the file ends inside of its header"
    );
    assert_eq!(
        message(order.pcap(0xa1b2_c3d4, 113, &[])),
        "in.pcap: the capture has the link type LINUX_SLL; only Ethernet captures can be used"
    );
    let two = order.pcap(0xa1b2_c3d4, 1, &[(1, 0, 26, FRAME), (2, 0, 26, FRAME)]);
    for length in 67..two.len() {
        let text = message(two[..length].to_vec());
        assert_eq!(
            text,
            "in.pcap: packet 2, at byte 66: the file ends inside of it"
        );
    }
    assert_eq!(read(two[..66].to_vec()).unwrap().len(), 1);
    let late = order.pcap(0xa1b2_c3d4, 1, &[(1, 1_000_000, 26, FRAME)]);
    assert!(message(late).contains("packet 1, at byte 24: its time has 1000000 of 1000000 parts"));
    let tunnel = [
        order.section(),
        order.interface(101, "tun0", 6),
        order.packet(0, 0, 26, FRAME),
    ];
    assert_eq!(
        message(tunnel.concat()),
        "in.pcap: interface 0 (`tun0`) has the link type RAW; only Ethernet captures can be used"
    );
    let nowhere = [order.section(), order.packet(3, 0, 26, FRAME)].concat();
    assert!(message(nowhere).starts_with("in.pcap: packet 1, at byte 28: "));
    let beyond = [
        order.section(),
        order.interface(1, "lan", 6),
        order.section(),
        order.packet(u32::MAX, 0, 26, FRAME),
    ];
    assert!(message(beyond.concat()).starts_with("in.pcap: packet 1, at byte "));
    let folder = Reader::open(Path::new("/")).err().unwrap();
    assert!(
        folder.to_string().starts_with("cannot open /: "),
        "{folder}"
    );
    let missing = Reader::open(Path::new("/no/such.pcap")).err().unwrap();
    assert!(matches!(missing, CaptureError::Open { .. }));
}

#[test]
fn a_length_of_four_gigabytes_is_refused_without_them() {
    let order = Order { big: false };
    let mut file = order.pcap(0xa1b2_c3d4, 1, &[]);
    file.extend(order.words(&[0, 0, u32::MAX, u32::MAX]));
    file.resize(file.len() + (3 << 20), 0);
    assert!(
        read(file)
            .unwrap_err()
            .to_string()
            .ends_with(": it states more than 2097152 bytes, which no packet has")
    );
}

#[test]
fn what_is_written_comes_back_with_its_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.pcap");
    fs::write(&path, "an older file").unwrap();
    let mut writer = Writer::create(&path).unwrap();
    writer.write(Duration::new(7, 123_456_789), FRAME).unwrap();
    writer.write(Duration::ZERO, &vec![0; 65_535]).unwrap();
    assert_eq!(
        fs::read(&path).unwrap(),
        b"an older file",
        "nothing is replaced before the end"
    );
    writer.finish().unwrap();

    let found: Vec<Captured> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(found[0], whole(Duration::new(7, 123_456_789), 0));
    assert_eq!(found[1].frame.len(), 65_535);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn a_writer_that_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("out.pcap")).unwrap();
    writer.write(Duration::ZERO, FRAME).unwrap();
    let late = writer
        .write(Duration::from_secs(1 << 33), FRAME)
        .unwrap_err();
    assert!(matches!(late, CaptureError::Unwritable { .. }), "{late}");
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(
        Writer::create(folder.path()).is_err(),
        "a folder is no file"
    );
    assert!(Writer::create(&folder.path().join("no/out.pcap")).is_err());
}

#[cfg(unix)]
#[test]
fn what_a_link_points_to_is_replaced_and_a_device_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (
        folder.path().join("real.pcap"),
        folder.path().join("link.pcap"),
    );
    fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    Writer::create(&link).unwrap().finish().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&real).unwrap().len(), 24);
    Writer::create(Path::new("/dev/null"))
        .unwrap()
        .finish()
        .unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

/// Slots without an engine behind them.
struct Slots {
    bytes: Vec<u8>,
    image: Bytes,
}

impl Slots {
    fn new() -> Slots {
        Slots {
            bytes: vec![0; FRAMES as usize],
            image: Bytes::new(Layout::new()),
        }
    }
}

impl Engine for Slots {
    fn name(&self) -> &'static str {
        "slots"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        &mut self.bytes[room.range().unwrap()]
    }

    fn process(&mut self, _packets: &mut [Packet]) -> Result<(), EngineError> {
        Ok(())
    }

    fn image(&self) -> &dyn Image {
        &self.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.image
    }
}

fn replay(file: Vec<u8>, interfaces: &[&str]) -> Replay {
    let reader = Reader::new(Path::new("in.pcap"), Box::new(std::io::Cursor::new(file))).unwrap();
    let interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
    Replay::new(reader, interfaces, None, None)
}

/// A batch: its second, its packets' interfaces, its losses.
type Seen = (u64, Vec<u8>, Vec<Loss>);

/// Receives until the end.
fn batches(mut replay: Replay) -> std::io::Result<Vec<Seen>> {
    let (mut slots, mut batch, mut found) = (Slots::new(), Batch::default(), Vec::new());
    loop {
        batch.clear();
        let received = replay.receive(Duration::ZERO, &mut Inbox::new(&mut slots, &mut batch))?;
        let interfaces = batch
            .packets
            .iter()
            .map(|packet| packet.interface)
            .collect();
        found.push((replay.seconds().unwrap(), interfaces, batch.losses.clone()));
        if received == Received::End {
            return Ok(found);
        }
    }
}

#[test]
fn a_batch_ends_with_its_second_and_is_never_too_long() {
    let order = Order { big: false };
    let mut packets = vec![(5, 0, 26, FRAME); BATCH + 2];
    packets.extend([(5, 1, 1500, FRAME), (6, 0, 26, FRAME)]);
    let found = batches(replay(order.pcap(0xa1b2_c3d4, 1, &packets), &[])).unwrap();
    let expected = [
        (5, vec![0; BATCH], vec![]),
        (5, vec![0, 0], vec![Loss::Truncated]),
        (6, vec![0], vec![]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn frames_belong_to_the_interface_of_the_same_name() {
    let order = Order { big: false };
    let file = [
        order.section(),
        order.interface(1, "wan", 6),
        order.interface(1, "eth7", 6),
        order.packet(0, 0, 26, FRAME),
        order.packet(1, 0, 26, FRAME),
    ];
    let known = batches(replay(file.concat(), &["lan", "wan"])).unwrap_err();
    assert_eq!(
        known.to_string(),
        "in.pcap: packet 2 came by interface 1 (`eth7`), the policy has lan, wan"
    );
    let found = batches(replay(file[..4].concat(), &["lan", "wan"])).unwrap();
    assert_eq!(found, [(0, vec![1], vec![])]);
    let found = batches(replay(file.concat(), &["lan"])).unwrap();
    assert_eq!(
        found,
        [(0, vec![0, 0], vec![])],
        "with one interface there is no choice"
    );
}

#[test]
fn sent_and_passed_frames_go_to_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let file = Order { big: false }.pcap(0xa1b2_c3d4, 1, &[]);
    let reader = Reader::new(Path::new("in.pcap"), Box::new(std::io::Cursor::new(file))).unwrap();
    let writer = |name| Some(Writer::create(&path(name)).unwrap());
    let mut replay = Replay::new(reader, Vec::new(), writer("sent"), writer("passed"));
    replay
        .send(
            &Packet::arrived(Room::slot(0), 60, 0),
            &Duration::from_secs(1),
            FRAME,
        )
        .unwrap();
    replay.pass(&Duration::from_secs(2), FRAME).unwrap();
    replay.finish().unwrap();
    let time = |name| {
        Reader::open(&path(name))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .time
            .as_secs()
    };
    assert_eq!((time("sent"), time("passed")), (1, 2));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        start in 0..6_usize,
        noise in prop::collection::vec(any::<u8>(), 0..400),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let order = Order { big: start % 2 == 1 };
        let mut file = match start {
            0 | 1 => order.pcap(0xa1b2_c3d4, 1, &[(1, 0, 26, FRAME)]),
            2 | 3 => [order.section(), order.interface(1, "lan", 6), order.packet(0, 1, 26, FRAME)].concat(),
            _ => Vec::new(),
        };
        for (at, value) in flips {
            if !file.is_empty() {
                let at = at.index(file.len());
                file[at] = value;
            }
        }
        file.extend(noise);
        let length = file.len();
        if let Ok(found) = read(file) {
            prop_assert!(found.iter().map(|captured| captured.frame.len()).sum::<usize>() < length);
        }
    }
}
