//! A device, its modes and its other programs.

use std::process::Command;

use lvsc_abi::engine::Mode;
use lvsc_runtime::engine::xdp::XdpEngine;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::netlink::{Message, Netlink, Running as Program};
use lvsc_runtime::sys::bpf;
use lvsc_runtime::sys::namespace::Namespace;

use crate::child::{ETH0, RS1, RS2, Running, build, could_not, file, foreign, link, policy, run};
use crate::support::{Said, lvsc, root, said};

fn object(folder: &tempfile::TempDir) -> String {
    build(&file(folder.path(), "web.lvs", policy(&[RS1, RS2], "")))
}

pub fn modes(place: &Namespace, index: u32) -> Vec<Mode> {
    let programs = link(place, index).programs;
    programs.iter().map(|program| program.mode).collect()
}

pub fn the_mode_is_the_one_that_was_asked_for(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    for (asked, mode) in [
        ("native", Mode::Native),
        ("generic", Mode::Generic),
        ("auto", Mode::Native),
    ] {
        let running = Running::start(place, &[&object, "-i", "eth0", "--mode", asked]);
        let title = format!("forwarding on eth0 ({})", mode.name());
        assert!(running.told.contains(&title), "{}", running.told);
        assert_eq!(modes(place, ETH0), [mode]);
        let record = running.end();
        assert_eq!(record["devices"][0]["mode"], mode.name());
        assert_eq!(record["devices"][0]["name"], "eth0");
        assert_eq!(modes(place, ETH0), [], "nothing is left");
    }
    let offload = [&object, "-i", "eth0", "--mode", "offload"];
    let offload: Vec<&str> = [&["run"], &offload[..]].concat();
    could_not(
        place,
        &offload,
        &[
            "`eth0` cannot take the program onto a card",
            "--mode native",
        ],
    );
}

/// Makes a device; the attributes of the veth's peer, if it is one.
pub fn device(
    place: &Namespace,
    (index, name, kind): (u32, &str, &str),
    mtu: u32,
    peer: Option<Message>,
) {
    const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    const PEER: u16 = 1;
    let mut message = Message::new(libc::RTM_NEWLINK, CREATE)
        .link(index, libc::IFF_UP as u32, libc::IFF_UP as u32)
        .text(libc::IFLA_IFNAME, name)
        .number(libc::IFLA_MTU, mtu)
        .number(libc::IFLA_NUM_TX_QUEUES, 1)
        .number(libc::IFLA_NUM_RX_QUEUES, 1)
        .open(libc::IFLA_LINKINFO)
        .text(1, kind);
    if let Some(peer) = peer {
        message = message.open(2).attribute(PEER, &peer.into_bytes()).close();
    }
    let message = message.close();
    place
        .run(|| Netlink::open()?.call(message))
        .unwrap()
        .unwrap();
}

