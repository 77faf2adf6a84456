//! libbpf, the kernel's own loader, by a program in C.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use lvsc_runtime::sys;

use crate::support::root;
use crate::{BACK, GIVEN, MACS, forwarded, is_allowed, is_there, object_of, objects, syn};

/// `loaders/libbpf.c`, where there are a C compiler and libbpf.
fn compiled(folder: &Path) -> Option<String> {
    let program = folder
        .join("libbpf")
        .to_str()
        .expect("a plain name")
        .to_owned();
    let source = root().join("tests/loaders/libbpf.c");
    let probe = Command::new("cc")
        .args(["-E", "-include", "bpf/libbpf.h", "-x", "c", "/dev/null"])
        .output();
    let found = probe.is_ok_and(|said| said.status.success());
    if !is_there(found, "a C compiler and libbpf-dev") {
        return None;
    }
    let said = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-o", &program])
        .arg(source)
        .arg("-lbpf")
        .output();
    let said = said.expect("the compiler was there");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    Some(program)
}

fn say(program: &str, args: &[&str]) -> Vec<String> {
    let said = Command::new(program)
        .args(args)
        .output()
        .expect("it was compiled");
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{args:?}: {err}");
    let out = String::from_utf8(said.stdout).expect("it is text");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn libbpf_loads_the_objects_with_their_types_and_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    if !is_allowed() {
        return;
    }
    let Some(program) = compiled(folder.path()) else {
        return;
    };
    for (name, object) in objects(folder.path()) {
        let said = say(&program, &[&object, &name]);
        assert_eq!(said[..2], ["types yes", "lines yes"], "{name}");
        let maps: Vec<&String> = said
            .iter()
            .filter(|line| line.starts_with("map "))
            .collect();
        assert!(maps.len() >= 2, "{name}: {said:?}");
        assert!(
            maps.iter().all(|map| map.ends_with(" types yes")),
            "{name}: {said:?}"
        );
    }
}

/// libbpf goes on without types that the kernel does not take: what the test above asks for is not there by itself.
#[test]
fn an_object_without_its_types_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    if !is_allowed() {
        return;
    }
    let Some(program) = compiled(folder.path()) else {
        return;
    };
    let object = object_of(folder.path(), "given", GIVEN);
    let mut bytes = std::fs::read(&object).expect("it was written");
    let is_name = |found: &[u8]| found == b"\0.BTF\0";
    let at = bytes.windows(6).position(is_name).expect("it has types");
    bytes[at + 2] = b'X';
    std::fs::write(&object, bytes).expect("a file");
    assert_eq!(say(&program, &[&object, "given"])[0], "types no");
}

#[test]
fn a_policy_with_its_macs_forwards_under_libbpf() {
    let folder = tempfile::tempdir().expect("a folder");
    if !is_allowed() {
        return;
    }
    let Some(program) = compiled(folder.path()) else {
        return;
    };
    let object = object_of(folder.path(), "given", GIVEN);
    let frames = [40000, 40001].map(syn);
    let hexadecimal = |frame: &Vec<u8>| {
        frame.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let [first, second] = [&frames[0], &frames[1]].map(hexadecimal);
    // Each CPU has turns of its own; who is started stays on this one.
    let here = sys::on_cpu(0);
    let said = say(&program, &[&object, "given", &first, &second]);
    drop(here);
    let verdict = format!("verdict {BACK} frame ");
    let outs: Vec<&str> = said
        .iter()
        .filter_map(|line| line.strip_prefix(&verdict))
        .collect();
    assert_eq!(outs.len(), frames.len(), "{said:?}");
    let mut taken = Vec::new();
    for (out, frame) in outs.iter().zip(&frames) {
        let byte = |at| u8::from_str_radix(&out[at..at + 2], 16).expect("hexadecimal");
        let out: Vec<u8> = (0..out.len()).step_by(2).map(byte).collect();
        taken.push(forwarded(&out, frame));
    }
    taken.sort_unstable();
    assert_eq!(
        taken,
        [0, 1],
        "each of {} backends has its turn",
        MACS.len()
    );
}
