//! `ip link set dev X xdp obj FILE sec xdp`, on a link of the test's own.

use std::process::Command;
use std::time::{Duration, Instant};

use lvsc_runtime::netlink::Netlink;
use lvsc_runtime::sys;
use lvsc_runtime::sys::namespace::Namespace;
use lvsc_runtime::sys::ring::{Only, Options, PACKET_OUTGOING, Ring};

use crate::{GIVEN, MACS, forwarded, has_tool, is_allowed, object_of, syn};

/// A link; the program stands at its right end. A native program that sends back needs one at the other end too.
const SCRIPT: &str = "set -e
ip link add left numrxqueues 1 numtxqueues 1 type veth peer name right numrxqueues 1 numtxqueues 1
ip link set dev left xdp obj \"$2\" sec xdp
ip link set dev right xdp obj \"$1\" sec xdp
ip link set left up
ip link set right up
ip -details link show right";
/// The longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(3);
/// Flows that are opened, each with a frame.
const FLOWS: u16 = 8;

#[test]
fn a_policy_with_its_macs_forwards_under_iproute2() {
    if !is_allowed() || !has_tool("ip", &["-V"], "libbpf") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let given = object_of(folder.path(), "given", GIVEN);
    let pass = object_of(folder.path(), "pass", "pass\n");
    let station = Namespace::new().expect("a network of its own");
    let taken = station.run(move || {
        let said = Command::new("sh")
            .args(["-c", SCRIPT, "sh", &given, &pass])
            .output();
        let said = said.expect("there is a shell");
        let out = String::from_utf8_lossy(&said.stdout);
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
        assert!(out.contains("name given "), "{out}");
        assert!(out.contains(" btf_id "), "without its types: {out}");
        exchange()
    });
    let mut taken = taken.expect("it forwards");
    taken.sort_unstable();
    let half = usize::from(FLOWS) / MACS.len();
    assert_eq!(
        taken,
        [vec![0; half], vec![1; half]].concat(),
        "each backend's turn"
    );
}

/// Sends frames into the left end; gives the backends that they come back for.
fn exchange() -> Vec<usize> {
    let left = Netlink::open().and_then(|mut netlink| netlink.link("left"));
    let mut ring = Ring::open(Options {
        index: left.expect("it was made").index,
        only: Only::Type(0x0800),
        vnet: false,
        ignore_outgoing: true,
        frame: 2048,
        frames: 64,
    })
    .expect("a socket");
    let frames: Vec<Vec<u8>> = (0..FLOWS).map(|flow| syn(40000 + flow)).collect();
    let mut taken = Vec::new();
    // Each CPU has turns of its own.
    let _here = sys::on_cpu(0);
    for frame in &frames {
        ring.send(&[], frame).expect("it goes");
        let begin = Instant::now();
        let mut back = None;
        while back.is_none() && begin.elapsed() < PATIENCE {
            Ring::wait([&ring], Duration::from_millis(20)).expect("a socket can be waited for");
            let ours = |found: &[u8]| found.len() == frame.len() && found[34..36] == frame[34..36];
            back = ring
                .take(|found| {
                    (found.kind != PACKET_OUTGOING && ours(found.bytes))
                        .then(|| found.bytes.to_vec())
                })
                .flatten();
        }
        let back = back.expect("it comes back");
        taken.push(forwarded(&back, frame));
    }
    taken
}
