//! A native object in a program in C: linked with its header, it forwards by itself.

#![cfg(all(feature = "native", target_os = "linux"))]
#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{files, root, say, short};

/// With the MACs in the policy, its first image is all that it takes.
const GIVEN: &str = "interface lan { mac 02:00:00:00:00:01 }\n\
                     pool web { scheduler wrr\n backend 192.0.2.130 mac 02:00:00:00:00:82\n \
                     backend 192.0.2.134 mac 02:00:00:00:00:86 }\n\
                     match ip.dst == 192.0.2.200 { select rs from web\n dr(rs) }\n";
/// The interface's MAC, and the backends'.
const LAN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0x82], [2, 0, 0, 0, 0, 0x86]];

/// Whether there is a C compiler; where the kernel is required, it must be there, too.
fn has_compiler() -> bool {
    let said = Command::new("cc").arg("--version").output();
    let found = said.is_ok_and(|said| said.status.success());
    if !found {
        let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
        assert!(!required, "needs a C compiler");
        let line = b"ignored: needs a C compiler\n";
        let _ = std::io::stderr().write_all(line); // past the harness, which hides what is printed
    }
    found
}

/// Builds a policy's object and its header into a folder: `policy.o`, `policy.h`.
fn built(folder: &Path, policy: &str) {
    for (emit, name) in [(&["--emit", "header"][..], "policy.h"), (&[], "policy.o")] {
        let to = folder.join(name);
        let to = to.to_str().expect("a plain name");
        let build = ["build", policy, "--target", "native", "-o", to];
        let said = say(&[&build[..], emit].concat());
        assert_eq!(said.code, 0, "{}", said.err);
    }
}

fn compile(folder: &Path, args: &[&str]) {
    let said = Command::new("cc")
        .current_dir(folder)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror"])
        .args(args)
        .output()
        .expect("the compiler was there");
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{err}");
}

/// `linked/forward.c` with the object of [`GIVEN`].
fn linked(folder: &Path) -> PathBuf {
    let policy = folder.join("given.lvs");
    std::fs::write(&policy, GIVEN).expect("a file");
    built(folder, policy.to_str().expect("a plain name"));
    let source = root().join("tests/linked/forward.c");
    let source = source.to_str().expect("a plain name");
    compile(folder, &["-I.", source, "policy.o", "-o", "forward"]);
    folder.join("forward")
}

/// A SYN from this port of 192.0.2.7 to this address, port 80.
fn syn(port: u16, to: [u8; 4]) -> Vec<u8> {
    let mut frame = LAN.to_vec();
    frame.extend([2, 0, 0, 0, 0, 7, 8, 0]);
    frame.extend([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7]);
    frame.extend(to);
    frame.extend(port.to_be_bytes());
    frame.extend([
        0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame
}

fn hexadecimal(frame: &[u8]) -> String {
    frame.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn a_program_in_c_forwards_with_the_object() {
    if !has_compiler() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = linked(folder.path());
    let vip = [192, 0, 2, 200];
    let frames = [
        syn(40000, vip),
        syn(40001, vip),
        syn(40000, vip),
        syn(40000, [192, 0, 2, 9]),
    ];
    let said = Command::new(program)
        .args(frames.iter().map(|frame| hexadecimal(frame)))
        .output()
        .expect("it was compiled");
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).expect("it is text");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), frames.len(), "{said}");
    let backend = |index: usize| {
        let found = MACS.iter().position(|mac| {
            let mut sent = frames[index].clone();
            sent[..6].copy_from_slice(mac);
            sent[6..12].copy_from_slice(&LAN);
            let sent = hexadecimal(&sent);
            lines[index] == format!("verdict 1 interface 0 frame {sent}")
        });
        found.unwrap_or_else(|| panic!("to no backend: {}", lines[index]))
    };
    assert_ne!(backend(0), backend(1), "each backend has its turn");
    assert_eq!(backend(0), backend(2), "a flow keeps its backend");
    let passed = format!("verdict 2 interface 0 frame {}", hexadecimal(&frames[3]));
    assert_eq!(lines[3], passed);
}

/// Their sections and interfaces make names that C takes, and the code is where it can be placed anywhere.
#[test]
fn every_policy_can_be_linked_into_a_shared_library() {
    if !has_compiler() {
        return;
    }
    for policy in files("policies", "lvs") {
        let folder = tempfile::tempdir().expect("a folder");
        built(folder.path(), &short(&policy));
        let source = folder.path().join("library.c");
        std::fs::write(
            source,
            "#include \"policy.h\"\nsize_t size = LVSC_IMAGE_SIZE;\n",
        )
        .expect("a file");
        let args = [
            "-shared",
            "-fPIC",
            "library.c",
            "policy.o",
            "-Wl,--fatal-warnings",
            "-o",
        ];
        compile(folder.path(), &[&args[..], &["library.so"]].concat());
    }
}
