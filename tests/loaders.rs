//! The object as others load it: no loader of ours is needed.

#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "loaders/aya.rs"]
mod aya;
#[path = "loaders/bpftool.rs"]
mod bpftool;
#[path = "loaders/iproute2.rs"]
mod iproute2;
#[path = "loaders/libbpf.rs"]
mod libbpf;
mod support;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use lvsc_runtime::engine::xdp::{LoadError, XdpEngine};
use support::{files, say, short};

/// `XDP_TX`
const BACK: u32 = 3;
/// The MACs of the backends of [`GIVEN`].
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0x82], [2, 0, 0, 0, 0, 0x86]];
/// With the MACs in the policy, its first image is all that it takes.
const GIVEN: &str = "pool web { scheduler wrr\n backend 192.0.2.130 mac 02:00:00:00:00:82\n \
                     backend 192.0.2.134 mac 02:00:00:00:00:86 }\n\
                     match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";

/// The policies' objects in a folder, by the names of their programs.
fn objects(folder: &Path) -> Vec<(String, String)> {
    let policies = files("policies", "lvs").into_iter();
    let each = policies.map(|path| {
        let name = path.file_stem().expect("a file has a name");
        let object = object(folder, &name.to_string_lossy(), &short(&path));
        (name.to_string_lossy().replace('-', "_"), object)
    });
    each.collect()
}

/// The object of a policy that is written here.
fn object_of(folder: &Path, name: &str, policy: &str) -> String {
    let source = folder.join(name).with_extension("lvs");
    std::fs::write(&source, policy).expect("a file");
    object(folder, name, source.to_str().expect("a plain name"))
}

fn object(folder: &Path, name: &str, policy: &str) -> String {
    let object = folder.join(name).with_extension("o");
    let object = object.to_str().expect("a plain name").to_owned();
    let said = say(&["build", policy, "--target", "xdp", "-o", &object]);
    assert_eq!(said.code, 0, "{}", said.err);
    object
}

/// A SYN from this port of 192.0.2.7 to the VIP of [`GIVEN`], port 80.
fn syn(port: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 0];
    frame.extend([
        0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7, 192, 0, 2, 200,
    ]);
    frame.extend(port.to_be_bytes());
    frame.extend([
        0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame
}

/// The frame left for one of the backends, and only its MACs are new: the index of the backend.
fn forwarded(out: &[u8], frame: &[u8]) -> usize {
    assert_eq!(out[6..12], frame[..6], "from the director");
    assert_eq!(out[14..], frame[14..], "only the MACs are new");
    let found = MACS.iter().position(|mac| out[..6] == *mac);
    found.unwrap_or_else(|| panic!("to a backend: {out:02x?}"))
}

/// Whether programs can be loaded here; where the kernel is required they must.
fn is_allowed() -> bool {
    let allowed = lvsc_runtime::engine::xdp::allowed();
    is_there(allowed, "the permission to load XDP programs")
}

/// Whether a tool is installed, which says these words with these arguments; where the kernel is required it must be.
fn has_tool(name: &str, args: &[&str], words: &str) -> bool {
    let said = Command::new(name).args(args).output();
    let found = said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(words));
    is_there(found, &format!("{name} ({words})"))
}

/// Says visibly that a test was not run; where the kernel is required, that is a failure.
fn is_there(found: bool, what: &str) -> bool {
    if !found {
        let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
        assert!(!required, "needs {what}");
        let line = format!("ignored: needs {what}\n");
        let _ = std::io::stderr().write_all(line.as_bytes()); // past the harness, which hides what is printed
    }
    found
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
    let Err(LoadError::Refused {
        message,
        log,
        too_large: false,
    }) = XdpEngine::load(&bytes)
    else {
        panic!("the verifier takes it");
    };
    assert!(message.contains(".lvs:"), "{message}");
    assert!(message.contains("invalid access to packet"), "{message}");
    assert!(log.len() > message.len());
    assert!(log.contains("\n; match ip."), "{log}");
}

/// Jumps of more than 32,767 instructions are relayed, with room for what the kernel puts in between.
#[test]
fn the_kernel_takes_a_policy_of_more_instructions_than_a_jump_can_pass() {
    if !is_allowed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let cases = (0..1300).map(|port| format!("{} -> drop r{}\n", port * 7 + 1, port % 50));
    let cases: String = cases.collect();
    let policy = format!(
        "{GIVEN}match ip.dst == 192.0.2.201 {{ switch tcp.dst {{\n{cases}_ -> pass }} }}\n"
    );
    let object = object_of(folder.path(), "many", &policy);
    let object = std::fs::read(object).expect("it was written");
    if let Err(error) = XdpEngine::load(&object) {
        panic!("{error}");
    }
}
