//! The object as others load it: no loader of ours is needed.

#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::Command;

use aya::Ebpf;
use aya::programs::Xdp;
use lvsc_runtime::engine::xdp::{LoadError, XdpEngine};
use lvsc_runtime::sys::bpf;
use support::{files, say, short};

/// The policies' objects in a folder, by name.
fn objects(folder: &Path) -> Vec<(String, String)> {
    let policies = files("policies", "lvs").into_iter();
    let each = policies.map(|path| {
        let name = path.file_stem().expect("a file has a name");
        let object = folder.join(name).with_extension("o");
        let object = object.to_str().expect("a plain name").to_owned();
        let said = say(&["build", &short(&path), "--target", "xdp", "-o", &object]);
        assert_eq!(said.code, 0, "{}", said.err);
        (name.to_string_lossy().replace('-', "_"), object)
    });
    each.collect()
}

/// Whether programs can be loaded here; where the kernel is required they must.
fn is_allowed() -> bool {
    let allowed = lvsc_runtime::engine::xdp::allowed();
    let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
    assert!(allowed || !required, "this kernel loads no XDP program");
    allowed
}

#[test]
fn aya_loads_the_objects() {
    if !is_allowed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, object) in objects(folder.path()) {
        let bytes = std::fs::read(object).expect("it was written");
        let mut loaded = Ebpf::load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let program = loaded.program_mut(&name).expect("it has the policy's name");
        let program: &mut Xdp = program.try_into().expect("an XDP program");
        program
            .load()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(loaded.map("counters").is_none(), "variables are no maps");
        for map in [".data", ".bss"] {
            assert!(loaded.map(map).is_some(), "{name} has no {map}");
        }
    }
}

#[test]
fn a_refusal_of_the_verifier_names_the_policys_line() {
    if !is_allowed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (_, object) = objects(folder.path()).swap_remove(0);
    let mut bytes = std::fs::read(object).expect("it was written");
    // The first byte of the IP header is read from far behind the frame.
    let is_read = |insn: &[u8]| insn[0] == 0x71 && insn[2..] == [14, 0, 0, 0, 0, 0];
    let at = bytes.windows(8).position(is_read).expect("it is read");
    bytes[at + 3] = 0x70;
    let Err(LoadError::Refused { message, log }) = XdpEngine::load(&bytes) else {
        panic!("the verifier takes it");
    };
    assert!(message.contains(".lvs:"), "{message}");
    assert!(message.contains("invalid access to packet"), "{message}");
    assert!(log.len() > message.len());
}

/// With the MACs in the policy, its first image is all that it takes.
#[test]
fn a_policy_with_its_macs_forwards_under_any_loader() {
    const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0x82], [2, 0, 0, 0, 0, 0x86]];
    if !is_allowed() {
        return;
    }
    let policy = "pool web { scheduler wrr\n backend 192.0.2.130 mac 02:00:00:00:00:82\n \
                  backend 192.0.2.134 mac 02:00:00:00:00:86 }\n\
                  match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";
    let folder = tempfile::tempdir().expect("a folder");
    let [source, object] = ["given.lvs", "given.o"].map(|name| {
        let path = folder.path().join(name);
        path.to_str().expect("a plain name").to_owned()
    });
    std::fs::write(&source, policy).expect("a file");
    let said = say(&["build", &source, "--target", "xdp", "-o", &object]);
    assert_eq!(said.code, 0, "{}", said.err);
    let bytes = std::fs::read(object).expect("it was written");
    let mut loaded = Ebpf::load(&bytes).expect("aya loads it");
    let program = loaded.program_mut("given").expect("the policy's name");
    let program: &mut Xdp = program.try_into().expect("an XDP program");
    program.load().expect("the kernel takes it");
    // A SYN from 192.0.2.7 to the VIP.
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 0];
    frame.extend([
        0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7, 192, 0, 2, 200,
    ]);
    frame.extend([
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    let mut out = vec![0; 2048];
    for _ in 0..4 {
        let fd = program.fd().expect("it is loaded");
        let ran = bpf::test_run(&fd.as_fd().as_raw_fd(), &frame, &mut out, 1);
        let ran = ran.expect("the kernel runs it");
        assert_eq!(ran.verdict, 3, "XDP_TX");
        let out = &out[..ran.length as usize];
        assert!(MACS.iter().any(|mac| out[..6] == *mac), "{out:02x?}");
        assert_eq!(out[14..], frame[14..], "only the MACs are new");
    }
}

/// A tool that is installed for development; without it there is nothing to try.
fn tool(name: &str) -> bool {
    Command::new(name).arg("version").output().is_ok()
}

#[test]
fn bpftool_loads_the_objects_and_shows_their_variables_and_lines() {
    if !is_allowed() || !tool("bpftool") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("bpffs");
    std::fs::create_dir(&place).expect("a folder");
    // A mount namespace of its own: what is mounted goes with the shell.
    let script = "set -e; mount -t bpf bpf \"$1\"; bpftool prog load \"$2\" \"$1/p\"; \
                  bpftool prog dump xlated pinned \"$1/p\" linum; \
                  id=$(bpftool -j prog show pinned \"$1/p\" | grep -o '\"map_ids\":\\[[0-9]*' | grep -o '[0-9]*$'); \
                  bpftool map dump id $id | head -c 4000";
    for (name, object) in objects(folder.path()) {
        let place = place.to_str().expect("a plain name");
        let args = ["--mount", "sh", "-c", script, "sh", place, &object];
        let said = Command::new("unshare").args(args).output();
        let said = said.expect("util-linux is everywhere");
        let (out, err) = (
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr),
        );
        assert!(said.status.success(), "{name}: {err}");
        let policy = format!("{}.lvs line_num:", name.replace('_', "-"));
        assert!(
            out.contains(&policy),
            "{name}: no line of the policy in {out}"
        );
        assert!(out.contains("\"interfaces\""), "{name}: {out}");
    }
}
