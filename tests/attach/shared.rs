//! Frames in memory that is shared with the kernel (`AF_XDP`): which devices, which frames, and what the kernel keeps.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lvsc_abi::engine::Mode;
use lvsc_abi::mac::Mac;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::netlink::{Message, Netlink};
use lvsc_runtime::sys::bpf;
use lvsc_runtime::sys::namespace::Namespace;

use crate::child::{
    Connection, ETH0, RS1, RS2, Running, could_not, file, foreign, link, packets, plan, policy, run,
};
use crate::devices::{device, modes};
use crate::frames::{gather, join, packet, ring};

#[cfg(feature = "native")]
const ENGINES: [&str; 2] = ["wasm", "native"];
#[cfg(not(feature = "native"))]
const ENGINES: [&str; 1] = ["wasm"];
const SHARED: [&str; 2] = ["--io", "af_xdp"];

fn web(folder: &tempfile::TempDir) -> String {
    file(folder.path(), "web.lvs", policy(&[RS1, RS2], ""))
}

pub fn it_is_said_how_packets_come(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let web = web(&folder);
    for engine in ENGINES {
        for (mode, transfer, more) in [
            (Mode::Native, "copy", &[][..]),
            (Mode::Generic, "copy", &["--mode", "generic"]),
            (
                Mode::Native,
                "copy",
                &["--transfer", "copy", "--busy-poll", "20"],
            ),
        ] {
            let args = [&[&web, "-i", "eth0", "--target", engine], &SHARED[..], more].concat();
            let running = Running::start(place, &args);
            let title = format!("forwarding on eth0 (af_xdp, {}, {transfer})", mode.name());
            assert!(running.told.contains(&title), "{}", running.told);
            assert_eq!(modes(place, ETH0), [mode]);
            let record = running.end();
            let device = &record["devices"][0];
            assert_eq!(device["io"], "af_xdp");
            assert_eq!(device["transfer"], transfer);
            assert_eq!(device["mode"], mode.name());
            assert_eq!(modes(place, ETH0), [], "nothing is left");
        }
    }
    // What is left to lvsc is the safe way: a sender on the same host may leave its checksums to the device.
    let running = Running::start(place, &[&web, "-i", "eth0"]);
    let note = "note: packets of eth0 come by AF_PACKET: frames on a veth device";
    assert!(running.told.contains(note), "{}", running.told);
    assert!(
        running.told.contains("eth0 (af_packet)"),
        "{}",
        running.told
    );
    assert_eq!(running.end()["devices"][0]["io"], "af_packet");
}

pub fn what_cannot_be_shared_is_named(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let web = web(&folder);
    let counts = format!("counter seen\ncount seen\n{}", policy(&[RS1], ""));
    let counts = file(folder.path(), "counts.lvs", counts);
    let run = ["run", &web, "-i", "eth0"];
    let shared = [&run[..], &SHARED].concat();
    let could_not = |args: &[&str], words: &[&str]| could_not(place, args, words);
    let zero = [&shared[..], &["--transfer", "zero-copy"]].concat();
    could_not(
        &zero,
        &["no AF_XDP on eth0", "leave `--transfer zero-copy` out"],
    );
    let slots = [&shared[..], &["--target", "interp"]].concat();
    could_not(
        &slots,
        &["frames of `interp` cannot be shared", "`--io af_packet`"],
    );
    let kernel = [&shared[..], &["--target", "xdp"]].concat();
    could_not(&kernel, &["`--io` means nothing to `xdp`", "`wasm`"]);
    let plain = [&run[..], &["--io", "af_packet", "--mode", "native"]].concat();
    could_not(
        &plain,
        &[
            "`--mode` means nothing to `--io af_packet`",
            "`--io af_xdp`",
        ],
    );
    let counts = ["run", &counts, "-i", "eth0", "--io", "af_xdp"];
    could_not(
        &counts,
        &["passes packets that it has counted", "`--io af_packet`"],
    );
    let threads = [&shared[..], &["--threads", "2"]].concat();
    let few = "`eth0` has 1 queue for 2 threads, and each needs one";
    could_not(&threads, &[few, "`--threads 1`", "combined 2"]);
    let plain = [&run[..], &["--io", "af_packet", "--threads", "2"]].concat();
    could_not(&plain, &["`--threads` means nothing to `--io af_packet`"]);
    let memory = ["run", &web, "--lab", "memory", "--io", "af_xdp"];
    could_not(&memory, &["the lab in memory", "`--lab namespaces`"]);
    let held = place.run(|| bpf::attach(&foreign(), ETH0, Mode::Native));
    let held = held.unwrap().unwrap();
    could_not(&shared, &["`eth0` has the XDP program `somebody`"]);
    drop(held);
    assert_eq!(modes(place, ETH0), [], "nothing is left");
    let bare = Namespace::new().unwrap();
    let peer = Message::fragment()
        .link(22, 0, 0)
        .text(libc::IFLA_IFNAME, "jumbo1")
        .number(libc::IFLA_MTU, 9000);
    device(&bare, (21, "jumbo0", "veth"), 9000, Some(peer));
    let args = ["run", &web, "-i", "jumbo0", "--io", "af_xdp"];
    crate::child::could_not(&bare, &args, &["MTU of 9000 bytes", "`--io af_packet`"]);
}

