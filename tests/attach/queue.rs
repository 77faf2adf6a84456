//! A queue that another `AF_XDP` socket has: for a moment, as after a restart, or for good.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lvsc_abi::engine::{Engine, FrameMemory};
use lvsc_runtime::engine::wasm::WasmEngine;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::sys::namespace::Namespace;
use lvsc_runtime::sys::xsk::{Options, Socket, Transfer, Umem};

use crate::child::{ETH0, RS1, Running, could_not, file, link, policy, run, wait};

/// What a director runs, and somebody else's memory for frames.
fn built(place: &Namespace, folder: &tempfile::TempDir) -> (String, Arc<dyn FrameMemory>) {
    let web = file(folder.path(), "web.lvs", policy(&[RS1], ""));
    let artifact = format!("{web}.wasm");
    let said = run(place, &["build", &web, "--target", "wasm", "-o", &artifact]);
    assert_eq!(said.code, 0, "{}", said.err);
    let bytes = std::fs::read(&artifact).unwrap();
    let frames = WasmEngine::load(&bytes).unwrap().frames().unwrap();
    (artifact, frames)
}

/// Has the first queue of `eth0`, once whoever has it lets go of it.
fn hold(place: &Namespace, frames: Arc<dyn FrameMemory>, patience: Duration) -> Socket {
    let open = move || {
        let options = Options {
            device: ETH0,
            queue: 0,
            transfer: Some(Transfer::Copy),
            busy: None,
            until: Instant::now() + patience,
        };
        Socket::open(&Umem::new(frames, 2048), None, options)
    };
    place.run(open).unwrap().expect("a socket")
}

pub fn a_queue_that_is_let_go_of_is_taken(lab: &Lab) {
    const FOR: Duration = Duration::from_millis(300);
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let (artifact, frames) = built(place, &folder);
    let patience = Duration::from_secs(10);
    // One right after the other.
    for _ in 0..50 {
        drop(hold(place, Arc::clone(&frames), patience));
    }
    let held = hold(place, frames, patience);
    thread::scope(|scope| {
        let release = || {
            // It has the device in hand, and wants the queues.
            assert!(wait(|| !link(place, ETH0).programs.is_empty()));
            thread::sleep(FOR);
            drop(held);
            Instant::now()
        };
        let release = scope.spawn(release);
        let running = Running::start(place, &[&artifact, "-i", "eth0", "--io", "af_xdp"]);
        let forwards = Instant::now();
        assert!(release.join().unwrap() < forwards, "it had to wait");
        let told = &running.told;
        assert!(told.contains("eth0 (af_xdp, native, copy)"), "{told}");
        running.end();
    });
}

pub fn a_queue_that_is_held_is_named(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let (artifact, frames) = built(place, &folder);
    let held = hold(place, frames, Duration::from_secs(10));
    let begin = Instant::now();
    let words = [
        "no AF_XDP on eth0: queue 0 of `eth0` has a socket of another process, still after 2 s",
        "help: `sudo ss --xdp -ap` says which process: end it; or `--io af_packet`",
    ];
    let run = ["run", &artifact, "-i", "eth0", "--io", "af_xdp"];
    could_not(place, &run, &words);
    let took = begin.elapsed();
    let bounds = Duration::from_secs(2)..Duration::from_secs(20);
    assert!(bounds.contains(&took), "{took:?}");
    assert_eq!(link(place, ETH0).programs, [], "nothing is left");
    drop(held);
}
