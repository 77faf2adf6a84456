//! aya, a loader in Rust.

use std::os::fd::{AsFd, AsRawFd};

use aya::Ebpf;
use aya::programs::Xdp;
use lvsc_runtime::sys::bpf;

use crate::{BACK, GIVEN, forwarded, is_allowed, object_of, objects, syn};

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
        let info = program.info().expect("the kernel knows it");
        assert!(info.btf_id().is_some(), "{name}: without its types");
        assert!(loaded.map("counters").is_none(), "variables are no maps");
        for map in [".data", ".bss"] {
            assert!(loaded.map(map).is_some(), "{name} has no {map}");
        }
    }
}

#[test]
fn a_policy_with_its_macs_forwards_under_aya() {
    if !is_allowed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let object = object_of(folder.path(), "given", GIVEN);
    let bytes = std::fs::read(object).expect("it was written");
    let mut loaded = Ebpf::load(&bytes).expect("aya loads it");
    let program = loaded.program_mut("given").expect("the policy's name");
    let program: &mut Xdp = program.try_into().expect("an XDP program");
    program.load().expect("the kernel takes it");
    let frame = syn(40000);
    let mut out = vec![0; 2048];
    for _ in 0..4 {
        let fd = program.fd().expect("it is loaded");
        let ran = bpf::test_run(&fd.as_fd().as_raw_fd(), &frame, &mut out, 1);
        let ran = ran.expect("the kernel runs it");
        assert_eq!(ran.verdict, BACK);
        forwarded(&out[..ran.length as usize], &frame);
    }
}