pub fn the_kernel_keeps_what_the_policy_passes(lab: &Lab) {
    const PORT: u16 = 82;
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let web = web(&folder);
    let own = (plan().director.ip, PORT);
    let listener = place.run(move || TcpListener::bind(own)).unwrap().unwrap();
    for engine in ENGINES {
        for more in [&[][..], &["--mode", "generic"], &["--busy-poll", "20"]] {
            let args = [&[&web, "-i", "eth0", "--target", engine], &SHARED[..], more].concat();
            let running = Running::start(place, &args);
            let mut through = Connection::open(lab);
            let client = lab.client().unwrap();
            let patience = Duration::from_secs(5);
            let open = move || TcpStream::connect_timeout(&own.into(), patience);
            drop(
                client
                    .run(open)
                    .unwrap()
                    .expect("the director's kernel answers"),
            );
            drop(listener.accept().unwrap());
            through.lives("while the kernel serves others");
            through.end();
            let record = running.end();
            assert_eq!(record["pass"], 0, "what is the kernel's does not come here");
            assert!(record["send"].as_u64().unwrap() > 5, "{record}");
            // Until the servers' MACs are known.
            let dropped = record["reasons"]["no_backend"].as_u64().unwrap_or_default();
            let [frames, send] = ["frames", "send"].map(|name| record[name].as_u64().unwrap());
            assert_eq!(frames, send + dropped, "{record}");
        }
        // One that dies takes its program along.
        let args = [&[&web, "-i", "eth0", "--target", engine], &SHARED[..]].concat();
        Running::start(place, &args).kill();
        assert_eq!(modes(place, ETH0), []);
    }
}

pub fn what_was_built_says_itself_which_packets_are_the_kernels(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let counts = format!("counter seen\ncount seen\n{}", policy(&[RS1], ""));
    let counts = file(folder.path(), "counts.lvs", counts);
    let web = web(&folder);
    for engine in ENGINES {
        let built = |policy: &str| {
            let artifact = format!("{policy}.{engine}");
            let said = run(
                place,
                &["build", policy, "--target", engine, "-o", &artifact],
            );
            assert_eq!(said.code, 0, "{}", said.err);
            artifact
        };
        let shared = |artifact: &str| {
            let args = [artifact, "-i", "eth0", "--io", "af_xdp"];
            args.map(str::to_owned)
        };
        let artifact = built(&web);
        let args = shared(&artifact);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let running = Running::start(place, &args);
        let mut through = Connection::open(lab);
        through.lives("by what was built");
        through.end();
        let record = running.end();
        assert_eq!(record["devices"][0]["io"], "af_xdp");
        assert_eq!(record["pass"], 0, "what is the kernel's does not come here");
        let run = [&["run"], &args[..]].concat();
        let mut bytes = std::fs::read(&artifact).unwrap();
        // In the object itself, which is the last that holds an ELF file's first bytes.
        let object = bytes
            .windows(4)
            .rposition(|word| word == b"\x7fELF")
            .unwrap();
        assert!(object > 0, "an object in it");
        bytes[object + 100] ^= 1;
        std::fs::write(&artifact, bytes).unwrap();
        let damaged = "section `lvsc.steering` is not sound";
        could_not(place, &run, &[damaged, "`lvsc build POLICY`"]);
        let artifact = built(&counts);
        let args = shared(&artifact);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = [&["run"], &args[..]].concat();
        could_not(
            place,
            &run,
            &["passes packets that it has counted", "`--io af_packet`"],
        );
    }
}

