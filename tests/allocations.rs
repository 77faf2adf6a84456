//! The packet path allocates nothing: counted by an allocator that hands all to the system's.

#![cfg(any(
    all(feature = "wasm", unix),
    all(feature = "native", target_os = "linux")
))]
#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

#[allow(dead_code, reason = "the test uses a part")]
#[path = "../cli/compile.rs"]
mod compile;
#[allow(dead_code, reason = "the test uses a part")]
#[path = "../cli/engines.rs"]
mod engines;
#[allow(dead_code, reason = "the test uses a part")]
#[path = "../cli/failure.rs"]
mod failure;
#[allow(dead_code, reason = "the tests use a part")]
#[path = "../cli/remedy.rs"]
mod remedy;
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lvsc_abi::engine::{BATCH, Packet, Room};
use lvsc_abi::verdict::Verdict;
use lvsc_pipeline::pipeline::Pipeline;
use lvsc_runtime::publish::publish;
use lvsc_runtime::world::World;
use support::root;

struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: each call is handed on to the system's allocator as it came; the counter neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; it came from `System.alloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A SYN for the VIP of `policies/dr.lvs`; every second one has no IP packet in it.
fn frame(number: u8) -> [u8; 54] {
    let mut frame = [0; 54];
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0xff, 0, 1]);
    frame[12..14].copy_from_slice(if number.is_multiple_of(2) {
        &[8, 0]
    } else {
        &[0x88, 0xb5]
    });
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    frame[26..34].copy_from_slice(&[198, 51, 100, number, 192, 168, 46, 200]);
    frame[34..38].copy_from_slice(&[0x9c, 0x40, 0, 80]);
    frame[46..48].copy_from_slice(&[0x50, 2]);
    frame
}

#[test]
fn a_packet_costs_no_allocation() {
    let text = std::fs::read_to_string(root().join("policies/dr.lvs")).expect("the policy");
    let pipeline = lvsc_front::compile("dr.lvs", &text)
        .pipeline
        .expect("it is right");
    // The interpreter is not for speed, and what the kernel runs does not run here.
    let fast = engines::ENGINES.iter().skip(1);
    for kind in fast.filter(|kind| kind.takes == engines::Takes::Handed) {
        allocates_nothing(kind, &pipeline);
    }
}

fn allocates_nothing(kind: &engines::Kind, pipeline: &Pipeline) {
    let mut engine = kind
        .make(pipeline)
        .unwrap_or_else(|failure| panic!("{failure}"));
    let world = World::for_tests(&pipeline.manifest);
    publish(&pipeline.manifest, &world, engine.image_mut());
    let mut packets = [Packet::arrived(Room::slot(0), 54, 0); BATCH];
    let mut sent = 0;
    let before = TAKEN.get();
    for round in 0..4 {
        for (index, packet) in packets.iter_mut().enumerate() {
            *packet = Packet::arrived(Room::slot(index), 54, 0);
            let frame = frame((round * 64 + index) as u8);
            engine.slot(index)[packet.range()].copy_from_slice(&frame);
        }
        let decided = engine.process(&mut packets);
        assert!(decided.is_ok());
        sent += packets
            .iter()
            .filter(|packet| packet.verdict == Verdict::Send)
            .count();
    }
    let taken = TAKEN.get() - before;
    let name = kind.name;
    assert_eq!(
        (taken, sent),
        (0, 2 * BATCH),
        "{name}: allocations, packets sent"
    );
}
