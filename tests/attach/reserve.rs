//! A device that refuses the program, while the program forwards on others.

use std::fs;
use std::path::Path;

use lvsc_abi::engine::Engine;
use lvsc_runtime::engine::xdp::XdpEngine;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::netlink::{Message, Running as Program};
use lvsc_runtime::sys::bpf;
use lvsc_runtime::sys::namespace::Namespace;

use crate::child::{RS1, RS2, Running, build, could_not, file, link, policy, run};
use crate::devices::device;

const VETH: u32 = 20;
const PINS: &str = "/sys/fs/bpf/lvsc/reserve";

/// What is on the veth, and the image that it works on, byte by byte.
fn state(place: &Namespace) -> (Vec<Program>, Vec<Vec<u8>>) {
    let folders = fs::read_dir(PINS)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut maps = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        for name in ["data", "state"] {
            let map = bpf::get(&Path::new(&folder).join(name)).unwrap();
            maps.push(bpf::lookup(&map).unwrap());
        }
    }
    (link(place, VETH).programs, maps)
}

pub fn a_device_that_refuses_the_program_changes_nothing_on_the_others(_: &Lab) {
    let (place, folder) = (Namespace::new().unwrap(), tempfile::tempdir().unwrap());
    let peer = Message::fragment()
        .link(VETH + 1, 0, 0)
        .text(libc::IFLA_IFNAME, "peer0")
        .number(libc::IFLA_NUM_TX_QUEUES, 1)
        .number(libc::IFLA_NUM_RX_QUEUES, 1);
    device(&place, (VETH, "veth0", "veth"), 1500, Some(peer));
    // A bridge has no native mode, and only trying it tells.
    device(&place, (30, "bridge0", "bridge"), 1500, None);
    let write = |name: &str, text: String| file(folder.path(), name, text);
    let web = write("web.lvs", policy(&[RS1, RS2], ""));
    let heavy = write("heavy.lvs", policy(&[RS1, &format!("{RS2} weight 3")], ""));
    let two = write(
        "two.lvs",
        policy(&[RS1, RS2], "interface lan\ninterface wan"),
    );
    let flags = ["--target", "xdp", "--pin", "reserve"];
    Running::start(&place, &[&[&*web, "-i", "veth0"], &flags[..]].concat()).end();
    let before = state(&place);
    assert_eq!((before.0.len(), before.1.len()), (1, 2));
    let native = [&flags[..], &["--mode", "native"]].concat();
    let refused = |args: &[&str]| {
        could_not(
            &place,
            &[&["run"], args, &native].concat(),
            &["`bridge0` has no native mode"],
        );
        assert!(state(&place) == before, "{args:?} has changed something");
        assert_eq!(link(&place, 30).programs, []);
    };
    // The same policy, one over the same image, and one over another.
    refused(&[&web, "-i", "bridge0"]);
    refused(&[&heavy, "-i", "bridge0"]);
    refused(&[&two, "-i", "lan=veth0", "-i", "wan=bridge0"]);
    // Where the driver need not, it goes over, and the other device is let go.
    Running::start(&place, &[&[&*heavy, "-i", "bridge0"], &flags[..]].concat()).end();
    assert_eq!(link(&place, VETH).programs, []);
    assert_eq!(link(&place, 30).programs.len(), 1);
    let off = run(&place, &["unpin", "reserve"]);
    assert_eq!(off.out, "reserve: off 1 device\n", "{}", off.err);
}

pub fn what_stays_after_a_crash_is_not_switched_off(_: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let object = build(&file(folder.path(), "web.lvs", policy(&[RS1, RS2], "")));
    let object = fs::read(object).unwrap();
    let name = "reserve".parse().unwrap();
    let mut kept = XdpEngine::pinned(&object, &name).unwrap().engine;
    let refused = kept.switch(false).unwrap_err().to_string();
    assert_eq!(refused, "what is kept as `reserve` is not switched off");
    kept.switch(true).unwrap();
    XdpEngine::load(&object).unwrap().switch(false).unwrap();
}