/// A pair of links with two queues, one end of it here.
pub fn wide(here: &Namespace, (index, name, mac): (u32, &str, Mac), station: &Namespace) {
    let queues = |message: Message| {
        message
            .number(libc::IFLA_NUM_TX_QUEUES, 2)
            .number(libc::IFLA_NUM_RX_QUEUES, 2)
    };
    join(here, (index, name, mac), station, queues);
}

pub fn frames_of_every_queue_leave_by_the_other_interface(_: &Lab) {
    const LAN: Mac = Mac([2, 0, 0, 0, 0, 0x30]);
    const WAN: Mac = Mac([2, 0, 0, 0, 0, 0x31]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 0x10]);
    /// More than there are chunks, so that each is used again.
    const ROUNDS: u32 = 50;
    const FLOWS: u16 = 100;
    let [here, inside, outside] = std::array::from_fn(|_| Namespace::new().unwrap());
    wide(&here, (30, "lan0", LAN), &inside);
    wide(&here, (31, "wan0", WAN), &outside);
    let folder = tempfile::tempdir().unwrap();
    let policy = "interface lan\ninterface wan\n\
                  pool web { scheduler maglev\n backend rs1 198.51.100.10 mac 02:00:00:00:00:10 via wan }\n\
                  match ip.dst == 192.0.2.200 { select rs from web\n eth.src = wan.mac\n eth.dst = rs.mac\n send wan }\n";
    let policy = file(folder.path(), "two.lvs", policy);
    let (mut ear, mouth) = (ring(&outside), ring(&inside));
    for engine in ENGINES {
        let devices = ["-i", "lan=lan0", "-i", "wan=wan0", "--target", engine];
        let args = [&[policy.as_str()], &devices[..], &SHARED].concat();
        let running = Running::start(&here, &[&args[..], &["--threads", "2"]].concat());
        assert!(running.told.contains("2 threads"), "{}", running.told);
        let mut came = Vec::new();
        for round in 0..ROUNDS {
            for flow in 0..FLOWS {
                let number = round * u32::from(FLOWS) + u32::from(flow);
                mouth.send(&[], &packet(LAN, flow, number)).unwrap();
            }
            came.extend(gather(&mut ear, Duration::from_millis(40)));
        }
        let mut numbers: Vec<u32> = Vec::new();
        for frame in &came {
            let number = u32::from_be_bytes(frame.bytes[42..46].try_into().unwrap());
            let mut wanted = packet(SERVER, (number % u32::from(FLOWS)) as u16, number);
            wanted[6..12].copy_from_slice(&WAN.0);
            assert_eq!(frame.bytes, wanted, "only the MACs are new");
            numbers.push(number);
        }
        numbers.sort_unstable();
        let all: Vec<u32> = (0..ROUNDS * u32::from(FLOWS)).collect();
        assert_eq!(numbers, all, "every frame, and each once");
        let record = running.end();
        let sent = u64::from(ROUNDS) * u64::from(FLOWS);
        assert_eq!(record["send"], sent);
        assert_eq!(record["overrun"], 0);
        assert_eq!(packets(&record), [("rs1".to_owned(), sent)]);
        let threads = record["threads"].as_array().unwrap().iter();
        let threads: Vec<u64> = threads.map(|t| t["packets"].as_u64().unwrap()).collect();
        assert_eq!(threads.len(), 2);
        assert!(threads.iter().all(|packets| *packets > 0), "{threads:?}");
        assert_eq!(threads.iter().sum::<u64>(), sent, "{threads:?}");
    }
    assert!(link(&here, 30).programs.is_empty());
    let gone = here.run(|| Netlink::open()?.links()).unwrap().unwrap();
    assert_eq!(gone.len(), 3, "the loopback device and two ends");
}