pub fn a_device_that_refuses_is_named_with_its_reason(_: &Lab) {
    let (place, folder) = (Namespace::new().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let peer = |index, name: &str| {
        Message::fragment()
            .link(index, 0, 0)
            .text(libc::IFLA_IFNAME, name)
    };
    device(&place, (20, "bridge0", "bridge"), 1500, None);
    let jumbo = peer(22, "jumbo1").number(libc::IFLA_MTU, 9000);
    device(&place, (21, "jumbo0", "veth"), 9000, Some(jumbo));
    let queues = peer(24, "queues1")
        .number(libc::IFLA_NUM_TX_QUEUES, 4)
        .number(libc::IFLA_NUM_RX_QUEUES, 4);
    device(&place, (23, "queues0", "veth"), 1500, Some(queues));
    for (name, reason) in [
        ("bridge0", "`bridge0` has no native mode (bridge)"),
        (
            "jumbo0",
            "`jumbo0` takes no program for packets of 9000 bytes",
        ),
        (
            "queues0",
            "`queues0` has fewer receive queues than its peer has transmit queues",
        ),
    ] {
        let native = ["run", &object, "-i", name, "--mode", "native"];
        could_not(&place, &native, &[reason, "help: ", "--mode generic"]);
        let running = Running::start(&place, &[&object, "-i", name]);
        let warned = format!("warning: the program is on `{name}` in generic mode: {reason}");
        assert!(running.told.contains(&warned), "{}", running.told);
        assert_eq!(running.end()["devices"][0]["mode"], "generic");
    }
}

pub fn a_device_that_comes_again_is_gone_on_with(_: &Lab) {
    let (place, folder) = (Namespace::new().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    for index in [20, 30] {
        let peer = Message::fragment()
            .link(index + 1, 0, 0)
            .text(libc::IFLA_IFNAME, "peer0")
            .number(libc::IFLA_NUM_TX_QUEUES, 1)
            .number(libc::IFLA_NUM_RX_QUEUES, 1);
        device(&place, (index, "veth0", "veth"), 1500, Some(peer));
        let running = Running::start(&place, &[&object, "-i", "veth0", "--pin", "veth"]);
        assert_eq!(modes(&place, index), [Mode::Native]);
        running.end();
        let links = std::fs::read_dir("/sys/fs/bpf/lvsc/veth").unwrap();
        assert_eq!(links.count(), 2, "a program and a link");
        let gone = Message::new(libc::RTM_DELLINK, 0).link(index, 0, 0);
        let done = place.run(|| Netlink::open()?.call(gone));
        done.unwrap().unwrap();
    }
    let off = run(&place, &["unpin", "veth"]).out;
    assert_eq!(off, "veth: off 0 devices\n");
}

/// Puts somebody's program on `eth0` by netlink: its number.
fn settle(place: &Namespace, mode: Mode) -> u32 {
    let program = foreign();
    let id = bpf::program_info(&program).unwrap().id;
    let put = move || Netlink::open()?.put_on(ETH0, mode, &program);
    place.run(put).unwrap().unwrap();
    id
}

pub fn another_program_stays_unless_it_is_to_be_replaced(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    for mode in [Mode::Native, Mode::Generic] {
        let program = settle(place, mode);
        let title = format!(
            "the XDP program `somebody` (id {program}, {} mode) already",
            mode.name()
        );
        let words = [
            "`eth0` has",
            &title,
            "`--replace` takes its place",
            "ip link set dev eth0",
        ];
        could_not(place, &["run", &object, "-i", "eth0"], &words);
        // What is taken off in vain comes back.
        let in_vain = [
            "run",
            &object,
            "-i",
            "eth0",
            "--replace",
            "--mode",
            "offload",
        ];
        could_not(place, &in_vain, &["onto a card"]);
        assert_eq!(link(place, ETH0).programs, [Program { mode, program }]);
        let running = Running::start(place, &[&object, "-i", "eth0", "--replace"]);
        let programs = link(place, ETH0).programs;
        assert!(
            programs.len() == 1 && programs[0].program != program,
            "{programs:?}"
        );
        running.end();
        assert_eq!(link(place, ETH0).programs, [], "nothing is left");
    }
}

pub fn what_a_link_holds_is_not_replaced(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let held = place
        .run(|| bpf::attach(&foreign(), ETH0, Mode::Native))
        .unwrap()
        .unwrap();
    let info = bpf::link_info(&held).unwrap();
    let who = format!("bpftool link show id {}", info.id);
    let refused = could_not(
        place,
        &["run", &object, "-i", "eth0"],
        &["`somebody`", &who],
    );
    assert!(
        !refused.contains("`--replace`"),
        "it would not help: {refused}"
    );
    let replace = ["run", &object, "-i", "eth0", "--replace"];
    could_not(place, &replace, &["cannot be replaced", &who]);
    assert_eq!(link(place, ETH0).programs[0].program, info.program);
    drop(held);
    // A director without a name holds by a link, too.
    let running = Running::start(place, &[&object, "-i", "eth0"]);
    could_not(place, &replace, &["`web` (id ", "cannot be replaced"]);
    running.end();
}

/// `lvsc run` of an object on `eth0` with these capabilities alone.
fn with(place: &Namespace, capabilities: &str, object: &str, more: &[&str]) -> Said {
    let mut command = Command::new("setpriv");
    command.args([
        "--inh-caps=-all",
        &format!("--bounding-set=-all,{capabilities}"),
    ]);
    command.args([env!("CARGO_BIN_EXE_lvsc"), "run", object, "-i", "eth0"]);
    command.args(more);
    place.run(move || said(&mut command)).unwrap()
}

pub fn the_capability_that_is_missing_is_named(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let held = place.run(|| bpf::attach(&foreign(), ETH0, Mode::Native));
    let held = held.unwrap().unwrap();
    let all = ["+bpf", "+net_admin", "+perfmon", "+net_raw"];
    for lacking in &all[..3] {
        let rest: Vec<&str> = all.iter().copied().filter(|one| one != lacking).collect();
        let told = with(place, &rest.join(","), &object, &[]);
        let name = lacking.trim_start_matches('+').to_uppercase();
        let words = format!("this process lacks {name}: run it with sudo");
        assert!(told.code == 2 && told.err.contains(&words), "{}", told.err);
    }
    // All four are enough to come as far as the other program, which they do not let it look at.
    let told = with(place, &all.join(","), &object, &[]);
    assert!(
        told.err.contains("`eth0` has the XDP program"),
        "{}",
        told.err
    );
    assert!(told.err.contains("unless a link holds it"), "{}", told.err);
    let told = with(place, &all.join(","), &object, &["--replace"]);
    assert!(told.err.contains("could not be put back"), "{}", told.err);
    assert_eq!(link(place, ETH0).programs.len(), 1, "it is still there");
    drop(held);
    // Root of a user namespace has them all, and they count for nothing.
    let root = [
        "--user",
        "--map-root-user",
        env!("CARGO_BIN_EXE_lvsc"),
        "run",
        &object,
        "-i",
        "lo",
    ];
    let refused = said(Command::new("unshare").args(root));
    let words = "the capabilities count only in the host's own user namespace";
    assert!(
        refused.code == 2 && refused.err.contains(words),
        "{}",
        refused.err
    );
}

pub fn flags_of_xdp_mean_nothing_to_others(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let policy = file(folder.path(), "web.lvs", policy(&[RS1, RS2], ""));
    for flag in [&["--mode", "native"][..], &["--replace"], &["--pin", "web"]] {
        let alone = said(lvsc(root()).args([&["run", &policy], flag].concat()));
        assert_eq!(alone.code, 2, "{}", alone.err);
        assert!(alone.err.contains("--interface"), "{}", alone.err);
    }
    let args = [
        "run", &policy, "--target", "interp", "-i", "eth0", "--pin", "web",
    ];
    let words = ["--pin", "means nothing to `interp`", "--target xdp"];
    could_not(place, &args, &words);
}

pub fn a_built_artifact_runs_and_a_damaged_one_is_refused(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let object = object(&folder);
    let on = |file: &str, words: &[&str]| could_not(place, &["run", file, "-i", "eth0"], words);
    could_not(place, &["run", &object], &["the lab tries a policy"]);
    let wrong = ["run", &object, "--target", "interp", "-i", "eth0"];
    could_not(place, &wrong, &["is built for `xdp`, not for `interp`"]);
    let bytes = std::fs::read(&object).unwrap();
    for length in (4..bytes.len()).step_by(bytes.len() / 40) {
        let short = file(folder.path(), "short.o", &bytes[..length]);
        on(&short, &["short.o: ", "help: `lvsc build POLICY`"]);
    }
    // An object of another compiler has none of our sections.
    let at = bytes
        .windows(11)
        .position(|name| name == b"lvsc.layout")
        .unwrap();
    let mut other = bytes.clone();
    other[at] = b'x';
    on(
        &file(folder.path(), "foreign.o", other),
        &["no section `lvsc.layout`: it was not built by lvsc"],
    );
    // Whatever is changed is refused or runs; nothing breaks down.
    for (turn, at) in (0..bytes.len()).step_by(bytes.len() / 400).enumerate() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (turn % 8);
        drop(XdpEngine::load(&other));
    }
    on(
        &file(folder.path(), "old.o", of_version(&bytes, 7)),
        &["the object has ABI version 7"],
    );
}

/// An object whose image begins with another version.
pub fn of_version(object: &[u8], version: u32) -> Vec<u8> {
    let at = object
        .windows(8)
        .position(|magic| magic == b"lvscimg\0")
        .unwrap()
        + 8;
    let mut other = object.to_vec();
    other[at..at + 4].copy_from_slice(&version.to_le_bytes());
    other
}

/// An object that the verifier refuses: a byte of the IP header is read from far behind the frame.
pub fn refused(object: &[u8]) -> Vec<u8> {
    let is_read = |insn: &[u8]| insn[0] == 0x71 && insn[2..] == [14, 0, 0, 0, 0, 0];
    let at = object.windows(8).position(is_read).unwrap();
    let mut other = object.to_vec();
    other[at + 3] = 0x70;
    other
}

pub fn the_verifiers_words_are_for_who_asks(lab: &Lab) {
    let (place, folder) = (lab.director().unwrap(), tempfile::tempdir().unwrap());
    let bytes = refused(&std::fs::read(object(&folder)).unwrap());
    let object = file(folder.path(), "refused.o", bytes);
    let words = [
        "verifier refuses the program: web.lvs:",
        "help: `-v` shows all",
    ];
    let short = could_not(place, &["run", &object, "-i", "eth0"], &words);
    let long = could_not(place, &["run", &object, "-i", "eth0", "-v"], &words);
    assert!(short.lines().count() < 6, "{short}");
    assert!(
        long.lines().count() > 20 && long.contains("R1=ctx"),
        "{long}"
    );
}
