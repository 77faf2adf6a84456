//! What a policy asks of a target, and what a build says of it.

use lvsc_abi::manifest::Manifest;
use lvsc_abi::options::{Kernel, Mode};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _};

use crate::folder;
use crate::support::{lvsc, said};

/// A build of a policy that asks this: what is said, as data, and what the object's manifest says.
fn built(asked: &str) -> (serde_json::Value, Manifest) {
    let folder = folder();
    let policy = format!("{asked}\nmatch ip.ttl == 1 {{ drop short }}\n");
    std::fs::write(folder.path().join("one.lvs"), policy).expect("a file");
    let args = ["build", "one.lvs", "--target", "xdp", "--format", "json"];
    let said = said(lvsc(folder.path()).args(args));
    assert_eq!(said.code, 0, "{}", said.err);
    let bytes = std::fs::read(folder.path().join("one.o")).expect("it was written");
    let file = ElfFile64::<LittleEndian>::parse(&*bytes).expect("an object");
    let manifest = file
        .section_by_name(lvsc_abi::object::MANIFEST)
        .expect("it is inside");
    let manifest = Manifest::decode(manifest.data().expect("it has bytes"));
    let data = serde_json::from_str(&said.out).expect("one JSON document");
    (data, manifest.expect("it can be read"))
}

#[test]
fn an_object_says_which_kernel_it_needs() {
    let (data, manifest) = built("");
    assert_eq!(data["needs"], "Linux 5.15 or newer");
    assert_eq!(manifest.xdp.kernel, Kernel::OLDEST);
    let (data, manifest) = built("target xdp { kernel \"6.6\" }");
    assert_eq!(data["needs"], "Linux 6.6 or newer");
    assert_eq!(manifest.xdp.kernel, Kernel::V4);
    assert_eq!(manifest.xdp.mode, Mode::Driver);
}

#[test]
fn a_policy_for_one_target_is_built_and_run_for_no_other() {
    let folder = folder();
    let policy = "target xdp { only }\nmatch ip.ttl == 1 { drop short }\n\
                  test \"t\" { send eth / ip 192.0.2.1 -> 192.0.2.2 ttl=1; expect drop short }\n";
    std::fs::write(folder.path().join("one.lvs"), policy).expect("a file");
    for args in [&["build", "one.lvs"][..], &["run", "one.lvs"]] {
        let said = said(lvsc(folder.path()).args(args));
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(
            said.err
                .contains("error[other-target]: the policy is only for `xdp`, not for `wasm`"),
            "{}",
            said.err
        );
        assert!(said.err.contains("one.lvs:1:14"), "{}", said.err);
    }
    assert!(!folder.path().join("one.wasm").exists());
    let said = said(lvsc(folder.path()).args(["test", "one.lvs", "--engine", "interp,wasm"]));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err
            .contains("one.lvs: not for wasm, so not tried there"),
        "{}",
        said.err
    );
}
