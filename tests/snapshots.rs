//! What the compiler makes of each policy, stage by stage: `snapshots/<policy>/{1.graph,2.ir,3.wasm,4.xdp}.snap`,
//! and the figures of its eBPF object, `5.figures.snap`.

mod support;

use support::{files, reviewed, root, say, short};

#[test]
fn every_stage_of_every_policy_is_as_reviewed() {
    for path in files("policies", "lvs") {
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        reviewed(&format!("snapshots/{name}"), || {
            for (stage, target, emit) in [
                ("1.graph", "wasm", "graph"),
                ("2.ir", "wasm", "ir"),
                ("3.wasm", "wasm", "wat"),
                ("4.xdp", "xdp", "asm"),
            ] {
                let policy = short(&path);
                let args = ["--target", target, "--emit", emit, "-o", "-"];
                let said = say(&[&["build", &policy][..], &args].concat());
                assert_eq!(said.code, 0, "{name} {stage}: {}", said.err);
                insta::assert_snapshot!(stage, said.out);
            }
            insta::assert_snapshot!("5.figures", figures(&short(&path)));
        });
    }
}

/// What `build` says of a policy's object, without the file and the size of it.
fn figures(policy: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let object = folder.path().join("policy.o");
    let object = object.to_str().expect("a plain name");
    let said = say(&["build", policy, "--target", "xdp", "-o", object]);
    assert_eq!(said.code, 0, "{policy}: {}", said.err);
    let (_, figures) = said.out.split_once('\n').expect("figures follow");
    figures.to_owned()
}

#[test]
fn equal_policies_give_equal_bytes_wherever_they_lie() {
    let artifacts = ["one", "another/deeper"].map(|place| {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join(place);
        std::fs::create_dir_all(&place).expect("a folder in it");
        let policy = place.join("dr.lvs");
        std::fs::copy(root().join("policies/dr.lvs"), &policy).expect("a copy");
        let policy = policy.to_str().expect("a plain name");
        let module = place.join("dr.wasm");
        let said = say(&[
            "build",
            policy,
            "-o",
            module.to_str().expect("a plain name"),
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        let module = std::fs::read(module).expect("it was written");
        assert!(!module.is_empty());
        let object = place.join("dr.o");
        let to = object.to_str().expect("a plain name");
        let said = say(&["build", policy, "--target", "xdp", "-o", to]);
        assert_eq!(said.code, 0, "{}", said.err);
        let object = std::fs::read(object).expect("it was written");
        let stages = ["graph", "ir", "wat"]
            .map(|stage| say(&["build", policy, "--emit", stage, "-o", "-"]).out);
        (module, object, stages)
    });
    assert!(artifacts[0] == artifacts[1]);
}
